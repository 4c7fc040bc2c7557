"""What the LAN really hands out to telephones: asked as a telephone asks, and nothing is taken.

    DHCPDISCOVER (broadcast, of an address that no telephone has)   ──> offers; never a DHCPREQUEST
    SUBSCRIBE to 224.0.1.75 (of an address that this node ignores)  ──> whoever else configures telephones

On each network of telephones that this machine has an address in; all at once, within three seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import ipaddress
import re
import secrets
import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from provisioning.dhcp_offers import (
    CLIENT_PORT,
    MOST_DATAGRAM,
    SERVER_PORT,
    NotAnOffer,
    Offer,
    discover,
    read_offer,
)
from provisioning.plug_and_play import EVENT, GROUP, PORT
from sip.core.errors import SipError
from sip.core.message import Request
from sip.core.parser import parse_message

if TYPE_CHECKING:
    from pbx.settings.values import IPNetwork

ANSWER_SECONDS: Final = 3.0
MOST_ANSWERS: Final = 32
_SIOCGIFADDR: Final = 0x8915
_BODY: Final = re.compile(r"[\x21-\x7e]{1,253}")


@dataclass(frozen=True, slots=True)
class Interface:
    """One of this machine's, with its IPv4 address."""

    name: str
    address: str


@dataclass(slots=True)
class Heard:
    """What was handed out on an interface. offers: of DHCP servers. configurers: whoever answered plug and
    play, by address, with the URL that it tells, "" for none yet. troubles: why something couldn't be asked.
    """

    interface: Interface
    offers: list[Offer] = field(default_factory=list)
    configurers: dict[str, str] = field(default_factory=dict)
    troubles: list[str] = field(default_factory=list)


def voice_interfaces(networks: Sequence[IPNetwork]) -> list[Interface]:
    """The interfaces with an address in one of `networks`, in their order; IPv4 alone, as DHCP here."""
    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        for _, name in socket.if_nameindex():
            with contextlib.suppress(OSError):  # one without an address
                answer = fcntl.ioctl(probe, _SIOCGIFADDR, struct.pack("256s", name.encode()[:15]))
                address = ipaddress.IPv4Address(answer[20:24])
                if any(network.version == 4 and address in network for network in networks):
                    found.append(Interface(name, str(address)))
    return found


def listen(interfaces: Sequence[Interface], seconds: float = ANSWER_SECONDS) -> list[Heard]:
    """Ask on all interfaces at once and return what was answered within `seconds`. Nothing is raised."""
    return asyncio.run(_listen(interfaces, seconds))


async def _listen(interfaces: Sequence[Interface], seconds: float) -> list[Heard]:
    heard = [Heard(interface) for interface in interfaces]
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await asyncio.gather(*(ask(one) for one in heard for ask in (_ask_dhcp, _ask_group)))
    return heard


async def _ask_dhcp(heard: Heard) -> None:
    transaction = secrets.randbits(32)
    hardware = b"\x02" + secrets.token_bytes(5)  # locally administered: no telephone's, and not ours
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        try:
            asking.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            asking.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            asking.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, heard.interface.name.encode())
            asking.setblocking(False)
            asking.bind(("", CLIENT_PORT))
            asking.sendto(discover(transaction, hardware), ("255.255.255.255", SERVER_PORT))
        except OSError as error:
            heard.troubles.append(f"DHCP can't be asked: {error.strerror}")
            return
        loop = asyncio.get_running_loop()
        for _ in range(MOST_ANSWERS):
            datagram = await loop.sock_recv(asking, MOST_DATAGRAM + 1)
            with contextlib.suppress(NotAnOffer):
                offer = read_offer(datagram, transaction)
                if offer not in heard.offers:
                    heard.offers.append(offer)


async def _ask_group(heard: Heard) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        try:
            asking.setblocking(False)
            interface = socket.inet_aton(heard.interface.address)
            asking.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, interface)
            asking.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 1)
            asking.bind((heard.interface.address, 0))
            asking.sendto(_subscribe(*asking.getsockname()), (GROUP, PORT))
        except OSError as error:
            heard.troubles.append(f"plug and play can't be asked: {error.strerror}")
            return
        loop = asyncio.get_running_loop()
        for _ in range(MOST_ANSWERS):
            datagram, peer = await loop.sock_recvfrom(asking, 8_192)
            url = _told(datagram)
            if url or peer[0] not in heard.configurers:
                heard.configurers[peer[0]] = url


def _subscribe(host: str, port: int) -> bytes:
    """As a telephone asks, of an address that is no device's: this node lists and answers no such one."""
    who = f"<sip:MAC%3a000000000000@{GROUP}>"
    return (
        f"SUBSCRIBE sip:MAC%3a000000000000@{GROUP} SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bK{secrets.token_hex(8)};rport\r\n"
        f"Max-Forwards: 1\r\nFrom: {who};tag={secrets.token_hex(4)}\r\nTo: {who}\r\n"
        f"Call-ID: {secrets.token_hex(12)}\r\nCSeq: 1 SUBSCRIBE\r\nContact: <sip:{host}:{port}>\r\n"
        f'Event: {EVENT};profile-type="device";vendor="Yealink";model="T54W";version="96.86.0.23"\r\n'
        "Expires: 0\r\nAccept: application/url\r\nContent-Length: 0\r\n\r\n"
    ).encode("ascii")


def _told(datagram: bytes) -> str:
    """The URL in a NOTIFY, "" in anything else."""
    try:
        message = parse_message(datagram)
    except SipError:
        return ""
    if not isinstance(message, Request) or message.method != "NOTIFY":
        return ""
    body = message.body.decode("ascii", "replace").strip()
    return body if _BODY.fullmatch(body) else ""
