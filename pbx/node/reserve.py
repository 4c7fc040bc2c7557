"""The reserve: room taken on the disk while there was some, for what is acknowledged when it is full.

    file = "beffroi" 0x02, frame*, 8 zero bytes, then anything (what an earlier trouble left, or nothing yet)
    frame = as in the journal: length and CRC-32 of the payload (32 bits each, little-endian), payload

Its blocks are allocated when it is made, so that writing into it needs no room. (A file system that copies on
write, such as btrfs or ZFS, gives no such promise.) It holds frames as long as the journal's own files don't
take them; what is in it when a process dies is read at the next start.
"""

import logging
import os
import struct
import zlib
from pathlib import Path

log = logging.getLogger(__name__)

FILE_NAME = "reserve"
RESERVE_BYTES = 64 * 1024 * 1024
MAGIC = b"beffroi\x02"
FRAME = struct.Struct("<II")
END = bytes(FRAME.size)
MOST_FRAME_BYTES = 256 * 1024


class Reserve:
    """The reserve of one journal, written by its writer alone. problem: why there is none, in words.

    size_bytes: 0 for no reserve at all. Nothing here raises.
    """

    def __init__(self, directory: Path, size_bytes: int = RESERVE_BYTES) -> None:
        self.problem = ""
        self.used_bytes = 0
        self._size_bytes = 0
        self._descriptor = -1
        if not size_bytes:
            return
        path = directory / FILE_NAME
        self.used_bytes = sum(FRAME.size + len(payload) for payload in read_reserve(directory))
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            os.posix_fallocate(self._descriptor, 0, size_bytes)
            if not self.used_bytes:
                os.pwrite(self._descriptor, MAGIC + END, 0)
            self._size_bytes = size_bytes
        except OSError as error:
            self.problem = f"{path}: {error.strerror or error}"
            log.error("no room is reserved for a full disk: %s", self.problem)

    @property
    def room_bytes(self) -> int:
        """How many bytes of frames it takes for sure."""
        return max(0, self._size_bytes - len(MAGIC) - self.used_bytes - FRAME.size)

    def keep(self, frames: bytes | bytearray) -> bool:
        """Take whole frames; False, and nothing taken, where there is no room or the disk fails."""
        if len(frames) > self.room_bytes:
            return False
        data, offset = memoryview(bytes(frames) + END), len(MAGIC) + self.used_bytes
        try:
            while data:
                written = os.pwrite(self._descriptor, data, offset)
                data, offset = data[written:], offset + written
        except OSError as error:
            log.error("the reserve can't be written: %s", error.strerror)
            return False
        self.used_bytes += len(frames)
        return True

    def clear(self) -> None:
        """Forget everything: the journal's own files have it."""
        try:
            os.pwrite(self._descriptor, END, len(MAGIC))
            self.used_bytes = 0
        except OSError as error:
            log.error("the reserve can't be written: %s", error.strerror)

    def close(self) -> None:
        """Let go of the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def read_reserve(directory: Path) -> list[bytes]:
    """Return the payloads that a journal's reserve holds, up to the first that isn't whole; none without one.

    Raises nothing: a reserve that can't be read is logged, and holds nothing.
    """
    payloads: list[bytes] = []
    try:
        with (directory / FILE_NAME).open("rb") as file:
            if file.read(len(MAGIC)) != MAGIC:
                return []
            while len(head := file.read(FRAME.size)) == FRAME.size:
                length, checksum = FRAME.unpack(head)
                payload = file.read(length) if 0 < length <= MOST_FRAME_BYTES else b""
                if len(payload) < length or not length or zlib.crc32(payload) != checksum:
                    break
                payloads.append(payload)
    except FileNotFoundError:
        return []
    except OSError as error:
        log.error("%s can't be read: %s", directory / FILE_NAME, error.strerror)
    return payloads
