"""What somebody dialled, as one plain string: digits, `+`, `*` and `#`, without decoration.

Accepted: a bare string as a person or a telephone gives it, the user part of a SIP URI, a whole `sip:`,
`sips:` or `tel:` URI, and an emergency service URN. The result is compared whole: nothing here shortens a
number or guesses at one.
"""

from __future__ import annotations

import re

from dialplan.country import Country

MAX_CHARACTERS = 1024

# RFC 3966 section 3: visual-separator = "-" / "." / "(" / ")". People and pages also write spaces, French
# ones with the narrow or the wide no-break space.
_SEPARATORS = str.maketrans("", "", "-.() \u00a0\u202f")
_TELEPHONE = re.compile(r"[-.() \u00a0\u202f0-9+*#]*")
_ESCAPED = re.compile(r"%([0-9A-Fa-f]{2})")
_SCHEME = re.compile(r"(sips?|tel|urn):(.*)", re.IGNORECASE | re.DOTALL)


def read_dialled(text: str, country: Country) -> str:
    """The dialled string in its plain form; "" for what can't be one. Never raises.

    What isn't telephone characters (`alice`) is returned as it is: no number equals it.
    """
    if text.isascii() and text.isdigit() and len(text) <= MAX_CHARACTERS:
        return text
    if len(text) > MAX_CHARACTERS:
        return ""
    text = text.strip()
    scheme = _SCHEME.fullmatch(text)
    if scheme is None:
        return _plain(text)
    rest = scheme[2]
    match scheme[1].lower():
        case "urn":
            return _urn(rest.lower(), country)
        case "tel":
            return _plain(rest)
        case _:
            # RFC 3261 section 25.1: userinfo is user [":" password] "@", and "@" is escaped inside it. A URI
            # without a user part names a host; `sip:112` is what someone in a hurry types for a number.
            user = rest.partition("@")[0] if "@" in rest else rest.partition("?")[0]
            return _plain(user.partition(":")[0])


def _urn(name: str, country: Country) -> str:
    """RFC 5031 section 3: `urn:service:sos` and what is below it, compared without case."""
    space, _, service = name.partition(":")
    if space == "service" and (service == "sos" or service.startswith("sos.")):
        return country.emergency_urn(service)
    return ""


def _plain(text: str) -> str:
    # RFC 3966 section 3 and RFC 3261 section 19.1.6: parameters begin at the first ";", also in a user part.
    # The context of a local number isn't read: a telephone of ours dials in our plan.
    text = _ESCAPED.sub(_unescape, text.partition(";")[0])
    if not _TELEPHONE.fullmatch(text):
        return text
    plain = text.translate(_SEPARATORS)
    # A final # after a number is the end-of-dialling key of telephones that send it with the digits.
    if plain[:1] not in ("*", "#"):
        plain = plain.rstrip("#")
    return plain


def _unescape(match: re.Match[str]) -> str:
    return chr(int(match[1], 16))
