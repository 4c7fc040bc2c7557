"""Where the messages of a call lie: an index beside each closed segment, and how a call's are found.

    index = "beffroi" 0x05, number of entries (32 bits), hashes of Call-IDs (64 bits each, growing),
            offsets of their frames (32 bits each)

An index is made once, from the segment alone, and can be made again at any time. The segment that is written
at the moment has none: it is read whole, which is some milliseconds.
"""

from __future__ import annotations

import contextlib
import hashlib
import mmap
import os
import struct
from array import array
from bisect import bisect_left
from collections.abc import Collection, Iterator
from itertools import pairwise
from pathlib import Path

from pbx.messages.blanking import call_id_of
from pbx.messages.segments import (
    ERASED,
    HEAD,
    Frame,
    Message,
    began_at,
    frames_of,
    message_of,
    segments,
)

MAGIC = b"beffroi\x05"
_COUNT = struct.Struct("<I")
_START = 16  # of the hashes, which are aligned
MOST_MESSAGES = 5000


def hash_of(call_id: bytes) -> int:
    """The 64 bits by which a Call-ID is found."""
    return int.from_bytes(hashlib.blake2s(call_id, digest_size=8).digest(), "little")


def write_missing(folder: Path) -> int:
    """Make the index of each closed segment that has none; return how many. Raises OSError."""
    made = 0
    for segment in segments(folder)[:-1]:
        if not segment.with_suffix(".index").exists():
            with contextlib.suppress(FileNotFoundError):
                write_index(segment)
                made += 1
    return made


def write_index(segment: Path) -> None:
    """Make the index of one segment. Raises OSError."""
    data = segment.read_bytes()
    entries = sorted((hash_of(call_id_of(data[f.begins : f.ends])), f.offset) for f in frames_of(data))
    hashes, offsets = array("Q", (one for one, _ in entries)), array("I", (one for _, one in entries))
    unfinished = segment.with_suffix(".new")
    head = (MAGIC + _COUNT.pack(len(entries))).ljust(_START, b"\0")
    with open(unfinished, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(head + hashes.tobytes() + offsets.tobytes())
    unfinished.replace(segment.with_suffix(".index"))


def messages_of(folder: Path, call_ids: Collection[str], since: float, until: float) -> list[Message]:
    """Return the messages with one of these Call-IDs between two instants (Unix seconds), in their order.

    At most MOST_MESSAGES. Raises OSError.
    """
    wanted = {call_id.encode("utf-8", "surrogateescape") for call_id in call_ids} - {b""}
    if not wanted:
        return []
    found: list[Message] = []
    for segment, closed in _between(folder, since, until):
        with contextlib.suppress(FileNotFoundError):  # it has gone meanwhile
            found += _in_segment(segment, wanted, closed=closed)
    found = [message for message in found if since <= message.at <= until]
    return sorted(found, key=lambda message: message.at)[:MOST_MESSAGES]


def kept_since(folder: Path) -> float:
    """When the oldest segment began, in Unix seconds; infinity where there is none."""
    files = segments(folder)
    return began_at(files[0]) if files else float("inf")


def _between(folder: Path, since: float, until: float) -> Iterator[tuple[Path, bool]]:
    """The segments that may hold messages of a time, and whether each is closed."""
    files = segments(folder)
    for segment, following in pairwise(files):
        # A message may be written some seconds after it crossed, in the segment opened meanwhile.
        if began_at(segment) <= until + 60 and began_at(following) >= since - 60:
            yield segment, True
    if files and began_at(files[-1]) <= until + 60:
        yield files[-1], False


def _in_segment(segment: Path, wanted: set[bytes], *, closed: bool) -> Iterator[Message]:
    if closed and not segment.with_suffix(".index").exists():
        with contextlib.suppress(OSError):  # a folder that isn't ours to write in
            write_index(segment)
    with segment.open("rb") as file:
        if os.fstat(file.fileno()).st_size == 0:
            return
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            offsets = _indexed(segment, wanted)
            frames = frames_of(data) if offsets is None else _frames_at(data, offsets)
            for frame in frames:
                if frame.kind != ERASED:
                    message = message_of(data, frame)
                    if call_id_of(message.data) in wanted:
                        yield message


def _indexed(segment: Path, wanted: set[bytes]) -> list[int] | None:
    """Where the index says that they are; None without an index that can be read."""
    try:
        data = segment.with_suffix(".index").read_bytes()
    except OSError:
        return None
    if len(data) < _START or not data.startswith(MAGIC):
        return None
    (count,) = _COUNT.unpack_from(data, len(MAGIC))
    if len(data) != _START + 12 * count:
        return None
    hashes = memoryview(data)[_START : _START + 8 * count].cast("Q")
    offsets = memoryview(data)[_START + 8 * count :].cast("I")
    found = []
    for call_id in wanted:
        hashed = hash_of(call_id)
        place = bisect_left(hashes, hashed)
        while place < count and hashes[place] == hashed:
            found.append(offsets[place])
            place += 1
    return sorted(found)


def _frames_at(data: mmap.mmap, offsets: list[int]) -> Iterator[Frame]:
    for offset in offsets:
        if offset + HEAD.size <= len(data):
            frame = Frame(offset, *HEAD.unpack_from(data, offset))
            if frame.ends <= len(data):
                yield frame
