"""The RTC engine's end of its worker's socket: what is said to it, and what it tells."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol, TypeVar

from media.engine import MediaUnavailable
from media.frames import READ_BYTES, FrameReader, WireError, frame
from media.rtc.protocol import (
    Address,
    AddStream,
    Command,
    Counts,
    LegCounts,
    Open,
    Opened,
    Query,
    Ready,
    Refused,
    Report,
    reports,
)

_log = logging.getLogger(__name__)
_Answer = TypeVar("_Answer")

ANSWER_SECONDS: Final = 3.0
AGAIN_SECONDS: Final = 0.1


class Worker(Protocol):
    """An RTC worker as its engine sees it. events: what it tells by itself, `Ready` at each connection.

    ready: what the worker of now said first, None while there is none.
    """

    events: Callable[[Report], None]
    ready: Ready | None

    async def wait_ready(self) -> Ready:
        """Return what the worker said first. Raises MediaUnavailable when there is none in time."""
        ...

    async def open(self, message: Open | AddStream) -> tuple[Address, ...]:
        """Return the plain sockets of a leg, by index. Raises MediaUnavailable."""
        ...

    def say(self, message: Command) -> None:
        """Say something that nobody answers; nobody hears it while there is no worker."""
        ...

    async def counts(self, legs: tuple[str, ...]) -> dict[str, LegCounts]:
        """Return what the associations of these legs have done. Raises MediaUnavailable."""
        ...


class RtcClient:
    """A `Worker` behind a Unix socket. path: where it listens, with the supervisor's help before it does."""

    def __init__(self, path: Path) -> None:
        self.events: Callable[[Report], None] = _ignore
        self.ready: Ready | None = None
        self._path = path
        self._writer: asyncio.StreamWriter | None = None
        self._serving = asyncio.Event()
        self._opening: dict[str, asyncio.Future[tuple[Address, ...]]] = {}
        self._counting: dict[int, asyncio.Future[Counts]] = {}
        self._number = 0
        self._lost_at = 0.0

    async def run(self) -> None:
        """Be connected to whatever worker there is, until cancelled."""
        self._lost_at = asyncio.get_running_loop().time()
        while True:
            try:
                reader, self._writer = await asyncio.open_unix_connection(self._path)
            except OSError as error:
                _log.debug("the RTC worker can't be reached: %s", error)
            else:
                try:
                    await self._read(reader)
                    if self.ready is not None:
                        _log.error("the RTC worker was lost")
                finally:
                    self._lose()
            await asyncio.sleep(AGAIN_SECONDS)

    async def wait_ready(self) -> Ready:
        """See Worker. Only one that was lost just now, or is starting, is waited for."""
        if self.ready is None:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(self._lost_at + ANSWER_SECONDS):
                    await self._serving.wait()
        if self.ready is None:
            raise MediaUnavailable("no RTC worker serves")
        return self.ready

    async def open(self, message: Open | AddStream) -> tuple[Address, ...]:
        """See Worker."""
        await self.wait_ready()
        answer: asyncio.Future[tuple[Address, ...]] = asyncio.get_running_loop().create_future()
        self._opening[message.leg] = answer
        self.say(message)
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await answer
        except TimeoutError:
            raise MediaUnavailable("the RTC worker didn't answer") from None
        finally:
            self._opening.pop(message.leg, None)

    def say(self, message: Command) -> None:
        """See Worker."""
        if self._writer is not None:
            self._writer.write(frame([message]))

    async def counts(self, legs: tuple[str, ...]) -> dict[str, LegCounts]:
        """See Worker."""
        await self.wait_ready()
        self._number += 1
        number = self._number
        answer = self._counting[number] = asyncio.get_running_loop().create_future()
        self.say(Query(number, legs))
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return {one.leg: one for one in (await answer).legs}
        except TimeoutError:
            raise MediaUnavailable("the RTC worker didn't answer") from None
        finally:
            del self._counting[number]

    # -- the socket --------------------------------------------------------------------------------

    async def _read(self, reader: asyncio.StreamReader) -> None:
        frames = FrameReader()
        try:
            while data := await reader.read(READ_BYTES):
                for body in frames.receive(data):
                    for report in reports(body):
                        self._take(report)
        except (OSError, WireError) as error:
            _log.error("RTC worker: %s", error)

    def _take(self, report: Report) -> None:
        match report:
            case Ready():
                self.ready = report
                self._serving.set()
                self.events(report)
            case Opened(leg, sockets) if leg in self._opening:
                _settle(self._opening[leg], sockets)
            case Refused(leg, reason) if leg in self._opening:
                _fail(self._opening[leg], reason)
            case Counts(number):
                if number in self._counting:
                    _settle(self._counting[number], report)
            case _:
                self.events(report)

    def _lose(self) -> None:
        if self.ready is not None:
            self._lost_at = asyncio.get_running_loop().time()
        self.ready = None
        self._serving.clear()
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        for opening in self._opening.values():
            _fail(opening, "the RTC worker was lost")
        for counting in self._counting.values():
            _fail(counting, "the RTC worker was lost")


def _settle(waiting: asyncio.Future[_Answer], answer: _Answer) -> None:
    if not waiting.done():
        waiting.set_result(answer)


def _fail(waiting: asyncio.Future[_Answer], reason: str) -> None:
    if not waiting.done():
        waiting.set_exception(MediaUnavailable(reason))


def _ignore(report: Report) -> None:
    _log.debug("the RTC worker told nobody: %s", report)
