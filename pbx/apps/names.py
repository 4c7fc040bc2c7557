"""Dial by name: the keys of a telephone spell a name, and who has it is told with the extension.

    2 ABC   3 DEF   4 GHI   5 JKL   6 MNO   7 PQRS   8 TUV   9 WXYZ

A name is found by the first keys of its surname, of its first name, or of any of its words and what follows:
"Jean de La Fontaine" by JEAN, DELAF, LAFO or FONT. Accents and what joins words are left out.
"""

from __future__ import annotations

import unicodedata

from dialplan.plan import NameKey, Person, Plan
from pbx.apps.group import members_of
from pbx.apps.spoken import spoken_number
from pbx.calls.attendant import Attendant

MOST_FOUND = 6  # who are told; of more names, more letters are asked for
MOST_KEYS = 12
ATTEMPTS = 3
_LETTERS = {
    letter: key
    for key, letters in zip(
        "23456789", ("abc", "def", "ghi", "jkl", "mno", "pqrs", "tuv", "wxyz"), strict=True
    )
    for letter in letters
}
_LIGATURES = str.maketrans({"œ": "oe", "æ": "ae", "ß": "ss", "ø": "o", "đ": "d", "ł": "l"})
_SPELL = {
    "fr": "Épelez le nom avec les touches, puis dièse.",
    "en": "Spell the name with the keys, then hash.",
}
_NOBODY = {"fr": "Personne ne porte ce nom.", "en": "Nobody has that name."}
_MORE = {"fr": "Plusieurs personnes. Tapez plus de lettres.", "en": "Several people. Enter more letters."}
_ONE = {"fr": "{name}, poste {extension} : tapez {key}.", "en": "{name}, extension {extension}: press {key}."}


async def by_name(attendant: Attendant, names: NameKey) -> str:
    """Ask for a name and who is meant: returns the extension, "" where the caller found nobody."""
    plan = attendant.call.plan
    for _ in range(ATTEMPTS):
        first = await attendant.say(_SPELL, until="23456789")
        keys = first + await attendant.gather(MOST_KEYS)
        found = people_named(plan, keys, names) if keys else []
        if not found:
            await attendant.say(_NOBODY)
        elif len(found) > MOST_FOUND:
            await attendant.say(_MORE)
        else:
            told = _told(plan, found)
            key = await attendant.say(told, until="123456789*#") or await attendant.gather(1, end="")
            if key in "123456789"[: len(found)] and key:
                return found[int(key) - 1].extension
    return ""


def people_named(plan: Plan, keys: str, names: NameKey) -> list[Person]:
    """Those whose name is spelt by these keys from one of its words on, by name. keys: 2 to 9 alone."""
    listed = members_of(plan, names.people) if names.people is not None else plan.people
    people = [plan.people[extension] for extension in listed if extension in plan.people]
    found = [person for person in people if any(part.startswith(keys) for part in _parts(person.name))]
    return sorted(found, key=lambda person: (person.name, person.extension))


def keys_of(word: str) -> str:
    """The keys that spell a word; what has no key is left out."""
    plain = unicodedata.normalize("NFD", word.lower().translate(_LIGATURES))
    return "".join(_LETTERS.get(letter, "") for letter in plain)


def _parts(name: str) -> list[str]:
    """A name in keys from each of its words on."""
    words = [
        keys
        for word in name.replace("'", " ").replace("’", " ").replace("-", " ").split()
        if (keys := keys_of(word))
    ]
    return ["".join(words[start:]) for start in range(len(words))]


def _told(plan: Plan, found: list[Person]) -> dict[str, str]:
    return {
        language: " ".join(
            text.format(
                name=person.name, extension=spoken_number(person.extension, plan.country, language), key=key
            )
            for key, person in enumerate(found, 1)
        )
        for language, text in _ONE.items()
    }
