"""Three who speak together in a person's own room (*30), and the intercom (*80), of the sample plan."""

from __future__ import annotations

from tests.scenarios.test_blind_transfers import Three, three
from tests.scenarios.test_menus import records
from tests.scenarios.town import start
from tests.sim.ladder import assert_golden
from tests.sim.world import World, scenario

OWN_ROOM = "sip:*30@valmont.example"


def together(us: Three) -> list[str]:
    """Who is in 1001's own room."""
    here = us.town.exchange.rooms.get("conference 1001")
    return [call.from_number for call in here.parties] if here is not None else []


@scenario()
async def test_two_who_are_transferred_to_ones_own_room_speak_with_each_other_and_oneself(
    world: World,
) -> None:
    """RFC 3515: each is sent there by REFER, with the rights of whose room it is."""
    us = await three(world)
    us.alice.refer(us.alices, OWN_ROOM)
    await world.sleep(3)
    assert together(us) == ["1002"]
    second = us.alice.dial("2010")
    await world.sleep(1)
    us.alice.refer(second, OWN_ROOM)
    await world.sleep(3)
    us.alice.dial("*30")
    await world.sleep(1)
    assert together(us) == ["1002", "2010", "1001"]
    us.town.ladder.media("1001", "Beffroi", "all three")
    await us.end()
    await world.sleep(0.2)
    assert together(us) == []
    assert_golden("three-way", us.town.ladder)


@scenario()
async def test_a_telephone_sends_others_to_the_contact_of_its_conference(world: World) -> None:
    """RFC 4579 section 5.1: the Contact names the conference, and says that it is one."""
    us = await three(world)
    us.alice.dial("*30")
    await world.sleep(0.5)
    contact = us.alice.heard_contact
    assert contact == "<sip:*30@10.54.0.10:5060>;isfocus"
    us.alice.refer(us.alices, contact[1 : contact.index(">")])
    await world.sleep(3)
    assert together(us) == ["1001", "1002"]
    await us.end()


@scenario()
async def test_who_has_a_room_of_its_own_calls_others_into_it(world: World) -> None:
    us = await three(world)
    us.alice.leave(us.alices)
    await world.sleep(0.2)
    us.alice.dial("*30")
    await world.sleep(0.5)
    (room,) = us.town.exchange.rooms.values()
    (call,) = room.parties
    us.town.engine.finish(call.id, "a")
    await world.sleep(0.1)
    for number, telephone in (("1002", us.bruno), ("2010", us.chloe)):
        us.town.engine.press(call.id, "a", f"*3{number}#")
        await world.sleep(0.5)
        us.town.engine.press(call.id, "a", "#")
        assert telephone.talking
        ringing = {asked.call for asked in us.town.engine.asked if asked.leg == "b1"}
        for one in ringing:
            us.town.engine.press(one, "b1", "1")
        await world.sleep(0.2)
        us.town.finish_playing()
        await world.sleep(0.2)
    assert together(us) == ["1001", "1002", "2010"]
    await us.end()


@scenario()
async def test_a_colleague_of_ones_group_answers_by_itself(world: World) -> None:
    """RFC 5373 section 4.1."""
    town = await start(world)
    alice, bruno = await town.phones("1001", "1002")
    await alice.call("*801002")
    invite = await bruno.expect("INVITE")
    assert invite.header("Answer-Mode") == "Auto"
    assert "answer-after=0" in invite.header("Call-Info")
    bruno.answer(invite)
    await bruno.expect("ACK")
    alice.ack(await alice.expect(200))
    town.ladder.media("1001", "1002", "voices")
    await town.hang_up(alice, bruno)
    assert_golden("intercom", town.ladder)


@scenario()
async def test_nobody_opens_the_microphone_of_somebody_else(world: World) -> None:
    town = await start(world)
    alice, _ = await town.phones("1001", "2201")
    await alice.call("*802201")
    await alice.expect(183)
    assert town.spoken() == ["Vous ne pouvez appeler ainsi que les collègues de votre groupe."]
    town.finish_playing()
    await alice.expect(403)
    assert "rejected: class" in await records(town)


@scenario()
async def test_who_does_not_want_to_be_disturbed_is_not(world: World) -> None:
    town = await start(world)
    alice, _ = await town.phones("1001", "1002")
    town.exchange.settings.do_not_disturb("1002", on=True, by="test")
    await alice.call("*801002")
    await alice.expect(183)
    assert town.spoken() == ["Ce collègue ne peut pas être appelé ainsi pour l'instant."]
    town.finish_playing()
    await alice.expect(480)
