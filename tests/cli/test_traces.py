"""`beffroi trace`: what was kept of malicious calls."""

from __future__ import annotations

from pbx.journal import Journal
from pbx.records import TraceRecord
from tests.cli.conftest import Town

TRACE = TraceRecord(
    "2010", "call1", 1_764_000_100.0, 1_764_000_000.0, "inbound", "+33601020304", "", True, "operateur-a",
    "203.0.113.1:5060", "abc@203.0.113.1", ("From: <sip:anonymous@anonymous.invalid>", "Privacy: id"),
)  # fmt: skip


def write(town: Town, *records: TraceRecord) -> None:
    journal = Journal(town.settings.journal_dir)
    for record in records:
        journal.append(record)
    journal.close()


def test_reported_calls_are_listed_and_shown_without_a_running_node(town: Town) -> None:
    assert town.run("trace", "list").out == "no call was reported\n"
    write(town, TRACE)
    listed = town.run("trace", "list").out
    assert "+33601020304" in listed
    assert "hidden" in listed
    shown = town.run("trace", "show", "call1").out
    assert "reported by: 2010" in shown
    assert "said: Privacy: id" in shown
    (printed,) = town.run("trace", "list", "--json").json
    assert (printed["caller"], printed["hidden"], printed["began"]) == (
        "+33601020304", True, "2025-11-24T16:00:00.000Z",
    )  # fmt: skip


def test_a_call_that_nobody_reported_is_told_as_such(town: Town) -> None:
    outcome = town.run("trace", "show", "nothing")
    assert outcome.status == 1
    assert "`beffroi trace list` names those that were" in outcome.err
