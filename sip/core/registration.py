"""Our own registration at somebody else's registrar: a trunk that wants one (RFC 3261 section 10.2).

    start
      v
+---------+ <------------------------- refresh, well before the end ------------+
| WANTING | <- the last flow failed, and the owner has another one -+           |
+---------+ <- the wait is over --------------------------------+   |           |
  | send(flow): REGISTER                                        |   |           |
  v                                                             |   |           |
+--------+ -- 401, 407, 423: REGISTER again ---> (ASKING)       |   |           |
| ASKING | -- 408, 5xx, transport error: another flow? ---------+---+           |
+--------+ -- 2xx with our Contact --> REGISTERED ------------------------------+
  |        -- any other answer ------> WAITING (growing, or as Retry-After says)
  v
 stop(): REGISTER with Expires 0 where something is bound --> STOPPED

The owner finds flows, which may take it a question to a name server: the machine says when it wants one.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Protocol

from sip.core.dialog import Dialog
from sip.core.digest import authorization, says_stale
from sip.core.errors import ParseError
from sip.core.flow import Flow
from sip.core.grammar import parse_number
from sip.core.message import REASONS, Response
from sip.core.name_addr import NameAddr
from sip.core.session import contact_uri
from sip.core.stack import Stack
from sip.core.uri import SipUri, equal, escape_user

FIRST_WAIT_SECONDS = 10.0
LONGEST_WAIT_SECONDS = 600.0
REFUSED_WAIT_SECONDS = 300.0  # a wrong password: registrars ban those who insist
SHORTEST_EXPIRES_SECONDS = 30
LONGEST_EXPIRES_SECONDS = 86_400
LONGEST_RETRY_AFTER_SECONDS = 3_600
MAX_TRIES = 5  # challenge, interval too brief, a stale nonce, and their answers
MAX_ROUTES = 8

# RFC 3263 section 4.3: what says that this server can't answer, and another may.
_ELSEWHERE = frozenset({408, 500, 502, 503, 504})
_FINAL_REFUSALS = frozenset({401, 403, 404, 407})


class RegistrationState(Enum):
    """Where the machine stands."""

    WANTING = auto()
    ASKING = auto()
    REGISTERED = auto()
    WAITING = auto()
    STOPPED = auto()


class RegistrationUser(Protocol):
    """Who owns a registration."""

    def flow_wanted(self, now: float, *, failed: bool) -> None:
        """Call `send` now or later, or `give_up` when there is none. failed: the last flow led nowhere."""

    def registered(self, now: float) -> None:
        """We are registered; `until`, `flow` and `service_routes` tell more."""

    def unregistered(self, status: int, reason: str, now: float) -> None:
        """We were refused; `deadline` says when it is tried again. Called at each failed attempt."""


class Registration:
    """One account at one registrar.

    account: user and password. aor: our address of record, `sip:user@domain`; registrar: the Request-URI.
    contact: the user part of our Contact, and uri_parameters what follows its address (`;line=…`).
    RFC 3261 section 10.2: one Call-ID and rising CSeq for all of it.
    """

    def __init__(
        self,
        stack: Stack,
        user: RegistrationUser,
        *,
        username: str,
        password: str,
        aor: str,
        registrar: str,
        contact: str,
        uri_parameters: str = "",
        expires_seconds: int = 600,
    ) -> None:
        self.state = RegistrationState.WANTING
        self.deadline: float | None = None
        self.armed: float | None = None
        self.until = 0.0  # when the binding ends, on the stack's clock
        self.status = 0  # of the last refusal, 0 while all is well
        self.flow: Flow | None = None  # the one that the registrar knows us by
        self.service_routes: tuple[str, ...] = ()  # RFC 3608 section 5, as received
        self._stack = stack
        self._user: RegistrationUser = user
        self._username = username
        self._password = password
        self._contact = contact
        self._uri_parameters = uri_parameters
        self._expires = expires_seconds
        self._failures = 0
        self._tries = 0
        self._answered = False  # a challenge: a second one is a refusal, unless our nonce was stale
        self._asking_flow: Flow | None = None
        identifiers = stack.identifiers
        # Outside a dialog a request has the same headers as within one, but for the remote tag.
        self._dialog = Dialog(identifiers.token(), f"<{aor}>", identifiers.token(), f"<{aor}>", "", _NOWHERE)
        self._dialog.remote_target = registrar

    # For the owner

    def start(self, now: float) -> None:
        """Begin; the first thing is to want a flow."""
        self._want(now, failed=False)

    def send(self, flow: Flow, now: float, routes: tuple[str, ...] = ()) -> None:
        """Register over a flow, which was wanted. routes: the Route values that lead to the registrar."""
        if self.state is not RegistrationState.WANTING:
            return
        self._dialog.route_set = list(routes)
        self.state = RegistrationState.ASKING
        self._asking_flow = flow
        self._tries = 0
        self._answered = False
        self._ask(self._expires, "", now)

    def give_up(self, reason: str, now: float) -> None:
        """No flow is left: wait, and want one again."""
        if self.state is RegistrationState.WANTING:
            self._wait(self.status or 503, reason, now)

    def refresh(self, now: float) -> None:
        """Register again at once: the flow broke, or our address is another one."""
        if self.state in {RegistrationState.REGISTERED, RegistrationState.WAITING}:
            self._failures = 0
            self._want(now, failed=False)

    def stop(self, now: float) -> None:
        """Take the binding away where there is one (10.2.2); nobody waits for the answer."""
        bound = self.flow is not None and now < self.until
        if self.state is not RegistrationState.STOPPED and bound:
            self._asking_flow = self.flow
            self._tries = 0
            self._answered = False
            self.state = RegistrationState.STOPPED
            self._ask(0, "", now)
        self.state = RegistrationState.STOPPED
        self.deadline = None
        self.until = 0.0

    # From the timers

    def fire(self, now: float) -> None:
        """A refresh is due, or a wait is over."""
        self.deadline = None
        if self.state in {RegistrationState.REGISTERED, RegistrationState.WAITING}:
            self._want(now, failed=False)

    # From the transaction

    def response_received(self, response: Response, now: float) -> None:
        """A response to our REGISTER."""
        if response.status < 200:
            return
        try:
            self._answer(response, now)
        except ParseError as error:
            self._refuse(response.status, f"unreadable answer: {error}", now)

    def no_response(self, reason: str, now: float) -> None:
        """8.1.3.1: as 408, or 503 for a transport error."""
        if self.state is not RegistrationState.STOPPED:
            self._refuse(503 if reason == "transport error" else 408, reason, now)

    def _answer(self, response: Response, now: float) -> None:
        status = response.status
        if status in {401, 407} and self._tries < MAX_TRIES and self._password:
            credentials = self._credentials(response)
            if credentials:
                self._ask(0 if self.state is RegistrationState.STOPPED else self._expires, credentials, now)
                return
        if self.state is RegistrationState.STOPPED:
            return
        if status < 300:
            self._succeed(response, now)
        elif status == 423 and self._tries < MAX_TRIES:
            least = parse_number(response.only("min-expires"), "Min-Expires", LONGEST_EXPIRES_SECONDS)
            if least <= self._expires:
                self._refuse(status, "Interval Too Brief", now)
                return
            self._expires = least  # 10.2.8; the nonce may serve once only: credentials aren't repeated
            self._answered = False
            self._ask(self._expires, "", now)
        else:
            reason = response.reason or REASONS.get(status, "")
            self._refuse(status, reason, now, retry_after_seconds(response.get("retry-after")))

    def _credentials(self, response: Response) -> str:
        """The line that answers a challenge; empty where it says that our password is wrong (22.2)."""
        proxy = response.status == 407
        values = response.headers.get("proxy-authenticate" if proxy else "www-authenticate", [])
        if self._answered and not says_stale(response):
            return ""
        self._answered = True
        return authorization(
            values,
            self._username,
            self._password,
            "REGISTER",
            self._dialog.remote_target,
            self._stack.identifiers.token(),
            proxy=proxy,
        )

    def _ask(self, expires_seconds: int, credentials: str, now: float) -> None:
        flow = self._asking_flow
        assert flow is not None
        self._tries += 1
        dialog = self._dialog
        dialog.flow = flow
        dialog.local_sequence += 1
        branch = self._stack.identifiers.branch()
        data = dialog.request(
            "REGISTER",
            branch,
            dialog.local_sequence,
            contact=self.contact_uri(flow),
            headers=f"Expires: {expires_seconds}\r\n{credentials}",
        )
        self._stack.send_request("REGISTER", branch, data, flow, self, now)

    def contact_uri(self, flow: Flow) -> str:
        """Our Contact on a flow: where the registrar sends calls."""
        own = contact_uri(flow).replace("sip:", f"sip:{escape_user(self._contact)}@", 1)
        return own + self._uri_parameters

    def _succeed(self, response: Response, now: float) -> None:
        flow = self._asking_flow
        assert flow is not None
        granted = granted_seconds(response, SipUri.parse(self.contact_uri(flow)), self._expires)
        if granted <= 0:
            self._refuse(response.status, "our Contact isn't among the bindings", now)
            return
        granted = min(granted, LONGEST_EXPIRES_SECONDS)
        self.state = RegistrationState.REGISTERED
        self.flow = flow
        self.until = now + granted
        self.status = 0
        self._failures = 0
        self.service_routes = _service_routes(response)
        # Well before the end: at half of a short binding, a minute and more before the end of a long one.
        self.deadline = now + (granted / 2 if granted < 600 else granted * 0.8)
        self._stack.timers.arm(self)
        self._user.registered(now)

    def _refuse(self, status: int, reason: str, now: float, retry_seconds: float = 0.0) -> None:
        self.status = status
        if status in _ELSEWHERE and not retry_seconds:
            self._want(now, failed=True)  # RFC 3263 section 4.3: the next address, if there is one
            return
        self._wait(status, reason, now, retry_seconds)

    def _wait(self, status: int, reason: str, now: float, retry_seconds: float = 0.0) -> None:
        self.state = RegistrationState.WAITING
        self.status = status
        if retry_seconds:
            seconds = min(retry_seconds, LONGEST_RETRY_AFTER_SECONDS)
        elif status in _FINAL_REFUSALS:
            seconds = REFUSED_WAIT_SECONDS
        else:
            # RFC 5626 section 4.5: doubling, and drawn from its upper half so that a town's nodes don't all
            # come back at once.
            longest = min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2 ** min(self._failures, 16))
            chance = int(self._stack.identifiers.token()[:4], 16) / 0xFFFF
            seconds = longest * (0.5 + chance / 2)
        self._failures += 1
        self.deadline = now + seconds
        self._stack.timers.arm(self)
        self._user.unregistered(status, reason, now)

    def _want(self, now: float, *, failed: bool) -> None:
        self.state = RegistrationState.WANTING
        self.deadline = None
        self._user.flow_wanted(now, failed=failed)


def retry_after_seconds(value: str) -> float:
    """What a Retry-After asks for (20.33), 0 where there is none or none that can be read."""
    digits = value.partition(";")[0].partition("(")[0].strip()
    if not digits.isascii() or not digits.isdigit() or len(digits) > 10:
        return 0.0
    return float(digits)


def granted_seconds(response: Response, ours: SipUri, asked: int) -> int:
    """How long our Contact is bound (10.2.4), 0 when it isn't. Raises ParseError.

    A registrar behind a border controller may write our Contact with other parameters, or with the address
    that it saw: where it lists one binding only, that is ours.
    """
    default = response.expires if response.expires is not None else asked
    contacts = [contact for contact in response.contacts if contact.uri != "*"]
    for contact in contacts:
        if equal(SipUri.parse(contact.uri), ours) or len(contacts) == 1 or _same_user(contact, ours):
            expires = contact.parameters.get("expires")
            return parse_number(expires, "expires", (1 << 32) - 1) if expires else default
    return 0 if contacts else default  # some registrars list nothing, and mean yes


def _same_user(contact: NameAddr, ours: SipUri) -> bool:
    theirs = SipUri.parse(contact.uri)
    return theirs.user == ours.user and theirs.parameters.get("line") == ours.parameters.get("line")


def _service_routes(response: Response) -> tuple[str, ...]:
    """The Service-Route of a 200, each an address with a SIP URI; empty where one can't be read."""
    routes = response.values("service-route")[:MAX_ROUTES]
    try:
        for route in routes:
            SipUri.parse(NameAddr.parse(route).uri)
    except ParseError:
        return ()
    return tuple(routes)


_NOWHERE = Flow("UDP", ("0.0.0.0", 0), ("0.0.0.0", 0))  # noqa: S104 (no socket: until the owner gives a flow)
