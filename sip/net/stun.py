"""STUN on the SIP port: a telephone asks where it is seen, and keeps its NAT's binding open (RFC 5626 4.4.2).

Only Binding requests with the magic cookie are answered (RFC 5389 section 7.3.1), to where they came from,
and no more of them in a second than a town's telephones send. An answer is hardly longer than its question:
nobody is flooded through us.
"""

from __future__ import annotations

import ipaddress
import struct
import zlib

MAX_ANSWERS_PER_SECOND = 2000
HIGHEST_FIRST_BYTE = 1  # of a message that could be answered; a SIP message begins with a letter

_HEADER_BYTES = 20
_MAX_BYTES = 548  # RFC 5389 section 7.1
_MAGIC_COOKIE = 0x2112A442
_FINGERPRINT_XOR = 0x5354554E
_BINDING_REQUEST, _BINDING_SUCCESS, _BINDING_ERROR = 0x0001, 0x0101, 0x0111
_ERROR_CODE, _UNKNOWN_ATTRIBUTES, _XOR_MAPPED_ADDRESS, _FINGERPRINT = 0x0009, 0x000A, 0x0020, 0x8028
_COMPREHENSION_OPTIONAL = 0x8000
_UNKNOWN_ATTRIBUTE = b"\0\0\x04\x14Unknown Attribute"  # class 4, number 20


class StunServer:
    """Answers of one socket. Time is the caller's, in seconds."""

    __slots__ = ("_answers", "_second")

    def __init__(self) -> None:
        self._second = 0
        self._answers = 0

    def answer(self, data: bytes, source: tuple[str, int], now: float) -> bytes:
        """The datagram to send back to `source`; empty where there is nothing to answer."""
        if int(now) != self._second:
            self._second, self._answers = int(now), 0
        if self._answers >= MAX_ANSWERS_PER_SECOND:
            return b""
        answer = binding_answer(data, source)
        self._answers += bool(answer)
        return answer


def binding_answer(data: bytes, source: tuple[str, int]) -> bytes:
    """The answer to a Binding request from `source`; empty for anything else (RFC 5389 section 7.3)."""
    if not _HEADER_BYTES <= len(data) <= _MAX_BYTES:
        return b""
    kind, length, cookie = struct.unpack_from("!HHI", data)
    if (
        kind != _BINDING_REQUEST
        or cookie != _MAGIC_COOKIE
        or length != len(data) - _HEADER_BYTES
        or length % 4
    ):
        return b""
    attributes = _attribute_types(data)
    if attributes is None:
        return b""
    unknown = [kind for kind in attributes if kind < _COMPREHENSION_OPTIONAL]
    if unknown:  # RFC 5389 section 7.3.1
        named = struct.pack(f"!{len(unknown)}H", *unknown)
        body = _attribute(_ERROR_CODE, _UNKNOWN_ATTRIBUTE) + _attribute(_UNKNOWN_ATTRIBUTES, named)
        return _message(_BINDING_ERROR, data, body, fingerprint=_FINGERPRINT in attributes)
    body = _attribute(_XOR_MAPPED_ADDRESS, _xor_address(source, data[4:_HEADER_BYTES]))
    return _message(_BINDING_SUCCESS, data, body, fingerprint=_FINGERPRINT in attributes)


def _attribute_types(data: bytes) -> list[int] | None:
    """The types of a message's attributes, None when they overrun it."""
    kinds = []
    position = _HEADER_BYTES
    while position < len(data):
        if position + 4 > len(data):
            return None
        kind, length = struct.unpack_from("!HH", data, position)
        position += 4 + length + -length % 4
        kinds.append(kind)
    return kinds if position == len(data) else None


def _xor_address(source: tuple[str, int], cookie_and_transaction: bytes) -> bytes:
    """RFC 5389 section 15.2: so that a NAT that rewrites addresses in passing doesn't find this one."""
    address = ipaddress.ip_address(source[0].partition("%")[0])
    hidden = bytes(ours ^ key for ours, key in zip(address.packed, cookie_and_transaction, strict=False))
    return struct.pack("!BBH", 0, 1 if address.version == 4 else 2, source[1] ^ _MAGIC_COOKIE >> 16) + hidden


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("!HH", kind, len(value)) + value + bytes(-len(value) % 4)


def _message(kind: int, request: bytes, body: bytes, *, fingerprint: bool) -> bytes:
    length = len(body) + (8 if fingerprint else 0)
    message = struct.pack("!HH", kind, length) + request[4:_HEADER_BYTES] + body
    if fingerprint:  # RFC 5389 section 15.5
        message += _attribute(_FINGERPRINT, struct.pack("!I", zlib.crc32(message) ^ _FINGERPRINT_XOR))
    return message
