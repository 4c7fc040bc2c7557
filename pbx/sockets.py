"""The sockets that the supervisor owns: they outlive the process that uses them."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Sockets:
    """What the supervisor hands on: bound SIP sockets, the control socket, the media process's path."""

    udp: list[socket.socket]
    tcp: list[socket.socket]
    control: socket.socket
    media: Path
