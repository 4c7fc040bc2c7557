"""A simulated operator: a border controller and a registrar, of three kinds that public documents describe.

It does by itself what a border controller does (registers, answers OPTIONS, challenges each INVITE, refuses
what its customers' guide forbids, with the reason in its phrase); calls are the script's, as with any phone:

    await office.call("00612345678")
    invite = await operator.expect("INVITE")       # it was challenged, authenticated and found well formed
    operator.answer(invite)

REGISTERING   a registrar behind a separate outbound proxy, the account in From, the number without + in
              P-Preferred-Identity (sipgate trunking: "Wie setze ich bei sipgate trunking die
              Absenderrufnummer?", help.sipgate.de).
STATIC        no registration, known addresses, P-Asserted-Identity, numbers in E.164 with user=phone (Orange
              Business Services, technical guides "Business Talk & BTIP for IPBX", 2019).
ENCRYPTED     TLS on 5061, the name of the certificate verified, found by NAPTR and SRV (dus.net: "SIP",
              secure.dus.net), credentials or addresses, E.164 (Twilio: "Elastic SIP Trunking").
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from sip.core.flow import Flow
from tests.sim.network import Host, StreamFlow
from tests.sim.phone import REASONS, Phone
from tests.sim.wire import HASHES, Challenge, Message, digest, take_message, uri_of

REALM = "operator"
TLS_PORT = 5061


@dataclass(frozen=True)
class Profile:
    """What an operator's guide asks of its customers.

    called, caller: how numbers are written; caller_header: where the customer's number stands. from_user: the
    user part of From, a pattern. did_in_to: incoming calls go to our Contact, the number called is in To.
    """

    domain: str
    registers: bool = False
    challenges: bool = False
    route: str = ""
    called: str = r"\+[1-9][0-9]{6,14}|[0-9]{2,6}"
    caller_header: str = "P-Asserted-Identity"
    caller: str = r"\+33[0-9]{9}"
    from_user: str = r"\+33[0-9]{9}|anonymous"
    from_domain: str = ""
    user_phone: bool = False
    did_in_to: bool = False


REGISTERING = Profile(
    "sipconnect.example",
    registers=True,
    challenges=True,
    route="<sip:proxy.sipconnect.example;lr>",
    called=r"[1-9][0-9]{6,14}|[0-9]{2,6}",
    caller_header="P-Preferred-Identity",
    caller=r"33[0-9]{9}",
    from_user="1234567t0",
    from_domain="sipconnect.example",
    did_in_to=True,
)
STATIC = Profile("btip.example", user_phone=True)
ENCRYPTED = Profile("secure.example", challenges=True)


@dataclass
class Registered:
    """What its registrar holds: the customer's Contact and until when (loop time)."""

    contact: str = ""
    until: float = 0.0
    flow: Flow | None = None
    times: int = 0


class Operator(Phone):
    """One server of an operator.

    least_seconds: answered 423 below it; longest_seconds: what it grants. refuses_register, options_status:
    statuses to answer with, 0 for none at all. seen: what came of each method.
    """

    def __init__(self, host: Host, profile: Profile, *, account: str, password: str, **options: Any) -> None:
        super().__init__(host, user="+33699999999", domain=profile.domain, **options)
        self.profile = profile
        self.account = account
        self.secret = password
        self.registered = Registered()
        self.least_seconds = 120
        self.longest_seconds = 3600
        self.refuses_register = 0
        self.silent = False
        self.options_status = 200
        self.invite_status = 0
        self.invite_headers: list[tuple[str, str]] = []
        self.service_route = ""
        self.seen: list[Message] = []
        self.complaints: list[str] = []
        self._refused: set[str] = set()
        self._nonces = 0
        self._listener = host.listen(TLS_PORT, self._accept, "TLS")
        self._streams: set[StreamFlow] = set()

    # What a script does

    def call_in(self, number: str, *, caller: str = "+33699999999", name: str = "") -> Message:
        """Send an INVITE for one of the customer's numbers, as the guide says."""
        profile = self.profile
        target = f"sip:{number}@{self.server[0]}:{self.server[1]}"
        if profile.did_in_to:
            target = self.registered.contact
        own = f'"{name}" ' if name else ""
        dialog = self._new_dialog(f"sip:{number}@{profile.domain}")
        dialog.target = target
        if self.registered.flow is not None:
            dialog.flow = self.registered.flow
        dialog.cseq += 1
        identity = ("P-Asserted-Identity", f"{own}<sip:{caller}@{profile.domain}>")
        body = self.sdp()
        return self._send_request("INVITE", dialog, dialog.cseq, self._new("branch"), body, [identity])

    async def close(self) -> None:
        """Close the ports and the streams."""
        self._listener.close()
        for stream in list(self._streams):
            stream.close()
        await super().close()

    # What it does by itself

    def _receive(self, data: bytes, flow: Flow) -> None:
        before = len(self._inbox)
        super()._receive(data, flow)
        if len(self._inbox) == before:
            return
        message = self._inbox[-1]
        if self._handled(message, flow):
            self._inbox.pop()

    def _handled(self, message: Message, flow: Flow) -> bool:
        """Whether this was the border controller's business, and not the script's."""
        if message.status:
            return False
        if message.method != "ACK":
            self.seen.append(message)
        if self.silent:
            return True
        match message.method:
            case "REGISTER":
                self._register(message, flow)
            case "OPTIONS":
                if self.options_status:
                    self._refuse(message, self.options_status, "")
            case "ACK":
                return message.branch in self._refused
            case "INVITE":
                return self._invited(message)
            case _:
                return False
        return True

    def _register(self, register: Message, flow: Flow) -> None:
        if self.refuses_register:
            self._refuse(register, self.refuses_register, "")
        elif not self._authorized(register, "Authorization"):
            self._challenge(register, 401)
        elif 0 < (seconds := int(register.header("Expires"))) < self.least_seconds:
            self._refuse(register, 423, "", [("Min-Expires", str(self.least_seconds))])
        else:
            now = self.host.network.loop.time()
            granted = min(seconds, self.longest_seconds)
            self.registered.contact = uri_of(register.header("Contact"))
            self.registered.until = now + granted
            self.registered.flow = flow
            self.registered.times += 1
            lines = [("Contact", f"<{self.registered.contact}>;expires={granted}")] if seconds else []
            if self.service_route:
                lines.append(("Service-Route", self.service_route))
            self._refuse(register, 200, "", lines)

    def _invited(self, invite: Message) -> bool:
        if self.invite_status:
            self._refuse(invite, self.invite_status, "", self.invite_headers)
            return True
        if self.profile.challenges and not self._authorized(invite, "Proxy-Authorization"):
            self._challenge(invite, 407)
            return True
        complaint = self._complaint(invite)
        if complaint:
            self.complaints.append(complaint)
            self._refuse(invite, 403, complaint)
            return True
        return False

    def _complaint(self, invite: Message) -> str:
        """What the guide forbids in an INVITE; empty when all is well."""
        profile = self.profile
        called = _user(invite.uri)
        if not re.fullmatch(profile.called, called):
            return f"called number {called}"
        if profile.route and profile.route not in invite.all("Route"):
            return "no route over the proxy"
        sender = uri_of(invite.header("From"))
        if not re.fullmatch(profile.from_user, _user(sender)):
            return f"From {sender}"
        if profile.from_domain and profile.from_domain != sender.partition("@")[2].partition(";")[0]:
            return f"From {sender}"
        identities = invite.all(profile.caller_header)
        if len(identities) != 1 or not re.fullmatch(profile.caller, _user(uri_of(identities[0]))):
            return f"{profile.caller_header} {identities}"
        if profile.user_phone and not (
            invite.uri.endswith(";user=phone") and uri_of(identities[0]).endswith(";user=phone")
        ):
            return "user=phone is missing"
        return ""

    def _challenge(self, request: Message, status: int) -> None:
        self._nonces += 1
        name = "WWW-Authenticate" if status == 401 else "Proxy-Authenticate"
        value = f'Digest realm="{REALM}", nonce="n{self._nonces}", qop="auth", algorithm=MD5'
        self._refuse(request, status, "", [(name, value)])

    def _authorized(self, request: Message, header: str) -> bool:
        """Whether the credentials are right, and for the last nonce given: it serves once."""
        for value in request.all(header):
            fields = dict(re.findall(r'(\w+)="?([^",]+)"?', value.partition(" ")[2]))
            challenge = Challenge(REALM, f"n{self._nonces}", "MD5", "auth", "", False)
            expected = digest(
                challenge,
                user=self.account,
                password=self.secret,
                method=request.method,
                uri=fields.get("uri", ""),
                count=int(fields.get("nc", "0"), 16),
                cnonce=fields.get("cnonce", ""),
            )
            assert challenge.algorithm in HASHES
            if fields.get("response") == expected and fields.get("uri") == request.uri:
                self._nonces += 1
                return True
        return False

    def _refuse(
        self, request: Message, status: int, phrase: str, headers: list[tuple[str, str]] | None = None
    ) -> None:
        """Answer a request without a dialog of it; its ACK is nobody's."""
        self._refused.add(request.branch)
        lines = [("Via", value) for value in request.all("Via")]
        lines += [("From", request.header("From")), ("To", f"{request.header('To')};tag={self._new('tag')}")]
        lines += [("Call-ID", request.call_id), ("CSeq", request.header("CSeq")), *(headers or [])]
        first = f"SIP/2.0 {status} {phrase or REASONS.get(status, 'Refused')}"
        self._flow_of(request).send(Message(first, tuple(lines)).encode())

    def _learn(self, message: Message, flow: Flow) -> None:
        if message.status < 300 and message.method not in {"REGISTER", "OPTIONS"}:
            super()._learn(message, flow)

    def _accept(self, stream: StreamFlow) -> None:
        buffer = bytearray()

        def receive(data: bytes, flow: Flow) -> None:
            buffer.extend(data)
            while message := take_message(buffer):
                self._receive(message, flow)

        stream.receive, stream.closed = receive, lambda _: self._streams.discard(stream)
        self._streams.add(stream)


def _user(uri: str) -> str:
    return uri.partition(":")[2].partition("@")[0].partition(";")[0]
