"""STUN messages (RFC 8489, 8445), as far as an ICE-lite agent and a plain STUN server need them.

Short-term credentials only. A message is read strictly: a length that doesn't add up, an attribute over
the end or a fingerprint that doesn't fit is no STUN message, and gets no answer.
"""

import hmac
import ipaddress
import struct
import zlib
from typing import Final, NamedTuple

BINDING_REQUEST: Final = 0x0001
BINDING_SUCCESS: Final = 0x0101
BINDING_ERROR: Final = 0x0111

USERNAME: Final = 0x0006
MESSAGE_INTEGRITY: Final = 0x0008
ERROR_CODE: Final = 0x0009
UNKNOWN_ATTRIBUTES: Final = 0x000A
XOR_MAPPED_ADDRESS: Final = 0x0020
PRIORITY: Final = 0x0024
USE_CANDIDATE: Final = 0x0025
FINGERPRINT: Final = 0x8028
ICE_CONTROLLED: Final = 0x8029
ICE_CONTROLLING: Final = 0x802A

HEADER_BYTES: Final = 20
MAX_BYTES: Final = 576  # a check has some 100; nobody needs a fragment (RFC 8489 section 6.1)
_COOKIE: Final = b"\x21\x12\xa4\x42"
_FINGERPRINT_XOR: Final = 0x5354554E
_INTEGRITY_BYTES: Final = 20
_HEADER: Final = struct.Struct(">HH4s12s")
_ATTRIBUTE: Final = struct.Struct(">HH")
_UNDERSTOOD: Final = frozenset((USERNAME, MESSAGE_INTEGRITY, PRIORITY, USE_CANDIDATE))
_COMPREHENSION_OPTIONAL: Final = 0x8000


class StunError(ValueError):
    """A datagram that isn't a STUN message."""


class Message(NamedTuple):
    """One message. attributes: the first of each type, values without padding.

    integrity_at: where MESSAGE-INTEGRITY begins in `datagram`, 0 where there is none. fingerprint: it has
    one, and it fits.
    """

    kind: int
    transaction: bytes
    attributes: dict[int, bytes]
    datagram: bytes
    integrity_at: int
    fingerprint: bool

    def is_authentic(self, password: bytes) -> bool:
        """Say whether MESSAGE-INTEGRITY was made with this password."""
        if not self.integrity_at:
            return False
        # RFC 8489 section 14.5: the length counts up to the end of this attribute, whatever follows it.
        length = self.integrity_at + 4 + _INTEGRITY_BYTES - HEADER_BYTES
        signed = self.datagram[:2] + length.to_bytes(2) + self.datagram[4 : self.integrity_at]
        return hmac.compare_digest(hmac.digest(password, signed, "sha1"), self.attributes[MESSAGE_INTEGRITY])

    def not_understood(self) -> tuple[int, ...]:
        """Return the attributes that we would have to understand and don't (section 6.3.1)."""
        return tuple(
            kind for kind in self.attributes if kind < _COMPREHENSION_OPTIONAL and kind not in _UNDERSTOOD
        )


def parse(datagram: bytes) -> Message:
    """Read one message. Raises StunError."""
    if not HEADER_BYTES <= len(datagram) <= MAX_BYTES:
        raise StunError(f"{len(datagram)} bytes")
    kind, length, cookie, transaction = _HEADER.unpack_from(datagram)
    if kind & 0xC000 or cookie != _COOKIE or length != len(datagram) - HEADER_BYTES or length & 3:
        raise StunError("not a STUN header")
    attributes: dict[int, bytes] = {}
    integrity_at = 0
    at = HEADER_BYTES
    while at < len(datagram):
        attribute, size = _ATTRIBUTE.unpack_from(datagram, at)
        end = at + 4 + size
        if end > len(datagram):
            raise StunError("an attribute beyond the end")
        if attribute == FINGERPRINT:
            if end != len(datagram) or size != 4:
                raise StunError("a fingerprint that isn't the last attribute")
            if int.from_bytes(datagram[at + 4 : end]) != _fingerprint_of(datagram[:at]):
                raise StunError("the fingerprint doesn't fit")
            return Message(kind, transaction, attributes, datagram, integrity_at, fingerprint=True)
        if not integrity_at:  # section 14.5: what follows MESSAGE-INTEGRITY isn't looked at
            if attribute == MESSAGE_INTEGRITY:
                if size != _INTEGRITY_BYTES:
                    raise StunError("an integrity of another length")
                integrity_at = at
            attributes.setdefault(attribute, datagram[at + 4 : end])
        at = end + (-size & 3)
    return Message(kind, transaction, attributes, datagram, integrity_at, fingerprint=False)


def success(transaction: bytes, host: str, port: int, password: bytes = b"") -> bytes:
    """Return the answer to a binding request that came from there; signed where there is a password."""
    mapped = xor_address(host, port, transaction)
    return build(BINDING_SUCCESS, transaction, ((XOR_MAPPED_ADDRESS, mapped),), password)


def error(
    transaction: bytes, code: int, reason: str, password: bytes = b"", unknown: tuple[int, ...] = ()
) -> bytes:
    """Return a binding error response (section 14.8). unknown: the attributes of a 420."""
    value = bytes((0, 0, code // 100, code % 100)) + reason.encode()
    attributes = [(ERROR_CODE, value)]
    if unknown:
        attributes.append((UNKNOWN_ATTRIBUTES, b"".join(kind.to_bytes(2) for kind in unknown[:16])))
    return build(BINDING_ERROR, transaction, attributes, password)


def build(
    kind: int,
    transaction: bytes,
    attributes: tuple[tuple[int, bytes], ...] | list[tuple[int, bytes]],
    password: bytes = b"",
) -> bytes:
    """Return a message. With a password it ends in MESSAGE-INTEGRITY and FINGERPRINT, else in neither."""
    body = b"".join(
        _ATTRIBUTE.pack(attribute, len(value)) + value + bytes(-len(value) & 3)
        for attribute, value in attributes
    )
    if not password:
        return _HEADER.pack(kind, len(body), _COOKIE, transaction) + body
    signed = _HEADER.pack(kind, len(body) + 4 + _INTEGRITY_BYTES, _COOKIE, transaction) + body
    body += _ATTRIBUTE.pack(MESSAGE_INTEGRITY, _INTEGRITY_BYTES) + hmac.digest(password, signed, "sha1")
    whole = _HEADER.pack(kind, len(body) + 8, _COOKIE, transaction) + body
    return whole + _ATTRIBUTE.pack(FINGERPRINT, 4) + _fingerprint_of(whole).to_bytes(4)


def xor_address(host: str, port: int, transaction: bytes) -> bytes:
    """Return the value of XOR-MAPPED-ADDRESS (section 14.2). host: an IP address."""
    address = ipaddress.ip_address(host.partition("%")[0]).packed
    mask = (_COOKIE + transaction)[: len(address)]
    mixed = (int.from_bytes(address) ^ int.from_bytes(mask)).to_bytes(len(address))
    family = 1 if len(address) == 4 else 2
    return struct.pack(">BBH", 0, family, port ^ 0x2112) + mixed


def _fingerprint_of(before: bytes) -> int:
    return zlib.crc32(before) ^ _FINGERPRINT_XOR
