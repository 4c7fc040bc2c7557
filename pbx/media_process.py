"""The media process: one relay after the other, for the signalling process that is connected."""

from __future__ import annotations

import socket

from media.engines import relay
from pbx.configuration import Configuration
from sip.net.addresses import local_address_toward

UNROUTED = ("0.0.0.0", "::")  # noqa: S104 (compared, not bound)


def run_media(configuration: Configuration, listening: socket.socket) -> None:
    """Relay for one signalling process after the other, each connected to `listening`; never returns."""
    media = configuration.media
    prompts = configuration.data_dir / "prompts"
    prompts.mkdir(mode=0o700, exist_ok=True)
    address = media_addresses(configuration)[0]
    while True:
        connection, _ = listening.accept()
        relay.main(connection, address, (media.first_port, media.last_port), prompts=prompts)


def media_addresses(configuration: Configuration) -> tuple[str, ...]:
    """The addresses put in SDP, one for IPv4, IPv6 or each: those configured, else those SIP listens on.

    Where SIP listens on all addresses, the one of the default route; a kind without a route is left out,
    unless there is no other.
    """
    if configuration.media.addresses:
        return tuple(str(address) for address in configuration.media.addresses)
    sip = configuration.sip
    found: dict[bool, str] = {}
    for listen in (*sip.udp, *sip.tcp, *sip.tls, *sip.ws, *sip.wss):
        if (":" in listen.host) not in found:
            probe = "2001:db8::1" if ":" in listen.host else "192.0.2.1"
            found[":" in listen.host] = local_address_toward((listen.host, 0), (probe, 9))[0]
    usable = tuple(address for address in found.values() if address not in UNROUTED)
    return usable or tuple(found.values())[:1] or ("127.0.0.1",)
