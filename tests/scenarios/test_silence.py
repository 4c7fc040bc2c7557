"""A telephone whose plug was pulled tells nobody: its silence is noticed, and it is asked if it is there."""

from __future__ import annotations

from media.engine import BrowserGone
from tests.scenarios.offers import connected, party
from tests.scenarios.party import Party, Talk
from tests.scenarios.town import Town, TownPhone, start, tell
from tests.sim.ladder import assert_golden
from tests.sim.network import CUT
from tests.sim.world import World, scenario

QUIET_SECONDS = 10.0


async def talking(world: World) -> tuple[Town, Party, Party, Talk]:
    town = await start(world)
    alice, bruno = await party(town, "1001"), await party(town, "1002")
    town.ladder.clear()
    town.ladder.order("1001", "Beffroi", "1002")
    talk, _ = await connected(town, alice, bruno)
    return town, alice, bruno, talk


def fall_silent(town: Town, leg: str) -> None:
    """What the media process says of the newest call."""
    town.engine.fall_silent(town.engine.calls()[-1], leg, QUIET_SECONDS)


@scenario()
async def test_a_party_whose_plug_was_pulled_ends_its_call_as_lost(world: World) -> None:
    town, _, bruno, talk = await talking(world)
    world.network.link(bruno.host, town.host, CUT)
    fall_silent(town, "b1")
    await world.sleep(45)
    assert talk.over
    assert "1002 192.0.2.2:5060 udp PCMA: lost" in tell(town.calls[0])


@scenario()
async def test_a_silent_party_that_is_there_goes_on_and_is_asked_again(world: World) -> None:
    town, alice, bruno, talk = await talking(world)
    fall_silent(town, "b1")
    await world.sleep(700)
    assert bruno.talking
    assert bruno.talking[0].got.count("OPTIONS") == 3
    alice.leave(talk)
    await world.sleep(1)
    assert_golden("silent-party", town.ladder)


@scenario()
async def test_a_browser_that_stayed_away_loses_its_call_though_its_signalling_goes_on(world: World) -> None:
    town, _, bruno, talk = await talking(world)
    town.engine.events(BrowserGone(town.engine.calls()[-1], "b1", "consent"))
    await world.sleep(1)
    assert talk.over
    assert not bruno.talking
    assert "1002 192.0.2.2:5060 udp PCMA: lost" in tell(town.calls[0])


@scenario()
async def test_a_party_that_is_heard_again_is_asked_no_more(world: World) -> None:
    town, alice, bruno, talk = await talking(world)
    fall_silent(town, "b1")
    await world.sleep(20)
    town.engine.be_heard(town.engine.calls()[-1], "b1")
    await world.sleep(700)
    assert bruno.talking[0].got.count("OPTIONS") == 1
    alice.leave(talk)
    await world.sleep(1)


@scenario()
async def test_a_telephone_that_knows_of_no_call_ends_it_at_once(world: World) -> None:
    town, _, bruno, talk = await talking(world)
    bruno.talks.clear()
    bruno.automatic = False
    fall_silent(town, "b1")
    asked = await bruno.expect("OPTIONS")
    bruno.reply(asked, 481)
    bruno.reply(await bruno.expect("BYE"), 481)
    assert talk.over
    assert "lost" in tell(town.calls[0])


@scenario()
async def test_the_last_one_in_a_room_whose_plug_was_pulled_is_not_there_for_ever(world: World) -> None:
    town = await start(world)
    alice = await party(town, "1001")
    alice.dial("8301")
    await world.sleep(1)
    town.finish_playing()
    await world.sleep(1)
    world.network.link(alice.host, town.host, CUT)
    fall_silent(town, "a")
    await world.sleep(45)
    assert town.exchange.rooms == {}
    assert "to reunion: lost" in tell(town.calls[0])


@scenario()
async def test_a_silent_party_that_is_transferred_is_asked_in_its_new_call(world: World) -> None:
    town, alice, bruno, talk = await talking(world)
    office = await party(town, "2010")
    fall_silent(town, "a")
    await world.sleep(20)
    bruno.refer(bruno.talking[0], "sip:2010@valmont.example")
    await world.sleep(3)
    world.network.link(alice.host, town.host, CUT)
    await world.sleep(340)
    assert not office.talking
    assert "lost" in tell(town.calls[-1])
    assert talk.got.count("OPTIONS") == 2


async def helped(world: World) -> tuple[Town, TownPhone, TownPhone]:
    """2201 has called 18, whose plug is pulled then."""
    town = await start(world)
    phone, b = town.phone("2201"), town.operator("operateur-b")
    phone.invite("18")
    b.answer(await b.expect("INVITE"))
    await b.expect("ACK")
    phone.ack(await phone.expect(200))
    world.network.link(phone.host, town.host, CUT)
    fall_silent(town, "a")
    return town, phone, b


@scenario()
async def test_a_call_for_help_is_not_ended_by_the_silence_of_one(world: World) -> None:
    _, _, b = await helped(world)
    await b.expect_silence(700)
    b.bye()
    await b.expect("200 BYE")


@scenario()
async def test_a_call_for_help_that_nobody_is_in_ends(world: World) -> None:
    town, _, b = await helped(world)
    await world.sleep(100)
    world.network.link(b.host, town.host, CUT)
    fall_silent(town, "b1")
    await world.sleep(400)
    assert "lost" in tell(town.calls[0])
