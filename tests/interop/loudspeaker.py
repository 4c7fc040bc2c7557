"""A telephone that only listens to a multicast address, as a loudspeaker of a school does."""

from __future__ import annotations

import socket
from array import array
from types import TracebackType
from typing import Self

from media import codecs, rtp
from tests.interop.ear import Ear
from tests.interop.namespaces import Namespace
from tests.interop.tone import Recording, ToneError

_RATE_HZ = 8000


class Loudspeaker(Ear):
    """Alive inside `with`. group, port: what it listens to; PCMA alone."""

    def __init__(self, namespace: Namespace, group: str, port: int) -> None:
        self.user = group
        self._samples: array[int] = array("h")
        self._socket = namespace.socket(socket.SOCK_DGRAM)
        self._socket.bind((group, port))
        member = socket.inet_aton(group) + namespace.address.packed
        self._socket.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def recording(self) -> Recording:
        """All that came. Raises ToneError while there is nothing."""
        while True:
            try:
                packet = rtp.parse(self._socket.recv(2048))
            except BlockingIOError:
                break
            assert packet.payload_type == 8, packet
            self._samples += codecs.decode("PCMA", packet.payload)
        if not self._samples:
            raise ToneError(f"nothing came to {self.user}")
        return Recording(_RATE_HZ, self._samples)
