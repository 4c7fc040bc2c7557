"""Finding people, services and groups by a few letters, digits or sounds, as they are typed.

An `Index` is made of a plan with its people, kept in memory, and never changes: another plan, or other
people, is another index. Ten thousand people are found in a few milliseconds, whatever is typed.

What is typed is cut into words; all of them must fit an entry, in any order. A word fits, best first:

0. it is a word of the name, the whole extension, or the whole public number;
1. a word of the name, or a number, begins with it;
2. it sounds like a word of the name (pbx.people.phonetics);
3. it sounds like the beginning of one, from three sounds on; or these digits, three at least, are somewhere
   in a number;
4. the site or a group begins with it.

Entries come by their worst word, then by the sum of all words, and then in alphabetical order, so that what
begins as it was typed always comes before what only sounds so; whose whole name was typed comes first of all.
Accents and case never count. A name in several parts (Le Goff, d'Hondt, Jean-Pierre) is found in one as well,
and one that is written in one is found in parts. Digits may be typed with blanks and dots between, national
or with +33.
"""

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass
from heapq import nsmallest
from itertools import islice
from typing import Literal, get_args

from dialplan.number_formats import written
from dialplan.plan import Plan
from pbx.people.phonetics import folded, key

EntryKind = Literal["person", "service", "group"]
KINDS: tuple[EntryKind, ...] = get_args(EntryKind)

MOST_CHARACTERS = 100
MOST_WORDS = 6
LEAST_SOUNDS = 3
LEAST_DIGITS = 3
_WORST = 5
_AFTER_ALL = "\U0010ffff"
_WORD = re.compile(r"[^\W_]+")
_DIGITS = re.compile(r"[+0-9][0-9 ./()-]*")
_PARTS = frozenset(
    ("al", "ben", "d", "da", "de", "del", "des", "di", "do", "dos", "du", "el", "l", "la", "le", "les")
)  # what a name begins with that is written apart, or not

Ranks = dict[int, int]
"""How well entries fit, by their position."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Somebody or something that can be looked for.

    id: `person:2010`, `service:standard`, `group:accueil`. number: inside, "" for none; public: E.164, "" for
    none. source: `database` or `plan`; type: of a service. members: of a group.
    """

    id: str
    kind: EntryKind
    name: str
    number: str = ""
    public: str = ""
    site: str = ""
    site_title: str = ""
    groups: tuple[str, ...] = ()
    mobile: str = ""
    class_name: str = ""
    source: str = "plan"
    type: str = ""
    members: int = 0


def entries_of(plan: Plan) -> list[Entry]:
    """Return everything of a plan, and of the people with it, that can be looked for."""
    return [*_people(plan), *_services(plan), *_groups(plan)]


def _people(plan: Plan) -> Iterable[Entry]:
    for person in plan.people.values():
        site = plan.sites.get(person.site or "")
        yield Entry(
            f"person:{person.extension}",
            "person",
            person.name,
            person.extension,
            plan.tables.callers[person.extension].direct or "",
            person.site or "",
            site.title if site is not None else "",
            person.groups,
            person.mobile or "",
            person.class_name or "",
            "plan" if person.line else "database",
        )


def _services(plan: Plan) -> Iterable[Entry]:
    for service in plan.services.values():
        yield Entry(
            f"service:{service.name}",
            "service",
            service.name,
            service.number or "",
            service.public or "",
            type=service.type,
        )


def _groups(plan: Plan) -> Iterable[Entry]:
    sizes: dict[str, int] = dict.fromkeys(plan.groups, 0)
    for person in plan.people.values():
        for group in person.groups:
            sizes[group] = sizes.get(group, 0) + 1
    for name, members in sizes.items():
        yield Entry(f"group:{name}", "group", name, members=members)


class Terms:
    """Words, each with the positions of the entries that have it; found whole or by their beginning."""

    def __init__(self, pairs: Iterable[tuple[str, int]]) -> None:
        places: dict[str, list[int]] = {}
        for term, position in pairs:
            places.setdefault(term, []).append(position)
        self._places = places
        self._sorted = sorted(places)

    def find(self, beginning: str, whole: int, begun: int, ranks: Ranks) -> None:
        """Note in `ranks` who has this term (rank `whole`) or one that begins so (rank `begun`)."""
        terms, places = self._sorted, self._places
        start = bisect_left(terms, beginning)
        for term in terms[start : bisect_left(terms, beginning + _AFTER_ALL, start)]:
            rank = whole if term == beginning else begun
            for position in places[term]:
                if ranks.get(position, _WORST) > rank:
                    ranks[position] = rank

    def find_whole(self, term: str, rank: int, ranks: Ranks) -> None:
        """Note in `ranks` who has this term."""
        for position in self._places.get(term, ()):
            if ranks.get(position, _WORST) > rank:
                ranks[position] = rank


class Index:
    """Entries in alphabetical order, and how to find them. national: how a public number is dialled here."""

    def __init__(self, entries: Iterable[Entry], national: Callable[[str], str]) -> None:
        self.entries: Sequence[Entry] = sorted(entries, key=lambda one: (folded(one.name), one.number))
        words = [(word, place) for place, one in enumerate(self.entries) for word in words_of(one.name)]
        self._numbers = [_numbers(one, national) for one in self.entries]
        numbers = [(number, place) for place, them in enumerate(self._numbers) for number in them.split()]
        further = [
            (folded(word), place)
            for place, one in enumerate(self.entries)
            for name in (one.site_title, one.site, *one.groups)
            for word in words_of(name)
        ]
        self._words = Terms([*((folded(word), place) for word, place in words), *numbers])
        self._sounds = Terms((key(word), place) for word, place in words if key(word))
        self._further = Terms(further)
        self._called: dict[str, list[int]] = {}
        for place, one in enumerate(self.entries):
            self._called.setdefault(folded(one.name), []).append(place)
        self._place_of = {one.id: place for place, one in enumerate(self.entries)}

    def entry(self, id_: str) -> Entry:
        """Return an entry by its id. Raises KeyError."""
        return self.entries[self._place_of[id_]]

    def search(self, text: str, limit: int, kinds: Container[EntryKind] = KINDS) -> list[Entry]:
        """Return the first `limit` entries that fit what was typed, best first; of all where nothing was."""
        ranks = self._ranks(text[:MOST_CHARACTERS].strip())
        many = len(self.entries)
        fitting = (rank * many + place for place, rank in ranks.items() if self.entries[place].kind in kinds)
        return [self.entries[combined % many] for combined in nsmallest(limit, fitting)]

    def page(self, after: str, limit: int, kinds: Container[EntryKind] = KINDS) -> list[Entry]:
        """Return up to `limit` entries in alphabetical order behind the one with this id, "" for the first.

        Raises KeyError where that entry is gone.
        """
        start = self._place_of[after] + 1 if after else 0
        rest = (self.entries[place] for place in range(start, len(self.entries)))
        return list(islice((one for one in rest if one.kind in kinds), limit))

    def _ranks(self, text: str) -> Ranks:
        if not text:
            return dict.fromkeys(range(len(self.entries)), 0)
        if _DIGITS.fullmatch(text):
            return self._by_digits(text)
        words = _WORD.findall(_composed(text))[:MOST_WORDS]
        found = self._by_words(words)
        if (joined := _joined(words)) != words:
            for place, rank in self._by_words(joined).items():
                if found.get(place, rank + 1) > rank:
                    found[place] = rank
        for place in self._called.get(folded(text), ()):
            found[place] = -1
        return found

    def _by_words(self, words: Sequence[str]) -> Ranks:
        """Who fits all words: the worst of its ranks weighs more than all their sums."""
        if not words:
            return {}
        columns = sorted((self._by_word(word) for word in words), key=len)
        first, others = columns[0], columns[1:]
        combined: Ranks = {}
        for place, rank in first.items():
            worst = total = rank
            for column in others:
                other = column.get(place)
                if other is None:
                    break
                worst, total = max(worst, other), total + other
            else:
                combined[place] = worst * _WORST * MOST_WORDS + total
        return combined

    def _by_word(self, word: str) -> Ranks:
        ranks: Ranks = {}
        plain = folded(word)
        self._words.find(plain, 0, 1, ranks)
        sound = key(word)
        if len(sound) >= LEAST_SOUNDS:
            self._sounds.find(sound, 2, 3, ranks)
        elif len(sound) > 1:
            self._sounds.find_whole(sound, 2, ranks)
        self._further.find(plain, 4, 4, ranks)
        return ranks

    def _by_digits(self, text: str) -> Ranks:
        plus = "+" if text.startswith(("+", "00")) else ""
        digits = re.sub(r"\D", "", text)
        if plus and not text.startswith("+"):
            digits = digits[2:]
        ranks: Ranks = {}
        if digits:
            self._words.find(plus + digits, 0, 1, ranks)
        if len(digits) >= LEAST_DIGITS:
            for place, numbers in enumerate(self._numbers):
                if digits in numbers and place not in ranks:
                    ranks[place] = 3
        return ranks


def index_of(plan: Plan) -> Index:
    """Return the index of a plan and its people."""
    return Index(entries_of(plan), lambda number: written(number, "national", plan.country))


def words_of(name: str) -> set[str]:
    """Return the words by which a name is found: its own, and those that are written in parts, in one."""
    found: set[str] = set()
    plain = _composed(name)
    for part in plain.split():
        words = _WORD.findall(part)
        found.update(words)
        found.add("".join(words))
    words = _WORD.findall(plain)
    for length in (2, 3):
        for start in range(len(words) - length + 1):
            several = words[start : start + length]
            if all(word in _PARTS for word in several[:-1]):
                found.add("".join(several))
    found.discard("")
    return found


def _composed(text: str) -> str:
    # Accents stay: a final é is heard where a final e isn't.
    return unicodedata.normalize("NFC", text).casefold()


def _joined(words: Sequence[str]) -> list[str]:
    """The words, what is before a name (Le, De, Saint) written in one with it."""
    joined: list[str] = []
    for word in words:
        if joined and (joined[-1] in _PARTS):
            joined[-1] += word
        else:
            joined.append(word)
    return joined


def _numbers(entry: Entry, national: Callable[[str], str]) -> str:
    """The numbers of an entry, with blanks between."""
    public = f" {entry.public} {national(entry.public)}" if entry.public else ""
    return entry.number + public
