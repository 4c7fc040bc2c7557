"""Browsers that an account has signed in from before: strangers' wrong passwords don't slow them down.

A cookie that lasts a year holds, for up to four accounts, a number of chance, an end, and a signature over
these and the account's name: the name itself isn't in it, and nobody else can make one. It opens nothing. It
only chooses which count a wrong password goes to.
"""

import hmac
import secrets
from base64 import urlsafe_b64encode
from typing import Final

LASTS_SECONDS: Final = 365 * 86400
MOST_ACCOUNTS: Final = 4
_MOST_CHARACTERS: Final = 600


class KnownDevices:
    """Makes and reads that cookie. key: 32 bytes of the node's own."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def device_of(self, cookie: str, account: str, now: float) -> str:
        """Return the number of the browser where this account has signed in before, "" elsewhere."""
        for entry in _entries(cookie):
            device, end, signature = entry
            if hmac.compare_digest(self._signed(device, end, account), signature) and now < _number(end):
                return device
        return ""

    def with_device(self, cookie: str, account: str, now: float) -> str:
        """Return the cookie of a browser where this account has just signed in."""
        device = self.device_of(cookie, account, now) or secrets.token_hex(8)
        end = str(int(now) + LASTS_SECONDS)
        others = [entry for entry in _entries(cookie) if entry[0] != device][: MOST_ACCOUNTS - 1]
        entries = [(device, end, self._signed(device, end, account)), *others]
        return "~".join(".".join(entry) for entry in entries)

    def _signed(self, device: str, end: str, account: str) -> str:
        digest = hmac.digest(self._key, "\0".join((device, end, account)).encode(), "sha256")
        return urlsafe_b64encode(digest[:16]).decode().rstrip("=")


def _entries(cookie: str) -> list[tuple[str, str, str]]:
    if len(cookie) > _MOST_CHARACTERS or not cookie.isascii():
        return []
    parts = (entry.split(".") for entry in cookie.split("~"))
    return [(part[0], part[1], part[2]) for part in parts if len(part) == 3][:MOST_ACCOUNTS]


def _number(text: str) -> int:
    return int(text) if text.isdigit() and len(text) < 16 else 0
