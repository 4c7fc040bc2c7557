"""A zip in which no bit is free: files as they are, one behind the other, and everything about them fixed.

Any program opens it. But only one sequence of bytes is the parcel of given files under given names: no date,
no comment, no compression, nothing between. So whoever unpacks it with `unpack` learns of every byte that
isn't as it was packed, and where it is, even where it changes nothing that other programs look at.
(PKWARE's APPNOTE.TXT 6.3, sections 4.3.7, 4.3.12 and 4.3.16.)
"""

from __future__ import annotations

import os
import re
import struct
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

MOST_BYTES: Final = 0xFFFF_FFFF  # beyond, a zip has other headers
MOST_FILES: Final = 10_000

_LOCAL: Final = struct.Struct("<4sHHHHHIIIHH")
_CENTRAL: Final = struct.Struct("<4sHHHHHHIIIHHHHHII")
_END: Final = struct.Struct("<4sHHHHIIH")
_VERSION: Final = 20
_MADE_BY: Final = 0x0314  # Unix
_UTF_8: Final = 0x0800
_DATE: Final = 0x21  # 1 January 1980: the first that a zip can say
_MODE: Final = 0o100644 << 16
_NAME: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,99}")
_CHUNK: Final = 1 << 20


class ParcelTooLarge(ValueError):
    """More than a parcel holds."""


class Unlike(NamedTuple):
    """Bytes of a parcel that aren't as they were packed. name: of the file that they are about, or ""."""

    offset: int
    name: str
    what: str


class _Member(NamedTuple):
    name: str
    crc: int
    size: int
    offset: int


def pack(path: Path, files: Sequence[tuple[str, Path]]) -> None:
    """Write a new parcel of these files, by the names that they have in it, in this order.

    Raises ParcelTooLarge, or OSError.
    """
    total = sum(source.stat().st_size + len(name.encode()) * 2 + 200 for name, source in files)
    if total > MOST_BYTES or len(files) > MOST_FILES:
        raise ParcelTooLarge(f"{total} bytes are more than the {MOST_BYTES} that a package holds")
    members: list[_Member] = []
    with path.open("xb") as out:
        path.chmod(0o600)
        for name, source in files:
            offset, crc, size = out.tell(), 0, 0
            out.write(_local(_Member(name, 0, 0, offset)))
            with source.open("rb") as file:
                while chunk := file.read(_CHUNK):
                    out.write(chunk)
                    crc, size = zlib.crc32(chunk, crc), size + len(chunk)
            member = _Member(name, crc, size, offset)
            out.seek(offset)
            out.write(_local(member))
            out.seek(0, os.SEEK_END)
            members.append(member)
        out.write(_directory(members, out.tell()))
        out.flush()
        os.fsync(out.fileno())


def unpack(path: Path, into: Path) -> list[Unlike]:
    """Write the files of a parcel into an empty folder; returns what isn't as it was packed.

    A file whose bytes were changed is written as it is. Behind a header that can't be read, nothing is.
    Raises OSError.
    """
    members: list[_Member] = []
    found: list[Unlike] = []
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        while (start := file.read(4)) == b"PK\x03\x04" and len(members) < MOST_FILES:
            member = _read_local(file, start, size)
            if isinstance(member, Unlike):
                return [*found, member]
            if member.name in [one.name for one in members]:
                return [*found, Unlike(member.offset, member.name, "is there twice")]
            found += _unlike(file, member.offset, _local(member), member.name, "header")
            crc = 0
            with (into / member.name).open("xb") as out:
                for chunk in _chunks(file, member.size):
                    out.write(chunk)
                    crc = zlib.crc32(chunk, crc)
            if crc != member.crc:
                found.append(Unlike(member.offset, member.name, "isn't what its checksum says"))
            members.append(member)
        offset = file.seek(file.tell() - len(start))
        found += _unlike(file, offset, _directory(members, offset), "", "directory")
        if file.read(1):
            found.append(Unlike(file.tell() - 1, "", "more than was packed"))
    return found


def _read_local(file: BinaryIO, start: bytes, size: int) -> _Member | Unlike:
    """Return what a header says; the file stands behind it."""
    offset = file.tell() - len(start)
    rest = file.read(_LOCAL.size - len(start))
    if len(rest) < _LOCAL.size - len(start):
        return Unlike(offset, "", "ends within a header")
    _, _, _, _, _, _, crc, length, _, name_length, _ = _LOCAL.unpack(start + rest)
    name = file.read(name_length).decode("utf-8", "replace")
    if not _NAME.fullmatch(name):
        return Unlike(offset, "", "names no file of a package")
    if file.tell() + length > size:
        return Unlike(offset, name, "says to be longer than the package")
    return _Member(name, crc, length, offset)


def _unlike(file: BinaryIO, offset: int, expected: bytes, name: str, what: str) -> list[Unlike]:
    """Read bytes that must be these; return where they aren't."""
    file.seek(offset)
    there = file.read(len(expected))
    if there == expected:
        return []
    pairs = zip(there, expected, strict=False)
    first = next((place for place, (one, other) in enumerate(pairs) if one != other), len(there))
    return [Unlike(offset + first, name, f"its {what} in the package was changed")]


def _local(member: _Member) -> bytes:
    name = member.name.encode()
    fixed = (b"PK\x03\x04", _VERSION, _UTF_8, 0, 0, _DATE)
    return _LOCAL.pack(*fixed, member.crc, member.size, member.size, len(name), 0) + name


def _directory(members: Sequence[_Member], offset: int) -> bytes:
    """Return what stands behind the files. offset: of it."""
    made = b""
    for member in members:
        name = member.name.encode()
        fixed = (b"PK\x01\x02", _MADE_BY, _VERSION, _UTF_8, 0, 0, _DATE)
        sizes = (member.crc, member.size, member.size, len(name), 0, 0, 0, 0)
        made += _CENTRAL.pack(*fixed, *sizes, _MODE, member.offset) + name
    count = len(members)
    return made + _END.pack(b"PK\x05\x06", 0, 0, count, count, len(made), offset, 0)


def _chunks(file: BinaryIO, length: int) -> Iterator[bytes]:
    while length and (chunk := file.read(min(length, _CHUNK))):
        yield chunk
        length -= len(chunk)
