"""The operators' lines: where they are, how many calls each may carry, calls over them in both directions."""

from __future__ import annotations

import hashlib
import logging
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dialplan.decision import Decision, Location, ToTrunks
from dialplan.plan import Plan, Trunk
from pbx.calls.call import Call
from pbx.calls.leg import Leg
from pbx.control import TrunkStatus
from pbx.trunks.diversions import diversion_lines
from pbx.trunks.invitation import invitation
from pbx.trunks.line import Line, LineState
from pbx.trunks.location import geolocation_lines, location_part
from pbx.trunks.recognition import Recognition, called_number, calling_number
from sip.core.dialog_request import Authorize
from sip.core.digest import authorization
from sip.core.flow import Flow, host_port
from sip.core.message import Request, Response
from sip.core.multipart import Part
from sip.net.resolver import NotFoundError, Target

if TYPE_CHECKING:
    from pbx.exchange import Exchange

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One server of one trunk to send a call to. last: the trunk has no other to try."""

    line: Line
    target: Target
    last: bool


@dataclass(frozen=True, slots=True)
class Caller:
    """What an operator says of a call: the number that it asks for, and who calls."""

    dialled: str
    number: str
    anonymous: bool


class Trunks:
    """The lines of the plan in force."""

    def __init__(self, exchange: Exchange, secret: bytes) -> None:
        """secret: random bytes, which make the marks in our Contacts unguessable."""
        self._exchange = exchange
        self._secret = secret
        self._lines: dict[str, Line] = {}
        self._busy: Counter[str] = Counter()
        self._handed_over: Counter[str] = Counter()
        self._recognition = Recognition((), {}, {})
        self._leaving: list[Line] = []  # of trunks that the plan no longer has, until they are stopped
        self._watching = False

    # The plan

    def load(self, plan: Plan) -> None:
        """Take the trunks of a plan. One that is unchanged goes on as it is; `settle` ends the others."""
        lines = {}
        for trunk in plan.trunks.values():
            line = self._lines.pop(trunk.name, None)
            if line is not None and _is_same(line.trunk, trunk):
                line.trunk = trunk
            else:
                mark = hashlib.blake2s(trunk.name.encode(), key=self._secret[:32], digest_size=16).hexdigest()
                if line is not None:
                    self._leaving.append(line)
                line = Line(self._exchange, trunk, mark)
            lines[trunk.name] = line
        self._leaving += self._lines.values()
        self._lines = lines
        self.recognise()

    async def settle(self) -> None:
        """After `load`: stop the lines that the plan no longer has, start the new ones if any are watched."""
        while self._leaving:
            await self._leaving.pop().stop()
        if self._watching:
            for line in self._lines.values():
                line.start()

    async def start(self) -> None:
        """Watch over every line: names, registrations, supervision; returns at once."""
        self._watching = True
        await self.settle()

    async def stop(self) -> None:
        """Stop watching; bindings at operators are taken away."""
        self._watching = False
        for line in self._lines.values():
            await line.stop()
        await self.settle()

    async def resolve(self) -> None:
        """Look up the trunks that are named, so that their calls are recognised from the start."""
        for line in list(self._lines.values()):
            try:
                await line.find()
            except NotFoundError as error:
                log.warning("trunk=%s %s", line.trunk.name, error)
        self.recognise()

    # Calls from operators

    def recognise(self) -> None:
        """Compile by what requests are a trunk's: its addresses as they are known now, and the rest."""
        marks = {
            line.mark: name
            for name, line in self._lines.items()
            if line.trunk.registers and "no_line" not in line.trunk.options
        }
        addresses = {name: line.addresses() for name, line in self._lines.items()}
        trunks = [line.trunk for line in self._lines.values()]
        self._recognition = Recognition(trunks, addresses, marks)

    def of_request(self, request: Request) -> str | None:
        """The trunk that a request comes over, None when it comes over none."""
        return self._recognition.of_request(request)

    def of_source(self, flow: Flow) -> str | None:
        """The trunk that whatever comes over a flow is from, None when it is none's."""
        return self._recognition.of_source(flow)

    def caller_of(self, name: str, request: Request, dialled: str) -> Caller:
        """What the operator says of a call over trunk `name`. dialled: what its Request-URI says."""
        trunk = self._lines[name].trunk
        country = self._exchange.plan.country
        number, shown = calling_number(trunk, request, country)
        return Caller(called_number(trunk, request, dialled, country), number, not shown)

    # Calls to operators

    def line(self, name: str) -> Line:
        """The line of a trunk of the plan in force. Raises KeyError."""
        return self._lines[name]

    def attempts(self, names: Sequence[str], *, emergency: bool) -> Iterator[Attempt]:
        """Which servers to try, in order, as far as names are known; `unknown` has the rest.

        Trunks that are up come before those that aren't; nothing is sent to one that asked us to wait. An
        emergency call goes from trunk to trunk before it tries a trunk's second server, and leaves none out.
        """
        lines = sorted((self._lines[name] for name in names if name in self._lines), key=_rank)
        if not emergency:
            lines = [line for line in lines if line.state is not LineState.REFUSING]
        servers = [(line, line.targets()) for line in lines]
        if emergency:
            longest = max((len(targets) for _, targets in servers), default=0)
            for turn in range(longest):
                for line, targets in servers:
                    if turn < len(targets):
                        yield Attempt(line, targets[turn], last=False)
            return
        for line, targets in servers:
            for turn, target in enumerate(targets):
                yield Attempt(line, target, last=turn == len(targets) - 1)

    def unknown(self, names: Sequence[str]) -> list[Line]:
        """The lines without any server that we know of yet."""
        return [line for name in names if (line := self._lines.get(name)) and not line.targets()]

    def down(self) -> frozenset[str]:
        """The trunks that supervision says are down; none where all are: a call may as well try them."""
        down = frozenset(name for name, line in self._lines.items() if line.state is LineState.DOWN)
        return down if len(down) < len(self._lines) else frozenset()

    def seize(self, line: Line, *, emergency: bool) -> bool:
        """Take a channel of a line; False where it is full. What was seized is to be freed.

        An ordinary call leaves the emergency channels alone.
        """
        trunk = line.trunk
        channels = trunk.channels if emergency else trunk.channels - trunk.emergency_channels
        if self._busy[trunk.name] >= channels:
            log.warning("trunk=%s all channels are busy", trunk.name)
            return False
        self.occupy(trunk.name)
        return True

    def occupy(self, name: str) -> None:
        """Count a channel as taken: a call from the operator takes one without asking."""
        self._busy[name] += 1

    def hand_over(self, name: str) -> None:
        """A channel goes on in another call: of the two that give it back, the first one means nothing."""
        self._handed_over[name] += 1

    def free(self, name: str) -> None:
        """Give a channel back."""
        if self._handed_over[name]:
            self._handed_over[name] -= 1
            return
        self._busy[name] -= 1
        if self._busy[name] <= 0:
            del self._busy[name]

    def invite(
        self,
        call: Call,
        attempt: Attempt,
        flow: Flow,
        number: str,
        body: bytes,
        *,
        anonymous: bool,
        emergency: bool,
        located: bool = False,
    ) -> Leg:
        """Call a number over a seized channel. located: tell where an emergency call's device is."""
        line = attempt.line
        trunk = line.trunk
        domain = self._exchange.domain
        decision = call.decision
        shown = shown_by(decision, trunk.name)
        headers, attached, name = "", None, call.from_name
        if decision.diversions:
            name = name or decision.original_caller or ""  # all that the callee learns of who calls
            headers = diversion_lines(call.plan, trunk, decision.diversions, number, domain)
        if located and decision.emergency is not None:
            headers += geolocation_lines(domain)
            attached = self._location(call, decision.emergency.location, shown)
        says = invitation(
            trunk,
            call.plan.country,
            flow,
            number,
            shown=shown,
            name=name,
            domain=domain,
            anonymous=anonymous,
            emergency=emergency,
            original=(decision.original_caller or "") if decision.diversions else "",
        )
        return call.invite(
            trunk.name,
            says.uri,
            flow,
            body,
            local_address=says.from_,
            remote_address=says.to,
            headers=says.headers + headers,
            authorize=self.authorize(trunk),
            routes=line.routes(attempt.target),
            contact=says.contact,
            attached=attached,
        )

    def _location(self, call: Call, location: Location, shown: str) -> Part:
        plan = call.plan
        site = plan.sites.get(location.site)
        return location_part(
            location,
            title=site.title if site is not None and location.source != "confirmed" else "",
            country=plan.country.code,
            number=shown,
            domain=self._exchange.domain,
            at=self._exchange.clock(),
        )

    def authorize(self, trunk: Trunk) -> Authorize | None:
        """Who answers the challenges of a trunk; None where it has no account."""
        username = trunk.username
        secret = os.environ.get(trunk.secret.env) if trunk.secret is not None else None
        if username is None or secret is None:
            return None

        def answer(challenge: Response, method: str, uri: str) -> str:
            proxy = challenge.status == 407
            values = challenge.headers.get("proxy-authenticate" if proxy else "www-authenticate", [])
            cnonce = self._exchange.core.stack.identifiers.token()
            return authorization(values, username, secret, method, uri, cnonce, proxy=proxy)

        return answer

    # What is known

    def statuses(self) -> list[TrunkStatus]:
        """What `beffroi trunk list` shows."""
        return [self._status(line) for line in self._lines.values()]

    def _status(self, line: Line) -> TrunkStatus:
        trunk = line.trunk
        until = line.registered_until
        now = self._exchange.driver.now
        delay = line.last_delay_seconds
        refusal = line.registration.status if line.registration is not None else 0
        return TrunkStatus(
            name=trunk.name,
            host=trunk.host,
            state=line.state.value,
            registers=trunk.registers,
            registered_until=None if until is None else self._exchange.clock() + until - now,
            registration_status=refusal or None,
            channels=trunk.channels,
            emergency_channels=trunk.emergency_channels,
            channels_in_use=self._busy.get(trunk.name, 0),
            options_delay_ms=None if delay is None else round(delay * 1000, 1),
            servers=[
                f"{target.transport.lower()} {host_port((target.address, target.port))}"
                for target in line.targets()
            ],
            since=line.since,
            refusal=line.refusal,
            refused_at=line.refused_at,
        )

    def inventory(self) -> dict[str, int]:
        """What is taken or runs: zero at rest, once it was stopped."""
        lines = [*self._lines.values(), *self._leaving]
        return {
            "trunk channels": sum(self._busy.values()),
            "trunk tasks": sum(line.tasks for line in lines),
        }


def shown_by(decision: Decision, trunk: str) -> str:
    """The number of ours that a trunk is to show, "" for none; an emergency call shows what each may."""
    emergency, target = decision.emergency, decision.target
    if emergency is not None and isinstance(target, ToTrunks) and trunk in target.trunks:
        return emergency.shown[target.trunks.index(trunk)] or ""
    return decision.caller_id or ""


def _rank(line: Line) -> int:
    return line.rank


def _is_same(one: Trunk, other: Trunk) -> bool:
    """Whether two trunks are the same but for where they are written."""
    placed = ("line", "column")
    names = [name for name in Trunk.__slots__ if name not in placed]
    return all(getattr(one, name) == getattr(other, name) for name in names)
