"""MAC addresses of telephones, in one form: twelve hexadecimal digits in lower case."""

import re
from typing import Final

_WRITTEN: Final = re.compile(
    r"[0-9A-Fa-f]{12}|[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){5}|[0-9A-Fa-f]{2}(?:-[0-9A-Fa-f]{2}){5}"
)
_MULTICAST: Final = 0x01  # of the first octet (IEEE 802, clause 8.2)


class MacAddressError(ValueError):
    """What was written isn't the MAC address of one device."""


def mac_address(text: str) -> str:
    """The address that `text` writes with colons, hyphens or neither: "805ec0123456".

    Raises MacAddressError for anything else, and for addresses that no device has: of groups, and all zeros.
    """
    if not _WRITTEN.fullmatch(text):
        raise MacAddressError(f'"{text[:40]}" is no MAC address: write it as 80:5e:c0:12:34:56')
    digits = text.replace(":", "").replace("-", "").lower()
    if int(digits[:2], 16) & _MULTICAST or digits == "0" * 12:
        raise MacAddressError(f'"{text}" is the address of no single device')
    return digits


def spoken(mac: str) -> str:
    """As it is printed under a telephone: "80:5E:C0:12:34:56"."""
    return ":".join(mac[place : place + 2] for place in range(0, 12, 2)).upper()
