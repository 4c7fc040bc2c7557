"""The media process: one relay after the other, for the signalling process that is connected."""

from __future__ import annotations

import socket

from media.engines import relay
from pbx.configuration import Configuration
from sip.net.addresses import local_address_toward


def run_media(configuration: Configuration, listening: socket.socket) -> None:
    """Relay for one signalling process after the other, each connected to `listening`; never returns."""
    media = configuration.media
    prompts = configuration.data_dir / "prompts"
    prompts.mkdir(mode=0o700, exist_ok=True)
    address = media_address(configuration)
    while True:
        connection, _ = listening.accept()
        relay.main(connection, address, (media.first_port, media.last_port), prompts=prompts)


def media_address(configuration: Configuration) -> str:
    """The address put in SDP: the configured one, else the first that SIP listens on."""
    if configuration.media.address is not None:
        return str(configuration.media.address)
    listens = (*configuration.sip.udp, *configuration.sip.tcp)
    host = listens[0].host if listens else "127.0.0.1"
    probe = "2001:db8::1" if ":" in host else "192.0.2.1"
    return local_address_toward((host, 0), (probe, 9))[0]
