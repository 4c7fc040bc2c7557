"""Two telephones of a site send each other their sound, and come back to us when we are needed."""

from __future__ import annotations

import pytest

from tests.scenarios.offers import connected, party
from tests.scenarios.party import Party, Talk
from tests.scenarios.test_attended_transfers import replaces
from tests.scenarios.town import BEFFROI, PLAN_TEXT, SECRETS, Town, TownPhone, start
from tests.sim.ladder import assert_golden
from tests.sim.world import World, scenario

SITE = "    name: Hôtel de ville\n"
DIRECT = PLAN_TEXT.replace(SITE, f"{SITE}    direct_media: true\n")
OURS = f"c=IN IP4 {BEFFROI[0]}".encode()


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)


async def talking(world: World, plan: str = DIRECT) -> tuple[Town, TownPhone, TownPhone]:
    """2010 and 2020, both in the town hall, talk; the ladder begins after that."""
    town = await start(world, plan)
    anna, bela = await town.phones("2010", "2020")
    await town.talk(anna, bela)
    town.ladder.clear()
    town.ladder.order("2010", "Beffroi", "2020")
    return town, anna, bela


async def ways(town: Town) -> list[str | None]:
    """Which way the sound of each party went, as the only record says."""
    await town.world.sleep(0.1)
    (call,) = town.calls
    return [leg.media for leg in call.legs]


def is_relayed(town: Town) -> bool:
    """Whether the engine has a stream of anybody."""
    return town.engine.inventory()["media_ports"] > 0


@scenario()
async def test_each_is_told_the_others_address_and_the_record_says_so(world: World) -> None:
    """RFC 3264: the offer and the answer are the telephones' own."""
    town = await start(world, DIRECT)
    anna, bela = await town.phones("2010", "2020")
    town.ladder.order("2010", "Beffroi", "2020")
    await anna.call("2020")
    invite = await bela.expect("INVITE")
    assert invite.body == anna.sdp()
    bela.answer(invite)
    await bela.expect("ACK")
    answer = await anna.expect(200)
    assert answer.body == bela.sdp()
    anna.ack(answer)
    await world.sleep(1)
    assert not is_relayed(town)
    await town.hang_up(anna, bela)
    assert_golden("direct-media", town.ladder)
    assert await ways(town) == ["direct", "direct"]
    assert [leg.codec for leg in town.calls[0].legs] == ["PCMA", "PCMA"]


@pytest.mark.parametrize(
    ("caller", "callee"), [("2201", "2020"), ("2010", "2201"), ("2201", "2202"), ("1001", "1002")]
)
@scenario()
async def test_telephones_elsewhere_speak_through_us(world: World, caller: str, callee: str) -> None:
    town = await start(world, DIRECT)
    one, other = await town.phones(caller, callee)
    await town.talk(one, other)
    assert is_relayed(town)
    await town.hang_up(one, other)
    assert await ways(town) == ["relayed", "relayed"]


@scenario()
async def test_without_the_plans_word_they_speak_through_us(world: World) -> None:
    town, anna, bela = await talking(world, PLAN_TEXT)
    assert is_relayed(town)
    await town.hang_up(anna, bela)
    assert await ways(town) == ["relayed", "relayed"]


@scenario()
async def test_an_offer_with_sound_elsewhere_goes_through_us(world: World) -> None:
    town = await start(world, DIRECT)
    anna, bela = await town.phones("2010", "2020")
    elsewhere = anna.sdp().replace(b"c=IN IP4 10.54.1.10", b"c=IN IP4 10.54.9.9")
    anna.send("INVITE", "2020", body=elsewhere)
    anna.authenticate(await anna.expect(401))
    invite = await bela.expect("INVITE")
    assert OURS in invite.body
    bela.answer(invite)
    await bela.expect("ACK")
    anna.ack(await anna.expect(200))
    await town.hang_up(anna, bela)


@scenario()
async def test_an_answer_with_sound_elsewhere_is_mended_through_us(world: World) -> None:
    """Whoever answered so is offered our address at once."""
    town = await start(world, DIRECT)
    anna, bela = await town.phones("2010", "2020")
    await anna.call("2020")
    invite = await bela.expect("INVITE")
    elsewhere = bela.sdp().replace(b"c=IN IP4 10.54.1.20", b"c=IN IP4 10.54.9.9")
    bela.reply(invite, 200, body=elsewhere)
    answer = await anna.expect(200)
    assert OURS in answer.body
    anna.ack(answer)
    _, offer = await bela.expect_in_any_order("ACK", "INVITE")
    assert OURS in offer.body
    bela.reply(offer, 200, body=elsewhere.replace(b"o=- 1 1", b"o=- 1 2"))
    await bela.expect("ACK")
    await town.hang_up(anna, bela)
    assert await ways(town) == ["relayed", "relayed"]


@scenario()
async def test_a_telephone_behind_a_nat_speaks_through_us(world: World) -> None:
    town = await start(world, DIRECT)
    bela = town.phone("2020")
    bela.headers["Contact"] = "<sip:2020@192.168.1.20:5060>"
    await bela.register()
    del bela.headers["Contact"]
    (anna,) = await town.phones("2010")
    await anna.call("2020")
    invite = await bela.expect("INVITE")
    assert OURS in invite.body
    bela.answer(invite)
    await bela.expect("ACK")
    anna.ack(await anna.expect(200))
    await town.hang_up(anna, bela)


@pytest.mark.parametrize(("profile", "direct"), [("RTP/AVP", True), ("RTP/SAVP", False)])
@scenario()
async def test_sound_that_insists_on_a_key_where_none_is_wanted_is_ours_to_refuse(
    world: World, profile: str, direct: bool
) -> None:
    town = await start(world, DIRECT)
    anna, bela = await town.phones("2010", "2020")
    anna.send("INVITE", "2020", body=anna.sdp().replace(b"RTP/AVP", profile.encode()))
    anna.authenticate(await anna.expect(401))
    if not direct:
        await anna.expect(488)
        await bela.expect_silence(1)
        return
    bela.answer(await bela.expect("INVITE"))
    await bela.expect("ACK")
    anna.ack(await anna.expect(200))
    assert not is_relayed(town)
    await town.hang_up(anna, bela)


@scenario()
async def test_of_two_telephones_each_is_told_what_it_can_reach(world: World) -> None:
    """2020 has another telephone, at home."""
    town = await start(world, DIRECT)
    anna, bela = await town.phones("2010", "2020")
    home = town._machine("home", "198.51.100.20", user="2020", domain=bela.domain, password="pw2020")
    await home.register()
    await anna.call("2020")
    at_desk, at_home = await bela.expect("INVITE"), await home.expect("INVITE")
    assert OURS not in at_desk.body
    assert OURS in at_home.body
    bela.reply(at_desk, 180)
    await anna.expect(180)
    home.answer(at_home)
    await home.expect("ACK")
    bela.reply(await bela.expect("CANCEL"), 200)
    bela.reply(at_desk, 487)
    await bela.expect("ACK")
    answer = await anna.expect(200)
    assert OURS in answer.body
    anna.ack(answer)
    await town.hang_up(anna, home)


@scenario()
async def test_what_other_telephones_were_offered_is_given_back(world: World) -> None:
    town = await start(world, DIRECT)
    anna, bela = await town.phones("2010", "2020")
    home = town._machine("home", "198.51.100.20", user="2020", domain=bela.domain, password="pw2020")
    await home.register()
    await anna.call("2020")
    at_desk, at_home = await bela.expect("INVITE"), await home.expect("INVITE")
    home.reply(at_home, 180)
    await anna.expect(180)
    bela.answer(at_desk)
    await bela.expect("ACK")
    home.reply(await home.expect("CANCEL"), 200)
    home.reply(at_home, 487)
    await home.expect("ACK")
    answer = await anna.expect(200)
    assert answer.body == bela.sdp()
    anna.ack(answer)
    assert not is_relayed(town)
    await town.hang_up(anna, bela)


@scenario()
async def test_a_call_to_a_service_is_ours(world: World) -> None:
    town = await start(world, DIRECT)
    (anna,) = await town.phones("2010")
    await anna.call("9196")
    answer = await anna.expect(200)
    assert OURS in answer.body
    anna.ack(answer)
    anna.bye()
    await anna.expect(200)


# Back to us


@scenario()
async def test_who_holds_comes_back_to_us_and_stays(world: World) -> None:
    town, anna, bela = await talking(world)
    anna.send("INVITE", body=anna.sdp(direction="sendonly", version=2))
    offer = await bela.expect("INVITE")
    assert OURS in offer.body
    bela.reply(offer, 200, body=bela.sdp(version=2))
    await bela.expect("ACK")
    answer = await anna.expect(200)
    assert OURS in answer.body
    anna.ack(answer)
    await world.sleep(1)
    anna.send("INVITE", body=anna.sdp(version=3))
    anna.ack(await anna.expect(200))
    await bela.expect_silence(1)
    assert is_relayed(town)
    await town.hang_up(anna, bela)
    assert_golden("direct-media-hold", town.ladder)
    assert await ways(town) == ["relayed", "relayed"]


@scenario()
async def test_a_hold_that_the_other_refuses_changes_nothing(world: World) -> None:
    town, anna, bela = await talking(world)
    anna.send("INVITE", body=anna.sdp(direction="sendonly", version=2))
    bela.reply(await bela.expect("INVITE"), 488)
    await bela.expect("ACK")
    await anna.expect(488)
    await world.sleep(1)
    assert not is_relayed(town)
    await town.hang_up(anna, bela)
    assert await ways(town) == ["direct", "direct"]


@scenario()
async def test_without_a_port_a_hold_is_refused_and_the_call_goes_on(world: World) -> None:
    town, anna, bela = await talking(world)
    town.engine._free.clear()
    anna.send("INVITE", body=anna.sdp(direction="sendonly", version=2))
    await anna.expect(480)
    await bela.expect_silence(1)
    await town.hang_up(anna, bela)
    assert await ways(town) == ["direct", "direct"]


@scenario()
async def test_who_asks_for_our_offer_gets_our_address(world: World) -> None:
    town, anna, bela = await talking(world)
    anna.send("INVITE")
    ours = await anna.expect(200)
    assert OURS in ours.body
    anna.ack(ours, body=anna.sdp(version=2))
    offer = await bela.expect("INVITE")
    assert OURS in offer.body
    bela.reply(offer, 200, body=bela.sdp(version=2))
    await bela.expect("ACK")
    await world.sleep(1)
    assert is_relayed(town)
    await town.hang_up(anna, bela)
    assert await ways(town) == ["relayed", "relayed"]


@scenario()
async def test_a_hold_that_is_taken_back_too_late_leaves_both_with_us(world: World) -> None:
    town, anna, bela = await talking(world)
    hold = anna.send("INVITE", body=anna.sdp(direction="sendonly", version=2))
    offer = await bela.expect("INVITE")
    anna.cancel(hold)
    await anna.expect("200 CANCEL")
    await anna.expect(487)
    bela.reply(offer, 200, body=bela.sdp(version=2))
    await bela.expect("ACK")
    told = await anna.expect("INVITE")
    assert OURS in told.body
    anna.reply(told, 200, body=anna.sdp(version=3))
    await anna.expect("ACK")
    await world.sleep(1)
    assert is_relayed(town)
    await town.hang_up(anna, bela)


@scenario()
async def test_a_key_by_info_brings_the_call_back(world: World) -> None:
    """RFC 6086: nobody passes an INFO on; the next key goes as sound."""
    town, anna, bela = await talking(world)
    keys = [("Content-Type", "application/dtmf-relay")]
    anna.send("INFO", body=b"Signal=5\r\nDuration=160\r\n", headers=keys)
    await anna.expect("200 INFO")
    for phone in (bela, anna):
        offer = await phone.expect("INVITE")
        assert OURS in offer.body
        phone.reply(offer, 200, body=phone.sdp(version=2))
        await phone.expect("ACK")
    await world.sleep(1)
    assert is_relayed(town)
    await town.hang_up(anna, bela)


async def parties(world: World) -> tuple[Town, list[Party], Talk]:
    """2010 and 2020 talk; 1001 is there too. All react by themselves."""
    town = await start(world, DIRECT)
    found = [await party(town, user) for user in ("2010", "2020", "1001")]
    talk, _ = await connected(town, found[0], found[1])
    assert not is_relayed(town)
    return town, found, talk


@scenario()
async def test_a_blind_transfer_comes_back_to_us(world: World) -> None:
    town, (anna, bela, alice), talk = await parties(world)
    anna.refer(talk, "sip:1001@valmont.example")
    await world.sleep(4)
    assert not anna.talking
    for one in (bela, alice):
        (there,) = one.talking
        assert OURS in there.heard
    alice.leave(alice.talking[0])
    await world.sleep(0.5)
    assert [call.cause for call in town.calls] == ["transferred", "completed"]


@scenario()
async def test_an_attended_transfer_comes_back_to_us(world: World) -> None:
    town, (anna, bela, alice), first = await parties(world)
    second = anna.dial("1001")
    await world.sleep(0.5)
    anna.refer(first, replaces(anna, second))
    await world.sleep(4)
    for one in (bela, alice):
        (there,) = one.talking
        assert OURS in there.heard
    alice.leave(alice.talking[0])
    await world.sleep(0.5)
    assert [call.cause for call in town.calls] == ["transferred", "transferred", "completed"]
    assert [leg.media for leg in town.calls[-1].legs] == ["relayed", "relayed"]


@scenario()
async def test_it_goes_on_after_a_restart_and_can_come_back(world: World) -> None:
    town, anna, bela = await talking(world)
    await town.restart()
    for phone in (anna, bela):
        phone.reply(await phone.expect("OPTIONS", within_seconds=10.1), 200)
    assert not is_relayed(town)
    anna.send("INVITE", body=anna.sdp(direction="sendonly", version=2))
    offer = await bela.expect("INVITE")
    assert OURS in offer.body
    bela.reply(offer, 200, body=bela.sdp(version=2))
    await bela.expect("ACK")
    anna.ack(await anna.expect(200))
    await town.hang_up(anna, bela)
    assert await ways(town) == ["relayed", "relayed"]
