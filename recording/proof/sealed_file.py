"""The file of one recording: segments of at most two seconds, each sealed as it is written and chained.

```
file    = MAGIC, length of the header (32 bits), header (JSON), segment*
segment = head, sealed bytes, hash
head    = number (from 0), length of the sealed bytes (32 bits each), begin (Unix microseconds, 64 bits),
          hash of what is before: of segment number - 1, or of MAGIC to the header's end
hash    = SHA-256 of head and sealed bytes
sealed  = AES-256-GCM of the plain bytes, the head being its associated data, with the file's own key and the
          segment's number as the nonce: a key serves one file, and a number one segment
```
All numbers are big-endian. A segment's own hash tells where a bit has turned, the next one's copy of it that
nobody has put another segment in its place, and the journal's copy of the last one that none is missing. The
header says in clear only which recording this is, when it began, and which public key its own key is wrapped
for. What the plain bytes are is the matter of `entries`.

A process that dies leaves whole segments and at most one that isn't: `whole_end` says where to cut.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
from collections.abc import Iterator
from contextlib import suppress
from errno import EEXIST
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

UNFINISHED: Final = ".new"  # behind the name of a file that has no header yet
MAGIC: Final = b"beffroi\x10"
KEY_BYTES: Final = 32
HASH_BYTES: Final = 32
TAG_BYTES: Final = 16
MOST_HEADER_BYTES: Final = 4096
MOST_SEALED_BYTES: Final = 16 * 1024 * 1024  # two seconds of anything that is a call

_LENGTH: Final = struct.Struct(">I")
_HEAD: Final = struct.Struct(f">IIQ{HASH_BYTES}s")
_HEADER_FIELDS: Final = {"recording": str, "begun": int, "wrapped_for": str}


class Damage(Exception):
    """A file that isn't what was written. offset: of the first byte that can't be trusted.

    segment: the number of the segment it is in, -1 for the header.
    """

    def __init__(self, path: Path, offset: int, segment: int, what: str) -> None:
        place = "header" if segment < 0 else f"segment {segment}"
        super().__init__(f"{path}: {place}, byte {offset}: {what}")
        self.path = path
        self.offset = offset
        self.segment = segment
        self.what = what


class Header(NamedTuple):
    """What a file says in clear. begun: Unix microseconds; wrapped_for: fingerprint of the public key."""

    recording: str
    begun: int
    wrapped_for: str


class Segment(NamedTuple):
    """One segment as it lies in the file. begun: Unix microseconds; digest: its hash."""

    number: int
    begun: int
    offset: int
    head: bytes
    sealed: bytes
    digest: bytes

    @property
    def end(self) -> int:
        """Where the next one begins."""
        return self.offset + len(self.head) + len(self.sealed) + len(self.digest)


class SealedFile:
    """A recording's file while it is written. head: the hash that it ends with, for the journal.

    Raises OSError when it can't be written; what was written before is whole.
    """

    __slots__ = ("_cipher", "_descriptor", "_end", "head", "path", "segments")

    def __init__(self, path: Path, header: Header, key: bytes) -> None:
        """path: must not exist. key: KEY_BYTES of chance that seal nothing else."""
        self.path = path
        self.segments = 0
        self._cipher = AESGCM(key)
        written = _header_bytes(header)
        self.head = hashlib.sha256(written).digest()
        self._end = 0
        # A file is there with its header, or not at all: a death in between leaves what is none.
        unfinished = path.with_name(path.name + UNFINISHED)
        self._descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            self._append(written)
            if path.exists():
                raise FileExistsError(EEXIST, os.strerror(EEXIST), str(path))
            unfinished.rename(path)
        except OSError:
            self.close()
            with suppress(OSError):
                unfinished.unlink()
            raise

    def write(self, plain: bytes, begun: int) -> None:
        """Seal a segment and append it. begun: of its first entry, Unix microseconds."""
        length = len(plain) + TAG_BYTES
        if length > MOST_SEALED_BYTES:
            raise ValueError(f"{length} bytes are no two seconds of a call")
        head = _HEAD.pack(self.segments, length, begun, self.head)
        sealed = self._cipher.encrypt(_nonce(self.segments), plain, head)
        digest = _digest(head, sealed)
        self._append(head + sealed + digest)
        self.head = digest
        self.segments += 1

    @property
    def bytes_written(self) -> int:
        """How long the file is."""
        return self._end

    def sync(self) -> None:
        """Have all that was written outlive a power cut."""
        os.fdatasync(self._descriptor)

    def close(self) -> None:
        """Write nothing more."""
        os.close(self._descriptor)

    def _append(self, data: bytes) -> None:
        """Write all of `data`, or nothing: what a full disk has taken of it is cut off again."""
        left = memoryview(data)
        try:
            while left:
                left = left[os.write(self._descriptor, left) :]
        except OSError:
            os.ftruncate(self._descriptor, self._end)
            os.lseek(self._descriptor, self._end, os.SEEK_SET)
            raise
        self._end += len(data)


def read_header(path: Path) -> Header:
    """Return what the file says in clear. Raises Damage, or OSError."""
    with path.open("rb") as file:
        return _read_header(path, file)[0]


def segments(path: Path, end: int | None = None) -> Iterator[Segment]:
    """Yield the segments in order, each checked against the one before.

    end: where to stop, in bytes, for a file that is still written (`whole_end`); None at its end.
    Raises Damage where the chain breaks or the file ends within a segment, and OSError.
    """
    with path.open("rb") as file:
        _, written = _read_header(path, file)
        expected, offset, number = hashlib.sha256(written).digest(), len(written), 0
        while (end is None or offset < end) and (head := file.read(_HEAD.size)):
            segment = _read_segment(path, file, head, offset, number)
            if head[-HASH_BYTES:] != expected:
                raise Damage(path, offset, number, "doesn't belong behind the one before")
            yield segment
            expected, offset, number = segment.digest, segment.end, number + 1


def unseal(segment: Segment, key: bytes, path: Path) -> bytes:
    """Return the plain bytes of a segment. Raises Damage when they aren't what was sealed with this key."""
    try:
        return AESGCM(key).decrypt(_nonce(segment.number), segment.sealed, segment.head)
    except InvalidTag:
        raise Damage(path, segment.offset, segment.number, "was not sealed so with this key") from None


def whole_end(path: Path) -> int:
    """Return where the last whole segment ends: a process that died may have left a part of one behind it.

    Raises Damage for what no death explains: only the end of a file can be missing.
    """
    with path.open("rb") as file:
        _, written = _read_header(path, file)
        size = os.fstat(file.fileno()).st_size
        end, number = len(written), 0
        while True:
            head = file.read(_HEAD.size)
            if len(head) < _HEAD.size:
                return end
            found, length, _, _ = _HEAD.unpack(head)
            if found != number or not TAG_BYTES <= length <= MOST_SEALED_BYTES:
                raise Damage(path, end, number, "is none of this file")
            next_end = end + _HEAD.size + length + HASH_BYTES
            if next_end > size:
                return end
            end, number = next_end, number + 1
            file.seek(end)


def _header_bytes(header: Header) -> bytes:
    text = json.dumps(header._asdict(), sort_keys=True, separators=(",", ":")).encode()
    if len(text) > MOST_HEADER_BYTES:
        raise ValueError(f"a header of {len(text)} bytes")
    return MAGIC + _LENGTH.pack(len(text)) + text


def _read_header(path: Path, file: BinaryIO) -> tuple[Header, bytes]:
    """Return the header and the bytes it was read from."""
    start = file.read(len(MAGIC) + _LENGTH.size)
    if len(start) < len(MAGIC) + _LENGTH.size or not start.startswith(MAGIC):
        raise Damage(path, 0, -1, "is no recording of ours")
    (length,) = _LENGTH.unpack_from(start, len(MAGIC))
    if length > MOST_HEADER_BYTES:
        raise Damage(path, len(MAGIC), -1, f"says to be {length} bytes long")
    text = file.read(length)
    try:
        fields = json.loads(text)
    except ValueError:
        raise Damage(path, len(start), -1, "can't be read") from None
    if not isinstance(fields, dict) or {name: type(said) for name, said in fields.items()} != _HEADER_FIELDS:
        raise Damage(path, len(start), -1, "doesn't say what a header says")
    return Header(**fields), start + text


def _read_segment(path: Path, file: BinaryIO, head: bytes, offset: int, number: int) -> Segment:
    """Return the segment whose head was read, behind which the file stands."""
    if len(head) < _HEAD.size:
        raise Damage(path, offset, number, "ends within its head")
    found, length, begun, _ = _HEAD.unpack(head)
    if found != number or not TAG_BYTES <= length <= MOST_SEALED_BYTES:
        raise Damage(path, offset, number, "its head was changed")
    rest = file.read(length + HASH_BYTES)
    if len(rest) < length + HASH_BYTES:
        raise Damage(path, offset, number, f"ends after {len(rest)} of {length + HASH_BYTES} bytes")
    sealed, digest = rest[:length], rest[length:]
    if digest != _digest(head, sealed):
        raise Damage(path, offset, number, "was changed")
    return Segment(number, begun, offset, head, sealed, digest)


def _digest(head: bytes, sealed: bytes) -> bytes:
    digest = hashlib.sha256(head)
    digest.update(sealed)
    return digest.digest()


def _nonce(number: int) -> bytes:
    return number.to_bytes(12, "big")
