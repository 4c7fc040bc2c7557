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
_KEEPER: Final = re.compile(r"[0-9A-Za-z@._+-]{0,64}")
_TELEPHONE_NUMBER: Final = re.compile(r"(?:\+|\b00)[0-9](?:[ .-]?[0-9]){7,}|\b0[1-9](?:[ .-]?[0-9]{2}){4}\b")

Kind: TypeAlias = Literal[
    "reason", "right", "export", "held", "must stay", "goes on", "clock", "unknown", "other"
]


Word: TypeAlias = Literal[
    "", "no_reason", "reason_with_number", "reason_too_long", "not_a_listener", "no_recording", "no_file",
    "no_key", "never_exported", "ask_first", "waits_for_another", "not_by_oneself", "no_request",
    "nobody_to_ask", "goes_on", "held", "hold_of_another", "hold_too_long", "must_stay", "clock",
    "being_purged", "too_many", "bad_cursor", "administrator_only",
]  # fmt: skip


class Denied(Exception):
    """What was asked isn't done; the text says why and what to do.

    kind: for accounts; word: what the pages, which say it in two languages, know it by; "" where they don't.
    """

    def __init__(self, why: str, kind: Kind = "other", word: Word = "") -> None:
        super().__init__(why)
        self.kind: Kind = kind
        self.word: Word = word


class Who(NamedTuple):
    """Who asks. person: an extension, "" for none; account: of the machine; why: the reason.

    keeper: the sign-in name of who keeps house over the pages, "" for none; over_pages: asked by a process of
    the node itself, which has seen who they are: what a command says of a person is its word.
    """

    person: str
    account: str
    why: str
    keeper: str = ""
    over_pages: bool = False

    @property
    def name(self) -> str:
        """What the journal calls them."""
        return self.person or self.keeper or self.account

    def as_journalled(self) -> Who:
        """The same, without what no journal may hold."""
        person = self.person if _PERSON.fullmatch(self.person) else "?"
        keeper = self.keeper if self.over_pages and _KEEPER.fullmatch(self.keeper) else ""
        why = "?" if has_number(self.why) else self.why[:MOST_REASON]
        return Who(person, self.account, why, keeper, self.over_pages)


def check(who: Who, administrators: Collection[str]) -> None:
    """Raise Denied for whoever may ask nothing, or writes what no journal may hold."""
    if not _PERSON.fullmatch(who.person):
        raise Denied("a person is an extension, such as 2201", "right")
    if len(who.why) > MOST_REASON or not (who.why.isprintable() or not who.why):
        raise Denied(f"a reason is one line of at most {MOST_REASON} characters", "reason", "reason_too_long")
    if has_number(who.why):
        why = "the journal never forgets: write a reason without a telephone number"
        raise Denied(why, "reason", "reason_with_number")
    if who.keeper and (who.person or not who.over_pages or not _KEEPER.fullmatch(who.keeper)):
        raise Denied("who keeps house is named by the node's own pages alone", "right")
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
        raise Denied("say why: it is journalled with what you do", "reason", "no_reason")


def administrator(who: Who, what: str) -> None:
    """Raise Denied for a person: what the administrator of the machine does, they do as themselves."""
    if who.person:
        why = f"{who.person} may not {what}: the administrator does, without naming a person"
        raise Denied(why, "right", "administrator_only")


def heard_by(who: Who, policies: Collection[PolicyTold]) -> list[str]:
    """Return the policies whose recordings somebody may hear: one at least. Raises Denied."""
    if not who.person:
        why = "say who listens: a listener of the plan, by their extension"
        raise Denied(why, "right", "not_a_listener")
    heard = [one.name for one in policies if who.person in one.listeners]
    if not heard:
        why = f"{who.person} is a listener of no recordings; the plan's `listeners:` says who is"
        raise Denied(why, "right", "not_a_listener")
    return heard


def has_number(text: str) -> bool:
    """Whether a text has in it what looks like a telephone number of somebody outside."""
    return _TELEPHONE_NUMBER.search(text) is not None
