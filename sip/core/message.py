"""Requests and responses: headers as received, structured when touched.

A message keeps each header's raw value (RFC 3261 section 7.3); a structured header is parsed the first time
that it is asked for and raises ParseError then, so that a message costs what its reader needs.
"""

from __future__ import annotations

import re
from functools import lru_cache

from sip.core.errors import ParseError
from sip.core.flow import Flow
from sip.core.grammar import TOKEN_CHARS, parse_number, split_list
from sip.core.name_addr import NameAddr
from sip.core.via import Via

_MAX_FORWARDS = {str(number): number for number in range(256)}  # spares reading the usual number
_TAG = re.compile(r";\s*tag\s*=", re.IGNORECASE)
_CSEQ = re.compile(rf"([0-9]{{1,10}})[ \t]+([{TOKEN_CHARS}]+)\Z")

_LONGEST_REMEMBERED = 64  # characters of a CSeq: most are the first or second of some method

# The canonical names of what we write; everything else is capitalised word by word.
_SPELLING = {
    "call-id": "Call-ID",
    "cseq": "CSeq",
    "www-authenticate": "WWW-Authenticate",
    "mime-version": "MIME-Version",
    "rseq": "RSeq",
    "rack": "RAck",
}

REASONS = {
    100: "Trying",
    180: "Ringing",
    181: "Call Is Being Forwarded",
    182: "Queued",
    183: "Session Progress",
    200: "OK",
    202: "Accepted",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    406: "Not Acceptable",
    407: "Proxy Authentication Required",
    408: "Request Timeout",
    410: "Gone",
    413: "Request Entity Too Large",
    415: "Unsupported Media Type",
    416: "Unsupported URI Scheme",
    420: "Bad Extension",
    422: "Session Interval Too Small",
    423: "Interval Too Brief",
    480: "Temporarily Unavailable",
    481: "Call/Transaction Does Not Exist",
    482: "Loop Detected",
    483: "Too Many Hops",
    484: "Address Incomplete",
    486: "Busy Here",
    487: "Request Terminated",
    488: "Not Acceptable Here",
    489: "Bad Event",
    491: "Request Pending",
    500: "Server Internal Error",
    501: "Not Implemented",
    503: "Service Unavailable",
    504: "Server Time-out",
    505: "Version Not Supported",
    513: "Message Too Large",
    600: "Busy Everywhere",
    603: "Decline",
}


class Message:
    """What requests and responses share.

    headers: canonical lower-case name (compact forms expanded) to the raw values, in order of arrival.
    """

    __slots__ = ("_call_id", "_cseq", "_from", "_to", "_via", "body", "headers")

    def __init__(self, headers: dict[str, list[str]], body: bytes) -> None:
        self.headers = headers
        self.body = body
        self._via: Via | None = None
        self._call_id: str | None = None
        self._from: NameAddr | None = None
        self._to: NameAddr | None = None
        self._cseq: tuple[int, str] | None = None

    def first(self, name: str) -> str:
        """The first raw value of a header that must be there; raises ParseError when it isn't."""
        values = self.headers.get(name)
        if values is None:
            raise ParseError(f"{spell(name)} is missing")
        return values[0]

    def only(self, name: str) -> str:
        """The raw value of a header that must be there exactly once (torture test multi01)."""
        try:
            (value,) = self.headers[name]
        except KeyError:
            raise ParseError(f"{spell(name)} is missing") from None
        except ValueError:
            raise ParseError(f"{spell(name)} more than once") from None
        return value

    def get(self, name: str) -> str:
        """The first raw value of a header, or the empty string."""
        values = self.headers.get(name)
        return values[0] if values else ""

    def values(self, name: str) -> list[str]:
        """All the values of a list header, split at their commas; raises ParseError when malformed."""
        raw = self.headers.get(name)
        if raw is None:
            return []
        return [value for line in raw if line for value in split_list(line)]

    def tokens(self, name: str) -> list[str]:
        """The values of a list of tokens such as Supported, in lower case."""
        return [value.lower() for value in self.values(name)]

    @property
    def via(self) -> Via:
        """The topmost Via."""
        via = self._via
        if via is None:
            line = self.first("via")
            via = self._via = Via.parse(line if "," not in line else split_list(line)[0])
        return via

    @property
    def vias(self) -> list[Via]:
        """All Vias, topmost first."""
        return [Via.parse(value) for value in self.values("via")]

    @property
    def from_(self) -> NameAddr:
        """From; without a tag it comes from an RFC 2543 client."""
        address = self._from
        if address is None:
            address = self._from = NameAddr.parse(self.only("from"))
        return address

    @property
    def to(self) -> NameAddr:
        """To."""
        address = self._to
        if address is None:
            address = self._to = NameAddr.parse(self.only("to"))
        return address

    @property
    def call_id(self) -> str:
        """Call-ID."""
        value = self._call_id
        if value is None:
            value = self.only("call-id")
            if not value or " " in value:
                raise ParseError(f"malformed Call-ID {value[:80]!r}")
            self._call_id = value
        return value

    @property
    def cseq(self) -> tuple[int, str]:
        """CSeq as number and method; raises ParseError from 2**31 on (8.1.1.5)."""
        cseq = self._cseq
        if cseq is None:
            text = self.only("cseq")
            read = _parse_cseq if len(text) <= _LONGEST_REMEMBERED else _parse_cseq.__wrapped__
            cseq = self._cseq = read(text)
        return cseq

    @property
    def contacts(self) -> list[NameAddr]:
        """The Contact addresses; `*` (RFC 3261 section 10.2.2) is an address whose uri is `*`."""
        raw = self.headers.get("contact")
        if raw is None:
            return []
        if raw == ["*"]:
            return [NameAddr("*", "", {})]
        if len(raw) == 1 and "," not in raw[0] and raw[0]:  # what phones send
            return [NameAddr.parse(raw[0])]
        return [NameAddr.parse(value) for value in self.values("contact")]

    @property
    def contact(self) -> NameAddr:
        """The one Contact of a message that makes a dialog; raises ParseError unless there is exactly one."""
        contacts = self.contacts
        if len(contacts) != 1:
            raise ParseError(f"{len(contacts)} Contact addresses, expected one")
        return contacts[0]

    @property
    def expires(self) -> int | None:
        """Expires in seconds, None when it isn't there; raises ParseError from 2**32 on (20.19)."""
        if "expires" not in self.headers:
            return None
        return parse_number(self.only("expires"), "Expires", (1 << 32) - 1)

    def _lines(self) -> list[str]:
        return [f"{spell(name)}: {value}\r\n" for name, values in self.headers.items() for value in values]


class Request(Message):
    """A request. uri is the Request-URI as received; flow is where it came from, once a stack received it."""

    __slots__ = ("flow", "method", "uri")

    def __init__(self, method: str, uri: str, headers: dict[str, list[str]], body: bytes = b"") -> None:
        super().__init__(headers, body)
        self.method = method
        self.uri = uri
        self.flow: Flow | None = None

    @property
    def max_forwards(self) -> int:
        """Max-Forwards, 70 where an RFC 2543 client left it out (8.1.1.6); raises ParseError above 255."""
        raw = self.headers.get("max-forwards")
        if raw is None:
            return 70
        number = _MAX_FORWARDS.get(raw[0])
        if number is not None and len(raw) == 1:
            return number
        return parse_number(self.only("max-forwards"), "Max-Forwards", 255)

    def serialise(self) -> bytes:
        """The request in wire form. Content-Length is written as the body is."""
        self.headers["content-length"] = [str(len(self.body))]
        return (
            f"{self.method} {self.uri} SIP/2.0\r\n{''.join(self._lines())}\r\n".encode(
                "utf-8", "surrogateescape"
            )
            + self.body
        )

    def __repr__(self) -> str:
        return f"<{self.method} {self.uri}>"


class Response(Message):
    """A response. reason is the phrase as received."""

    __slots__ = ("reason", "status")

    def __init__(self, status: int, reason: str, headers: dict[str, list[str]], body: bytes = b"") -> None:
        super().__init__(headers, body)
        self.status = status
        self.reason = reason

    def serialise(self) -> bytes:
        """The response in wire form. Content-Length is written as the body is."""
        self.headers["content-length"] = [str(len(self.body))]
        return (
            f"SIP/2.0 {self.status} {self.reason}\r\n{''.join(self._lines())}\r\n".encode(
                "utf-8", "surrogateescape"
            )
            + self.body
        )

    def __repr__(self) -> str:
        return f"<{self.status} {self.reason}>"


@lru_cache(1024)
def _parse_cseq(text: str) -> tuple[int, str]:
    match = _CSEQ.match(text)
    if match is None or (number := int(match[1])) >= 1 << 31:
        raise ParseError(f"malformed CSeq {text[:80]!r}")
    return number, match[2]


def spell(name: str) -> str:
    """A header's canonical name as it is written: `call-id` is `Call-ID`."""
    return _SPELLING.get(name) or name.title()


def build_response(
    request: Request,
    status: int,
    reason: str = "",
    *,
    to_tag: str = "",
    headers: str = "",
    body: bytes = b"",
    content_type: str = "application/sdp",
) -> bytes:
    """The wire form of a response to `request` (RFC 3261 section 8.2.6.2).

    to_tag is added where To has none. headers: further header lines, each ending in CRLF.
    """
    raw = request.headers
    to = raw.get("to", ("",))[0]
    if to_tag:
        parameters = to.rpartition(">")[2]
        if ";tag=" not in parameters and not ("=" in parameters and _TAG.search(parameters)):
            to = f"{to};tag={to_tag}"
    lines = [f"SIP/2.0 {status} {reason or REASONS.get(status, 'Unknown')}\r\n"]
    lines.extend([f"Via: {via}\r\n" for via in raw.get("via", ())])
    if status < 300 and "record-route" in raw and status != 100:
        lines.extend([f"Record-Route: {route}\r\n" for route in raw["record-route"]])  # 12.1.1
    try:
        lines.append(
            f"From: {raw['from'][0]}\r\nTo: {to}\r\n"
            f"Call-ID: {raw['call-id'][0]}\r\nCSeq: {raw['cseq'][0]}\r\n"
        )
    except KeyError:  # torture test insuf: there is nothing to copy
        copied = [name for name in ("from", "to", "call-id", "cseq") if name in raw]
        lines.extend([f"{spell(name)}: {to if name == 'to' else raw[name][0]}\r\n" for name in copied])
    lines.append(headers)
    if status == 100 and "timestamp" in raw:  # 8.2.6.1
        lines.append(f"Timestamp: {raw['timestamp'][0]}\r\n")
    if body:
        lines.append(f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n")
        return "".join(lines).encode("utf-8", "surrogateescape") + body
    lines.append("Content-Length: 0\r\n\r\n")
    return "".join(lines).encode("utf-8", "surrogateescape")
