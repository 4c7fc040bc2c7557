"""Who may find, hear and hold recordings, and what the journal has of it."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor

import pytest

from recording.archive.requests import (
    Hold,
    HoldList,
    Last,
    ListHolds,
    Open,
    Opened,
    Page,
    Purge,
    Purged,
    Query,
    Release,
    Search,
    Show,
    Shown,
)
from recording.proof.journal import entries
from recording.retention import DAY_SECONDS
from tests.recording.archive.archived import CHIEF, FIRE, NOBODY, OTHER_CHIEF, POLICE, Shelf, refusal

WHY = "réclamation 2026-31"


def found(shelf: Shelf, person: str = CHIEF, **query: object) -> list[str]:
    answer = shelf.ask(Search(person=person, why=WHY, query=Query(**query)))
    assert isinstance(answer, Page), answer
    return [one.recording for one in answer.found]


def test_listener_finds_by_number_line_user_time_and_length(shelf: Shelf):
    shelf.record("20261122-r1", caller="+33611111111", user="2301")
    middle = shelf.now
    shelf.record("20261122-r2", caller="+33622222222", seconds=600, line="garde")
    assert found(shelf) == ["20261122-r2", "20261122-r1"]
    assert found(shelf, number="+33611111111") == ["20261122-r1"]
    assert found(shelf, number="8200") == ["20261122-r2", "20261122-r1"]
    assert found(shelf, number="+33600000000") == []
    assert found(shelf, line="garde") == ["20261122-r2"]
    assert found(shelf, user="2301") == ["20261122-r1"]
    assert found(shelf, since=middle) == ["20261122-r2"]
    assert found(shelf, until=middle) == ["20261122-r1"]
    assert found(shelf, shortest_seconds=300.0) == ["20261122-r2"]
    assert found(shelf, longest_seconds=300.0) == ["20261122-r1"]
    assert found(shelf, call="call-20261122-r1") == ["20261122-r1"]


def test_search_goes_on_behind_its_page(shelf: Shelf):
    for number in range(5):
        shelf.record(f"20261122-r{number}")
    seen: list[str] = []
    after = ""
    for _ in range(3):
        page = shelf.ask(Search(person=CHIEF, why=WHY, query=Query(limit=2, after=after)))
        seen += [one.recording for one in page.found]
        after = page.next
    assert seen == [f"20261122-r{number}" for number in (4, 3, 2, 1, 0)]
    assert after == ""


def test_cursor_that_no_page_gave_is_refused(shelf: Shelf):
    for after in ("x", "1:x", "nan", "1:2" * 100, "x:2"):
        answer = shelf.ask(Search(person=CHIEF, why=WHY, query=Query(after=after)))
        assert "is no page's" in refusal(answer)


def test_listener_sees_only_recordings_of_the_policies_that_name_them(shelf: Shelf):
    shelf.record("20261122-fire")
    shelf.record("20261122-law", "police")
    assert found(shelf, CHIEF) == ["20261122-fire"]
    assert found(shelf, OTHER_CHIEF) == ["20261122-law"]
    assert found(shelf, CHIEF, policy="police") == []


@pytest.mark.parametrize("person", [NOBODY, OTHER_CHIEF])
def test_who_is_no_listener_is_refused_and_journalled(shelf: Shelf, person: str):
    shelf.record("20261122-r1")
    for request in (Show, Open):
        why = refusal(shelf.ask(request(person=person, why=WHY, recording="20261122-r1")))
        assert "`listeners:`" in why
    refused = shelf.said("refused")
    assert [(one.by, one.recording, one.about["asked"]) for one in refused] == [
        (person, "20261122-r1", "Show"),
        (person, "20261122-r1", "Open"),
    ]
    assert refused[0].about["why"] == WHY


def test_administrator_hears_nothing_without_being_a_listener(shelf: Shelf):
    shelf.record("20261122-r1")
    assert "say who listens" in refusal(shelf.ask(Search(why=WHY, query=Query())))
    assert "say who listens" in refusal(shelf.ask(Open(why=WHY, recording="20261122-r1")))
    assert "say who listens" in refusal(shelf.ask(Last(why=WHY, line="secours")))


def test_account_that_is_no_administrator_asks_nothing(shelf: Shelf):
    answer = shelf.ask(Search(person=CHIEF, why=WHY, query=Query()), account="www-data")
    assert "www-data may ask nothing here" in refusal(answer)
    assert [one.about["account"] for one in shelf.said("refused")] == ["www-data"]


def test_nothing_is_found_or_heard_without_a_reason(shelf: Shelf):
    shelf.record("20261122-r1")
    for request in (
        Search(person=CHIEF, query=Query()),
        Show(person=CHIEF, recording="20261122-r1", why="  "),
        Open(person=CHIEF, recording="20261122-r1"),
        Last(person=CHIEF, line="secours"),
        Hold(person=CHIEF, recordings=["20261122-r1"], until=shelf.now + 60),
    ):
        assert refusal(shelf.ask(request)) == "say why: it is journalled with what you do"


@pytest.mark.parametrize("why", ["appel du 06 12 34 56 78", "rappeler +33 6 12 34 56 78", "0033612345678"])
def test_reason_with_a_telephone_number_stays_out_of_the_journal(shelf: Shelf, why: str):
    answer = shelf.ask(Search(person=CHIEF, why=why, query=Query()))
    assert "without a telephone number" in refusal(answer)
    assert b"34" not in (shelf.directory / "journal").read_bytes().split(b"\n")[-2].split(b"\t")[0]
    assert [one.about["why"] for one in shelf.said("refused")] == ["?"]


@pytest.mark.parametrize("why", ["dossier 2026-0451", "plainte 12/2026 de 2301", "PV 0451/2026/0123"])
def test_reason_may_name_a_file(shelf: Shelf, why: str):
    assert isinstance(shelf.ask(Search(person=CHIEF, why=why, query=Query())), Page)


@pytest.mark.parametrize("field", ["line", "user", "policy", "call"])
def test_number_in_the_wrong_place_of_a_search_stays_out_of_the_journal(shelf: Shelf, field: str):
    answer = shelf.ask(Search(person=CHIEF, why=WHY, query=Query(**{field: "0612345678"})))
    assert "search for a telephone number as such" in refusal(answer)
    answer = shelf.ask(Search(person=CHIEF, why=WHY, query=Query(**{field: "x" * 65})))
    assert refusal(answer) == "nothing has a name of more than 64 characters"
    for request in (Show, Open):
        shelf.ask(request(person=CHIEF, why=WHY, recording="0612345678"))
    assert b"12345678" not in (shelf.directory / "journal").read_bytes()


def test_search_is_journalled_with_what_was_asked_but_the_number(shelf: Shelf):
    shelf.record("20261122-r1")
    found(shelf, number="+33612345678", line="secours")
    (entry,) = shelf.said("searched")
    assert (entry.by, entry.about["why"], entry.about["account"], entry.about["found"]) == (
        CHIEF,
        WHY,
        "root",
        1,
    )
    assert entry.about["asked"] == {"line": "secours", "limit": "50"}
    assert b"33612345678" not in (shelf.directory / "journal").read_bytes()


def test_opening_gives_the_file_and_the_wrapped_key_and_is_journalled(shelf: Shelf):
    shelf.record("20261122-r1")
    opened = shelf.ask(Open(person=CHIEF, why=WHY, recording="20261122-r1"))
    assert isinstance(opened, Opened)
    assert opened.path == str(shelf.path("20261122-r1"))
    assert opened.key == shelf.keys.get("20261122-r1")
    assert opened.policy.legal_basis == FIRE.legal_basis
    assert opened.found.over == shelf.now + 60 * DAY_SECONDS
    assert [(one.by, one.recording) for one in shelf.said("listened")] == [(CHIEF, "20261122-r1")]


def test_export_is_journalled_as_one_and_never_is_never(shelf: Shelf):
    shelf.record("20261122-fire")
    shelf.record("20261122-law", "police")
    assert isinstance(
        shelf.ask(Open(person=CHIEF, why=WHY, recording="20261122-fire", purpose="export")), Opened
    )
    assert [one.recording for one in shelf.said("exported")] == ["20261122-fire"]
    why = refusal(shelf.ask(Open(person=OTHER_CHIEF, why=WHY, recording="20261122-law", purpose="export")))
    assert "never exported" in why


def test_last_recording_of_a_line_may_still_go_on(shelf: Shelf):
    shelf.record("20261122-r1")
    shelf.begin("20261122-r2")
    shelf.path("20261122-r2").touch()
    opened = shelf.ask(Last(person=CHIEF, why=WHY, line="secours"))
    assert isinstance(opened, Opened)
    assert (opened.found.recording, opened.found.ended) == ("20261122-r2", None)
    assert "no recording of garde" in refusal(shelf.ask(Last(person=CHIEF, why=WHY, line="garde")))


def test_recording_that_goes_on_from_another_has_its_numbers(shelf: Shelf):
    shelf.begin("20261122-r1")
    shelf.archive.catch_up()
    shelf.journal.append(
        shelf.now, "begun", "20261122-r2", "node", policy="pompiers", continues="20261122-r1"
    )
    assert found(shelf, number="+33612345678") == ["20261122-r2", "20261122-r1"]


def test_hold_keeps_until_its_end_and_says_who_and_why(shelf: Shelf):
    shelf.record("20261122-r1")
    until = shelf.now + 90 * DAY_SECONDS
    made = shelf.ask(Hold(why="dossier 12", recordings=["20261122-r1"], until=until))
    assert [(one.recording, one.by, one.why, one.until) for one in made.holds] == [
        ("20261122-r1", "root", "dossier 12", until)
    ]
    shown = shelf.ask(Show(person=CHIEF, why=WHY, recording="20261122-r1"))
    assert isinstance(shown, Shown)
    assert shown.found.held_until == until
    assert [one.what for one in shown.history] == ["held", "shown"]


def test_hold_by_number_or_period_holds_each(shelf: Shelf):
    shelf.record("20261122-r1", caller="+33611111111")
    shelf.record("20261122-r2", caller="+33622222222")
    shelf.record("20261122-r3", "police", caller="+33611111111")
    until = shelf.now + DAY_SECONDS
    made = shelf.ask(Hold(why="dossier", query=Query(number="+33611111111"), until=until))
    assert sorted(one.recording for one in made.holds) == ["20261122-r1", "20261122-r3"]
    made = shelf.ask(Hold(person=CHIEF, why="dossier", query=Query(since=0.0), until=until))
    assert sorted(one.recording for one in made.holds) == ["20261122-r1", "20261122-r2"]


def test_hold_that_would_not_end_in_time_is_refused(shelf: Shelf):
    shelf.record("20261122-r1")
    for until in (shelf.now, shelf.now + 11 * 366 * DAY_SECONDS, float("nan")):
        answer = shelf.ask(Hold(why=WHY, recordings=["20261122-r1"], until=until))
        assert "within ten years" in refusal(answer)
    answer = shelf.ask(Hold(why=WHY, recordings=["20261122-none"], until=shelf.now + 60))
    assert "there is no recording" in refusal(answer)


def test_hold_is_released_by_who_made_it_or_by_the_administrator(shelf: Shelf):
    shelf.record("20261122-r1")
    until = shelf.now + DAY_SECONDS
    shelf.ask(Hold(why=WHY, recordings=["20261122-r1"], until=until))
    assert "of root" in refusal(shelf.ask(Release(person=CHIEF, why=WHY, recordings=["20261122-r1"])))
    made = shelf.ask(Hold(person=CHIEF, why=WHY, recordings=["20261122-r1"], until=until))
    released = shelf.ask(Release(person=CHIEF, why=WHY, holds=[made.holds[0].number]))
    assert [one.by for one in released.holds] == [CHIEF]
    assert len(shelf.ask(ListHolds()).holds) == 1
    shelf.ask(Release(why=WHY, recordings=["20261122-r1"]))
    assert shelf.ask(ListHolds()).holds == []


def test_catalogue_that_was_lost_is_made_again_from_the_journal(shelf: Shelf):
    shelf.record("20261122-r1", user="2301")
    shelf.record("20261122-r2", "police")
    shelf.ask(Hold(why=WHY, recordings=["20261122-r1"], until=shelf.now + DAY_SECONDS))
    shelf.archive.catch_up()
    before = shelf.catalogue.get("20261122-r1")
    shelf.die()
    for path in shelf.directory.glob("catalogue.sqlite*"):
        path.unlink()
    shelf.open()
    after = shelf.catalogue.get("20261122-r1")
    assert (after.user, after.line, after.policy, after.head) == ("2301", "secours", "pompiers", before.head)
    assert (after.begun, after.ended, after.bytes) == (before.begun, before.ended, before.bytes)
    assert after.caller == ""
    assert [one.recording for one in shelf.catalogue.holds(shelf.now)] == ["20261122-r1"]


def test_catalogue_of_another_journal_is_made_again_and_keeps_its_numbers(shelf: Shelf):
    shelf.record("20261122-r1")
    shelf.archive.catch_up()
    shelf.die()
    with sqlite3.connect(shelf.directory / "catalogue.sqlite") as connection:
        connection.execute("UPDATE place SET digest = ?", ("00" * 32,))
    connection.close()
    shelf.open()
    assert found(shelf, number="+33612345678") == ["20261122-r1"]


def test_file_that_is_no_catalogue_is_thrown_away(shelf: Shelf):
    shelf.record("20261122-r1")
    shelf.die()
    (shelf.directory / "catalogue.sqlite").write_bytes(
        b"not a database, but long enough to be taken for one" * 40
    )
    shelf.open()
    assert shelf.names() == ["20261122-r1"]


def test_policies_are_journalled_once_and_when_they_change(shelf: Shelf):
    shelf.archive.use([FIRE, POLICE])
    assert [one.about["policy"] for one in shelf.said("policy")] == ["pompiers", "police"]
    shelf.archive.use([FIRE])
    shelf.archive.use([FIRE])
    assert [(one.about["policy"], one.about["keep_days"]) for one in shelf.said("policy")][2:] == [
        ("police", None)
    ]
    assert "is a listener of no recordings" in refusal(
        shelf.ask(Search(person=OTHER_CHIEF, why=WHY, query=Query()))
    )


def test_journal_that_cannot_be_written_lets_nobody_hear(shelf: Shelf, monkeypatch: pytest.MonkeyPatch):
    shelf.record("20261122-r1")
    shelf.archive.catch_up()

    def full(_data: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shelf.journal, "_write", full)
    answer = shelf.ask(Open(person=CHIEF, why=WHY, recording="20261122-r1"))
    assert refusal(answer) == "No space left on device: nothing is done that can't be journalled"


def test_many_ask_at_once_while_recordings_begin_and_go(shelf: Shelf):
    names = [f"20261122-r{number}" for number in range(8)]
    for name in names:
        shelf.record(name)
    asked = [
        *[Search(person=CHIEF, why=WHY, query=Query(number="+33612345678")) for _ in range(20)],
        *[Hold(why=WHY, recordings=[name], until=shelf.now + DAY_SECONDS) for name in names[:4]],
        *[Purge(why=WHY, recording=name) for name in names],
        *[Show(person=CHIEF, why=WHY, recording=name) for name in names],
    ]
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(shelf.ask, asked))
    held = {one.recording for answer in answers if isinstance(answer, HoldList) for one in answer.holds}
    gone = {one.recording for answer in answers if isinstance(answer, Purged) for one in answer.tombstones}
    assert not held & gone
    assert set(shelf.names()) == set(names) - gone
    assert set(names[4:]) <= gone
    assert list(entries(shelf.journal.path, shelf.journal.key.public_key()))[-1].digest == shelf.journal.head
