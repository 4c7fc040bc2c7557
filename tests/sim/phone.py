"""A scripted phone: it does what the script says, right or wrong, and nothing by itself.

It repeats nothing, answers nothing and acknowledges nothing unless told to (one exception: the ACK of a
refusal, which a phone's transaction layer sends, 17.1.1.3, until `acknowledges_refusals` is False). So a
script can lose an ACK, cross a CANCEL with a 200 or repeat a request, and reads like the conversation:

    invite = alice.invite("1002")
    await alice.expect(180)
    answer = await alice.expect(200)
    alice.ack(answer)
    bruno_bye = await alice.expect("BYE")
    alice.reply(bruno_bye, 200)

`expect` is strict: the next message must be the one. Only a 100 and retransmissions of what was already read
are passed over where they are not asked for. On a network that loses datagrams `repeats_what_is_lost()` has
the phone retransmit as tests.sim.repetition says.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from sip.core.flow import Flow, host_port
from tests.sim.network import Address, DatagramEndpoint, Host, StreamFlow
from tests.sim.repetition import Repetition
from tests.sim.wire import (
    HASHES,
    Challenge,
    Message,
    credentials,
    parse,
    parse_challenge,
    sdp,
    tag_of,
    take_message,
    uri_of,
)

SIP_PORT = 5060
RTP_PORT = 4_000
PATIENCE_SECONDS = 33.0
"""How long `expect` waits: just over 64*T1, so that what the other side's timers do is still seen."""

KEPT = ("Expires", "Require", "Supported", "Event", "Accept", "SIP-If-Match", "Content-Type")
"""What a request that is sent again with credentials has in common with the one before."""

REASONS = {
    100: "Trying",
    180: "Ringing",
    183: "Session Progress",
    200: "OK",
    202: "Accepted",
    302: "Moved Temporarily",
    400: "Bad Request",
    401: "Unauthorized",
    404: "Not Found",
    405: "Method Not Allowed",
    407: "Proxy Authentication Required",
    422: "Session Interval Too Small",
    415: "Unsupported Media Type",
    424: "Bad Location Information",
    430: "Flow Failed",
    410: "Gone",
    480: "Temporarily Unavailable",
    484: "Address Incomplete",
    481: "Call/Transaction Does Not Exist",
    486: "Busy Here",
    487: "Request Terminated",
    488: "Not Acceptable Here",
    491: "Request Pending",
    500: "Server Internal Error",
    503: "Service Unavailable",
    603: "Decline",
}


class Unexpected(AssertionError):
    """Another message came than the script says, or none."""


@dataclass
class Dialog:
    """One side of a dialog, or of a request outside one. RFC 3261 section 12."""

    call_id: str
    local: str
    """Our From or To value, with our tag."""
    remote: str
    """Theirs, with their tag once it is known."""
    target: str
    """The Request-URI: their Contact once it is known."""
    flow: Flow
    cseq: int = 0
    routes: list[str] = field(default_factory=list)


class Phone:
    """A phone on a host of the virtual network, at port 5060 over UDP, or over streams that it opens.

    user, password: for digest; server: where requests outside a dialog go (empty: to the address in the
    URI that is called); domain: of its address of record (empty: the server's address, or its own).
    """

    def __init__(
        self,
        host: Host,
        *,
        user: str,
        password: str = "",
        server: Address = ("", 0),
        domain: str = "",
        port: int = SIP_PORT,
    ) -> None:
        self.host = host
        self.name = host.name
        self.user = user
        self.password = password
        self.username = ""
        """Whom its digest names, where that isn't its user."""
        self.server = server
        self.domain = domain or server[0] or host.address
        self.acknowledges_refusals = True
        self.algorithms: Sequence[str] = ("SHA-256", "MD5")
        """What the phone knows, the first that is offered is taken; a phone of 2005 knows ("MD5",)."""
        self._endpoint: DatagramEndpoint = host.bind(port, self._receive)
        self.stream: StreamFlow | None = None
        self._repetition: Repetition | None = None
        self._inbox: deque[Message] = deque()
        self._arrived = asyncio.Event()
        self._read: set[bytes] = set()
        self._flows: dict[bytes, Flow] = {}
        self._dialogs: dict[str, Dialog] = {}
        self._sent: dict[str, Message] = {}
        self._counters: dict[str, int] = {}
        self._last_call_id = ""

    def repeats_what_is_lost(self) -> None:
        """From now on, retransmit as the transport needs it."""
        self._repetition = Repetition(self.host.network.loop)

    # --- What it says ---

    def send(
        self,
        method: str,
        to: str = "",
        *,
        within: Message | None = None,
        body: bytes = b"",
        headers: Sequence[tuple[str, str]] = (),
    ) -> Message:
        """Send a request and return it.

        to: a number or a SIP URI, for a request outside any dialog. Without it the request belongs to the
        dialog of `within` (any message of it), or to the one used last.
        """
        dialog = self._new_dialog(to) if to else self._dialog(within)
        dialog.cseq += 1
        return self._send_request(method, dialog, dialog.cseq, self._new("branch"), body, headers)

    def invite(self, to: str, *, offer: bool = True, headers: Sequence[tuple[str, str]] = ()) -> Message:
        """Send an INVITE, with an SDP offer unless `offer` is False."""
        return self.send("INVITE", to, body=self.sdp() if offer else b"", headers=headers)

    def ack(self, response: Message, *, body: bytes = b"") -> Message:
        """Acknowledge a final response: a 2xx end to end (13.2.2.4), others hop by hop (17.1.1.3)."""
        dialog = self._dialog(response)
        if response.status < 300:
            return self._send_request("ACK", dialog, response.cseq, self._new("branch"), body, ())
        invite = self._request_for(response)
        return self._send_like(invite, "ACK", response.header("To"), dialog.flow)

    def cancel(self, invite: Message) -> Message:
        """Cancel an INVITE: its branch, its Request-URI, its CSeq number. RFC 3261 section 9.1."""
        return self._send_like(invite, "CANCEL", invite.header("To"), self._dialog(invite).flow)

    def bye(self, within: Message | None = None) -> Message:
        """Hang up."""
        return self.send("BYE", within=within)

    def again(self, message: Message) -> None:
        """Send the very same bytes once more, as a retransmission does."""
        (self._flow_of(message) if message.status else self._dialog(message).flow).send(message.raw)

    def reply(
        self,
        request: Message,
        status: int,
        *,
        body: bytes = b"",
        headers: Sequence[tuple[str, str]] = (),
        tag: str = "",
    ) -> Message:
        """Answer a request and return the response. RFC 3261 sections 8.2.6 and 12.1.1.

        tag: answer as another device behind the same INVITE, a fork, would.
        """
        dialog = self._dialog(request)
        to = request.header("To")
        if status > 100 and not tag_of(to):
            to = f"{to};tag={tag}" if tag else dialog.local
        lines = [("Via", value) for value in request.all("Via")]
        lines += [("Record-Route", value) for value in request.all("Record-Route") if status < 300]
        lines += [("From", request.header("From")), ("To", to)]
        lines += [("Call-ID", request.call_id), ("CSeq", request.header("CSeq"))]
        if request.method in ("INVITE", "UPDATE") and 100 < status < 400:
            lines.append(("Contact", self.contact(dialog.flow)))
        lines += headers
        if body:
            lines.append(("Content-Type", "application/sdp"))
        return self._send(
            Message(f"SIP/2.0 {status} {REASONS[status]}", tuple(lines), body), self._flow_of(request)
        )

    def progress(
        self, invite: Message, number: int, status: int = 183, *, body: bytes = b"", tag: str = ""
    ) -> Message:
        """Send a provisional response that must arrive, with its number. RFC 3262 section 3."""
        headers = [("Require", "100rel"), ("RSeq", str(number)), ("Allow", "INVITE, ACK, BYE, PRACK, UPDATE")]
        return self.reply(invite, status, body=body, headers=headers, tag=tag)

    def prack(self, response: Message, *, body: bytes = b"") -> Message:
        """Acknowledge a provisional response that had to arrive. RFC 3262 section 4."""
        rack = f"{response.header('RSeq')} {response.header('CSeq')}"
        return self.send("PRACK", within=response, body=body, headers=[("RAck", rack)])

    def answer(self, invite: Message, *, tag: str = "") -> Message:
        """Pick up: 200 with SDP; tag as in `reply`."""
        return self.reply(invite, 200, body=self.sdp(), tag=tag)

    def authenticate(self, challenge: Message, *, password: str = "", count: int = 0) -> Message:
        """Send the request that was challenged again, with credentials, and return it. RFC 3261 section 22.2.

        password: another one than the phone's; count: the nonce count to claim (0: the next one).
        """
        request = self._request_for(challenge)
        where = "WWW-Authenticate" if challenge.status == 401 else "Proxy-Authenticate"
        offered = self._choose(challenge.all(where))
        value = credentials(
            offered,
            user=self.username or self.user,
            password=password or self.password,
            method=request.method,
            uri=request.uri,
            count=count or self._count(f"nonce {offered.nonce}"),
            cnonce=self._new("cnonce"),
        )
        name = "Authorization" if challenge.status == 401 else "Proxy-Authorization"
        dialog = self._dialog(request)
        dialog.cseq += 1
        extra = tuple(
            line
            for line in request.headers
            if (line[0] in KEPT or (line[0] == "Contact" and request.method == "REGISTER"))
            and request.method != "INVITE"
        )
        return self._send_request(
            request.method, dialog, dialog.cseq, self._new("branch"), request.body, (*extra, (name, value))
        )

    async def register(self, *, expires_seconds: int = 3600) -> Message:
        """Register with the server, with credentials when it asks; returns the 200."""
        dialog = self._dialogs.get("register")
        if dialog is None:
            # 10.2: every REGISTER of a phone has one Call-ID and a CSeq that goes up.
            dialog = self._new_dialog(f"sip:{self.domain}")
            own = f"<sip:{self.user}@{self.domain}>"
            dialog.local, dialog.remote = f"{own};tag={self._new('tag')}", own
            self._dialogs["register"] = dialog
        dialog.cseq += 1
        self._last_call_id = dialog.call_id
        lines = (("Contact", self.contact(dialog.flow)), ("Expires", str(expires_seconds)))
        self._send_request("REGISTER", dialog, dialog.cseq, self._new("branch"), b"", lines)
        return await self.expect_authenticated(200)

    async def call(self, to: str, *, offer: bool = True) -> Message:
        """Send an INVITE, with credentials when it is challenged, and return the INVITE that counts."""
        invite = self.invite(to, offer=offer)
        challenge = await self._peek_final_challenge()
        return self.authenticate(challenge) if challenge is not None else invite

    def contact(self, flow: Flow | None = None) -> str:
        """The phone's Contact value."""
        flow = flow or self._default_flow(self.server)
        parameter = "" if flow.transport == "UDP" else f";transport={flow.transport.lower()}"
        return f"<sip:{self.user}@{host_port(flow.local)}{parameter}>"

    def sdp(self, *, direction: str = "sendrecv", version: int = 1) -> bytes:
        """The phone's session description."""
        return sdp(self.host.address, RTP_PORT, direction=direction, version=version)

    # --- What it hears ---

    async def expect(
        self,
        what: int | str,
        *,
        within_seconds: float = PATIENCE_SECONDS,
        passing_over: Sequence[int | str] = (),
    ) -> Message:
        """Wait for the next message and return it: 180, "200 BYE" or "BYE" is what it must be.

        passing_over: what may come before it.
        Raises Unexpected when another message comes, or none in that time.
        """
        wanted = str(what)
        message = await self._next(wanted, within_seconds)
        while any(_is(message, str(other)) for other in passing_over):
            message = await self._next(wanted, within_seconds)
        if not _is(message, wanted):
            rest = ", ".join(other.label() for other in self._inbox) or "nothing"
            raise Unexpected(
                f"{self.name} expected {wanted} and got {message.label()} (after it: {rest})\n\n"
                f"{message.raw.decode('utf-8', 'replace')}"
            )
        self._acknowledge_refusal(message)
        return message

    async def expect_in_any_order(self, *wanted: int | str) -> list[Message]:
        """Wait for these messages, whichever comes first; returns them in the order asked for."""
        left = [str(what) for what in wanted]
        got: dict[str, Message] = {}
        while left:
            message = await self._next(" or ".join(left), PATIENCE_SECONDS)
            what = next((what for what in left if _is(message, what)), None)
            if what is None:
                raise Unexpected(f"{self.name} expected {' and '.join(left)} and got {message.label()}")
            left.remove(what)
            got[what] = message
            self._acknowledge_refusal(message)
        return [got[str(what)] for what in wanted]

    async def expect_authenticated(self, what: int | str) -> Message:
        """As `expect`, after answering one challenge if it comes first."""
        challenge = await self._peek_final_challenge()
        if challenge is not None:
            self.authenticate(challenge)
        return await self.expect(what)

    async def expect_again(self, message: Message, *, within_seconds: float = PATIENCE_SECONDS) -> None:
        """Wait for a retransmission of a message that was read before; Unexpected when none comes."""
        self._read.discard(message.raw)
        again = await self._next(f"{message.label()} again", within_seconds)
        if again.raw != message.raw:
            raise Unexpected(f"{self.name} expected {message.label()} again and got {again.label()}")

    async def expect_silence(self, seconds: float) -> None:
        """Raise Unexpected if anything new comes in that time."""
        await asyncio.sleep(seconds)
        self._skip("")
        if self._inbox:
            labels = ", ".join(message.label() for message in self._inbox)
            raise Unexpected(f"{self.name} expected silence and got {labels}")

    def overlook(self) -> None:
        """Whatever has come and wasn't read doesn't matter, nor its repetitions."""
        self._read.update(message.raw for message in self._inbox)
        self._inbox.clear()

    def inventory(self) -> dict[str, int]:
        """What came and was never read: a script that ends tells of all it got."""
        self._skip("")
        return {f"unread {message.label()}": 1 for message in self._inbox}

    # --- The wire ---

    async def connect(self, transport: str = "TCP") -> None:
        """Open a stream to the server; from now on new requests go over it. Raises OSError."""
        buffer = bytearray()

        def receive(data: bytes, flow: Flow) -> None:
            buffer.extend(data)
            while message := take_message(buffer):
                self._receive(message, flow)

        self.stream = await self.host.connect(self.server, receive, self._stream_closed, transport)
        if (registering := self._dialogs.get("register")) is not None:
            registering.flow = self.stream

    async def close(self) -> None:
        """Close the port and the stream."""
        self._endpoint.close()
        if self.stream is not None:
            self.stream.close()
        if self._repetition is not None:
            self._repetition.close()

    def _acknowledge_refusal(self, message: Message) -> None:
        if message.method == "INVITE" and message.status >= 300 and self.acknowledges_refusals:
            self.ack(message)

    def _stream_closed(self, flow: Flow) -> None:
        self.stream = None

    def _receive(self, data: bytes, flow: Flow) -> None:
        if not data.strip(b"\r\n"):
            return  # a keep-alive, RFC 5626 section 3.5.1
        message = parse(data)
        self._flows[data] = flow
        self._inbox.append(message)
        self._learn(message, flow)
        if self._repetition is not None:
            self._repetition.received(message)
        self._arrived.set()

    async def _next(self, wanted: str, within_seconds: float) -> Message:
        try:
            async with asyncio.timeout(within_seconds):
                while True:
                    self._skip(wanted)
                    if self._inbox:
                        break
                    self._arrived.clear()
                    await self._arrived.wait()
        except TimeoutError:
            raise Unexpected(
                f"{self.name} expected {wanted} and got nothing for {within_seconds:g} s"
            ) from None
        message = self._inbox.popleft()
        self._read.add(message.raw)
        return message

    async def _peek_final_challenge(self) -> Message | None:
        """Wait for the next message; take it and acknowledge it if it is a challenge."""
        message = await self._next("an answer", PATIENCE_SECONDS)
        if message.status not in (401, 407):
            self._read.discard(message.raw)
            self._inbox.appendleft(message)
            return None
        if message.method == "INVITE":
            self.ack(message)
        return message

    def _skip(self, wanted: str) -> None:
        """Drop from the head of the inbox what nobody has to ask for: a 100, and what was read already."""
        while self._inbox:
            message = self._inbox[0]
            unasked = message.status == 100 and not _is(message, wanted)
            if not unasked and message.raw not in self._read:
                return
            self._inbox.popleft()

    def _learn(self, message: Message, flow: Flow) -> None:
        """Note what a message says of its dialog: remote tag, target, routes. RFC 3261 section 12.1."""
        dialog = self._dialogs.get(message.call_id)
        if dialog is None and not message.status:
            local = message.header("To")
            if not tag_of(local):
                local = f"{local};tag={self._new('tag')}"
            dialog = Dialog(message.call_id, local, message.header("From"), "", flow)
            dialog.routes = message.all("Record-Route")
            self._dialogs[message.call_id] = dialog
        if dialog is None:
            return
        self._last_call_id = message.call_id
        if message.status > 100 and message.to_tag and message.method in ("INVITE", "SUBSCRIBE"):
            dialog.remote = message.header("To")
            dialog.routes = message.all("Record-Route")[::-1]
        contacts = message.all("Contact")
        if contacts and message.method in ("INVITE", "UPDATE", "SUBSCRIBE") and (message.status < 300):
            dialog.target = uri_of(contacts[0])

    def _new_dialog(self, to: str) -> Dialog:
        uri = to if to.startswith("sip:") else f"sip:{to}@{self.domain}"
        flow = self._default_flow(self.server if self.server[0] else _address_of(uri))
        dialog = Dialog(
            call_id=f"{self._new('call')}@{self.name}",
            local=f"<sip:{self.user}@{self.domain}>;tag={self._new('tag')}",
            remote=f"<{uri}>",
            target=uri,
            flow=flow,
        )
        self._dialogs[dialog.call_id] = dialog
        self._last_call_id = dialog.call_id
        return dialog

    def _dialog(self, message: Message | None) -> Dialog:
        return self._dialogs[message.call_id if message is not None else self._last_call_id]

    def _default_flow(self, remote: Address) -> Flow:
        return self.stream if self.stream is not None else self._endpoint.flow(remote)

    def _flow_of(self, message: Message) -> Flow:
        return self._flows[message.raw]

    def _send_request(
        self,
        method: str,
        dialog: Dialog,
        cseq: int,
        branch: str,
        body: bytes,
        headers: Sequence[tuple[str, str]],
    ) -> Message:
        flow = dialog.flow
        via = f"SIP/2.0/{flow.transport} {host_port(flow.local)};rport;branch={branch}"
        lines = [("Via", via), ("Max-Forwards", "70"), ("From", dialog.local), ("To", dialog.remote)]
        lines += [("Call-ID", dialog.call_id), ("CSeq", f"{cseq} {method}")]
        lines += [("Route", route) for route in dialog.routes]
        if method in ("INVITE", "UPDATE", "SUBSCRIBE"):
            lines.append(("Contact", self.contact(flow)))
        lines += headers
        if body and not any(name == "Content-Type" for name, _ in headers):
            lines.append(("Content-Type", "application/sdp"))
        return self._send(Message(f"{method} {dialog.target} SIP/2.0", tuple(lines), body), flow)

    def _send_like(self, invite: Message, method: str, to: str, flow: Flow) -> Message:
        """Send a request of an INVITE's own transaction: CANCEL, and the ACK of a refusal."""
        lines = [("Via", invite.header("Via")), ("Max-Forwards", "70"), ("From", invite.header("From"))]
        lines += [("To", to), ("Call-ID", invite.call_id), ("CSeq", f"{invite.cseq} {method}")]
        lines += [("Route", route) for route in invite.all("Route")]
        return self._send(Message(f"{method} {invite.uri} SIP/2.0", tuple(lines)), flow)

    def _send(self, message: Message, flow: Flow) -> Message:
        data = message.encode()
        sent = Message(message.first_line, message.headers, message.body, data)
        self._flows[data] = flow
        if not message.status and message.method != "ACK":
            self._sent[f"{message.branch} {message.method}"] = sent
        flow.send(data)
        if self._repetition is not None:
            self._repetition.sent(sent, flow)
        return sent

    def _request_for(self, response: Message) -> Message:
        return self._sent[f"{response.branch} {response.method}"]

    def _choose(self, values: Sequence[str]) -> Challenge:
        challenges = [parse_challenge(value) for value in values]
        for algorithm in self.algorithms:
            for challenge in challenges:
                if challenge.algorithm == algorithm and algorithm in HASHES:
                    return challenge
        raise Unexpected(f"{self.name} knows none of {[challenge.algorithm for challenge in challenges]}")

    def _count(self, what: str) -> int:
        self._counters[what] = self._counters.get(what, 0) + 1
        return self._counters[what]

    def _new(self, what: str) -> str:
        """A name that no other has: the phone's own and a number, so that a trace can be read."""
        cookie = "z9hG4bK-" if what == "branch" else ""  # 8.1.1.7
        return f"{cookie}{self.name}-{what}-{self._count(what)}"


def _is(message: Message, wanted: str) -> bool:
    return wanted in (message.label(), str(message.status))


def _address_of(uri: str) -> Address:
    """Where a URI with a numeric host leads."""
    host, _, port = uri.partition("@")[2].partition(";")[0].partition(":")
    return host, int(port or SIP_PORT)
