"""The RTC process: browsers' sound between their one UDP port and the media plane."""

from __future__ import annotations

import logging
import socket

from pbx.configuration import Configuration
from pbx.media_addresses import media_addresses

log = logging.getLogger(__name__)


def run_rtc(configuration: Configuration, listening: socket.socket, ports: list[socket.socket]) -> None:
    """Serve browsers for the signalling process that is connected to `listening`; never returns.

    ports: the UDP sockets of all browsers, which outlive this process.
    """
    from media.rtc.worker import main

    log.info("browsers at %s", ", ".join(str(port.getsockname()[:2]) for port in ports))
    main(listening, ports, media_addresses(configuration))
