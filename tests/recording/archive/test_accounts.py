"""What a data protection officer is told, and what is done for somebody who asks about their number."""

import json

import msgspec
import pytest

from recording.archive.report import MOST_LISTED, written
from recording.archive.requests import (
    AboutNumber,
    Account,
    Accounted,
    Erased,
    EraseNumber,
    FindNumber,
    Hold,
    Open,
    Purge,
    Query,
    Search,
)
from recording.archive.subject import NotSigned, hashed, read
from recording.retention import DAY_SECONDS, ClockSeen, doubt
from tests.recording.archive.archived import CHIEF, FIRE, NOBODY, POLICE, Shelf, refusal
from tests.recording.sealed import NODE

CITIZEN = "+33612345678"
R1, R2, R3 = "20261122-r1", "20261122-r2", "20261122-r3"


def account(shelf: Shelf, days: float = 400) -> Accounted:
    answer = shelf.ask(Account(since=shelf.now - days * DAY_SECONDS, until=shelf.now + 1))
    assert isinstance(answer, Accounted), answer
    return answer


def a_busy_month(shelf: Shelf) -> None:
    shelf.record(R1)
    shelf.record(R2, "police")
    shelf.record(R3)
    shelf.ask(Search(person=CHIEF, why="réclamation 31", query=Query(number=CITIZEN)))
    shelf.ask(Open(person=CHIEF, why="réclamation 31", recording=R1))
    shelf.ask(Open(person=NOBODY, why="curiosité", recording=R1))
    shelf.ask(Hold(why="réquisition 12", recordings=[R1], until=shelf.now + 90 * DAY_SECONDS))
    shelf.days(30)
    shelf.archive.purge_due()
    shelf.ask(Purge(why="appel de test", recording=R3))


def test_account_says_what_is_kept_who_used_it_and_what_is_gone(shelf: Shelf):
    a_busy_month(shelf)
    told = account(shelf)
    by_name = {one.policy.name: one for one in told.policies}
    assert (by_name["pompiers"].kept, by_name["pompiers"].held, by_name["pompiers"].purged) == (1, 1, 1)
    assert (by_name["police"].kept, by_name["police"].begun, by_name["police"].purged) == (0, 1, 1)
    assert by_name["pompiers"].policy.register == "n° 7"
    assert [(one.what, one.by) for one in told.used] == [
        ("searched", CHIEF),
        ("listened", CHIEF),
        ("refused", NOBODY),
        ("reported", "root"),
    ]
    assert [(one.recording, one.cause) for one in told.tombstones] == [(R2, "due"), (R3, "early")]
    assert [one.recording for one in told.holds] == [R1]
    assert told.head == shelf.journal.head


def test_account_is_of_its_period(shelf: Shelf):
    a_busy_month(shelf)
    told = account(shelf, days=1)
    assert [one.what for one in told.used] == ["reported"]
    assert {one.policy.name: one.begun for one in told.policies} == {"pompiers": 0, "police": 0}
    assert "after it begins" in refusal(shelf.ask(Account(since=2.0, until=1.0)))


def test_account_is_the_administrators(shelf: Shelf):
    assert "may not have the account" in refusal(shelf.ask(Account(person=CHIEF, since=0.0, until=1.0)))


@pytest.mark.parametrize(
    ("language", "wanted"),
    [
        (
            "fr",
            [
                "Compte rendu des enregistrements de conversations",
                "base légale               : Délibération 2026-014",
                "registre des traitements  : n° 7",
                "durée de conservation     : 60 jours",
                "1 (",
                " o), 1 sous conservation forcée",
                "2201 (root)  a écouté 20261122-r1 : réclamation 31",
                "1001 (root)  refusé (ouvrir) 20261122-r1 : sans y avoir droit [curiosité]",
                "par root : réquisition 12",
                "police : 1 (",
                "à l'échéance",
                "avant l'échéance, sur décision, par root : appel de test",
                "L'horloge est sûre",
            ],
        ),
        (
            "en",
            [
                "Account of recorded conversations",
                "legal basis               : Délibération 2026-014",
                "2201 (root)  listened 20261122-r1: réclamation 31",
                "before its time, by decision, by root: appel de test",
                "The clock is trusted",
            ],
        ),
    ],
)
def test_document_reads_in_both_languages_and_names_no_citizen(shelf: Shelf, language, wanted: list[str]):
    a_busy_month(shelf)
    text = written(account(shelf), language)
    for said in wanted:
        assert said in text
    assert "12345678" not in text
    assert not any(line.endswith(" ") for line in text.splitlines())


@pytest.mark.parametrize(
    ("seen", "french"),
    [
        (ClockSeen(5000.0, 5000.0, "a", synchronised=False), "l'horloge n'est pas synchronisée"),
        (ClockSeen(500.0, 5000.0, "a", synchronised=True), "l'horloge a reculé de 500 s"),
        (ClockSeen(9600.0, 5000.0, "a", synchronised=True), "l'horloge a été réglée de +4600 s"),
        (ClockSeen(9 * DAY_SECONDS + 1000, 1.0, "b", synchronised=True), "arrêtée pendant 9 jours"),
    ],
)
def test_document_says_in_its_language_why_the_clock_is_doubted(shelf: Shelf, seen: ClockSeen, french: str):
    why = doubt(ClockSeen(1000.0, 1000.0, "a", synchronised=True), seen)
    told = msgspec.structs.replace(account(shelf), clock=why)
    assert french in written(told, "fr")
    assert why in written(told, "en")


def test_document_of_an_empty_period_says_nothing_where_there_is_nothing(shelf: Shelf):
    text = written(account(shelf, days=0.0001), "en")
    assert text.count("Nothing.") == 4


def test_document_lists_the_newest_of_very_many(shelf: Shelf):
    for number in range(MOST_LISTED + 5):
        shelf.journal.append(shelf.now, "listened", "", CHIEF, why=f"motif {number}")
    text = written(account(shelf), "en")
    assert "… and 6 more, in the journal" in text
    assert "motif 204" in text
    assert "motif 5\n" not in text


def test_what_there_is_about_a_number_is_found_whoever_called(shelf: Shelf):
    shelf.record(R1, caller=CITIZEN)
    shelf.record(R2, "police", caller="2301", called=CITIZEN)
    shelf.record(R3, caller="+33699999999")
    shelf.ask(Search(person=CHIEF, why="réclamation 31", query=Query(number=CITIZEN)))
    told = shelf.ask(FindNumber(why="demande RGPD 5", number=CITIZEN))
    assert isinstance(told, AboutNumber)
    assert [one.recording for one in told.found] == [R2, R1]
    assert list(told.stays) == [R2]  # police must be kept for 10 days
    assert [(one.by, one.about["why"]) for one in told.searched] == [(CHIEF, "réclamation 31")]


def test_only_what_may_be_erased_is_and_the_receipt_says_why_the_rest_stays(shelf: Shelf):
    shelf.record(R1, caller=CITIZEN)
    shelf.record(R2, "police", caller=CITIZEN)
    shelf.record(R3, caller=CITIZEN)
    shelf.begin("20261122-r4", caller=CITIZEN)
    shelf.ask(Hold(why="réquisition", recordings=[R3], until=shelf.now + DAY_SECONDS))
    done = shelf.ask(EraseNumber(why="demande RGPD 5", number=CITIZEN, calls_found=3, calls_erased=2))
    assert isinstance(done, Erased)
    assert done.erased == [R1]
    assert done.stays == {
        "20261122-r4": "it still goes on",
        R3: "it is held until 2026-11-23T09:33:00Z",
        R2: "it must be kept until 2026-12-02T09:32:00Z",
    }
    assert shelf.names() == ["20261122-r4", R3, R2]
    said = read(done.receipt, NODE.public_key())
    assert (said["number"], said["erased"], said["stay"]) == (CITIZEN, [R1], done.stays)
    assert (said["calls_found"], said["calls_erased"]) == (3, 2)


def test_journal_bears_the_receipt_out_and_has_no_number(shelf: Shelf):
    shelf.record(R1, caller=CITIZEN)
    done = shelf.ask(EraseNumber(why="demande RGPD 5", number=CITIZEN))
    said = read(done.receipt, NODE.public_key())
    (entry,) = shelf.said("erasure")
    assert entry.number == said["entry"]
    assert entry.about["number_hash"] == hashed(bytes.fromhex(said["salt"]), CITIZEN)
    assert b"12345678" not in (shelf.directory / "journal").read_bytes()


def test_receipt_that_was_changed_is_none(shelf: Shelf):
    done = shelf.ask(EraseNumber(why="demande RGPD 5", number=CITIZEN))
    for changed in (
        done.receipt.replace(CITIZEN, "+33600000000"),
        "{}",
        "[]",
        "",
        json.dumps({"signature": 3}),
        done.receipt[:-3],
    ):
        with pytest.raises(NotSigned):
            read(changed, NODE.public_key())


def test_number_is_asked_about_by_the_administrator_with_a_reason(shelf: Shelf):
    assert "may not" in refusal(shelf.ask(FindNumber(person=CHIEF, why="x", number=CITIZEN)))
    assert "say why" in refusal(shelf.ask(FindNumber(number=CITIZEN)))
    assert "may not" in refusal(shelf.ask(EraseNumber(person=CHIEF, why="x", number=CITIZEN)))
    assert "say why" in refusal(shelf.ask(EraseNumber(number=CITIZEN)))


def test_account_tells_of_policies_that_changed(shelf: Shelf):
    shelf.archive.use([FIRE])
    text = written(account(shelf), "en")
    assert f"policy pompiers: 60 days, {FIRE.legal_basis}" in text
    assert "policy police left the plan" in text
    assert POLICE.legal_basis in text
