"""Datagrams in the names of telephones that have sent none: run where the telephones are.

    python flood.py INTERFACE OWN SERVER ADDRESS…

A plug-and-play SUBSCRIBE to the multicast group and a TFTP request to the server, one address after the
other, each with another MAC address, until it is ended.
"""

from __future__ import annotations

import itertools
import socket
import struct
import sys

from provisioning.plug_and_play import GROUP, PORT

_TFTP = 69


def datagram(source: tuple[str, int], destination: tuple[str, int], payload: bytes) -> bytes:
    """An IPv4 packet (RFC 791) with a UDP datagram that has no checksum (RFC 768)."""
    udp = struct.pack("!HHHH", source[1], destination[1], 8 + len(payload), 0) + payload
    addresses = socket.inet_aton(source[0]) + socket.inet_aton(destination[0])
    return struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 4, socket.IPPROTO_UDP, 0) + addresses + udp


def subscribe(source: tuple[str, int], mac: str) -> bytes:
    """A telephone's SUBSCRIBE, as short as it may be."""
    host, port = source
    return (
        f"SUBSCRIBE sip:MAC%3a{mac}@{GROUP} SIP/2.0\r\nVia: SIP/2.0/UDP {host}:{port};branch=z9hG4bK{mac}\r\n"
        f"Max-Forwards: 1\r\nFrom: <sip:MAC%3a{mac}@{GROUP}>;tag=1\r\nTo: <sip:MAC%3a{mac}@{GROUP}>\r\n"
        f"Call-ID: {mac}\r\nCSeq: 1 SUBSCRIBE\r\nContact: <sip:{host}:{port}>\r\n"
        f'Event: ua-profile;profile-type="device";vendor="Yealink";model="T54W";version="1.2.3"\r\n'
        f"Expires: 0\r\nContent-Length: 0\r\n\r\n"
    ).encode()


def main() -> None:
    """Send, and send on."""
    interface, own, server, *addresses = sys.argv[1:]
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
        raw.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(own))
        for number in itertools.count():
            source = (addresses[number % len(addresses)], 20_000 + number % 40_000)
            mac = f"805ec1{number:06x}"
            raw.sendto(datagram(source, (GROUP, PORT), subscribe(source, mac)), (GROUP, 0))
            path = f"{mac}.cfg" if number % 2 else f"nothing{number}"
            asking = b"\0\1" + path.encode() + b"\0octet\0"
            raw.sendto(datagram(source, (server, _TFTP), asking), (server, 0))


if __name__ == "__main__":
    main()
