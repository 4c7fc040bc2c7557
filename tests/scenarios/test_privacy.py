"""Callers who don't want colleagues to see who they are (RFC 3323); the record tells it all the same."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from tests.scenarios.offers import assert_speak, connected, party
from tests.scenarios.test_attended_transfers import dialog_of, replaces
from tests.scenarios.test_watching import DIALOG_INFO, lamps, told, unwatch, watch
from tests.scenarios.town import PLAN_TEXT, start
from tests.sim.world import World, scenario

HIDDEN = "<sip:anonymous@valmont.example>"
CODES = PLAN_TEXT.replace('  pickup_group: "*8"\n', '  pickup_group: "*8"\n  hide_number: "*31*{number}"\n')


@pytest.mark.parametrize(
    ("privacy", "shown"),
    [
        ("id", HIDDEN),
        ("user;critical", HIDDEN),
        ("none", '"Alice Martin" <sip:1001@valmont.example>'),
        ("history", '"Alice Martin" <sip:1001@valmont.example>'),
    ],
)
@scenario()
async def test_a_telephone_that_asks_not_to_be_shown_is_not(world: World, privacy: str, shown: str) -> None:
    """RFC 3323 section 4.2, RFC 3325 section 9.3."""
    town = await start(world)
    alice, bruno = await town.phones("1001", "1002")
    await town.call_with(alice, "1002", {"Privacy": privacy})
    invite = await bruno.expect("INVITE")
    assert invite.header("From").rpartition(";tag=")[0] == shown
    for value in ("1001", "Alice", "192.0.2.1:"):
        assert (value in str(invite)) is (shown != HIDDEN) or value == "192.0.2.1:"
    bruno.answer(invite)
    await bruno.expect("ACK")
    alice.ack(await alice.expect(200))
    await town.hang_up(alice, bruno)
    assert (await town.record()).startswith("internal 1001 (Alice Martin) dialled 1002")


@scenario()
async def test_the_code_that_hides_the_number_hides_it_inside_too(world: World) -> None:
    """RFC 3323 section 4.2."""
    town = await start(world, CODES)
    alice, bruno = await town.phones("1001", "1002")
    await alice.call("*31*1002")
    invite = await bruno.expect("INVITE")
    assert invite.header("From").startswith(HIDDEN)
    bruno.reply(invite, 486)
    await bruno.expect("ACK")
    await alice.expect(486)


@scenario()
async def test_lamps_do_not_tell_who_hides(world: World) -> None:
    """RFC 3323 section 4.2."""
    town = await start(world)
    bruno, near, caller = await town.phones("1002", "1001", "2301")
    first = await watch(near, "dialog", "1002")
    await town.call_with(caller, "1002", {"Privacy": "id"})
    invite = await bruno.expect("INVITE")
    bruno.reply(invite, 180)
    await caller.expect(180)
    await told(near)
    seen = await told(near)
    assert lamps(seen) == ["recipient early"]
    (dialog,) = ET.fromstring(seen.body).findall(f"{DIALOG_INFO}dialog")
    assert dialog.attrib["call-id"] == invite.call_id  # it can be picked up all the same
    bruno.reply(invite, 486)
    await bruno.expect("ACK")
    await caller.expect(486)
    await told(near)
    await unwatch(near, first, "dialog")


@scenario()
async def test_who_picks_up_is_not_told_who_hides(world: World) -> None:
    """RFC 3323 section 4.2, RFC 3891 section 3."""
    town = await start(world)
    caller, rings, near = [await party(town, user) for user in ("2301", "1002", "1001")]
    rings.answers_after = None
    caller.headers["Privacy"] = "id"
    caller.dial("1002")
    await world.sleep(0.5)
    del caller.headers["Privacy"]
    (rung,) = rings.talks.values()
    call_id, ours, theirs = dialog_of(rings, rung)
    near.headers["Replaces"] = f"{call_id};to-tag={ours};from-tag={theirs}"
    town.ladder.clear()
    near.dial("1002")
    await world.sleep(1)
    del near.headers["Replaces"]
    assert_speak(town, caller, near)
    assert near.shown == []
    for talk in caller.talking:
        caller.leave(talk)
    await world.sleep(0.5)


@scenario()
async def test_who_hides_stays_hidden_from_whom_it_is_transferred_to(world: World) -> None:
    """RFC 3323 section 4.2: 2301 calls 1001 and hides; 1001 asks 2010 and connects the two."""
    town = await start(world)
    caller, alice, chloe = [await party(town, user) for user in ("2301", "1001", "2010")]
    caller.headers["Privacy"] = "id"
    _, first = await connected(town, caller, alice)
    del caller.headers["Privacy"]
    second = alice.dial("2010")
    await world.sleep(0.5)
    alice.refer(first, replaces(alice, second))
    await world.sleep(4)
    assert_speak(town, caller, chloe)
    assert chloe.shown == []
    for talk in caller.talking:
        caller.leave(talk)
    await world.sleep(0.5)
    assert [call.from_ for call in town.calls] == ["1001", "2301", "2301"]


@scenario()
async def test_who_hides_stays_hidden_where_it_is_sent_on_blindly(world: World) -> None:
    """RFC 3323 section 4.2."""
    town = await start(world)
    caller, alice, chloe = [await party(town, user) for user in ("2301", "1001", "2010")]
    caller.headers["Privacy"] = "id"
    _, first = await connected(town, caller, alice)
    del caller.headers["Privacy"]
    alice.refer(first, "sip:2010@valmont.example")
    await world.sleep(4)
    (theirs,) = chloe.talking
    assert theirs.invite.header("From").startswith(HIDDEN)
    assert_speak(town, caller, chloe)
    for talk in caller.talking:
        caller.leave(talk)
    await world.sleep(0.5)
