"""How operators write telephone numbers, read and written.

Inside Beffroi a public number is E.164 with its +. Emergency and other short numbers are the same for all:
no format ever touches them.
"""

from __future__ import annotations

from dialplan.country import Country

# What we write:    e164 +33612345678 · digits 33612345678 · international 0033612345678
#                   national 0612345678, and abroad as `international`
FORMATS = ("e164", "digits", "national", "international")

# How digits without + are read:  auto: 00 is international, 0 national, anything else has its country code
#                                 bare: as auto, but other digits lack the 0 (383000100)
READINGS = ("auto", "bare")

_SHORTEST_PUBLIC = 7  # "+" and six digits: what is shorter is dialled as it is


def written(number: str, form: str, country: Country) -> str:
    """A number in one of FORMATS; one without + (short, emergency) as it is."""
    if number[:1] != "+" or form == "e164":
        return number
    digits = number[1:]
    if form == "digits":
        return digits
    if form == "national":
        national = _national(digits, country)
        if national:
            return national
    return country.international_prefix + digits


def read_number(text: str, reading: str, country: Country) -> str:
    """A number as an operator writes it, as E.164 or as it is when it is short; "" stays "".

    Digits are read by their prefix alone, whether such a number exists or not.
    """
    digits = text.partition(";")[0]  # RFC 3966 section 3: parameters such as ;npdi follow
    if reading == "bare" and digits.isascii() and digits.isdigit() and len(digits) >= _SHORTEST_PUBLIC:
        prefixes = (country.international_prefix, country.national_prefix)
        if not digits.startswith(tuple(prefix for prefix in prefixes if prefix)):
            return country.international_form(country.national_prefix + digits)
    return text


def _national(digits: str, country: Country) -> str:
    """The digits of an E.164 number as dialled inside the country; empty for a number abroad."""
    if digits.startswith(country.calling_code):
        return country.national_prefix + digits[len(country.calling_code) :]
    for beginning, code in country.overseas.items():
        if digits.startswith(code + beginning):
            return country.national_prefix + digits[len(code) :]
    return ""
