"""The recorder's process: reads the tape, serves signalling and whoever asks for recordings.

```
tape ──────────(ten times a second)──> Recorder ──> Writer ──> files
recorder.sock ───── orders, reports ─────┘  └─────> Clerk ───> journal, catalogue
recordings.sock ─── requests ──(threads)──> Archive              ^
                                            chores ──────────────┘
```
The loop waits for no disk: what may wait is done in threads. When it starts it records at once; what a
recorder before it has left is repaired beside that, and then the chores begin.

There is one signalling: a new one takes the place of the one before it. Recordings go on without any.
"""

from __future__ import annotations

import asyncio
import logging
import os
import pwd
import signal
import socket
import struct
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Final, Protocol, cast

import msgspec

from media import frames
from media.engines.tape import Tape, Taped
from recording.archive import requests
from recording.archive.archive import Archive
from recording.archive.catalogue import CatalogueUnusable
from recording.archive.clock import standing
from recording.live import wire
from recording.live.chores import Chore, Chores
from recording.live.clerk import Clerk
from recording.live.recorder import Entered, Recorder
from recording.live.repair import NODE, repair
from recording.live.writer import Writer
from recording.proof.entries import About
from recording.proof.journal import Journal, JournalDamage

log = logging.getLogger(__name__)

FLUSH_SECONDS: Final = 0.3  # at most, for who wants the last call
FLUSH_LOOKS: Final = 30
TURN_SECONDS: Final = 0.1
HEARD_TURNS: Final = 5  # between two reports of what was heard
STEP_SECONDS: Final = 0.5  # of the clock: less is as if it ran a little faster
STOP_SECONDS: Final = 8.0
QUESTION_SECONDS: Final = 10.0
ANSWERS_AT_ONCE: Final = 4
READINGS: Final = 16  # of the tape in one turn
MOST_UNSENT_BYTES: Final = 8 * 1024 * 1024
_CREDENTIALS: Final = struct.Struct("3i")


class Clocks(Protocol):
    """Microseconds: wall since 1970, and steady ones that nobody sets."""

    def wall_us(self) -> int:
        """Return what the wall's clock says."""
        ...

    def steady_us(self) -> int:
        """Return what the packets on the tape are stamped with."""
        ...


class Process:
    """See the module. Everything here happens in the loop, but for what says otherwise."""

    def __init__(
        self,
        tape: Tape,
        files: Path,
        writer: Writer,
        journal: Journal,
        archive: Archive,
        chores: Iterable[Chore],
        clocks: Clocks,
        troubles: Iterable[wire.Trouble] = (),
    ) -> None:
        """files: the folder that recordings are under. troubles: that there were before it began."""
        self._tape = tape
        self._files = files
        self._journal = journal
        self._archive = archive
        self._clocks = clocks
        self._writer = writer
        self._clerk = Clerk(self._journal_fares)
        self._recorder = Recorder(writer, self._enter)
        self._chores = Chores(chores, self._unix_seconds, self._told)
        self._offset_us = clocks.wall_us() - clocks.steady_us()
        self._begun: set[str] = set()  # by this process, until what was left is repaired
        self._repaired = False
        self._troubles = {one.what: one.why for one in troubles}
        self._signalling: _Signalling | None = None
        self._policies: tuple[wire.Policy, ...] | None = None
        self._turns = 0
        self._stopping = False
        self._threads = ThreadPoolExecutor(ANSWERS_AT_ONCE, "answers")
        self._threads_told: SimpleQueue[wire.Trouble | wire.TroubleOver] = SimpleQueue()

    async def run(self, listening: socket.socket, asked: socket.socket) -> None:
        """Record until SIGTERM, and end all recordings in order then. asked: where requests come."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self.stop)
        orders = await loop.create_unix_server(lambda: _Signalling(self), sock=listening)
        answers = await asyncio.start_unix_server(self._asked, sock=asked, limit=requests.MOST_LINE_BYTES)
        threading.Thread(target=self._prepare, name="repair", daemon=True).start()
        log.info("ready")
        while not self._stopping:
            self.turn()
            await asyncio.sleep(TURN_SECONDS)
        log.info("stopping recordings=%d", len(self._recorder))
        self._recorder.end_all("stopped")
        until = loop.time() + STOP_SECONDS
        while len(self._recorder) and loop.time() < until:
            self.turn()
            await asyncio.sleep(TURN_SECONDS / 10)
        orders.close()
        answers.close()
        if self._signalling is not None:
            self._signalling.end()
        if not self.close(1.0):
            log.error("not all was written: the next start repairs it")

    def close(self, seconds: float) -> bool:
        """End the threads, and wait so long for what each has to write; returns whether all is written."""
        self._chores.stop(0.0)
        self._threads.shutdown(wait=False, cancel_futures=True)
        written = self._writer.stop(seconds)
        return self._clerk.stop(seconds) and written

    def stop(self) -> None:
        """Let `run` end."""
        self._stopping = True

    # The tape

    def turn(self) -> None:
        """Take what is on the tape, and tell what is to be told."""
        self._follow_clock()
        taped: list[Taped] = []
        for _ in range(READINGS):
            some = self._tape.read(self._offset_us)
            taped += some
            if not some:
                break
        told: list[wire.Report] = [*self._recorder.turn(taped, self._now_us()), *self._by_threads()]
        self._turns += 1
        if self._turns % HEARD_TURNS == 0:
            told.append(wire.Heard(self._recorder.heard))
        for one in told:
            match one:
                case wire.Failing(recording, why):
                    log.error("recording=%s fails: %s", recording, why)
                case wire.WellAgain(recording, lost):
                    log.warning("recording=%s is well again, lost=%d", recording, lost)
                case wire.Ended(recording, packets=packets, lost=lost, bytes=size):
                    log.info("recording=%s ended packets=%d lost=%d bytes=%d", recording, packets, lost, size)
        if told:
            self._tell(told)

    def _follow_clock(self) -> None:
        """Have the recordings' times be those of the wall's clock, whatever is done to it."""
        offset = self._clocks.wall_us() - self._clocks.steady_us()
        step, self._offset_us = offset - self._offset_us, offset
        if abs(step) >= STEP_SECONDS * 1e6:
            log.warning("the clock was set by %+.1f s", step / 1e6)
            self._recorder.clock_set(standing(), step, self._now_us())

    def _now_us(self) -> int:
        return self._clocks.steady_us() + self._offset_us

    def _unix_seconds(self) -> float:
        return self._clocks.wall_us() / 1e6

    # Signalling

    def met(self, signalling: _Signalling) -> None:
        """A signalling process has come: it is told what goes on."""
        if self._signalling is not None:
            self._signalling.end()
        self._signalling = signalling
        troubles = tuple(wire.Trouble(what, why) for what, why in self._troubles.items())
        self._tell([wire.Inventory(self._recorder.going, troubles), *self._recorder.failing])

    def left(self, signalling: _Signalling) -> None:
        """A signalling process has gone: what it recorded goes on."""
        if self._signalling is signalling:
            self._signalling = None
            if going := len(self._recorder):
                log.warning("signalling is gone, recordings=%d go on", going)

    def obey(self, order: wire.Order) -> None:
        """Do what signalling says; what is about a recording that has ended comes too late."""
        recorder, now = self._recorder, self._now_us()
        match order:
            case wire.Policies(policies):
                if policies != self._policies:
                    self._policies = policies
                    self._clerk.give(partial(self._use, policies))
            case wire.Begin(slot, recording, began_us, facts):
                self._begin(slot, recording, began_us, facts)
            case wire.Track(slot, track, party, leg, codecs):
                with suppress(KeyError, ValueError):
                    recorder.track(slot, track, party, leg, codecs, now)
            case wire.Part(slot, what, with_whom):
                with suppress(KeyError):
                    recorder.part(slot, what, with_whom, now)
            case wire.End(slot, cause):
                with suppress(KeyError):
                    recorder.end(slot, cause)
            case wire.Slots(slots):
                recorder.claim(slots, now)

    def _begin(self, slot: int, recording: str, began_us: int, facts: wire.Facts) -> None:
        if not self._repaired:
            self._begun.add(recording)
        self._archive.begun(recording, began_us, facts)
        about = About(**msgspec.structs.asdict(facts))
        self._recorder.begin(slot, recording, about, standing(), self._now_us())
        log.info("recording=%s slot=%d call=%s policy=%s", recording, slot, facts.call, facts.policy)

    def _tell(self, reports: list[wire.Report]) -> None:
        if self._signalling is not None:
            self._signalling.write(frames.frame(reports))

    # Journal and catalogue: in the clerk's thread

    def _enter(self, said: Entered) -> None:
        self._clerk.give(
            partial(self._journal.append, said.at, said.what, said.recording, NODE, **said.about)
        )

    def _use(self, policies: tuple[wire.Policy, ...]) -> None:
        try:
            self._archive.use(policies)
        except (CatalogueUnusable, JournalDamage) as error:
            self._told([wire.Trouble("journal", str(error))])

    def _journal_fares(self, why: str) -> None:
        self._told([wire.Trouble("journal", why) if why else wire.TroubleOver("journal")])

    # What was left by a process before: in a thread of its own

    def _prepare(self) -> None:
        """Repair, complete what was begun, and begin the chores."""
        try:
            now = self._unix_seconds()
            repaired = repair(self._files, self._journal, now, self._begun.__contains__)
            for one in repaired:
                log.warning(
                    "recording=%s is whole up to segment=%d, cut=%d bytes %s",
                    one.recording,
                    one.segments,
                    one.cut,
                    one.damage,
                )
            if damaged := [one for one in repaired if one.damage]:
                others = f", and {len(damaged) - 1} more" if len(damaged) > 1 else ""
                self._told([wire.Trouble("repair", f"{damaged[0].damage}{others}")])
            self._archive.start()
        except (OSError, CatalogueUnusable, JournalDamage) as error:
            log.error("what was recorded before can't be looked at: %s", error)
            self._told([wire.Trouble("repair", str(error))])
        self._repaired = True
        self._begun.clear()
        self._chores.start()

    # What threads have to tell

    def _told(self, told: list[wire.Trouble | wire.TroubleOver]) -> None:
        """Take it, in any thread; the next turn tells it."""
        for one in told:
            self._threads_told.put(one)

    def _by_threads(self) -> list[wire.Trouble | wire.TroubleOver]:
        told: list[wire.Trouble | wire.TroubleOver] = []
        while not self._threads_told.empty():
            one = self._threads_told.get()
            told.append(one)
            if isinstance(one, wire.Trouble):
                log.warning("%s: %s", one.what, one.why)
                self._troubles[one.what] = one.why
            else:
                log.warning("%s: well again", one.what)
                self._troubles.pop(one.what, None)
        return told

    # Requests

    async def _asked(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request of whoever may open the socket."""
        try:
            async with asyncio.timeout(QUESTION_SECONDS):
                line = await reader.readuntil(b"\n")
            answer = await self._answer(line, *_peer(writer.get_extra_info("socket")))
            writer.write(requests.answer_line(answer))
            async with asyncio.timeout(QUESTION_SECONDS):
                await writer.drain()
        except (OSError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # whoever asked has left, or said nothing that can be read
        finally:
            writer.close()

    async def _answer(self, line: bytes, account: str, of_the_node: bool) -> requests.Answer:
        try:
            request = requests.read_request(line)
        except msgspec.DecodeError as error:
            return requests.Refused(f"this is no request: {error}")
        if isinstance(request, requests.Last):
            await self._flush()
        loop = asyncio.get_running_loop()
        try:
            answered = partial(self._archive.answer, request, account, over_pages=of_the_node)
            return await loop.run_in_executor(self._threads, answered)
        except Exception:
            log.exception("a request could not be answered")
            return requests.Refused("this failed within; the log says why")

    async def _flush(self) -> None:
        """Have what was said up to now in the files, for whoever wants to hear it, or nearly so."""
        self.turn()
        self._recorder.flush(self._now_us())
        for _ in range(FLUSH_LOOKS):
            if not self._writer.waiting_bytes:
                return
            await asyncio.sleep(FLUSH_SECONDS / FLUSH_LOOKS)


class _Signalling(asyncio.Protocol):
    """The connection with a signalling process."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._reader = frames.FrameReader()
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._process.met(self)

    def write(self, data: bytes) -> None:
        """Send this; who doesn't read is let go of, and comes again."""
        self._transport.write(data)
        if self._transport.get_write_buffer_size() > MOST_UNSENT_BYTES:
            self._transport.abort()

    def end(self) -> None:
        """Send what waits, and no more."""
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        try:
            for body in self._reader.receive(data):
                for order in wire.orders(body):
                    self._process.obey(order)
        except frames.WireError as error:
            log.error("signalling: %s", error)
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._process.left(self)


def _peer(connection: socket.socket) -> tuple[str, bool]:
    """Return which account of the machine is at the other end (SO_PEERCRED of unix(7)), and whether it is a
    process of the node: one of the same supervisor's, as this is. A command is some shell's."""
    said = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    process, user, _ = _CREDENTIALS.unpack(said)
    account = account_name(user)
    return account, user == os.getuid() and _parent_of(process) == os.getppid()


def _parent_of(process: int) -> int:
    """Return which process has started this one, 0 where it is gone: proc_pid_stat(5), field 4."""
    try:
        said = Path(f"/proc/{process}/stat").read_bytes()
    except OSError:
        return 0
    return int(said[said.rindex(b")") + 2 :].split()[1])


def account_name(user: int) -> str:
    """Return what an account of the machine is called."""
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)
