"""The journal: what was acknowledged, on disk before the answer left.

Two chains of append-only segments live in one directory, `calls-N.seg` and `bindings-N.seg`, which also has
what people and operators set by hand, and the texts that wait. The signalling process alone writes them (a
lock on the directory says so). `append` only encodes; `flush`, called by the driver before a batch's answers
leave, is one `write` for each chain that has something to say: from there on the records outlive the process.
What makes them outlive a power cut is `sync_segments`, which another process, the worker, calls about once a
second: fdatasync works on the file, whoever calls it, so that signalling never waits for a disk.

    segment = "beffroi" 0x01, 16 random bytes (its identity), frame*
    frame   = length (32 bits, little-endian), CRC-32 of the payload (32 bits), payload (MessagePack)

A chain grows by whole segments and a closed segment never changes. Its end is one of three things: the end of
the file; a torn tail, left by a power cut (a frame that isn't whole, or a last frame whose pages never
reached the disk), which is cut off; or damage, a frame that fails its CRC with others behind it, which is
reported and ends that segment only.

The worker deletes a segment of calls when the database has it for good, and folds closed segments of bindings
into a snapshot, `bindings-N.snap`, that stands for all segments up to N: of each AOR, person and override,
what was said last, and the texts that still wait. The newest segment of a chain is never deleted, so that
numbers never come again while somebody remembers them. Calls in progress are in a file of another kind
beside: see `ongoing`.

A disk that is full or dying raises nothing into a call: records wait in the reserve (see `reserve`), where
they outlive the process, and in memory, up to a limit beyond which they are counted as lost. Every flush
tries again, and events say when it begins and when it ends. `exhausted` says that nothing more
should be acknowledged.
"""

import contextlib
import fcntl
import logging
import os
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

import msgspec

from pbx.events import Events, JournalFailed, JournalWorks
from pbx.node.reserve import FILE_NAME as RESERVE_NAME
from pbx.node.reserve import MOST_FRAME_BYTES, Reserve, read_reserve
from pbx.ongoing import Ongoing, OngoingCall, read_ongoing
from pbx.records import (
    Binding,
    BindingsRecord,
    CallRecord,
    OverrideRecord,
    Personal,
    PersonSettings,
    Record,
    TextOverRecord,
    TextRecord,
)

log = logging.getLogger(__name__)

MAGIC = b"beffroi\x01"
HEADER_BYTES = len(MAGIC) + 16
FRAME = struct.Struct("<II")
READ_BYTES = 1024 * 1024
SEGMENT_BYTES = 4 * 1024 * 1024
PENDING_BYTES = 32 * 1024 * 1024  # for each chain: together what the reserve holds
MOST_RESTARTS = 10

CALLS = "calls"
BINDINGS = "bindings"

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Record)


class JournalInUseError(Exception):
    """Another process writes this journal: Beffroi already runs on this data_dir."""


class End(Enum):
    """What a reader met after the last whole record of a read."""

    MORE = "there may be more to read"
    WHOLE = "the end of the file"
    TORN = "a torn tail"
    DAMAGED = "damage"


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some records of a segment. `offset` is where the next read goes on; `end` is why this one ended.

    unreadable: whole frames whose content isn't a record that this version knows; they were passed over.
    """

    records: list[Record]
    offset: int
    end: End
    unreadable: int = 0


@dataclass(frozen=True, slots=True, order=True)
class Segment:
    """One file of a chain. `number` orders them; a snapshot stands for every segment up to its number."""

    number: int
    path: Path

    @property
    def snapshot(self) -> bool:
        """True for a snapshot of the bindings, False for a segment."""
        return self.path.suffix == ".snap"


@dataclass(frozen=True, slots=True)
class Recovered:
    """What a start finds: every AOR's bindings (expired ones too), and what was wrong, in words.

    settings: by extension. overrides: by kind and name (past ones too). personal: by key. texts: that wait,
    by number (old ones too). calls: those that were in progress, oldest first.
    """

    bindings: dict[str, list[Binding]] = field(default_factory=dict)
    settings: dict[str, PersonSettings] = field(default_factory=dict)
    overrides: dict[tuple[str, str], OverrideRecord] = field(default_factory=dict)
    personal: dict[tuple[str, ...], Personal] = field(default_factory=dict)
    texts: dict[int, TextRecord] = field(default_factory=dict)
    calls: list[OngoingCall] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


class Journal:
    """The writer of both chains. It belongs to one thread of one process.

    events: told when writing begins to fail, and when all is written again.
    reserve_bytes: the room taken ahead for a full disk, 0 for none; what an earlier process left in it is
    written first.
    Raises JournalInUseError if another process has it, OSError if the directory can't be made or locked.
    """

    def __init__(
        self,
        directory: Path,
        *,
        segment_bytes: int = SEGMENT_BYTES,
        pending_bytes: int = PENDING_BYTES,
        reserve_bytes: int = 0,
        events: Events | None = None,
        write: Callable[[int, bytes | bytearray], int] = os.write,
    ) -> None:
        # One after the other: `parents` gives its mode to the last folder only.
        directory.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        directory.mkdir(mode=0o700, exist_ok=True)
        self.lost_records = 0
        self.trouble = ""
        self._unreserved = False
        self._events = events or Events(lambda: 0.0)  # one that nobody listens to
        self._lock = lock(directory)
        self._calls = _Chain(directory, CALLS, segment_bytes, pending_bytes, write)
        self._bindings = _Chain(directory, BINDINGS, segment_bytes, pending_bytes, write)
        self._ongoing = Ongoing(directory)
        self._ended: list[str] = []  # calls whose record waits for the flush
        self._batch = bytearray()  # the frames since the last flush
        self._reserve = Reserve(directory, reserve_bytes)
        if self._reserve.used_bytes:
            log.warning("journal bytes=%d were waiting in the reserve", self._reserve.used_bytes)
            for payload in read_reserve(directory):
                self._chain_of(payload).pending += FRAME.pack(len(payload), zlib.crc32(payload)) + payload

    def append(self, record: Record | OngoingCall) -> None:
        """Take a record for the next flush. Never raises: what can't be kept is counted in `lost_records`.

        A call in progress is written at once, in place of what was written of it before.
        """
        if type(record) is OngoingCall:
            self._ongoing.keep(record)
            return
        if type(record) is CallRecord and self._ongoing:
            self._ended.append(record.id)
        try:
            payload = _encoder.encode(record)
        except (UnicodeEncodeError, OverflowError):
            payload = _encoder.encode(_storable(msgspec.to_builtins(record)))
        chain = self._calls if type(record) is CallRecord else self._bindings
        if len(payload) > MOST_FRAME_BYTES or len(chain.pending) + len(payload) > chain.pending_bytes:
            self.lost_records += 1
            if self.lost_records.bit_count() == 1:  # 1, 2, 4, 8…: a flood of losses isn't a flood of lines
                log.error("journal record lost total=%d bytes=%d", self.lost_records, len(payload))
            return
        frame = FRAME.pack(len(payload), zlib.crc32(payload)) + payload
        chain.pending += frame
        self._batch += frame

    def _chain_of(self, payload: bytes) -> "_Chain":
        """The chain that a frame of the reserve was for; bindings where this version can't tell."""
        try:
            return self._calls if type(_decoder.decode(payload)) is CallRecord else self._bindings
        except (msgspec.DecodeError, UnicodeDecodeError):
            return self._bindings

    def flush(self) -> None:
        """Write everything appended, one `write` for each chain that has something. Never raises."""
        calls, bindings = self._calls, self._bindings
        if not calls.pending and not bindings.pending and not self._ended:
            return
        for chain in (calls, bindings):
            try:
                if chain.pending:
                    chain.write()
            except OSError as error:
                self._report(f"the journal can't be written: {error.strerror or error}")
        if calls.pending or bindings.pending:
            if self._batch and not self._reserve.keep(self._batch) and not self._unreserved:
                self._unreserved = True
                log.error("the reserve is full: records wait in memory, and no registration is taken")
        else:
            if self._reserve.used_bytes:
                self._reserve.clear()
            self._unreserved = False
            if self.trouble:
                self._report("")
        self._batch.clear()
        if self._ended:  # only now: a `kill -9` between the two finds the call in both, never in neither
            for call in self._ended:
                self._ongoing.end(call)
            self._ended.clear()

    @property
    def exhausted(self) -> bool:
        """True where a record might be taken by memory alone: nothing more should be acknowledged."""
        return bool(self.trouble) and self._reserve.room_bytes < len(self._batch) + MOST_FRAME_BYTES

    @property
    def pending_bytes(self) -> int:
        """Bytes that wait in memory for a flush, or for a disk that takes them."""
        return len(self._calls.pending) + len(self._bindings.pending)

    def sync(self) -> None:
        """Make everything flushed survive a power cut. It waits for the disk: not for the call path."""
        self._calls.sync()
        self._bindings.sync()

    def close(self) -> None:
        """Write and sync what is left, and let go of the directory."""
        self.flush()
        for finish in (self.sync, self._calls.close, self._bindings.close):
            with contextlib.suppress(OSError):
                finish()
        self._reserve.close()
        self._ongoing.close()
        os.close(self._lock)

    def _report(self, trouble: str) -> None:
        if bool(trouble) == bool(self.trouble):
            return
        self.trouble = trouble
        if trouble:
            log.error("%s; records wait in the reserve, and calls go on", trouble)
            self._events.publish(JournalFailed, trouble)
        else:
            log.warning("the journal is written again lost=%d", self.lost_records)
            self._events.publish(JournalWorks, self.lost_records)


class _Chain:
    """The open end of one chain: its newest segment and what waits to be written to it."""

    def __init__(
        self,
        directory: Path,
        name: str,
        segment_bytes: int,
        pending_bytes: int,
        write: Callable[[int, bytes | bytearray], int],
    ) -> None:
        self.pending = bytearray()
        self.pending_bytes = pending_bytes
        self._directory = directory
        self._name = name
        self._segment_bytes = segment_bytes
        self._write = write
        self._number = max((segment.number for segment in segments(directory, name)), default=0)
        self._descriptor = -1
        self._written_bytes = 0

    def write(self) -> None:
        """Write what is pending, as much as the disk takes. Raises OSError; the rest stays pending."""
        if self._descriptor < 0:
            self._open()
        written = self._write(self._descriptor, self.pending)
        # A disk that fills up can take half a frame: the next write goes on from there.
        del self.pending[:written]
        self._written_bytes += written
        if self.pending:
            raise OSError(0, "the disk took only a part of it")
        if self._written_bytes >= self._segment_bytes:
            self.close()

    def _open(self) -> None:
        """Begin the next segment; an older one is never continued, since its tail may be torn."""
        # Counted first: a name that is taken is tried once, not for ever.
        self._number += 1
        path = self._directory / f"{self._name}-{self._number:012d}.seg"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        self._descriptor = os.open(path, flags, 0o600)
        self._written_bytes = 0
        self.pending[:0] = MAGIC + os.urandom(16)

    def sync(self) -> None:
        if self._descriptor >= 0:
            os.fdatasync(self._descriptor)

    def close(self) -> None:
        # Forgotten first: a close that fails has closed, and the number may soon be another file's.
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


def lock(directory: Path) -> int:
    """Return a descriptor that holds the writer's lock of a journal until it is closed.

    Raises JournalInUseError when somebody else has it, OSError when the directory can't be written.
    """
    descriptor = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise JournalInUseError(f"{directory}: another Beffroi writes this journal") from None
    return descriptor


def segments(directory: Path, chain: str) -> list[Segment]:
    """Return the files of a chain in order, a snapshot after the segment of its number."""
    found = []
    for name in os.listdir(directory) if directory.is_dir() else []:
        stem, _, kind = name.partition(".")
        number = stem.removeprefix(f"{chain}-")
        if kind in ("seg", "snap") and number != stem and len(number) == 12 and number.isdecimal():
            found.append(Segment(int(number), directory / name))
    return sorted(found, key=lambda segment: (segment.number, segment.snapshot))


def identity(descriptor: int) -> bytes:
    """Return the 16 bytes that name an open segment for ever; empty when its header isn't whole."""
    header = os.pread(descriptor, HEADER_BYTES, 0)
    return header[len(MAGIC) :] if len(header) == HEADER_BYTES and header.startswith(MAGIC) else b""


def read_chunk(descriptor: int, offset: int, most_records: int = 1_000_000) -> Chunk:
    """Return the whole records of an open segment from `offset` on (0 is its start), READ_BYTES of it.

    End.TORN of a segment that is still written only means that its writer is busy: read again later.
    """
    if offset < HEADER_BYTES:
        header = os.pread(descriptor, HEADER_BYTES, 0)
        if not header.startswith(MAGIC[: len(header)]):
            return Chunk([], 0, End.DAMAGED if header.strip(b"\0") else End.TORN)
        if len(header) < HEADER_BYTES:
            return Chunk([], 0, End.TORN if header else End.WHOLE)
        offset = HEADER_BYTES
    # A buffer of the right size: one of READ_BYTES for a few records costs more than reading them.
    available_bytes = max(0, os.fstat(descriptor).st_size - offset)
    data = os.pread(descriptor, min(READ_BYTES, available_bytes), offset)
    records: list[Record] = []
    unreadable, position, size = 0, 0, len(data)
    full = size == READ_BYTES
    while position + FRAME.size <= size and len(records) < most_records:
        length, checksum = FRAME.unpack_from(data, position)
        end = position + FRAME.size + length
        payload = data[end - length : end]
        if not 0 < length <= MOST_FRAME_BYTES or (end <= size and zlib.crc32(payload) != checksum):
            bad = _bad_frame(descriptor, offset + position, length)
            return Chunk(records, offset + position, bad, unreadable)
        if end > size:
            break
        try:
            records.append(_decoder.decode(payload))
        except (msgspec.DecodeError, UnicodeDecodeError):
            unreadable += 1
        position = end
    if full or len(records) == most_records:
        reached = End.MORE if full or position < size else End.WHOLE
    else:
        reached = End.WHOLE if position == size else End.TORN
    return Chunk(records, offset + position, reached, unreadable)


def _bad_frame(descriptor: int, offset: int, length: int) -> End:
    """Tell a torn tail from damage: nothing follows a tail but zeros that a power cut left."""
    tail = os.pread(descriptor, MOST_FRAME_BYTES + FRAME.size + 1, offset)
    reaches_end = len(tail) <= FRAME.size + length and length <= MOST_FRAME_BYTES
    return End.TORN if reaches_end or not tail.strip(b"\0") else End.DAMAGED


def read_segment(path: Path) -> Iterator[Chunk]:
    """Yield a segment's chunks; the last one's `end` is never MORE. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        offset = 0
        while True:
            chunk = read_chunk(descriptor, offset)
            yield chunk
            if chunk.end is not End.MORE:
                return
            offset = chunk.offset
    finally:
        os.close(descriptor)


def recover(directory: Path) -> Recovered:
    """Replay the bindings and cut off the torn tail of each chain; call it before the Journal is opened.

    Raises OSError if the disk can't be read.
    """
    for _ in range(MOST_RESTARTS):
        # The worker may fold segments while they are read here: what they say is then in a newer snapshot.
        with contextlib.suppress(FileNotFoundError):
            recovered = _read_all(directory)
            for chain in (BINDINGS, CALLS):
                for segment in segments(directory, chain)[-1:]:
                    _cut_torn_tail(segment, recovered)
            recovered.calls.extend(read_ongoing(directory))
            return recovered
    raise OSError(0, f"{directory}: the segments change faster than they can be read")


def read_state(directory: Path) -> Recovered:
    """Return what a start would find but the calls, and change nothing: for a command beside the node.

    Raises OSError if the disk can't be read.
    """
    for _ in range(MOST_RESTARTS):
        with contextlib.suppress(FileNotFoundError):
            return _read_all(directory)
    raise OSError(0, f"{directory}: the segments change faster than they can be read")


def _read_all(directory: Path) -> Recovered:
    """Raises FileNotFoundError when the worker folds a segment meanwhile."""
    recovered = Recovered()
    for segment in live(segments(directory, BINDINGS)):
        _replay(segment, recovered)
    for payload in read_reserve(directory):
        with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError):
            _apply(_decoder.decode(payload), recovered)
    return recovered


def live(files: list[Segment]) -> list[Segment]:
    """Return the newest snapshot, if any, and the segments that came after it."""
    snapshots = [file for file in files if file.snapshot]
    return snapshots[-1:] + [
        file for file in files if not file.snapshot and (not snapshots or file.number > snapshots[-1].number)
    ]


def _replay(segment: Segment, into: Recovered) -> None:
    for chunk in read_segment(segment.path):
        for record in chunk.records:
            _apply(record, into)
        if chunk.end is End.DAMAGED:
            into.problems.append(
                f"{segment.path.name}: damaged at byte {chunk.offset}, the rest of it is lost"
            )


def _apply(record: Record, into: Recovered) -> None:
    """The last record of an AOR, a person or a service holds."""
    if type(record) is BindingsRecord:
        if record.bindings:
            into.bindings[record.aor] = record.bindings
        else:
            into.bindings.pop(record.aor, None)
    elif type(record) is PersonSettings:
        if record:
            into.settings[record.extension] = record
        else:
            into.settings.pop(record.extension, None)
    elif type(record) is OverrideRecord:
        into.overrides[record.kind, record.name] = record
    elif isinstance(record, Personal):
        into.personal[record.key] = record
    elif type(record) is TextRecord:
        into.texts[record.number] = record
    elif type(record) is TextOverRecord:
        into.texts.pop(record.number, None)


def _cut_torn_tail(segment: Segment, into: Recovered) -> None:
    offset, end = 0, End.WHOLE
    for chunk in read_segment(segment.path):
        offset, end = chunk.offset, chunk.end
    if end is End.TORN:
        torn_bytes = segment.path.stat().st_size - offset
        os.truncate(segment.path, offset)
        into.problems.append(f"{segment.path.name}: a torn tail of {torn_bytes} bytes was cut off")


def fold_bindings(directory: Path, now: float) -> int:
    """Fold the closed segments of bindings into a snapshot and return how many there were (for the worker).

    now: Unix seconds; bindings that expired before are left out, and so are overrides that ended. Raises
    OSError, with nothing lost.
    """
    files = segments(directory, BINDINGS)
    closed = [file for file in live(files)[:-1] if not file.snapshot]
    if not closed:
        return 0
    recovered = Recovered()
    for file in live(files)[:-1]:
        _replay(file, recovered)
    for problem in recovered.problems:
        log.error("journal %s", problem)
    snapshot = directory / f"{BINDINGS}-{closed[-1].number:012d}.snap"
    _write_snapshot(snapshot, _lasting(recovered, now))
    # Only now, with the snapshot's name on the disk, may what it stands for go.
    for file in files:
        if file.number <= closed[-1].number and file.path != snapshot:
            file.path.unlink(missing_ok=True)
    return len(closed)


def _lasting(recovered: Recovered, now: float) -> Iterator[Record]:
    """What still holds at an instant."""
    for aor, held in recovered.bindings.items():
        if kept := [binding for binding in held if binding.expires_at > now]:
            yield BindingsRecord(aor, kept)
    yield from recovered.settings.values()
    yield from (override for override in recovered.overrides.values() if override.until > now)
    yield from (one for one in recovered.personal.values() if one.lasts(now))
    yield from recovered.texts.values()  # signalling tells the sender of one that is too old


def _write_snapshot(path: Path, records: Iterator[Record]) -> None:
    unfinished = path.with_suffix(".new")
    with open(unfinished, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(MAGIC + os.urandom(16))
        for record in records:
            payload = _encoder.encode(record)
            file.write(FRAME.pack(len(payload), zlib.crc32(payload)) + payload)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
    sync_directory(path.parent)


def sync_segments(directory: Path, synced: dict[Path, int]) -> dict[Path, int]:
    """Make what the chains hold survive a power cut, from any process; return the sizes that are synced.

    synced: what the last call returned; a segment that hasn't grown costs one stat. Raises OSError.
    """
    sizes: dict[Path, int] = {}
    for chain in (CALLS, BINDINGS):
        for segment in segments(directory, chain)[
            -2:
        ]:  # the one just closed may have grown since the last call
            with contextlib.suppress(FileNotFoundError):
                size = segment.path.stat().st_size
                if synced.get(segment.path, 0) != size:
                    _sync_file(segment.path)
                    if segment.path not in synced:
                        sync_directory(directory)
                sizes[segment.path] = size
    reserve = directory / RESERVE_NAME
    with contextlib.suppress(FileNotFoundError):
        written = reserve.stat().st_mtime_ns  # its size never changes
        if synced.get(reserve, 0) != written:
            _sync_file(reserve)
        sizes[reserve] = written
    return sizes


def _sync_file(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fdatasync(descriptor)
    finally:
        os.close(descriptor)


def sync_directory(directory: Path) -> None:
    """Make the names in a directory survive a power cut. Raises OSError."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _storable(value: Any) -> Any:
    """Return a copy without what MessagePack can't hold: a lone surrogate, an integer over 64 bits."""
    match value:
        case str():
            return value.encode("utf-8", "replace").decode()
        case list() | tuple():
            return [_storable(item) for item in value]
        case int() if not -(2**63) <= value < 2**63:
            return 2**63 - 1
    return value
