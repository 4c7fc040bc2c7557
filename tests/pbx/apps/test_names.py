"""Dial by name: which keys spell whom."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dialplan.plan import NameKey, Person, Plan
from pbx.apps.names import keys_of, people_named
from tests.dialplan.plans import SAMPLE

EVERYBODY = NameKey("*", None)


def plan(*names: str) -> Plan:
    people = {str(2000 + place): Person(str(2000 + place), name) for place, name in enumerate(names)}
    return replace(SAMPLE, people=people)


@pytest.mark.parametrize(
    ("word", "keys"),
    [("Élodie", "356343"), ("Lœuil", "563845"), ("O'Brien", "627436"), ("Straße", "7872773"), ("1er", "37")],
)
def test_accents_ligatures_and_what_has_no_key(word: str, keys: str) -> None:
    assert keys_of(word) == keys


@pytest.mark.parametrize("spelt", ["jean", "dela", "lafo", "font", "fontaine"])
def test_a_name_is_found_from_each_of_its_words_on(spelt: str) -> None:
    found = people_named(plan("Jean de La Fontaine", "Alice Martin"), keys_of(spelt), EVERYBODY)
    assert [person.name for person in found] == ["Jean de La Fontaine"]


@pytest.mark.parametrize("spelt", ["anfont", "martine", "z"])
def test_nobody_is_found_from_the_middle_of_a_word_or_beyond_the_name(spelt: str) -> None:
    assert people_named(plan("Jean de La Fontaine", "Alice Martin"), keys_of(spelt), EVERYBODY) == []


def test_a_double_name_is_found_by_either_part() -> None:
    names = plan("Anne-Sophie Petit-Jean")
    for spelt in ("anne", "sophie", "petit", "jean", "petitjean"):
        assert len(people_named(names, keys_of(spelt), EVERYBODY)) == 1


def test_those_who_are_found_come_by_name() -> None:
    found = people_named(plan("Zoé Petit", "Alice Petit"), keys_of("petit"), EVERYBODY)
    assert [person.name for person in found] == ["Alice Petit", "Zoé Petit"]
