"""`beffroi call`: every ended call is listed once, wherever it lies."""

from __future__ import annotations

import csv
from pathlib import Path

from msgspec.structs import replace

from pbx.journal import Journal
from pbx.records import CallRecord, Interval, LegRecord
from pbx.store.calls import insert_calls
from pbx.store.database import open_database
from pbx.store.revision import upgrade
from pbx.worker import Worker
from tests.cli.conftest import Town, run_command
from tests.pbx.messages.talk import Line, request
from tests.pbx.sample_records import call

MORNING = 1_798_192_800.0  # 2026-12-25T10:00:00Z


def write_journal(town: Town, *records: CallRecord) -> None:
    journal = Journal(town.settings.journal_dir)
    for record in records:
        journal.append(record)
    journal.close()


def import_journal(town: Town) -> None:
    worker = Worker(town.settings)
    worker.step(0.0, MORNING)
    worker.close(0.0)


def listed(town: Town, *options: str) -> list[str]:
    return [record["id"] for record in town.run("call", "list", "--json", *options).json]


def test_a_call_that_only_the_journal_holds_is_listed(town: Town):
    write_journal(town, call(1))
    assert listed(town) == [call(1).id]


def test_a_call_in_journal_and_database_is_listed_once(town: Town):
    write_journal(town, call(1))
    import_journal(town)
    write_journal(town, call(2))
    assert listed(town) == [call(2).id, call(1).id]


def test_a_call_is_listed_when_its_segment_is_gone_and_the_database_has_it(town: Town):
    database = open_database(town.settings.database)
    upgrade(database)
    database.write(lambda connection: insert_calls(connection, [call(7)]))
    database.close()
    assert listed(town) == [call(7).id]


def test_a_torn_tail_hides_no_call_before_it(town: Town):
    write_journal(town, call(1), call(2))
    (segment,) = town.settings.journal_dir.glob("calls-*.seg")
    segment.write_bytes(segment.read_bytes()[:-3])
    assert listed(town) == [call(1).id]


def test_a_segment_that_goes_away_while_it_is_read_hides_no_other(town: Town):
    write_journal(town, call(1))
    # What the worker deletes between the list of names and the reading of the file looks like this.
    (town.settings.journal_dir / "calls-000000000000.seg").symlink_to("gone")
    assert listed(town) == [call(1).id]


def test_damage_in_one_segment_hides_no_other(town: Town):
    write_journal(town, call(1))
    (segment,) = town.settings.journal_dir.glob("calls-*.seg")
    write_journal(town, call(2))
    segment.write_bytes(segment.read_bytes()[:30] + b"\xff" * 500)
    assert listed(town) == [call(2).id]


def test_the_limit_keeps_the_newest_of_both(town: Town):
    write_journal(town, *(call(number) for number in (1, 5)))
    import_journal(town)
    write_journal(town, *(call(number) for number in (3, 4)))
    assert listed(town, "--limit", "2") == [call(5).id, call(4).id]


def test_filters_hold_for_the_journal_and_the_database_alike(town: Town):
    stored = replace(call(2), direction="inbound", from_="+33699999999", legs=[])
    waiting = replace(call(4), direction="inbound", from_="+33699999999", legs=[])
    write_journal(town, call(1), stored)
    import_journal(town)
    write_journal(town, call(3), waiting)
    assert listed(town, "--direction", "inbound") == [waiting.id, stored.id]
    assert listed(town, "--number", "+33699999999") == [waiting.id, stored.id]
    assert listed(town, "--number", "06 99 99 99 99") == [waiting.id, stored.id]
    assert listed(town, "--number", "1001") == [call(3).id, call(1).id]
    assert listed(town, "--party", "1001", "--number", "1002") == [call(3).id, call(1).id]
    assert listed(town, "--name", "martín ali", "--direction", "internal") == [call(3).id, call(1).id]
    for nothing in (("--missed",), ("--recorded",), ("--quality-below", "3")):
        assert listed(town, *nothing) == []


def test_since_and_until_bound_the_start(town: Town):
    write_journal(town, *(replace(call(number), started=MORNING + number) for number in (0, 60, 120)))
    chosen = listed(town, "--since", "2026-12-25 10:01", "--until", "2026-12-25T10:02:00Z")
    assert chosen == [call(60).id]


def test_a_duration_means_ago(town: Town):
    write_journal(town, call(1))  # of 2023
    assert listed(town, "--since", "99999d") == [call(1).id]
    assert listed(town, "--since", "2h") == []


def test_a_time_that_is_none_is_a_usage_error_with_the_mend(town: Town):
    outcome = town.run("call", "list", "--since", "yesterday")
    assert outcome.status == 2
    assert outcome.err == (
        'beffroi: --since: "yesterday" is no time; '
        'write "2026-12-25 10:00", 2026-12-25, or 30m, 2h, 7d for ago\n'
    )


def test_the_json_of_a_call_has_the_agreed_shape(town: Town):
    write_journal(town, call(1))
    (record,) = town.run("call", "list", "--json").json
    assert list(record) == [
        "id",
        "started",
        "answered",
        "ended",
        "direction",
        "from",
        "from_name",
        "dialled",
        "to",
        "cause",
        "plan_version",
        "legs",
        "intervals",
        "parents",
        "plan_lines",
        "hidden",
        "recorded",
    ]
    assert list(record["legs"][0]) == [
        "device",
        "address",
        "transport",
        "codec",
        "started",
        "answered",
        "ended",
        "cause",
        "quality",
        "media",
        "name",
        "number",
        "direction",
        "reached",
        "via",
        "call_id",
    ]
    assert record["started"] == "2023-11-14T22:13:21.000Z"
    assert record["legs"][1]["answered"] is None


def test_the_table_shows_who_called_whom(town: Town):
    write_journal(town, call(1))
    out = town.run("call", "list").out
    assert "1001 Alice Martin" in out
    assert "2023-11-14 22:13:21" in out


def test_no_call_is_said_so(town: Town):
    assert town.run("call", "list").out == "no ended call\n"


def test_a_name_chosen_by_a_stranger_is_shown_and_not_obeyed(town: Town):
    write_journal(town, replace(call(1), from_name="[red]\x1b[31mEve[/]"))
    out = town.run("call", "list").out
    assert "[red]\ufffd[31mEve[/]" in out


def test_show_tells_the_legs_and_why_it_went_there(town: Town):
    version = town.run("plan", "explain", "1002", "--from", "1001", "--json").json["plan_version"]
    leg = LegRecord("1001", "10.54.2.7:5060", "udp", "PCMA", MORNING, None, MORNING + 9, "cancelled")
    write_journal(town, replace(call(1), plan_version=version, legs=[leg]))
    outcome = town.run("call", "show", call(1).id)
    assert "10.54.2.7:5060" in outcome.out
    assert "caserne, by the device's address" in outcome.out
    assert "=> user 1002 (Bruno Petit)" in outcome.out


def test_show_tells_who_heard_whom_and_the_calls_it_came_from_and_led_to(town: Town):
    caller, callee = call(2).legs
    started = call(2).started
    parent = replace(
        call(2),
        legs=[
            replace(caller, name="a", number="1001", reached="calls"),
            replace(callee, name="b1", number="1002", reached="forwarded", via="2010"),
        ],
        intervals=(
            Interval("talk", started, started + 3, ("a", "b1")),
            Interval("held", started + 3, started + 8, ("b1",)),
        ),
    )
    write_journal(town, parent, replace(call(3), parents=(parent.id,)))
    import_journal(town)
    write_journal(town, replace(call(4), parents=(parent.id,)))
    out = town.run("call", "show", parent.id).out
    assert "forwarded 2010" in out
    assert "1001 and 1002 talked" in out
    assert "1002 on hold" in out
    assert f"led to     {call(3).id} {call(4).id}\n" in out
    assert f"made for   {parent.id}\n" in town.run("call", "show", call(3).id).out
    assert town.run("call", "show", parent.id, "--json").json["children"] == [call(4).id, call(3).id]


def test_show_explains_a_call_from_a_trunk_at_the_hour_that_it_came(town: Town):
    version = town.run("plan", "explain", "1002", "--from", "1001", "--json").json["plan_version"]
    record = replace(
        call(1),
        direction="inbound",
        from_="+33699999999",
        dialled="+33383000100",
        started=MORNING,
        plan_version=version,
        legs=[replace(call(1).legs[0], device="operateur-a")],
    )
    write_journal(town, record)
    why = town.run("call", "show", record.id, "--json").json["why"]
    assert why["lines"][-1] == "=> service repondeur-mairie (voicemail)"  # 25 December
    assert set(why["steps"][0]) == {"line", "rule", "outcome"}


def test_show_says_when_the_plan_of_that_time_is_not_kept(town: Town):
    write_journal(town, call(1))
    why = town.run("call", "show", call(1).id, "--json").json["why"]
    assert why["steps"] == []
    assert why["note"].startswith("this call ran under plan abcdef123456, and the text of ")


def test_show_of_an_unknown_id_says_where_ids_are(town: Town):
    outcome = town.run("call", "show", "nothing")
    assert outcome.status == 1
    assert outcome.err == 'beffroi: no ended call has the id "nothing"; `beffroi call list` shows the ids\n'


def test_a_database_that_cannot_be_read_is_one_sentence(town: Town):
    town.settings.data_dir.mkdir()
    (town.settings.data_dir / "beffroi.sqlite3").write_bytes(b"this is no database" * 100)
    outcome = town.run("call", "list")
    assert outcome.status == 1
    assert outcome.err == "beffroi: database: file is not a database; `beffroi doctor` says more\n"


def test_a_configuration_that_is_not_there_is_one_sentence(tmp_path: Path):
    missing = tmp_path / "none.yaml"
    outcome = run_command("call", "list", "-c", str(missing))
    assert outcome.status == 1
    assert outcome.err == f"{missing}: there is no such file\n"


def test_bytes_that_are_no_text_find_no_call(town: Town):
    assert town.run("call", "show", "\udcff").status == 1
    outcome = town.run("call", "list", "--number", "\udcff")
    assert outcome.status == 2
    assert outcome.err == "beffroi: --number: this is no number, such as 1001 or +33612345678\n"


# Messages, explanation, table


def test_a_call_whose_messages_are_not_kept_says_so(town: Town):
    write_journal(town, call(1))
    outcome = town.run("call", "ladder", call(1).id)
    assert outcome.status == 1
    assert outcome.err == (
        "beffroi: its messages aren't kept, or not any more: `messages:` in the configuration says how long\n"
    )
    assert town.run("call", "ladder", call(1).id, "--json").json == {
        "columns": [
            {"name": "1001", "number": "", "is_trunk": False},
            {"name": "Beffroi", "number": "", "is_trunk": False},
            {"name": "1002", "number": "", "is_trunk": False},
        ],
        "rows": [],
        "is_whole": False,
    }


def test_a_ladder_is_drawn_in_the_terminal(town: Town):
    legs = [replace(leg, number=leg.device, call_id=f"{leg.device}@sip") for leg in call(1).legs]
    made = replace(call(1), legs=legs)
    write_journal(town, made)
    line = Line(town.settings.messages_dir)
    line.now = made.started - 1_800_000_000.0
    line.received(request(call_id="1001@sip", lines='Authorization: Digest response="secret"\r\n'))
    line.now += 0.25
    line.sent(request(call_id="1002@sip", body="v=0\r\n"))
    outcome = town.run("call", "ladder", made.id, "--texts")
    assert outcome.out.splitlines()[:4] == [
        "           1001                      Beffroi                       1002",
        "            |                           |                           |",
        "   0.000    |-- INVITE ---------------->|                           |",
        "   0.250    |                           |-- INVITE ---------------->|",
    ]
    assert "  Authorization: (blanked)" in outcome.out
    assert "secret" not in outcome.out


def test_a_call_is_explained_by_itself(town: Town):
    write_journal(town, replace(call(1), plan_version="0123456789ab"))
    assert "0123456789ab" in town.run("call", "explain", call(1).id).out
    assert town.run("call", "explain", call(1).id, "--json").json["steps"] == []


def test_calls_are_exported_once_and_without_formulas(town: Town, tmp_path: Path):
    write_journal(town, replace(call(1), from_name="=1+1"), call(2))
    table = tmp_path / "calls.csv"
    assert town.run("call", "export", str(table), "--name", "1+1").err == f"{table}: 0 calls\n"
    table.unlink()
    assert town.run("call", "export", str(table)).err == f"{table}: 2 calls\n"
    rows = list(csv.reader(table.read_text("utf-8").splitlines()))
    assert [row[0] for row in rows] == ["id", call(2).id, call(1).id]
    assert rows[2][7] == "'=1+1"
    assert table.stat().st_mode & 0o777 == 0o600
    assert town.run("call", "export", str(table)).status == 1
