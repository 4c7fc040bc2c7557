"""`beffroi user show|change|import|export` and `beffroi device add|change|remove`, without a running node."""

from __future__ import annotations

import stat

import pytest

from pbx.node.sealing import sealing
from pbx.people.credentials import kept_password
from pbx.people.directory import Person, digest_hashes, read_directory
from pbx.store.database import SqliteDatabase
from pbx.store.people import find_device
from tests.cli.conftest import Town


def exported(town: Town) -> list[Person]:
    return read_directory(town.settings.directory_file).people


def audited(town: Town) -> list[str]:
    """What the audit journal says was done, with whom."""
    entries = town.run("audit", "list", "--json").json
    return [
        f"{entry['what']} {entry['about'].get('whom', '')}".strip() for entry in reversed(entries["items"])
    ]


def test_a_person_is_changed_field_by_field_and_keeps_their_device(town: Town):
    town.run("user", "add", "2011", "Claire", "--site", "mairie", "--group", "accueil")
    (before,) = exported(town)
    assert town.run("user", "change", "2011", "--name", "Claire Petit", "--site", "").status == 0
    (after,) = exported(town)
    assert (after.name, after.site, after.groups) == ("Claire Petit", None, ["accueil"])
    assert after.devices == before.devices
    assert audited(town) == ["people.add 2011", "people.change 2011"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("2011", "--class", "natinal"), 'the plan has no class "natinal"; did you mean "national"?'),
        (("2011", "--mobile", "06"), "a mobile number is written +33612345678"),
        (("2010", "--name", "X"), "change it there"),
        (("2099", "--name", "X"), "nobody has extension 2099"),
        (("2011",), "say what changes"),
    ],
)
def test_a_change_that_cannot_be_is_refused(town: Town, arguments: tuple[str, ...], sentence: str):
    town.run("user", "add", "2011", "Claire")
    outcome = town.run("user", "change", *arguments)
    assert outcome.status != 0
    assert sentence in outcome.err


def test_a_person_is_shown_wherever_they_are_written(town: Town):
    town.run("user", "add", "2011", "Claire")
    assert town.run("user", "show", "2011", "--json").json["source"] == "database"
    assert town.run("user", "show", "1001", "--json").json["name"] == "Alice Martin"
    assert town.run("user", "show", "2099").err.startswith('beffroi: nobody has extension "2099"')


def test_what_is_exported_is_imported_without_a_change(town: Town):
    town.run("user", "add", "2011", "=Claire", "--mobile", "+33611111111")
    file = town.folder / "people.csv"
    assert town.run("user", "export", str(file)).out == f"10 people in {file}\n"
    told = town.run("user", "import", str(file), "--preview")
    assert told.out == "0 added, 0 changed, 0 removed, 1 unchanged\n"


def test_an_import_is_shown_and_then_asked_about(town: Town):
    file = town.folder / "people.csv"
    file.write_text("extension;name;class\n2011;Claire;national\n2012;Denis;interne\n")
    refused = town.run("user", "import", str(file), typed="n\n")
    assert refused.status == 1
    assert "+ 2011 Claire, class national" in refused.out
    assert not town.settings.directory_file.exists()
    done = town.run("user", "import", str(file), typed="y\n")
    assert [person.extension for person in exported(town)] == ["2011", "2012"]
    password = next(line.split()[1] for line in done.out.splitlines() if line.startswith("2011"))
    assert exported(town)[0].devices[0].ha1_md5 == digest_hashes("2011", "localhost", password)[0]
    assert audited(town) == ["people.import"]


def test_passwords_of_an_import_go_to_a_sheet_that_its_owner_alone_reads(town: Town):
    file, sheet = town.folder / "people.csv", town.folder / "sheet.txt"
    file.write_text("extension;name\n2011;Claire\n")
    done = town.run("user", "import", str(file), "--yes", "--sheet", str(sheet))
    assert done.out.endswith(f"passwords of 1 devices are in {sheet}\n")
    assert stat.S_IMODE(sheet.stat().st_mode) == 0o600
    assert sheet.read_text().splitlines()[1].startswith("2011 ")
    file.write_text("extension;name\n2012;Denis\n")
    assert town.run("user", "import", str(file), "--yes", "--sheet", str(sheet)).status == 1
    assert [person.extension for person in exported(town)] == ["2011"]


def test_an_import_with_one_wrong_line_changes_nothing(town: Town):
    file = town.folder / "people.csv"
    file.write_text("extension;name\n2011;Claire\n8000;X\n")
    outcome = town.run("user", "import", str(file), "--yes")
    assert outcome.status == 1
    assert f"{file}:3: extension 8000 is already service accueil-vocal" in outcome.err
    assert not town.settings.directory_file.exists()


def test_people_go_with_an_import_only_where_that_is_said(town: Town):
    town.run("user", "add", "2011", "Claire")
    file = town.folder / "people.csv"
    file.write_text("extension;name\n2012;Denis\n")
    assert town.run("user", "import", str(file), "--yes", "--json").json["removed"] == []
    assert town.run("user", "import", str(file), "--yes", "--remove", "--json").json["removed"] == ["2011"]
    assert [person.extension for person in exported(town)] == ["2012"]


def test_a_second_device_has_a_kept_password_and_can_be_changed_and_removed(town: Town):
    town.run("user", "add", "2011", "Claire")
    added = town.run("device", "add", "2011-app", "--kind", "app", "--label", "Mobile de Claire", "--json")
    opened = SqliteDatabase(town.settings.sqlite_file)
    try:
        kept = opened.read(
            lambda connection: kept_password(connection, sealing(town.settings.node_key_file), "2011-app")
        )
        assert kept == added.json["password"]
        assert town.run("device", "change", "2011-app", "--site", "ecole", "--md5-only").status == 0
        described = opened.read(lambda connection: find_device(connection, "2011-app"))
        assert (described.kind, described.label, described.site, described.md5_only) == (
            "app",
            "Mobile de Claire",
            "ecole",
            True,
        )
    finally:
        opened.close()
    assert [device.sign_in for device in exported(town)[0].devices] == ["2011", "2011-app"]
    assert town.run("device", "remove", "2011-app").out == "2011-app is removed\n"
    assert [device.sign_in for device in exported(town)[0].devices] == ["2011"]
    assert audited(town)[1:] == ["device.add 2011-app", "device.change 2011-app", "device.remove 2011-app"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("add", "2011-app", "--kind", "fax"), '"fax" is none of desk, app, browser, mobile'),
        (("add", "2011-app", "--site", "mairi"), 'the plan has no site "mairi"; did you mean "mairie"?'),
        (("add", "2012-app"), "nobody has extension 2012"),
        (("add", "2011"), "a device already signs in as 2011"),
        (("add", "x"), '"x" is no extension'),
        (("add", "1001-app"), "is written in"),
        (("change", "2011-x", "--label", "y"), 'no device signs in as "2011-x"'),
        (("change", "2011"), "say what changes"),
        (("remove", "2011-x"), "no device signs in as 2011-x"),
    ],
)
def test_a_device_that_cannot_be_is_refused(town: Town, arguments: tuple[str, ...], sentence: str):
    town.run("user", "add", "2011", "Claire")
    outcome = town.run("device", *arguments)
    assert outcome.status != 0
    assert sentence in outcome.err
