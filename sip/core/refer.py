"""REFER: a party asks that we call somebody else, and wants to hear what comes of it.

RFC 3515, with RFC 4488 (no subscription where none is wanted), RFC 3892 (who asks), RFC 3891 (Replaces in
the URI) and RFC 3420 (fragments of responses in the NOTIFYs). `Refer.parse` reads a request, and a
`ReferSubscription` tells its sender how it goes:

    refer = Refer.parse(request)
    ... 202 with refer.response_headers
    progress = ReferSubscription(session, refer, now)
    progress.notify(180, now)
    progress.notify(200, now)
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Protocol

from sip.core.errors import LocalProtocolError, ParseError, RemoteProtocolError
from sip.core.grammar import TOKEN
from sip.core.message import REASONS, Request, Response
from sip.core.name_addr import NameAddr
from sip.core.replaces import Replaces
from sip.core.transactions.invite_client import ClientUser
from sip.core.uri import SipUri, unescape

SIPFRAG = "message/sipfrag;version=2.0"
LIFETIME_SECONDS = 180  # of the subscription that a REFER makes: longer than anybody's phone rings
MAX_EMBEDDED_HEADERS = 16
MAX_URI_CHARS = 2048
_MOST_WAITING = 4  # notifications; the newest ones hold

# What a REFER may put into the call that it asks for; the rest is left out: whoever refers doesn't write our
# headers. RFC 3261 section 19.1.5 warns of exactly this.
_TAKEN = frozenset({"replaces", "require", "accept-contact", "subject", "priority"})


@dataclass(frozen=True, slots=True)
class ReferTo:
    """Where a REFER sends us. uri: without method and headers. headers: those embedded that we let pass.

    method is in upper case, INVITE by default.
    """

    uri: str
    method: str = "INVITE"
    name: str = ""
    replaces: Replaces | None = None
    headers: dict[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, value: str) -> ReferTo:
        """Parse a Refer-To value (RFC 3515 section 2.1); raises ParseError: 400, 416 for its scheme."""
        if len(value) > MAX_URI_CHARS:
            raise ParseError("Refer-To is too long")
        address = NameAddr.parse(value)
        if address.uri.lower().startswith("tel:"):
            return cls(address.uri, name=address.display[:128])
        uri = address.sip_uri
        embedded = _embedded(uri.headers)
        replaces = embedded.pop("replaces", "")
        method = unescape(uri.parameters.get("method", "INVITE")).upper()
        if not TOKEN.fullmatch(method):
            raise ParseError(f"malformed method in Refer-To {value[:80]!r}")
        return cls(
            str(_bare(uri)),
            method,
            address.display[:128],
            Replaces.parse(replaces) if replaces else None,
            embedded,
        )


@dataclass(frozen=True, slots=True)
class Refer:
    """One REFER. sequence: its CSeq number, which names its subscription (RFC 3515 section 2.4.6).

    referred_by: the address in Referred-By, as the sender claims; None without one.
    wants_subscription: False where the sender asked for none and gets none (RFC 4488 section 4).
    """

    refer_to: ReferTo
    sequence: int
    referred_by: NameAddr | None = None
    wants_subscription: bool = True

    @classmethod
    def parse(cls, request: Request) -> Refer:
        """Read a REFER.

        Raises ParseError (400) unless there is one readable Refer-To (RFC 3515 section 2.4.2) and at most one
        Referred-By (RFC 3892 section 3).
        """
        refer_to = ReferTo.parse(request.only("refer-to"))
        referred_by = None
        if "referred-by" in request.headers:
            referred_by = NameAddr.parse(request.only("referred-by"))
        wanted = True
        if "refer-sub" in request.headers:
            text = request.only("refer-sub").partition(";")[0].strip().lower()
            if text not in {"true", "false"}:
                raise ParseError(f"malformed Refer-Sub {text[:20]!r}")
            wanted = text == "true"
        return cls(refer_to, request.cseq[0], referred_by, wanted)

    @property
    def response_headers(self) -> str:
        """What the 202 has to say, for who supports `norefersub` (RFC 4488 section 4)."""
        return "" if self.wants_subscription else "Refer-Sub: false\r\n"

    def check_callable(self) -> None:
        """Raises RemoteProtocolError unless this asks for a call: another method isn't sent for anybody."""
        if self.refer_to.method != "INVITE":
            raise RemoteProtocolError(501, "Only INVITE Can Be Referred")


def refer_headers(
    target: str,
    *,
    replaces: Replaces | None = None,
    referred_by: str = "",
    subscription: bool = True,
) -> str:
    """The header lines of a REFER that we send, each with its CRLF.

    target: a URI without headers; referred_by: a URI.
    """
    uri = f"{target}?Replaces={_escape_header(replaces.value)}" if replaces is not None else target
    lines = [f"Refer-To: <{uri}>\r\n"]
    if referred_by:
        lines.append(f"Referred-By: <{referred_by}>\r\n")
    if not subscription:
        lines.append("Refer-Sub: false\r\nSupported: norefersub\r\n")  # RFC 4488 section 4
    return "".join(lines)


def sipfrag(status: int, reason: str = "") -> bytes:
    """A status line as message/sipfrag (RFC 3420 section 2; RFC 3515 section 2.4.5)."""
    return f"SIP/2.0 {status} {reason or REASONS.get(status, 'Unknown')}\r\n".encode()


def parse_sipfrag(body: bytes) -> tuple[int, str]:
    """Status and reason of a fragment that begins with a status line; raises ParseError for any other."""
    line = body[:256].partition(b"\r\n")[0].partition(b"\n")[0].decode("utf-8", "replace")
    version, _, rest = line.partition(" ")
    status, _, reason = rest.partition(" ")
    if version.upper() != "SIP/2.0" or not (status.isascii() and status.isdigit() and len(status) == 3):
        raise ParseError(f"malformed fragment {line[:80]!r}")
    return int(status), reason.strip()[:128]


class Dialogue(Protocol):
    """A session, for what this module needs of it (sip.core.session.Session)."""

    def send_request(
        self,
        method: str,
        user: ClientUser,
        now: float,
        *,
        headers: str = "",
        body: bytes = b"",
        content_type: str = "",
    ) -> None:
        """Send a request within the dialog. Raises LocalProtocolError where there is none any more."""


class ReferSubscription:
    """The subscription that a REFER makes within its dialog (RFC 3515 section 2.4.4).

    `notify` tells each status once, one NOTIFY at a time; the first final one ends the subscription. A NOTIFY
    that is refused, or not answered, ends it too, and so does the end of the session: who hangs up after a
    REFER isn't told how it went. It has no timer: it lives as long as what it tells of. Where no subscription
    was wanted `notify` does nothing.
    """

    __slots__ = ("_event", "_expires_at", "_sending", "_session", "_told", "_waiting", "over")

    def __init__(self, session: Dialogue, refer: Refer, now: float) -> None:
        self._session = session
        # RFC 3515 section 2.4.6: two REFERs in one dialog are told apart by the id, and we can't know yet
        self._event = f"refer;id={refer.sequence}"
        self._expires_at = now + LIFETIME_SECONDS
        self._sending = False
        self._waiting: deque[int] = deque(maxlen=_MOST_WAITING)
        self._told = 0
        self.over = not refer.wants_subscription
        self.notify(100, now)  # RFC 3515 section 2.4.4: the first one leaves at once

    def notify(self, status: int, now: float) -> None:
        """Tell how the referred call goes: the status that it got (RFC 3515 section 2.4.5)."""
        if self.over or (self._told >= 200) or status == self._told:
            return
        self._told = status
        self._waiting.append(status)
        if not self._sending:
            self._next(now)

    def end(self, now: float) -> None:
        """Nothing more will be known: the call was given up."""
        self.notify(503, now)

    def response_received(self, response: Response, now: float) -> None:
        """The answer to a NOTIFY."""
        if response.status < 200:
            return
        self._sending = False
        if response.status >= 300:
            self.over = True  # RFC 6665 section 4.2.2: whoever refuses what it asked for doesn't want it
            self._waiting.clear()
        self._next(now)

    def no_response(self, reason: str, now: float) -> None:
        """No answer to a NOTIFY."""
        self._sending = False
        self.over = True
        self._waiting.clear()

    def _next(self, now: float) -> None:
        if not self._waiting or self.over:
            return
        status = self._waiting.popleft()
        if status >= 200:
            self.over = True
            state = "terminated;reason=noresource"
        else:
            state = f"active;expires={max(int(self._expires_at - now), 1)}"
        headers = f"Event: {self._event}\r\nSubscription-State: {state}\r\n"
        try:
            self._session.send_request(
                "NOTIFY", self, now, headers=headers, body=sipfrag(status), content_type=SIPFRAG
            )
        except LocalProtocolError:
            self.over = True  # the session has ended
            return
        self._sending = True


def _embedded(text: str) -> dict[str, str]:
    """The headers in a URI that we let pass, names in lower case (RFC 3261 section 19.1.5).

    Raises ParseError for too many of them, one of them twice, or a control character in one.
    """
    if not text:
        return {}
    pieces = text.split("&")
    if len(pieces) > MAX_EMBEDDED_HEADERS:
        raise ParseError("too many headers in Refer-To")
    headers: dict[str, str] = {}
    for piece in pieces:
        name, _, value = piece.partition("=")
        name, value = unescape(name).lower(), unescape(value)
        if not TOKEN.fullmatch(name) or any(ord(char) < 32 or ord(char) == 127 for char in value):
            raise ParseError("malformed header in Refer-To")
        if name not in _TAKEN:
            continue
        if name in headers:
            raise ParseError(f"header {name} twice in Refer-To")
        headers[name] = value
    return headers


def _bare(uri: SipUri) -> SipUri:
    """The URI that may stand in a request line (RFC 3261 section 19.1.1)."""
    parameters = {name: value for name, value in uri.parameters.items() if name != "method"}
    return SipUri(uri.scheme, uri.user, uri.password, uri.host, uri.port, parameters)


def _escape_header(text: str) -> str:
    """A header's value as it may stand in a URI: anything but unreserved characters is escaped."""
    return "".join(
        char if char.isascii() and (char.isalnum() or char in "-_.!~*'()") else f"%{byte:02X}"
        for char in text
        for byte in char.encode("utf-8", "surrogateescape")
    )
