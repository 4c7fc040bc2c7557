"""People go out as CSV and come in again: what would change is told first, and no file is believed."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from dialplan.loading import load_plan, parse_plan
from dialplan.plan import Plan
from pbx.people.directory import Device, Directory, Person
from pbx.people.spreadsheet import (
    MOST_BYTES,
    FieldChange,
    Preview,
    SpreadsheetError,
    of_plan,
    preview,
    written,
)

NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
CLAIRE = Person("2011", "Claire Dupont", "national", "mairie", ["état civil", "élus"], "+33612345678")
DENIS = Person("2012", "Denis Faure", "interne")


@cache
def plan() -> Plan:
    return load_plan(Path(__file__).parents[3] / "examples" / "valmont.yaml")


@cache
def hamlet() -> Plan:
    """A plan that is checked in no time."""
    return parse_plan(
        "plan: 1\norganization: Hameau\ncountry: FR\nlanguage: fr\n"
        "sites: {mairie: {name: Mairie, address: {street: 1 rue, city: X}}, ecole: {name: École, "
        "address: {street: 1 rue, city: X}}}\n"
        "numbers: {default_site: mairie}\nclasses: {interne: [internal], national: [internal, national]}\n",
        "hameau.yaml",
    )


def read(
    text: str | bytes, *there: Person, revision: int = 1, removing: bool = False, of: Plan | None = None
) -> Preview:
    data = text.encode() if isinstance(text, str) else text
    return preview(
        data, of or plan(), Directory(revision=revision, people=list(there)), NOW, removing=removing
    )


def test_the_file_of_a_spreadsheet_in_french_is_read():
    line = "2011;Claire Dupont;national;mairie;état civil|élus;+33612345678"
    found = read(f"poste;nom;classe;site;groupes;portable\n{line}\n")
    assert list(found.added) == [CLAIRE]
    assert found.errors == []


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("separator", [";", ",", "\t"])
def test_what_spreadsheets_save_is_read(encoding: str, separator: str):
    text = "extension;name\n2011;Hélène Lefèvre\n".replace(";", separator)
    assert [one.name for one in read(text.encode(encoding)).added] == ["Hélène Lefèvre"]


def test_what_changes_is_told_field_by_field():
    found = read("extension,name,site\n2011,Claire Petit,\n2012,Denis Faure,\n", CLAIRE, DENIS)
    (change,) = found.changed
    assert change.person.extension == "2011"
    assert change.fields == [
        FieldChange("name", "Claire Dupont", "Claire Petit"),
        FieldChange("site", "mairie", ""),
    ]
    assert (found.unchanged, found.removed) == (1, [])


def test_a_column_that_is_left_out_changes_nothing():
    (change,) = read("extension,name\n2011,Claire Petit\n", CLAIRE).changed
    assert (change.person.groups, change.person.mobile) == (CLAIRE.groups, CLAIRE.mobile)


def test_devices_stay_with_whoever_changes():
    device = Device("2011", "localhost", "0" * 32, "0" * 64)
    there = Person("2011", "Claire", "national", devices=[device])
    (change,) = read("extension,name\n2011,Claire Petit\n", there).changed
    assert change.person.devices == [device]


def test_people_go_only_where_that_is_asked_for():
    text = "extension,name\n2011,Claire Dupont\n"
    assert read(text, CLAIRE, DENIS).removed == []
    assert read(text, CLAIRE, DENIS, removing=True).removed == [DENIS]


def test_an_extension_that_a_removed_one_had_is_free():
    found = read("extension,name,mobile\n2013,Denis Faure,+33612345678\n", CLAIRE, removing=True)
    assert (found.errors, list(found.told)) == ([], [])


@pytest.mark.parametrize(
    ("line", "column", "message"),
    [
        ("20a,X,national,", "extension", "an extension is 1 to 15 digits"),
        (",X,national,", "extension", "an extension is 1 to 15 digits"),
        ("2011,,national,", "name", "somebody new needs a name"),
        ("2011,X\x07,national,", "name", "a name is 1 to 200 characters"),
        (f"2011,{'x' * 201},national,", "name", "a name is 1 to 200 characters"),
        ("2011,X,natinal,", "class", 'the plan has no class "natinal"'),
        ("2011,X,national,mairy", "site", 'the plan has no site "mairy"'),
        ("8000,X,national,", "extension", "extension 8000 is already service accueil-vocal"),
        ("112,X,national,", "extension", "user 112: 112 is an emergency number"),
        ("1001,Alicia,national,", "extension", "1001 is written in the plan, line "),
    ],
)
def test_a_line_that_cannot_be_somebody_is_told_with_its_number(line: str, column: str, message: str):
    found = read(f"extension,name,class,site\n2012,Denis,interne,\n{line}\n")
    (error,) = found.errors
    assert (error.line, error.column) == (3, column)
    assert error.message.startswith(message)
    assert found.token == ""


def test_an_extension_twice_names_both_lines():
    (error,) = read("extension,name\n2011,A\n2012,B\n2011,C\n").errors
    assert (error.line, error.message) == (4, "extension 2011 is on line 2 already")


def test_people_of_the_plan_may_be_in_a_file_as_they_are():
    everybody = [of_plan(one) for one in plan().people.values()]
    found = read(written([*everybody, CLAIRE]))
    assert (found.errors, list(found.added)) == ([], [CLAIRE])


def test_a_mend_names_the_nearest_word():
    (error,) = read("extension,name,class\n2011,X,natinal\n").errors
    assert error.mend == 'did you mean "national"?'


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "line 1: there is no column extension"),
        (b"name;class\nX;national\n", "line 1: there is no column extension"),
        (b"extension;nmae\n", 'line 1: unknown column "nmae"'),
        (b"extension;poste\n", "line 1: the column extension is there twice"),
        (b"extension;name\n2011;\0\n", "line 2: this is no text"),
        (b'extension;name\n2011;"x\n', "line 2: this is no CSV"),
        (b'extension;name\n2011;"' + b"x\n" * 100_000 + b'"\n', "this is no CSV: field larger"),
        (b"extension" + b";" * 1_000_000, "line 1: longer than 8192 characters"),
        (b"extension;name\n" + b";" * 1_000_000, "line 2: longer than 8192 characters"),
        (b"x" * (MOST_BYTES + 1), "the file is longer than 8 MB"),
        (b"\xff\xfe\x00\xd8", "this is no text in UTF-8"),
        (b"extension\n\x81\x8d\n", "this is no text in UTF-8"),
        (b"extension\n" + b"".join(b"%d\n" % number for number in range(20_002)), "more than 20000 people"),
        (b"PK\x03\x04\x14\x00\x06\x00", "line 1: this is no text"),
    ],
)
def test_what_is_no_list_of_people_is_refused_in_words(data: bytes, message: str):
    with pytest.raises(SpreadsheetError) as refused:
        read(data)
    assert message in str(refused.value)


def test_the_token_holds_for_these_bytes_this_revision_and_this_wish():
    text = "extension,name\n2011,Claire\n"
    token = read(text).token
    assert token == read(text).token != ""
    others = [read(text + " "), read(text, revision=2), read(text, removing=True)]
    assert token not in {other.token for other in others}


@pytest.mark.parametrize("name", ["=1+1", "+33", "-x", "@sum", "'=x", "''-x"])
def test_what_a_spreadsheet_would_run_is_written_as_text_and_read_as_it_was(name: str):
    person = Person("2011", name, "national")
    out = written([person]).decode("utf-8-sig").splitlines()[1].split(";")[1]
    assert out == f"'{name}"
    assert list(read(written([person])).added) == [person]


def test_a_mobile_is_written_as_text_too():
    assert "'+33612345678" in written([CLAIRE]).decode("utf-8-sig")


def test_no_password_and_no_hash_is_in_a_file():
    device = Device("2011", "localhost", "a" * 32, "b" * 64)
    out = written([Person("2011", "Claire", "national", devices=[device])])
    assert b"aaaa" not in out
    assert b"bbbb" not in out


printable = (
    some.text(some.characters(codec="utf-8"), min_size=1, max_size=40)
    .map(str.strip)
    .filter(lambda text: text.isprintable() and text != "")
)
somebody = some.builds(
    Person,
    some.integers(2050, 2140).map(str),
    printable,
    some.sampled_from(["interne", "national"]),
    some.sampled_from([None, "mairie", "ecole"]),
    some.lists(printable, max_size=4, unique=True),
    some.sampled_from([None, "+33612345678", "+49301234567"]),
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    some.lists(somebody, max_size=5, unique_by=lambda person: person.extension),
    some.sampled_from([";", ",", "\t"]),
    some.booleans(),
    some.sampled_from(["en", "fr"]),
)
def test_what_is_written_reads_back_as_it_was(
    people: list[Person], separator: str, mark: bool, language: str
):
    found = read(written(people, separator=separator, mark=mark, language=language), of=hamlet())
    assert (found.errors, list(found.added)) == ([], people)


@settings(max_examples=60, deadline=None)
@given(some.binary(max_size=200))
def test_any_bytes_are_refused_in_words_or_read(data: bytes):
    try:
        found = read(b"extension;name\n" + data, of=hamlet())
    except SpreadsheetError as error:
        assert str(error)
    else:
        assert found.token or found.errors
