"""The telephones of pages: a device `EXT-web` of everybody, which nobody makes and no database has.

It is there from its first REGISTER on. Each page of a person (two tabs, two machines) is a binding of its
own, told apart by its `+sip.instance`; all of them ring. A page proves itself with a password of its session
(pbx.people.browser_passwords). A session that has ended registers and calls no more; calls that it has go on.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING

from pbx.people.browser_passwords import LASTING_SECONDS, SUFFIX, BrowserName, BrowserPasswords, name_of
from sip.core.digest import Credentials
from sip.core.errors import RemoteProtocolError

if TYPE_CHECKING:
    from pbx.exchange import Exchange
    from pbx.people.devices import Device

log = logging.getLogger(__name__)

PASSWORD_EXPIRED = "Password Expired"  # a page asks for another one, and registers with it
SIGNED_OUT = "Signed Out"


class Browsers:
    """Those of one node. passwords: None where pages have no telephone."""

    def __init__(self, exchange: Exchange, passwords: BrowserPasswords | None) -> None:
        self._exchange = exchange
        self._passwords = passwords
        self._ended: dict[str, float] = {}  # sessions, each with when it may be forgotten (Unix seconds)

    def credentials(self, username: str) -> Credentials | None:
        """What a page's digest is checked against, whether it is in time or not; None for a stranger's."""
        if self._passwords is None:
            return None
        try:
            name = name_of(username)
        except ValueError:
            return None
        return self._passwords.credentials(username) if self._is_known(name.extension) else None

    def admitted(self, username: str) -> Device:
        """The device of a page that knew its password. Raises RemoteProtocolError 403 once that is over."""
        name = name_of(username)
        if name.ends_at <= self._exchange.clock():
            raise RemoteProtocolError(403, PASSWORD_EXPIRED)
        if name.session in self._ended:
            log.info("user=%s session=%s has ended", name.sign_in, name.session)
            raise RemoteProtocolError(403, SIGNED_OUT)
        return self.device(name.extension)

    def device(self, extension: str) -> Device:
        """The browser of a person, made where it isn't there yet."""
        exchange = self._exchange
        known = exchange.devices.find(f"{extension}{SUFFIX}")
        if known is not None:
            return known
        made = exchange.devices.add_browser(f"{extension}{SUFFIX}", extension)
        exchange.addresses.tell(made.sign_in)
        return made

    def claimed(self, sign_in: str) -> Device | None:
        """The browser that signs in with this name, without any proof; None where it is nobody's."""
        extension = sign_in.removesuffix(SUFFIX)
        if extension == sign_in or not self._is_known(extension):
            return None
        return self.device(extension)

    def sessions(self) -> dict[str, str]:
        """Whose telephone each session has that is registered, by its id."""
        names = [
            name_of(binding.username)
            for device in self._exchange.devices
            if device.is_browser
            for binding in device.bindings
            if binding.username
        ]
        return {name.session: name.extension for name in names}

    def sign_out(self, sessions: Iterable[str]) -> int:
        """Take no REGISTER and no call of these sessions any more; returns how many pages were registered."""
        exchange = self._exchange
        unix_now = exchange.clock()
        self._ended = {session: until for session, until in self._ended.items() if until > unix_now}
        for session in sessions:
            # Nothing that was issued to it lasts longer.
            self._ended[session[:32]] = unix_now + LASTING_SECONDS
        pages = 0
        for device in list(exchange.devices):
            if device.is_browser and device.bindings:
                pages += exchange.registrations.remove(device, self._is_over)
        if pages:
            log.info("pages=%d signed out", pages)
        return pages

    def _is_over(self, username: str) -> bool:
        return bool(username) and name_of(username).session in self._ended

    def _is_known(self, extension: str) -> bool:
        return extension in self._exchange.plan.people


def longest_seconds(username: str, unix_now: float) -> float:
    """How long a page may stay registered: no longer than its password."""
    name: BrowserName = name_of(username)
    return max(name.ends_at - unix_now, 1.0)
