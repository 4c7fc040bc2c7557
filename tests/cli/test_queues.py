"""`beffroi queue`: the queues of a running node, pauses by command, the report from the call records."""

from __future__ import annotations

from pbx.records import CallRecord, Interval, LegRecord
from pbx.store.calls import insert_calls
from pbx.store.database import open_database
from pbx.store.revision import upgrade
from tests.cli.conftest import Town

BEGAN = 1_764_000_000.0


def leg(number: str, reached: str, *, answered: float | None, via: str = "") -> LegRecord:
    return LegRecord(
        number, "192.0.2.1:5060", "udp", "PCMA", BEGAN, answered, BEGAN + 100, "", name="a", number=number,
        reached=reached, via=via,
    )  # fmt: skip


def record(identity: str, legs: list[LegRecord], interval: Interval, **more: object) -> CallRecord:
    fields = {"answered": interval.started, "ended": interval.ended, **more}
    return CallRecord(
        id=identity, started=BEGAN, direction="internal", from_="2010", from_name="", dialled="9",
        to="standard", cause="transferred", plan_version="1", legs=legs, intervals=(interval,), **fields,
    )  # fmt: skip


def served() -> list[CallRecord]:
    """Somebody waited 12 seconds, and talked 60 seconds with 1001."""
    waits = Interval("queue", BEGAN, BEGAN + 12, ("a",), "standard")
    talks = Interval("talk", BEGAN + 12, BEGAN + 72, ("a", "b0"))
    agent = leg("1001", "queue", answered=BEGAN + 12, via="standard")
    return [
        record("visit", [leg("2010", "calls", answered=BEGAN)], waits),
        record("attempt", [leg("2010", "calls", answered=BEGAN + 12), agent], talks, parents=("visit",)),
    ]


def test_queues_of_a_running_node_and_pauses_by_command(town: Town) -> None:
    with town.serving():
        (queue,) = town.run("queue", "list", "--json").json
        assert (queue["queue"], queue["number"], queue["waiting"], queue["offered"]) == (
            "standard",
            "9",
            [],
            0,
        )
        assert [agent["state"] for agent in queue["state_of_agents"]] == ["away", "away"]
        told = town.run("queue", "pause", "1001", "--service", "standard", "--reason", "1", "--by", "test")
        assert told.out == "1001 is paused from standard\n"
        shown = town.run("queue", "show", "standard", "--json").json
        assert shown["state_of_agents"][0] == {
            "extension": "1001", "name": "Alice Martin", "state": "paused", "reason": "1",
        }  # fmt: skip
        assert "Alice Martin" in town.run("queue", "show", "standard").out
        assert town.run("queue", "resume", "1001").out == "1001 takes calls again\n"
        again = town.run("queue", "resume", "1001")
        assert (again.status, again.err) == (1, "beffroi: 1001 isn't paused there\n")
        unknown = town.run("queue", "show", "nothing")
        assert (unknown.status, "known: standard" in unknown.err) == (1, True)


def test_the_report_is_made_from_the_call_records(town: Town) -> None:
    assert town.run("queue", "report").out == "nobody came to a queue\n"
    database = open_database(town.settings.database)
    upgrade(database)
    database.write(lambda connection: insert_calls(connection, served()))
    database.close()
    (queue,) = town.run("queue", "report", "--json").json
    assert queue == {
        "queue": "standard", "offered": 1, "answered": 1, "abandoned": 0, "sent_on": 0, "to_call_back": 0,
        "waited_seconds": 12.0, "talked_seconds": 60.0,
        "agents": {"1001": {"offered": 1, "answered": 1, "talked_seconds": 60.0}},
    }  # fmt: skip
    assert "12 s" in town.run("queue", "report").out
    assert town.run("queue", "report", "--since", "2099-01-01").out == "nobody came to a queue\n"
