"""Call records: each party and how it was reached, who heard whom and when, which call led to which."""

from __future__ import annotations

import pytest

from pbx.records import CallRecord
from tests.scenarios.offers import connected, party
from tests.scenarios.party import Party, Talk
from tests.scenarios.test_attended_transfers import replaces
from tests.scenarios.test_groups import plan_with
from tests.scenarios.test_parking import parked
from tests.scenarios.town import PLAN_TEXT, SECRETS, Town, start
from tests.sim.world import World, scenario


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)


def heard(call: CallRecord) -> list[str]:
    """Its intervals in seconds since its start: `0.2 5.5 talk a b1`."""
    told = []
    for one in call.intervals:
        assert one.ended is not None
        times = f"{one.started - call.started:.1f} {one.ended - call.started:.1f}"
        told.append(" ".join([times, one.kind, *one.legs, one.where]).strip())
    return told


def reached(call: CallRecord) -> list[str]:
    """Its legs: `b1 2010 out: forwarded 1002`."""
    return [f"{leg.name} {leg.number} {leg.direction}: {leg.reached} {leg.via}".strip() for leg in call.legs]


async def talking(world: World, *others: str) -> tuple[Town, list[Party], Talk, Talk]:
    """1001 has called 1002, and they talk; the others have registered."""
    town = await start(world)
    parties = [await party(town, user) for user in ("1001", "1002", *others)]
    return town, parties, *await connected(town, parties[0], parties[1])


async def end(town: Town, *parties: Party) -> list[CallRecord]:
    """Everybody hangs up; returns the records by their start."""
    for one in parties:
        for talk in one.talking:
            one.leave(talk)
        await town.world.sleep(0.2)
    return sorted(town.calls, key=lambda call: call.started)


@scenario()
async def test_a_plain_call_is_one_interval_from_the_answer_to_the_end(world: World) -> None:
    town, parties, _, _ = await talking(world)
    await world.sleep(5)
    (call,) = await end(town, *parties)
    assert heard(call) == [f"0.2 {call.ended - call.started:.1f} talk a b1"]
    assert reached(call) == ["a 1001 in: calls", "b1 1002 out: dialled"]
    assert call.parents == ()
    lines = PLAN_TEXT.splitlines()
    assert any('"1002"' in lines[number - 1] for number in call.plan_lines)


@scenario()
async def test_of_two_telephones_that_answer_at_one_instant_the_one_that_talks_is_told(world: World) -> None:
    town = await start(world)
    parties = [await party(town, user) for user in ("1002", "1001", "1001-app")]
    parties[0].dial("1001")
    await world.sleep(5)
    (call,) = await end(town, *parties)
    told = {leg.name: (leg.device, leg.cause) for leg in call.legs}
    (interval,) = heard(call)
    _, ended, kind, _, name = interval.split()
    assert (kind, float(ended) > 4) == ("talk", True)
    assert told[name] == ("1001", "released")
    assert ("1001-app", "answered elsewhere") in told.values()


@scenario()
async def test_a_call_that_nobody_answers_has_no_interval(world: World) -> None:
    town = await start(world)
    alice, bruno = [await party(town, user) for user in ("1001", "1002")]
    bruno.final = 486
    alice.dial("1002")
    await world.sleep(5)
    (call,) = town.calls
    assert call.intervals == ()
    assert reached(call)[1] == "b1 1002 out: dialled"


@scenario()
async def test_hold_parts_a_conversation_and_says_who_waited(world: World) -> None:
    town, (alice, bruno), alices, _ = await talking(world)
    await world.sleep(2)
    alice.change(alices, alice.describe(direction="sendonly"))
    await world.sleep(3)
    alice.change(alices, alice.describe())
    await world.sleep(1)
    (call,) = await end(town, alice, bruno)
    kinds = [interval.partition(" ")[2].partition(" ")[2] for interval in heard(call)]
    assert kinds == ["talk a b1", "held b1", "talk a b1"]
    first, held, last = call.intervals
    assert (first.ended, held.ended) == (held.started, last.started)
    assert held.ended is not None
    assert held.ended - held.started == pytest.approx(3.0, abs=0.1)


@scenario()
async def test_intervals_and_how_they_were_reached_outlive_a_restart(world: World) -> None:
    town, (alice, bruno), alices, _ = await talking(world)
    alice.change(alices, alice.describe(direction="sendonly"))
    await world.sleep(3)
    await town.restart()
    await world.sleep(2)
    alice.change(alices, alice.describe())
    await world.sleep(1)
    (call,) = await end(town, alice, bruno)
    kinds = [interval.partition(" ")[2].partition(" ")[2] for interval in heard(call)]
    assert kinds == ["talk a b1", "held b1", "talk a b1"]
    assert reached(call) == ["a 1001 in: calls", "b1 1002 out: dialled"]
    assert call.plan_lines


@scenario()
async def test_a_blind_transfer_names_who_transferred_and_the_call_it_came_from(world: World) -> None:
    town, (alice, bruno, chloe), alices, _ = await talking(world, "2010")
    chloe.answers_after = 5.0
    alice.refer(alices, "sip:2010@valmont.example")
    await world.sleep(9)
    first, onward = await end(town, alice, bruno, chloe)
    assert [one.kind for one in first.intervals] == ["talk", "transfer"]
    assert first.intervals[1].legs == ("b1",)
    assert onward.parents == (first.id,)
    assert reached(onward) == ["a 1002 out: dialled", "b1 2010 out: transfer 1001"]
    assert heard(onward)[0].startswith("5.0 ")


@scenario()
async def test_an_attended_transfer_joins_two_calls_and_names_both(world: World) -> None:
    town, (alice, bruno, chloe), alices, _ = await talking(world, "2010")
    alice.change(alices, alice.describe(direction="sendonly"))
    await world.sleep(1)
    second = alice.dial("2010")
    await world.sleep(1)
    alice.refer(alices, replaces(alice, second))
    await world.sleep(4)
    first, consulted, joined = await end(town, alice, bruno, chloe)
    assert joined.parents == (first.id, consulted.id)
    assert reached(joined)[1] == "b1 2010 out: transfer 1001"
    assert [one.kind for one in joined.intervals] == ["talk"]
    assert [one.kind for one in first.intervals] == ["talk", "held"]


@scenario()
async def test_each_attempt_of_a_group_names_the_call_it_was_made_for(world: World) -> None:
    town = await start(world, plan_with())
    alice, one, other = [await party(town, user) for user in ("1001", "2201", "2202")]
    other.answers_after = None
    alice.dial("8200")
    await world.sleep(3)
    first, *attempts = await end(town, alice, one, other)
    assert [call.parents for call in attempts] == [(first.id,), (first.id,)]
    assert sorted(reached(call)[1] for call in attempts) == [
        "b1 2201 out: group secours",
        "b1 2202 out: group secours",
    ]
    assert sorted(len(call.intervals) for call in attempts) == [0, 1]
    assert first.intervals == ()


@scenario()
async def test_a_parked_caller_waits_in_a_place_and_is_taken_from_it(world: World) -> None:
    town, _, (caller, clerk, other) = await parked(world, "2020")
    other.dial("705")
    await world.sleep(2)
    first, waited, taken = await end(town, caller, clerk, other)
    assert waited.parents == (first.id,)
    assert [(one.kind, one.legs, one.where) for one in waited.intervals] == [("park", ("a",), "705")]
    assert taken.parents == (waited.id,)
    assert reached(taken) == ["a 2020 in: calls", "b1 2010 out: park 705"]
    assert [one.kind for one in taken.intervals] == ["talk"]


@scenario()
async def test_a_forwarded_call_says_who_sent_it_on(world: World) -> None:
    town = await start(world)
    caller, chloe, bruno = [await party(town, user) for user in ("1001", "2010", "1002")]
    bruno.dial("*21*2010")
    await world.sleep(20)
    caller.dial("1002")
    await world.sleep(2)
    *_, call = await end(town, caller, chloe, bruno)
    assert reached(call) == ["a 1001 in: calls", "b1 2010 out: forwarded 1002"]


@scenario()
async def test_who_is_in_a_room_and_since_when(world: World) -> None:
    town = await start(world)
    alice = await party(town, "1001")
    alice.dial("8301")
    await world.sleep(2)
    town.finish_playing()
    await world.sleep(3)
    (call,) = await end(town, alice)
    assert heard(call)[-1].endswith("room a reunion")
    assert [one.kind for one in call.intervals] == ["announcement", "room"]
    assert call.intervals[1].started - call.started == pytest.approx(2.0, abs=0.1)
