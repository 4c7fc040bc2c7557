"""What fits a filter (RFC 4511 section 4.5.1.7), and reading one within bounds.

A filter is true, false or neither (`None`: an attribute that isn't there to be asked for), and only what is
true fits. Letters are compared without accents and case, as telephones' keys have neither; numbers without
blanks, dots and hyphens (RFC 4517 section 4.2.29).

`may_fit` is asked of the texts of many entries at once, by attribute: all that they hold. False is certain:
none of them fits.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from provisioning.ldap.ber import SEQUENCE, BerError, Item

MOST_DEPTH: Final = 8
MOST_PARTS: Final = 24
"""Of one filter, all that it consists of counted."""
MOST_VALUE: Final = 200
NUMBERS: Final = frozenset(("telephonenumber", "mobile"))

Values = Callable[[str], Collection[str] | None]
"""The values of an attribute as `folded`; None for one that isn't known or isn't shown."""

_AND, _OR, _NOT = 0xA0, 0xA1, 0xA2
_SUBSTRINGS, _PRESENT, _EXTENSIBLE = 0xA4, 0x87, 0xA9
_COMPARED: Final[Mapping[int, Literal["=", ">=", "<=", "~="]]] = {
    0xA3: "=",
    0xA5: ">=",
    0xA6: "<=",
    0xA8: "~=",
}
_IN_NUMBERS: Final = re.compile(r"[ ().\-]")


@dataclass(frozen=True, slots=True)
class Present:
    """(cn=*)"""

    attribute: str

    def fits(self, values: Values) -> bool | None:
        """Whether there is a value."""
        found = values(self.attribute)
        return None if found is None else bool(found)

    def may_fit(self, texts: Mapping[str, str]) -> bool:
        """Whether any of them has the attribute."""
        return self.attribute in texts


@dataclass(frozen=True, slots=True)
class Compared:
    """(cn=Paul), (cn>=P), (cn<=P), (cn~=Paul)"""

    attribute: str
    how: Literal["=", ">=", "<=", "~="]
    value: str

    def fits(self, values: Values) -> bool | None:
        """Whether one of the values compares so."""
        found = values(self.attribute)
        if found is None:
            return None
        if self.how in ("=", "~="):
            return self.value in found
        return any(one >= self.value if self.how == ">=" else one <= self.value for one in found)

    def may_fit(self, texts: Mapping[str, str]) -> bool:
        """Whether the value is in their text; what is before or after it, a text doesn't say."""
        return self.how in (">=", "<=") or self.value in texts.get(self.attribute, "")


@dataclass(frozen=True, slots=True)
class Substrings:
    """(cn=pa*l*it)"""

    attribute: str
    initial: str
    between: tuple[str, ...]
    final: str

    def fits(self, values: Values) -> bool | None:
        """Whether one of the values has these parts in this order."""
        found = values(self.attribute)
        return None if found is None else any(self._fits(one) for one in found)

    def may_fit(self, texts: Mapping[str, str]) -> bool:
        """Whether each part is in their text."""
        text = texts.get(self.attribute, "")
        return all(part in text for part in (self.initial, *self.between, self.final))

    def _fits(self, value: str) -> bool:
        if not value.startswith(self.initial):
            return False
        place = len(self.initial)
        for part in self.between:
            place = value.find(part, place)
            if place < 0:
                return False
            place += len(part)
        return len(value) - place >= len(self.final) and value.endswith(self.final)


@dataclass(frozen=True, slots=True)
class Unknown:
    """What can't be said: a matching rule of its own (RFC 4511 section 4.5.1.7.7)."""

    def fits(self, values: Values) -> bool | None:
        """Neither."""
        return None

    def may_fit(self, texts: Mapping[str, str]) -> bool:
        """What is neither true nor false never fits."""
        return False


@dataclass(frozen=True, slots=True)
class Several:
    """(&(…)(…)) or (|(…)(…))"""

    all_of: bool
    parts: tuple[Filter, ...]

    def fits(self, values: Values) -> bool | None:
        """RFC 4511 section 4.5.1.7: true and false as usual, and "undefined" where neither decides."""
        undecided = False
        for part in self.parts:
            fits = part.fits(values)
            if fits is None:
                undecided = True
            elif fits is not self.all_of:
                return fits
        return None if undecided else self.all_of

    def may_fit(self, texts: Mapping[str, str]) -> bool:
        """Whether all parts may, or one."""
        decides = all if self.all_of else any
        return decides(part.may_fit(texts) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Not:
    """(!(…))"""

    part: Filter

    def fits(self, values: Values) -> bool | None:
        """The contrary, of what isn't undefined."""
        fits = self.part.fits(values)
        return None if fits is None else not fits

    def may_fit(self, texts: Mapping[str, str]) -> bool:
        """Nothing that is in a text makes it false of all."""
        return True


Filter = Present | Compared | Substrings | Several | Not | Unknown


def folded(value: str, attribute: str = "") -> str:
    """A value as it is compared: of a number its digits; else without accents, case, and blanks around."""
    if attribute in NUMBERS:
        return _IN_NUMBERS.sub("", value).casefold()
    apart = unicodedata.normalize("NFKD", value.strip())
    return "".join(one for one in apart if not unicodedata.combining(one)).casefold()


def read_filter(item: Item) -> Filter:
    """Return a filter as it came. Raises BerError for one that is too large, too deep, or isn't one."""
    return _Reading().filter(item, 1)


class _Reading:
    """Counts what a filter consists of."""

    def __init__(self) -> None:
        self._parts = 0

    def filter(self, item: Item, depth: int) -> Filter:
        self._parts += 1
        if self._parts > MOST_PARTS or depth > MOST_DEPTH:
            raise BerError("a filter that is too large")
        if item.tag in (_AND, _OR):
            # RFC 4526: "(&)" is true and "(|)" is false.
            parts = tuple(self.filter(part, depth + 1) for part in item.items(MOST_PARTS))
            return Several(item.tag == _AND, parts)
        if item.tag == _NOT:
            (part,) = _exactly(item, 1)
            return Not(self.filter(part, depth + 1))
        if item.tag == _PRESENT:
            return Present(attribute_name(item))
        if item.tag in _COMPARED:
            name, value = _exactly(item, 2)
            attribute = attribute_name(name)
            return Compared(attribute, _COMPARED[item.tag], _value(value, attribute))
        if item.tag == _SUBSTRINGS:
            return self._substrings(item)
        if item.tag == _EXTENSIBLE:
            return Unknown()
        raise BerError("no filter")

    def _substrings(self, item: Item) -> Filter:
        name, sequence = _exactly(item, 2)
        attribute = attribute_name(name)
        if sequence.tag != SEQUENCE:
            raise BerError("no filter")
        parts = sequence.items(MOST_PARTS)
        self._parts += len(parts)
        tags = [part.tag for part in parts]
        is_ordered = 0x80 not in tags[1:] and 0x82 not in tags[:-1]
        if not parts or not is_ordered or not set(tags) <= {0x80, 0x81, 0x82}:
            raise BerError("no filter")
        texts = [_value(part, attribute) for part in parts]
        initial = texts[0] if tags[0] == 0x80 else ""
        final = texts[-1] if tags[-1] == 0x82 else ""
        between = tuple(text for text, tag in zip(texts, tags, strict=True) if tag == 0x81)
        return Substrings(attribute, initial, between, final)


def attribute_name(item: Item) -> str:
    """An attribute's name in small letters, without its options. Raises BerError."""
    return _bounded(item).partition(";")[0].lower()


def _value(item: Item, attribute: str) -> str:
    return folded(_bounded(item), attribute)


def _bounded(item: Item) -> str:
    if len(item.content) > MOST_VALUE:
        raise BerError("a value that is too long")
    return item.text()


def _exactly(item: Item, many: int) -> tuple[Item, ...]:
    found = item.items(many)
    if len(found) != many:
        raise BerError("no filter")
    return found
