"""The calls in progress, as another process needs them to go on: `journal/ongoing`.

A call is written down when its caller is answered, again when something changes, and taken out by the record
of its end. Calls are short and their last word is the only one that counts: so this is no chain of records
but a file of blocks that are used again and again, one for each call. It stays as large as the calls of the
busiest moment, and nothing ever has to be folded.

    file  = "beffroi" 0x03, zeros up to GRAIN_BYTES, block*
    block = its own size, bytes of the payload (0: free), CRC-32 of the payload (32 bits each, little-endian),
            turn (64 bits), payload (MessagePack), anything up to its size, which never changes

A call that changes gets another block before its old one is freed; where a `kill -9` leaves both, the greater
turn holds. A block that isn't whole fails its CRC and is free. Nothing here waits for the disk: it outlives
the process, and a power cut ends calls anyway.
"""

from __future__ import annotations

import logging
import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

import msgspec
from msgspec import Struct

from media.snapshot import CallMediaSnapshot
from pbx.records import Interval
from recording.live.wire import Facts
from sip.core.snapshot import SessionSnapshot

log = logging.getLogger(__name__)

FILE_NAME = "ongoing"
MAGIC = b"beffroi\x03"
GRAIN_BYTES = 1024
MOST_BYTES = 256 * 1024 * 1024
BLOCK = struct.Struct("<IIIQ")
LENGTH_OFFSET = 4
FREE = bytes(4)

Address: TypeAlias = tuple[str, int]
Because: TypeAlias = Literal["line", "user", "trunk"]
"""Why a party's calls are recorded."""


class OngoingLeg(Struct, array_like=True, frozen=True, gc=False):
    """One party. session: its dialog, None once it has ended or moved into another call.

    transport, remote: where its device is; times in Unix seconds. codec, call_id: of a leg that has ended.
    """

    name: str
    device: str
    transport: str
    remote: Address
    behind_nat: bool
    started: float
    answered: float | None
    ended: float | None
    cause: str
    codec: str
    session: SessionSnapshot | None
    reached: str = ""
    via: str = ""
    call_id: str = ""


class Outside(Struct, array_like=True, frozen=True, gc=False):
    """The decision of a call over trunks (`dialplan.decision.ToTrunks`)."""

    number: str
    trunks: tuple[str, ...]
    emergency: bool


class OngoingRecording(Struct, array_like=True, frozen=True, gc=False):
    """A recording of a call (pbx.recordings.following).

    carriers: why each leg carries its policy, by its name. voices: a party and its tracks, by leg. tracks:
    how many there were. stopped: by whom.
    """

    slot: int
    recording: str
    began_us: int
    facts: Facts
    carriers: dict[str, Because]
    voices: dict[str, tuple[str, int, int]]
    tracks: int
    stopped: str


class OngoingCall(Struct, array_like=True, frozen=True, gc=False):
    """One call, the caller's leg first. A field may only be added at the end and with a default.

    outside: None for a call inside. media: None where the parties send to each other directly.
    callback: it is the call back after an emergency call, which nothing ends. line: the service that it came
    to first. intervals, parents, plan_lines: as in its record. held, muted: the legs that hold
    by us, or that nobody hears. recordings: what is recorded of it. hidden: as in its record.
    """

    id: str
    started: float
    direction: str
    from_number: str
    from_name: str
    dialled: str
    to: str
    cause: str
    payer: str
    plan_version: str
    max_forwards: int
    caller_id: str | None
    outside: Outside | None
    media: CallMediaSnapshot | None
    legs: list[OngoingLeg]
    callback: bool = False
    line: str = ""
    intervals: tuple[Interval, ...] = ()
    parents: tuple[str, ...] = ()
    plan_lines: tuple[int, ...] = ()
    held: tuple[str, ...] = ()
    muted: tuple[str, ...] = ()
    recordings: tuple[OngoingRecording, ...] = ()
    hidden: bool = False


class _Block(NamedTuple):
    """A block of the file; payload is empty for a free one."""

    offset: int
    size: int
    turn: int
    payload: bytes


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(OngoingCall)


class Ongoing:
    """The file of one journal, written by its writer alone. What an earlier process left in it stays.

    Nothing here raises. most_bytes: what the file may grow to.
    """

    def __init__(self, directory: Path, most_bytes: int = MOST_BYTES) -> None:
        self._path = directory / FILE_NAME
        self._most_bytes = most_bytes
        self._descriptor = -1
        self._end = 0
        self._turn = 0
        self._blocks: dict[str, tuple[int, int]] = {}  # offset and size, by call
        self._free: dict[int, list[int]] = {}  # offsets, by size
        self._unkept = 0
        if self._path.exists():
            self._open()

    def keep(self, call: OngoingCall) -> bool:
        """Write a call down as it is now; False where there is no room: then its last word stays."""
        try:
            payload = _encoder.encode(call)
        except (UnicodeEncodeError, OverflowError):
            payload = _encoder.encode(_storable(msgspec.to_builtins(call, builtin_types=(bytes,))))
        if self._descriptor < 0:
            self._open()
        need = BLOCK.size + len(payload)
        size = -(-need // GRAIN_BYTES) * GRAIN_BYTES
        free = self._free.get(size)
        offset = free.pop() if free else self._end
        if offset + size > self._most_bytes or self._descriptor < 0:
            return self._not_kept("it is full")
        self._turn += 1
        block = BLOCK.pack(size, len(payload), zlib.crc32(payload), self._turn) + payload
        try:
            if offset == self._end:
                block += bytes(size - need)
            if os.pwrite(self._descriptor, block, offset) != len(block):
                raise OSError(0, "the disk took only a part of it")
        except OSError as error:
            if offset != self._end:
                self._free[size].append(offset)
            return self._not_kept(error.strerror or str(error))
        if offset == self._end:
            self._end += size
        former = self._blocks.get(call.id)
        self._blocks[call.id] = (offset, size)
        if former is not None:
            self._release(*former)
        return True

    def end(self, call_id: str) -> None:
        """Forget a call; one that was never kept is no error."""
        block = self._blocks.pop(call_id, None)
        if block is not None:
            self._release(*block)

    def __len__(self) -> int:
        return len(self._blocks)

    def close(self) -> None:
        """Let go of the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _release(self, offset: int, size: int) -> None:
        try:
            os.pwrite(self._descriptor, FREE, offset + LENGTH_OFFSET)
        except OSError as error:
            log.error("%s: %s", self._path, error.strerror)
        self._free.setdefault(size, []).append(offset)

    def _not_kept(self, why: str) -> bool:
        self._unkept += 1
        if self._unkept.bit_count() == 1:  # 1, 2, 4, 8…: not a line for each call
            log.error("%s: %s; calls that a restart would end: %d", self._path, why, self._unkept)
        return False

    def _open(self) -> None:
        """Open the file, with the calls that are in it; one that nobody can read begins anew."""
        try:
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            data = self._path.read_bytes()
        except OSError as error:
            log.error("%s: %s", self._path, error.strerror)
            return
        self._end = GRAIN_BYTES
        newest: dict[str, _Block] = {}
        for block in _blocks(data):
            self._end = block.offset + block.size
            self._turn = max(self._turn, block.turn)
            call = _read(block.payload)
            older = newest.get(call.id) if call is not None else None
            if call is not None and (older is None or older.turn < block.turn):
                newest[call.id] = block
            else:
                older = block
            if older is not None:
                self._release(older.offset, older.size)
        if not newest:
            self._begin()
        self._blocks = {call: (block.offset, block.size) for call, block in newest.items()}

    def _begin(self) -> None:
        """No call is in it: it shrinks to nothing."""
        self._free.clear()
        self._end = GRAIN_BYTES
        try:
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, MAGIC.ljust(GRAIN_BYTES, b"\0"), 0)
        except OSError as error:
            log.error("%s: %s", self._path, error.strerror)


def read_ongoing(directory: Path) -> list[OngoingCall]:
    """The calls that were in progress when the process that wrote them ended, in the order of their ids.

    What this version can't read is left out, with a line in the log. Raises OSError if the disk can't be
    read.
    """
    path = directory / FILE_NAME
    newest: dict[str, tuple[int, OngoingCall]] = {}
    for block in _blocks(path.read_bytes() if path.exists() else b""):
        call = _read(block.payload)
        if call is not None and (call.id not in newest or newest[call.id][0] < block.turn):
            newest[call.id] = block.turn, call
    return [call for _, (_, call) in sorted(newest.items())]


def _blocks(data: bytes) -> Iterator[_Block]:
    """The blocks of a file; one that isn't whole is free."""
    if not data.startswith(MAGIC):
        return
    offset = GRAIN_BYTES
    while offset + BLOCK.size <= len(data):
        size, length, checksum, turn = BLOCK.unpack_from(data, offset)
        if size == 0 or size % GRAIN_BYTES:
            return
        payload = data[offset + BLOCK.size : offset + BLOCK.size + length] if length < size else b""
        if len(payload) != length or zlib.crc32(payload) != checksum:
            payload = b""
        yield _Block(offset, size, turn if payload else 0, payload)
        offset += size


def _read(payload: bytes) -> OngoingCall | None:
    """The call of a block; None for a free one, or what another version wrote."""
    try:
        return _decoder.decode(payload) if payload else None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        log.error("a call in progress can't be read: %s", error)
        return None


def _storable(value: object) -> object:
    """A copy without what MessagePack can't hold: a lone surrogate, an integer over 64 bits."""
    match value:
        case str():
            return value.encode("utf-8", "replace").decode()
        case list() | tuple():
            return [_storable(item) for item in value]
        case dict():
            return {key: _storable(item) for key, item in value.items()}
        case int() if not -(2**63) <= value < 2**63:
            return 2**63 - 1
    return value
