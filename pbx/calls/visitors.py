"""Visitors of the town's site: who they may call, how many at once, and that each password works once.

    INVITE sip:SERVICE from `visitor` ──> digest ──> its button's service, and nothing else
                                             └─ used, over, another service, too many ──> refused

All of it is seen to here, whatever their page does. A visitor's leg belongs to no device: it registers
nowhere, transfers nobody, watches nothing. Where it calls for help it isn't a visitor any more but what any
stranger is: let in on a site's own network, refused elsewhere.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from dialplan.country import OutsideNumber
from dialplan.decision import Decision, Facts, Reject, ToService
from dialplan.dialled import read_dialled
from dialplan.plan import Destination, Service
from dialplan.routing import route_onward
from pbx.calls.call import Call
from pbx.calls.dialled import dialled_number
from pbx.calls.leg import Leg
from pbx.click_to_call import Button
from pbx.nat import is_behind_nat
from pbx.people.visitor_passwords import LASTING_SECONDS, USER, VisitorName, VisitorPasswords, visitor_of
from pbx.queues.place import Place
from sip.core.digest import MD5_ONLY, Authenticator, Credentials, Verdict
from sip.core.errors import ParseError, RemoteProtocolError
from sip.core.message import Request
from sip.core.transactions.invite_server import InviteServer

if TYPE_CHECKING:
    from pbx.exchange import Exchange

log = logging.getLogger(__name__)

PAGES = frozenset({"WS", "WSS"})
MOST_CALL_BACKS = 20  # of each button, that wait at once
CALL_BACK_RIGHTS = frozenset({"national", "mobile"})
LANGUAGES = ("fr", "en")


class Doorway(NamedTuple):
    """How a button is now. in_progress: its calls; answers: whether somebody or something answers it.

    is_open: whether its service itself does, by its hours; calls_back: whether a number may be left.
    """

    in_progress: int
    answers: bool
    is_open: bool
    calls_back: bool


class Visitors:
    """Those of one node. passwords: None where nobody may call by a button."""

    def __init__(self, exchange: Exchange, secret: bytes) -> None:
        self._exchange = exchange
        self._authenticator = Authenticator(exchange.domain, secret + b"visitors")
        self._buttons: dict[str, Button] = {}
        self._passwords: VisitorPasswords | None = None
        self._began_at = exchange.clock()
        self._used: dict[str, float] = {}  # nonces, each with when it is over anyway

    def allow(self, buttons: Iterable[Button], passwords: VisitorPasswords) -> None:
        """From now on these buttons may be called."""
        self._buttons = {button.name: button for button in buttons}
        self._passwords = passwords

    def is_one(self, request: Request, dialled: str) -> bool:
        """Whether an INVITE over a WebSocket says that it is a visitor's, and doesn't call for help."""
        if not self._buttons or self._exchange.plan.is_emergency(dialled):
            return False
        try:
            return request.from_.sip_uri.user == USER
        except ParseError:
            return False

    # A call

    def invite_received(self, request: Request, transaction: InviteServer, now: float) -> None:
        """Let a visitor call the service of a button. Raises RemoteProtocolError to be answered."""
        exchange = self._exchange
        button = self.button_of(request, transaction, now)
        if button is None:
            return  # challenged
        if request.max_forwards == 0:
            raise RemoteProtocolError(483, "Too Many Hops")
        if b"m=" not in request.body:
            raise RemoteProtocolError(488, "Not Acceptable Here")
        flow = request.flow
        assert flow is not None
        decision, facts = self.decide(button, flow.remote[0])
        call = Call(exchange, exchange.plan, decision, request.body, request.max_forwards - 1)
        call.facts, call.direction, call.language = facts, "inbound", language_asked(request)
        call.from_number, call.from_name = "", button.device
        call.caller = Leg(call, "a", button.device, flow, behind_nat=is_behind_nat(request, flow.remote[0]))
        call.legs.append(call.caller)
        app = exchange.router.app_of(decision)
        call.caller.session = exchange.core.accept(request, transaction, call.caller)
        exchange.begin(call, app)

    def button_of(self, request: Request, transaction: InviteServer, now: float) -> Button | None:
        """The button whose service a visitor may call; None when a challenge was sent.

        Raises RemoteProtocolError 403 for a password that is wrong, over, used, or for another service; 486
        where too many call already.
        """
        exchange, gate = self._exchange, self._exchange.gate
        assert request.flow is not None
        host = request.flow.remote[0]
        verdict, username = self._authenticator.verify(
            request.headers.get("authorization", []), request.method, request.uri, self._credentials, now
        )
        if verdict is Verdict.WRONG:
            log.warning("visitor=%s wrong credentials from=%s", username[:60], request.flow)
            gate.wrong_credentials(host, USER, now, known_user=False)
            raise RemoteProtocolError(403, "Forbidden")
        if verdict is not Verdict.ACCEPTED:
            if not gate.answers_stranger(host, now, request.get("user-agent")):
                exchange.core.stack.ignore(transaction)
                return None
            challenge = self._authenticator.challenge(now, MD5_ONLY, stale=verdict is Verdict.STALE)
            exchange.core.stack.answer_stranger(transaction, 401, headers=challenge)
            return None
        name = visitor_of(username)
        button = self._buttons[name.button]
        if dialled_number(request.uri) != button.service:
            log.warning("visitor=%s calls %s from=%s", username[:60], request.uri[:60], request.flow)
            raise RemoteProtocolError(403, "Another Service")
        self._use(name)
        if self.in_progress(button) >= button.most_calls:
            raise RemoteProtocolError(486, "All Lines Busy")
        return button

    def _credentials(self, username: str) -> Credentials | None:
        try:
            button = self._buttons.get(visitor_of(username).button)
        except ValueError:
            return None
        if button is None or self._passwords is None:
            return None
        return self._passwords.credentials(username, button.service)

    def _use(self, name: VisitorName) -> None:
        """Let a password work, for the only time. One that a process before may have let in is refused."""
        unix_now = self._exchange.clock()
        self._used = {nonce: ends_at for nonce, ends_at in self._used.items() if ends_at > unix_now}
        is_older = name.ends_at - LASTING_SECONDS < int(self._began_at)
        if name.ends_at <= unix_now or is_older or name.ends_at > unix_now + LASTING_SECONDS + 1:
            raise RemoteProtocolError(403, "Password Expired")
        if name.nonce in self._used:
            raise RemoteProtocolError(403, "Password Used")
        self._used[name.nonce] = name.ends_at

    def decide(self, button: Button, host: str) -> tuple[Decision, Facts]:
        """Where a visitor's call goes, and from what that was decided. host: the visitor's address."""
        exchange = self._exchange
        unix_now = exchange.clock()
        facts = Facts(
            button.service,
            anonymous=True,
            address=host,
            spending=exchange.spending,
            conditions=exchange.conditions.at(unix_now),
        )
        to = Destination("service", button.service, 0, 0)
        now = datetime.fromtimestamp(unix_now, UTC)
        return route_onward(exchange.plan, facts, now, to, button.device), facts

    def in_progress(self, button: Button) -> int:
        """How many visitors are in a call by a button."""
        return sum(leg.device == button.device and leg.session is not None for leg in self._exchange.legs())

    # What their page is told

    def doorway(self, name: str) -> Doorway | None:
        """How a button is now; None where there is none, or its service isn't in the plan."""
        button = self._buttons.get(name)
        service = self._service(name)
        if button is None or service is None:
            return None
        decision, _ = self.decide(button, "")
        target = decision.target
        return Doorway(
            self.in_progress(button),
            not isinstance(target, Reject),
            isinstance(target, ToService) and target.name == service.name,
            self._calls_back(service),
        )

    def call_back(self, name: str, number: str) -> str:
        """Keep a visitor's number until an agent of the queue calls it; returns why not, "" when it is kept.

        Only numbers in the country that cost little, and that the queue's agents may call.
        """
        exchange = self._exchange
        service = self._service(name)
        if service is None or not self._calls_back(service):
            return "nobody calls back here"
        plan = exchange.plan
        reading = plan.country.read(read_dialled(number, plan.country))
        if not isinstance(reading, OutsideNumber) or reading.right not in CALL_BACK_RIGHTS:
            return "this is no number that can be called back"
        call_backs, unix_now = exchange.queues.call_backs, exchange.clock()
        prefix = f"click-{name}-"
        waiting = [place for place in call_backs.of(service.name) if place.call.startswith(prefix)]
        if len(waiting) >= MOST_CALL_BACKS:
            return "too many numbers wait already"
        place = Place(
            f"{prefix}{exchange.core.stack.identifiers.token()[:12]}",
            reading.number,
            service,
            exchange.queues.members(service),
            unix_now,
            unix_now,
            exchange.driver.now,
            lambda: None,
        )
        if not call_backs.may_be_called(place):
            return "this is no number that can be called back"
        return "" if call_backs.keep(place) else "this can't be kept now"

    def _service(self, name: str) -> Service | None:
        button = self._buttons.get(name)
        return self._exchange.plan.services.get(button.service) if button is not None else None

    def _calls_back(self, service: Service) -> bool:
        return service.type == "queue" and "callback" in service.settings


def language_asked(request: Request) -> str:
    """The language that a visitor's page is read in (RFC 3261 section 20.3); "" for none of ours."""
    asked = request.get("accept-language")[:2].lower()
    return asked if asked in LANGUAGES else ""
