"""Parking: places 700 to 709 of the sample plan; after 90 s the one who parked is called."""

from __future__ import annotations

import pytest

from media.tones import RINGBACK
from tests.scenarios.offers import assert_speak, party
from tests.scenarios.party import Party, Talk
from tests.scenarios.test_menus import records
from tests.scenarios.test_watching import lamps, told, unwatch, watch
from tests.scenarios.town import PLAN_TEXT, Town, reason_of, start
from tests.sim.ladder import assert_golden
from tests.sim.network import CUT
from tests.sim.world import World, scenario


async def parked(world: World, *others: str, place: str = "705") -> tuple[Town, Talk, list[Party]]:
    """2010 has called 1001, who parked the call and hung up."""
    town = await start(world)
    caller, clerk, *rest = [await party(town, user) for user in ("2010", "1001", *others)]
    town.ladder.clear()
    talk = caller.dial("1001")
    await world.sleep(1)
    (heard,) = clerk.talks.values()
    clerk.refer(heard, f"sip:{place}@valmont.example")
    await world.sleep(3)  # who transfers is hung up after two seconds
    assert talk.established
    assert heard.over
    return town, talk, [caller, clerk, *rest]


@scenario()
async def test_a_parked_caller_is_taken_by_dialling_the_place(world: World) -> None:
    town, talk, (caller, clerk, other) = await parked(world, "2020")
    taken = other.dial("705")
    await world.sleep(1)
    assert taken.established
    assert_speak(town, caller, other)
    assert caller.shown[-1].startswith('"Urbanisme" <sip:2020@')
    assert other.shown[-1].startswith(
        '"État civil" <sip:2010@'
    )  # whoever comes to the telephone sees who waits
    other.leave(taken)
    await world.sleep(0.5)
    assert talk.over
    assert_golden("parked", town.ladder)
    written = await records(town)
    assert "dialled 705 to parc: transferred" in written
    assert "internal 2020 (Urbanisme) dialled 705 to 2010: completed" in written
    assert clerk.talking == []


@scenario()
async def test_who_parked_takes_the_caller_back(world: World) -> None:
    town, _, (caller, clerk) = await parked(world)
    taken = clerk.dial("705")
    await world.sleep(1)
    assert_speak(town, caller, clerk)
    clerk.leave(taken)
    await world.sleep(0.5)


@scenario()
async def test_after_the_time_who_parked_is_called_back(world: World) -> None:
    town, talk, (caller, clerk) = await parked(world)
    await world.sleep(85)
    assert len(clerk.talking) == 0
    await world.sleep(4)
    (back,) = clerk.talking
    assert_speak(town, caller, clerk)
    clerk.leave(back)
    await world.sleep(0.5)
    assert talk.over


@scenario()
async def test_a_recall_that_nobody_answers_lets_the_caller_wait_on(world: World) -> None:
    _, talk, (_, clerk) = await parked(world)
    clerk.answers_after = None
    await world.sleep(92 + 60 + 5)  # the recall, and a full ringing in vain
    assert talk.established
    clerk.answers_after = 0.2
    await world.sleep(90)
    (back,) = clerk.talking
    clerk.leave(back)
    await world.sleep(0.5)


@scenario()
async def test_a_caller_hears_ringback_even_where_the_parkers_telephone_says_nothing(world: World) -> None:
    town, talk, (caller, clerk) = await parked(world)
    world.network.link(clerk.host, town.host, CUT)
    await world.sleep(88)
    assert list(town.engine.playing.values()) == []
    await world.sleep(2)
    assert list(town.engine.playing.values()) == [RINGBACK]
    caller.leave(talk)
    await world.sleep(40)


@scenario()
async def test_a_caller_that_rings_its_parker_can_still_be_taken_elsewhere(world: World) -> None:
    town, _, (caller, clerk, other) = await parked(world, "2020")
    clerk.answers_after = None
    await world.sleep(92)
    taken = other.dial("705")
    await world.sleep(1)
    assert_speak(town, caller, other)
    assert all(talk.over for talk in clerk.talks.values())
    other.leave(taken)
    await world.sleep(0.5)


@scenario()
async def test_a_place_that_is_taken_sends_the_transfer_back(world: World) -> None:
    _, _, (caller, clerk, second) = await parked(world, "2020")
    talk = second.dial("1001")
    await world.sleep(1)
    heard = clerk.talking[-1]
    clerk.refer(heard, "sip:705@valmont.example")
    await world.sleep(1)
    assert not heard.over
    assert any("486" in fragment for fragment in heard.fragments)
    second.leave(talk)
    for one in caller.talking:
        caller.leave(one)
    await world.sleep(0.5)


@scenario()
async def test_an_empty_place_says_so(world: World) -> None:
    town = await start(world)
    (alice,) = await town.phones("1001")
    await alice.call("705")
    await alice.expect(183)
    assert town.spoken() == ["Personne n'attend ici."]
    town.finish_playing()
    assert reason_of(await alice.expect(480)).startswith("Q.850;cause=20")


@scenario()
async def test_a_parked_caller_that_hangs_up_frees_the_place(world: World) -> None:
    town, talk, (caller, clerk) = await parked(world)
    caller.leave(talk)
    await world.sleep(0.5)
    clerk.dial("705")
    await world.sleep(0.5)
    assert town.spoken()[-1] == "Personne n'attend ici."
    town.finish_playing()
    await world.sleep(0.5)


@pytest.mark.parametrize("seconds", [0.0, 0.001, 0.01, 0.1])
@scenario()
async def test_two_who_take_the_same_caller_one_has_it(world: World, seconds: float) -> None:
    town, talk, (caller, clerk, other) = await parked(world, "2020")
    one = clerk.dial("705")
    await world.sleep(seconds)
    another = other.dial("705")
    await world.sleep(1)
    if town.engine.playing:
        town.finish_playing()
    await world.sleep(1)
    assert one.established != another.established
    caller.leave(talk)
    await world.sleep(0.5)


# Lamps of places


@scenario()
async def test_the_lamp_of_a_place_is_lit_while_somebody_waits_there(world: World) -> None:
    """RFC 4235 section 3.7; who waits is shown to the group of who parked alone."""
    town = await start(world)
    caller, clerk = await party(town, "2010"), await party(town, "1001")
    near, far = await town.phones("1002", "2401")
    shown, first = await watch(near, "dialog", "705"), await watch(far, "dialog", "705")
    assert lamps(shown) == lamps(first) == []
    talk = caller.dial("1001")
    await world.sleep(1)
    town.ladder.clear()
    clerk.refer(clerk.talking[0], "sip:705@valmont.example")
    assert lamps(await told(near)) == ["recipient confirmed État civil sip:2010@valmont.example"]
    assert lamps(await told(far)) == ["recipient confirmed"]
    await world.sleep(5)
    await near.call("705")  # as its key does
    near.ack(await near.expect(200))
    assert lamps(await told(near)) == ["recipient terminated État civil sip:2010@valmont.example"]
    assert lamps(await told(far)) == ["recipient terminated"]
    await world.sleep(0.5)
    assert_golden("park-lamp", town.ladder)
    near.bye(near.last_invite)
    await near.expect("200 BYE")
    await world.sleep(0.5)
    assert talk.over
    await unwatch(near, shown, "dialog")
    await unwatch(far, first, "dialog")


@scenario()
async def test_the_lamp_goes_out_when_who_waits_hangs_up(world: World) -> None:
    town, talk, (caller, _) = await parked(world)
    (near,) = await town.phones("1002")
    lit = await watch(near, "dialog", "705")
    assert lamps(lit) == ["recipient confirmed État civil sip:2010@valmont.example"]
    caller.leave(talk)
    assert lamps(await told(near)) == ["recipient terminated État civil sip:2010@valmont.example"]
    await unwatch(near, lit, "dialog")


@scenario()
async def test_a_new_plan_without_the_places_ends_their_lamps(world: World) -> None:
    """RFC 6665 section 4.1.3: noresource."""
    town = await start(world)
    (near,) = await town.phones("1002")
    await watch(near, "dialog", "705")
    town.reload(PLAN_TEXT.replace('"700..709"', '"720..729"'))
    assert (await told(near)).header("Subscription-State").startswith("terminated;reason=noresource")


@scenario()
async def test_a_number_that_is_no_place_has_no_lamp(world: World) -> None:
    town = await start(world)
    (near,) = await town.phones("1002")
    near.send("SUBSCRIBE", "8000", headers=(("Event", "dialog"), ("Expires", "3600")))
    await near.expect_authenticated(404)


@scenario()
async def test_who_waits_is_still_there_for_another_process(world: World) -> None:
    town, talk, (caller, clerk) = await parked(world)
    await town.restart()
    await world.sleep(1)
    assert list(town.exchange.parked) == ["705"]
    taken = clerk.dial("705")
    await world.sleep(1)
    assert_speak(town, caller, clerk)
    clerk.leave(taken)
    await world.sleep(0.5)
    assert talk.over
