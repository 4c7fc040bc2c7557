"""The daily self-test of emergency calls: each site calls a simulated answering point over each trunk.

The plan names that number (`emergency_test:`); without it nothing is called. A test call shows what an
emergency call from the site would show, on an ordinary channel, and is hung up once answered. It has passed
when it was answered, or refused by whoever it rang: busy or declining, the number was reached.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, NamedTuple

from dialplan.emergency import self_tests
from dialplan.plan import Plan
from pbx.events import EmergencyTestFailed
from pbx.trunks.invitation import invitation
from sip.core.message import Request
from sip.core.outgoing_session import OutgoingSession
from sip.core.reason import Reason
from sip.core.session import NORMAL_CLEARING, SessionState
from sip.core.stack import ServerTransaction
from sip.net.resolver import NotFoundError

if TYPE_CHECKING:
    from pbx.exchange import Exchange

log = logging.getLogger(__name__)

DAY_SECONDS = 86_400.0
HOUR_OF_DAY_SECONDS = 3 * 3600.0  # 03:00 UTC: when fewest calls need the channels
ANSWER_SECONDS = 30.0
REACHED = frozenset({486, 600, 603})


class Failure(NamedTuple):
    """A site's emergency calls may not get through over a trunk."""

    site: str
    trunk: str
    why: str


class SelfTest:
    """The self-test of one node's plan in force."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    async def daily(self) -> None:
        """Run the test every day at 03:00 UTC, until cancelled."""
        while True:
            now = self._exchange.clock()
            await asyncio.sleep(DAY_SECONDS - (now - HOUR_OF_DAY_SECONDS) % DAY_SECONDS)
            await self.run()

    async def run(self) -> list[Failure]:
        """Test every site once, one call after the other; returns what failed, told by event and log too.

        A trunk without a free channel isn't tested: it carries calls, and the test takes none away from them.
        """
        plan = self._exchange.plan
        failures = []
        for test in self_tests(plan):
            for trunk, shown in test.trunks if test.number else ():
                why = await self._call(plan, trunk, test.number, shown or "")
                if why:
                    failures.append(Failure(test.site, trunk, why))
                    log.error("site=%s trunk=%s emergency self-test failed: %s", test.site, trunk, why)
                    self._exchange.events.publish(EmergencyTestFailed, test.site, trunk, test.number, why)
                else:
                    log.info("site=%s trunk=%s emergency self-test passed", test.site, trunk)
        return failures

    async def _call(self, plan: Plan, trunk: str, number: str, shown: str) -> str:
        """Call the number over a trunk; returns why it failed, "" where it didn't."""
        trunks = self._exchange.trunks
        try:
            line = trunks.line(trunk)
        except KeyError:
            return ""  # a new plan has come meanwhile, without it
        try:
            targets = line.targets() or await line.find()
        except NotFoundError as error:
            return str(error)
        if not trunks.seize(line, emergency=False):
            return ""
        try:
            flow = line.flow_to(targets[0])
            says = invitation(
                line.trunk, plan.country, flow, number, shown=shown, name="", domain=self._exchange.domain
            )
            test = _TestCall(self._exchange)
            test.session = self._exchange.core.invite(
                says.uri,
                flow,
                test,
                self._exchange.driver.now,
                local_address=says.from_,
                remote_address=says.to,
                headers=says.headers,
                body=_offer(flow.local[0]),
                authorize=trunks.authorize(line.trunk),
                routes=line.routes(targets[0]),
                contact=says.contact,
            )
            self._exchange.driver.wake()
            return await test.outcome()
        except OSError as error:
            return str(error)
        finally:
            trunks.free(trunk)


def _offer(address: str) -> bytes:
    """G.711 that stays silent (RFC 3264 section 5.1): nobody listens."""
    kind = "IP6" if ":" in address else "IP4"
    return (
        f"v=0\r\no=- 1 1 IN {kind} {address}\r\ns=-\r\nc=IN {kind} {address}\r\nt=0 0\r\n"
        "m=audio 9 RTP/AVP 8 0\r\na=inactive\r\n"
    ).encode()


class _TestCall:
    """One test call (sip.core.session.SessionUser). It has no call record: it is nobody's."""

    def __init__(self, exchange: Exchange) -> None:
        self.session: OutgoingSession | None = None
        self._exchange = exchange
        self._over: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def outcome(self) -> str:
        """Why it failed, "" where it didn't; nothing of it is left then."""
        session = self.session
        assert session is not None
        driver = self._exchange.driver
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await self._over
        except TimeoutError:
            return f"no answer in {ANSWER_SECONDS:.0f} s"
        finally:
            if session.state is SessionState.CONFIRMED:
                session.hang_up(driver.now, NORMAL_CLEARING)
            elif session.state is SessionState.BEGINNING:
                session.cancel(driver.now)
            session.release(driver.now)
            driver.wake()

    def _end(self, why: str) -> None:
        if not self._over.done():
            self._over.set_result(why)

    def answered(self, body: bytes, now: float) -> None:
        """It was reached."""
        self._end("")

    def failed(self, status: int, reason: Reason, now: float) -> None:
        """It was refused, or nothing came."""
        self._end("" if status in REACHED else f"{status} {reason.text}".strip())

    def ended(self, reason: Reason, now: float) -> None:
        """The answering point hung up first."""
        self._end("")

    # What doesn't decide

    def progressed(self, status: int, body: bytes, now: float) -> None:
        """It rings."""

    def cancelled(self, reason: Reason, now: float) -> None:
        """Only an incoming call is cancelled."""

    def acknowledged(self, body: bytes, now: float) -> None:
        """Only an incoming call is acknowledged."""

    def offered(self, body: bytes, now: float) -> None:
        """The other side changes its sound: ours ends at once."""
        if self.session is not None:
            self.session.refuse_offer(488, now)

    def offer_withdrawn(self, now: float) -> None:
        """Nothing was offered."""

    def offer_answered(self, body: bytes, now: float) -> None:
        """Nothing was offered."""

    def offer_refused(self, status: int, now: float) -> None:
        """Nothing was offered."""

    def identity_changed(self, request: Request, now: float) -> None:
        """Whoever it is, it is the answering point."""

    def requested(self, request: Request, transaction: ServerTransaction, now: float) -> None:
        """Nothing else is served."""
        self._exchange.core.stack.respond(transaction, 501, now)
