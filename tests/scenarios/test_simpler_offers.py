"""415 and 488: the same is asked once more with a simpler offer (RFC 3261 section 21.4.26)."""

from __future__ import annotations

import pytest

from media.simpler import simpler_offer
from tests.scenarios.town import TownPhone, start
from tests.sim.wire import Message
from tests.sim.world import World, scenario

RICH = (
    b"v=0\r\no=- 1 1 IN IP4 10.54.1.10\r\ns=-\r\nc=IN IP4 10.54.1.10\r\nt=0 0\r\n"
    b"m=audio 4000 RTP/AVP 96 9 8 101\r\na=rtpmap:96 opus/48000/2\r\na=fmtp:96 useinbandfec=1\r\n"
    b"a=rtpmap:9 G722/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\n"
    b"a=fmtp:101 0-15\r\na=ptime:20\r\nm=video 4002 RTP/AVP 97\r\na=rtpmap:97 VP8/90000\r\n"
)


async def call_richly(phone: TownPhone, number: str) -> Message:
    """Call with more than G.711 in the offer."""
    phone.send("INVITE", number, body=RICH)
    return phone.authenticate(await phone.expect(401))


def media_lines(body: bytes) -> list[str]:
    return [line for line in body.decode().splitlines() if line.startswith("m=")]


def codecs(body: bytes) -> list[str]:
    return media_lines(body)[0].split()[3:]


def test_what_is_left_is_g711_and_events_and_every_media_line() -> None:
    """RFC 3264 section 6: an answer has as many media lines as the offer."""
    simple = simpler_offer(RICH)
    assert media_lines(simple) == ["m=audio 4000 RTP/AVP 8 101", "m=video 0 RTP/AVP 97"]
    assert b"opus" not in simple
    assert b"useinbandfec" not in simple
    assert b"a=fmtp:101 0-15" in simple
    assert simpler_offer(simple) == simple


@pytest.mark.parametrize(
    "offer",
    [
        b"",
        b"nonsense",
        RICH.replace(b"96 9 8 101", b"96 9"),
        RICH.replace(b"m=audio", b"m=image"),
        RICH.replace(b"m=audio 4000", b"m=audio 0"),
    ],
)
def test_an_offer_that_has_nothing_simpler_in_it_stays(offer: bytes) -> None:
    assert simpler_offer(offer) == offer


@pytest.mark.parametrize("status", [415, 488])
@scenario()
async def test_a_phone_that_refuses_the_offer_is_asked_once_more(world: World, status: int) -> None:
    town = await start(world)
    alice, bruno = await town.phones("2010", "1002")
    await call_richly(alice, "1002")
    first = await bruno.expect("INVITE")
    assert codecs(first.body) == ["96", "9", "8", "101", "0"]
    bruno.reply(first, status)
    await bruno.expect("ACK")
    second = await bruno.expect("INVITE")
    assert codecs(second.body) == ["8", "101", "0"]
    assert media_lines(second.body)[1] == "m=video 0 RTP/AVP 97"
    assert second.call_id != first.call_id
    bruno.answer(second)
    await bruno.expect("ACK")
    answer = await alice.expect(200)
    assert len(media_lines(answer.body)) == 2
    alice.ack(answer)
    await town.hang_up(alice, bruno)


@scenario()
async def test_a_phone_that_refuses_the_simpler_offer_too_is_asked_no_third_time(world: World) -> None:
    town = await start(world)
    alice, bruno = await town.phones("2010", "1002")
    await call_richly(alice, "1002")
    for _ in range(2):
        bruno.reply(await bruno.expect("INVITE"), 488)
        await bruno.expect("ACK")
    await alice.expect(488)
    await bruno.expect_silence(1)


@scenario()
async def test_a_plain_offer_is_repeated_without_what_we_had_added(world: World) -> None:
    town = await start(world)
    alice, bruno = await town.phones("2010", "1002")
    await alice.call("1002")
    for offered in (["8", "0", "101", "9", "96"], ["8", "0", "101"]):
        invite = await bruno.expect("INVITE")
        assert codecs(invite.body) == offered
        bruno.reply(invite, 488)
        await bruno.expect("ACK")
    await alice.expect(488)
    await bruno.expect_silence(1)


@scenario()
async def test_a_phone_that_took_the_simpler_offer_is_not_asked_for_more_by_a_hold(world: World) -> None:
    town = await start(world)
    alice, bruno = await town.phones("2010", "1002")
    await call_richly(alice, "1002")
    bruno.reply(await bruno.expect("INVITE"), 488)
    await bruno.expect("ACK")
    bruno.answer(await bruno.expect("INVITE"))
    await bruno.expect("ACK")
    alice.ack(await alice.expect(200))
    alice.send("INVITE", body=RICH.replace(b"a=ptime:20", b"a=ptime:20\r\na=sendonly"))
    alice.ack(await alice.expect(200))
    await bruno.expect_silence(1)
    await town.hang_up(alice, bruno)


@scenario()
async def test_an_offer_of_nothing_that_we_know_is_not_repeated(world: World) -> None:
    town = await start(world)
    alice, bruno = await town.phones("2010", "1002")
    alice.send("INVITE", "1002", body=alice.sdp().replace(b" 8 0 101", b" 18"))
    alice.authenticate(await alice.expect(401))
    bruno.reply(await bruno.expect("INVITE"), 488)
    await bruno.expect("ACK")
    await alice.expect(488)
    await bruno.expect_silence(1)


@scenario()
async def test_an_operator_that_refuses_the_offer_is_asked_once_more_and_then_the_next(
    world: World,
) -> None:
    town = await start(world)
    (office,) = await town.phones("2010")
    a, b = town.operator("operateur-a"), town.operator("operateur-b")
    await call_richly(office, "00612345678")
    for offered in (["96", "9", "8", "101", "0"], ["8", "101", "0"]):
        invite = await b.expect("INVITE")
        assert codecs(invite.body) == offered
        b.reply(invite, 488)
        await b.expect("ACK")
    invite = await a.expect("INVITE")
    assert codecs(invite.body) == ["96", "9", "8", "101", "0"]
    a.answer(invite)
    await a.expect("ACK")
    office.ack(await office.expect(200))
    await town.hang_up(office, a)
