"""The sockets that settings of desk telephones are handed out on: the supervisor's, light to import."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from dataclasses import dataclass

from provisioning.plug_and_play import GROUP, PORT


@dataclass(frozen=True, slots=True)
class PhoneSockets:
    """Bound by the supervisor. Which transport each is of."""

    https: Sequence[socket.socket]
    http: Sequence[socket.socket]
    tftp: Sequence[socket.socket]
    group: socket.socket | None
    group_interface: str
    ldaps: Sequence[socket.socket] = ()
    ldap: Sequence[socket.socket] = ()


def bound_group(interface: str, port: int = PORT) -> socket.socket:
    """A socket in the group on one of our addresses. Raises OSError."""
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((GROUP, port))  # what is sent to the group alone, not to our own SIP
        membership = socket.inet_aton(GROUP) + socket.inet_aton(interface)
        made.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
    except OSError:
        made.close()
        raise
    made.setblocking(False)
    return made
