"""Which events become deliveries, and when each is tried: in the web process, away from every call.

    events (pbx.web.fan) ──> queue in the database ──> one at a time for each webhook, MOST_AT_ONCE in all

A receiver that is slow or dead keeps its own deliveries waiting, nobody else's.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final, Protocol

import msgspec
import sqlalchemy as sa

from pbx.accounts.open_sessions import Store
from pbx.node.sealing import SealBroken, Sealing
from pbx.tasks import Tasks
from pbx.web.fan import Fan, Listener, ListenerEnded
from pbx.web.problems import Problem
from pbx.webhooks import records
from pbx.webhooks.records import NoWebhook
from pbx.webhooks.sending import Outcome
from pbx.webhooks.webhook import Delivery, Webhook, tested

log = logging.getLogger(__name__)

MOST_AT_ONCE: Final = 8
LOOK_SECONDS: Final = 30.0  # what a command has changed is seen after so long
GATHER_SECONDS: Final = 0.25  # events of this long go into the queue together
AGAIN_SECONDS: Final = 2.0


class Sends(Protocol):
    """What sends (pbx.webhooks.sending)."""

    async def send(self, webhook: Webhook, secret: str, delivery: Delivery) -> Outcome: ...


class Courier:
    """The webhooks of a node. store: the database; clock: Unix seconds; sealing: for their secrets."""

    def __init__(self, store: Store, sealing: Sealing, sender: Sends, clock: Callable[[], float]) -> None:
        self._store = store
        self._sealing = sealing
        self._sender = sender
        self._clock = clock
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._wake = asyncio.Event()
        self._changed = asyncio.Event()
        self._listener: Listener | None = None
        self._tasks: Tasks

    def start(self, events: Fan) -> None:
        """Begin, in the running loop. events: of signalling."""
        self._tasks = Tasks()
        self._tasks.start(self._gather(events), "webhook events")
        self._tasks.start(self._run(), "webhook deliveries")

    async def stop(self) -> None:
        """End; what was being sent is sent again after the next start."""
        await self._tasks.cancel()

    def changed(self) -> None:
        """Look again which webhooks there are."""
        self._changed.set()
        self._wake.set()
        if self._listener is not None:
            self._listener.end(ListenerEnded(1000, "other webhooks"))

    async def queue(self, lines: Sequence[bytes], webhooks: Sequence[Webhook]) -> None:
        """Queue events, as JSON lines, for the webhooks that are told of their kind."""
        events = [(str(msgspec.json.decode(line)["event"]), line.decode().strip()) for line in lines]
        now = self._clock()

        def work(connection: sa.Connection) -> None:
            for webhook in webhooks:
                told = [event for event in events if event[0] in webhook.kinds]
                if told:
                    records.enqueue(connection, webhook.id, told, now)

        await self._store.write(work)
        self._wake.set()

    async def test(self, webhook: Webhook) -> Delivery:
        """Send a test at once; returns what became of it. It isn't tried again. Raises SealBroken."""
        made = tested(webhook, self._clock())
        outcome = await self._sender.send(webhook, await self._secret(webhook), made)
        return replace(made, tries=1, ended_at=self._clock(), status=outcome.status, trouble=outcome.trouble)

    async def deliver_due(self) -> float:
        """Begin to send what is due; returns the seconds until more is, LOOK_SECONDS at most."""
        now = self._clock()
        room = MOST_AT_ONCE - len(self._busy)
        due = (
            await self._store.read(lambda connection: records.due(connection, now, self._busy))
            if room
            else []
        )
        for delivery in due[:room]:
            self._busy[delivery.webhook] = self._tasks.start(
                self._try(delivery), f"webhook {delivery.webhook}"
            )
        if len(due) >= room:
            return LOOK_SECONDS  # whoever ends wakes us
        soonest = await self._store.read(records.next_due)
        return LOOK_SECONDS if soonest is None else min(max(soonest - now, 0.5), LOOK_SECONDS)

    async def idle(self) -> None:
        """Return when nothing is being sent."""
        while self._busy:
            await asyncio.wait(list(self._busy.values()))

    async def _try(self, delivery: Delivery) -> None:
        try:
            outcome = await self._sent(delivery)
            now = self._clock()
            await self._store.write(
                lambda connection: records.tried(connection, delivery, outcome.status, outcome.trouble, now)
            )
            if outcome.trouble:
                log.info("webhook=%s delivery=%s: %s", delivery.webhook, delivery.id, outcome.trouble)
        except (NoWebhook, Problem) as error:  # removed meanwhile; or the database is away
            log.info("webhook=%s delivery=%s: %s", delivery.webhook, delivery.id, error)
        finally:
            del self._busy[delivery.webhook]
            self._wake.set()

    async def _sent(self, delivery: Delivery) -> Outcome:
        webhook = await self._store.read(lambda connection: records.find(connection, delivery.webhook))
        try:
            return await self._sender.send(webhook, await self._secret(webhook), delivery)
        except SealBroken as error:
            return Outcome(0, str(error))

    async def _secret(self, webhook: Webhook) -> str:
        sealed = await self._store.read(lambda connection: records.sealed_secret(connection, webhook.id))
        return self._sealing.unseal(sealed, records.SEAL, webhook.id).decode()

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            try:
                seconds = await self.deliver_due()
            except Problem:  # the database is away
                seconds = AGAIN_SECONDS
            await _wait(self._wake, seconds)

    async def _gather(self, events: Fan) -> None:
        """Listen for the kinds that somebody wants, as long as somebody wants any."""
        while True:
            self._changed.clear()
            try:
                webhooks = await self._store.read(records.listed)
                if webhooks:
                    await self._listen(events, webhooks)
                else:
                    await _wait(self._changed, LOOK_SECONDS)
            except (Problem, ListenerEnded):
                await _wait(self._changed, AGAIN_SECONDS)

    async def _listen(self, events: Fan, webhooks: Sequence[Webhook]) -> None:
        """Queue events until the webhooks change. Raises ListenerEnded, Problem."""
        self._listener = Listener({kind for webhook in webhooks for kind in webhook.kinds}, None)
        events.join(self._listener)
        try:
            while await self._store.read(records.listed) == webhooks:
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_SECONDS):
                        await self._listener.wait()
                    await asyncio.sleep(GATHER_SECONDS)
                    await self.queue(self._listener.take().encode().splitlines(), webhooks)
        finally:
            events.leave(self._listener)
            self._listener = None


async def _wait(event: asyncio.Event, seconds: float) -> None:
    """Return when it is set, and after so long in any case."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
