"""`beffroi settings`, `beffroi override`, and that `kill -9` at any moment loses none of what they told."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from pbx.journal import Journal
from pbx.records import ForwardSetting, OverrideRecord, PersonSettings, SetBy, Switch
from tests.cli.conftest import Town, run_command, serving
from tests.cli.test_signalling_restart import Party, kill_signalling

FAR = 4_000_000_000.0


def write(town: Town, *records: PersonSettings | OverrideRecord) -> None:
    """What a node has set before it ended."""
    journal = Journal(town.settings.journal_dir)
    for record in records:
        journal.append(record)
    journal.close()


def forwarded(when: str = "always", to: str = "2020", **fields: tuple[str, ...]) -> PersonSettings:
    who = SetBy("2010", 1_764_000_000.0)
    return PersonSettings("2010", (ForwardSetting(when, to, who, **fields),))


def kill_now(town: Town) -> None:
    asyncio.run(kill_signalling(town))


def test_what_was_told_to_be_set_outlives_kill_9(town: Town) -> None:
    with serving(town.configuration_file) as log_until:
        for number, extension in enumerate(("2010", "2301")):
            told = town.run("settings", "set", extension, "busy", "1001", "--by", f"test {number}")
            assert told.status == 0, told.err
            kill_now(town)
            assert f"settings={number + 1}" in log_until("settings=")
            log_until("ready plan=")
        closed = town.run("override", "add", "standard", "--until", "2099-01-01 08:00", "--to", "2010")
        assert closed.status == 1
        assert "within a year" in closed.err
        assert town.run("override", "add", "standard", "--until", "08:00", "--to", "2010").status == 0
        kill_now(town)
        log_until("ready plan=")
        listed = town.run("settings", "list", "--json").json
        assert [one["extension"] for one in listed] == ["2010", "2301"]
        (forward,) = listed[1]["forwards"]
        assert (forward["when"], forward["to"], forward["by"]) == ("busy", "1001", "test 1")
        (override,) = town.run("override", "list", "--json").json
        assert (override["name"], override["state"], override["to"]) == ("standard", "closed", "2010")
        refused = town.run("settings", "set", "2202", "always", "0044 20 7946 0958")
        assert refused.status == 1
        assert refused.err == "beffroi: class interne: doesn't allow international calls\n"
        explained = town.run("plan", "explain", "9", "--from", "1001", "--at", "2020-01-01 10:00").out
        assert "closed by hand until" in explained
        assert town.run("override", "remove", "standard").out == "everything is as planned\n"
        assert town.run("settings", "set", "2010", "do-not-disturb").status == 0
        assert town.run("settings", "clear", "2010", "do-not-disturb").status == 0
        switched = town.run("settings", "set", "2010", "call-waiting", "off", "--json").json
        assert switched[0]["call_waiting"]["on"] is False
        assert town.run("settings", "clear", "2010", "call-waiting").status == 0
        for extension in ("2010", "2301"):
            assert town.run("settings", "clear", extension).out == "nothing is set by hand\n"
        assert town.run("settings", "clear", "2010").status == 1
    assert town.run("settings", "list").out == "nothing is set by hand\n"


async def test_what_a_phone_was_told_to_be_set_outlives_kill_9(town: Town) -> None:
    """The 200 that answers the code leaves after the record was written: killed then, nothing is lost."""
    with town.serving() as log_until:
        caller = Party("1001", "pw1001", town.port, calls=1)
        try:
            async with asyncio.timeout(60):
                await caller.agent.register()
                call = caller.agent.invite("*78", caller.lines[0].offer())
                await call.answered()
                await kill_signalling(town)
                await asyncio.to_thread(log_until, "settings=1")
                await asyncio.to_thread(log_until, "ready plan=")
        finally:
            caller.close()
        (kept,) = (await asyncio.to_thread(town.run, "settings", "list", "--json")).json
        assert kept["do_not_disturb"]["by"] == "1001"


def test_what_is_set_is_listed_without_a_running_node(town: Town) -> None:
    write(
        town,
        forwarded(callers=("inside",), hours=("mon-fri 12:00-14:00",)),
        OverrideRecord("schedule", "bureau", True, FAR, "", SetBy("root", 1_764_000_000.0)),
    )
    out = town.run("settings", "list").out
    assert "inside, mon-fri 12:00-14:00" in out
    assert "2025-11-24 16:00:00" in out  # as every table shows it
    assert "bureau" in town.run("override", "list").out
    assert town.run("settings", "list", "2020").out == "nothing is set by hand\n"


def test_switches_are_listed(town: Town) -> None:
    who = SetBy("2010", 1_764_000_000.0)
    on, off = Switch(True, who), Switch(False, who)
    write(town, PersonSettings("2010", anonymous_rejection=on, call_waiting=off))
    rows = [line.split()[:3] for line in town.run("settings", "list").out.splitlines()]
    assert ["2010", "anonymous-rejection", "on"] in rows
    assert ["2010", "call-waiting", "off"] in rows


def test_nothing_is_changed_without_a_running_node(town: Town) -> None:
    outcome = town.run("settings", "set", "2010", "always", "2020")
    assert outcome.status == 1
    assert "no node runs" in outcome.err
    assert "settings are changed in a running node" in outcome.err


def test_explain_tells_who_set_a_forward_and_when(town: Town) -> None:
    write(town, forwarded())
    outcome = town.run("plan", "explain", "2010", "--from", "1001")
    assert "because 2010 set it on 2025-11-24 at 17:00" in outcome.out
    assert outcome.out.endswith("=> user 2020 (Urbanisme)\n")


def test_explain_of_another_plan_knows_nothing_of_this_node(town: Town, tmp_path: Path) -> None:
    write(town, forwarded())
    outcome = town.run("plan", "explain", "2010", "--from", "1001", "--plan", str(town.plan_file))
    assert outcome.out.endswith("=> user 2010 (État civil)\n")


def test_a_backup_holds_what_was_set(town: Town, tmp_path: Path) -> None:
    write(town, forwarded())
    archive, elsewhere = tmp_path / "town.tar.gz", tmp_path / "elsewhere"
    assert town.run("backup", "create", str(archive)).status == 0
    assert run_command("backup", "restore", str(archive), "--into", str(elsewhere)).status == 0
    listed = run_command("settings", "list", "--json", "-c", str(elsewhere / "beffroi.yaml")).json
    assert [one["to"] for one in listed[0]["forwards"]] == ["2020"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("settings", "set", "2010", "sometimes", "2020"), "WHAT: "),
        (("settings", "set", "2010", "busy"), "NUMBER: say where the calls go"),
        (("settings", "set", "2010", "do-not-disturb", "2020"), "takes nothing else"),
        (("settings", "set", "2010", "call-waiting", "perhaps"), "NUMBER: call-waiting is `on` or `off`"),
        (("settings", "clear", "2010", "sometimes"), "WHAT: "),
        (("override", "add", "standard", "--until", "soon"), '--until: "soon" is no time'),
    ],
)
def test_what_is_misused_is_told_with_the_mend(town: Town, words: tuple[str, ...], said: str) -> None:
    outcome = town.run(*words)
    assert outcome.status == 2
    assert said in outcome.err
