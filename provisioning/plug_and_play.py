"""Plug and play: a telephone asks the LAN who will configure it (SIP SUBSCRIBE to 224.0.1.75, Event
ua-profile).

    SUBSCRIBE sip:MAC%3a805ec0123456@224.0.1.75 SIP/2.0
    From: <sip:MAC%3a805ec0123456@224.0.1.75>;tag=1
    Event: ua-profile;profile-type="device";vendor="Yealink";model="T54W";version="96.86.0.23"

What the words of such a request say, and the address that its NOTIFY hands out; SIP itself is elsewhere. The
MAC address that it names proves nothing: what is handed out is where to ask, never what is asked for. Source:
the makers' "PnP" guides (Snom, Yealink, Fanvil, Grandstream), after draft-petrie-sipping-profile-datasets.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from provisioning.mac_address import MacAddressError, mac_address

GROUP: Final = "224.0.1.75"
PORT: Final = 5060
EVENT: Final = "ua-profile"
CONTENT_TYPE: Final = "application/url"

_PARAMETER: Final = re.compile(r';\s*([\w-]+)\s*=\s*(?:"([^"\\]{0,80})"|([^;"\s]{0,80}))')
_MAC: Final = re.compile(r"(?:MAC[:=])?([0-9A-Fa-f]{12})", re.IGNORECASE)


class NotAsking(ValueError):
    """A message to the group that doesn't ask to be configured."""


@dataclass(frozen=True, slots=True)
class Asking:
    """A telephone that asks. vendor, model, version: as it says them, "" where it doesn't."""

    mac: str
    vendor: str
    model: str
    version: str


def asking(user: str, event: str) -> Asking:
    """Who asks, from the user part of a SUBSCRIBE's From and from its Event header. Raises NotAsking."""
    package, _, rest = event.partition(";")
    if package.strip().lower() != EVENT:
        raise NotAsking(f"another event: {package[:40]}")
    words = _MAC.fullmatch(unquote(user))
    if words is None:
        raise NotAsking("no MAC address in From")
    try:
        mac = mac_address(words[1])
    except MacAddressError as error:
        raise NotAsking(str(error)) from error
    said = {name.lower(): quoted or bare for name, quoted, bare in _PARAMETER.findall(";" + rest)}
    return Asking(mac, said.get("vendor", ""), said.get("model", ""), said.get("version", ""))
