"""Passwords of visitors: for one call to one service, soon, from a button of the town's own site.

    visitor/mairie/4f8a…/1795371360  ──HMAC-SHA256, with the service──>  password
            button nonce end

Nothing is stored for them: the web process issues what signalling checks, as it does for pages of our people
(pbx.people.browser_passwords). Signalling alone remembers which were used, until they would be over anyway.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, field
from typing import Final

from pbx.node.sealing import Sealing
from sip.core.digest import Credentials

PURPOSE: Final = "passwords of visitors"
USER: Final = "visitor"
"""The user part of a visitor's From."""
LASTING_SECONDS: Final = 60.0

_USERNAME = re.compile(r"visitor/([a-z0-9-]{1,40})/([0-9a-f]{24})/([0-9]{1,12})\Z")


@dataclass(frozen=True, slots=True)
class VisitorName:
    """What a visitor's user name says. ends_at: Unix seconds."""

    button: str
    nonce: str
    ends_at: float


@dataclass(frozen=True, slots=True)
class VisitorPassword:
    """What a visitor calls with, once, until an instant (Unix seconds)."""

    username: str
    password: str = field(repr=False)
    ends_at: float


class VisitorPasswords:
    """Issues and checks them for one domain. sealing: of the node."""

    def __init__(self, sealing: Sealing, realm: str) -> None:
        self._key = sealing.key(PURPOSE)
        self._realm = realm

    def issue(self, button: str, service: str, now: float) -> VisitorPassword:
        """Return a password for a call to the service of a button. now: Unix seconds."""
        ends_at = int(now + LASTING_SECONDS)
        username = f"{USER}/{button}/{secrets.token_hex(12)}/{ends_at}"
        return VisitorPassword(username, self._password(username, service), float(ends_at))

    def credentials(self, username: str, service: str) -> Credentials:
        """Return what the digest of a user name that `visitor_of` can read is checked against."""
        return Credentials.of(username, self._realm, self._password(username, service))

    def _password(self, username: str, service: str) -> str:
        signed = hmac.digest(self._key, f"{self._realm}\n{username}\n{service}".encode(), hashlib.sha256)
        return base64.urlsafe_b64encode(signed).decode().rstrip("=")


def visitor_of(username: str) -> VisitorName:
    """Return what a user name says, which anybody can write. Raises ValueError."""
    found = _USERNAME.match(username)
    if found is None:
        raise ValueError("no user name of a visitor")
    return VisitorName(found[1], found[2], float(found[3]))
