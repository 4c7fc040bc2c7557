"""Who asks about recordings, and what they may: listeners hear, the machine's administrator keeps house.

Whoever may not is told why, in a sentence with the mend (`Denied`); the journal keeps its kind as well, for
accounts in another language.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final, Literal, NamedTuple, TypeAlias

from recording.archive.requests import PolicyTold, Query

MOST_REASON: Final = 500  # characters
MOST_WORD: Final = 64
_PERSON: Final = re.compile(r"[0-9A-Za-z*#._-]{0,32}")
_TELEPHONE_NUMBER: Final = re.compile(r"(?:\+|\b00)[0-9](?:[ .-]?[0-9]){7,}|\b0[1-9](?:[ .-]?[0-9]{2}){4}\b")

Kind: TypeAlias = Literal[
    "reason", "right", "export", "held", "must stay", "goes on", "clock", "unknown", "other"
]


class Denied(Exception):
    """What was asked isn't done; the text says why and what to do. kind: for accounts."""

    def __init__(self, why: str, kind: Kind = "other") -> None:
        super().__init__(why)
        self.kind: Kind = kind


class Who(NamedTuple):
    """Who asks. person: an extension, "" for none; account: of the machine; why: the reason."""

    person: str
    account: str
    why: str

    @property
    def name(self) -> str:
        """What the journal calls them."""
        return self.person or self.account

    def as_journalled(self) -> Who:
        """The same, without what no journal may hold."""
        person = self.person if _PERSON.fullmatch(self.person) else "?"
        return Who(person, self.account, "?" if has_number(self.why) else self.why[:MOST_REASON])


def check(who: Who, administrators: Collection[str]) -> None:
    """Raise Denied for whoever may ask nothing, or writes what no journal may hold."""
    if not _PERSON.fullmatch(who.person):
        raise Denied("a person is an extension, such as 2201", "right")
    if len(who.why) > MOST_REASON or not (who.why.isprintable() or not who.why):
        raise Denied(f"a reason is one line of at most {MOST_REASON} characters", "reason")
    if has_number(who.why):
        raise Denied("the journal never forgets: write a reason without a telephone number", "reason")
    if who.account not in administrators:
        raise Denied(f"{who.account} may ask nothing here; be one of {', '.join(administrators)}", "right")


def check_query(query: Query) -> None:
    """Raise Denied for a query that names what nothing is called: it would be in the journal."""
    for word in (query.number, query.user, query.line, query.policy, query.call):
        if len(word) > MOST_WORD:
            raise Denied(f"nothing has a name of more than {MOST_WORD} characters", "unknown")
    for word in (query.user, query.line, query.policy, query.call):
        if has_number(word):
            raise Denied("search for a telephone number as such: the journal never forgets", "reason")


def reason(who: Who) -> None:
    """Raise Denied where no reason is given."""
    if not who.why:
        raise Denied("say why: it is journalled with what you do", "reason")


def administrator(who: Who, what: str) -> None:
    """Raise Denied for a person: what the administrator of the machine does, they do as themselves."""
    if who.person:
        raise Denied(f"{who.person} may not {what}: the administrator does, without naming a person", "right")


def heard_by(who: Who, policies: Collection[PolicyTold]) -> list[str]:
    """Return the policies whose recordings somebody may hear: one at least. Raises Denied."""
    if not who.person:
        raise Denied("say who listens: a listener of the plan, by their extension", "right")
    heard = [one.name for one in policies if who.person in one.listeners]
    if not heard:
        raise Denied(
            f"{who.person} is a listener of no recordings; the plan's `listeners:` says who is", "right"
        )
    return heard


def has_number(text: str) -> bool:
    """Whether a text has in it what looks like a telephone number of somebody outside."""
    return _TELEPHONE_NUMBER.search(text) is not None
