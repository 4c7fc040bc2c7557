"""The files that messages are kept in: segments that only grow, the oldest of which goes first.

    folder  = data_dir/messages: MILLISECONDS.sip, named for when it began; beside a closed one its .index
    segment = "beffroi" 0x04, frame*
    frame   = bytes of what follows its head, kind (RECEIVED, SENT, ERASED), bytes of the path, Unix seconds
              (32, 8, 8 and 64 bits, little-endian), path ("UDP 10.54.0.10:5060 192.0.2.1:5060"), message

There is no checksum: bytes that nobody can read are no message, and no call depends on them. A process that
begins opens a segment of its own, so that nothing is ever written behind a frame that was cut off.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import struct
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

FOLDER = "messages"
MAGIC = b"beffroi\x04"
HEAD = struct.Struct("<IBBd")
RECEIVED, SENT, ERASED = 0, 1, 2
SEGMENT_BYTES = 8 * 1024 * 1024
SEGMENT_SECONDS = 3600.0
MOST_MESSAGE_BYTES = 1 << 20
ROOM_BYTES = 128 * 1024 * 1024
"""What is left to others of a disk that fills: the journal comes first, and so do recordings."""


class NoRoomError(OSError):
    """There is too little room left on the disk for messages."""


class Message(NamedTuple):
    """One message that crossed. at: Unix seconds. sent: by us. local, remote: host and port as text."""

    at: float
    sent: bool
    transport: str
    local: str
    remote: str
    data: bytes


class Frame(NamedTuple):
    """A frame of a segment's bytes: where its head begins, and what the head says."""

    offset: int
    length: int
    kind: int
    path_bytes: int
    at: float

    @property
    def begins(self) -> int:
        """Where the message begins."""
        return self.offset + HEAD.size + self.path_bytes

    @property
    def ends(self) -> int:
        """Where the next frame begins."""
        return self.offset + HEAD.size + self.length


class Segments:
    """The writer of a folder of segments; one at a time. Nothing is made before the first write.

    keep_seconds, most_bytes: what goes when a segment is opened: what is older, and the oldest beyond that.
    """

    def __init__(
        self,
        folder: Path,
        keep_seconds: float,
        most_bytes: int,
        *,
        segment_bytes: int = SEGMENT_BYTES,
        write: Callable[[int, bytes], int] = os.write,
        free_bytes: Callable[[int], int] | None = None,
    ) -> None:
        self.folder = folder
        self.keep_seconds = keep_seconds
        self.most_bytes = most_bytes
        self._segment_bytes = min(segment_bytes, most_bytes)
        self._write = write
        self._free_bytes = free_bytes or _free_bytes
        self._descriptor = -1
        self._written = 0
        self._opened_at = 0.0

    def append(self, frames: bytes, at: float) -> None:
        """Write whole frames by one write. at: the present, in Unix seconds.

        Raises OSError; what a failed write has left is the end of its segment.
        """
        age = at - self._opened_at
        full = self._written + len(frames) > self._segment_bytes or not 0 <= age < SEGMENT_SECONDS
        if self._descriptor < 0 or full:
            self._open(at)
        if self._free_bytes(self._descriptor) < ROOM_BYTES + len(frames):
            raise NoRoomError(0, "too little room is left")
        try:
            if self._write(self._descriptor, frames) != len(frames):
                raise OSError(0, "the disk took only a part")
        except OSError:
            self.close()
            raise
        self._written += len(frames)

    def _open(self, at: float) -> None:
        self.close()
        if not self.folder.is_dir():
            self.folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.folder.mkdir(mode=0o700)
        sweep(self.folder, at - self.keep_seconds, self.most_bytes - self._segment_bytes)
        number = int(at * 1000)
        while self._descriptor < 0:
            path = self.folder / f"{number:013d}.sip"
            with contextlib.suppress(FileExistsError):  # the clock was put back
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
                self._descriptor = os.open(path, flags, 0o600)
            number += 1
        self._written, self._opened_at = len(MAGIC), at
        self._write(self._descriptor, MAGIC)

    def close(self) -> None:
        """Let go of the segment."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _free_bytes(descriptor: int) -> int:
    disk = os.fstatvfs(descriptor)
    return disk.f_bavail * disk.f_frsize


def segments(folder: Path) -> list[Path]:
    """Return the segments of a folder, the oldest first; none without it."""
    return sorted(path for path in folder.glob("*.sip") if path.stem.isdecimal())


def began_at(segment: Path) -> float:
    """When a segment was opened, in Unix seconds."""
    return int(segment.stem) / 1000


def sweep(folder: Path, before: float, most_bytes: int) -> int:
    """Remove the segments whose last message is older than `before` (Unix seconds), then the oldest until
    `most_bytes` are left; return how many went. The newest stays. Raises OSError.
    """
    files = segments(folder)
    sizes = {path: _bytes_of(path) for path in files}
    total, gone = sum(sizes.values()), 0
    for path, following in pairwise(files):
        if began_at(following) >= before and total <= most_bytes:
            break
        path.with_suffix(".index").unlink(missing_ok=True)
        path.unlink(missing_ok=True)
        total -= sizes[path]
        gone += 1
    return gone


def _bytes_of(path: Path) -> int:
    with contextlib.suppress(FileNotFoundError):
        return path.stat().st_size
    return 0


def frames_of(data: bytes | mmap.mmap) -> Iterator[Frame]:
    """The frames of a segment's bytes, up to the first that isn't whole."""
    if data[: len(MAGIC)] != MAGIC:
        return
    offset, size = len(MAGIC), HEAD.size
    unpack, end = HEAD.unpack_from, len(data)
    while offset + size <= end:
        length, kind, path_bytes, at = unpack(data, offset)
        if not path_bytes < length <= MOST_MESSAGE_BYTES or kind > ERASED or offset + size + length > end:
            return
        yield Frame(offset, length, kind, path_bytes, at)
        offset += size + length


def message_of(data: bytes | mmap.mmap, frame: Frame) -> Message:
    """The message of a frame that isn't ERASED."""
    path = data[frame.offset + HEAD.size : frame.begins].decode("ascii", "replace")
    transport, local, remote, *_ = (*path.split(" "), "", "", "")
    return Message(frame.at, frame.kind == SENT, transport, local, remote, data[frame.begins : frame.ends])
