"""A browser that is told of calls: where it is reached, the keys it decrypts with, what it wants to know."""

from __future__ import annotations

import base64
import hashlib
from binascii import Error as NoBase64
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

import msgspec
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey

KINDS: Final = ("calls", "missed", "voicemail")
"""What a browser may be told of: calls that ring, calls that were missed, voice messages."""
MOST_ENDPOINT_CHARS: Final = 1000


class SubscriptionWrong(Exception):
    """What a browser said of itself can't be used. where: the field."""

    def __init__(self, where: str, why: str) -> None:
        super().__init__(why)
        self.where = where


class Secrets(msgspec.Struct, frozen=True):
    """What is sealed of a subscription: whoever has it can have its browser show what they like.

    endpoint: the browser's address at its push service; p256dh: its public key, a point of P-256; auth: the
    secret that it shares with us; both as base64url without padding, as browsers give them.
    """

    endpoint: str
    p256dh: str
    auth: str


@dataclass(frozen=True, slots=True)
class Subscription:
    """One browser of an account. kinds: of KINDS; device: what the browser says it is; created_at: Unix
    seconds; language: of the account."""

    id: str
    account: str
    kinds: tuple[str, ...]
    device: str
    created_at: float
    language: str = "fr"
    secrets: Secrets = field(repr=False, default=Secrets("", "", ""))


def id_of(endpoint: str) -> str:
    """Return what a browser is known by: the same for whoever signs in there."""
    return hashlib.sha256(endpoint.encode()).hexdigest()[:32]


def checked_secrets(endpoint: str, p256dh: str, auth: str) -> Secrets:
    """Return what a browser gave, once it is known to be usable. Raises SubscriptionWrong."""
    try:
        parts = urlsplit(endpoint)
        port = parts.port
    except ValueError:
        raise SubscriptionWrong("endpoint", "this is no address") from None
    if not all("!" <= sign <= "~" for sign in endpoint) or len(endpoint) > MOST_ENDPOINT_CHARS:
        raise SubscriptionWrong("endpoint", "this is no address")
    if parts.scheme != "https" or not parts.hostname or parts.username is not None or port == 0:
        raise SubscriptionWrong("endpoint", "a push service is reached over https")
    # RFC 8291 section 2: an uncompressed point of P-256 (65 bytes), and 16 random bytes.
    point = _decoded("p256dh", p256dh, 65)
    try:
        EllipticCurvePublicKey.from_encoded_point(SECP256R1(), point)
    except ValueError:
        raise SubscriptionWrong("p256dh", "this is no point of P-256") from None
    _decoded("auth", auth, 16)
    return Secrets(endpoint, p256dh.rstrip("="), auth.rstrip("="))


def checked_kinds(kinds: Sequence[str]) -> tuple[str, ...]:
    """Return what a browser is to be told of, each once in the order of KINDS. Raises SubscriptionWrong."""
    for kind in kinds:
        if kind not in KINDS:
            raise SubscriptionWrong("kinds", f"{kind[:40]!r} isn't one of {', '.join(KINDS)}")
    return tuple(kind for kind in KINDS if kind in kinds)


def _decoded(where: str, text: str, size: int) -> bytes:
    bare = text.rstrip("=")
    try:
        decoded = base64.b64decode(bare + "=" * (-len(bare) % 4), altchars=b"-_", validate=True)
    except (NoBase64, ValueError):
        raise SubscriptionWrong(where, "this isn't base64url") from None
    if len(decoded) != size:
        raise SubscriptionWrong(where, f"this has {len(decoded)} bytes and not {size}")
    return decoded
