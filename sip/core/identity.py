"""Who is calling, as a network of trust says it, and who may be told (RFC 3323, RFC 3325, RFC 5876).

A trusted peer (an operator's trunk) asserts an identity with P-Asserted-Identity, or with the older
Remote-Party-ID that many gateways still send. Anybody else only claims one: nothing of it is believed, but a
wish for privacy always counts.
"""

from __future__ import annotations

import re
from collections.abc import Container
from dataclasses import dataclass
from enum import Enum, Flag, auto

from sip.core.errors import ParseError
from sip.core.grammar import quote
from sip.core.message import Request, Response
from sip.core.name_addr import NameAddr
from sip.core.uri import SipUri, escape_user

ANONYMOUS = '"Anonymous" <sip:anonymous@anonymous.invalid>'  # RFC 3323 section 4.1.1.3

_NUMBER = re.compile(r"\+?[0-9*#]{1,32}")
_VISUAL_SEPARATORS = str.maketrans("", "", "-.()")  # RFC 3966 section 3
_LONGEST_NAME = 128  # characters
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_MOST_VALUES = 4  # of one header; two are allowed


class Privacy(Flag):
    """What a caller asks to be kept from the callee (RFC 3323 section 4.2); 0 where nothing is said.

    NONE is the wish to be shown, whatever is usual for this caller.
    """

    HEADER = auto()
    SESSION = auto()
    USER = auto()
    ID = auto()  # RFC 3325 section 9.3
    HISTORY = auto()  # RFC 7044 section 10.1.1
    CRITICAL = auto()
    NONE = auto()

    @property
    def hides_caller(self) -> bool:
        """Whether the callee may see neither name nor number.

        `session` and `header` alone would ask for less; `header` hides here too, as operators do.
        """
        return bool(self & (Privacy.ID | Privacy.USER | Privacy.HEADER))

    @property
    def header(self) -> str:
        """The header line with its CRLF; empty where nothing is asked."""
        names = ";".join(level.name.lower() for level in Privacy if level in self and level.name)
        return f"Privacy: {names}\r\n" if names else ""


class Source(Enum):
    """Where a peer writes who calls: its canonical header name."""

    P_ASSERTED_IDENTITY = "p-asserted-identity"
    REMOTE_PARTY_ID = "remote-party-id"
    FROM = "from"


USUAL_SOURCES = (Source.P_ASSERTED_IDENTITY, Source.REMOTE_PARTY_ID, Source.FROM)


UNSAID = Privacy(0)


@dataclass(frozen=True, slots=True)
class Identity:
    """number: as the peer writes it, digits and signs only, empty where it gives none. name: for people."""

    number: str = ""
    name: str = ""
    privacy: Privacy = UNSAID


def asserted_identity(
    message: Request | Response, *, trusted: bool, sources: tuple[Source, ...] = USUAL_SOURCES
) -> Identity:
    """Who the peer says is at its end.

    trusted: whether the peer is in our network of trust; of any other only the wish for privacy is taken.
    sources: where to look, in this order; the first number that can be read is it. A malformed header counts
    as absent: it only informs, and no call is lost for it. RFC 3325 sections 5 and 9.1; RFC 5876 section 4.5.
    """
    privacy = privacy_of(message)
    if not trusted:
        return Identity(privacy=privacy)  # RFC 3325 section 5: from outside the trust domain it is ignored
    for source in sources:
        for address in _found(message, source):
            if source is Source.REMOTE_PARTY_ID:
                if address.parameters.get("party", "calling").lower() != "calling":
                    continue
                privacy |= _privacy_of_party(address)
            number = number_of(address.uri)
            if number:
                return Identity(number, _name(address), privacy)
    return Identity(privacy=privacy)


def privacy_of(message: Request | Response) -> Privacy:
    """What the Privacy header asks; values that nobody defined are left out (RFC 3323 section 4.2)."""
    raw = message.headers.get("privacy")
    if raw is None:
        return Privacy(0)
    privacy = Privacy(0)
    for line in raw[:_MOST_VALUES]:
        for value in line.lower().replace(",", ";").split(";")[:16]:  # commas: seen from gateways
            privacy |= _LEVELS.get(value.strip(), Privacy(0))
    if Privacy.NONE in privacy and privacy.hides_caller:
        return privacy & ~Privacy.NONE  # they exclude each other: the careful reading holds
    return privacy


def preferred_number(request: Request, theirs: Container[str]) -> str:
    """The number of their own that a device wants to be shown with (RFC 3325 section 9.2).

    Empty where it names none, or one that isn't among `theirs`: a device can't choose who it is.
    """
    for address in _one_of_each_scheme(_addresses(request, "p-preferred-identity")):
        number = number_of(address.uri)
        if number and number in theirs:
            return number
    return ""


def number_of(uri: str) -> str:
    """The telephone number of a tel: or SIP URI, digits and signs only; empty where it has none."""
    try:
        text = uri[4:] if uri[:4].lower() == "tel:" else SipUri.parse(uri).user or ""
    except ParseError:
        return ""
    number = text.partition(";")[0].translate(_VISUAL_SEPARATORS)
    return number if _NUMBER.fullmatch(number) else ""


def identity_headers(
    identity: Identity, domain: str, *, trusted: bool, source: Source = Source.P_ASSERTED_IDENTITY
) -> str:
    """The header lines that tell a peer who is at our end, each with its CRLF; empty for nothing to tell.

    trusted: a peer of our network of trust gets the identity and the wish to hide it; another gets nothing of
    a caller who hides (RFC 3325 section 7). source: what this peer reads; FROM adds no header of its own.
    """
    hidden = identity.privacy.hides_caller
    if hidden and not trusted:
        return ""
    privacy = (identity.privacy | Privacy.ID).header if hidden else identity.privacy.header
    if not identity.number or source is Source.FROM:
        return privacy
    address = address_of(identity.number, identity.name, domain)
    if source is Source.REMOTE_PARTY_ID:
        shown = "full" if hidden else "off"
        return f"Remote-Party-ID: {address};party=calling;screen=yes;privacy={shown}\r\n{privacy}"
    return f"P-Asserted-Identity: {address}\r\n{privacy}"


def from_address(identity: Identity, domain: str) -> str:
    """The From value, without a tag, of a request that speaks for an identity (RFC 3323 section 4.1.1.3)."""
    if identity.privacy.hides_caller or not identity.number:
        return ANONYMOUS
    return address_of(identity.number, identity.name, domain)


def address_of(number: str, name: str, domain: str) -> str:
    """`"name" <sip:number@domain>`."""
    uri = f"<sip:{escape_user(number)}@{domain}>"
    return f"{quote(name)} {uri}" if name else uri


_LEVELS = {level.name.lower(): level for level in Privacy if level.name}

# The Remote-Party-ID draft's `privacy` parameter: `full`, `name`, `uri`, `off`, each perhaps with `-network`.
_PARTY_HIDDEN = ("full", "uri")


def _privacy_of_party(address: NameAddr) -> Privacy:
    asked = address.parameters.get("privacy", "").strip('"').lower()
    return Privacy.ID if asked.startswith(_PARTY_HIDDEN) else Privacy(0)


def _found(message: Request | Response, source: Source) -> list[NameAddr]:
    """The readable addresses that one source gives."""
    match source:
        case Source.FROM:
            return [message.from_]
        case Source.P_ASSERTED_IDENTITY:
            return _one_of_each_scheme(_addresses(message, source.value))
        case Source.REMOTE_PARTY_ID:
            return _addresses(message, source.value)


def _addresses(message: Request | Response, name: str) -> list[NameAddr]:
    if name not in message.headers:
        return []
    try:
        return [NameAddr.parse(value) for value in message.values(name)[:_MOST_VALUES]]
    except ParseError:
        return []


def _one_of_each_scheme(addresses: list[NameAddr]) -> list[NameAddr]:
    """RFC 5876 section 4.5: of several values with one scheme, the first counts."""
    schemes: dict[str, NameAddr] = {}
    for address in addresses:
        scheme = address.uri.partition(":")[0].lower()
        schemes.setdefault("sip" if scheme == "sips" else scheme, address)
    return list(schemes.values())


def _name(address: NameAddr) -> str:
    name = _CONTROL.sub(" ", address.display).strip()[:_LONGEST_NAME]
    return "" if name.lower() == "anonymous" else name
