"""What a client asks over LDAP (RFC 4511 section 4), read within bounds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

from provisioning.ldap.ber import OCTETS, SEQUENCE, BerError, Item, read
from provisioning.ldap.filters import Filter, attribute_name, read_filter

MOST_MESSAGE: Final = 16_384
MOST_NAME: Final = 255
MOST_ATTRIBUTES: Final = 40
MOST_CONTROLS: Final = 10
PAGED: Final = "1.2.840.113556.1.4.319"
"""RFC 2696: a search in pages."""
START_TLS: Final = "1.3.6.1.4.1.1466.20037"

Scope = Literal["base", "one", "subtree"]
_SCOPES: Final[tuple[Scope, ...]] = ("base", "one", "subtree")
_WRITES: Final = {0x66: 0x67, 0x68: 0x69, 0x4A: 0x6B, 0x6C: 0x6D, 0x6E: 0x6F}
"""Modify, add, delete, rename and compare, with the tags of their answers."""
_BIND, _UNBIND, _SEARCH, _ABANDON, _EXTENDED = 0x60, 0x42, 0x63, 0x50, 0x77


@dataclass(frozen=True, slots=True)
class Bind:
    """Who it is. password: None for a way that isn't a simple one."""

    id: int
    version: int
    name: str
    password: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Unbind:
    """The end."""


@dataclass(frozen=True, slots=True)
class Abandon:
    """The answer to a request isn't wanted any more (RFC 4511 section 4.11)."""

    whose: int


@dataclass(frozen=True, slots=True)
class Search:
    """What is looked for. size: the most entries, seconds: the longest time, 0 for no limit. page: of how
    many entries; 0 for all at once.

    attributes: in small letters, () for all. cookie: of the page before, b"" for the first.
    """

    id: int
    base: str
    scope: Scope
    size: int
    types_only: bool
    filter: Filter
    attributes: tuple[str, ...]
    page: int = 0
    cookie: bytes = b""
    seconds: int = 0


@dataclass(frozen=True, slots=True)
class Extended:
    """An operation named by its OID."""

    id: int
    name: str


@dataclass(frozen=True, slots=True)
class Refused:
    """What a directory that is only read doesn't do. answer: the tag of what says so."""

    id: int
    answer: int


@dataclass(frozen=True, slots=True)
class Critical:
    """A request with a control that must be obeyed and isn't known (RFC 4511 section 4.1.11)."""

    id: int
    answer: int


Request = Bind | Unbind | Abandon | Search | Extended | Refused | Critical


def read_request(octets: bytes) -> Request:
    """Return one message. Raises BerError: the connection is to end (RFC 4511 section 5.3)."""
    parts = read(octets).items(3)
    if len(parts) < 2:
        raise BerError("not an LDAP message")
    id_, operation = parts[0].integer(), parts[1]
    controls = parts[2].items(MOST_CONTROLS) if len(parts) == 3 and parts[2].tag == 0xA0 else ()
    match operation.tag:
        case t if t == _BIND:
            return _bind(id_, operation)
        case t if t == _UNBIND:
            return Unbind()
        case t if t == _ABANDON:
            return Abandon(operation.integer())
        case t if t == _SEARCH:
            return _search(id_, operation, controls)
        case t if t == _EXTENDED:
            parts = operation.items(2)
            if not parts or parts[0].tag != 0x80:
                raise BerError("no extended operation")
            return Extended(id_, _text(parts[0]))
        case t if t in _WRITES:
            return Refused(id_, _WRITES[t])
    raise BerError("no operation of LDAP")


def _bind(id_: int, operation: Item) -> Bind:
    parts = operation.items(3)
    if len(parts) != 3:
        raise BerError("no bind")
    simple = parts[2].tag == 0x80
    return Bind(id_, parts[0].integer(127), _text(parts[1]), _text(parts[2]) if simple else None)


def _search(id_: int, operation: Item, controls: tuple[Item, ...]) -> Search | Critical:
    parts = operation.items(8)
    if len(parts) != 8 or parts[7].tag != SEQUENCE:
        raise BerError("no search")
    base, scope, _, size, seconds, types_only, wanted, selection = parts
    page, cookie = 0, b""
    for control in controls:
        oid, is_critical, value = _control(control)
        if oid == PAGED:
            page, cookie = _paged(value)
        elif is_critical:
            return Critical(id_, 0x65)
    return Search(
        id_,
        _text(base),
        _SCOPES[scope.integer(2)],
        size.integer(),
        types_only.content != b"\x00",
        read_filter(wanted),
        tuple(attribute_name(item) for item in selection.items(MOST_ATTRIBUTES)),
        page,
        cookie,
        seconds.integer(),
    )


def _control(item: Item) -> tuple[str, bool, bytes]:
    parts = item.items(3)
    if not parts:
        raise BerError("no control")
    is_critical = any(part.tag == 0x01 and part.content != b"\x00" for part in parts[1:])
    return _text(parts[0]), is_critical, next((one.content for one in parts[1:] if one.tag == OCTETS), b"")


def _paged(value: bytes) -> tuple[int, bytes]:
    parts = read(value).items(2)
    if len(parts) != 2:
        raise BerError("no page")
    return max(parts[0].integer(), 1), parts[1].content[:20]


def _text(item: Item) -> str:
    if len(item.content) > MOST_NAME:
        raise BerError("a name that is too long")
    return item.text()
