"""The audit journal: several writers, one chain, and nothing in it that mustn't be."""

import asyncio
import json
import multiprocessing
from pathlib import Path
from typing import Any

import pytest

from pbx.audit.entry import By, fields_of
from pbx.audit.journal import Audit, AuditJournal, AuditUnavailable, enter_now
from tests.recording.sealed import NODE

CHIEF = By("chef", "session", "192.0.2.7")


def journal_in(folder: Path) -> AuditJournal:
    return AuditJournal(folder / "audit" / "journal", NODE)


def lines_of(journal: AuditJournal) -> list[dict[str, Any]]:
    return [json.loads(line.partition(b"\t")[0]) for line in journal.path.read_bytes().splitlines()]


def test_entry_says_who_did_what_to_whom(tmp_path: Path):
    journal = journal_in(tmp_path)
    entry = enter_now(journal, 12.5, "people.add", CHIEF, whom="1001", name="Alice")
    assert (entry.number, entry.by, entry.how, entry.address, entry.whom) == (
        0,
        "chef",
        "session",
        "192.0.2.7",
        "1001",
    )
    (line,) = lines_of(journal)
    assert line["about"] == {"whom": "1001", "name": "Alice"}
    assert line["what"] == "people.add"


def test_journal_is_its_owners_alone(tmp_path: Path):
    journal = journal_in(tmp_path)
    enter_now(journal, 1.0, "plan.apply", CHIEF)
    assert journal.path.stat().st_mode & 0o777 == 0o600
    assert journal.path.parent.stat().st_mode & 0o777 == 0o700


async def test_entries_that_wait_go_to_the_disk_together(tmp_path: Path):
    writes: list[int] = []

    class Counted(AuditJournal):
        def append(self, entries):
            writes.append(len(entries))
            return super().append(entries)

    audit = Audit(Counted(tmp_path / "audit" / "journal", NODE))
    entered = await asyncio.gather(*(audit.enter(float(n), "a.b", CHIEF, n=n) for n in range(50)))
    assert [entry.number for entry in entered] == list(range(50))
    assert writes == [1, 49]
    assert [line["about"]["n"] for line in lines_of(audit.journal)] == list(range(50))


async def test_somebody_who_goes_away_takes_nobodys_entry_along(tmp_path: Path):
    audit = Audit(journal_in(tmp_path))
    gone = asyncio.get_running_loop().create_task(audit.enter(1.0, "a.gone", CHIEF))
    await asyncio.sleep(0)
    gone.cancel()
    entry = await audit.enter(2.0, "a.stays", CHIEF)
    assert entry.number == 1
    assert [line["what"] for line in lines_of(audit.journal)] == ["a.gone", "a.stays"]


def _enter_many(path: Path, name: str) -> None:
    journal = AuditJournal(path, NODE)
    for number in range(20):
        enter_now(journal, float(number), "a.b", By(name, "command"))


def test_processes_that_write_at_once_make_one_chain(tmp_path: Path):
    journal = journal_in(tmp_path)
    fork = multiprocessing.get_context("fork")
    writers = [fork.Process(target=_enter_many, args=(journal.path, f"w{n}")) for n in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(30)
    lines = lines_of(journal)
    assert [line["number"] for line in lines] == list(range(60))
    assert len({line["previous"] for line in lines}) == 60
    assert {line["by"] for line in lines} == {"w0", "w1", "w2"}


def test_line_that_a_death_cut_is_repaired(tmp_path: Path):
    journal = journal_in(tmp_path)
    enter_now(journal, 1.0, "a.b", CHIEF)
    with journal.path.open("ab") as file:
        file.write(b'{"about":{},"addr')
    assert enter_now(journal, 2.0, "a.c", CHIEF).number == 1
    assert [line["what"] for line in lines_of(journal)] == ["a.b", "a.c"]


def test_file_whose_end_was_changed_is_set_aside_and_named_by_its_successor(tmp_path: Path):
    journal = journal_in(tmp_path)
    enter_now(journal, 1.0, "a.b", CHIEF)
    written = journal.path.read_bytes()
    journal.path.write_bytes(written.replace(b'"chef"', b'"chat"'))
    assert enter_now(journal, 2.0, "a.c", CHIEF).number == 1
    begun, entry = lines_of(journal)
    assert begun["what"] == "audit.set_aside"
    assert entry["what"] == "a.c"
    aside = journal.path.with_name(begun["about"]["file"])
    assert aside.read_bytes() == written.replace(b'"chef"', b'"chat"')


def test_disk_that_takes_nothing_is_said_and_adds_nothing(tmp_path: Path):
    (tmp_path / "audit").write_text("a file where the folder should be")
    with pytest.raises(AuditUnavailable):
        enter_now(journal_in(tmp_path), 1.0, "a.b", CHIEF)


def test_a_disk_without_room_is_told_before_anything_is_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    journal = journal_in(tmp_path)
    journal.check()
    monkeypatch.setattr("pbx.audit.journal.ROOM_BYTES", 1 << 62)
    with pytest.raises(AuditUnavailable, match="the disk is full"):
        journal.check()
    assert lines_of(journal) == []


@pytest.mark.parametrize("name", ["password", "client_secret", "csrf", "pin", "ha1", "new_token"])
def test_what_would_be_a_secret_is_refused(name: str):
    with pytest.raises(ValueError, match="secret"):
        fields_of(1.0, "a.b", CHIEF, {name: "x"})


@pytest.mark.parametrize(
    "number", ["+33612345678", "06 12 34 56 78", "06.12.34.56.78", "tel:+33327001234", "sip:0612345678@x"]
)
def test_citizens_number_is_not_written(number: str):
    about = fields_of(1.0, "a.b", CHIEF, {"to": number, "all": [number]})["about"]
    assert about == {"to": "(number not written)", "all": ["(number not written)"]}


@pytest.mark.parametrize("text", ["1001", "192.168.100.123", "2026-12-25", "8200-mairie", "0612345678 rue"])
def test_what_is_no_number_of_a_citizen_is_written(text: str):
    assert fields_of(1.0, "a.b", CHIEF, {"said": text})["about"] == {"said": text}


@pytest.mark.parametrize("what", ["people", "People.Add", "a.b.c", "a b.c", "a." + "b" * 41])
def test_what_is_a_noun_and_a_verb(what: str):
    with pytest.raises(ValueError, match="noun"):
        fields_of(1.0, what, CHIEF, {})


def test_what_is_said_is_bounded(tmp_path: Path):
    long = ["é" * 5000] * 50
    entry = enter_now(
        journal_in(tmp_path), 1.0, "a.b", CHIEF, whom="1" * 4 + "x" * 5000, one=long, two=long, n=1
    )
    assert entry.about["shortened"] is True
    assert (len(entry.about["whom"]), entry.about["n"]) == (500, 1)


def test_text_that_is_no_text_is_written_all_the_same(tmp_path: Path):
    journal = journal_in(tmp_path)
    enter_now(journal, 1.0, "a.b", CHIEF, name="\udce9\x1b[31m\n", rate=float("nan"))
    (line,) = lines_of(journal)
    assert line["about"] == {"name": "?\x1b[31m\n", "rate": "nan"}
