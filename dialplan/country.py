"""A country's numbering: its emergency numbers, its prefixes, and how a dialled number is read and classed.

A country is a file of `countries/`. E.164 itself, and what numbers exist elsewhere, come from
`phonenumbers`; the file has what that library doesn't know or mixes up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from types import MappingProxyType
from typing import NamedTuple

from phonenumbers import PhoneNumberType

from dialplan.document import Node, read_document
from dialplan.ranges import NumberRange, RangeMap, parse_range
from dialplan.world import CallingCode, calling_code_of, codes_beginning

# Rights that a class may have; emergency is always allowed, so it isn't one.
RIGHTS = (
    "internal",
    "national",
    "mobile",
    "toll_free",
    "shared_cost",
    "short",
    "international",
    "premium",
)
# A right that allows no call: to close and open services by code.
OVERRIDE = "override"


@dataclass(frozen=True, slots=True)
class EmergencyNumber:
    """A number that is always routed. `urgent` is False for those that must not displace another call.

    line: the plan's line when a plan added it, 0 when it is the country's.
    """

    number: str
    names: Mapping[str, str]
    urgent: bool = True
    line: int = 0
    column: int = 0


# What a number's type in the general data means where the country's own file says nothing. What isn't known,
# and what follows a person or rings a pager, may cost anything.
_RIGHT_OF_KIND = {
    PhoneNumberType.FIXED_LINE: "national",
    PhoneNumberType.FIXED_LINE_OR_MOBILE: "mobile",
    PhoneNumberType.MOBILE: "mobile",
    PhoneNumberType.TOLL_FREE: "toll_free",
    PhoneNumberType.SHARED_COST: "shared_cost",
    PhoneNumberType.VOIP: "national",
    PhoneNumberType.UAN: "national",
    PhoneNumberType.VOICEMAIL: "national",
}


class OutsideNumber(NamedTuple):
    """A number that can be called outside: E.164 with its +, or a short number as it is."""

    number: str
    right: str


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Digits that are no number outside, and why (English, for a trace)."""

    why: str


@dataclass(frozen=True, slots=True)
class Country:
    """What a data file says of a country.

    national: rights by the first national digits; empty where the general data says enough.
    never_urgent: emergency numbers that a plan may add and that never displace a call.
    automated_callers: how the numbers begin that a machine may show when it calls; empty for no such rule.
    short, short_ranges: rights by short number, and the ranges of these.
    entry_lengths: the lengths of the keys of `national`, longest first.
    """

    code: str
    calling_code: str
    national_prefix: str
    international_prefix: str
    timezone: str
    emergency: Mapping[str, EmergencyNumber]
    urns: Mapping[str, str]
    short: RangeMap[str]
    national: Mapping[str, str]
    overseas: Mapping[str, str]
    domestic_codes: frozenset[str]
    special_codes: Mapping[str, str]
    never_urgent: frozenset[str] = frozenset()
    automated_callers: tuple[str, ...] = ()
    entry_lengths: tuple[int, ...] = ()
    short_ranges: tuple[NumberRange, ...] = ()

    def international_form(self, digits: str) -> str:
        """The digits as E.164 by their prefix alone, whether such a number exists or not.

        A + or the international prefix is read first, then the national prefix; other digits are taken
        as already international. Cheap: made for numbers that are looked up in tables of ours.
        """
        if digits.startswith("+"):
            return digits
        if digits.startswith(self.international_prefix):
            return "+" + digits[len(self.international_prefix) :]
        if self.national_prefix and digits.startswith(self.national_prefix):
            national = digits[len(self.national_prefix) :]
            return f"+{self._calling_code_of(national)}{national}"
        return "+" + digits

    def emergency_urn(self, name: str) -> str:
        """The number for the part of a service URN after `urn:service:`; the parent's for an unknown one.

        name: lower case, `sos` or `sos.…`. RFC 5031 section 4.2.
        """
        while name not in self.urns:
            name = name.rpartition(".")[0] or "sos"
        return self.urns[name]

    def read(self, digits: str) -> OutsideNumber | Unreadable:
        """What these digits, without any outside prefix, call outside. Never raises."""
        if digits.startswith("+"):
            return self._international(digits)
        if digits.startswith(self.international_prefix):
            return self._international("+" + digits[len(self.international_prefix) :])
        short = self.short.find(digits)
        if short:
            return OutsideNumber(digits, short[0])
        if digits.startswith(self.national_prefix):
            national = digits[len(self.national_prefix) :]
            return self._international(f"+{self._calling_code_of(national)}{national}")
        return Unreadable("no short number, and no prefix of a longer one")

    def _calling_code_of(self, national: str) -> str:
        return self.overseas.get(national[:3], self.calling_code)

    def _international(self, number: str) -> OutsideNumber | Unreadable:
        digits = number[1:]
        if not (digits.isascii() and digits.isdigit()):
            return Unreadable("no telephone number")
        for code in calling_code_of(digits):
            national = code.read(digits[len(code.code) :])
            if national:
                return OutsideNumber(f"+{code.code}{national}", self._right(code, national))
            return Unreadable("not a possible length for a number of that country")
        return Unreadable("no country has such a number")

    def _right(self, code: CallingCode, national: str) -> str:
        if code.code == self.calling_code and self.national:
            for length in self.entry_lengths:
                right = self.national.get(national[:length])
                if right is not None:
                    return right
            return "premium"
        if code.code in self.special_codes:
            return self.special_codes[code.code]
        kind = code.kind(national)
        if code.code == self.calling_code:
            return _RIGHT_OF_KIND.get(kind, "premium")
        if kind == PhoneNumberType.PREMIUM_RATE:
            return "premium"
        if code.code in self.domestic_codes:
            return "mobile" if kind == PhoneNumberType.MOBILE else "national"
        return "international"

    def rights_below(self, beginning: str) -> frozenset[str]:
        """The rights that numbers beginning so (+ and digits) may need; empty when no number begins so.

        Premium numbers abroad aren't counted: whoever says +44 means all the others.
        """
        digits = beginning[1:]
        found: set[str] = set()
        for code in codes_beginning(digits):
            national = digits[len(code) :]
            if code in self.special_codes:
                found.add(self.special_codes[code])
            elif code != self.calling_code:
                found.update(("national", "mobile") if code in self.domestic_codes else ("international",))
            elif self.national:
                found.update(right for entry, right in self.national.items() if entry.startswith(national))
                ends = [
                    national[:end] for end in range(len(national), 0, -1) if national[:end] in self.national
                ]
                found.update(self.national[end] for end in ends[:1])
            else:
                found.update(_RIGHT_OF_KIND.values())
        return frozenset(found)

    def may_call_automatically(self, number: str) -> bool:
        """Whether a machine that calls by itself may show this number (E.164)."""
        return not self.automated_callers or number.startswith(self.automated_callers)


def known_countries() -> tuple[str, ...]:
    """The codes of the countries that have a data file, in order."""
    files = resources.files("dialplan").joinpath("countries").iterdir()
    return tuple(sorted(file.name[:2].upper() for file in files if file.name.endswith(".yaml")))


@lru_cache(maxsize=32)
def load_country(code: str) -> Country:
    """A country by its code, one of `known_countries()`. Raises PlanError if its file is wrong (our bug)."""
    name = f"countries/{code.lower()}.yaml"
    root = read_document(resources.files("dialplan").joinpath(name).read_text(encoding="utf-8"), name)
    fields = root.mapping(
        {
            "country",
            "calling_code",
            "national_prefix",
            "international_prefix",
            "timezone",
            "emergency",
            "urns",
            "short",
            "national",
            "overseas",
            "domestic_codes",
            "special_codes",
            "never_urgent",
            "automated_callers",
        },
        required=("country", "calling_code", "international_prefix", "timezone", "emergency", "urns"),
    )
    empty = Node(root.findings, 1, 1, "")
    country = Country(
        code=fields.get("country", empty).text(),
        calling_code=fields.get("calling_code", empty).text(),
        national_prefix=fields["national_prefix"].text(may_be_empty=True)
        if "national_prefix" in fields
        else "",
        international_prefix=fields.get("international_prefix", empty).text(),
        timezone=fields.get("timezone", empty).text(),
        emergency=MappingProxyType(
            {
                number: read_emergency_number(number, node)
                for number, node in fields.get("emergency", empty).mapping().items()
            }
        ),
        urns=_texts(fields.get("urns", empty)),
        short=RangeMap(
            (parse_range(entry["numbers"].text()), entry["class"].choice(RIGHTS, "class"))
            for entry in (
                node.mapping({"numbers", "class"}) for node in fields.get("short", empty).sequence()
            )
        ),
        short_ranges=tuple(
            parse_range(node.mapping()["numbers"].text()) for node in fields.get("short", empty).sequence()
        ),
        national=_texts(fields.get("national", empty)),
        entry_lengths=tuple(
            sorted({len(key) for key in _texts(fields.get("national", empty))}, reverse=True)
        ),
        overseas=_texts(fields.get("overseas", empty)),
        domestic_codes=frozenset(node.text() for node in fields.get("domestic_codes", empty).sequence()),
        special_codes=_texts(fields.get("special_codes", empty)),
        never_urgent=frozenset(node.text() for node in fields.get("never_urgent", empty).sequence()),
        automated_callers=tuple(node.text() for node in fields.get("automated_callers", empty).sequence()),
    )
    root.findings.raise_errors()
    return country


def read_emergency_number(number: str, node: Node, line: int = 0, column: int = 0) -> EmergencyNumber:
    """An entry of the country's emergency list, from its names by language and `urgent`."""
    fields = node.mapping({"fr", "en", "urgent"})
    names = {language: fields[language].text() for language in ("fr", "en") if language in fields}
    urgent = fields["urgent"].boolean() if "urgent" in fields else True
    return EmergencyNumber(number, MappingProxyType(names), urgent, line, column)


def _texts(node: Node) -> Mapping[str, str]:
    return MappingProxyType({key: value.text() for key, value in node.mapping().items()})
