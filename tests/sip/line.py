"""Two user agent cores on a line that has no network: what one sends, the other receives at once.

    line = Line()
    line.call()
    line.callee.ring(reliable=True)
    line.pass_time(1)
    assert line.talk() == ["> INVITE", "< 183 INVITE", "> PRACK", "< 200 PRACK"]

`>` is said by the caller. Time is a number that `pass_time` moves; every timer fires when it is due.
"""

from __future__ import annotations

from collections.abc import Callable

from sip.core.dialog_request import Authorize
from sip.core.errors import RemoteProtocolError
from sip.core.flow import Flow
from sip.core.identifiers import Identifiers
from sip.core.incoming_session import IncomingSession
from sip.core.message import Message, Request, Response
from sip.core.outgoing_session import OutgoingSession
from sip.core.parser import parse_message
from sip.core.reason import Reason
from sip.core.session import Session, SessionState
from sip.core.stack import ServerTransaction
from sip.core.transactions.invite_server import InviteServer
from sip.core.ua_core import UserAgentCore
from tests.sip.messages import label

CALLER = ("192.0.2.1", 5060)
CALLEE = ("192.0.2.2", 5060)
METHODS = ("INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "PRACK", "UPDATE", "INFO", "MESSAGE")


class Side:
    """One user agent: its core, its session, and what it was told.

    answers: the answer to each offer, None to leave them unanswered. refuses: the status for requests other
    than those of the session, 0 to answer 200.
    """

    def __init__(self, line: Line, name: str, flow: Flow, core: UserAgentCore) -> None:
        self.line = line
        self.flow = flow
        self.core = core
        self.told: list[str] = []
        self.answers: bytes | None = None
        self.refuses = 0
        self.seen: Request | None = None
        self.session: Session
        core.application = self

    @property
    def now(self) -> float:
        return self.line.now

    @property
    def incoming(self) -> IncomingSession:
        assert isinstance(self.session, IncomingSession)
        return self.session

    @property
    def outgoing(self) -> OutgoingSession:
        assert isinstance(self.session, OutgoingSession)
        return self.session

    # What a test does

    def ring(self, status: int = 183, body: bytes = b"", *, reliable: bool = True) -> bool:
        reliably = self.incoming.ring(self.now, status, body, reliable=reliable)
        self.line.deliver()
        return reliably

    def answer(self, body: bytes = b"answer") -> None:
        self.incoming.answer(body, self.now)
        self.line.deliver()

    def offer(self, body: bytes) -> None:
        self.session.offer(body, self.now)
        self.line.deliver()

    def accept(self, body: bytes) -> bool:
        accepted = self.session.accept_offer(body, self.now)
        self.line.deliver()
        return accepted

    def refuse(self, status: int) -> None:
        self.session.refuse_offer(status, self.now)
        self.line.deliver()

    def update(self, headers: str = "") -> None:
        self.session.update(self.now, headers)
        self.line.deliver()

    def hang_up(self) -> None:
        self.session.hang_up(self.now)
        self.line.deliver()

    # What it is told

    def request_received(self, request: Request, transaction: ServerTransaction, now: float) -> None:
        assert isinstance(transaction, InviteServer)
        self.seen = request
        self.session = self.core.accept(request, transaction, self)

    def progressed(self, status: int, body: bytes, now: float) -> None:
        self._note(f"progressed {status}", body)

    def answered(self, body: bytes, now: float) -> None:
        self._note("answered", body)

    def failed(self, status: int, reason: Reason, now: float) -> None:
        self._note(f"failed {status}")

    def cancelled(self, reason: Reason, now: float) -> None:
        self._note(f"cancelled {reason.cause}")

    def acknowledged(self, body: bytes, now: float) -> None:
        self._note("acknowledged", body)

    def offered(self, body: bytes, now: float) -> None:
        self._note("offered", body)
        if self.answers is not None:
            self.session.accept_offer(self.answers, now)

    def offer_withdrawn(self, now: float) -> None:
        self._note("offer withdrawn")

    def offer_answered(self, body: bytes, now: float) -> None:
        self._note("offer answered", body)

    def offer_refused(self, status: int, now: float) -> None:
        self._note(f"offer refused {status}")

    def identity_changed(self, request: Request, now: float) -> None:
        self._note(f"identity {request.get('p-asserted-identity') or request.first('from')}")

    def requested(self, request: Request, transaction: ServerTransaction, now: float) -> None:
        self._note(f"requested {request.method} {request.get('content-type')}".strip(), request.body)
        if self.refuses:
            raise RemoteProtocolError(self.refuses, "Refused")
        self.core.stack.respond(transaction, 200, now)

    def ended(self, reason: Reason, now: float) -> None:
        self._note(f"ended {reason.cause} {reason.text}".strip())
        self.session.release(now)

    # As the user of a request of its own

    def response_received(self, response: Response, now: float) -> None:
        self._note(f"heard {response.status}")

    def no_response(self, reason: str, now: float) -> None:
        self._note(f"heard nothing: {reason}")

    def _note(self, fact: str, body: bytes = b"") -> None:
        self.told.append(f"{fact} {body.decode()}" if body else fact)

    def facts(self) -> list[str]:
        """What it was told since it was asked last."""
        told, self.told = self.told, []
        return told


class Line:
    """Two sides. lose: says of a message whether it is lost on the way."""

    def __init__(self, *, caller: UserAgentCore | None = None, callee: UserAgentCore | None = None) -> None:
        self.now = 0.0
        self.lose: Callable[[Message], bool] = lambda message: False
        self.passed: list[tuple[str, Message]] = []
        self._told = 0
        self.caller = Side(self, "caller", Flow("UDP", CALLER, CALLEE), caller or core("caller"))
        self.callee = Side(self, "callee", Flow("UDP", CALLEE, CALLER), callee or core("callee"))

    def call(
        self, body: bytes = b"offer", *, headers: str = "", authorize: Authorize | None = None
    ) -> OutgoingSession:
        """The caller's INVITE."""
        session = self.caller.core.invite(
            "sip:callee@192.0.2.2",
            self.caller.flow,
            self.caller,
            self.now,
            local_address="<sip:caller@valmont.example>",
            remote_address="<sip:callee@valmont.example>",
            body=body,
            headers=headers,
            authorize=authorize,
        )
        self.caller.session = session
        self.deliver()
        return session

    def talking(self) -> Line:
        """A call that was answered as calls usually are; what was said and told is forgotten."""
        self.call()
        self.callee.answer()
        self.forget()
        return self

    def forget(self) -> None:
        self.talk()
        self.caller.facts()
        self.callee.facts()

    def deliver(self) -> None:
        """Let everything arrive that lies in the outboxes."""
        for _ in range(200):
            for arrow, here, there in ((">", self.caller, self.callee), ("<", self.callee, self.caller)):
                outbox = here.core.stack.outbox
                if outbox:
                    _, data = outbox.pop(0)
                    message = parse_message(data)
                    self.passed.append((arrow, message))
                    if not self.lose(message):
                        there.core.stack.receive(data, there.flow, self.now)
                    break
            else:
                return
        raise AssertionError("they never stop talking")

    def pass_time(self, seconds: float) -> None:
        """Let time pass, and every timer fire when it is due."""
        end = self.now + seconds
        for _ in range(20_000):
            stacks = (self.caller.core.stack, self.callee.core.stack)
            due = [when for stack in stacks if (when := stack.next_deadline()) is not None]
            when = min(due, default=end)
            if when > end:
                break
            self.now = max(self.now, when)
            for stack in stacks:
                stack.fire(self.now)
            self.deliver()
            if when == end and not due:
                break
        self.now = end

    def talk(self) -> list[str]:
        """What was said since it was asked last; a 100 isn't worth mentioning."""
        passed = self.passed[self._told :]
        self._told = len(self.passed)
        labels = [f"{arrow} {_label(message)}" for arrow, message in passed]
        return [text for text in labels if " 100 " not in text]

    def last(self, text: str) -> Message:
        """The last message with this label."""
        return next(
            message for arrow, message in reversed(self.passed) if f"{arrow} {_label(message)}" == text
        )

    def inject(self, side: Side, data: bytes) -> list[str]:
        """Let a side receive what the other one never said; returns what it answers, which goes nowhere."""
        side.core.stack.receive(data, side.flow, self.now)
        outbox = side.core.stack.outbox
        labels = [label(answer) for _, answer in outbox]
        outbox.clear()
        return labels

    def rest(self) -> dict[str, int]:
        """What is alive on both sides after the longest timers."""
        self.pass_time(200)
        counts = [side.core.inventory() for side in (self.caller, self.callee)]
        return {name: count for inventory in counts for name, count in inventory.items() if count}

    def end(self) -> None:
        """The caller hangs up; nothing is left."""
        if self.caller.session.state is SessionState.CONFIRMED:
            self.caller.hang_up()
        assert self.rest() == {}


def core(name: str, **options: int | tuple[str, ...]) -> UserAgentCore:
    """A core that serves METHODS, and is given its application by the side that it gets."""
    return UserAgentCore(Identifiers(name.encode()), _Nobody(), **({"methods": METHODS} | options))


class _Nobody:
    def request_received(self, request: Request, transaction: ServerTransaction, now: float) -> None:
        raise AssertionError("a core without a side")


def _label(message: Message) -> str:
    if isinstance(message, Response):
        return f"{message.status} {message.cseq[1]}"
    assert isinstance(message, Request)
    return message.method
