"""Reading the audit journal: newest first, page by page, from the end of the file, never all of it.

Each entry that is answered is checked by its signature; whether it also follows the one before is `verify`'s
matter, which reads everything. A page looks at SCANNED_BYTES at most: where little is like what was asked
for it may have few entries, or none, and still tell where to go on.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from pbx.audit.entry import Entry
from pbx.audit.journal import DAMAGED, FIRST
from recording.proof.journal import MOST_LINE_BYTES, JournalDamage, fields_of, follow

SCANNED_BYTES: Final = 8 << 20
MOST_ENTRIES: Final = 500
_BLOCK_BYTES: Final = 1 << 16
_CLOCK_SET_SECONDS: Final = 86_400.0  # entries may be so much out of order: the clock was set
_AFTER: Final = re.compile(r"[0-9]{1,15}")


class WrongPlace(ValueError):
    """What was given as a place to go on from isn't one that a page told."""


class Query(NamedTuple):
    """Which entries. by, whom: whole names; what: `people.add`, or `people` for all verbs; "" for any.

    text: anywhere in what is said, whatever the letters' case; since, until: Unix seconds, until not
    included; after: the `next` of the page before.
    """

    by: str = ""
    what: str = ""
    whom: str = ""
    text: str = ""
    since: float | None = None
    until: float | None = None
    limit: int = 50
    after: str = ""


class Seen(NamedTuple):
    """An entry, and whether its signature holds."""

    entry: Entry
    sound: bool


class Page(NamedTuple):
    """Entries, the newest first. next: what to ask for after them, "" at the journal's begin."""

    entries: list[Seen]
    next: str


class Fault(NamedTuple):
    """Where a journal isn't what was written. line: from 1; offset: of its first byte; -1 for no place."""

    file: str
    line: int
    offset: int
    what: str


class Verified(NamedTuple):
    """What was found out. entries: how many hold; head: the hash of the last of these."""

    entries: int
    head: str
    first_at: float
    last_at: float
    faults: list[Fault]


def read_page(path: Path, key: Ed25519PublicKey, query: Query) -> Page:
    """Return the newest entries that are like this. Raises WrongPlace, or OSError."""
    if query.after and not _AFTER.fullmatch(query.after):
        raise WrongPlace(query.after[:40])
    limit = max(1, min(query.limit, MOST_ENTRIES))
    found: list[Seen] = []
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:  # nobody has done anything yet
        return Page([], "")
    try:
        size = os.fstat(descriptor).st_size
        end = int(query.after) if query.after else size
        if end > size or (end and os.pread(descriptor, 1, end - 1) != b"\n" and query.after):
            raise WrongPlace(query.after)
        for offset, line in _backwards(descriptor, end):
            fields = _parsed(line)
            if fields is None:
                continue
            if query.since is not None and fields["at"] < query.since - _CLOCK_SET_SECONDS:
                return Page(found, "")
            if _is_like(fields, query):
                found.append(_seen(path, line, fields, key))
            if offset and (len(found) == limit or end - offset > SCANNED_BYTES):
                return Page(found, str(offset))
        return Page(found, "")
    finally:
        os.close(descriptor)


def one(path: Path, key: Ed25519PublicKey, number: int) -> Seen:
    """Return an entry by its number, looked for by halves. Raises KeyError, or OSError."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise KeyError(number) from None
    try:
        low, high = 0, os.fstat(descriptor).st_size
        while low < high:
            middle = (low + high) // 2
            begin, line = _line_at(descriptor, middle)
            fields = _parsed(line)
            if fields is None:
                raise KeyError(number)
            if fields["number"] == number:
                return _seen(path, line, fields, key)
            if fields["number"] < number:
                low = begin + len(line) + 1
            else:
                high = begin
    finally:
        os.close(descriptor)
    raise KeyError(number)


def verify(
    path: Path, key: Ed25519PublicKey, known: tuple[int, str] | None = None, name: str = ""
) -> Verified:
    """Read a whole journal, up to the first entry that isn't what was written.

    known: an entry's number and hash, as an export or a paper says them: the journal must have that one.
    name: what the file is called in what is told. Raises OSError.
    """
    name = name or path.name
    faults = [
        Fault(aside.name, -1, -1, "was set aside: its end wasn't what this node had written")
        for aside in sorted(path.parent.glob(f"{path.name}{DAMAGED}*"))
    ]
    head, count, first_at, last_at = FIRST, 0, 0.0, 0.0
    found_known = known is None or known == (-1, FIRST)
    for offset, line in _forwards(path):
        try:
            entry, before = _read(path, line.removesuffix(b"\n"), count, key)
            if before != head:
                raise JournalDamage(path, count + 1, "doesn't follow the entry before")
            if not line.endswith(b"\n"):
                raise JournalDamage(path, count + 1, "is no whole entry")
        except JournalDamage as damage:
            faults.append(Fault(name, count + 1, offset, damage.what))
            return Verified(count, head, first_at, last_at, faults)
        head, last_at = entry.digest, entry.at
        first_at = first_at or entry.at
        found_known = found_known or known == (count, head)
        count += 1
    if known is not None and not found_known:
        what = f"hasn't the entry {known[0]} that is known: its end was cut off, or it was written anew"
        faults.append(Fault(name, -1, -1, what))
    return Verified(count, head, first_at, last_at, faults)


def entries(path: Path, key: Ed25519PublicKey, until: int | None = None) -> Iterator[tuple[bytes, Entry]]:
    """Yield each line and its entry, checked. until: bytes of the file. Raises JournalDamage, or OSError."""
    for number, (offset, line) in enumerate(_forwards(path)):
        if until is not None and offset >= until:
            return
        yield line, _read(path, line.removesuffix(b"\n"), number, key)[0]


def _forwards(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield where each line begins, and the line with its end."""
    offset = 0
    try:
        with path.open("rb") as file:
            while line := file.readline(MOST_LINE_BYTES):
                yield offset, line
                offset += len(line)
    except FileNotFoundError:
        return


def _backwards(descriptor: int, end: int) -> Iterator[tuple[int, bytes]]:
    """Yield where each line before `end` begins, and the line, the last one first.

    What is behind the last line's end is a line that is just being written: it is passed over.
    """
    held, held_at = b"", end
    while held or held_at:
        cut = held.rfind(b"\n", 0, -1)
        if cut < 0 and held_at:
            if len(held) > MOST_LINE_BYTES:
                return  # no entry is so long: what is before it can't be told apart
            size = min(_BLOCK_BYTES, held_at)
            held_at -= size
            held = os.pread(descriptor, size, held_at) + held
            continue
        line, held = held[cut + 1 :], held[: cut + 1]
        if line.endswith(b"\n"):
            yield held_at + cut + 1, line[:-1]


def _line_at(descriptor: int, offset: int) -> tuple[int, bytes]:
    """Return where the line begins that a byte is in, and the line."""
    begin = max(0, offset - MOST_LINE_BYTES)
    around = os.pread(descriptor, 2 * MOST_LINE_BYTES, begin)
    here = offset - begin
    start = around.rfind(b"\n", 0, here) + 1
    stop = around.find(b"\n", here)
    return begin + start, around[start : stop if stop >= 0 else len(around)]


def _parsed(line: bytes) -> dict[str, Any] | None:
    """Return what a line says, unchecked; None for what is no entry."""
    try:
        fields = json.loads(line.partition(b"\t")[0], parse_constant=_refuse)
        well = isinstance(fields["number"], int) and isinstance(fields["at"], int | float)
        texts = (fields[name] for name in ("by", "how", "address", "what", "previous"))
        well = well and all(isinstance(text, str) for text in texts) and isinstance(fields["about"], dict)
        bytes.fromhex(fields["previous"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return fields if well else None


def _is_like(fields: dict[str, Any], query: Query) -> bool:
    what = fields["what"]
    return (
        (not query.by or fields["by"] == query.by)
        and (not query.what or what == query.what or what.startswith(f"{query.what}."))
        and (not query.whom or str(fields["about"].get("whom", "")) == query.whom)
        and (query.since is None or fields["at"] >= query.since)
        and (query.until is None or fields["at"] < query.until)
        and (not query.text or query.text.casefold() in _said(fields).casefold())
    )


def _said(fields: dict[str, Any]) -> str:
    about = json.dumps(fields["about"], ensure_ascii=False)
    return " ".join((fields["by"], fields["address"], fields["what"], about))


def _refuse(constant: str) -> None:
    raise ValueError(constant)  # NaN and the like: no number of JSON, and none that was written


def _seen(path: Path, line: bytes, fields: dict[str, Any], key: Ed25519PublicKey) -> Seen:
    try:
        fields_of(path, line, fields["number"], key)
        sound = True
    except JournalDamage:
        sound = False
    said = {name: fields[name] for name in ("number", "at", "what", "by", "how", "address", "about")}
    return Seen(Entry(**said, digest=follow(fields["previous"], line)), sound)


def _read(path: Path, line: bytes, number: int, key: Ed25519PublicKey) -> tuple[Entry, str]:
    fields = fields_of(path, line, number, key)
    previous = str(fields.pop("previous", ""))
    try:
        return Entry(number=number, digest=follow(previous, line), **fields), previous
    except (TypeError, ValueError):  # the node signs other journals too
        raise JournalDamage(path, number + 1, "is an entry of another journal") from None
