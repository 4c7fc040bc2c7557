"""The sockets that the supervisor owns: they outlive the process that uses them."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from pathlib import Path

from media.engines.reel import Reel


@dataclass(frozen=True, slots=True)
class Sockets:
    """What the supervisor hands on: bound SIP sockets, the control socket, the media process's path, and the
    reel of the recorder's tape.

    streams: those that listen, each with its transport as in Via: "TCP", "TLS", "WS" or "WSS".
    """

    udp: list[socket.socket]
    streams: list[tuple[str, socket.socket]]
    control: socket.socket
    media: Path
    reel: Reel
