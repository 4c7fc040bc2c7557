"""One trunk as it is now: where its servers are, whether they answer, whether we are registered, who speaks.

             any answer                      supervise_misses OPTIONS without one
    UNKNOWN ────────────> UP <────────────────────────────────────────────────────> DOWN
       │                  │  503 with Retry-After: REFUSING until then
       └──────────────────┴─ register: true and no binding: UNREGISTERED

The plan sends no ordinary call over a trunk that is down while another isn't; otherwise a state only says in
which order trunks are tried, and an emergency call tries them all (design, promise 3). A trunk that never
answered anything isn't called down: some border controllers don't answer OPTIONS.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections import deque
from contextlib import suppress
from enum import Enum
from typing import TYPE_CHECKING

from dialplan.plan import Trunk
from pbx.events import TrunkChanged
from pbx.tasks import Tasks
from pbx.trunks.invitation import route_of, uri_host
from sip.core.dialog import Dialog
from sip.core.flow import Flow
from sip.core.message import Response
from sip.core.registration import Registration, RegistrationState, retry_after_seconds
from sip.core.session import contact_uri
from sip.core.uri import escape_user
from sip.net.resolver import NotFoundError, Target

if TYPE_CHECKING:
    from pbx.exchange import Exchange

log = logging.getLogger(__name__)

TICK_SECONDS = 5.0
ANSWER_SECONDS = 4.0  # an OPTIONS without an answer after this is a miss; a late answer still counts as one
FAILED_SECONDS = 60.0  # how long a server that didn't answer is tried after the others
MISSED_PERIOD_SECONDS = 10.0  # between OPTIONS while they are missed: up again at once
LONGEST_REFUSAL_SECONDS = 600.0  # whatever a Retry-After says
MAX_TARGETS = 4  # servers of one trunk that one call tries

TRANSPORTS = {"auto": "", "udp": "UDP", "tcp": "TCP", "tls": "TLS"}


class LineState(Enum):
    """What is known of a trunk, best first."""

    UP = "up"
    UNKNOWN = "unknown"
    UNREGISTERED = "unregistered"
    DOWN = "down"
    REFUSING = "refusing"


# In which order trunks are tried; within a rank, as the plan says.
_RANKS = {
    LineState.UP: 0,
    LineState.UNKNOWN: 0,
    LineState.UNREGISTERED: 1,
    LineState.DOWN: 2,
    LineState.REFUSING: 3,
}


class Line:
    """The life of one trunk of the plan.

    mark: what our Contact at its registrar carries, which nobody can guess.
    """

    def __init__(self, exchange: Exchange, trunk: Trunk, mark: str) -> None:
        self.trunk = trunk
        self.mark = mark
        self.registration: Registration | None = None
        self.last_delay_seconds: float | None = None  # of the last OPTIONS that was answered
        self.since = exchange.clock()  # Unix seconds: when its state was last found to change
        self.refusal = ""  # what was refused or missed last, in words
        self.refused_at = 0.0  # and when, Unix seconds
        self._exchange = exchange
        self._tasks = Tasks()
        self._heard = False
        self._misses = 0
        self._refusing_until = 0.0
        self._failed: dict[Target, float] = {}  # servers that didn't answer, and until when that counts
        self._left: deque[Target] = deque()  # what this attempt to register hasn't tried
        self._registering: Target | None = None
        self._contact = ""  # what the registrar knows us by
        self._told = LineState.UNKNOWN
        self._is_lost = False  # no address, and said so
        self._recognised: list[str] = []

    # What is known

    @property
    def state(self) -> LineState:
        """How the trunk is."""
        if self._now < self._refusing_until:
            return LineState.REFUSING
        if self._heard and self._misses >= self.trunk.supervise_misses:
            return LineState.DOWN
        registration = self.registration
        if registration is not None and registration.until <= self._now:
            return LineState.UNREGISTERED
        return LineState.UP if self._heard else LineState.UNKNOWN

    @property
    def rank(self) -> int:
        """Its place in the order of trial, 0 first."""
        return _RANKS[self.state]

    def targets(self) -> list[Target]:
        """Its servers as far as they are known, in the order to try: those that answer before the others.

        The one that we are registered at is the first: it knows us.
        """
        known: list[Target] = []
        for server in self.trunk.servers:
            known += self._exchange.resolver.known(server.host, server.port, self._transport)
        now = self._now
        preferred = self._registering if self._is_registered else None
        ordered = sorted(
            dict.fromkeys(known), key=lambda one: (self._failed.get(one, 0.0) > now, one != preferred)
        )
        return ordered[:MAX_TARGETS]

    async def find(self) -> list[Target]:
        """Its servers, looked up where that is due. Raises NotFoundError when there is none."""
        error = NotFoundError(f"trunk {self.trunk.name} has no server")
        for server in self.trunk.servers:
            try:
                await self._exchange.resolver.resolve(server.host, server.port, self._transport)
            except NotFoundError as not_found:
                error = not_found
        targets = self.targets()
        if not targets:
            raise error
        return targets

    def addresses(self) -> list[str]:
        """The literal addresses that its calls may come from, beside those that the plan lists."""
        known = self._exchange.resolver.known
        servers = [*self.trunk.servers]
        found = [target for server in servers for target in known(server.host, server.port, self._transport)]
        if self.trunk.proxies:
            found += known(self.trunk.host, self.trunk.port, self._transport)
        return list(dict.fromkeys(target.address for target in found))

    def flow_to(self, target: Target) -> Flow:
        """The flow to a server: the registration's own where it leads there. Raises OSError."""
        if self._is_registered and target == self._registering and self.registration is not None:
            flow = self.registration.flow
            if flow is not None and flow.open:
                return flow
        return self._open(target)

    def _open(self, target: Target) -> Flow:
        return self._exchange.flow_to(target, verified="any_certificate" not in self.trunk.options)

    def routes(self, target: Target) -> tuple[str, ...]:
        """The Route values of a call: what the registrar said (RFC 3608), else the proxy."""
        registration = self.registration
        if registration is not None and self._is_registered and registration.service_routes:
            return registration.service_routes
        return route_of(self.trunk, target)

    @property
    def registered_until(self) -> float | None:
        """When our binding ends, on the loop's clock; None where there is none."""
        return self.registration.until if self.registration is not None and self._is_registered else None

    # What calls tell

    def heard(self, target: Target) -> None:
        """A server answered, whatever it said: the trunk is up again at once."""
        self._heard = True
        self._misses = 0
        self._failed.pop(target, None)
        self._tell()

    def missed(self, target: Target) -> None:
        """A server didn't answer, or couldn't: for a while the others are tried before it."""
        self._failed[target] = self._now + FAILED_SECONDS
        if len(self._failed) > 4 * MAX_TARGETS:
            self._failed = {one: until for one, until in self._failed.items() if until > self._now}

    def refused(self, retry_after: str) -> None:
        """503: with a Retry-After nothing more is sent there until then (21.5.4), but help."""
        seconds = min(retry_after_seconds(retry_after), LONGEST_REFUSAL_SECONDS)
        if seconds:
            self._refusing_until = self._now + seconds
            self._tell()

    # From beginning to end

    def start(self) -> None:
        """Watch over the trunk, and register where it asks for it."""
        if not self._tasks:
            self._tasks.start(self._watch(), f"trunk {self.trunk.name}")

    async def stop(self) -> None:
        """Stop watching and take our binding away."""
        await self._tasks.cancel()
        if self.registration is not None:
            self.registration.stop(self._now)
            self._exchange.driver.wake()

    @property
    def tasks(self) -> int:
        """How many tasks of it run: none once it was stopped."""
        return len(self._tasks)

    async def _watch(self) -> None:
        """Ask by OPTIONS, keep the names looked up, and see that the registration's flow is there."""
        supervised = "no_options" not in self.trunk.options
        if self.trunk.registers:
            self._start_registration()
        due = self._now
        while True:
            targets = await self._look_up()
            self._check_registration()
            if supervised and targets and self._now >= due:
                await self._ask(targets[self._misses % len(targets)])
                period = self.trunk.supervise_seconds
                due = self._now + (min(MISSED_PERIOD_SECONDS, period) if self._misses else period)
            soon = supervised and bool(targets) and due < self._now + TICK_SECONDS
            await asyncio.sleep(max(due - self._now, 0.1) if soon else TICK_SECONDS)

    def _check_registration(self) -> None:
        """Register again when the way that the registrar knows is gone, or our address is another one."""
        registration = self.registration
        if registration is None or registration.flow is None or self._registering is None:
            return
        if registration.state is not RegistrationState.REGISTERED:
            return  # it is being asked for, or waits
        told = registration.contact_uri(registration.flow)
        if registration.flow.open and told == self._contact:
            return
        log.info("trunk=%s its registration is out of date", self.trunk.name)
        registration.refresh(self._now)
        self._exchange.driver.wake()

    async def _look_up(self) -> list[Target]:
        """Its servers, and the addresses that its calls come from, looked up where that is due."""
        try:
            if self.trunk.proxies:  # calls may come from the domain's own servers too
                with suppress(NotFoundError):
                    await self._exchange.resolver.resolve(self.trunk.host, self.trunk.port, self._transport)
            targets = await self.find()
        except NotFoundError as error:
            if not self._is_lost:
                log.warning("trunk=%s %s", self.trunk.name, error)
                self._remember(str(error))
            self._is_lost = True
            return []
        self._is_lost = False
        addresses = self.addresses()
        if addresses != self._recognised:
            self._recognised = addresses
            self._exchange.trunks.recognise()
        return targets

    # Supervision

    async def _ask(self, target: Target) -> None:
        """One OPTIONS (RFC 3261 section 11): any answer but 503 and 408 is a sign of life."""
        try:
            flow = self.flow_to(target)
        except OSError as error:
            log.info("trunk=%s %s", self.trunk.name, error)
            self._remember(str(error))
            self._miss(target)
            return
        question = _Question(self, target)
        stack = self._exchange.core.stack
        identifiers = stack.identifiers
        domain = uri_host(self.trunk.host)
        own = f"<sip:{escape_user(self.trunk.account or 'beffroi')}@{self._exchange.domain}>"
        dialog = Dialog(identifiers.token(), own, identifiers.token(), f"<sip:{domain}>", "", flow)
        dialog.remote_target = f"sip:{domain}"
        dialog.route_set = list(route_of(self.trunk, target))
        branch = identifiers.branch()
        data = dialog.request(
            "OPTIONS", branch, 1, contact=contact_uri(flow), headers="Accept: application/sdp\r\n"
        )
        question.sent_at = self._now
        stack.send_request("OPTIONS", branch, data, flow, question, self._now)
        self._exchange.driver.wake()
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await question.over.wait()
        except TimeoutError:
            self._remember("OPTIONS was not answered")
            self._miss(target)

    def answered(self, target: Target, response: Response, delay_seconds: float) -> None:
        """An OPTIONS was answered, in time or late."""
        if response.status in {408, 503}:
            self._remember(f"OPTIONS: {response.status} {response.reason}")
            self.refused(response.get("retry-after"))
            self._miss(target)
            return
        self.last_delay_seconds = delay_seconds
        self.heard(target)

    def unanswered(self, target: Target) -> None:
        """Its transport failed."""
        self._remember("OPTIONS was not answered: the connection failed")
        self._miss(target)

    def _miss(self, target: Target) -> None:
        self._misses += 1
        self.missed(target)
        self._tell()

    def _remember(self, refusal: str) -> None:
        """Keep what was refused or missed last, for who looks after the trunk."""
        self.refusal, self.refused_at = refusal[:200], self._exchange.clock()

    def _tell(self) -> None:
        """Log and publish a change of state, once."""
        state = self.state
        if state is self._told:
            return
        before, self._told = self._told, state
        self.since = self._exchange.clock()
        worse = _RANKS[state] > _RANKS[before]
        (log.warning if worse else log.info)("trunk=%s is %s", self.trunk.name, state.value)
        self._exchange.events.publish(TrunkChanged, self.trunk.name, state.value, before.value)

    # Registration (sip.core.registration.RegistrationUser)

    def _start_registration(self) -> None:
        trunk = self.trunk
        secret = os.environ.get(trunk.secret.env, "") if trunk.secret is not None else ""
        if not secret:
            log.error("trunk=%s its secret is not set: it can't register", trunk.name)
        host = uri_host(trunk.host)
        port = f":{trunk.port}" if trunk.port not in {0, 5060} else ""
        self.registration = Registration(
            self._exchange.core.stack,
            self,
            username=trunk.username or "",
            password=secret,
            aor=f"sip:{escape_user(trunk.account)}@{host}",
            registrar=f"sip:{host}{port}",
            contact=trunk.account,
            uri_parameters="" if "no_line" in trunk.options else f";line={self.mark}",
            expires_seconds=trunk.register_seconds,
        )
        self.registration.start(self._now)

    def flow_wanted(self, now: float, *, failed: bool) -> None:
        """The registration wants a server to ask, the next one when the last one failed."""
        if failed and self._registering is not None:
            self.missed(self._registering)
        elif not failed:
            self._left.clear()
        self._tasks.start(self._give_flow(again=failed), f"registration {self.trunk.name}")

    async def _give_flow(self, *, again: bool) -> None:
        registration = self.registration
        assert registration is not None
        reason = "no server answers"
        if not again:
            try:
                self._left = deque(await self.find())
            except NotFoundError as error:
                reason = str(error)
        while self._left:
            target = self._left.popleft()
            try:
                flow = self._open(target)
            except OSError as error:
                reason = str(error)
                continue
            self._registering = target
            registration.send(flow, self._now, route_of(self.trunk, target))
            self._exchange.driver.wake()
            return
        registration.give_up(reason, self._now)
        self._exchange.driver.wake()

    def registered(self, now: float) -> None:
        """The registrar knows us."""
        assert self.registration is not None
        assert self.registration.flow is not None
        self._contact = self.registration.contact_uri(self.registration.flow)
        log.info(
            "trunk=%s registered over=%s seconds=%.0f",
            self.trunk.name,
            self.registration.flow,
            self.registration.until - now,
        )
        if self._registering is not None:
            self.heard(self._registering)
        self._tell()

    def unregistered(self, status: int, reason: str, now: float) -> None:
        """The registrar refused us, or none answered."""
        assert self.registration is not None
        self._remember(f"REGISTER: {status} {reason}")
        wait = (self.registration.deadline or now) - now
        log.warning(
            "trunk=%s not registered: %d %s; again in %.0f s", self.trunk.name, status, reason[:100], wait
        )
        self._tell()

    @property
    def _is_registered(self) -> bool:
        registration = self.registration
        return (
            registration is not None
            and registration.until > self._now
            and registration.state is not RegistrationState.STOPPED
        )

    @property
    def _transport(self) -> str:
        return TRANSPORTS[self.trunk.transport]

    @property
    def _now(self) -> float:
        return self._exchange.driver.now


class _Question:
    """One OPTIONS that waits for its answer (sip.core.transactions.invite_client.ClientUser)."""

    def __init__(self, line: Line, target: Target) -> None:
        self.sent_at = 0.0
        self.over = asyncio.Event()
        self._line = line
        self._target = target

    def response_received(self, response: Response, now: float) -> None:
        """Any final response."""
        if response.status >= 200:
            self.over.set()
            self._line.answered(self._target, response, now - self.sent_at)

    def no_response(self, reason: str, now: float) -> None:
        """A timeout was counted long before; a transport error is told at once."""
        if reason == "transport error":
            self.over.set()
            self._line.unanswered(self._target)
