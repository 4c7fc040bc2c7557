"""One line of a browser's bundle: its plain socket towards the media plane, and what is sent again of it."""

import ipaddress
import socket
from collections.abc import Mapping
from typing import Final

from media.rtc.protocol import PlainStream
from media.rtc.retransmission import Missing, Sent

SocketAddress = tuple[str, int] | tuple[str, int, int, int]

_EXTENSION: Final = 0x10


class Line:
    """One line. index: of its socket in `Opened`.

    target, rtcp_target: where the media plane takes it, and `origins` where it sends from; None and empty
    before anything was agreed. to_browser: the browser's payload type for each of the plane's.
    heard: SSRC of the browser's newest packet in it; told: of the newest one to it; b"" for none.
    sent: what a NACK of the browser may ask for, missing: what ours may, None where that wasn't agreed.
    """

    __slots__ = (
        "heard", "index", "missing", "nack", "origins", "rtcp_target", "sent", "socket", "target",
        "to_browser", "told",
    )  # fmt: skip

    def __init__(self, index: int, plain: socket.socket) -> None:
        self.index = index
        self.socket = plain
        self.target: SocketAddress | None = None
        self.rtcp_target: SocketAddress | None = None
        self.origins: tuple[SocketAddress, ...] = ()
        self.to_browser: Mapping[int, int] = {}
        self.nack = False
        self.heard = self.told = b""
        self.sent: Sent | None = None
        self.missing: Missing | None = None

    @property
    def address(self) -> tuple[str, int]:
        """Where the media plane sends to."""
        name: SocketAddress = self.socket.getsockname()
        return name[0], name[1]

    def agree(self, stream: PlainStream) -> None:
        """Do from now on what was agreed for this line."""
        self.target = _socket_address(stream.host, stream.port)
        self.rtcp_target = _socket_address(stream.host, stream.rtcp_port)
        self.origins = (self.target, self.rtcp_target)
        self.to_browser = {theirs: browsers for browsers, theirs in reversed(stream.numbers.items())}
        self.nack = stream.nack
        if not stream.nack:
            self.sent = self.missing = None
        elif self.sent is None:
            self.sent = Sent()

    def silence(self) -> None:
        """Nothing is agreed for this line any more."""
        self.target = self.rtcp_target = None
        self.origins = ()


def without_extension(view: memoryview, size: int) -> int:
    """Take the header extension out of the packet at the beginning of the view; return its size then.

    0 when the packet is shorter than it says (RFC 3550 appendix A.1).
    """
    start = 12 + 4 * (view[0] & 0x0F)
    if start + 4 > size:
        return 0
    end = start + 4 + 4 * (view[start + 2] << 8 | view[start + 3])
    if end > size:
        return 0
    left = bytes(view[end:size])
    view[start : start + len(left)] = left
    view[0] &= 0xFF ^ _EXTENSION
    return start + len(left)


def _socket_address(host: str, port: int) -> SocketAddress:
    address = ipaddress.ip_address(host)
    return (str(address), port) if address.version == 4 else (str(address), port, 0, 0)
