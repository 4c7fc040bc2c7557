"""Two persons export: one asks, another agrees, and each approval serves once."""

import pytest

from recording.archive.requests import (
    ApproveExport,
    AskExport,
    ExportAsked,
    Journalled,
    Open,
    Opened,
    Packaged,
)
from recording.live.wire import Policy
from tests.recording.archive.archived import CHIEF, FIRE, NOBODY, OTHER_CHIEF, POLICE, Shelf, refusal

DEPUTY = "2202"
TWO = Policy("pompiers", "Délibération 2026-014", 60, (CHIEF, DEPUTY), "two_persons", register="n° 7")
WHY = "réquisition 2026-88"
R1 = "20261122-r1"


@pytest.fixture
def two(shelf: Shelf) -> Shelf:
    """A recording that two persons export together."""
    shelf.archive.use([TWO, POLICE])
    shelf.record(R1)
    return shelf


def ask(shelf: Shelf, person: str = CHIEF) -> int:
    answer = shelf.ask(AskExport(person=person, why=WHY, recording=R1))
    assert isinstance(answer, ExportAsked), answer
    return answer.request


def export(shelf: Shelf, person: str = CHIEF) -> object:
    return shelf.ask(Open(person=person, why=WHY, recording=R1, purpose="export"))


def test_export_that_another_listener_approved_is_opened_and_names_both(two: Shelf):
    number = ask(two)
    answer = two.ask(ApproveExport(person=DEPUTY, why="vu avec le chef", request=number))
    assert isinstance(answer, ExportAsked)
    assert (answer.recording, answer.by, answer.approved_by) == (R1, CHIEF, DEPUTY)
    assert isinstance(export(two), Opened)
    (said,) = two.said("exported")
    assert (said.by, said.about["request"], said.about["approved_by"]) == (CHIEF, number, DEPUTY)


def test_nobody_exports_alone(two: Shelf):
    assert "ask first" in refusal(export(two))
    number = ask(two)
    assert f"request {number} waits for another listener" in refusal(export(two))
    assert "another listener approves" in refusal(
        two.ask(ApproveExport(person=CHIEF, why=WHY, request=number))
    )
    assert two.said("exported") == []


def test_approval_serves_who_asked_and_once(two: Shelf):
    number = ask(two)
    two.ask(ApproveExport(person=DEPUTY, why=WHY, request=number))
    assert "ask first" in refusal(export(two, DEPUTY))
    assert isinstance(export(two), Opened)
    assert "ask first" in refusal(export(two))


def test_request_and_approval_are_good_for_a_day(two: Shelf):
    number = ask(two)
    two.days(1.01)
    late = two.ask(ApproveExport(person=DEPUTY, why=WHY, request=number))
    assert "no request" in refusal(late)
    number = ask(two)
    two.ask(ApproveExport(person=DEPUTY, why=WHY, request=number))
    two.days(1.01)
    assert "ask first" in refusal(export(two))


@pytest.mark.parametrize("person", [NOBODY, OTHER_CHIEF, ""])
def test_who_is_no_listener_approves_nothing(two: Shelf, person: str):
    number = ask(two)
    refusal(two.ask(ApproveExport(person=person, why=WHY, request=number)))
    assert [said.by for said in two.said("refused")] == [person or "root"]
    assert "waits" in refusal(export(two))


def test_request_needs_a_reason_and_a_policy_that_asks_for_two(two: Shelf):
    assert "say why" in refusal(two.ask(AskExport(person=CHIEF, recording=R1)))
    two.archive.use([FIRE, POLICE])
    one_person = two.ask(AskExport(person=CHIEF, why=WHY, recording=R1))
    assert "nobody needs to be asked" in refusal(one_person)
    assert isinstance(export(two), Opened)


def test_recording_that_goes_on_is_not_exported(shelf: Shelf):
    shelf.begin(R1)
    assert "still goes on" in refusal(export(shelf))


def test_package_is_journalled_for_who_opened_the_recording(two: Shelf):
    made = Packaged(person=CHIEF, why=WHY, recording=R1, sums="ab" * 32, format="flac")
    assert "hasn't opened" in refusal(two.ask(made))
    two.ask(ApproveExport(person=DEPUTY, why=WHY, request=ask(two)))
    export(two)
    answer = two.ask(made)
    assert isinstance(answer, Journalled)
    (said,) = two.said("packaged")
    assert (said.number, said.about["sums"]) == (answer.number, "ab" * 32)
    odd = Packaged(person=CHIEF, why=WHY, recording=R1, sums="x", format="flac")
    assert "SHA-256" in refusal(two.ask(odd))
