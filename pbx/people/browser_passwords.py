"""Passwords of pages: short-lived, derived from a key of the node, stored nowhere.

A page of somebody who is signed in gets a digest user name that says for which device, which session and
until when, and the password that belongs to it. Whoever has the key finds the password again from the name
alone: the web process issues what signalling checks, and neither asks a database.

    1001-web/8f0e12ab34cd56ef/1795371300  ──HMAC-SHA256──>  password
    device   session          end
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass, field

from pbx.node.sealing import Sealing
from sip.core.digest import Credentials

PURPOSE = "passwords of pages"
SUFFIX = "-web"
LASTING_SECONDS = 600.0

_USERNAME = re.compile(r"([0-9]{1,15})-web/([0-9a-f]{1,32})/([0-9]{1,12})\Z")


@dataclass(frozen=True, slots=True)
class BrowserName:
    """What a page's user name says. ends_at: Unix seconds."""

    extension: str
    session: str
    ends_at: float

    @property
    def sign_in(self) -> str:
        """The device."""
        return f"{self.extension}{SUFFIX}"


@dataclass(frozen=True, slots=True)
class BrowserPassword:
    """What a page signs in with, until an instant (Unix seconds)."""

    sign_in: str
    username: str
    password: str = field(repr=False)
    ends_at: float


class BrowserPasswords:
    """Issues and checks them for one domain. sealing: of the node."""

    def __init__(self, sealing: Sealing, realm: str) -> None:
        self._key = sealing.key(PURPOSE)
        self._realm = realm

    def issue(self, extension: str, session: str, ends_at: float) -> BrowserPassword:
        """Return the password of a person's browser for a session, until `ends_at` (whole seconds)."""
        name = BrowserName(extension, session, float(int(ends_at)))
        username = f"{name.sign_in}/{session}/{int(ends_at)}"
        return BrowserPassword(name.sign_in, username, self._password(username), name.ends_at)

    def credentials(self, username: str) -> Credentials:
        """Return what the digest of a user name that `name_of` can read is checked against."""
        return Credentials.of(username, self._realm, self._password(username))

    def _password(self, username: str) -> str:
        signed = hmac.digest(self._key, f"{self._realm}\n{username}".encode(), hashlib.sha256)
        return base64.urlsafe_b64encode(signed).decode().rstrip("=")


def name_of(username: str) -> BrowserName:
    """Return what a user name says; one of a page, but anybody can write one. Raises ValueError."""
    found = _USERNAME.match(username)
    if found is None:
        raise ValueError("no user name of a page")
    return BrowserName(found[1], found[2], float(found[3]))
