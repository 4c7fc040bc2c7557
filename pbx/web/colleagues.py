"""What colleagues are doing, told to pages as it changes: `PresenceChanged` on their event sockets.

    fan ──(which telephones ring, answer, come and go)──> Colleagues ──> signalling: what are they doing?
                                                              └────────> those who may see them

While no page wants it nothing is followed. What happens within GATHER_SECONDS is asked in one question, so
that it costs signalling the same however many pages are open. Who may see whom is the directory's rule.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from dialplan.plan import Plan
from pbx.accounts.actor import Actor
from pbx.api.views import ColleagueStatus
from pbx.control import ColleagueList, ListColleagues
from pbx.records import rfc3339
from pbx.tasks import Tasks
from pbx.web.fan import Listener, ListenerEnded
from pbx.web.problems import Problem

if TYPE_CHECKING:
    from pbx.web.node import Node

log = logging.getLogger(__name__)

CHANGED = "PresenceChanged"
"""The kind of event that pages ask for."""

OF_DEVICES = ("LegStarted", "CallRinging", "CallAnswered", "LegLeft", "DeviceReachable", "DeviceUnreachable")
OF_PEOPLE = ("SettingsChanged", "HotDeskChanged")
GATHER_SECONDS = 0.2
MOST_AT_ONCE = 400


def sees(actor: Actor, plan: Plan, extension: str) -> bool:
    """Whether somebody may see what somebody else is doing: with `calls.read`, of themselves, and of those
    with whom they share a group."""
    if actor.may("calls.read") or actor.owns(extension):
        return extension in plan.people
    mine, theirs = plan.people.get(actor.extension), plan.people.get(extension)
    return mine is not None and theirs is not None and not set(mine.groups).isdisjoint(theirs.groups)


class Colleagues:
    """Tells pages what colleagues are doing, from the first page that wants it to the last."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._listeners: set[Listener] = set()
        self._told: dict[str, ColleagueStatus] = {}
        self._tasks: Tasks | None = None

    def join(self, listener: Listener) -> None:
        """Tell a listener from now on."""
        self._listeners.add(listener)
        if self._tasks is None:
            self._tasks = Tasks()
            self._tasks.start(self._follow(), "colleagues")

    async def leave(self, listener: Listener) -> None:
        """Tell it nothing more."""
        self._listeners.discard(listener)
        if not self._listeners and self._tasks is not None:
            tasks, self._tasks = self._tasks, None
            self._told.clear()
            await tasks.cancel()

    async def _follow(self) -> None:
        events = self._node.events
        telling = Listener((*OF_DEVICES, *OF_PEOPLE), None)
        events.join(telling)
        try:
            while True:
                await telling.wait()
                await asyncio.sleep(GATHER_SECONDS)
                await self._ask(telling.take())
        except ListenerEnded:
            log.debug("signalling is away: so are those who listened")
        finally:
            events.leave(telling)

    async def _ask(self, lines: str) -> None:
        """Ask what those of whom these events are do now, and tell what is new."""
        happened: list[dict[str, Any]] = [msgspec.json.decode(line) for line in lines.splitlines()]
        devices = {one["device"] for one in happened if one["event"] in OF_DEVICES}
        extensions = {one["extension"] for one in happened if one["event"] in OF_PEOPLE}
        if any(one["event"] == "EventsLost" for one in happened):
            extensions |= self._told.keys()
        wanted = [(extension, "") for extension in extensions] + [("", device) for device in devices]
        for first in range(0, len(wanted), MOST_AT_ONCE):
            some = wanted[first : first + MOST_AT_ONCE]
            question = ListColleagues(
                tuple(extension for extension, _ in some if extension),
                tuple(device for _, device in some if device),
            )
            try:
                answer = await self._node.ask(question)
                plan = (await self._node.directory.now()).plan
            except Problem as problem:  # a page reads everything again when its socket is back
                log.debug("what colleagues are doing isn't known: %s", problem.detail)
                return
            assert isinstance(answer, ColleagueList)
            self._tell({one.extension: one for one in answer.colleagues}, plan)

    def _tell(self, now: Mapping[str, ColleagueStatus], plan: Plan) -> None:
        changed = [one for extension, one in now.items() if self._told.get(extension) != one]
        self._told.update(now)
        at = rfc3339(self._node.clock())
        for one in changed:
            event = {"event": CHANGED, "at": at, **msgspec.to_builtins(one)}
            line = msgspec.json.encode(event).decode() + "\n"
            for listener in self._listeners:
                if listener.actor is not None and sees(listener.actor, plan, one.extension):
                    listener.put(line)
