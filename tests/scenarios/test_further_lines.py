"""Video, text and fax, beside the sound or in its place: calls, their records, a restart."""

from __future__ import annotations

from media import sdp
from tests.scenarios.town import BEFFROI, Town, TownPhone, start
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
