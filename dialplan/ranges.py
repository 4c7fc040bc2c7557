"""Ranges of numbers of one length, such as 2000..2199 or +33383001000..+33383001199, and a map over them.

Numbers are texts: 0700 and 700 are different. Texts of one length compare as their numbers do, so a
range is two texts, and finding the range of a number is one bisection among those of its length. What lies
between two numbers as a text and is none itself (+3338300101p) is in no range.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

Value = TypeVar("Value")

_RANGE = re.compile(r"(\+?[0-9]{1,15})(?:\s*\.\.\s*(\+?[0-9]{1,15}))?")


@dataclass(frozen=True, slots=True)
class NumberRange:
    """The numbers from `first` to `last`, both included, of one length and both with + or neither."""

    first: str
    last: str

    def __contains__(self, number: str) -> bool:
        return len(number) == len(self.first) and self.first <= number <= self.last and _is_number(number)

    def __len__(self) -> int:
        return int(self.last) - int(self.first) + 1

    def __str__(self) -> str:
        return self.first if self.first == self.last else f"{self.first}..{self.last}"

    def overlaps(self, other: NumberRange) -> bool:
        return len(self.first) == len(other.first) and self.first <= other.last and other.first <= self.last

    def position(self, number: str) -> int:
        """How far a number of the range is from its first; 0 for the first."""
        return int(number) - int(self.first)

    def at(self, position: int) -> str:
        """The number at a position, as long as the first (leading zeros and + kept)."""
        sign = self.first[0] if self.first[0] == "+" else ""
        return sign + str(int(self.first) + position).zfill(len(self.first) - len(sign))


def _is_number(text: str) -> bool:
    """Whether a text is digits, with a + before them or without."""
    return text.isascii() and text.removeprefix("+").isdigit()


def parse_range(text: str) -> NumberRange:
    """A range from `first..last`, or from one number alone.

    Raises ValueError, with a sentence for the person who wrote it, when it isn't one.
    """
    match = _RANGE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f'"{text[:60]}" is no number and no range; write 2000 or 2000..2199')
    first, last = match[1], match[2] or match[1]
    if len(first) != len(last) or (first[0] == "+") != (last[0] == "+"):
        raise ValueError(f"the two ends of {first}..{last} must be equally long")
    if last < first:
        raise ValueError(f"{first}..{last} is backwards; write {last}..{first}")
    return NumberRange(first, last)


class RangeMap(Generic[Value]):
    """Values by range. Where ranges overlap, the one that begins last is found: checking tells of it."""

    __slots__ = ("_by_length",)

    def __init__(self, items: Iterable[tuple[NumberRange, Value]]) -> None:
        by_length: dict[int, list[tuple[str, str, Value]]] = {}
        for item, value in items:
            by_length.setdefault(len(item.first), []).append((item.first, item.last, value))
        self._by_length: dict[int, tuple[list[str], list[tuple[str, Value]]]] = {}
        for length, entries in by_length.items():
            entries.sort(key=lambda entry: entry[:2])
            self._by_length[length] = (
                [first for first, _, _ in entries],
                [(last, value) for _, last, value in entries],
            )

    def find(self, number: str) -> tuple[Value, ...]:
        """The value of the range that holds this number, as a tuple of one; empty when none does."""
        entries = self._by_length.get(len(number))
        if entries is None:
            return ()
        index = bisect_right(entries[0], number) - 1
        if index < 0 or number > entries[1][index][0] or not _is_number(number):
            return ()
        return (entries[1][index][1],)


class RangeSet:
    """Ranges that may overlap, as one set of numbers."""

    __slots__ = ("_map",)

    def __init__(self, ranges: Iterable[NumberRange]) -> None:
        merged: list[NumberRange] = []
        for item in sorted(ranges, key=lambda item: (len(item.first), item.first)):
            if merged and _touch(merged[-1], item):
                merged[-1] = NumberRange(merged[-1].first, max(merged[-1].last, item.last))
            else:
                merged.append(item)
        self._map = RangeMap((item, item) for item in merged)

    def __contains__(self, number: str) -> bool:
        return bool(self._map.find(number))

    def covers(self, item: NumberRange) -> bool:
        """Whether every number of a range is in the set."""
        found = self._map.find(item.first)
        return bool(found) and found == self._map.find(item.last)


def _touch(before: NumberRange, after: NumberRange) -> bool:
    """Whether two ranges, the first of which begins first, overlap or follow each other without a gap."""
    same_kind = len(before.first) == len(after.first) and (before.first[0] == "+") == (after.first[0] == "+")
    return same_kind and int(after.first) <= int(before.last) + 1
