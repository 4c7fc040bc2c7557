"""Digest access authentication, both sides (RFC 7616, RFC 8760, RFC 3261 section 22).

The server's nonces are signed and carry their time, so that nothing is stored for strangers. Only after
a first success is a window of nonce counts kept for a nonce. The client side answers a trunk's challenge.

    nonce = time issued (8 hexadecimal digits) + serial (8) + signature of both (32)
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from sip.core.errors import ParseError, RemoteProtocolError
from sip.core.grammar import TOKEN_CHARS, quote, unquote
from sip.core.uri import SipUri, equal

if TYPE_CHECKING:
    from sip.core.message import Response


class Algorithm(Enum):
    """The algorithms that we offer, best first (RFC 8760 section 2.4)."""

    SHA256 = "SHA-256"
    MD5 = "MD5"


_HASH: dict[Algorithm, Callable[[str], str]] = {
    Algorithm.SHA256: lambda text: hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest(),
    Algorithm.MD5: lambda text: hashlib.md5(text.encode("utf-8", "surrogateescape")).hexdigest(),  # noqa: S324 (RFC 3261 phones know nothing else)
}
_ALGORITHMS = {algorithm.value: algorithm for algorithm in Algorithm}
BOTH = (Algorithm.SHA256, Algorithm.MD5)
MD5_ONLY = (Algorithm.MD5,)
"""Over WebSocket too: JsSIP 3.13 reads the last challenge, SIP.js the first, and both know this one alone."""

# Phones that fail on a challenge they don't know, even beside one that they do, by User-Agent.
_MD5_ONLY_AGENTS = re.compile(r"baresip v1\.|baresip v0\.|PyVoIP|SIPp", re.IGNORECASE)

NONCE_SECONDS = 300.0
WINDOW_COUNTS = 64
MAX_WINDOWS = 65_536

_COUNT = re.compile(r"[0-9A-Fa-f]{8}\Z")
# Digest parameters as phones write them, without a comma or an escape in a quoted value.
_PLAIN = re.compile(r'(?:[a-z]+=(?:"[^",\\]*"|[A-Za-z0-9\-]+)(?:, ?|\Z))+\Z')
_PLAIN_PARAMETER = re.compile(r'([a-z]+)="?([^",]*)')
_PARAMETER = re.compile(rf'\s*([{TOKEN_CHARS}]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^\s",]*)\s*(?:,|\Z)')


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user's H(A1) for each algorithm (RFC 7616 section 3.4.2): all that a server needs to keep."""

    md5: str
    sha256: str

    @classmethod
    def of(cls, username: str, realm: str, password: str) -> Credentials:
        """The hashes of a password."""
        secret = f"{username}:{realm}:{password}"
        return cls(_HASH[Algorithm.MD5](secret), _HASH[Algorithm.SHA256](secret))

    def hashed(self, algorithm: Algorithm) -> str:
        """H(A1) for one algorithm."""
        return self.md5 if algorithm is Algorithm.MD5 else self.sha256


class Verdict(Enum):
    """What an Authorization header is worth."""

    ACCEPTED = "accepted"
    ABSENT = "absent"  # challenge
    STALE = "stale"  # challenge with stale=true: the password may well be right
    WRONG = "wrong"  # 403


def algorithms_for(user_agent: str) -> tuple[Algorithm, ...]:
    """What to offer a phone that introduces itself with this User-Agent."""
    return MD5_ONLY if _MD5_ONLY_AGENTS.search(user_agent) else BOTH


def parse_digest(value: str) -> dict[str, str]:
    """The parameters of a Digest challenge or of Digest credentials, names in lower case, values unquoted.

    Raises ParseError when the scheme isn't Digest or the value is malformed.
    """
    scheme, _, rest = value.partition(" ")
    if scheme.lower() != "digest":
        raise ParseError(f"unsupported authentication scheme {scheme[:20]!r}", status=401)
    if _PLAIN.match(rest):
        found = _PLAIN_PARAMETER.findall(rest)
        plain = dict(found)
        if len(plain) == len(found):
            return plain
    parameters: dict[str, str] = {}
    position = 0
    while position < len(rest):
        match = _PARAMETER.match(rest, position)
        if match is None:
            raise ParseError("malformed digest parameters")
        name = match[1].lower()
        if name in parameters:
            raise ParseError(f"digest parameter {name[:20]!r} twice")
        parameters[name] = unquote(match[2])
        position = match.end()
    return parameters


class Authenticator:
    """The server's side for one realm."""

    def __init__(self, realm: str, secret: bytes) -> None:
        """secret: random bytes of this process; nonces of another process are stale."""
        self.realm = realm
        self._secret = secret[:32]
        self._challenges = {
            algorithm: f'WWW-Authenticate: Digest realm="{realm}",algorithm={algorithm.value},'
            for algorithm in Algorithm
        }
        self._serial = 0
        self._windows: OrderedDict[str, _Window] = OrderedDict()
        self._forgotten_until = -1  # nonces issued up to then lost their window: they are stale
        self._decoy = Credentials.of("", realm, secret.hex())

    def challenge(self, now: float, algorithms: tuple[Algorithm, ...] = BOTH, *, stale: bool = False) -> str:
        """The WWW-Authenticate header lines, one for each algorithm, best first."""
        self._serial = (self._serial + 1) & 0xFFFFFFFF
        head = f"{int(now) & 0xFFFFFFFF:08x}{self._serial:08x}"
        tail = f'nonce="{head}{self._signature(head)}",qop="auth"{",stale=true" if stale else ""}\r\n'
        return "".join([f"{self._challenges[algorithm]}{tail}" for algorithm in algorithms])

    def verify(
        self,
        values: list[str],
        method: str,
        uri: str,
        lookup: Callable[[str], Credentials | None],
        now: float,
    ) -> tuple[Verdict, str]:
        """Check the Authorization values of a request; returns the verdict and the username claimed.

        lookup gives a username's credentials, None for a stranger: who takes the same path, against a decoy.
        Raises RemoteProtocolError 400 where the digest URI isn't the request's (RFC 7616 section 3.4), nor
        without qop its server.
        """
        fields = self._ours(values)
        if fields is None:
            return Verdict.ABSENT, ""
        username = fields.get("username", "")
        nonce = fields.get("nonce", "")
        issued = self._issued(nonce, now)
        if issued is None:
            return Verdict.STALE, username
        algorithm = _ALGORITHMS[fields.get("algorithm", "MD5").upper()]
        credentials = lookup(username)
        expected = _response(
            (credentials or self._decoy).hashed(algorithm), algorithm, method, fields, fields.get("uri", "")
        )
        claimed = fields.get("response", "").lower().encode("utf-8", "surrogateescape")
        matches = hmac.compare_digest(expected.encode(), claimed)
        if credentials is None or not matches:
            return Verdict.WRONG, username
        claimed_uri = fields.get("uri", "")
        if claimed_uri != uri and not _stands_for(claimed_uri, uri, "qop" in fields):
            raise RemoteProtocolError(400, "Digest URI Mismatch")
        return (Verdict.ACCEPTED if self._count(nonce, fields, issued) else Verdict.STALE), username

    def username(self, values: list[str]) -> str:
        """Whom Authorization values name, "" for nobody; whether that is true is for `verify` to say."""
        fields = self._ours(values)
        return fields.get("username", "") if fields is not None else ""

    def _ours(self, values: list[str]) -> dict[str, str] | None:
        """The first Digest credentials for our realm in an algorithm that we know."""
        for value in values[:8]:
            if value[:7].lower() != "digest ":
                continue  # 20.7: another scheme isn't for us (torture test regaut01)
            fields = parse_digest(value)
            known = fields.get("algorithm", "MD5").upper() in _ALGORITHMS
            if fields.get("realm") == self.realm and known and fields.get("qop", "auth") == "auth":
                return fields
        return None

    def _signature(self, head: str) -> str:
        # Keyed BLAKE2 (RFC 7693) is a MAC by itself, and costs a quarter of an HMAC.
        signed = head.encode("utf-8", "surrogateescape")
        return hashlib.blake2s(signed, key=self._secret, digest_size=16).hexdigest()

    def _issued(self, nonce: str, now: float) -> int | None:
        """When we issued a nonce; None when it isn't ours any more."""
        head, signature = nonce[:16], nonce[16:]
        if not hmac.compare_digest(
            self._signature(head).encode(), signature.encode("utf-8", "surrogateescape")
        ):
            return None
        age = (int(now) - int(head[:8], 16)) & 0xFFFFFFFF
        return int(now) - age if age <= NONCE_SECONDS else None  # whole seconds: the same at each use

    def _count(self, nonce: str, fields: dict[str, str], issued: int) -> bool:
        """Take note of a use of the nonce; False when this use is a replay or can't be told from one."""
        window = self._windows.get(nonce)
        text = fields.get("nc", "")
        if "qop" not in fields:
            number = 1  # a client of RFC 2069: its nonces serve once
        elif _COUNT.match(text):
            number = int(text, 16)
        else:
            return False
        if window is None:
            if number != 1 or issued <= self._forgotten_until:
                return False
            if len(self._windows) >= MAX_WINDOWS:
                _, oldest = self._windows.popitem(last=False)
                self._forgotten_until = max(self._forgotten_until, oldest.issued)
            elif self._windows and next(iter(self._windows.values())).issued < issued - NONCE_SECONDS:
                self._windows.popitem(last=False)  # too old to be asked for
            window = self._windows[nonce] = _Window(issued)
        return window.take(number)


class _Window:
    """The counts of one nonce that were used: the highest, and a bit for each of the 64 up to it."""

    __slots__ = ("_bits", "_highest", "issued")

    def __init__(self, issued: int) -> None:
        self.issued = issued
        self._highest = 0
        self._bits = 0

    def take(self, number: int) -> bool:
        """Use a count once; False when it was used, or may have been."""
        ahead = number - self._highest
        if ahead > WINDOW_COUNTS:
            return False
        if ahead > 0:
            self._bits = (self._bits << ahead | 1) & ((1 << WINDOW_COUNTS) - 1)
            self._highest = number
            return True
        if number <= 0 or -ahead >= WINDOW_COUNTS or self._bits >> -ahead & 1:
            return False
        self._bits |= 1 << -ahead
        return True


def _stands_for(claimed_uri: str, uri: str, with_qop: bool) -> bool:
    """Whether a digest URI is the request's, or names its server as old clients' do (pyVoIP 1.6, no qop)."""
    claimed, requested = SipUri.parse(claimed_uri), SipUri.parse(uri)
    if not with_qop and claimed.user is None and claimed.host == requested.host:
        return True
    return equal(claimed, requested, parameters=False)


def _response(ha1: str, algorithm: Algorithm, method: str, fields: dict[str, str], uri: str) -> str:
    """RFC 7616 section 3.4.1, and RFC 2069 without qop."""
    hashed = _HASH[algorithm]
    ha2 = hashed(f"{method}:{uri}")
    nonce = fields.get("nonce", "")
    if "qop" in fields:
        return hashed(
            f"{ha1}:{nonce}:{fields.get('nc', '')}:{fields.get('cnonce', '')}:{fields['qop']}:{ha2}"
        )
    return hashed(f"{ha1}:{nonce}:{ha2}")


def says_stale(challenge: Response) -> bool:
    """Whether a 401 or 407 says that only our nonce was too old (RFC 7616 section 3.3)."""
    name = "proxy-authenticate" if challenge.status == 407 else "www-authenticate"
    for value in challenge.headers.get(name, [])[:8]:
        with suppress(ParseError):
            if parse_digest(value).get("stale", "").lower() == "true":
                return True
    return False


def authorization(
    challenges: list[str],
    username: str,
    password: str,
    method: str,
    uri: str,
    cnonce: str,
    *,
    proxy: bool = False,
) -> str:
    """The header line that answers a challenge (22.2, 22.3), its CRLF included.

    challenges: the WWW-Authenticate or Proxy-Authenticate values; the first with an algorithm that we know is
    taken (RFC 8760 section 2.4). Raises ParseError when there is none.
    """
    for value in challenges[:8]:
        if value[:7].lower() != "digest ":
            continue
        fields = parse_digest(value)
        try:
            algorithm = Algorithm(fields.get("algorithm", "MD5").upper())
        except ValueError:
            continue
        offered = [option.strip() for option in fields.get("qop", "").split(",") if option.strip()]
        if offered and "auth" not in offered:
            continue
        return _credentials_line(
            fields, algorithm, bool(offered), username, password, method, uri, cnonce, proxy
        )
    raise ParseError("no challenge that we can answer")


def _credentials_line(
    fields: dict[str, str],
    algorithm: Algorithm,
    with_qop: bool,
    username: str,
    password: str,
    method: str,
    uri: str,
    cnonce: str,
    proxy: bool,
) -> str:
    realm = fields.get("realm", "")
    answer = {"nonce": fields.get("nonce", "")}
    if with_qop:
        answer |= {"nc": "00000001", "cnonce": cnonce, "qop": "auth"}
    ha1 = _HASH[algorithm](f"{username}:{realm}:{password}")
    response = _response(ha1, algorithm, method, answer, uri)
    name = "Proxy-Authorization" if proxy else "Authorization"
    qop = f',qop=auth,nc=00000001,cnonce="{cnonce}"' if with_qop else ""
    opaque = f",opaque={quote(fields['opaque'])}" if "opaque" in fields else ""
    return (
        f"{name}: Digest username={quote(username)},realm={quote(realm)},nonce={quote(answer['nonce'])},"
        f'uri="{uri}",'
        f'response="{response}",algorithm={algorithm.value}{qop}{opaque}\r\n'
    )
