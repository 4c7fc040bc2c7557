"""Groups: secours of the sample plan (8200) rings 2201 and 2202 for 40 s, then the officer outside."""

from __future__ import annotations

import pytest

from tests.scenarios.test_menus import records
from tests.scenarios.town import PLAN_TEXT, SECRETS, Town, TownPhone, reason_of, start
from tests.sim.ladder import assert_golden
from tests.sim.phone import Phone
from tests.sim.wire import Message
from tests.sim.world import World, scenario

ELSEWHERE = 'SIP;cause=200;text="Call completed elsewhere"'


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)


def plan_with(strategy: str = "all", *, seconds: int = 40, otherwise: str = "", members: str = "") -> str:
    """The sample plan with another group `secours`."""
    old = (
        "    members: {group: garde}\n    strategy: all\n    seconds: 40\n"
        '    otherwise: {to: "+33612345603"}         # the officer on call\n'
    )
    assert old in PLAN_TEXT
    last = f"    otherwise: {{to: {otherwise}}}\n" if otherwise else ""
    members = members or "{group: garde}"
    new = f"    members: {members}\n    strategy: {strategy}\n    seconds: {seconds}\n{last}"
    return PLAN_TEXT.replace(old, new)


async def called(world: World, plan: str, *users: str) -> tuple[Town, list[TownPhone]]:
    """The first one calls the group."""
    town = await start(world, plan)
    phones = await town.phones(*users)
    await phones[0].call("8200")
    return town, phones


async def stops_ringing(phone: Phone, invite: Message, reason: str = "") -> None:
    """A phone that rang is told to stop, and why."""
    cancel = await phone.expect("CANCEL")
    assert reason_of(cancel) == reason
    phone.reply(cancel, 200)
    phone.reply(invite, 487)
    await phone.expect("ACK")


@scenario()
async def test_all_ring_and_the_first_to_answer_has_the_call(world: World) -> None:
    """RFC 3326 section 2: the others are told who has it, so that none says "missed"."""
    town, (alice, one, other) = await called(world, plan_with(), "1001", "2201", "2202")
    first, second = await one.expect("INVITE"), await other.expect("INVITE")
    one.reply(first, 180)
    other.reply(second, 180)
    await alice.expect(180)
    await world.sleep(3)
    other.answer(second)
    await other.expect("ACK")
    alice.ack(await alice.expect(200))
    town.ladder.media("1001", "2202", "voices")
    await stops_ringing(one, first, ELSEWHERE)
    await world.sleep(1)
    await town.hang_up(alice, other)
    assert_golden("group", town.ladder)
    written = await records(town)
    assert "dialled 8200 to secours: transferred, - 3.0" in written
    assert "dialled 8200 to 2202: completed, 3.0" in written


@scenario()
async def test_who_answers_hears_the_caller_without_a_further_offer(world: World) -> None:
    town, (alice, one) = await called(world, plan_with(), "1001", "2201")
    one.answer(await one.expect("INVITE"))
    await one.expect("ACK")
    alice.ack(await alice.expect(200))
    await alice.expect_silence(2)
    assert [line for line in town.asked() if line.startswith("answer")] == ["answer b1 a"]
    await town.hang_up(one, alice)


@scenario()
async def test_in_order_one_rings_after_the_other(world: World) -> None:
    plan = plan_with("in_order", seconds=10)
    town, (alice, one, other) = await called(world, plan, "1001", "2201", "2202")
    first = await one.expect("INVITE")
    one.reply(first, 180)
    await alice.expect(180)
    await other.expect_silence(9)
    await stops_ringing(one, first)
    other.answer(await other.expect("INVITE"))
    await other.expect("ACK")
    alice.ack(await alice.expect(200))
    await town.hang_up(alice, other)


@scenario()
async def test_one_that_is_busy_lets_the_next_ring_at_once(world: World) -> None:
    plan = plan_with("in_order", seconds=10)
    town, (alice, one, other) = await called(world, plan, "1001", "2201", "2202")
    one.reply(await one.expect("INVITE"), 486)
    await one.expect("ACK")
    other.answer(await other.expect("INVITE", within_seconds=0.5))
    await other.expect("ACK")
    alice.ack(await alice.expect(200))
    await town.hang_up(alice, other)


@scenario()
async def test_when_nobody_answers_the_call_goes_where_the_plan_says(world: World) -> None:
    plan = plan_with(seconds=5, otherwise='"1002"')
    town, (alice, one, bruno) = await called(world, plan, "1001", "2201", "1002")
    first = await one.expect("INVITE")
    one.reply(first, 180)
    await alice.expect(180)
    await stops_ringing(one, first)
    bruno.answer(await bruno.expect("INVITE"))
    await bruno.expect("ACK")
    alice.ack(await alice.expect(200))
    await town.hang_up(alice, bruno)
    assert "dialled 8200 to 1002: completed" in await records(town)


@scenario()
async def test_a_group_without_a_last_destination_says_that_nobody_answers(world: World) -> None:
    town, (alice,) = await called(world, plan_with(), "1001")
    await alice.expect(183)
    assert town.spoken() == ["Personne ne répond."]
    town.finish_playing()
    assert reason_of(await alice.expect(480)).startswith("Q.850;cause=19")


@scenario()
async def test_a_member_outside_rings_beside_those_inside(world: World) -> None:
    plan = plan_with(members='["2201", "+33612345601"]')
    town = await start(world, plan)
    operator = town.operator("operateur-b")
    alice, one = await town.phones("1001", "2201")
    await alice.call("8200")
    inside, outside = await one.expect("INVITE"), await operator.expect("INVITE")
    one.reply(inside, 180)
    await alice.expect(180)
    operator.answer(outside)
    await operator.expect("ACK")
    alice.ack(await alice.expect(200))
    await stops_ringing(one, inside, ELSEWHERE)
    await town.hang_up(alice, operator)
    assert "outbound" in await records(town)


@scenario()
async def test_a_caller_that_gives_up_stops_all_phones(world: World) -> None:
    town, (alice, one, other) = await called(world, plan_with(), "1001", "2201", "2202")
    first, second = await one.expect("INVITE"), await other.expect("INVITE")
    one.reply(first, 180)
    other.reply(second, 180)
    await alice.expect(180)
    await world.sleep(1)
    alice.cancel(alice.last_invite)
    for phone, invite in ((one, first), (other, second)):
        await stops_ringing(phone, invite)
    await alice.expect_in_any_order("200 CANCEL", "487 INVITE")
    assert "dialled 8200 to secours: cancelled" in await records(town)


@scenario()
async def test_two_that_answer_at_once_one_has_the_call_and_the_other_hears_bye(world: World) -> None:
    town, (alice, one, other) = await called(world, plan_with(), "1001", "2201", "2202")
    first, second = await one.expect("INVITE"), await other.expect("INVITE")
    one.answer(first)
    other.answer(second)
    alice.ack(await alice.expect(200))
    await one.expect("ACK")
    await other.expect("ACK")
    loser = other
    loser.reply(await loser.expect("BYE"), 200)
    await town.hang_up(alice, one)


@scenario()
async def test_a_member_does_not_ring_herself(world: World) -> None:
    town, (one, other) = await called(world, plan_with(), "2201", "2202")
    other.answer(await other.expect("INVITE"))
    await other.expect("ACK")
    one.ack(await one.expect(200))
    await town.hang_up(one, other)


@scenario()
async def test_who_has_been_idle_longest_rings_first(world: World) -> None:
    plan = plan_with("longest_idle", seconds=10)
    town, (alice, one, other) = await called(world, plan, "1001", "2201", "2202")
    for phone in (one, other, one):
        phone.answer(await phone.expect("INVITE"))
        await phone.expect("ACK")
        alice.ack(await alice.expect(200))
        await town.hang_up(alice, phone)
        await world.sleep(1)
        await alice.call("8200")
    other.answer(await other.expect("INVITE"))
    await other.expect("ACK")
    alice.ack(await alice.expect(200))
    await town.hang_up(alice, other)


@scenario()
async def test_a_caller_whose_invite_has_no_offer_gets_that_of_who_answers(world: World) -> None:
    town = await start(world, plan_with())
    alice, one = await town.phones("1001", "2201")
    await alice.call("8200", offer=False)
    invite = await one.expect("INVITE")
    assert not invite.body
    one.answer(invite)
    offered = await alice.expect(200)
    assert b"m=audio" in offered.body
    alice.ack(offered, body=alice.sdp())
    assert b"m=audio" in (await one.expect("ACK")).body
    await town.hang_up(alice, one)


@scenario()
async def test_a_caller_comes_from_a_menu_to_a_group_and_to_who_answers(world: World) -> None:
    plan = plan_with().replace('"1": "2010"', '"1": secours')
    town = await start(world, plan)
    alice, one = await town.phones("1001", "2201")
    await alice.call("8000")
    alice.ack(await alice.expect(200))
    town.press("1")
    invite = await one.expect("INVITE")
    one.reply(invite, 180)
    await world.sleep(1)
    one.answer(invite)
    await one.expect("ACK")
    # Through two calls: its stream is still in the first, and it is offered another one.
    alice.answer(await alice.expect("INVITE"))
    await alice.expect("ACK")
    await town.hang_up(alice, one)
    assert "dialled 8000 to 2201: completed" in await records(town)


@scenario()
async def test_services_that_send_a_caller_in_a_circle_give_up(world: World) -> None:
    """RFC 3261 section 8.1.1.6: what Max-Forwards is for, within one node too."""
    second = '  autre: {number: "8201", type: group, members: [], otherwise: {to: secours}}\n  conseil:'
    plan = plan_with(otherwise="autre").replace("  conseil:", second)
    town, (alice,) = await called(world, plan, "1001")
    await alice.expect(183)
    assert town.spoken() == ["Ce service n'est pas joignable."]
    town.finish_playing()
    await alice.expect(480)
