"""Frames between processes of one machine: what one turn of a loop has to say, over a stream socket.

A frame is a length of four bytes and a msgpack list of messages. Both ends are ours and of one version, so a
frame that doesn't decode is a fault, not an input. Who says what is each protocol's own:
`media.engines.wire`, `media.rtc.protocol`, `recording.live.wire`.
"""

from collections.abc import Sequence
from typing import Final, TypeVar

import msgspec

MAX_FRAME_BYTES: Final = 4 * 1024 * 1024
READ_BYTES: Final = 16_384  # from a control socket at once; a longer buffer is mapped and unmapped each time
_LENGTH_BYTES: Final = 4

Message = TypeVar("Message")

_encoder = msgspec.msgpack.Encoder()


class WireError(Exception):
    """A frame that isn't one of ours."""


def frame(messages: Sequence[msgspec.Struct]) -> bytes:
    """Return one frame. Raises WireError when it would be longer than MAX_FRAME_BYTES."""
    body = _encoder.encode(messages)
    if len(body) > MAX_FRAME_BYTES:
        raise WireError(f"a frame of {len(body)} bytes")
    return len(body).to_bytes(_LENGTH_BYTES) + body


def decoded(body: bytes, decoder: msgspec.msgpack.Decoder[list[Message]]) -> list[Message]:
    """Return the messages of one frame. Raises WireError."""
    try:
        return decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise WireError(f"not one of our messages: {error}") from None


class FrameReader:
    """Cuts a byte stream into the bodies of its frames."""

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer = bytearray()

    def receive(self, data: bytes) -> list[bytes]:
        """Add what was read and return the bodies that are whole. Raises WireError for a length too long."""
        buffer = self._buffer
        buffer += data
        bodies: list[bytes] = []
        start = 0
        while len(buffer) - start >= _LENGTH_BYTES:
            end = start + _LENGTH_BYTES + int.from_bytes(buffer[start : start + _LENGTH_BYTES])
            if end - start > MAX_FRAME_BYTES + _LENGTH_BYTES:
                raise WireError(f"a frame of {end - start} bytes")
            if end > len(buffer):
                break
            bodies.append(bytes(buffer[start + _LENGTH_BYTES : end]))
            start = end
        del buffer[:start]
        return bodies
