"""SDP (RFC 8866): the session descriptions that phones send, read strictly and written back.

`parse` reads one body into a `SessionDescription` with one `MediaDescription` for each m= line. Every
line below an m= line stays as received in `lines`, so `serialise` gives back what was read, unknown
lines included. `passed` holds the lines that may be shown to another party: those that name a
transport address, a key or an SSRC of the sender are left out of it, because we stand between the two.

This is on the path of every call. A phone says the same each time but for o=, its port and perhaps its
address: a body that differs from an earlier one in these alone isn't read again (`_forms`). Any other takes
one pass over its lines, and the small strings that phones repeat (rtpmap, c=) are parsed once. What is
remembered is bounded, holds no keys, and is shared: nobody changes the lists of a description.

Text is decoded as latin-1, which gives every byte back as it was; all that we interpret is ASCII.
"""

import re
import socket
from functools import lru_cache
from typing import Final

import msgspec
from msgspec import structs

MAX_BYTES: Final = 16_384
MAX_LINES: Final = 512
MAX_MEDIA: Final = 16
MAX_FORMATS: Final = 64
MOST_FORMS: Final = 512
MAX_FORM_BYTES: Final = 2048  # of a body that is remembered

PLAIN_PROFILES: Final = frozenset({"RTP/AVP", "RTP/AVPF"})
DIRECTIONS: Final = frozenset({"sendrecv", "sendonly", "recvonly", "inactive"})
_NOWHERE: Final = ("0.0.0.0", "::")  # noqa: S104 - compared, never bound

# What belongs to one transport hop: an address, a candidate, a key, an SSRC, a bundle.
_HOP_ATTRIBUTES: Final = frozenset(
    {
        "altc",
        "candidate",
        "connection",
        "crypto",
        "end-of-candidates",
        "extmap",
        "extmap-allow-mixed",
        "fingerprint",
        "group",
        "ice-lite",
        "ice-mismatch",
        "ice-options",
        "ice-pacing",
        "ice-pwd",
        "ice-ufrag",
        "key-mgmt",
        "mid",
        "msid",
        "msid-semantic",
        "remote-candidates",
        "rtcp",
        "rtcp-fb",
        "rtcp-mux",
        "rtcp-mux-only",
        "rtcp-rsize",
        "rtcp-xr",
        "setup",
        "source-filter",
        "ssrc",
        "ssrc-group",
        "tls-id",
        "zrtp-hash",
    }
)

# RFC 3551 section 6, tables 4 and 5: what a number means when no rtpmap says it.
STATIC_ENCODINGS: Final = {
    "0": "PCMU/8000",
    "3": "GSM/8000",
    "4": "G723/8000",
    "5": "DVI4/8000",
    "6": "DVI4/16000",
    "7": "LPC/8000",
    "8": "PCMA/8000",
    "9": "G722/8000",
    "10": "L16/44100/2",
    "11": "L16/44100",
    "12": "QCELP/8000",
    "13": "CN/8000",
    "14": "MPA/90000",
    "15": "G728/8000",
    "16": "DVI4/11025",
    "17": "DVI4/22050",
    "18": "G729/8000",
    "25": "CelB/90000",
    "26": "JPEG/90000",
    "28": "nv/90000",
    "31": "H261/90000",
    "32": "MPV/90000",
    "33": "MP2T/90000",
    "34": "H263/90000",
}


class SdpError(ValueError):
    """A body that is not an SDP session description we accept.

    line: number of the line, from 1 (0: the body as a whole). message: what is wrong with it.
    """

    def __init__(self, line: int, message: str) -> None:
        super().__init__(f"line {line}: {message}" if line else message)
        self.line = line
        self.message = message


class Codec(msgspec.Struct, frozen=True, gc=False, cache_hash=True):
    """One payload type of an RTP stream and what it carries.

    key: name in lower case, clock rate and channels: equal for two numbers of one codec.
    """

    payload_type: int
    name: str
    clock_rate: int
    channels: int
    key: str

    @property
    def is_event(self) -> bool:
        """True for RFC 4733 named events (digits)."""
        return self.name.lower() == "telephone-event"

    @property
    def is_auxiliary(self) -> bool:
        """True for what only goes along with a voice codec: digits and comfort noise."""
        return self.name.lower() in ("telephone-event", "cn", "red")


class MediaDescription(msgspec.Struct, frozen=True):
    """One m= line and what stands below it.

    kind: "audio", "video", "image" …; port: 0 when refused; host: the address that media goes to, from
    this section's c= or the session's; direction: this section's or the session's, "sendrecv" when
    neither says; codecs: one for each RTP format that has a meaning, in order of preference.
    rtcp_port: from a=rtcp (RFC 3605), otherwise port + 1.
    """

    kind: str
    port: int
    port_count: int
    protocol: str
    formats: list[str]
    host: str
    own_host: bool
    direction: str
    codecs: list[Codec]
    rtcp_port: int
    rtcp_mux: bool
    has_crypto: bool
    lines: list[str]
    passed: list[str]

    @property
    def is_secure(self) -> bool:
        """True when the profile asks for SRTP (RFC 3711, 5764)."""
        return "SAVP" in self.protocol

    @property
    def is_muted_address(self) -> bool:
        """True for the old form of hold: c= with an address of zeros (RFC 3264 section 8.4)."""
        return self.host in _NOWHERE

    @property
    def effective_direction(self) -> str:
        """The direction, with an address of zeros counted as "doesn't receive"."""
        if self.host not in _NOWHERE:
            return self.direction
        return "sendonly" if self.direction in ("sendrecv", "sendonly") else "inactive"

    @property
    def ptime_ms(self) -> int:
        """Milliseconds of sound in a packet that the sender prefers; 20 when it doesn't say."""
        value = self.attribute("ptime")
        return int(value) if value.isascii() and value.isdecimal() and 0 < int(value[:6]) <= 1000 else 20

    def attribute(self, name: str) -> str:
        """Return the value of the first a=NAME:value of this section, "" when there is none."""
        prefix = f"a={name}:"
        return next((line[len(prefix) :] for line in self.lines if line.startswith(prefix)), "")


class SessionDescription(msgspec.Struct, frozen=True):
    """One SDP body.

    origin: the six fields of o=; host: the session's c= ("" when only the media sections have one);
    lines: the session's lines after s=, as received; passed: those of them for another party.
    """

    origin: list[str]
    name: str
    host: str
    lines: list[str]
    passed: list[str]
    media: list[MediaDescription]


def parse(data: bytes) -> SessionDescription:
    """Read one SDP body; lines end with CRLF or LF.

    Raises SdpError for anything outside of RFC 8866 section 9 or of our limits. An address must be an
    IP address (a name would need a look-up in the middle of a call); a line of unknown type is kept.
    """
    if len(data) > MAX_BYTES:
        raise SdpError(0, f"longer than {MAX_BYTES} bytes")
    version, _, rest = data.partition(b"\r\no=")
    origin, _, rest = rest.partition(b"\r\n")
    before, _, rest = rest.partition(b"\r\nc=")
    connection, _, rest = rest.partition(b"\r\n")
    between, _, rest = rest.partition(b"\r\nm=audio ")
    port, _, below = rest.partition(b" ")
    form = _forms.get((version, before, between, below))
    if form is not None:
        try:
            return _filled(form, origin.decode("latin-1"), connection.decode("latin-1"), port)
        except ValueError:
            pass  # what is wrong is found line by line
    session = _read(data)
    cut_out = origin + connection
    if (
        below
        and port.isdigit()
        and b"\n" not in cut_out
        and len(data) <= MAX_FORM_BYTES
        and _is_form(session)
    ):
        if len(_forms) >= MOST_FORMS:
            _forms.clear()
        _forms[version, before, between, below] = session
    return session


# What bodies with one audio line were read as, by all of them but o=, the session's address and the port.
_forms: Final[dict[tuple[bytes, bytes, bytes, bytes], SessionDescription]] = {}


_usual_origin: Final = re.compile(r"[!-~]+ [0-9]{1,20} [0-9]{1,20} IN IP[46] [!-~]+").fullmatch


def _is_form(session: SessionDescription) -> bool:
    """Say whether others can be told by this one: what is cut out is in one place, and there are no keys."""
    media = session.media[0]
    return (
        len(session.media) == 1
        and media.port > 0
        and not media.own_host
        and not media.has_crypto
        and not media.attribute("rtcp")
        and [number for number, line in enumerate(session.lines) if line[:2] == "c="] == [0]
    )


def _filled(form: SessionDescription, origin: str, connection: str, port: bytes) -> SessionDescription:
    """Return a form with its gaps filled. Raises ValueError for what can't stand there."""
    number = int(port) if port.isdigit() else 0
    if not 0 < number <= 65535 or _usual_origin(origin) is None:
        raise ValueError("not a port number, or no usual origin")
    connection = "c=" + connection
    host = _connection(connection)
    media = structs.replace(form.media[0], host=host, port=number, rtcp_port=min(number + 1, 65535))
    lines = [connection, *form.lines[1:]]
    return SessionDescription(origin.split(" "), form.name, host, lines, form.passed, [media])


def _read(data: bytes) -> SessionDescription:
    """Read a body line by line."""
    text = data.decode("latin-1").replace("\r\n", "\n")
    if "\r" in text or "\0" in text:
        raise SdpError(0, "a carriage return or a zero byte inside a line")
    lines = text.rstrip("\n").split("\n")
    if len(lines) > MAX_LINES:
        raise SdpError(0, f"more than {MAX_LINES} lines")
    if lines[0] != "v=0":
        raise SdpError(1, "the first line is not v=0")
    if len(lines) < 4 or lines[1][:2] != "o=" or lines[2][:2] != "s=":
        raise SdpError(2, "o=, s= and t= must follow v=0")
    starts = [number for number, line in enumerate(lines) if line[:2] == "m="]
    if len(starts) > MAX_MEDIA:
        raise SdpError(starts[MAX_MEDIA] + 1, f"more than {MAX_MEDIA} m= lines")
    session_end = starts[0] if starts else len(lines)
    host, direction, passed = _session_lines(lines, session_end)
    starts.append(len(lines))
    return SessionDescription(
        _origin(lines[1]),
        lines[2][2:],
        host,
        lines[3:session_end],
        passed,
        [_media(lines, start, starts[place + 1], host, direction) for place, start in enumerate(starts[:-1])],
    )


def _origin(line: str) -> list[str]:
    fields = line[2:].split(" ")
    if len(fields) != 6 or "" in fields:
        raise SdpError(2, "o= needs six fields")
    _, session, version, network, family, _ = fields
    if not (_is_number(session) and _is_number(version)):
        raise SdpError(2, "o= needs a numeric session and version")
    if network != "IN" or family not in ("IP4", "IP6"):
        raise SdpError(2, "o= needs IN IP4 or IN IP6")
    return fields


def _is_number(text: str) -> bool:
    return len(text) <= 20 and text.isascii() and text.isdecimal()


def _session_lines(lines: list[str], end: int) -> tuple[str, str, list[str]]:
    """Return the session's host, direction and the lines that may be passed on."""
    host, direction, timed = "", "sendrecv", False
    passed: list[str] = []
    for number in range(3, end):
        line = lines[number]
        if line[1:2] != "=":
            raise SdpError(number + 1, "not TYPE=VALUE")
        letter = line[0]
        if letter == "a":
            name = line[2:].partition(":")[0]
            if name in DIRECTIONS:
                direction = name
            elif name not in _HOP_ATTRIBUTES:
                passed.append(line)
        elif letter == "c":
            host = _host(line, number)
        elif letter == "t":
            timed = True
        elif letter == "b":
            passed.append(line)
    if not timed:
        raise SdpError(end, "no t= line")
    return host, direction, passed


def _media(lines: list[str], start: int, end: int, host: str, direction: str) -> MediaDescription:
    """Read the section of lines[start:end]; host and direction are the session's."""
    kind, port, port_count, protocol, formats = _media_line(lines[start], start)
    own_host = rtcp_mux = has_crypto = False
    rtcp_port = 0
    rtpmaps: dict[str, str] = {}
    below = lines[start + 1 : end]
    passed: list[str] = []
    for number, line in enumerate(below, start + 1):
        kind_of_line = line[:2]
        if kind_of_line == "a=":
            name, _, value = line[2:].partition(":")
            if name == "rtpmap":
                payload_type, _, encoding = value.partition(" ")
                rtpmaps[payload_type] = encoding
                passed.append(line)
            elif name in DIRECTIONS:
                direction = name
            elif name not in _HOP_ATTRIBUTES:
                passed.append(line)
            elif name == "rtcp":
                rtcp_port = _port(value.partition(" ")[0], number)
            elif name == "rtcp-mux":
                rtcp_mux = True
            elif name == "crypto":
                has_crypto = True
        elif kind_of_line == "c=":
            host, own_host = _host(line, number), True
        elif kind_of_line[1:] != "=":
            raise SdpError(number + 1, "not TYPE=VALUE")
        elif kind_of_line != "k=":
            passed.append(line)
    if not host and port:
        raise SdpError(start + 1, "no c= line for this m= line")
    codecs: list[Codec] = []
    if protocol[:4] == "RTP/" or protocol[:12] == "UDP/TLS/RTP/":
        codecs = _codecs(formats, rtpmaps, start)
    return MediaDescription(
        kind, port, port_count, protocol, formats, host, own_host, direction, codecs,
        rtcp_port or min(port + 1, 65535), rtcp_mux, has_crypto, below, passed,
    )  # fmt: skip


def _media_line(line: str, number: int) -> tuple[str, int, int, str, list[str]]:
    fields = line[2:].split(" ")
    if len(fields) < 4 or "" in fields:
        raise SdpError(number + 1, "m= needs a kind, a port, a protocol and formats")
    if len(fields) > 3 + MAX_FORMATS:
        raise SdpError(number + 1, f"more than {MAX_FORMATS} formats")
    port, slash, count = fields[1].partition("/")
    port_count = _port(count, number) if slash else 1
    return fields[0], _port(port, number), port_count, fields[2], fields[3:]


def _port(text: str, number: int) -> int:
    if len(text) <= 5 and text.isascii() and text.isdecimal():
        port = int(text)
        if port <= 65535:
            return port
    raise SdpError(number + 1, "not a port number")


def _host(line: str, number: int) -> str:
    try:
        return _connection(line)
    except ValueError as error:
        raise SdpError(number + 1, str(error)) from None


@lru_cache(maxsize=2048)
def _connection(line: str) -> str:
    fields = line[2:].split(" ")
    if len(fields) != 3 or fields[0] != "IN":
        raise ValueError("c= needs IN, a family and an address")
    try:
        if fields[1] == "IP4":
            packed = socket.inet_pton(socket.AF_INET, fields[2])
            if packed[0] >= 224:
                raise ValueError("media goes to one host, not to a group")
            return fields[2]
        if fields[1] == "IP6":
            packed = socket.inet_pton(socket.AF_INET6, fields[2])
            if packed[0] == 0xFF:
                raise ValueError("media goes to one host, not to a group")
            return socket.inet_ntop(socket.AF_INET6, packed)
    except (OSError, UnicodeEncodeError):
        raise ValueError("c= needs the IP address of one host") from None
    raise ValueError("c= needs IP4 or IP6")


def _codecs(formats: list[str], rtpmaps: dict[str, str], number: int) -> list[Codec]:
    """Return the codec of each format; a dynamic number without rtpmap means nothing and is left out."""
    codecs: list[Codec] = []
    for payload_type in formats:
        encoding = rtpmaps.get(payload_type) or STATIC_ENCODINGS.get(payload_type, "")
        try:
            if encoding:
                codecs.append(_codec(payload_type, encoding))
            elif not _is_number(payload_type) or int(payload_type) > 127:
                raise ValueError("an RTP payload type is a number up to 127")
        except ValueError as error:
            raise SdpError(number + 1, str(error)) from None
    return codecs


@lru_cache(maxsize=1024)
def _codec(payload_type: str, encoding: str) -> Codec:
    if not _is_number(payload_type) or int(payload_type) > 127:
        raise ValueError("an RTP payload type is a number up to 127")
    name, slash, parameters = encoding.rstrip(" ").partition("/")
    clock_rate, _, channels = parameters.partition("/")
    channels = channels or "1"
    if not (name and slash and _is_number(clock_rate) and _is_number(channels)):
        raise ValueError(f"rtpmap of {payload_type} is not NAME/CLOCK or NAME/CLOCK/CHANNELS")
    if not (1 <= int(clock_rate) <= 1_000_000 and 1 <= int(channels) <= 255):
        raise ValueError(f"rtpmap of {payload_type} has a clock rate or channels out of range")
    key = f"{name.lower()}/{int(clock_rate)}/{int(channels)}"
    return Codec(int(payload_type), name, int(clock_rate), int(channels), key)


def serialise(session: SessionDescription) -> bytes:
    """Return the body that `session` was read from, with CRLF line ends."""
    lines = ["v=0", "o=" + " ".join(session.origin), "s=" + session.name, *session.lines]
    for media in session.media:
        count = f"/{media.port_count}" if media.port_count != 1 else ""
        lines.append(f"m={media.kind} {media.port}{count} {media.protocol} {' '.join(media.formats)}")
        lines += media.lines
    lines.append("")
    return "\r\n".join(lines).encode("latin-1")
