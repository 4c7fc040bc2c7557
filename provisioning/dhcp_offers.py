"""What DHCP servers hand out to a telephone: the question, and how an answer is read (RFC 2131, RFC 2132).

A DISCOVER alone is sent, never a REQUEST, so that no address is taken: servers answer it with all that they
would hand out. Answers come from the network, so they are bounded and read strictly.
"""

from __future__ import annotations

import ipaddress
import re
import struct
from dataclasses import dataclass, field
from typing import Final

MOST_DATAGRAM: Final = 1_500
SERVER_PORT: Final = 67
CLIENT_PORT: Final = 68

ROUTER, TIME, NTP, VENDOR, TFTP_NAME, BOOT_FILE = 3, 4, 42, 43, 66, 67
SIP_SERVERS, VOICE_VLAN, SETTINGS = 120, 132, 160
ASKED: Final = (1, ROUTER, TIME, NTP, VENDOR, TFTP_NAME, BOOT_FILE, SIP_SERVERS, VOICE_VLAN, SETTINGS)

_HEAD: Final = struct.Struct("!BBBBIHH4s4s4s4s16s64s128s4s")
_COOKIE: Final = bytes((99, 130, 83, 99))
_BROADCAST: Final = 0x8000
_PAD, _END, _OVERLOAD, _KIND, _SERVER = 0, 255, 52, 53, 54
_DISCOVER, _OFFER = 1, 2
_TEXT: Final = re.compile(r"[\x21-\x7e]{1,253}")


class NotAnOffer(ValueError):
    """A datagram that isn't a DHCP server's answer to our question."""


@dataclass(frozen=True, slots=True)
class Offer:
    """One server's answer. server: its address, as it says it. options: by number, as received."""

    server: str
    options: dict[int, bytes] = field(default_factory=dict)

    def text(self, option: int) -> str:
        """An option that is text, "" where it isn't there; what can't be printed is shown as "?"."""
        octets = self.options.get(option, b"").rstrip(b"\0")[:253]
        return "".join(chr(octet) if 0x20 <= octet < 0x7F else "?" for octet in octets)

    def addresses(self, option: int) -> tuple[str, ...]:
        """An option that is a list of IPv4 addresses; () where it isn't there, or is something else."""
        octets = self.options.get(option, b"")
        if len(octets) % 4:
            return ()
        return tuple(
            str(ipaddress.IPv4Address(octets[at : at + 4])) for at in range(0, min(len(octets), 64), 4)
        )

    def settings(self) -> dict[int, str]:
        """Where it sends telephones, by the option that says so."""
        found = {option: self.text(option) for option in (SETTINGS, TFTP_NAME) if self.options.get(option)}
        if vendor := vendor_text(self.options.get(VENDOR, b"")):
            found[VENDOR] = vendor
        return found

    def vlan(self) -> int:
        """The voice network's number in option 132, 0 for none: text, as telephones' makers have it."""
        said = self.text(VOICE_VLAN)
        return int(said) if said.isdecimal() and len(said) <= 4 else 0


def discover(transaction: int, hardware: bytes) -> bytes:
    """A DHCPDISCOVER for `hardware` (6 octets), to be answered by broadcast. RFC 2131 section 4.4.1."""
    none = bytes(4)
    head = _HEAD.pack(
        1, 1, 6, 0, transaction, 0, _BROADCAST, none, none, none, none, hardware, b"", b"", _COOKIE
    )
    return head + bytes((_KIND, 1, _DISCOVER, 55, len(ASKED), *ASKED, 57, 2, 0x05, 0xDC, _END))


def read_offer(datagram: bytes, transaction: int) -> Offer:
    """Return what a server offers. Raises NotAnOffer for anything else, and for somebody else's question."""
    if not _HEAD.size <= len(datagram) <= MOST_DATAGRAM:
        raise NotAnOffer(f"{len(datagram)} octets")
    said = _HEAD.unpack_from(datagram)
    if said[0] != 2 or said[4] != transaction or said[-1] != _COOKIE:
        raise NotAnOffer("not an answer to us")
    options = _options(datagram[_HEAD.size :])
    # RFC 2132 section 9.3: the fields of the server's name and of the file may hold options as well.
    overload = options.get(_OVERLOAD, b"\0")[-1:]
    if overload in (b"\1", b"\3"):
        options |= _options(said[13])
    if overload in (b"\2", b"\3"):
        options |= _options(said[12])
    if options.get(_KIND) != bytes((_OFFER,)) or len(options.get(_SERVER, b"")) != 4:
        raise NotAnOffer("not an offer")
    return Offer(str(ipaddress.IPv4Address(options[_SERVER])), options)


def vendor_text(octets: bytes) -> str:
    """What option 43 says to a telephone: the first sub-option that is text, the whole where it has none; "".

    RFC 2132 section 8.4 has sub-options of one octet's number and one of length; some servers send bare text.
    """
    at = 0
    while at + 2 <= len(octets):
        number, length = octets[at], octets[at + 1]
        if number in (_PAD, _END) or at + 2 + length > len(octets):
            break
        content = octets[at + 2 : at + 2 + length].decode("ascii", "replace").rstrip("\0")
        if _TEXT.fullmatch(content):
            return content
        at += 2 + length
    whole = octets.decode("ascii", "replace").rstrip("\0")
    return whole if _TEXT.fullmatch(whole) else ""


def _options(octets: bytes) -> dict[int, bytes]:
    """Options by number; one that comes in parts is put together (RFC 3396 section 5). Raises NotAnOffer."""
    found: dict[int, bytes] = {}
    at = 0
    while at < len(octets) and octets[at] != _END:
        if octets[at] == _PAD:
            at += 1
            continue
        if at + 2 > len(octets) or at + 2 + octets[at + 1] > len(octets):
            raise NotAnOffer("an option that is cut off")
        length = octets[at + 1]
        found[octets[at]] = found.get(octets[at], b"") + octets[at + 2 : at + 2 + length]
        at += 2 + length
    return found
