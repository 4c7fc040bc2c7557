"""Events of signalling for many listeners: followed once, encoded once, told to whoever may know.

    signalling ──(control.sock, one line an event)──> Fan ──> Listener (a bounded queue) ──> its socket
                                                         └──> Listener …

Signalling makes an event only for somebody who listens: so it is followed only while there is a listener, and
for the kinds that one of them wants. When it is away every listener ends: nobody would know what was missed.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterable

import msgspec

from pbx import control
from pbx.accounts.actor import Actor
from pbx.api.views import CallView
from pbx.configuration import Configuration
from pbx.records import rfc3339
from pbx.tasks import Tasks
from pbx.web.audience import PARTY_KINDS, Audience, Audiences
from pbx.web.problems import Problem

log = logging.getLogger(__name__)

MOST_WAITING = 2000  # lines, before the oldest are left out
MOST_LOST = 20_000  # too far behind
STILL_SECONDS = 10.0


class ListenerEnded(Exception):
    """Nothing more is told. code: of the WebSocket's end (RFC 6455 section 7.4.1); the text says why."""

    def __init__(self, code: int, why: str) -> None:
        super().__init__(why)
        self.code = code


class Listener:
    """Whoever is told events.

    actor: None for the node itself, which is told all. still: tells who they are now, or raises Problem where
    they may listen no more.
    """

    def __init__(
        self, kinds: Iterable[str], actor: Actor | None, still: Callable[[], Awaitable[Actor]] | None = None
    ) -> None:
        self.kinds = frozenset(kinds)
        self.actor = actor
        self.still = still
        self.mailboxes: frozenset[str] = frozenset()  # of services, that they listen to
        self.lost = 0
        self._waiting: deque[str] = deque()
        self._told_lost = 0
        self._come = asyncio.Event()
        self._ended: ListenerEnded | None = None

    def may_know(self, audience: Audience) -> bool:
        """Whether an event of this audience is for this listener."""
        actor = self.actor
        if actor is None or (audience.right is not None and audience.right in actor.rights):
            return True
        is_own = actor.extension != "" and actor.extension in audience.extensions
        return is_own or (audience.mailbox != "" and audience.mailbox in self.mailboxes)

    def put(self, line: str) -> None:
        """Tell one more line."""
        if len(self._waiting) >= MOST_WAITING:
            self._waiting.popleft()
            self.lost += 1
            if self.lost - self._told_lost >= MOST_LOST:
                self.end(ListenerEnded(1013, "too far behind"))
        self._waiting.append(line)
        self._come.set()

    def end(self, why: ListenerEnded) -> None:
        """Tell nothing more."""
        self._ended = self._ended or why
        self._come.set()

    async def wait(self) -> None:
        """Return when there is something to take. Raises ListenerEnded."""
        while not self._waiting and self._ended is None:
            self._come.clear()
            await self._come.wait()
        if self._ended is not None:
            raise self._ended

    def take(self) -> str:
        """Return all lines that wait, after how many were left out."""
        lines = "".join(self._waiting)
        self._waiting.clear()
        if self.lost > self._told_lost:
            lines = f'{{"event":"EventsLost","count":{self.lost - self._told_lost}}}\n{lines}'
            self._told_lost = self.lost
        return lines


async def _look(listener: Listener, still: Callable[[], Awaitable[Actor]]) -> None:
    try:
        listener.actor = await still()
    except Problem as problem:
        if problem.status != 503:  # a database that is away ends nobody's session
            listener.end(ListenerEnded(1008, problem.detail))


class Fan:
    """See the module. clock: Unix seconds. listeners: those that are told."""

    def __init__(self, configuration: Configuration, clock: Callable[[], float]) -> None:
        self._data_dir = configuration.data_dir
        self._clock = clock
        self.listeners: set[Listener] = set()
        self._following: frozenset[str] = frozenset()
        self._audiences = Audiences()
        self._task: asyncio.Task[None] | None = None
        self._tasks: Tasks

    def start(self) -> None:
        """Begin, in the running loop."""
        self._tasks = Tasks()
        self._tasks.start(self._watch(), "listeners")

    async def stop(self) -> None:
        """End every listener."""
        self._end_all(ListenerEnded(1012, "the node restarts"))
        await self._tasks.cancel()

    def join(self, listener: Listener) -> None:
        """Tell a listener from now on."""
        self.listeners.add(listener)
        wanted = self._following | listener.kinds | set(PARTY_KINDS)
        if wanted == self._following and self._task is not None and not self._task.done():
            return
        self._following = wanted
        if self._task is not None:
            self._task.cancel()
            for other in self.listeners - {listener}:  # between the two followings something may be missed
                other.put('{"event":"EventsLost","count":0}\n')
        self._task = self._tasks.start(self._follow(sorted(wanted)), "events")

    def leave(self, listener: Listener) -> None:
        """Tell it nothing more; signalling is left alone when it was the last."""
        self.listeners.discard(listener)
        if not self.listeners and self._task is not None:
            self._task.cancel()
            self._task, self._following = None, frozenset()

    def _end_all(self, why: ListenerEnded) -> None:
        for listener in self.listeners:
            listener.end(why)

    async def _watch(self) -> None:
        """Look again and again who may still listen, and give a sign of life."""
        while True:
            await asyncio.sleep(STILL_SECONDS)
            beat = f'{{"event":"Heartbeat","at":"{rfc3339(self._clock())}"}}\n'
            for listener in list(self.listeners):
                if listener.still is not None:
                    await _look(listener, listener.still)
                    listener.put(beat)

    async def _follow(self, kinds: list[str]) -> None:
        path = str(control.control_path(self._data_dir))
        try:
            reader, writer = await asyncio.open_unix_connection(path, limit=control.MAX_LINE_BYTES)
        except OSError:
            self._end_all(ListenerEnded(1013, "the telephone exchange doesn't answer"))
            return
        try:
            writer.write(msgspec.json.encode(control.FollowEvents(kinds)) + b"\n")
            await reader.readline()
            self._audiences.begin(await self._calls())
            while line := await reader.readline():
                self._tell(line)
        except (OSError, ValueError, control.NotRunningError) as error:
            log.warning("events: %s", error)
        finally:
            writer.close()
        self._end_all(ListenerEnded(1013, "the telephone exchange doesn't answer"))

    async def _calls(self) -> list[CallView]:
        answer = await control.ask_soon(self._data_dir, control.ListCalls())
        return answer.calls if isinstance(answer, control.CallsNow) else []

    def _tell(self, line: bytes) -> None:
        event = msgspec.json.decode(line)
        kind = event["event"]
        audience = self._audiences.of(event) if kind != "EventsLost" else Audience("own", frozenset())
        text = line.decode()
        for listener in self.listeners:
            if (kind in listener.kinds or kind == "EventsLost") and listener.may_know(audience):
                listener.put(text)
