"""The journal of recordings: what was begun, ended, repaired, heard, exported, held and purged.

One line of JSON for each entry, appended and never changed. An entry has the hash of the one before in it,
and is signed by the node (Ed25519):

```
{"at": …, "by": …, "number": …, "previous": …, "recording": …, "what": …, …}<TAB>signature (hex)
hash = SHA-256 of the hash of the entry before and of SHA-256 of a line without its end (32 bytes each)
```
So that no entry can be changed, left out or put between without it being seen. What may be missing is the
end: whoever knows a later head (an authority that stamped it, an export) shows that. What a process that died
left of a line is cut off at the next start; it had been told to nobody.

The hash is made in two steps so that an `excerpt` may go out: it holds what is about one recording, and of
every entry between nothing but the inner hash, which tells nobody anything.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from threading import Lock
from typing import Any, Final, NamedTuple, TypeAlias

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

FIRST: Final = hashlib.sha256(b"beffroi recordings").hexdigest()  # what the first entry follows
MOST_LINE_BYTES: Final = 65_536

Value: TypeAlias = str | int | float | bool | list[str] | dict[str, str] | None


class JournalDamage(Exception):
    """A journal that isn't what was written. line: from 1."""

    def __init__(self, path: Path, line: int, what: str) -> None:
        super().__init__(f"{path}:{line}: {what}")
        self.line = line
        self.what = what


class Entry(NamedTuple):
    """One thing that was done. at: Unix seconds; by: who did it; about: what else is said of it.

    recording: "" where it is about none. digest: its hash.
    """

    number: int
    at: float
    what: str
    recording: str
    by: str
    about: Mapping[str, Value]
    digest: str


class Place(NamedTuple):
    """Behind an entry: the next one's offset in the file, its number, and the digest that it names."""

    offset: int
    number: int
    digest: str


START: Final = Place(0, 0, FIRST)


class Journal:
    """The journal's file, written by one process, in any of its threads.

    head: the hash of its last entry; entries: how many. key: what signs entries; path: of the file.
    """

    def __init__(self, path: Path, key: Ed25519PrivateKey) -> None:
        """Go on behind the last entry. Raises JournalDamage where that can't be trusted, or OSError.

        What is before it is left to whoever reads it: `entries`. It takes a minute for a million.
        """
        self.path = path
        self.key = key
        self._lock = Lock()
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._end = cut_unfinished(path, self._descriptor)
            last = _last(path, self._descriptor, self._end, key.public_key())
            self.head, self.entries = (last.digest, last.number + 1) if last is not None else (FIRST, 0)
        except BaseException:
            self.close()
            raise

    def append(self, at: float, what: str, recording: str, by: str, **about: Value) -> Entry:
        """Add an entry; it outlives a power cut when this returns. Raises OSError: then nothing was added."""
        with self._lock:
            return self._append(at, what, recording, by, about)

    def _append(self, at: float, what: str, recording: str, by: str, about: Mapping[str, Value]) -> Entry:
        fields = {
            **about,
            "at": at,
            "by": by,
            "number": self.entries,
            "previous": self.head,
            "recording": recording,
            "what": what,
        }
        line = signed(fields, self.key)
        try:
            self._write(line + b"\n")
        except OSError:
            os.ftruncate(self._descriptor, self._end)
            raise
        entry = Entry(self.entries, at, what, recording, by, about, follow(self.head, line))
        self.head, self.entries = entry.digest, self.entries + 1
        self._end += len(line) + 1
        return entry

    @property
    def place(self) -> Place:
        """Behind the last entry."""
        with self._lock:
            return Place(self._end, self.entries, self.head)

    def close(self) -> None:
        """Write nothing more."""
        os.close(self._descriptor)

    def _write(self, data: bytes) -> None:
        written = os.pwrite(self._descriptor, data, self._end)
        if written != len(data):
            raise OSError(f"{written} of {len(data)} bytes were written")
        os.fdatasync(self._descriptor)


def signed(fields: Mapping[str, Any], key: Ed25519PrivateKey) -> bytes:
    """Return the line of an entry, without its end. Raises ValueError for one that is too long."""
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    line = text + b"\t" + key.sign(text).hex().encode()
    if len(line) >= MOST_LINE_BYTES:
        raise ValueError(f"an entry of {len(line)} bytes")
    return line


def follow(previous: str, line: bytes) -> str:
    """Return the hash of the entry of a line, which follows the one with that hash."""
    return follow_inner(previous, hashlib.sha256(line).digest())


def follow_inner(previous: str, inner: bytes) -> str:
    """Return the hash of an entry of which only the inner hash is known. previous: the one before it."""
    return hashlib.sha256(bytes.fromhex(previous) + inner).hexdigest()


def entries(path: Path, key: Ed25519PublicKey) -> Iterator[Entry]:
    """Yield the entries in order, each checked. Raises JournalDamage, or OSError."""
    return (entry for entry, _ in entries_since(path, key, START))


def unchecked(path: Path) -> Iterator[tuple[str, str]]:
    """Yield what each entry says was done, and of which recording, for whoever can't wait for signatures.

    What is no entry is passed over. Raises OSError.
    """
    with path.open("rb") as file:
        while line := file.readline(MOST_LINE_BYTES):
            try:
                fields = json.loads(line.partition(b"\t")[0])
                yield str(fields["what"]), str(fields["recording"])
            except (ValueError, TypeError, KeyError):
                continue


def entries_since(
    path: Path, key: Ed25519PublicKey, place: Place, end: int | None = None
) -> Iterator[tuple[Entry, Place]]:
    """Yield the entries from a place on, each checked, and the place behind each.

    end: where to stop, in bytes; None at the file's end. Raises JournalDamage, or OSError.
    """
    offset, number, previous = place
    with path.open("rb") as file:
        file.seek(offset)
        while (end is None or offset < end) and (line := file.readline(MOST_LINE_BYTES)):
            if not line.endswith(b"\n"):
                raise JournalDamage(path, number + 1, "is no whole entry")
            entry, before = read_line(path, line[:-1], number, key)
            if before != previous:
                raise JournalDamage(path, number + 1, "doesn't follow the entry before")
            offset, number, previous = offset + len(line), number + 1, entry.digest
            yield entry, Place(offset, number, previous)


def read_line(path: Path, line: bytes, number: int, key: Ed25519PublicKey) -> tuple[Entry, str]:
    """Return the entry of a line, and the hash of the one that it follows.

    number: which entry it must be. Raises JournalDamage.
    """
    fields = fields_of(path, line, number, key)
    try:
        at, what, recording, by = (fields.pop(name) for name in ("at", "what", "recording", "by"))
    except KeyError:  # the node signs other journals too
        raise JournalDamage(path, number + 1, "is an entry of another journal") from None
    before = fields.pop("previous")
    return Entry(number, at, what, recording, by, fields, follow(before, line)), before


def fields_of(path: Path, line: bytes, number: int, key: Ed25519PublicKey) -> dict[str, Any]:
    """Return what `signed` was given for a line, but the number, which must be this. Raises JournalDamage."""
    text, _, signature = line.partition(b"\t")
    try:
        signed = bytes.fromhex(signature.decode("ascii"))
        key.verify(signed, text)
        if signed.hex().encode() != signature:  # one way to write it, or a bit could turn unseen
            raise ValueError
    except (InvalidSignature, ValueError):
        raise JournalDamage(path, number + 1, "is not what this node has signed") from None
    # What the node has signed is what was written.
    fields: dict[str, Any] = json.loads(text)
    if fields.pop("number", None) != number:
        raise JournalDamage(path, number + 1, "doesn't follow the entry before")
    return fields


def _last(path: Path, descriptor: int, end: int, key: Ed25519PublicKey) -> Entry | None:
    """Return the last entry, checked by its signature; None where there is none. end: of the file."""
    line, number = last_line(path, descriptor, end)
    return read_line(path, line, number, key)[0] if line else None


def last_line(path: Path, descriptor: int, end: int) -> tuple[bytes, int]:
    """Return the last line, and the number that it says it has; b"" and -1 where there is none.

    end: of the file. Raises JournalDamage where it is no entry at all.
    """
    tail = os.pread(descriptor, min(end, MOST_LINE_BYTES), max(0, end - MOST_LINE_BYTES))[:-1]
    if not tail:
        return b"", -1
    line = tail[tail.rfind(b"\n") + 1 :]
    try:
        return line, int(json.loads(line.partition(b"\t")[0])["number"])
    except (ValueError, TypeError, KeyError):
        raise JournalDamage(path, 0, "ends with what is no entry") from None


def cut_unfinished(path: Path, descriptor: int) -> int:
    """Cut off what a process that died left of a line; return where the file ends then."""
    size = os.fstat(descriptor).st_size
    tail_at = max(0, size - MOST_LINE_BYTES)
    tail = os.pread(descriptor, size - tail_at, tail_at)
    end = tail_at + tail.rfind(b"\n") + 1
    if end == tail_at and tail_at:
        raise JournalDamage(path, 0, f"ends with more than {MOST_LINE_BYTES} bytes that are no entry")
    if end < size:
        os.ftruncate(descriptor, end)
        os.fsync(descriptor)
    return end
