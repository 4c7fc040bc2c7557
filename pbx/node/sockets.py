"""The sockets that the supervisor owns: they outlive the process that uses them."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from pathlib import Path

from media.engines.reel import Reel

TAP_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class Sockets:
    """What the supervisor hands on: bound SIP sockets, the control socket, the media process's path, and the
    reel of the recorder's tape. tap: where signalling gives the messages that cross (pbx.messages.tap).
    pages: where the web process hands on the SIP of pages (sip.net.relayed). rtc: where the RTC worker
    listens, None where there are no browsers.

    streams: those that listen, each with its transport as in Via: "TCP", "TLS", "WS" or "WSS".
    """

    udp: list[socket.socket]
    streams: list[tuple[str, socket.socket]]
    control: socket.socket
    media: Path
    reel: Reel
    tap: socket.socket
    pages: socket.socket
    rtc: Path | None = None


def tapped() -> tuple[socket.socket, socket.socket]:
    """Return the two ends of what signalling's messages go through: signalling's, and the worker's.

    What was passed on stays in it over a death of either. Raises OSError.
    """
    tap, scribe = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    tap.setblocking(False)
    tap.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, TAP_BYTES)  # the system gives what it allows
    return tap, scribe
