"""Beffroi's user agent core at 192.0.2.10, with an application that does nothing by itself.

The script answers, calls and hangs up through the sessions; what the core tells is written down in `facts`.
"""

from __future__ import annotations

import asyncio

from sip.core.identifiers import Identifiers
from sip.core.incoming_session import IncomingSession
from sip.core.message import Request
from sip.core.outgoing_session import OutgoingSession
from sip.core.reason import Reason
from sip.core.session import Session
from sip.core.stack import ServerTransaction
from sip.core.transactions.invite_server import InviteServer
from sip.core.ua_core import UserAgentCore
from sip.net.driver import Driver
from tests.sim.network import Address
from tests.sim.node import Node
from tests.sim.phone import SIP_PORT, Phone
from tests.sim.wire import sdp
from tests.sim.world import World

DESK: Address = ("192.0.2.10", SIP_PORT)
OFFER = sdp(DESK[0], 20_000)
OFFER_AGAIN = sdp(DESK[0], 20_000, version=2)


class Desk:
    """The application, its core and its node; closed when the world ends."""

    def __init__(self, world: World, name: str = "Beffroi") -> None:
        self.facts: list[str] = []
        self.core = UserAgentCore(Identifiers(b"desk"), self)
        self.node = Node(world.host(name, DESK[0]), Driver(self.core))
        self._world = world
        self._sessions: list[Session] = []
        self._waiting: asyncio.Queue[IncomingSession] = asyncio.Queue()
        world.watch(name, self.node)
        world.closing.callback(self.node.close)

    async def incoming(self, *, within_seconds: float = 5.0) -> IncomingSession:
        """The session of the next INVITE; AssertionError when none comes in that time."""
        try:
            async with asyncio.timeout(within_seconds):
                return await self._waiting.get()
        except TimeoutError:
            raise AssertionError(f"no INVITE came within {within_seconds:g} s") from None

    async def answered_call(self, phone: Phone) -> IncomingSession:
        """The phone calls, the desk answers, the ACK has come; the facts are forgotten."""
        phone.invite("9196")
        session = await self.incoming()
        self.answer(session)
        phone.ack(await phone.expect(200))
        await self._world.sleep(0.1)
        self.facts.clear()
        return session

    async def placed_call(self, phone: Phone) -> OutgoingSession:
        """The desk calls, the phone answers, the ACK has come; the facts are forgotten."""
        session = self.call(phone)
        phone.answer(await phone.expect("INVITE"))
        await phone.expect("ACK")
        self.facts.clear()
        return session

    def call(self, phone: Phone, body: bytes = OFFER) -> OutgoingSession:
        """Send an INVITE to a phone; without body it asks for an offer."""
        address = phone.host.address
        flow = self.node.flow((address, SIP_PORT))
        uri = f"sip:{phone.user}@{address}"
        session = self.node.act(
            lambda now: self.core.invite(
                uri,
                flow,
                self,
                now,
                local_address="<sip:desk@valmont.example>",
                remote_address=f"<{uri}>",
                body=body,
            )
        )
        self._sessions.append(session)
        return session

    # What a script does with a session, at the present instant.

    def ring(self, session: IncomingSession) -> None:
        self.node.act(session.ring)

    def answer(self, session: IncomingSession) -> None:
        self.node.act(lambda now: session.answer(OFFER, now))

    def refuse(self, session: IncomingSession, status: int) -> None:
        self.node.act(lambda now: session.refuse(status, now))

    def cancel(self, session: OutgoingSession) -> None:
        self.node.act(session.cancel)

    def acknowledge(self, session: OutgoingSession) -> None:
        self.node.act(lambda now: session.acknowledge(OFFER, now))

    def offer(self, session: Session) -> None:
        self.node.act(lambda now: session.offer(OFFER_AGAIN, now))

    def accept_offer(self, session: Session) -> None:
        self.node.act(lambda now: session.accept_offer(OFFER_AGAIN, now))

    def hang_up(self, session: Session) -> None:
        self.node.act(session.hang_up)

    # What the core tells.

    def request_received(self, request: Request, transaction: ServerTransaction, now: float) -> None:
        if isinstance(transaction, InviteServer):
            session = self.core.accept(request, transaction, self)
            self._sessions.append(session)
            self._waiting.put_nowait(session)
        else:
            self.core.stack.respond(transaction, 200, now)

    def progressed(self, status: int, body: bytes, now: float) -> None:
        self._note(f"progressed {status}", body)

    def answered(self, body: bytes, now: float) -> None:
        self._note("answered", body)

    def failed(self, status: int, reason: Reason, now: float) -> None:
        self._note(f"failed {status}")

    def cancelled(self, reason: Reason, now: float) -> None:
        self._note("cancelled")

    def acknowledged(self, body: bytes, now: float) -> None:
        self._note("acknowledged", body)

    def offered(self, body: bytes, now: float) -> None:
        self._note("offered" if body else "asked for an offer")

    def offer_withdrawn(self, now: float) -> None:
        self._note("offer withdrawn")

    def identity_changed(self, request: Request, now: float) -> None:
        self._note("identity changed")

    def requested(self, request: Request, transaction: ServerTransaction, now: float) -> None:
        self._note(f"requested {request.method}")
        self.core.stack.respond(transaction, 200, now)

    def offer_answered(self, body: bytes, now: float) -> None:
        self._note("offer answered")

    def offer_refused(self, status: int, now: float) -> None:
        self._note(f"offer refused {status}")

    def ended(self, reason: Reason, now: float) -> None:
        self._note(f"ended {reason.cause}")
        for session in self._sessions:
            session.release(now)

    def _note(self, fact: str, body: bytes = b"") -> None:
        self.facts.append(f"{fact} with sdp" if body else fact)
