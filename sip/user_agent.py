"""The awaitable face of the SIP core: what a softphone does, as straight-line code.

    phone = UserAgent(Account("1001", "secret", "valmont.example"), seed)
    phone.outbound = UdpTransport(phone.driver, bound).flow_to(("192.0.2.10", 5060))
    await phone.register()
    call = phone.invite("1002", offer)
    answer = await call.answered()
    call.hang_up()

A call's facts can be awaited in any order, by several tasks and after they happened; a task that stops
waiting changes nothing for the others. It works on any loop that a driver works on, the virtual world's
included.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from sip.core.dialog import Dialog
from sip.core.dialog_request import DialogRequest
from sip.core.digest import authorization, says_stale
from sip.core.errors import LocalProtocolError, ParseError, RemoteProtocolError, SipError
from sip.core.flow import Flow
from sip.core.grammar import parse_number, quote
from sip.core.identifiers import Identifiers
from sip.core.incoming_session import IncomingSession
from sip.core.inspection import ALLOWED
from sip.core.message import REASONS, Request, Response
from sip.core.name_addr import NameAddr
from sip.core.outgoing_session import OutgoingSession
from sip.core.pager import Page, page_of
from sip.core.reason import Reason
from sip.core.session import NORMAL_CLEARING, SessionState, contact_uri
from sip.core.stack import ServerTransaction
from sip.core.subscriber import OutgoingSubscription, SubscriberState
from sip.core.transactions.invite_server import InviteServer
from sip.core.ua_core import UserAgentCore
from sip.core.uri import SipUri, equal, escape_user
from sip.net.driver import Driver

T = TypeVar("T")

REGISTER_SECONDS = 3600
MAX_SECONDS = (1 << 32) - 1
MAX_DOCUMENTS = 32  # of a subscription, that nobody has read
MAX_WAITING_TEXTS = 1000  # received texts that nobody has read; the next one is refused for now
MAX_WAITING_CALLS = 8  # incoming calls that nobody has taken up; the next caller hears busy
REGISTER_ATTEMPTS = 4  # challenge, interval too brief, challenge, answer

GAVE_UP = Reason("SIP", 487, "Request Terminated")
DECLINED = Reason("SIP", 603, "Decline")


class RegistrationRefused(SipError):
    """The registrar didn't register us. status is 408 or 503 where it didn't answer (8.1.3.1)."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"{status} {reason}".strip())
        self.status = status
        self.reason = reason


class CallFailed(SipError):
    """What was awaited can't happen any more: the call was refused, cancelled or lost."""

    def __init__(self, status: int, reason: Reason) -> None:
        super().__init__(f"{status} {reason.text}".strip())
        self.status = status
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Account:
    """Who we are at a registrar. user is the sign-in too; domain is host or host:port."""

    user: str
    password: str = field(repr=False)
    domain: str
    name: str = ""

    @property
    def address(self) -> str:
        """Our From, without a tag."""
        uri = f"<sip:{escape_user(self.user)}@{self.domain}>"
        return f"{quote(self.name)} {uri}" if self.name else uri

    def uri_of(self, to: str) -> str:
        """The URI that dialling `to` asks for: a number or name of our domain, or a URI as it is."""
        if to.lower().startswith(("sip:", "sips:", "tel:", "urn:")):
            return to
        return f"sip:{escape_user(to)}@{self.domain}"


@dataclass(frozen=True, slots=True)
class Text:
    """A short message that came (RFC 3428). sender: the URI in From."""

    sender: str
    page: Page


class UserAgent:
    """One account on one flow.

    seed: unpredictable bytes for tags, branches and Call-IDs. driver: what the transport brings messages to.
    outbound: where all requests leave; to be set before the first one.
    """

    def __init__(self, account: Account, seed: bytes) -> None:
        self.account = account
        self.loop = asyncio.get_running_loop()
        self.core = UserAgentCore(Identifiers(seed), self, methods=(*ALLOWED, "MESSAGE"))
        self.driver = Driver(self.core)
        self._outbound: Flow | None = None
        self._registration: Dialog | None = None
        self._waiting: asyncio.Queue[IncomingCall] = asyncio.Queue(MAX_WAITING_CALLS)
        self._texts: asyncio.Queue[Text] = asyncio.Queue(MAX_WAITING_TEXTS)

    @property
    def outbound(self) -> Flow:
        """The flow to the registrar and proxy. Raises LocalProtocolError before it is set."""
        if self._outbound is None:
            raise LocalProtocolError("the user agent has no outbound flow")
        return self._outbound

    @outbound.setter
    def outbound(self, flow: Flow) -> None:
        self._outbound = flow
        self._registration = None

    # Registration

    async def register(self, seconds: int = REGISTER_SECONDS) -> int:
        """Ask that calls come to us; returns the seconds granted, after which it is to be done again.

        A challenge is answered once, and again where it says that our nonce was too old; an interval too
        brief is lengthened once (10.2.8).
        Raises RegistrationRefused.
        """
        if not 0 < seconds <= MAX_SECONDS:
            raise LocalProtocolError(f"register for {seconds} s")
        return await self._register(seconds)

    async def unregister(self) -> None:
        """Take our binding away (10.2.2). Raises RegistrationRefused."""
        await self._register(0)

    async def _register(self, seconds: int) -> int:
        account, flow = self.account, self.outbound
        registrar = f"sip:{account.domain}"
        contact = contact_uri(flow).replace("sip:", f"sip:{escape_user(account.user)}@", 1)
        dialog = self._registration or self._dialog(registrar, account.address)
        self._registration = dialog  # RFC 3261 10.2: one Call-ID and rising CSeq for all our registrations
        credentials = ""
        response = Response(408, "", {})
        for _ in range(REGISTER_ATTEMPTS):
            headers = f"Expires: {seconds}\r\n{credentials}"
            response = await self._ask("REGISTER", dialog, contact=contact, headers=headers)
            try:
                if response.status < 300:
                    granted = _granted_seconds(response, SipUri.parse(contact), seconds)
                    if seconds and not granted:
                        raise RegistrationRefused(response.status, "our Contact isn't among the bindings")
                    return granted
                if response.status in {401, 407} and (not credentials or says_stale(response)):
                    credentials = self.authorize(response, "REGISTER", registrar)
                elif response.status == 423 and (longer := _least_seconds(response)) > seconds > 0:
                    seconds, credentials = longer, ""  # a nonce may serve once only
                else:
                    break
            except ParseError as error:
                raise RegistrationRefused(response.status, f"unreadable: {error}") from error
        raise RegistrationRefused(response.status, response.reason)

    async def options(self, to: str = "") -> int:
        """Ask whether the registrar, or `to`, is there (11); returns its status, 408 or 503 for no answer."""
        account = self.account
        uri = account.uri_of(to) if to else f"sip:{account.domain}"
        response = await self._ask("OPTIONS", self._dialog(uri, f"<{uri}>"))
        return response.status

    async def send_text(self, to: str, text: str) -> int:
        """Send a short message (RFC 3428); returns its status, 408 or 503 where no answer came."""
        uri = self.account.uri_of(to)
        final = _Final(self.loop)
        DialogRequest(
            self.core.stack,
            self._dialog(uri, f"<{uri}>"),
            "MESSAGE",
            final,
            authorize=self.authorize,
            body=text.encode("utf-8", "replace"),
            content_type="text/plain;charset=UTF-8",
        ).send(self.driver.now)
        self.driver.wake()
        return (await final.response).status

    async def text(self) -> Text:
        """The next short message that comes to us; its sender has heard 200."""
        return await self._texts.get()

    def watch(self, to: str, event: str, content_type: str, seconds: int = REGISTER_SECONDS) -> Watch:
        """Subscribe to an event of a number, name or URI (RFC 6665); refreshed until `Watch.end`."""
        return Watch(self, self.account.uri_of(to), event, content_type, seconds)

    async def _ask(self, method: str, dialog: Dialog, *, contact: str = "", headers: str = "") -> Response:
        """Send a request outside a dialog; returns the final response, ours where none came (8.1.3.1)."""
        stack = self.core.stack
        dialog.local_sequence += 1
        branch = stack.identifiers.branch()
        data = dialog.request(method, branch, dialog.local_sequence, contact=contact, headers=headers)
        final = _Final(self.loop)
        stack.send_request(method, branch, data, dialog.flow, final, self.driver.now)
        self.driver.wake()
        return await final.response

    def _dialog(self, uri: str, remote_address: str) -> Dialog:
        """A request outside a dialog has the same headers as one within, but for the remote tag."""
        identifiers = self.core.stack.identifiers
        local = self.account.address
        dialog = Dialog(identifiers.token(), local, identifiers.token(), remote_address, "", self.outbound)
        dialog.remote_target = uri
        return dialog

    def authorize(self, challenge: Response, method: str, uri: str) -> str:
        """The header line that answers a 401 or 407 (22.2, 22.3). Raises ParseError when we can't."""
        proxy = challenge.status == 407
        values = challenge.headers.get("proxy-authenticate" if proxy else "www-authenticate", [])
        cnonce = self.core.stack.identifiers.token()
        account = self.account
        return authorization(values, account.user, account.password, method, uri, cnonce, proxy=proxy)

    # Calls

    def invite(self, to: str, sdp: bytes, *, headers: str = "") -> OutgoingCall:
        """Call a number, name or URI with our offer. headers: further lines, each ending in CRLF."""
        if not sdp:
            raise LocalProtocolError("invite without an offer")
        return OutgoingCall(self, self.account.uri_of(to), sdp, headers)

    async def incoming(self) -> IncomingCall:
        """The next call that comes to us, ringing nowhere yet; one that was cancelled meanwhile has ended."""
        return await self._waiting.get()

    def request_received(self, request: Request, transaction: ServerTransaction, now: float) -> None:
        """A request outside a dialog (sip.core.ua_core.Application)."""
        match request.method:
            case "INVITE":
                self._forget_ended()
                if self._waiting.full():
                    raise RemoteProtocolError(486, "Busy Here")
                assert isinstance(transaction, InviteServer)
                self._waiting.put_nowait(IncomingCall(self, request, transaction))
            case "OPTIONS":
                headers = f"{self.core.capabilities}Accept: application/sdp\r\n"
                self.core.stack.respond(transaction, 200, now, headers=headers)
            case "MESSAGE":
                if self._texts.full():
                    raise RemoteProtocolError(480, "Too Many Messages")
                self._texts.put_nowait(Text(request.from_.uri, page_of(request)))
                self.core.stack.respond(transaction, 200, now)
            case _:
                raise RemoteProtocolError(405, "Method Not Allowed", (("Allow", self.core.allow),))

    def _forget_ended(self) -> None:
        """Where nobody has taken up the calls that wait, those that are over make room for another."""
        if self._waiting.full():
            waiting = [self._waiting.get_nowait() for _ in range(MAX_WAITING_CALLS)]
            for call in waiting:
                if not call.over:
                    self._waiting.put_nowait(call)

    def close(self) -> None:
        """Send what is left to send and stop the timer; the transport is its owner's to close."""
        self.driver.close()

    def inventory(self) -> dict[str, int]:
        """What is alive: all zero at rest."""
        return {**self.core.inventory(), "calls waiting": self._waiting.qsize()}


class WatchEnded(SipError):
    """A subscription of ours is over: `reason` is the notifier's word for it, or what refused us."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Watch:
    """A subscription of ours (sip.core.subscriber.SubscriberUser): what it is told, in order.

    Only the newest MAX_DOCUMENTS wait for who is slow to read them.
    """

    def __init__(self, agent: UserAgent, uri: str, event: str, content_type: str, seconds: int) -> None:
        self._agent = agent
        self._documents: deque[bytes] = deque(maxlen=MAX_DOCUMENTS)
        self._ended = ""
        self._news = asyncio.Event()
        self._subscription = OutgoingSubscription(
            agent.core,
            uri,
            agent.outbound,
            self,
            agent.driver.now,
            event=event,
            accept=content_type,
            seconds=seconds,
            local_address=agent.account.address,
            remote_address=f"<{uri}>",
            authorize=agent.authorize,
        )
        agent.driver.wake()

    async def next(self) -> bytes:
        """The next document. Raises WatchEnded once there is none left and none will come."""
        while not self._documents:
            if self._ended:
                raise WatchEnded(self._ended)
            self._news.clear()
            await self._news.wait()
        return self._documents.popleft()

    async def end(self) -> None:
        """Unsubscribe, and wait for the notifier's last word; nothing when it is over already."""
        if self._subscription.state is SubscriberState.ACTIVE:
            self._subscription.unsubscribe(self._agent.driver.now)
            self._agent.driver.wake()
        while not self._ended:
            self._news.clear()
            await self._news.wait()

    def notified(self, body: bytes, content_type: str, now: float) -> None:
        """A NOTIFY with a document."""
        self._documents.append(body)
        self._news.set()

    def subscription_ended(self, reason: str, now: float) -> None:
        """The last word."""
        self._ended = reason or "terminated"
        self._news.set()


class Call:
    """What calls in both directions share: how they end, and what either party changes meanwhile."""

    def __init__(self, agent: UserAgent) -> None:
        self._agent = agent
        self._facts = _Facts(agent)

    @property
    def early(self) -> bytes:
        """The answer in early media (183 with a body), empty where there was none."""
        return self._facts.early

    def on_offer(self, answer: Callable[[bytes], bytes]) -> None:
        """Have the offer of a re-INVITE answered; a CallFailed that `answer` raises refuses it.

        An empty offer asks for ours (14.2). Until this is called every re-INVITE is refused with 488, and the
        call goes on as it was.
        """
        self._facts.answer_offer = answer

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self._facts.ended_for.done()

    async def ended(self) -> Reason:
        """Wait for the end, whoever brought it about; returns why."""
        return await asyncio.shield(self._facts.ended_for)

    async def reoffer(self, sdp: bytes) -> bytes:
        """Offer something else in the middle of the call (hold, another codec); returns the answer.

        Raises CallFailed when it is refused, and then what was agreed before holds; LocalProtocolError
        before the answer, after the end and while another offer is under way.
        """
        facts = self._facts
        facts.session.offer(sdp, self._now)
        facts.reoffered = self._agent.loop.create_future()
        self._agent.driver.wake()
        return await asyncio.shield(facts.reoffered)

    def hang_up(self) -> None:
        """End the call: BYE after the answer, CANCEL or 603 before it. Nothing when it has ended already.

        Its response isn't waited for: for us the call is over (15.1.1).
        """
        session = self._facts.session
        if session.state is SessionState.CONFIRMED:
            session.hang_up(self._now)
            self._facts.end(NORMAL_CLEARING)
        elif session.state is SessionState.BEGINNING and isinstance(session, OutgoingSession):
            session.cancel(self._now)
            self._facts.end(GAVE_UP)
        elif session.state is SessionState.BEGINNING and isinstance(session, IncomingSession):
            session.refuse(603, self._now)
            self._facts.end(DECLINED)

    @property
    def _now(self) -> float:
        return self._agent.driver.now


class OutgoingCall(Call):
    """A call that we make."""

    def __init__(self, agent: UserAgent, uri: str, sdp: bytes, headers: str) -> None:
        super().__init__(agent)
        account = agent.account
        self._facts.session = agent.core.invite(
            uri,
            agent.outbound,
            self._facts,
            agent.driver.now,
            local_address=account.address,
            remote_address=f"<{uri}>",
            headers=headers,
            body=sdp,
            authorize=agent.authorize,
        )
        agent.driver.wake()

    async def ringing(self) -> int:
        """Wait for the first sign of the other side; returns 180 or the like, 200 where nothing came before.

        Raises CallFailed.
        """
        return await asyncio.shield(self._facts.ringing)

    async def answered(self) -> bytes:
        """Wait for the answer; returns its SDP. Raises CallFailed with the status that refused us, 487 after
        `hang_up`, 408 or 503 where nothing answered (8.1.3.1)."""
        return await asyncio.shield(self._facts.answered_with)


class IncomingCall(Call):
    """A call that comes to us.

    caller: its From; dialled: the Request-URI; offer: its SDP, empty where the caller wants ours.
    """

    def __init__(self, agent: UserAgent, request: Request, transaction: InviteServer) -> None:
        super().__init__(agent)
        self.caller: NameAddr = request.from_
        self.dialled = request.uri
        self.offer = request.body
        self._session = agent.core.accept(request, transaction, self._facts)
        self._facts.session = self._session

    def ring(self, status: int = 180, sdp: bytes = b"", *, reliable: bool = False) -> None:
        """Tell the caller that we ring; with sdp, the answer already, as early media. Raises CallFailed.

        reliable: in a way that must arrive, where the caller takes it (RFC 3262).
        """
        self._check()
        self._session.ring(self._now, status, sdp, reliable=reliable)
        self._agent.driver.wake()

    def answer(self, sdp: bytes) -> None:
        """Take the call. sdp: our answer, or our offer where the caller made none.

        Raises CallFailed when it is over: the caller gave up.
        """
        self._check()
        self._session.answer(sdp, self._now)
        self._agent.driver.wake()

    def refuse(self, status: int = 486) -> None:
        """Refuse the call with a status from 300 on. Raises CallFailed when it is over already."""
        self._check()
        self._session.refuse(status, self._now)
        self._facts.end(Reason("SIP", status, REASONS.get(status, "")))

    async def acknowledged(self) -> bytes:
        """Wait for the ACK of our answer; returns its SDP, which answers our offer where we made it.

        Raises CallFailed, with 408 when no ACK came (13.3.1.4).
        """
        return await asyncio.shield(self._facts.acknowledged_with)

    def _check(self) -> None:
        if self.over:
            raise _failure(self._facts.ended_for.result())


class _Facts:
    """What a session has told so far, to be awaited (sip.core.session.SessionUser)."""

    def __init__(self, agent: UserAgent) -> None:
        loop = agent.loop
        self.session: IncomingSession | OutgoingSession
        self.answer_offer: Callable[[bytes], bytes] = _refuse_offer
        self.early = b""
        self.ringing: asyncio.Future[int] = loop.create_future()
        self.answered_with: asyncio.Future[bytes] = loop.create_future()
        self.acknowledged_with: asyncio.Future[bytes] = loop.create_future()
        self.reoffered: asyncio.Future[bytes] = loop.create_future()
        self.ended_for: asyncio.Future[Reason] = loop.create_future()
        self._agent = agent

    def progressed(self, status: int, body: bytes, now: float) -> None:
        """A provisional response to our INVITE."""
        self.early = self.early or body
        _settle(self.ringing, status)

    def answered(self, body: bytes, now: float) -> None:
        """A 2xx to our INVITE."""
        _settle(self.ringing, 200)
        _settle(self.answered_with, body)

    def failed(self, status: int, reason: Reason, now: float) -> None:
        """Our INVITE ended without a 2xx."""
        self.end(reason, CallFailed(status, reason))

    def cancelled(self, reason: Reason, now: float) -> None:
        """The caller gave up."""
        self.end(reason)

    def acknowledged(self, body: bytes, now: float) -> None:
        """The ACK of our 2xx."""
        _settle(self.acknowledged_with, body)

    def offered(self, body: bytes, now: float) -> None:
        """A re-INVITE."""
        try:
            answer = self.answer_offer(body)
        except CallFailed as refusal:
            self.session.refuse_offer(refusal.status, now)
        else:
            self.session.accept_offer(answer, now)

    def offer_withdrawn(self, now: float) -> None:
        """An offer is answered at once here: it can't be taken back meanwhile."""

    def identity_changed(self, request: Request, now: float) -> None:
        """The other party shows another name or number; nobody asks for it."""

    def requested(self, request: Request, transaction: ServerTransaction, now: float) -> None:
        """A method that the core doesn't serve is refused before this; it serves none but its own."""
        raise RemoteProtocolError(501, "Not Implemented")

    def offer_answered(self, body: bytes, now: float) -> None:
        """Our re-INVITE was accepted."""
        _settle(self.reoffered, body)

    def offer_refused(self, status: int, now: float) -> None:
        """Our re-INVITE was refused."""
        _fail(self.reoffered, CallFailed(status, Reason("SIP", status, REASONS.get(status, ""))))

    def ended(self, reason: Reason, now: float) -> None:
        """The other party hung up, or was lost. There is nothing to write before the 200 to its BYE."""
        self.session.release(now)
        self.end(reason)

    def end(self, reason: Reason, failure: CallFailed | None = None) -> None:
        """Nothing more will happen: whoever waits for something else is told."""
        failure = failure or _failure(reason)
        _settle(self.ended_for, reason)
        _fail(self.ringing, failure)
        _fail(self.answered_with, failure)
        _fail(self.acknowledged_with, failure)
        _fail(self.reoffered, failure)
        self._agent.driver.wake()


class _Final:
    """Who waits for the final response to a request outside a dialog."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.response: asyncio.Future[Response] = loop.create_future()

    def response_received(self, response: Response, now: float) -> None:
        """Provisional responses only say that there will be another."""
        if response.status >= 200:
            _settle(self.response, response)

    def no_response(self, reason: str, now: float) -> None:
        """8.1.3.1: as if the other side had answered 408, or 503 for a transport error."""
        status = 503 if reason == "transport error" else 408
        _settle(self.response, Response(status, reason, {}))


def _settle(future: asyncio.Future[T], value: T) -> None:
    """The first fact holds; a task that waited and was cancelled is no error."""
    if not future.done():
        future.set_result(value)


def _fail(future: asyncio.Future[T], failure: CallFailed) -> None:
    if not future.done():
        future.set_exception(failure)
        future.exception()  # nobody has to ask: without this the loop complains when nobody does


def _failure(reason: Reason) -> CallFailed:
    """What waiting for something after the end raises."""
    status = reason.cause if reason.protocol == "SIP" and 300 <= reason.cause < 700 else 487
    return CallFailed(status, reason)


def _refuse_offer(_offer: bytes) -> bytes:
    raise CallFailed(488, Reason("SIP", 488, REASONS[488]))


def _granted_seconds(response: Response, ours: SipUri, asked: int) -> int:
    """How long our Contact is bound (10.2.4), 0 when it isn't. Raises ParseError."""
    default = response.expires if response.expires is not None else asked
    for contact in response.contacts:
        if contact.uri != "*" and equal(SipUri.parse(contact.uri), ours):
            expires = contact.parameters.get("expires")
            return parse_number(expires, "expires", MAX_SECONDS) if expires else default
    return 0


def _least_seconds(response: Response) -> int:
    """The Min-Expires of a 423 (20.23). Raises ParseError."""
    return parse_number(response.only("min-expires"), "Min-Expires", MAX_SECONDS)
