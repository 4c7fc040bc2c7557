"""Whether a telephone gets its settings: what it shows of itself, and what that is worth.

A MAC address proves nothing: it is printed on the box, spoken on the LAN and easily said by anybody. A
telephone proves itself once, and gets a secret of its own, in the address that it fetches from ever after:

    unknown ──listed──> waiting ──approved, in an open window, at the same address──┐
       │                                                                            v
       ├── one-use token in its URL ────────────────────────────────────────> enrolled ── secret ──> settings
       └── its maker's client certificate, made out to this MAC address ───────────^ │
                                                                                     └──> blocked (lost)

Pure: who asks, what is known and the time go in, a decision comes out. Secrets are kept as hashes; comparing
a hash tells no more of a secret by the time it takes than the hash itself does.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final, Literal

Transport = Literal["https", "http", "tftp"]
Stage = Literal["waiting", "approved", "enrolled", "blocked"]
Proof = Literal["secret", "former_secret", "token", "certificate", "approval"]

Reason = Literal[
    "unknown",
    "waiting",
    "blocked",
    "not_here",
    "wrong_secret",
    "token_used",
    "token_over",
    "others_certificate",
]

TOKEN_SECONDS: Final = 3 * 86_400.0
APPROVAL_SECONDS: Final = 900.0
"""How long an approved telephone has to fetch."""


@dataclass(frozen=True, slots=True)
class Fetch:
    """One request for a file. mac: in the file's name. secret, token: of its path, "" for none.

    certificate_mac: of the client certificate that TLS has verified against the makers' authorities, "" for
    none. from_voice: whether the address is in one of the voice networks.
    from_isolated: and in one of those for telephones without TLS of today.
    """

    transport: Transport
    mac: str
    address: str
    from_voice: bool
    secret: str = ""
    token: str = ""
    certificate_mac: str = ""
    from_isolated: bool = False


@dataclass(frozen=True, slots=True)
class Enrolled:
    """What is known of a device. secret, former_secret, token: as `hashed`; "" for none.

    former_secret: the one before the last rotation, taken until the new one was used once.
    address: from where it waits, or was approved. approved_at, token_at: when. old_tls: its profile is that
    of telephones without TLS of today, in a network of their own.
    """

    mac: str
    stage: Stage
    secret: str = ""
    former_secret: str = ""
    token: str = ""
    token_at: float = 0.0
    token_used: bool = False
    address: str = ""
    approved_at: float = 0.0
    old_tls: bool = False


@dataclass(frozen=True, slots=True)
class Serve:
    """Hand out its settings. proof: by what. new_secret: make it one of its own, written down first."""

    proof: Proof
    new_secret: bool


@dataclass(frozen=True, slots=True)
class Isolated:
    """Hand out settings in clear, encrypted as its maker has it or without secrets: a telephone without
    TLS of today, in its own network.
    """


@dataclass(frozen=True, slots=True)
class Point:
    """Hand out where to go instead, and whom to believe there."""


@dataclass(frozen=True, slots=True)
class Refuse:
    """Hand out nothing. lists: whether it is to be shown among those that wait."""

    reason: Reason
    lists: bool = False


Admission = Serve | Isolated | Point | Refuse


def hashed(secret: str) -> str:
    """What is kept of a secret. They are drawn with 128 bits and more, so that one round is enough."""
    return hashlib.sha256(secret.encode("utf-8")).hexdigest()


def admit(fetch: Fetch, known: Enrolled | None, *, window_open: bool, now: float) -> Admission:
    """What a request for a device's own file gets. window_open: new devices are taken now."""
    if fetch.transport != "https":
        return _in_clear(fetch, known)
    if known is not None and known.stage == "blocked":
        return Refuse("blocked")
    if fetch.secret:
        return _by_secret(fetch, known)
    if fetch.token:
        return _by_token(fetch, known, now)
    if fetch.certificate_mac:
        if fetch.certificate_mac != fetch.mac:
            return Refuse("others_certificate")
        return Serve("certificate", new_secret=True)
    return _by_approval(fetch, known, window_open, now)


def _in_clear(fetch: Fetch, known: Enrolled | None) -> Admission:
    """Whoever reads along sees it all: a pointer, the same for everybody, and nothing but that over TFTP."""
    if not fetch.from_voice:
        return Refuse("not_here")
    if (
        fetch.transport == "http"
        and fetch.from_isolated
        and known is not None
        and known.old_tls
        and known.stage == "enrolled"
    ):
        return Isolated()
    return Point()


def _by_secret(fetch: Fetch, known: Enrolled | None) -> Admission:
    if known is None or known.stage != "enrolled":
        return Refuse("wrong_secret")
    shown = hashed(fetch.secret)
    if shown == known.secret:
        return Serve("secret", new_secret=False)
    if known.former_secret and shown == known.former_secret:
        return Serve("former_secret", new_secret=False)
    return Refuse("wrong_secret")


def _by_token(fetch: Fetch, known: Enrolled | None, now: float) -> Admission:
    if known is None or not known.token or hashed(fetch.token) != known.token:
        return Refuse("wrong_secret")
    if known.token_used:
        return Refuse("token_used")
    if not 0.0 <= now - known.token_at < TOKEN_SECONDS:
        return Refuse("token_over")
    return Serve("token", new_secret=True)


def _by_approval(fetch: Fetch, known: Enrolled | None, window_open: bool, now: float) -> Admission:
    """Nothing is shown but the address: somebody has looked at it, lately, and said yes to this one."""
    if not fetch.from_voice:
        return Refuse("not_here")
    if known is not None and known.stage == "approved":
        lately = 0.0 <= now - known.approved_at < APPROVAL_SECONDS
        if window_open and lately and known.address == fetch.address:
            return Serve("approval", new_secret=True)
    if known is not None and known.stage == "enrolled":
        # It has a secret and doesn't show it: set back to its maker's settings, or somebody else.
        return Refuse("waiting", lists=True)
    return Refuse("waiting" if window_open else "unknown", lists=True)
