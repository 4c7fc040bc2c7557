"""The directory as a tree of entries (RFC 2798's inetOrgPerson), with what is quick to find in it.

    ""                                    the server itself (RFC 4512 section 5.1)
    cn=subschema                          what its attributes are
    dc=valmont,dc=example
     ├─ ou=people    uid=2010,ou=people,dc=valmont,dc=example
     └─ ou=services  uid=3900,ou=services,dc=valmont,dc=example

A book never changes: other people are another book. A number is found by a table, a beginning of a name by a
sorted list. Anything else is looked for slice by slice: each has one text of all its values, and who isn't in
that isn't compared. Whoever asks may let others have their turn between two slices.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from provisioning.ldap import answers
from provisioning.ldap.answers import Result
from provisioning.ldap.filters import NUMBERS, Compared, Filter, Several, Substrings, folded
from provisioning.ldap.requests import PAGED, Search

MOST_FOUND: Final = 1_000
"""Of one search, or of one page."""
SLICE: Final = 64
"""Entries between two turns: comparing them takes less than a millisecond."""
_COOKIE_BYTES: Final = 12
_AFTER_ALL: Final = "\U0010ffff"
_SORTED: Final = ("cn", "sn", "givenname", "displayname")
_NAMES: Final = (
    "objectClass",
    "uid",
    "cn",
    "sn",
    "givenName",
    "displayName",
    "telephoneNumber",
    "mobile",
    "mail",
    "ou",
    "o",
    "l",
)
_SPELLED: Final[dict[str, str]] = {name.lower(): name for name in _NAMES}
_ALL: Final = frozenset(("*", "+"))
_NOTHING: Final = "1.1"
_PERSON: Final = ("top", "person", "organizationalPerson", "inetOrgPerson")
_SERVICE: Final = ("top", "organizationalRole", "uidObject")


@dataclass(frozen=True, slots=True)
class Listed:
    """Somebody, or a service, as the town tells them.

    numbers: as they are dialled here, the extension first. mobile: "" for none, or none that anybody sees.
    also: other forms of its numbers, by which it is found when a call comes from there; also_mobile likewise.
    groups, site, mail: "" and () for none.
    """

    name: str
    numbers: tuple[str, ...]
    mobile: str = ""
    mail: str = ""
    groups: tuple[str, ...] = ()
    site: str = ""
    also: tuple[str, ...] = ()
    also_mobile: tuple[str, ...] = ()
    is_service: bool = False


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who looks: with what extension, and whether the mobile numbers of others are shown to them."""

    extension: str
    sees_mobiles: bool

    def sees_mobile_of(self, listed: Listed) -> bool:
        """Their own, and those of others where their rights say so."""
        return self.sees_mobiles or listed.numbers[0] == self.extension


@dataclass(frozen=True, slots=True)
class End:
    """How a search ends. cookie: of the next page, b"" for none; None where nobody asked for pages."""

    result: Result = Result.SUCCESS
    why: str = ""
    cookie: bytes | None = None


class _Entry:
    """One entry: its name, its attributes, and the same as they are compared."""

    __slots__ = ("attributes", "folded", "listed", "name")

    def __init__(
        self, name: str, attributes: dict[str, tuple[str, ...]], listed: Listed | None = None
    ) -> None:
        self.name = name
        self.listed = listed
        self.attributes = {key: values for key, values in attributes.items() if values}
        self.folded: dict[str, Collection[str]] = {
            key.lower(): tuple(folded(value, key.lower()) for value in values)
            for key, values in self.attributes.items()
        }
        if listed is not None:
            self._also("telephonenumber", listed.also)
            self._also("mobile", listed.also_mobile)

    def _also(self, attribute: str, further: tuple[str, ...]) -> None:
        if further:
            more = (folded(one, attribute) for one in further)
            self.folded[attribute] = (*self.folded.get(attribute, ()), *more)

    def values(self, viewer: Viewer) -> Callable[[str], Collection[str] | None]:
        """What filters see of it."""
        hides = self.listed is not None and not viewer.sees_mobile_of(self.listed)

        def of(attribute: str) -> Collection[str] | None:
            if attribute not in _SPELLED or (hides and attribute == "mobile"):
                return None
            return self.folded.get(attribute, ())

        return of

    def shown(self, id_: int, search: Search, viewer: Viewer) -> bytes:
        """The entry as it is sent."""
        wanted = set(search.attributes)
        if not wanted or wanted & _ALL:
            wanted = set(self.folded) | {name.lower() for name in self.attributes}
        elif _NOTHING in wanted:
            wanted = set()
        if self.listed is not None and not viewer.sees_mobile_of(self.listed):
            wanted.discard("mobile")
        attributes = [
            answers.attribute(name, () if search.types_only else values)
            for name, values in self.attributes.items()
            if name.lower() in wanted
        ]
        return answers.entry(id_, self.name, attributes)


class Book:
    """The directory of one town. suffix: as `suffix_of` makes it; organization: the town's name."""

    def __init__(self, suffix: str, organization: str, people: Iterable[Listed]) -> None:
        self.suffix = suffix
        everybody = (_entry(one, suffix, organization) for one in people)
        by_name = sorted(everybody, key=lambda one: (one.folded["cn"], one.name))
        self._entries = [*_above(suffix, organization), *by_name]
        self._names = frozenset(_same(entry.name) for entry in self._entries)
        self._texts = [_text(self._entries[at : at + SLICE]) for at in range(0, len(self._entries), SLICE)]
        self._numbers: dict[str, dict[str, list[int]]] = {name: {} for name in (*NUMBERS, "uid")}
        for place, entry in enumerate(self._entries):
            for attribute, table in self._numbers.items():
                for number in entry.folded.get(attribute, ()):
                    table.setdefault(number, []).append(place)
        self._sorted = {name: self._sorted_by(name) for name in _SORTED}
        self._stamp = format(hash(tuple(one.name for one in self._entries)) & 0xFFFF, "04x").encode()

    def look(self, search: Search, viewer: Viewer) -> Generator[bytes, None, End]:
        """Search for somebody who may look: yield the entries of each slice, and return how it ends."""
        base = _same(search.base)
        if search.scope == "base" and base in _SERVER:
            yield self._server(search, base)
            return End()
        if not base and search.scope != "base":
            base = self.suffix  # telephones whose base is left empty mean everybody
        if base not in self._names:
            return End(Result.NO_SUCH_OBJECT, "no such entry")
        start = self._start(search)
        if start < 0:
            return End(Result.UNWILLING_TO_PERFORM, "the directory has changed, begin anew")
        most, many = min(one for one in (search.page, search.size, MOST_FOUND) if one), 0
        for entries in self._slices(search.filter, start):
            found: list[bytes] = []
            for place, entry in entries:
                if not _within(entry.name, base, search.scope):
                    continue
                if search.filter.fits(entry.values(viewer)) is not True:
                    continue
                if many == most:
                    yield b"".join(found)
                    return self._full(search, many, place)
                many += 1
                found.append(entry.shown(search.id, search, viewer))
            yield b"".join(found)
        return End(cookie=b"" if search.page else None)

    def found(self, words: str, viewer: Viewer) -> list[Listed]:
        """Return those whose name has these words, or a number of theirs begins so; all for none, by name."""
        wanted = folded(words).split()
        number = folded(words, "telephonenumber")
        return [
            entry.listed
            for at, texts in enumerate(self._texts)
            if not wanted or _may_fit(texts, wanted, number)
            for entry in self._entries[at * SLICE : (at + 1) * SLICE]
            if entry.listed is not None and (not wanted or _fits(entry, wanted, number, viewer))
        ]

    def _full(self, search: Search, many: int, beyond: int) -> End:
        """More is there than was asked for: another page, or the limit. beyond: its place."""
        if not search.page or (search.size and many >= search.size):
            cookie = b"" if search.page else None
            return End(Result.SIZE_LIMIT_EXCEEDED, "more is there: search more closely", cookie)
        return End(cookie=self._stamp + format(beyond, "08x").encode())

    def _start(self, search: Search) -> int:
        """The first entry of this page; -1 for a cookie that isn't this book's."""
        if not search.cookie:
            return 0
        stamp, place = search.cookie[:4], search.cookie[4:]
        if stamp != self._stamp or len(search.cookie) != _COOKIE_BYTES:
            return -1
        try:
            return int(place, 16)
        except ValueError:
            return -1

    def _slices(self, wanted: Filter, start: int) -> Iterator[Iterable[tuple[int, _Entry]]]:
        """Entries that may fit, with their places, in order, at most SLICE of them at a time."""
        places = self._places(wanted)
        if places is not None:
            chosen = sorted(place for place in places if place >= start)
            for at in range(0, len(chosen), SLICE):
                yield [(place, self._entries[place]) for place in chosen[at : at + SLICE]]
            return
        for at in range(start // SLICE, len(self._texts)):
            if wanted.may_fit(self._texts[at]):
                first = max(start, at * SLICE)
                yield enumerate(self._entries[first : (at + 1) * SLICE], first)

    def _places(self, wanted: Filter) -> set[int] | None:
        """Where what fits is at all; None where only looking everywhere tells."""
        match wanted:
            case Compared(attribute, "=", value) if attribute in self._numbers:
                return set(self._numbers[attribute].get(value, ()))
            case Compared(attribute, "=", value) if attribute in self._sorted:
                return self._begun(attribute, value)
            case Substrings(attribute, initial, _, _) if initial and attribute in self._sorted:
                return self._begun(attribute, initial)
            case Several(all_of, parts) if parts:
                known = [self._places(part) for part in parts]
                certain = [places for places in known if places is not None]
                if all_of:
                    return min(certain, key=len) if certain else None
                return set().union(*certain) if len(certain) == len(known) else None
        return None

    def _begun(self, attribute: str, beginning: str) -> set[int]:
        values, places = self._sorted[attribute]
        first = bisect_left(values, beginning)
        last = bisect_left(values, beginning + _AFTER_ALL, first)
        return set(places[first:last])

    def _sorted_by(self, attribute: str) -> tuple[list[str], list[int]]:
        found = sorted(
            (value, place)
            for place, entry in enumerate(self._entries)
            for value in entry.folded.get(attribute, ())
        )
        return [value for value, _ in found], [place for _, place in found]

    def _server(self, search: Search, base: str) -> bytes:
        """The server itself, or its schema: for whoever asks, before it says who it is."""
        told = _schema() if base else _root(self.suffix)
        wanted = set(search.attributes)
        is_all = not wanted or bool(wanted & _ALL)
        attributes = [
            answers.attribute(name, () if search.types_only else values)
            for name, values in told.items()
            if is_all or name.lower() in wanted
        ]
        return answers.entry(search.id, search.base, attributes)


def suffix_of(domain: str) -> str:
    """The entry that all others are below (RFC 2247 section 2): `dc=valmont,dc=example`."""
    return ",".join(f"dc={label}" for label in domain.lower().split("."))


def is_about_server(search: Search) -> bool:
    """Whether it is answered before anybody has said who they are (RFC 4513 section 5.1)."""
    return search.scope == "base" and _same(search.base) in _SERVER


_SERVER: Final = frozenset(("", "cn=subschema"))


def _entry(listed: Listed, suffix: str, organization: str) -> _Entry:
    unit = "services" if listed.is_service else "people"
    name = f"uid={listed.numbers[0]},ou={unit},{suffix}"
    given, _, family = listed.name.partition(" ")
    attributes: dict[str, tuple[str, ...]] = {
        "objectClass": _SERVICE if listed.is_service else _PERSON,
        "uid": (listed.numbers[0],),
        "cn": (listed.name,),
        "telephoneNumber": listed.numbers,
        "mobile": (listed.mobile,) if listed.mobile else (),
        "mail": (listed.mail,) if listed.mail else (),
        "ou": listed.groups,
        "o": (organization,) if organization else (),
        "l": (listed.site,) if listed.site else (),
    }
    if not listed.is_service:
        # RFC 4519 section 2.32: a person has a family name; of what has one word alone, that one.
        attributes |= {"sn": (family or given,), "displayName": (listed.name,)}
        attributes |= {"givenName": (given,) if family else ()}
    return _Entry(name, {key: attributes[key] for key in _SPELLED.values() if key in attributes}, listed)


def _above(suffix: str, organization: str) -> tuple[_Entry, ...]:
    top = _Entry(suffix, {"objectClass": ("top", "domain"), "o": (organization,) if organization else ()})
    units = (
        _Entry(f"ou={unit},{suffix}", {"objectClass": ("top", "organizationalUnit"), "ou": (unit,)})
        for unit in ("people", "services")
    )
    return (top, *units)


def _root(suffix: str) -> dict[str, Sequence[str]]:
    return {
        "objectClass": ("top",),
        "namingContexts": (suffix,),
        "supportedLDAPVersion": ("3",),
        "supportedControl": (PAGED,),
        "subschemaSubentry": ("cn=subschema",),
        "vendorName": ("Beffroi",),
    }


def _schema() -> dict[str, Sequence[str]]:
    """RFC 4512 section 4.2, of what entries here have: the definitions of RFC 4519, 4524 and 2798."""
    syntax = "1.3.6.1.4.1.1466.115.121.1"
    ids = {
        "objectClass": ("2.5.4.0", "38"),
        "uid": ("0.9.2342.19200300.100.1.1", "15"),
        "cn": ("2.5.4.3", "15"),
        "sn": ("2.5.4.4", "15"),
        "givenName": ("2.5.4.42", "15"),
        "displayName": ("2.16.840.1.113730.3.1.241", "15"),
        "telephoneNumber": ("2.5.4.20", "50"),
        "mobile": ("0.9.2342.19200300.100.1.41", "50"),
        "mail": ("0.9.2342.19200300.100.1.3", "26"),
        "ou": ("2.5.4.11", "15"),
        "o": ("2.5.4.10", "15"),
        "l": ("2.5.4.7", "15"),
    }
    return {
        "objectClass": ("top", "subschema"),
        "cn": ("subschema",),
        "attributeTypes": tuple(
            f"( {oid} NAME '{name}' SYNTAX {syntax}.{of} )" for name, (oid, of) in ids.items()
        ),
        "objectClasses": (
            "( 2.16.840.1.113730.3.2.2 NAME 'inetOrgPerson' SUP organizationalPerson STRUCTURAL )",
            "( 2.5.6.8 NAME 'organizationalRole' SUP top STRUCTURAL MUST cn )",
        ),
    }


def _text(entries: Iterable[_Entry]) -> dict[str, str]:
    """All values of some entries, by attribute, as they are compared."""
    found: dict[str, list[str]] = {}
    for entry in entries:
        for attribute, values in entry.folded.items():
            found.setdefault(attribute, []).extend(values)
    return {attribute: "\n".join(values) for attribute, values in found.items()}


def _may_fit(texts: Mapping[str, str], words: Sequence[str], number: str) -> bool:
    """As `_fits`, of one at least of the entries with these texts."""
    names = texts.get("cn", "")
    return all(word in names for word in words) or any(number in texts.get(name, "") for name in NUMBERS)


def _fits(entry: _Entry, words: Sequence[str], number: str, viewer: Viewer) -> bool:
    values = entry.values(viewer)
    if all(any(word in name for name in values("cn") or ()) for word in words):
        return True
    return any(one.startswith(number) for name in NUMBERS for one in values(name) or ())


def _same(name: str) -> str:
    """A distinguished name as it is compared; those here have no character that is escaped."""
    return ",".join("=".join(side.strip() for side in part.split("=")) for part in name.lower().split(","))


def _within(name: str, base: str, scope: str) -> bool:
    if scope == "base":
        return name == base
    if scope == "one":
        return name.partition(",")[2] == base
    return name == base or name.endswith("," + base)
