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

import phonenumbers
from phonenumbers import PhoneNumberType, ValidationResult

from dialplan.document import Node, read_document
from dialplan.ranges import RangeMap, parse_range

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


@dataclass(frozen=True, slots=True)
class OutsideNumber:
    """A number that can be called outside: E.164 with its +, or a short number as it is."""

    number: str
    right: str


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Digits that are no number outside, and why (English, for a trace)."""

    why: str


@dataclass(frozen=True, slots=True)
class Country:
    """What a data file says of a country."""

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
        try:
            parsed = phonenumbers.parse(number, None)
        except phonenumbers.NumberParseException:
            return Unreadable("no country has such a number")
        if phonenumbers.is_possible_number_with_reason(parsed) != ValidationResult.IS_POSSIBLE:
            return Unreadable("not a possible length for a number of that country")
        e164 = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
        return OutsideNumber(e164, self._right(parsed))

    def _right(self, parsed: phonenumbers.PhoneNumber) -> str:
        code = str(parsed.country_code)
        if code in self.special_codes:
            return self.special_codes[code]
        if code == self.calling_code:
            national = str(parsed.national_number)
            for length in range(len(national), 0, -1):
                if national[:length] in self.national:
                    return self.national[national[:length]]
            return "premium"
        kind = phonenumbers.number_type(parsed)
        if kind == PhoneNumberType.PREMIUM_RATE:
            return "premium"
        if code in self.domestic_codes:
            return "mobile" if kind == PhoneNumberType.MOBILE else "national"
        return "international"


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
        national=_texts(fields.get("national", empty)),
        overseas=_texts(fields.get("overseas", empty)),
        domestic_codes=frozenset(node.text() for node in fields.get("domestic_codes", empty).sequence()),
        special_codes=_texts(fields.get("special_codes", empty)),
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
