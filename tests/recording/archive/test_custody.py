"""What is asked over the pages: by whom they name, and of a recording that who asks needn't hear."""

from recording.archive.requests import (
    Answer,
    ApproveExport,
    AskExport,
    Custody,
    ExportAsked,
    ExportList,
    Hold,
    HoldList,
    InCustody,
    ListExports,
    Open,
    Refused,
    Request,
    Show,
    Shown,
    Verifiable,
    Verify,
)
from recording.live.wire import Policy
from recording.proof.verifier import verify_file
from tests.recording.archive.archived import CHIEF, NOBODY, OTHER_CHIEF, POLICE, Shelf, refusal

DEPUTY = "2202"
TWO = Policy("pompiers", "Délibération 2026-014", 60, (CHIEF, DEPUTY), "two_persons", register="n° 7")
R1 = "20261122-r1"
WHY = "réquisition 2026-88"


def over_pages(shelf: Shelf, request: Request) -> Answer:
    return shelf.archive.answer(request, "beffroi", over_pages=True)


def test_who_keeps_house_over_the_pages_is_named_in_the_journal(shelf: Shelf):
    shelf.record(R1)
    held = over_pages(shelf, Hold(keeper="claire", why=WHY, recordings=[R1], until=shelf.now + 9e5))
    assert isinstance(held, HoldList)
    (said,) = shelf.said("held")
    assert (said.by, said.about["account"], said.about["over"]) == ("claire", "beffroi", "pages")


def test_command_names_nobody_who_keeps_house(shelf: Shelf):
    shelf.record(R1)
    request = Hold(keeper="claire", why=WHY, recordings=[R1], until=shelf.now + 9e5)
    assert "by the node's own pages alone" in refusal(shelf.ask(request))
    assert [one.by for one in shelf.said("refused")] == ["root"]


def test_journal_tells_a_page_from_a_command(shelf: Shelf):
    shelf.record(R1)
    shelf.ask(Open(person=CHIEF, why=WHY, recording=R1))
    over_pages(shelf, Open(person=CHIEF, why=WHY, recording=R1))
    assert [one.about.get("over", "") for one in shelf.said("listened")] == ["", "pages"]


def test_auditor_reads_what_was_done_and_nothing_of_who_spoke(shelf: Shelf):
    shelf.record(R1, caller="+33612345678")
    shelf.ask(Open(person=CHIEF, why=WHY, recording=R1))
    told = over_pages(shelf, Custody(keeper="auditeur", recording=R1))
    assert isinstance(told, InCustody)
    assert [(one.what, one.by) for one in told.history] == [("listened", CHIEF), ("reported", "auditeur")]
    assert "612345678" not in repr(told)
    assert refusal(over_pages(shelf, Show(keeper="auditeur", why=WHY, recording=R1))).startswith(
        "say who listens"
    )


def test_person_reads_the_journal_of_recordings_that_they_hear_alone(shelf: Shelf):
    shelf.record(R1)
    assert isinstance(shelf.ask(Custody(person=CHIEF, recording=R1)), InCustody)
    for person in (OTHER_CHIEF, NOBODY):
        answer = shelf.ask(Custody(person=person, recording=R1))
        assert isinstance(answer, Refused)
        assert answer.word == "not_a_listener"


def test_what_verifies_a_recording_is_told_and_journalled(shelf: Shelf):
    shelf.record(R1)
    told = over_pages(shelf, Verify(keeper="auditeur", recording=R1))
    assert isinstance(told, Verifiable)
    assert verify_file(shelf.path(R1), told.head) == []
    assert [one.by for one in shelf.said("verified")] == ["auditeur"]


def test_requests_to_export_are_shown_until_they_are_used(shelf: Shelf):
    shelf.archive.use([TWO, POLICE])
    shelf.record(R1)
    asked = shelf.ask(AskExport(person=CHIEF, why=WHY, recording=R1))
    assert isinstance(asked, ExportAsked)
    assert shelf.ask(ListExports(person=DEPUTY)) == ExportList([asked])
    assert shelf.ask(ListExports(person=OTHER_CHIEF)) == ExportList([])
    shelf.ask(ApproveExport(person=DEPUTY, why="vu", request=asked.request))
    shown = shelf.ask(Show(person=CHIEF, why=WHY, recording=R1))
    assert isinstance(shown, Shown)
    assert [(one.request, one.approved_by) for one in shown.exports] == [(asked.request, DEPUTY)]
    shelf.ask(Open(person=CHIEF, why=WHY, recording=R1, purpose="export"))
    assert shelf.ask(ListExports(person=DEPUTY)) == ExportList([])


def test_request_of_yesterday_is_shown_to_nobody(shelf: Shelf):
    shelf.archive.use([TWO, POLICE])
    shelf.record(R1)
    shelf.ask(AskExport(person=CHIEF, why=WHY, recording=R1))
    shelf.days(1)
    assert shelf.ask(ListExports(person=DEPUTY)) == ExportList([])
