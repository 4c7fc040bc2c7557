"""`beffroi recording`: search, hold, purge, report, about, against an archive as the recorder has it."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from pbx.records import CallRecord
from pbx.store.calls import insert_calls
from pbx.store.database import open_database
from pbx.store.revision import upgrade
from recording.archive.archive import Archive
from recording.archive.catalogue import Catalogue
from recording.archive.clock import ClockWatch
from recording.retention import DAY_SECONDS, ClockSeen
from tests.cli.conftest import Outcome, Town
from tests.cli.test_listening import Kept

R1, R2 = "20261122-093000-a1", "20261122-094000-b2"
CITIZEN = "+33699999999"
AS = ("--as", "2201", "--why", "dossier 12")
WHY = ("--why", "dossier 12")


@pytest.fixture
def kept(town: Town) -> Iterator[Kept]:
    """Two recordings; the clock of the archive is in the middle of December."""
    made = Kept(town)
    made.record(R1)
    made.now += 600
    made.record(R2)
    made.now += 20 * DAY_SECONDS
    yield made
    made.close()


def run(kept: Kept, *arguments: str, typed: str = "") -> Outcome:
    return kept.town.run("recording", *arguments, typed=typed)


def done(kept: Kept, *arguments: str) -> str:
    outcome = run(kept, *arguments)
    assert outcome.status == 0, outcome.err
    return outcome.out


def test_recordings_are_found_by_a_number_however_it_is_written(kept: Kept):
    for number in ("06.99.99.99.99", "0033699999999", "8200"):
        found = json.loads(done(kept, "search", *AS, "--number", number, "--json"))["found"]
        assert [one["recording"] for one in found] == [R2, R1]
    assert done(kept, "search", *AS, "--number", "0611111111") == "no recording is like this\n"


def test_what_is_found_says_until_when_it_is_kept(kept: Kept):
    listed = done(kept, "search", *AS, "--line", "8200")
    assert "2026-11-22 09:40:03" in listed
    assert "2027-01-21 09:40:06" in listed


def test_search_goes_on_where_a_page_ended(kept: Kept):
    page = done(kept, "search", *AS, "--limit", "1")
    after = page.partition("more: --after ")[2].strip()
    assert R2 in page
    assert R1 in done(kept, "search", *AS, "--limit", "1", "--after", after)


def test_search_without_a_person_or_a_reason_is_refused_in_a_sentence(kept: Kept):
    refused = run(kept, "search", *WHY)
    assert (refused.status, refused.err) == (
        1,
        "beffroi: say who listens: a listener of the plan, by their extension\n",
    )
    refused = run(kept, "search", "--as", "2201")
    assert (refused.status, refused.err) == (1, "beffroi: say why: it is journalled with what you do\n")


def test_show_tells_who_had_to_do_with_a_recording(kept: Kept):
    done(kept, "hold", R1, *WHY, "--until", "2027-06-30")
    told = done(kept, "show", R1, *AS)
    assert "caller      +33699999999" in told
    assert "by root: dossier 12" in told
    assert [one["what"] for one in json.loads(done(kept, "show", R1, *AS, "--json"))["history"]] == [
        "held",
        "shown",
        "shown",
    ]


def test_holds_are_made_listed_and_released(kept: Kept):
    made = json.loads(done(kept, "hold", *WHY, "--number", "0699999999", "--until", "2027-06-30", "--json"))
    assert {one["recording"] for one in made} == {R1, R2}
    assert made[0]["until"] == "2027-06-29T22:00:00.000Z"
    assert R1 in done(kept, "holds")
    done(kept, "release", R1, *WHY)
    assert [one["recording"] for one in json.loads(done(kept, "holds", "--json"))] == [R2]
    again = run(kept, "release", R1, *WHY)
    assert (again.status, again.err) == (1, f"beffroi: {R1}: it is under no hold\n")


def test_hold_says_which_recordings_it_is_about(kept: Kept):
    assert run(kept, "hold", *WHY, "--until", "2027-06-30").status == 2
    assert run(kept, "hold", R1, *WHY, "--line", "8200", "--until", "2027-06-30").status == 2


def test_dry_run_says_what_goes_and_what_is_held_and_nothing_goes(kept: Kept):
    done(kept, "hold", R1, *WHY, "--until", "2027-06-30")
    told = done(kept, "purge", "--dry-run", "--until", "2027-02-01")
    assert ["pompiers", "60", "days", "1", "9", "2027-01-21"] in [
        line.split()[:6] for line in told.splitlines()
    ]
    assert f"held: {R1} until 2027-06-29 22:00:00, by root: dossier 12" in told
    seen = json.loads(done(kept, "purge", "--dry-run", "--until", "2027-02-01", "--json"))
    assert [one["recording"] for one in seen["going"]] == [R2]
    assert len(json.loads(done(kept, "search", *AS, "--json"))["found"]) == 2


def test_what_is_due_is_purged_and_told(kept: Kept):
    assert done(kept, "purge") == "nothing was due\n"
    kept.now += 40 * DAY_SECONDS
    told = done(kept, "purge")
    assert told.startswith("purged: 2\n")
    assert f"  {R1}  pompiers, kept from 2026-11-22 09:30:00 to 2027-01-21 09:4" in told


def test_one_is_erased_early_only_when_somebody_says_yes(kept: Kept):
    refused = run(kept, "purge", "--now", R1, *WHY, typed="n\n")
    assert (refused.status, refused.err) == (1, "beffroi: nothing was erased; with --yes nobody is asked\n")
    assert run(kept, "purge", "--now", R1, *WHY, "--json").status == 1
    (stone,) = json.loads(done(kept, "purge", "--now", R1, *WHY, "--yes", "--json"))
    assert (stone["recording"], stone["cause"], stone["why"]) == (R1, "early", "dossier 12")
    assert "there is no recording" in run(kept, "purge", "--now", R1, *WHY, "--yes").err


def test_purge_under_hold_is_refused(kept: Kept):
    done(kept, "hold", R1, *WHY, "--until", "2027-06-30")
    refused = run(kept, "purge", "--now", R1, *WHY, "--yes")
    assert refused.status == 1
    assert f"{R1} is held until 2027-06-29T22:00:00Z by root: dossier 12" in refused.err


def test_report_is_a_document_in_either_language_and_json(kept: Kept):
    run(kept, "search", "--as", "1001", *WHY)
    french = done(kept, "report", "--since", "2026-11-01", "--before", "2027-01-01")
    assert french.startswith("Compte rendu des enregistrements de conversations\n")
    assert "Délibération 2026-014" in french
    assert "2026-11-22 10:30" in french  # the plan's time
    english = done(kept, "report", "--since", "2026-11-01", "--before", "2027-01-01", "--language", "en")
    assert english.startswith("Account of recorded conversations\n")
    account = json.loads(done(kept, "report", "--since", "2026-11-01", "--before", "2027-01-01", "--json"))
    assert account["policies"][0]["kept"] == 2
    assert account["since"] == "2026-11-01T00:00:00.000Z"


def with_calls(kept: Kept) -> None:
    opened = open_database(kept.town.settings.database)
    upgrade(opened)
    called = [
        CallRecord(
            f"{number}", 1.0, 2.0, 3.0, "inbound", CITIZEN, "=cmd", "8200", "8200", "answered", "v", []
        )
        for number in range(3)
    ]
    opened.write(lambda connection: insert_calls(connection, called))
    opened.close()


def test_what_is_kept_about_a_number_is_listed_and_exported(kept: Kept, tmp_path: Path):
    with_calls(kept)
    done(kept, "search", *AS, "--number", CITIZEN)
    told = done(kept, "about", "06 99 99 99 99", *WHY)
    assert R1 in told
    assert "by 2201: dossier 12" in told
    assert f"3 call records: `beffroi call list --number {CITIZEN}`" in told
    table = tmp_path / "list.csv"
    done(kept, "about", CITIZEN, *WHY, "--export", str(table))
    rows = list(csv.reader(table.read_text("utf-8").splitlines()))
    assert [row[0] for row in rows] == ["kind", "recording", "recording", "call", "call", "call"]
    assert rows[1][2] == CITIZEN
    assert table.stat().st_mode & 0o777 == 0o600
    done(kept, "about", CITIZEN, *WHY, "--export", str(tmp_path / "list.json"))
    said = json.loads((tmp_path / "list.json").read_text("utf-8"))
    assert (len(said["recordings"]), len(said["calls"])) == (2, 3)
    assert run(kept, "about", CITIZEN, *WHY, "--export", str(table)).status == 1
    assert run(kept, "about", CITIZEN, *WHY, "--export", "list.pdf").status == 2


def test_erasure_leaves_a_receipt_that_the_node_bears_out(kept: Kept, tmp_path: Path):
    with_calls(kept)
    done(kept, "hold", R1, *WHY, "--until", "2027-06-30")
    receipt = tmp_path / "receipt.json"
    assert run(kept, "about", CITIZEN, *WHY, "--erase", "--yes").status == 2
    assert run(kept, "about", CITIZEN, *WHY, "--erase", "--receipt", str(receipt), typed="n\n").status == 1
    told = done(kept, "about", CITIZEN, *WHY, "--erase", "--yes", "--receipt", str(receipt))
    assert "erased: 1 recordings, and the number in 3 call records" in told
    assert f"{R1} stays: it is held until 2027-06-29T22:00:00Z" in told
    checked = done(kept, "receipt", str(receipt))
    assert f"recordings erased: {R2}" in checked
    assert "call records erased: 3 of 3" in checked
    after = json.loads(done(kept, "about", CITIZEN, *WHY, "--json"))
    assert ([one["recording"] for one in after["recordings"]], after["calls"]) == ([R1], [])
    receipt.write_text(receipt.read_text("utf-8").replace(CITIZEN, "+33600000000"), "utf-8")
    refused = run(kept, "receipt", str(receipt))
    assert (refused.status, "not a receipt that this node has signed" in refused.err) == (1, True)


def test_number_that_is_none_is_told_with_how_to_write_one(kept: Kept):
    refused = run(kept, "about", "bonjour", *WHY)
    assert refused.status == 2
    assert '"bonjour" is no number' in refused.err


def test_clock_is_vouched_for(kept: Kept):
    kept.now += 1.0
    assert "and the clock is trusted" in done(kept, "vouch-for-clock", *WHY)
    assert run(kept, "vouch-for-clock").status == 1


def test_without_a_node_it_is_said_what_to_do(town: Town):
    for arguments in (("search", *AS), ("report",)):
        silent = town.run("recording", *arguments)
        assert silent.status == 1
        assert "recordings are asked of a running node" in silent.err


def test_numbers_that_the_list_has_lost_are_read_from_the_files(kept: Kept):
    kept.archive.catch_up()
    kept.catalogue.close()
    for path in kept.directory.glob("catalogue.sqlite*"):
        path.unlink()
    kept.archive = Archive(
        kept.directory,
        kept.keys,
        kept.journal,
        Catalogue(kept.directory / "catalogue.sqlite"),
        ClockWatch(kept.directory),
        lambda: ClockSeen(kept.now, kept.now, "boot", synchronised=True),
    )
    assert done(kept, "search", *AS, "--number", CITIZEN) == "no recording is like this\n"
    assert done(kept, "recover-numbers", *WHY) == "2 recordings have their numbers again\n"
    assert done(kept, "recover-numbers", *WHY, "--json") == '{"recovered": 0, "unopened": 0}\n'
    found = json.loads(done(kept, "search", *AS, "--number", CITIZEN, "--json"))["found"]
    assert [one["recording"] for one in found] == [R2, R1]
