"""What a telephone is to be, whoever makes it: the input of every template.

Built by the application from people, plan and device; the same input makes the same files, byte for byte.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

Transport = Literal["udp", "tcp", "tls"]

KeyKind = Literal["line", "lamp", "speed_dial", "park", "page", "service"]
"""Of a programmable key: `line` takes and makes calls of an account; `lamp` shows somebody's calls, calls
and picks up; `speed_dial` calls; `park` parks here and takes back; `page` speaks to a group; `service`
dials a code.
"""


@dataclass(frozen=True, slots=True)
class Account:
    """One line of a telephone. sign_in: of the device at the registrar; password: its own, generated.

    extension: that it rings for. name: shown to those it calls. label: beside its key, on the screen.
    """

    sign_in: str
    password: str = field(repr=False)
    extension: str
    name: str
    label: str


@dataclass(frozen=True, slots=True)
class Key:
    """One programmable key. number: what it dials or watches, "" for a line's own."""

    kind: KeyKind
    number: str
    label: str
    account: int = 1


@dataclass(frozen=True, slots=True)
class SipServer:
    """Where the telephone registers. port: 0 lets it look the domain up (RFC 3263)."""

    host: str
    port: int
    transport: Transport
    srtp: bool


_CHANGE: Final = re.compile(r",M(\d{1,2})\.([1-5])\.([0-6])(?:/(\d{1,2}))?")


class Change(NamedTuple):
    """When clocks change: at an hour of a weekday (0 is Sunday) of a month's week, whose 5 is the last."""

    month: int
    week: int
    weekday: int
    hour: int


@dataclass(frozen=True, slots=True)
class Zone:
    """The time zone of a telephone, as an IANA name, and what makers' own names need.

    standard_minutes: east of UTC in winter. posix: the rule in POSIX form, as "CET-1CEST,M3.5.0,M10.5.0/3".
    """

    name: str
    standard_minutes: int
    posix: str

    @property
    def has_summer_time(self) -> bool:
        """Whether clocks change twice a year."""
        return "," in self.posix

    @property
    def changes(self) -> tuple[Change, ...]:
        """When summer begins and ends, of a rule by months and weeks; () without one. POSIX.1 section 8.3."""
        found = (
            Change(int(month), int(week), int(weekday), int(hour or 2))
            for month, week, weekday, hour in _CHANGE.findall(self.posix)
        )
        return tuple(found)


@dataclass(frozen=True, slots=True)
class Energy:
    """What a telephone does when nobody uses it. screen_off_seconds: after its last key; 0 never.

    office_hours: of Monday to Sunday, as (8, 18), or None for a day without: outside, the screen goes off
    sooner.
    """

    screen_off_seconds: int = 600
    office_hours: tuple[tuple[int, int] | None, ...] = ((8, 18),) * 5 + (None, None)


@dataclass(frozen=True, slots=True)
class Firmware:
    """What a telephone should run. url: where it gets it, named by its hash; version: as it says it."""

    url: str
    version: str


@dataclass(frozen=True, slots=True)
class Ldap:
    """A directory over LDAP, read only. base: where people are; name and password: of who asks.

    encrypted: over LDAPS. filter: what must fit besides, in brackets, "" for nothing.
    """

    host: str
    port: int
    base: str
    name: str
    password: str = field(repr=False)
    encrypted: bool = True
    filter: str = ""

    @property
    def name_filter(self) -> str:
        """What is asked while a name is typed, which telephones put in place of %."""
        return self._with_filter("(|(cn=%)(sn=%))")

    @property
    def number_filter(self) -> str:
        """What is asked for the name of a number, which telephones put in place of %."""
        return self._with_filter("(|(telephoneNumber=%)(mobile=%))")

    def _with_filter(self, own: str) -> str:
        return f"(&{self.filter}{own})" if self.filter else own


@dataclass(frozen=True, slots=True)
class Telephone:
    """One device, ready to be written. mac: as `mac_address` returns it; model: a name of its brand's list.

    language: "fr" or "en". settings_url: the folder that it fetches its files from, with its own secret in
    it, ending in "/". directory_url: XML directory, "" for none. web_password: of its own web page and of its
    menu's locked part. user_password: of the account for people that makers put beside it. voicemail: what
    the key dials, "" for no mailbox. authority_url: of the certificate whose servers it is to believe besides
    those of its maker's list, "" for none. domain: of its addresses and its digest realm, "" for the server's
    name. vlan: 0 for none. pages_listened: multicast addresses,
    each with its port. own_settings: IT's, by the maker's names, written after all others.
    """

    mac: str
    model: str
    accounts: tuple[Account, ...]
    server: SipServer
    language: str
    zone: Zone
    time_server: str
    settings_url: str = field(repr=False)
    web_password: str = field(repr=False)
    user_password: str = field(default="", repr=False)
    keys: tuple[Key, ...] = ()
    voicemail: str = ""
    directory_url: str = ""
    ldap: Ldap | None = None
    authority_url: str = ""
    firmware: Firmware | None = None
    energy: Energy = Energy()
    domain: str = ""
    vlan: int = 0
    pages_listened: tuple[tuple[str, int], ...] = ()
    own_settings: tuple[tuple[str, str], ...] = ()
