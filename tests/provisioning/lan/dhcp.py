"""A telephone's DHCP client: DISCOVER and REQUEST, and the options that say where its settings are."""

from __future__ import annotations

import secrets
import socket
import struct
from dataclasses import dataclass

from tests.provisioning.lan.network import Lan

MOST_ANSWERS = 20  # to others, before ours comes
_COOKIE = b"\x63\x82\x53\x63"
_DISCOVER, _OFFER, _REQUEST, _ACK = 1, 2, 3, 5
_REQUESTED, _MESSAGE, _SERVER, _WANTED, _VENDOR = 50, 53, 54, 55, 60


@dataclass(frozen=True)
class Lease:
    """What a telephone was leased. options: by number, as they came."""

    address: str
    options: dict[int, bytes]


def lease(network: Lan, mac: str, vendor_class: str, wanted: tuple[int, ...]) -> Lease:
    """Lease an address as a telephone does that has none yet (RFC 2131 section 3.1); it has it from then on.

    wanted: numbers of the options that it asks for, besides the mask and the router.
    """
    identifier = secrets.randbits(32)
    told = {_VENDOR: vendor_class.encode(), _WANTED: bytes((1, 3, *wanted))}
    with network.datagrams("0.0.0.0", 68) as client:
        offer = _asked(client, identifier, mac, {_MESSAGE: bytes((_DISCOVER,)), **told}, _OFFER)
        taken = {_REQUESTED: socket.inet_aton(offer.address), _SERVER: offer.options[_SERVER]}
        done = _asked(client, identifier, mac, {_MESSAGE: bytes((_REQUEST,)), **taken, **told}, _ACK)
    network.take(done.address)
    return done


def _asked(
    client: socket.socket, identifier: int, mac: str, options: dict[int, bytes], expected: int
) -> Lease:
    # RFC 2131 section 4.1: without an address a client asks for a broadcast answer (flag 0x8000).
    head = struct.pack("!BBBBIHH16x", 1, 1, 6, 0, identifier, 0, 0x8000)
    body = b"".join(bytes((number, len(value))) + value for number, value in options.items())
    client.sendto(head + bytes.fromhex(mac).ljust(16, b"\0") + bytes(192) + _COOKIE + body + b"\xff", _ALL)
    for _ in range(MOST_ANSWERS):
        answer = client.recv(4096)
        said = _options(answer[240:])
        if struct.unpack_from("!I", answer, 4) == (identifier,) and said.get(_MESSAGE) == bytes((expected,)):
            return Lease(socket.inet_ntoa(answer[16:20]), said)
    raise AssertionError(f"DHCP answers, but not with {expected}")


_ALL = ("255.255.255.255", 67)


def _options(data: bytes) -> dict[int, bytes]:
    """RFC 2132 section 2: a number, a length, a value; 0 fills, 255 ends."""
    found: dict[int, bytes] = {}
    while data and data[0] != 255:
        if data[0] == 0:
            data = data[1:]
            continue
        found[data[0]] = data[2 : 2 + data[1]]
        data = data[2 + data[1] :]
    return found
