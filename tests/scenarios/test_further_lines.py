"""Video, text and fax, beside the sound or in its place: calls, their records, a restart."""

from __future__ import annotations

from media import sdp
from sip.core.media_control import CONTENT_TYPE, PICTURE_FAST_UPDATE
from tests.scenarios.test_direct_media import is_relayed, talking
from tests.scenarios.town import BEFFROI, Town, TownPhone, start
from tests.sim.ladder import assert_golden
from tests.sim.world import World, scenario

VIDEO = b"m=video 6000 RTP/AVP 96\r\na=rtpmap:96 VP8/90000\r\n"
FAX = b"m=image 4000 udptl t38\r\na=T38FaxVersion:0\r\na=T38FaxUdpEC:t38UDPRedundancy\r\n"


def fax(phone: TownPhone, version: int = 2) -> bytes:
    """T.38 in place of the sound (ITU-T T.38 annex D)."""
    return phone.sdp(version=version).partition(b"m=audio")[0] + FAX


async def video_call(world: World) -> tuple[Town, TownPhone, TownPhone]:
    """1001 and 1002 talk and see each other."""
    town = await start(world)
    alice, bruno = await town.phones("1001", "1002")
    alice.send("INVITE", "1002", body=alice.sdp() + VIDEO)
    alice.authenticate(await alice.expect(401))
    invite = await bruno.expect("INVITE")
    assert [one.kind for one in sdp.parse(invite.body).media if one.port] == ["audio", "video"]
    bruno.reply(invite, 200, body=bruno.sdp() + VIDEO)
    await bruno.expect("ACK")
    answer = await alice.expect(200)
    assert all(one.host == BEFFROI[0] and one.port for one in sdp.parse(answer.body).media)
    alice.ack(answer)
    await world.sleep(0.1)
    return town, alice, bruno


@scenario()
async def test_the_record_of_a_video_call_has_the_codec_of_its_sound(world: World) -> None:
    town, alice, bruno = await video_call(world)
    await town.hang_up(alice, bruno)
    await world.sleep(0.1)
    assert [leg.codec for leg in town.calls[0].legs] == ["PCMA", "PCMA"]


@scenario()
async def test_a_video_call_goes_on_after_a_restart_with_all_its_ports(world: World) -> None:
    town, alice, bruno = await video_call(world)
    held = town.engine.inventory()["media_ports"]
    await town.restart()
    for phone in (alice, bruno):
        phone.reply(await phone.expect("OPTIONS", within_seconds=10.1), 200)
    assert town.engine.inventory()["media_ports"] == held
    alice.send("INVITE", body=alice.sdp(direction="sendonly", version=2) + VIDEO)
    answer = await alice.expect(200)
    assert [one.kind for one in sdp.parse(answer.body).media if one.port] == ["audio", "video"]
    alice.ack(answer)
    await bruno.expect_silence(1)
    await town.hang_up(alice, bruno)


@scenario()
async def test_a_call_that_becomes_a_fax_is_told_to_the_other_and_recorded_as_one(world: World) -> None:
    town = await start(world)
    alice, bruno = await town.phones("1001", "1002")
    await town.talk(alice, bruno)
    alice.send("INVITE", body=fax(alice))
    offer = await bruno.expect("INVITE")
    assert b"m=image " in offer.body
    bruno.reply(offer, 200, body=fax(bruno))
    await bruno.expect("ACK")
    answer = await alice.expect(200)
    assert b"m=image " in answer.body
    alice.ack(answer)
    await world.sleep(0.1)
    await town.hang_up(alice, bruno)
    await world.sleep(0.1)
    assert [leg.codec for leg in town.calls[0].legs] == ["T38", "T38"]


PICTURE = [("Content-Type", CONTENT_TYPE)]


@scenario()
async def test_a_telephone_that_asks_by_info_has_the_engine_ask_whom_it_sees(world: World) -> None:
    """RFC 5168"""
    town, alice, bruno = await video_call(world)
    alice.send("INFO", body=PICTURE_FAST_UPDATE, headers=PICTURE)
    await alice.expect("200 INFO")
    assert town.engine.asked[-1].verb == "ask_for_picture"
    alice.send("INFO", body=b"<media_control/>", headers=PICTURE)
    await alice.expect("400 INFO")
    await bruno.expect_silence(1)
    await town.hang_up(alice, bruno)


@scenario()
async def test_a_telephone_without_feedback_is_asked_by_info_until_it_refuses(world: World) -> None:
    """RFC 5168"""
    town, alice, bruno = await video_call(world)
    (call,) = {leg.call.id for leg in town.exchange.legs()}
    town.engine.want_picture(call, "b1")
    asked = await bruno.expect("INFO")
    assert (asked.header("Content-Type"), asked.body) == (CONTENT_TYPE, PICTURE_FAST_UPDATE)
    bruno.reply(asked, 200)
    town.engine.want_picture(call, "b1")
    await bruno.expect_silence(0.6)  # it was asked a moment ago
    town.engine.want_picture(call, "b1")
    bruno.reply(await bruno.expect("INFO"), 415)
    await world.sleep(1)
    town.engine.want_picture(call, "b1")
    await bruno.expect_silence(1)
    assert_golden("picture-asked", town.ladder)
    await town.hang_up(alice, bruno)


@scenario()
async def test_where_the_sound_is_direct_the_info_goes_to_the_other_telephone(world: World) -> None:
    town, anna, bela = await talking(world)
    anna.send("INFO", body=PICTURE_FAST_UPDATE, headers=PICTURE)
    await anna.expect("200 INFO")
    bela.reply(await bela.expect("INFO"), 200)
    assert not is_relayed(town)
    await town.hang_up(anna, bela)
