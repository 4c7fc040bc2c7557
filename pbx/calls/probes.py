"""Whether parties are still there: of calls that a restart interrupted, and those whose sound has stopped.

Whoever hung up while nobody listened, or never got our 200, doesn't know the dialog any more; a telephone
whose plug was pulled tells nobody. Such a party is asked by OPTIONS within its dialog, which changes nothing
(RFC 3261 section 11): any answer but 481 (RFC 5057 section 5.1) or 408 means that it is there. A 481 ends the
call; so does silence, unless the party's sound still comes: then it is only deaf to us for now, a telephone
whose connection is gone, and is asked again. Questions begin within FIRST_SECONDS, and a call without a party
is over LAST_SECONDS after the restart, or after its party fell silent. Who is there and stays silent, as on
hold, is asked again every STILL_SECONDS. A call for help goes on while one of its two is there.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from media.engine import MediaUnavailable
from pbx.calls.leg import Leg
from pbx.calls.restored import way_to, ways_of
from pbx.people.devices import Device
from pbx.tasks import Tasks
from sip.core.flow import Flow
from sip.core.message import Response
from sip.core.reason import Reason

if TYPE_CHECKING:
    from pbx.exchange import Exchange

log = logging.getLogger(__name__)

FIRST_SECONDS = 10.0  # the questions of many calls are spread over this
LAST_SECONDS = 27.0
ANSWER_SECONDS = 15.0
AGAIN_SECONDS = 2.0
HEARD_SECONDS = 5.0
STILL_SECONDS = 300.0
NO_ANSWER = 408
GONE = frozenset({NO_ANSWER, 481})


class _Answer:
    """What comes back to one question (sip.core.transactions.invite_client.ClientUser)."""

    __slots__ = ("status",)

    def __init__(self) -> None:
        self.status: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def response_received(self, response: Response, now: float) -> None:
        """Provisional ones say as much as final ones: somebody is there."""
        self._set(response.status)

    def no_response(self, reason: str, now: float) -> None:
        """Nothing came, or nothing could be sent."""
        self._set(NO_ANSWER)

    def _set(self, status: int) -> None:
        if not self.status.done():
            self.status.set_result(status)


class Probes:
    """The questions of one node that aren't answered yet.

    astray: the legs whose connection is gone, after a restart or by itself, until the device makes another.
    silent: those whose sound has stopped, until it is heard again or the leg ends.
    """

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._tasks = Tasks()
        self.astray: set[Leg] = set()
        self._lost: set[Flow] = set()
        self._asked: dict[Leg, _Answer] = {}
        self.silent: dict[Leg, asyncio.Task[None]] = {}

    def begin(self, leg: Leg) -> None:
        """Ask a party of a restored call, soon."""
        if leg.flow.reliable:
            self.astray.add(leg)
        self._tasks.start(self._ask(leg), f"probe of {leg.call.id} {leg.name}")

    def fell_silent(self, leg: Leg) -> None:
        """Nothing comes from a party any more: ask it from now on."""
        if leg.confirmed and leg not in self.silent:
            name = f"silence of {leg.call.id} {leg.name}"
            self.silent[leg] = self._tasks.start(self._ask_again_and_again(leg), name)

    def over(self, leg: Leg) -> None:
        """A party is heard again, or its leg has ended."""
        task = self.silent.pop(leg, None)
        if task is not None:
            task.cancel()

    def moved(self, leg: Leg, to: Leg) -> None:
        """A party has gone on in another call."""
        if leg in self.silent:
            self.over(leg)
            self.fell_silent(to)

    def lost(self, flow: Flow) -> None:
        """A connection of a device is gone: its calls are reached again when it has made another one."""
        if not self._lost:
            asyncio.get_running_loop().call_soon(self._stray)  # a network that fails takes many at once
        self._lost.add(flow)

    def _stray(self) -> None:
        self.astray |= {leg for leg in self._exchange.legs() if leg.flow in self._lost}
        self._lost.clear()
        for leg in self.astray:
            device = self._exchange.devices.find(leg.device)
            if device is not None:
                self._go_over(leg, device)  # it may have made another one before

    def registered(self, device: Device) -> None:
        """A device has registered: its calls of before are reached the same way from now on."""
        self.astray = {leg for leg in self.astray if leg.confirmed}
        for leg in self.astray:
            if leg.device == device.sign_in:
                self._go_over(leg, device)

    def _go_over(self, leg: Leg, device: Device) -> None:
        """Reach a party by the newest connection of its telephone (RFC 5626 section 5.3), if there is any."""
        session = leg.session
        if session is None or not leg.confirmed:
            return
        ways = ways_of(device, leg.flow.transport, session.dialog.remote_target)
        if ways and ways[0] is not leg.flow:
            leg.flow = session.dialog.flow = ways[0]
            asked = self._asked.pop(leg, None)
            if asked is not None:
                asked.no_response("another connection", self._exchange.driver.now)

    async def stop(self) -> None:
        """Ask no more."""
        await self._tasks.cancel()
        self.astray.clear()

    def __len__(self) -> int:
        return len(self._tasks)

    async def _ask_again_and_again(self, leg: Leg) -> None:
        while leg.confirmed:
            await self._ask(leg)
            await asyncio.sleep(STILL_SECONDS)

    async def _ask(self, leg: Leg) -> None:
        exchange = self._exchange
        until = exchange.driver.now + LAST_SECONDS
        await asyncio.sleep(FIRST_SECONDS * exchange.chance())
        try:
            while leg.confirmed:
                flow = self._way(leg)
                left_seconds = until - exchange.driver.now
                status = await self._status(leg, left_seconds if left_seconds > 0 else ANSWER_SECONDS)
                if status not in GONE or not leg.confirmed:
                    return
                if leg.flow is not flow:
                    continue  # by another connection it may be there
                late = exchange.driver.now >= until - AGAIN_SECONDS
                if status != NO_ANSWER and not late and _is_page(exchange, leg):
                    status = NO_ANSWER  # it was loaded again, and hasn't taken its call up yet
                if status != NO_ANSWER or (late and not await self._heard(leg)):
                    self.lose(leg, status)
                    return
                await asyncio.sleep(AGAIN_SECONDS)
        finally:
            self.astray.discard(leg)

    def _way(self, leg: Leg) -> Flow:
        """The way to a party, sought again as long as there is none."""
        session = leg.session
        if session is not None and not leg.flow.open:
            flow = way_to(self._exchange, leg.device, session.snapshot(), behind_nat=leg.behind_nat)
            leg.flow = session.dialog.flow = flow
        return leg.flow

    async def _status(self, leg: Leg, seconds: float) -> int:
        """What a party answers; NO_ANSWER when nothing came in time."""
        exchange = self._exchange
        answer = _Answer()
        assert leg.session is not None
        self._asked[leg] = answer
        leg.session.send_request("OPTIONS", answer, exchange.driver.now)
        exchange.driver.wake()
        try:
            async with asyncio.timeout(min(seconds, ANSWER_SECONDS)):
                return await answer.status
        except TimeoutError:
            return NO_ANSWER
        finally:
            self._asked.pop(leg, None)

    async def _heard(self, leg: Leg) -> bool:
        """Whether sound of a party came lately."""
        try:
            media = await leg.call.engine.query(leg.call.id)
        except MediaUnavailable:
            return False
        stream = media.legs.get(leg.name)
        return stream is not None and stream.packets > 0 and 0.0 <= stream.silent_seconds < HEARD_SECONDS

    def lose(self, leg: Leg, status: int = NO_ANSWER) -> None:
        """End a party that can't be reached any more, and so its call; one of a call for help may stay."""
        other = leg.call.other_party(leg)
        if leg.call.is_emergency and other is not None and other not in self.silent:
            return  # whoever helps may hear more than we do, and hangs up
        log.warning("call=%s leg=%s user=%s isn't there any more", leg.call.id, leg.name, leg.device)
        if leg.session is not None:
            leg.session.broken(Reason("SIP", status, "No Answer"), self._exchange.driver.now)
            self._exchange.driver.wake()


def _is_page(exchange: Exchange, leg: Leg) -> bool:
    device = exchange.devices.find(leg.device)
    return device is not None and device.is_browser
