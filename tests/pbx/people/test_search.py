"""The directory is found by what is typed: beginnings first, sounds after, digits, any order."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from dialplan.loading import load_plan
from pbx.people.devices import with_directory
from pbx.people.directory import Directory, Person
from pbx.people.search import Entry, Index, index_of

VALMONT = Path(__file__).parents[3] / "examples" / "valmont.yaml"
PEOPLE = [
    Person("2030", "Hélène Lefèvre", "national", "mairie"),
    Person("2031", "Paul Lefebvre", "national", "mairie"),
    Person("2032", "Yann Le Goff", "national", "mairie"),
    Person("2033", "Jean-Pierre D'Hondt", "national", "ecole"),
    Person("2034", "Lucie Gauthier", "national", "caserne"),
    Person("2035", "Gautier Moreau", "national"),
    Person("2036", "Œnone Dupond", "national"),
    Person("2037", "Anne Dupont", "national"),
]


@cache
def town() -> Index:
    return index_of(with_directory(load_plan(VALMONT), Directory(people=PEOPLE)))


def names(text: str, limit: int = 20) -> list[str]:
    return [one.name for one in town().search(text, limit)]


def test_a_beginning_finds_without_accents_and_case():
    assert names("HEL") == ["Hélène Lefèvre"]


def test_words_are_typed_in_any_order():
    assert names("lefe hel") == names("helene lefevre") == ["Hélène Lefèvre"]


def test_what_is_written_so_comes_before_what_sounds_so():
    assert names("lefevre") == ["Hélène Lefèvre", "Paul Lefebvre"]
    assert names("lefebvre") == ["Paul Lefebvre", "Hélène Lefèvre"]
    assert names("gautier") == ["Gautier Moreau", "Lucie Gauthier"]


def test_a_whole_name_comes_first_and_a_whole_word_before_a_beginning():
    assert names("garde")[0] == "garde"
    assert names("gauthier")[0] == "Lucie Gauthier"


def test_the_beginning_of_a_sound_is_enough():
    assert names("gotié") == ["Gautier Moreau", "Lucie Gauthier"]
    assert names("filip") == []
    assert names("lefev p") == ["Paul Lefebvre"]


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("legoff", "Yann Le Goff"),
        ("le goff", "Yann Le Goff"),
        ("dhondt", "Jean-Pierre D'Hondt"),
        ("d’hondt", "Jean-Pierre D'Hondt"),
        ("jeanpierre", "Jean-Pierre D'Hondt"),
        ("oenone", "Œnone Dupond"),
    ],
)
def test_names_in_parts_are_found_in_one_and_in_parts(typed: str, name: str):
    assert names(typed)[0] == name


def test_one_that_is_written_in_one_is_found_in_parts():
    assert names("le febvre")[0] == "Paul Lefebvre"


def test_both_ways_of_writing_one_sound_are_found():
    assert sorted(names("dupon")) == ["Anne Dupont", "Œnone Dupond"]


@pytest.mark.parametrize(
    "typed", ["2010", "0383001010", "03 83 00 10 10", "+33 3 83 00 10 10", "0033383001010"]
)
def test_extension_and_direct_number_find_a_person_first(typed: str):
    assert names(typed)[0] == "État civil"


def test_the_beginning_of_an_extension_comes_before_digits_inside_of_a_number():
    found = [one.number for one in town().search("203", 30)]
    assert set(found[:8]) == {f"203{digit}" for digit in range(8)}
    assert [one.number for one in town().search("1030", 30)] == ["2030"]


def test_services_and_groups_are_found_too():
    kinds = {(one.kind, one.name) for one in town().search("accueil", 20)}
    assert {("group", "accueil"), ("service", "accueil-vocal"), ("service", "accueil-ecole")} <= kinds


def test_a_group_and_a_site_find_their_people_last():
    found = town().search("patrouille", 20)
    assert found[0].kind == "group"
    assert [one.name for one in town().search("jules ferry", 20)] == ["Directrice", "Jean-Pierre D'Hondt"]


def test_one_kind_alone_may_be_asked_for():
    assert {one.kind for one in town().search("accueil", 20, ("service",))} == {"service"}


def test_a_person_tells_their_direct_number_and_source():
    by_id = {one.id: one for one in town().entries}
    assert by_id["person:2030"].public == "+33383001030"
    assert (by_id["person:2030"].source, by_id["person:2010"].source) == ("database", "plan")


def test_nothing_typed_is_everybody_in_alphabetical_order_page_by_page():
    everybody: list[Entry] = []
    while more := town().page(everybody[-1].id if everybody else "", 7):
        everybody += more
    assert everybody == list(town().entries) == town().search("  ", 100)


def test_what_nobody_is_called_finds_nobody():
    assert names("zzyzx") == []


@given(some.text(max_size=30))
def test_anything_may_be_typed(text: str):
    assert len(town().search(text, 5)) <= 5
