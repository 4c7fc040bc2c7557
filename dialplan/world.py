"""The world's public numbers as the data of `phonenumbers` describes them, compiled by country code.

`phonenumbers` reads any text a person may write, and takes its time for it. What arrives here is digits
after a +, so one lookup and a few regular expressions say the same: tests hold the two together.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata, PhoneNumberType

_LONGEST_CODE = 3
_SHORTEST = 2  # national digits of the shortest number that phonenumbers reads
_NO_REGION = "001"  # phonenumbers' word for a code of no country, such as +800

# In the order of phonenumbers: the first description that a number has is its type.
_KINDS = (
    ("premium_rate", PhoneNumberType.PREMIUM_RATE),
    ("toll_free", PhoneNumberType.TOLL_FREE),
    ("shared_cost", PhoneNumberType.SHARED_COST),
    ("voip", PhoneNumberType.VOIP),
    ("personal_number", PhoneNumberType.PERSONAL_NUMBER),
    ("pager", PhoneNumberType.PAGER),
    ("uan", PhoneNumberType.UAN),
    ("voicemail", PhoneNumberType.VOICEMAIL),
)


class _Description:
    """A pattern of national numbers and their lengths; `fits` is False for everything where there is none."""

    __slots__ = ("_fullmatch", "_lengths")

    def __init__(self, description: object) -> None:
        pattern = getattr(description, "national_number_pattern", None)
        self._fullmatch = re.compile(pattern).fullmatch if pattern else None
        self._lengths = frozenset(getattr(description, "possible_length", ()) or ())

    def fits(self, national: str) -> bool:
        if self._fullmatch is None or (self._lengths and len(national) not in self._lengths):
            return False
        return self._fullmatch(national) is not None


class _Region:
    """A country or a part of one that shares its code."""

    __slots__ = ("_fixed", "_general", "_kinds", "_leading", "_mobile", "_same")

    def __init__(self, metadata: PhoneMetadata) -> None:
        self._general = _Description(metadata.general_desc)
        self._kinds = tuple((_Description(getattr(metadata, name)), kind) for name, kind in _KINDS)
        self._fixed = _Description(metadata.fixed_line)
        self._mobile = _Description(metadata.mobile)
        self._same = bool(metadata.same_mobile_and_fixed_line_pattern)
        self._leading = re.compile(metadata.leading_digits) if metadata.leading_digits is not None else None

    def kind(self, national: str) -> int:
        if not self._general.fits(national):
            return PhoneNumberType.UNKNOWN
        for description, kind in self._kinds:
            if description.fits(national):
                return kind
        if self._fixed.fits(national):
            both = self._same or self._mobile.fits(national)
            return PhoneNumberType.FIXED_LINE_OR_MOBILE if both else PhoneNumberType.FIXED_LINE
        if not self._same and self._mobile.fits(national):
            return PhoneNumberType.MOBILE
        return PhoneNumberType.UNKNOWN

    def has(self, national: str) -> bool:
        if self._leading is not None:
            return self._leading.match(national) is not None
        return self.kind(national) != PhoneNumberType.UNKNOWN


class CallingCode:
    """What is known of the numbers of one country code, such as 33."""

    __slots__ = ("_lengths", "_local", "_pattern", "_prefix", "_regions", "_transform", "code")

    def __init__(self, code: str, regions: Iterable[str]) -> None:
        self.code = code
        names = list(regions)
        data = [_metadata(code, region) for region in names]
        self._regions = tuple(_Region(metadata) for metadata in data)
        main = data[0]
        self._prefix = re.compile(main.national_prefix_for_parsing or "(?!)")
        self._transform = main.national_prefix_transform_rule or ""
        general = main.general_desc
        assert general is not None  # every country code has one
        self._pattern = re.compile(general.national_number_pattern or "(?!)")
        self._lengths = frozenset(general.possible_length)
        self._local = frozenset(general.possible_length_local_only)

    @property
    def lengths(self) -> frozenset[int]:
        """How many digits national numbers of this code have."""
        return self._lengths - self._local

    def read(self, digits: str) -> str:
        """The national number of what follows the country code; "" when none has such a length.

        A national prefix that people leave in it (the 0 of +33 (0)6) is taken out.
        """
        if len(digits) < _SHORTEST:
            return ""
        stripped = self._without_prefix(digits)
        if len(stripped) in self._lengths and len(stripped) not in self._local:
            return stripped
        # Too long even so: there is no number. Too short: what looked like a prefix is part of the number.
        if len(stripped) > max(self._lengths) and len(stripped) not in self._local:
            return ""
        return digits if len(digits) in self._lengths and len(digits) not in self._local else ""

    def _without_prefix(self, digits: str) -> str:
        match = self._prefix.match(digits)
        if match is None:
            return digits
        last = match.groups()[-1] if match.groups() else None
        if not self._transform or last is None:
            rest = digits[match.end() :]
        else:
            rest = match.expand(self._transform) + digits[match.end() :]
        if self._pattern.fullmatch(digits) and not self._pattern.fullmatch(rest):
            return digits
        return rest

    def kind(self, national: str) -> int:
        """The `phonenumbers.PhoneNumberType` of a national number."""
        if len(self._regions) == 1:
            return self._regions[0].kind(national)
        for region in self._regions:
            if region.has(national):
                return region.kind(national)
        return PhoneNumberType.UNKNOWN


def _metadata(code: str, region: str) -> PhoneMetadata:
    found = PhoneMetadata.metadata_for_region_or_calling_code(int(code), region)
    assert found is not None  # the map of codes names only regions with data
    return found


@lru_cache(maxsize=1024)
def _calling_code(code: str) -> CallingCode:
    return CallingCode(code, COUNTRY_CODE_TO_REGION_CODE[int(code)])


def calling_code_of(digits: str) -> tuple[CallingCode, ...]:
    """The country code that these digits begin with, as a tuple of one; empty when none does."""
    if digits[:1] != "0":
        for length in range(1, _LONGEST_CODE + 1):
            if len(digits) >= length and int(digits[:length]) in COUNTRY_CODE_TO_REGION_CODE:
                return (_calling_code(digits[:length]),)
    return ()


def codes_beginning(digits: str) -> tuple[str, ...]:
    """The country codes that begin with these digits, or that these digits begin with."""
    codes = [str(code) for code in COUNTRY_CODE_TO_REGION_CODE]
    return tuple(code for code in codes if code.startswith(digits) or digits.startswith(code))


@lru_cache(maxsize=1)
def examples() -> tuple[str, ...]:
    """A number of each kind that each country has, E.164."""
    found: dict[str, None] = {}
    for code, regions in COUNTRY_CODE_TO_REGION_CODE.items():
        for region in regions:
            main = PhoneMetadata.metadata_for_region_or_calling_code(code, region)
            assert main is not None  # the map of codes names only regions with data
            for name in ("fixed_line", "mobile", "premium_rate", "toll_free", "voip"):
                example = getattr(getattr(main, name), "example_number", None)
                if example:
                    found[f"+{code}{example}"] = None
    return tuple(found)
