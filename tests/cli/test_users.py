"""`beffroi user`: a password is shown once, and only its hashes are kept."""

from __future__ import annotations

import pytest

from pbx.people.directory import Person, digest_hashes, read_directory
from tests.cli.conftest import Town


def exported(town: Town) -> list[Person]:
    return read_directory(town.settings.directory_file).people


def test_a_new_user_has_a_device_with_the_printed_password(town: Town):
    added = town.run("user", "add", "2011", "Claire Dupont", "--site", "mairie", "--json").json
    (person,) = exported(town)
    (device,) = person.devices
    assert (device.sign_in, device.ha1_md5) == (
        "2011",
        digest_hashes("2011", "localhost", added["password"])[0],
    )
    assert (person.name, person.site) == ("Claire Dupont", "mairie")


def test_the_password_is_in_no_file(town: Town):
    password = town.run("user", "add", "2011", "Claire", "--json").json["password"]
    files = [path for path in town.folder.rglob("*") if path.is_file()]
    assert len(files) > 3
    assert not [path for path in files if password.encode() in path.read_bytes()]


def test_what_a_telephone_needs_is_printed(town: Town):
    lines = town.run("user", "add", "2011", "Claire", "--class", "national").out.splitlines()
    assert lines[0] == "2011 Claire, class national"
    assert lines[1].split() == ["server", f"127.0.0.1:{town.port}"]
    assert lines[2].split() == ["user", "2011"]
    assert lines[3].endswith("(shown now, and never again)")


def test_the_default_class_is_the_plans_first(town: Town):
    assert town.run("user", "add", "2011", "Claire", "--json").json["class"] == "interne"


def test_groups_and_mobile_are_kept(town: Town):
    town.run("user", "add", "2011", "Claire", "--group", "a", "--group", "b", "--mobile", "+33611111111")
    (person,) = exported(town)
    assert (person.groups, person.mobile) == (["a", "b"], "+33611111111")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("2010", "X"), "extension 2010 is already user État civil"),
        (("8000", "X"), "extension 8000 is already service accueil-vocal"),
        (("112", "X"), "112 is an emergency number and can't be anything else; choose another number"),
        (("20a", "X"), "beffroi: an extension is 1 to 15 digits, such as 2010"),
        (("2011", "Claire\udcff"), "beffroi: a name is 1 to 200 characters that can be printed"),
        (("2011", "X", "--group", "a\udcff"), "beffroi: the name of a group is 1 to 200 characters"),
        (("2011", ""), "beffroi: a name is 1 to 200 characters that can be printed"),
        (("2011", "X", "--class", "natinal"), 'has no class "natinal"; did you mean "national"?'),
        (("2011", "X", "--site", "xyz"), 'has no site "xyz"; known: caserne, ecole, mairie, police'),
        (("2011", "X", "--mobile", "0612345678"), "a mobile number is written +33612345678"),
    ],
)
def test_somebody_whom_the_plan_cannot_take_is_refused(town: Town, arguments: tuple[str, ...], sentence: str):
    outcome = town.run("user", "add", *arguments)
    assert outcome.status == 1
    assert sentence in outcome.err
    assert outcome.err.count("\n") == 1
    assert not town.settings.directory_file.exists()


def test_a_test_of_the_plan_that_the_new_user_breaks_is_told(town: Town):
    outcome = town.run("user", "add", "2150", "Claire")  # the plan's tests say that nobody holds it
    assert outcome.status == 0
    assert "error: test fails: +33699999999 dials +33383001150" in outcome.err


def test_an_extension_of_the_database_is_added_once(town: Town):
    town.run("user", "add", "2011", "Claire")
    outcome = town.run("user", "add", "2011", "Again")
    assert outcome.status == 1
    assert outcome.err == (
        "beffroi: extension 2011 is taken; `beffroi user list` shows who has which extension\n"
    )


def test_the_list_has_the_people_of_plan_and_database(town: Town):
    town.run("user", "add", "2011", "Claire")
    people = {person["extension"]: person for person in town.run("user", "list", "--json").json}
    assert len(people) == 10
    assert people["2011"] == {
        "extension": "2011",
        "name": "Claire",
        "class": "interne",
        "site": None,
        "groups": [],
        "mobile": None,
        "devices": ["2011"],
        "source": "database",
    }
    assert people["1001"]["source"] == "plan"
    assert "Claire" in town.run("user", "list").out


def test_no_listing_shows_a_password_or_a_hash(town: Town):
    town.run("user", "add", "2011", "Claire")
    (device,) = exported(town)[0].devices
    out = town.run("user", "list", "--json").out
    assert device.ha1_md5 not in out
    assert "pw1001" not in out


def test_a_removed_user_is_gone_from_the_export(town: Town):
    town.run("user", "add", "2011", "Claire")
    assert town.run("user", "remove", "2011").out == "2011 is removed\n"
    assert exported(town) == []


def test_removing_nobody_is_refused(town: Town):
    outcome = town.run("user", "remove", "2012")
    assert outcome.status == 1
    assert outcome.err.startswith("beffroi: nobody has extension 2012; ")


def test_a_new_password_replaces_the_hashes_and_nothing_else(town: Town):
    town.run("user", "add", "2011", "Claire")
    (before,) = exported(town)[0].devices
    changed = town.run("user", "password", "2011", "--json").json
    (after,) = exported(town)[0].devices
    assert after.ha1_sha256 == digest_hashes("2011", "localhost", changed["password"])[1]
    assert after.ha1_sha256 != before.ha1_sha256
    assert (after.sign_in, after.realm, after.site) == (before.sign_in, before.realm, before.site)


def test_a_user_of_the_plan_is_changed_in_the_plan(town: Town):
    line = town.line_of('extension: "2010"')
    for command, mend in (("remove", "remove it there"), ("password", "change its password there")):
        outcome = town.run("user", command, "2010")
        assert outcome.status == 1
        assert outcome.err == f"beffroi: 2010 is written in {town.plan_file}, line {line}: {mend}\n"


def test_somebody_who_is_in_plan_and_database_can_be_removed_from_the_database(town: Town):
    town.run("user", "add", "2011", "Claire")
    town.change_plan('extension: "2010"', 'extension: "2011"')
    assert town.run("user", "remove", "2011").status == 0
    assert exported(town) == []


def test_a_password_is_shown_even_when_the_export_fails(town: Town):
    town.settings.directory_file.mkdir(parents=True)
    outcome = town.run("user", "add", "2011", "Claire")
    assert outcome.status == 0
    assert "password  " in outcome.out
    assert outcome.err.startswith("beffroi: stored, but a running node doesn't know it yet: ")


def test_the_password_of_an_unknown_device_is_refused(town: Town):
    outcome = town.run("user", "password", "2011-app")
    assert outcome.status == 1
    assert 'no device signs in as "2011-app"' in outcome.err


@pytest.mark.parametrize("command", ["remove", "password"])
def test_bytes_that_are_no_text_are_no_extension(town: Town, command: str):
    outcome = town.run("user", command, "20\udcff")
    assert outcome.status == 1
    assert outcome.err == "beffroi: an extension is 1 to 15 digits, such as 2010\n"
