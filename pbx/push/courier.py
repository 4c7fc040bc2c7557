"""Who is told of which call: follows what signalling says, and pushes to the browsers of whom it is about.

    WakeWanted     ──> calls       the caller, encrypted, for as long as it may ring
    WakeOver       ──> calls       it rings no more; missed, where nobody answered
    MailboxChanged ──> voicemail   another message waits

It runs in the web process, away from every call. Signalling is told whose browsers there are, again whenever
that changes and whenever it comes back; as long as nobody has one, it isn't followed at all.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final, Protocol

import msgspec

from pbx import control
from pbx.node.sealing import Sealing
from pbx.push import records
from pbx.push.sending import GONE, Notification, Told, topic_of
from pbx.push.subscription import KINDS, Secrets, Subscription
from pbx.store.database import Work
from pbx.tasks import Tasks
from pbx.web.fan import Fan, Listener, ListenerEnded
from pbx.web.problems import Problem

log = logging.getLogger(__name__)

EVENTS: Final = ("WakeWanted", "WakeOver", "MailboxChanged")
MOST_AT_ONCE: Final = 16
CALL_SECONDS: Final = 45  # as long as a call may ring
DAY_SECONDS: Final = 86_400
AGAIN_SECONDS: Final = 2.0
LOOK_SECONDS: Final = 30.0  # what a command has changed is seen after so long
MOST_NAME_CHARS: Final = 100
ANSWERED: Final = frozenset({"answered", "declined"})


class Node(Protocol):
    """What it needs of the node (pbx.web.node)."""

    async def read(self, work: Work[Any], /) -> Any: ...

    async def write(self, work: Work[Any], /) -> Any: ...

    async def ask(self, question: control.Question, /) -> control.Answer: ...


class Sends(Protocol):
    """What sends (pbx.push.sending)."""

    async def send(self, secrets: Secrets, notification: Notification, /) -> Told: ...


class PushCourier:
    """The notifications of a node. sealing: for browsers' secrets; clock: Unix seconds."""

    def __init__(self, node: Node, sealing: Sealing, sender: Sends, clock: Callable[[], float]) -> None:
        self._node = node
        self._sealing = sealing
        self._sender = sender
        self._clock = clock
        self._topics = sealing.key("push topics")
        self._room = asyncio.Semaphore(MOST_AT_ONCE)
        self._changed = asyncio.Event()
        self._listener: Listener | None = None
        self._callers: dict[tuple[str, str], dict[str, Any]] = {}  # of calls that ring, by call and extension
        self._waiting: dict[str, int] = {}  # new messages, by mailbox
        self._extensions: dict[str, frozenset[str]] = {}
        self._tasks: Tasks
        self._sending: Tasks

    def start(self, events: Fan) -> None:
        """Begin, in the running loop. events: of signalling."""
        self._tasks, self._sending = Tasks(), Tasks()
        self._tasks.start(self._run(events), "push")

    async def stop(self) -> None:
        """End; what was being sent may be lost."""
        await self._tasks.cancel()
        await self._sending.cancel()

    async def idle(self) -> None:
        """Return when nothing is being sent."""
        await self._sending.idle()

    def changed(self) -> None:
        """Other browsers are told from now on."""
        self._changed.set()
        if self._listener is not None:
            self._listener.end(ListenerEnded(1000, "other browsers"))

    async def test(self, subscription: Subscription) -> Told:
        """Tell one browser that it is told; returns what became of it."""
        told = {"kind": "test", "language": subscription.language}
        return await self._send(subscription, Notification(told, CALL_SECONDS, urgent=True))

    # Following

    async def _run(self, events: Fan) -> None:
        is_told = False
        while True:
            self._changed.clear()
            try:
                self._extensions = await self._node.read(records.extensions)
                if self._extensions or is_told:
                    is_told = bool(self._extensions)
                    await self._listen(events)
                else:
                    await self._wait(LOOK_SECONDS)
            except (Problem, ListenerEnded):
                await self._wait(AGAIN_SECONDS)

    async def _listen(self, events: Fan) -> None:
        """Tell signalling who can be woken, and push until that changes. Raises ListenerEnded, Problem."""
        listener = self._listener = Listener(EVENTS, None)
        events.join(listener)
        try:
            await self._node.ask(control.SetWakeable(sorted(self._wakeable())))
            while self._extensions and await self._node.read(records.extensions) == self._extensions:
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_SECONDS):
                        while True:
                            await listener.wait()
                            for line in listener.take().splitlines():
                                self.tell(msgspec.json.decode(line))
        finally:
            events.leave(listener)
            self._listener = None

    def _wakeable(self) -> list[str]:
        return [extension for extension, kinds in self._extensions.items() if "calls" in kinds]

    async def _wait(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._changed.wait()

    # What is told

    def tell(self, event: Mapping[str, Any]) -> None:
        """Push what an event means to whom it is about."""
        match event["event"]:
            case "WakeWanted":
                self._call_rings(event)
            case "WakeOver":
                self._call_over(event)
            case "MailboxChanged":
                self._mailbox_changed(event)

    def _call_rings(self, event: Mapping[str, Any]) -> None:
        caller = {key: str(event[key])[:MOST_NAME_CHARS] for key in ("number", "name", "through")}
        caller["call"] = event["call"]
        if len(self._callers) > 10_000:  # calls whose end was never told
            self._callers.clear()
        self._callers[event["call"], event["extension"]] = caller
        payload = {"kind": "call", "until": self._clock() + CALL_SECONDS, **caller}
        topic = self._topic(event)
        self._start(
            event["extension"], "calls", Notification(payload, CALL_SECONDS, urgent=True, topic=topic)
        )

    def _call_over(self, event: Mapping[str, Any]) -> None:
        caller = self._callers.pop((event["call"], event["extension"]), {"call": event["call"]})
        topic, extension = self._topic(event), event["extension"]
        over = Notification({"kind": "over", **caller}, CALL_SECONDS, urgent=True, topic=topic)
        if event["outcome"] in ANSWERED:
            self._start(extension, "calls", over)
            return
        missed = {"kind": "missed", "at": self._clock(), **caller}
        self._start(extension, "missed", Notification(missed, DAY_SECONDS, topic=topic), otherwise=over)

    def _mailbox_changed(self, event: Mapping[str, Any]) -> None:
        mailbox, new = event["mailbox"], int(event["new"])
        before, self._waiting[mailbox] = self._waiting.get(mailbox, 0), new
        if new > before and "voicemail" in self._extensions.get(mailbox, ()):
            topic = topic_of(self._topics, f"mailbox {mailbox}")
            payload = {"kind": "voicemail", "count": new}
            self._start(mailbox, "voicemail", Notification(payload, DAY_SECONDS, topic=topic))

    def _topic(self, event: Mapping[str, Any]) -> str:
        return topic_of(self._topics, f"call {event['call']} {event['extension']}")

    def _start(
        self, extension: str, kind: str, notification: Notification, otherwise: Notification | None = None
    ) -> None:
        assert kind in KINDS
        work = self._tell_all(extension, kind, notification, otherwise)
        self._sending.start(work, f"push to {extension}")

    async def _tell_all(
        self, extension: str, kind: str, notification: Notification, otherwise: Notification | None
    ) -> None:
        """Tell the browsers of somebody that want this kind; otherwise: those of calls that don't."""
        try:
            browsers = await self._node.read(
                lambda connection: records.of_extension(connection, extension, self._sealing)
            )
        except Problem:
            return  # the database is away, and the call won't wait for it
        sent = [
            self._send(one, said)
            for one in browsers
            for said in ([notification] if kind in one.kinds else [otherwise] if "calls" in one.kinds else [])
            if said is not None
        ]
        await asyncio.gather(*sent)

    async def _send(self, subscription: Subscription, notification: Notification) -> Told:
        payload = {"language": subscription.language, **notification.payload}
        async with self._room:
            told = await self._sender.send(subscription.secrets, notification._replace(payload=payload))
        if told.status in GONE:
            log.info("push browser=%s is gone", subscription.id)
            with suppress(Problem):
                await self._node.write(lambda connection: records.remove(connection, subscription.id))
            self.changed()
        elif told.trouble:
            log.info("push browser=%s: %s", subscription.id, told.trouble)
        return told
