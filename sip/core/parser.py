"""Bytes to messages: one datagram, or the frames of a stream (RFC 3261 sections 7 and 18.3).

The start line and the header lines are split and bounded here; what a header means is read when it is touched
(see `message`). Nothing but ParseError comes out of bad input.
"""

from __future__ import annotations

import re
from enum import Enum
from itertools import islice

from sip.core.errors import ParseError
from sip.core.grammar import TOKEN
from sip.core.message import Request, Response

MAX_MESSAGE_BYTES = 65_535
MAX_HEADER_LINES = 256
MAX_HEADER_BYTES = 16_384

_COMPACT = {  # RFC 3261 section 7.3.3 and the registry of header fields
    "a": "accept-contact",
    "b": "referred-by",
    "c": "content-type",
    "d": "request-disposition",
    "e": "content-encoding",
    "f": "from",
    "i": "call-id",
    "j": "reject-contact",
    "k": "supported",
    "l": "content-length",
    "m": "contact",
    "o": "event",
    "r": "refer-to",
    "s": "subject",
    "t": "to",
    "u": "allow-events",
    "v": "via",
    "x": "session-expires",
    "y": "identity",
}
_METHODS = frozenset({"INVITE", "ACK", "BYE", "CANCEL", "REGISTER", "OPTIONS"})  # spares a regular expression
_CANONICAL: dict[str, str] = {}  # each spelling seen on the wire, bounded
_MAX_SPELLINGS = 2048
_FOLD = re.compile(r"(?<![ \t])[ \t]*\r\n[ \t]+")  # the lookbehind keeps a long run of spaces linear
_STATUS = re.compile(r"SIP/2\.0 ([1-6][0-9][0-9])(?: (.*))?\Z", re.IGNORECASE)
_VERSION = re.compile(r"SIP/[0-9]+\.[0-9]+\Z", re.IGNORECASE | re.ASCII)
_VISIBLE = bytes(byte for byte in range(256) if byte == 9 or (byte >= 32 and byte != 127))
_CONTROLS = bytes(byte for byte in (*range(32), 127) if byte not in b"\t\r\n")
_QUOTED_STRING = re.compile(rb'"(?:[^"\\\r\n]|\\[^\r\n])*"?')  # also an unclosed one, to stay linear
_QUOTED_PAIR = re.compile(rb"\\[^\r\n]")


class KeepAlive(Enum):
    """What a stream carries between messages (RFC 5626 section 3.5.1).

    A first CRLF is a pong at once, whatever may follow; a second one right after it makes them a ping.
    """

    PING = b"\r\n\r\n"
    PONG = b"\r\n"


def parse_message(data: bytes) -> Request | Response:
    """Parse one whole message; what follows its Content-Length is dropped (18.3).

    Raises ParseError; its `request` is set where enough was read to answer.
    """
    if len(data) > MAX_MESSAGE_BYTES:
        raise ParseError("message too large", status=513)
    problem: ParseError | None = None
    if data.startswith(b"\r\n"):  # 7.5: empty lines before the start line are ignored
        data = data.lstrip(b"\r\n")
    end = data.find(b"\r\n\r\n")
    if end < 0:  # torture test baddn
        data = data.rstrip(b"\r\n")
        end = len(data)
        problem = ParseError("the headers have no end")
    raw = data[:end]
    head = raw.decode("utf-8", "surrogateescape")
    lines = head.split("\r\n")
    # What isn't visible is the CRLF of each line, and nothing else: an answer would carry it back.
    if len(raw.translate(None, _VISIBLE)) != 2 * len(lines) - 2 and _bare_controls(raw, len(lines) - 1):
        raise ParseError("control character in the headers")  # there is none
    headers, malformed = _read_headers(lines, data)
    if malformed is not None and ("\r\n " in head or "\r\n\t" in head):
        lines = _FOLD.sub(" ", head).split("\r\n")  # 7.3.1
        headers, malformed = _read_headers(lines, data)
    if len(lines) > MAX_HEADER_LINES:
        raise ParseError(f"more than {MAX_HEADER_LINES} header lines", status=513)
    problem = problem or malformed
    message = _start(lines[0], headers, data[end + 4 :])
    if problem is None and "content-length" in headers:
        problem = _cut_body(message, headers["content-length"])
    if problem is not None:
        problem.request = message if isinstance(message, Request) else None
        raise problem
    return message


def _read_headers(lines: list[str], data: bytes) -> tuple[dict[str, list[str]], ParseError | None]:
    """The headers in the lines after the first one, and what is wrong with one of them: it is left out."""
    headers: dict[str, list[str]] = {}
    problem: ParseError | None = None
    for line in islice(lines, 1, None):
        try:
            name, value = line.split(": ", 1)  # as phones write it
            key = _CANONICAL[name]
        except (ValueError, KeyError):
            name, colon, value = line.partition(":")
            key = _canonical(name)
            if not colon or not key:
                problem = problem or ParseError(f"malformed header {line[:80]!r}", _line_of(data, line), 1)
                continue
        value = value.strip()
        if key in headers:
            headers[key].append(value)
        else:
            headers[key] = [value]
    return headers, problem


def _bare_controls(head: bytes, ends: int) -> bool:
    """Whether a control character stands anywhere but in a quoted pair (25.1; torture test intmeth), or a CR
    or LF that ends none of so many lines."""
    if head.count(b"\r") != ends or head.count(b"\n") != ends:
        return True
    clean = _QUOTED_STRING.sub(lambda quoted: _QUOTED_PAIR.sub(b"", quoted[0]), head)
    return len(clean.translate(None, _CONTROLS)) != len(clean)


def _canonical(name: str) -> str:
    key = name.rstrip(" \t").lower()  # 7.3.1 allows space before the colon
    key = _COMPACT.get(key, key)
    if not TOKEN.fullmatch(key):
        return ""
    if len(_CANONICAL) < _MAX_SPELLINGS and len(name) <= 64:
        _CANONICAL[name] = key
    return key


def _line_of(data: bytes, line: str) -> int:
    return data[: max(data.find(line.encode("utf-8", "surrogateescape")), 0)].count(b"\r\n") + 1


def _start(line: str, headers: dict[str, list[str]], body: bytes) -> Request | Response:
    """The message that a start line begins; raises ParseError with what can be answered."""
    method, _, rest = line.partition(" ")
    if method not in _METHODS and method[:4].upper() == "SIP/":
        status = _STATUS.match(line)
        if status is None:
            raise ParseError(f"malformed status line {line[:80]!r}", 1)
        return Response(int(status[1]), status[2] or "", headers, body)
    uri, _, version = rest.partition(" ")
    known = method in _METHODS or TOKEN.fullmatch(method) is not None
    if version == "SIP/2.0" and known and uri and uri[0] != "<":
        return Request(method, uri, headers, body)
    if not known:
        raise ParseError(f"malformed request line {line[:80]!r}", 1)
    request = Request(method, uri, headers, body)
    if uri and uri[0] != "<" and _VERSION.match(version):
        if version.upper() == "SIP/2.0":
            return request
        raise ParseError("Version Not Supported", 1, status=505, request=request)
    raise ParseError(f"malformed request line {line[:80]!r}", 1, request=request)


def _cut_body(message: Request | Response, lengths: list[str]) -> ParseError | None:
    """Hold the body against Content-Length (18.3); the problem, if any."""
    if lengths == [str(len(message.body))]:
        return None
    text = lengths[0]
    if len(lengths) > 1 and any(other != text for other in lengths):
        return ParseError("several Content-Length headers")  # torture test mcl01
    if not (text.isascii() and text.isdigit() and len(text) < 12):
        return ParseError(f"malformed Content-Length {text[:40]!r}")  # ncl
    length = int(text)
    if length > len(message.body):
        return ParseError(f"the body has {len(message.body)} bytes, Content-Length says {length}")  # clerr
    if length < len(message.body):
        message.body = message.body[:length]
    return None


class StreamParser:
    """Cuts a stream of bytes into the bytes of whole messages (18.3, RFC 5626 keep-alives).

    feed() raises ParseError when the stream can't be followed any further: the connection must be closed.
    What came before the unreadable part is returned first; the next feed(), even of nothing, raises.
    """

    __slots__ = ("_after_pong", "_buffer", "_max_message_bytes", "_searched")

    def __init__(self, max_message_bytes: int = MAX_MESSAGE_BYTES) -> None:
        self._buffer = bytearray()
        self._searched = 0
        self._after_pong = False
        self._max_message_bytes = max_message_bytes

    @property
    def pending(self) -> int:
        """Bytes of an unfinished message."""
        return len(self._buffer)

    def feed(self, data: bytes) -> list[bytes | KeepAlive]:
        """The messages and keep-alives that `data` completes, in order, however the stream was cut."""
        buffer = self._buffer
        buffer += data
        frames: list[bytes | KeepAlive] = []
        while buffer and buffer != b"\r":
            if buffer.startswith(b"\r\n"):
                frames.append(KeepAlive.PING if self._after_pong else KeepAlive.PONG)
                self._after_pong = not self._after_pong
                del buffer[:2]
                continue
            try:
                total = self._message_bytes()
            except ParseError:
                if frames:
                    break
                raise
            if total == 0 or len(buffer) < total:
                break
            frames.append(bytes(buffer[:total]))
            del buffer[:total]
            self._searched = 0
            self._after_pong = False
        return frames

    def _message_bytes(self) -> int:
        """The size of the message that the buffer begins with, 0 while its headers aren't complete."""
        buffer = self._buffer
        end = buffer.find(b"\r\n\r\n", max(self._searched - 3, 0))
        self._searched = len(buffer) if end < 0 else end
        if self._searched > MAX_HEADER_BYTES + (3 if end < 0 else 0):  # up to three bytes of the empty line
            raise ParseError("the headers are too long", status=513)
        if end < 0:
            return 0
        total = end + 4 + _stream_length(bytes(buffer[:end]))
        if total > self._max_message_bytes:
            raise ParseError("message too large", status=513)
        return total


_CONTENT_LENGTH = re.compile(
    rb"\r\n(?:content-length|l)[ \t]*:[ \t]*(?:\r\n[ \t]+)?([^\r\n]*)", re.IGNORECASE
)


def _stream_length(head: bytes) -> int:
    """Content-Length of a message on a stream, where it is mandatory (20.14)."""
    values = {value.rstrip(b" \t") for value in _CONTENT_LENGTH.findall(head)}
    if len(values) != 1 or not (text := values.pop()).isdigit() or len(text) > 11:
        raise ParseError("a stream needs one Content-Length")
    return int(text)
