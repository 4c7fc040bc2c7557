"""How messages lie in a stream: what a connection asks of SIP's own framing and of WebSocket's."""

from __future__ import annotations

from typing import Protocol

from sip.core.parser import KeepAlive, StreamParser


class Framing(Protocol):
    """How messages lie in a stream, without input or output."""

    ended: bool

    @property
    def pending(self) -> int:
        """Bytes of an unfinished message."""

    def feed(self, data: bytes) -> list[bytes | KeepAlive]:
        """The messages and keep-alives that `data` completes. Raises ParseError when it can't be followed."""

    def wrap(self, message: bytes) -> bytes:
        """The bytes that carry a message. Raises OSError."""

    def ping(self) -> bytes:
        """A question that a peer answers if it is there, empty where there is none."""

    def to_send(self) -> bytes:
        """What the framing itself has to say."""

    def farewell(self) -> bytes:
        """The last words before a stream is closed."""


class SipFraming(StreamParser):
    """SIP on a plain stream: messages as they are (18.3)."""

    __slots__ = ("ended",)

    def __init__(self) -> None:
        super().__init__()
        self.ended = False

    def wrap(self, message: bytes) -> bytes:
        """The message itself."""
        return message

    def ping(self) -> bytes:
        """None: over a plain stream it is the peer who asks (RFC 5626 section 3.5.1)."""
        return b""

    def to_send(self) -> bytes:
        """Nothing."""
        return b""

    def farewell(self) -> bytes:
        """Nothing."""
        return b""
