"""What writes recordings: a thread that seals segments and appends them, and says how it fares.

```
begin, write, end ──> queue ──> thread: key, seal, chain, append ──> Opened | Written | Failed | Closed
```
A disk that is slow, full or read-only holds up the thread and nobody else: segments wait in memory, in order,
up to MOST_WAITING_BYTES for all recordings; beyond, the newest is let go and told (`Failed.lost`), and the
next segment of that recording must state what is missing. What failed is tried again every RETRY_SECONDS.

Every SYNC_SECONDS what was written is made to outlive a power cut, all files at once.
"""

from __future__ import annotations

import ctypes
import logging
import os
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from errno import EEXIST
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Event, Lock, Thread
from typing import Final, NamedTuple, TypeAlias

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

from recording.keys import KeyStore, fingerprint, make_key, wrap
from recording.live.capture import Plain
from recording.proof.sealed_file import Header, SealedFile
from recording.proof.verifier import SUFFIX

log = logging.getLogger(__name__)

MOST_WAITING_BYTES: Final = 256 * 1024 * 1024  # 25 s of 500 calls in G.711
SPARE: Final = 8  # so much less besides is for what is stated of packets that were let go
RETRY_SECONDS: Final = 0.5
SYNC_SECONDS: Final = 1.0


class Opened(NamedTuple):
    """A recording's key is in the store, and its file there."""

    recording: str


class Written(NamedTuple):
    """A segment is in the file. bytes: how long the file is now."""

    recording: str
    packets: int
    bytes: int


class Failed(NamedTuple):
    """A recording can't be written now. lost: packets of segments that were let go, 0 while they wait."""

    recording: str
    why: str
    lost: int


class Closed(NamedTuple):
    """A recording has ended. head: the hash that its file ends with; bytes: how long it is."""

    recording: str
    path: Path
    head: str
    segments: int
    bytes: int


Report: TypeAlias = Opened | Written | Failed | Closed


class _Begin(NamedTuple):
    recording: str
    begun: int


class _Write(NamedTuple):
    recording: str
    plain: Plain


class _End(NamedTuple):
    recording: str


_Job: TypeAlias = _Begin | _Write | _End


class Writer:
    """See the module. Its methods return at once and raise nothing; the thread ends with `stop`."""

    def __init__(
        self,
        directory: Path,
        keys: KeyStore,
        public: X25519PublicKey,
        clock: Callable[[], float],
        told: Callable[[], None],
    ) -> None:
        """clock: seconds that only grow. told: called in the thread when there are reports."""
        self._directory = directory
        self._keys = keys
        self._public = public
        self._wrapped_for = fingerprint(public)
        self._clock = clock
        self._told = told
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()  # None wakes
        self._reports: deque[Report] = deque()
        self._lock = Lock()  # of _waiting_bytes
        self._waiting_bytes = 0
        self._stopping = Event()
        self._files: dict[str, SealedFile] = {}
        self._sync_at: float | None = None  # when what was written is to outlive a power cut
        self._thread = Thread(target=self._run, name="recordings", daemon=True)
        self._thread.start()

    @property
    def waiting_bytes(self) -> int:
        """What was given and isn't written."""
        return self._waiting_bytes

    def begin(self, recording: str, begun: int) -> None:
        """Make a recording's key and file. begun: Unix microseconds."""
        self._jobs.put(_Begin(recording, begun))

    def write(self, recording: str, plain: Plain, *, spare: bool = False) -> bool:
        """Append a segment; False when too much waits: it is let go. spare: it may take what is spared."""
        most = MOST_WAITING_BYTES + (MOST_WAITING_BYTES // SPARE if spare else 0)
        with self._lock:
            if self._waiting_bytes + len(plain.plain) > most:
                self._reports.append(Failed(recording, "too much waits to be written", plain.packets))
                return False
            self._waiting_bytes += len(plain.plain)
        self._jobs.put(_Write(recording, plain))
        return True

    def end(self, recording: str) -> None:
        """Close a recording's file behind what was given."""
        self._jobs.put(_End(recording))

    def reports(self) -> list[Report]:
        """Return what was reported since the last time."""
        taken: list[Report] = []
        while self._reports:
            taken.append(self._reports.popleft())
        return taken

    def stop(self, seconds: float) -> bool:
        """Write what waits, for so long at most; returns whether all of it is written."""
        self._stopping.set()
        self._jobs.put(None)
        self._thread.join(seconds)
        return not self._thread.is_alive() and not self._waiting_bytes

    # The thread

    def _run(self) -> None:
        while True:
            try:
                job = self._jobs.get(timeout=SYNC_SECONDS)
            except Empty:
                job = None
            if job is not None and not self._do_until_done(job):
                return
            if self._sync_at is not None and self._clock() >= self._sync_at:
                self._sync_at = None
                with suppress(OSError):  # what can't be synchronised can't be written either: that is told
                    _sync_file_system(self._directory)
            if self._stopping.is_set() and self._jobs.empty():
                return

    def _do_until_done(self, job: _Job) -> bool:
        """Do a job, again and again where the disk doesn't let us: those behind it must wait anyway.

        Returns whether it was done: not when we are to stop before.
        """
        while True:
            try:
                self._do(job)
            except OSError as error:
                self._report(Failed(job.recording, error.strerror or str(error), 0))
                if self._stopping.wait(RETRY_SECONDS):
                    return False
            except Exception:  # a fault of ours: the others are written all the same
                log.exception("recording=%s could not be written", job.recording)
                self._report(Failed(job.recording, "a fault within, which the log tells", 0))
                if isinstance(job, _Write):
                    self._taken(job.plain)
                return True
            else:
                return True

    def _do(self, job: _Job) -> None:
        match job:
            case _Begin(recording, begun):
                self._files[recording] = self._open(recording, begun)
                self._report(Opened(recording))
            case _Write(recording, plain):
                file = self._files[recording]
                file.write(plain.plain, plain.begun)
                if self._sync_at is None:
                    self._sync_at = self._clock() + SYNC_SECONDS
                self._taken(plain)
                self._report(Written(recording, plain.packets, file.bytes_written))
            case _End(recording):
                file = self._files[recording]
                file.sync()
                file.close()
                del self._files[recording]
                self._report(Closed(recording, file.path, file.head.hex(), file.segments, file.bytes_written))

    def _open(self, recording: str, begun: int) -> SealedFile:
        """Return a recording's new file; its key is in the store before anything is sealed with it."""
        key = make_key()
        month = self._directory / recording[:6]
        path = month / f"{recording}{SUFFIX}"
        month.mkdir(mode=0o700, parents=True, exist_ok=True)
        if path.exists():
            raise FileExistsError(EEXIST, "there is such a recording")
        self._keys.destroy(recording)  # of a try before this one, whose file there never was
        try:
            self._keys.put(recording, wrap(key, recording, self._public))
            return SealedFile(path, Header(recording, begun, self._wrapped_for), key)
        except OSError:
            with suppress(OSError):
                self._keys.destroy(recording)
            raise

    def _taken(self, plain: Plain) -> None:
        """A segment doesn't wait any more."""
        with self._lock:
            self._waiting_bytes -= len(plain.plain)

    def _report(self, report: Report) -> None:
        self._reports.append(report)
        self._told()


def _sync_file_system(directory: Path) -> None:
    """Have all that was written to the file system of a directory outlive a power cut (syncfs(2))."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _libc.syncfs(descriptor)
    finally:
        os.close(descriptor)


_libc = ctypes.CDLL(None, use_errno=True)
