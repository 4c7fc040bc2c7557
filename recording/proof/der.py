"""DER, as much as a time stamp needs: elements one behind the other, read strictly (X.690 section 10).

What isn't DER, or isn't what was expected, raises DerError; nothing is ever read beyond what there is.
"""

from __future__ import annotations

from typing import Final

BOOLEAN: Final = 0x01
INTEGER: Final = 0x02
OCTET_STRING: Final = 0x04
OBJECT: Final = 0x06
TIME: Final = 0x18  # GeneralizedTime
SEQUENCE: Final = 0x30
SET: Final = 0x31
FIRST: Final = 0xA0  # [0], constructed
SECOND: Final = 0xA1


class DerError(ValueError):
    """Bytes that aren't the DER that was expected."""


class Elements:
    """The elements in some bytes, taken one after the other."""

    __slots__ = ("_data", "_offset")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._offset = 0

    @property
    def tag(self) -> int:
        """Of the next element; -1 behind the last one."""
        return self._data[self._offset] if self._offset < len(self._data) else -1

    def whole(self, tag: int) -> bytes:
        """Take the next element, with its tag and length."""
        if self.tag != tag:
            raise DerError(f"an element of type {self.tag:#04x} stands where {tag:#04x} should")
        begin = self._offset
        length = self._length()
        if length > len(self._data) - self._offset:
            raise DerError("an element is longer than what it is in")
        self._offset += length
        return self._data[begin : self._offset]

    def content(self, tag: int) -> bytes:
        """Take the next element, without its tag and length."""
        whole = self.whole(tag)
        # X.690 section 8.1.3: one byte of length up to 127, else so many more as its low bits say.
        return whole[2 if whole[1] < 0x80 else 2 + (whole[1] & 0x7F) :]

    def within(self, tag: int) -> Elements:
        """Take the next element; returns those in it."""
        return Elements(self.content(tag))

    def skip(self, *tags: int) -> None:
        """Let the next element go where it has one of these tags: it may be left out."""
        if self.tag in tags:
            self.whole(self.tag)

    def integer(self) -> int:
        """Take an INTEGER."""
        return int.from_bytes(self.content(INTEGER), "big", signed=True)

    def object_name(self) -> str:
        """Take an OBJECT IDENTIFIER; returns it with dots. X.690 section 8.19."""
        numbers, number = [], 0
        for byte in self.content(OBJECT):
            number = number << 7 | byte & 0x7F
            if not byte & 0x80:
                numbers.append(number)
                number = 0
        if not numbers or number:
            raise DerError("an object identifier isn't whole")
        first = min(numbers[0] // 40, 2)
        return ".".join(map(str, (first, numbers[0] - 40 * first, *numbers[1:])))

    def end(self) -> None:
        """Nothing more may come. Raises DerError."""
        if self.tag != -1:
            raise DerError("there is more than there should be")

    def _length(self) -> int:
        """Read a length, and stand behind it. X.690 section 10.1: the shortest form alone."""
        if len(self._data) - self._offset < 2:
            raise DerError("an element without a length")
        first = self._data[self._offset + 1]
        self._offset += 2
        if first < 0x80:
            return first
        count = first & 0x7F
        length = int.from_bytes(self._data[self._offset : self._offset + count], "big")
        self._offset += count
        if not 1 <= count <= 4 or length < 0x80 or length >> 8 * (count - 1) == 0:
            raise DerError("a length that isn't DER")
        return length
