"""SIP as the scripted phone reads and writes it: small, strict about nothing, and none of Beffroi's own code.

A peer that shared our parser would share its mistakes; this one only knows what a test needs to see.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from functools import cached_property

COMPACT = {  # RFC 3261 section 7.3.3
    "v": "via",
    "f": "from",
    "t": "to",
    "i": "call-id",
    "m": "contact",
    "l": "content-length",
    "c": "content-type",
    "k": "supported",
}


@dataclass(frozen=True)
class Message:
    """A request or a response: its first line, its headers in order, its body."""

    first_line: str
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""
    raw: bytes = field(default=b"", compare=False, repr=False)

    @cached_property
    def status(self) -> int:
        """The status code; 0 for a request."""
        return int(self.first_line.split()[1]) if self.first_line.startswith("SIP/2.0 ") else 0

    @cached_property
    def method(self) -> str:
        """A request's own method, and for a response the one that its CSeq names."""
        return self.header("CSeq").split()[-1] if self.status else self.first_line.split()[0]

    @property
    def uri(self) -> str:
        """A request's Request-URI."""
        return self.first_line.split()[1]

    @property
    def cseq(self) -> int:
        return int(self.header("CSeq").split()[0])

    @property
    def call_id(self) -> str:
        return self.header("Call-ID")

    @property
    def from_tag(self) -> str:
        return tag_of(self.header("From"))

    @property
    def to_tag(self) -> str:
        """Empty where there is none yet."""
        return tag_of(self.header("To"))

    @cached_property
    def branch(self) -> str:
        """The topmost Via's branch; empty where there is none."""
        found = re.search(r";\s*branch\s*=\s*([^;,\s]+)", self.header("Via"))
        return found[1] if found else ""

    def header(self, name: str) -> str:
        """The first value of a header; AssertionError when it is missing."""
        values = self._values.get(name.lower())
        assert values, f"{self.first_line} has no {name}"
        return values[0]

    def all(self, name: str) -> list[str]:
        """Every value of a header, in order; empty when it is missing."""
        return list(self._values.get(name.lower(), ()))

    @cached_property
    def _values(self) -> dict[str, list[str]]:
        values: dict[str, list[str]] = {}
        for name, value in self.headers:
            values.setdefault(name.lower(), []).append(value)
        return values

    def label(self) -> str:
        """`INVITE` or `200 INVITE`."""
        return f"{self.status} {self.method}" if self.status else self.method

    def encode(self) -> bytes:
        """The bytes on the wire, with the right Content-Length."""
        lines = [self.first_line, *(f"{name}: {value}" for name, value in self.headers)]
        lines.append(f"Content-Length: {len(self.body)}")
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + self.body


def parse(data: bytes) -> Message:
    """Read one message; folded lines are unfolded (7.3.1), compact names written out."""
    head, _, body = data.partition(b"\r\n\r\n")
    first_line, *lines = re.sub(rb"\r\n[ \t]+", b" ", head).decode("utf-8", "replace").split("\r\n")
    headers = []
    for line in lines:
        name, _, value = line.partition(":")
        name = name.strip()
        headers.append((COMPACT.get(name.lower(), name), value.strip()))
    return Message(first_line, tuple(headers), body, data)


def take_message(buffer: bytearray) -> bytes:
    """Take the first whole message off a stream's buffer (RFC 3261 section 18.3); empty until it is whole."""
    while buffer[:2] == b"\r\n":  # keep-alives between messages, RFC 5626 section 3.5.1
        del buffer[:2]
    head_end = buffer.find(b"\r\n\r\n")
    if head_end < 0:
        return b""
    length = re.search(rb"\r\n(?:Content-Length|l)[ \t]*:[ \t]*(\d+)", buffer[:head_end], re.IGNORECASE)
    end = head_end + 4 + (int(length[1]) if length else 0)
    if len(buffer) < end:
        return b""
    message = bytes(buffer[:end])
    del buffer[:end]
    return message


def tag_of(address: str) -> str:
    """The tag parameter of a From or To value; empty when there is none."""
    found = re.search(r";\s*tag\s*=\s*([^;,\s]+)", address)
    return found[1] if found else ""


def uri_of(address: str) -> str:
    """The URI of a From, To, Contact or Route value."""
    bracketed = re.search(r"<([^>]*)>", address)
    return bracketed[1] if bracketed else address.split(";")[0].strip()


def sdp(address: str, port: int, *, direction: str = "sendrecv", version: int = 1) -> bytes:
    """A desk phone's offer: G.711 A and µ, and telephone-event. RFC 8866, RFC 4733."""
    return (
        f"v=0\r\no=- 1 {version} IN IP4 {address}\r\ns=-\r\nc=IN IP4 {address}\r\nt=0 0\r\n"
        f"m=audio {port} RTP/AVP 8 0 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n"
        f"a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na={direction}\r\n"
    ).encode()


# --- Digest, RFC 7616 --------------------------------------------------------------------------------------

HASHES = {"MD5": "md5", "SHA-256": "sha256"}


@dataclass(frozen=True)
class Challenge:
    """One WWW-Authenticate or Proxy-Authenticate value."""

    realm: str
    nonce: str
    algorithm: str
    qop: str
    """"auth", or empty for the clients of RFC 2069."""
    opaque: str
    stale: bool


def parse_challenge(value: str) -> Challenge:
    """Read a Digest challenge. RFC 7616 section 3.3; without an algorithm it is MD5."""
    scheme, _, rest = value.partition(" ")
    assert scheme.lower() == "digest", f"not a digest challenge: {value}"
    fields = {
        name.lower(): quoted or bare
        for name, quoted, bare in re.findall(r'([\w-]+)\s*=\s*(?:"([^"]*)"|([^\s,"]+))', rest)
    }
    qop = "auth" if "auth" in [choice.strip() for choice in fields.get("qop", "").split(",")] else ""
    return Challenge(
        realm=fields["realm"],
        nonce=fields["nonce"],
        algorithm=fields.get("algorithm", "MD5"),
        qop=qop,
        opaque=fields.get("opaque", ""),
        stale=fields.get("stale", "false").lower() == "true",
    )


def digest(
    challenge: Challenge, *, user: str, password: str, method: str, uri: str, count: int, cnonce: str
) -> str:
    """The `response` value, in lower-case hexadecimal. RFC 7616 section 3.4.1."""

    def h(text: str) -> str:
        return hashlib.new(HASHES[challenge.algorithm], text.encode()).hexdigest()

    secret = h(f"{user}:{challenge.realm}:{password}")
    request = h(f"{method}:{uri}")
    if not challenge.qop:
        return h(f"{secret}:{challenge.nonce}:{request}")
    return h(f"{secret}:{challenge.nonce}:{count:08x}:{cnonce}:{challenge.qop}:{request}")


def credentials(
    challenge: Challenge, *, user: str, password: str, method: str, uri: str, count: int, cnonce: str
) -> str:
    """The value of an Authorization header that answers a challenge."""
    response = digest(
        challenge, user=user, password=password, method=method, uri=uri, count=count, cnonce=cnonce
    )
    value = (
        f'Digest username="{user}", realm="{challenge.realm}", nonce="{challenge.nonce}", uri="{uri}", '
        f'response="{response}", algorithm={challenge.algorithm}'
    )
    if challenge.opaque:
        value += f', opaque="{challenge.opaque}"'
    if challenge.qop:
        value += f', qop={challenge.qop}, nc={count:08x}, cnonce="{cnonce}"'
    return value
