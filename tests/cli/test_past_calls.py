"""`beffroi plan explain --call`: a past call by the plan of its time, and what isn't known of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from dialplan.loading import load_plan
from pbx.records import CallRecord, LegRecord
from tests.cli.conftest import Town
from tests.cli.test_calls import write_journal
from tests.pbx.sample_records import call

NIGHT = 1_700_000_000.0  # 14 November 2023, 23:13 in the town


def outside_call(town: Town) -> CallRecord:
    """Alice calls a mobile number from the fire station, under the town's plan."""
    leg = LegRecord("1001", "10.54.2.7:5060", "udp", "PCMA", NIGHT, NIGHT + 3, NIGHT + 9, "completed")
    return replace(
        call(1),
        started=NIGHT,
        direction="outbound",
        from_="1001",
        dialled="0612345678",
        plan_version=load_plan(town.plan_file).version,
        legs=[leg],
    )


def apply(town: Town, old: str, new: str) -> None:
    text = town.plan_file.read_text("utf-8")
    assert old in text
    file = town.folder / "new.yaml"
    file.write_text(text.replace(old, new, 1), "utf-8")
    assert town.run("plan", "apply", str(file), "--yes").status == 0


def test_a_past_call_is_explained_by_the_plan_of_its_time(town: Town):
    record = outside_call(town)
    write_journal(town, record)
    line = town.line_of("{to: mobile,")
    apply(town, "plan: 1", "# ours\nplan: 1")
    apply(town, "via: [operateur-b, operateur-a]", "via: [operateur-b]")
    outcome = town.run("plan", "explain", "--call", record.id)
    assert outcome.status == 0
    assert outcome.out.splitlines()[0] == (
        f"{record.id}: 1001 dialled 0612345678 under plan {record.plan_version}"
    )
    (rule,) = [shown for shown in outcome.out.splitlines() if "route to mobile" in shown]
    assert rule.startswith(f"{record.plan_version}.yaml:{line} ")
    assert "caserne, by the device's address" in outcome.out
    assert "=> +33612345678 by operateur-b, then operateur-a, showing" in outcome.out


def test_what_the_record_does_not_have_is_said(town: Town):
    record = outside_call(town)
    write_journal(town, record)
    last = town.run("plan", "explain", "--call", record.id).out.splitlines()[-1]
    assert last.startswith("not in the record: ")
    assert "trunks that were down; what was spent of budgets" in last
    write_journal(town, replace(record, id="0000000000000002", legs=[]))
    printed = town.run("plan", "explain", "--call", "0000000000000002", "--json").json
    assert printed["not_recorded"][0] == "the caller's device and its address"


def test_a_hidden_caller_from_outside_is_told_as_one(town: Town):
    trunk = replace(call(1).legs[0], device="operateur-a")
    record = replace(outside_call(town), direction="inbound", from_="", dialled="+33383000100", legs=[trunk])
    write_journal(town, record)
    outcome = town.run("plan", "explain", "--call", record.id)
    assert "a hidden number dialled +33383000100" in outcome.out
    assert "=> service repondeur-mairie" in outcome.out  # at night
    assert "not in the record: the caller's number; " in outcome.out


def test_a_version_that_is_not_kept_is_said(town: Town):
    write_journal(town, call(1))
    outcome = town.run("plan", "explain", "--call", call(1).id)
    assert outcome.status == 1
    assert outcome.err == (
        "beffroi: this call ran under plan abcdef123456, and the text of plan abcdef123456 isn't kept in "
        f"{town.settings.data_dir / 'plans'}\n"
    )


def test_a_plan_version_that_is_none_never_names_a_file(town: Town, tmp_path: Path):
    write_journal(town, replace(call(1), plan_version="../../secret"))
    outcome = town.run("plan", "explain", "--call", call(1).id)
    assert outcome.status == 1
    assert '"../../secret" is no version of a plan' in outcome.err


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        (("--call", "nothing"), 1, 'no ended call has the id "nothing"; `beffroi call list` shows the ids'),
        (("--call", "nothing", "18"), 2, "--call: the record says the rest; give nothing else"),
        (("18",), 2, "NUMBER --from CALLER: give both, or --call ID for a call that has ended"),
        ((), 2, "NUMBER --from CALLER: give both, or --call ID for a call that has ended"),
    ],
)
def test_a_question_about_the_past_that_cannot_be_asked_is_one_sentence(
    town: Town, arguments: tuple[str, ...], status: int, sentence: str
):
    outcome = town.run("plan", "explain", *arguments)
    assert (outcome.status, outcome.err) == (status, f"beffroi: {sentence}\n")
