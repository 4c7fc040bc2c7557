"""Before the answer: provisional responses that must arrive, early media, changes; and each leg's own timer.

Every leg has its own PRACKs (RFC 3262), UPDATEs (RFC 3311) and session timer (RFC 4028): what one party wants
or knows is nothing that the other has to.
"""

from __future__ import annotations

import pytest

from media.sdp import parse
from tests.scenarios.offers import assert_speak, connected, party
from tests.scenarios.test_media_changes import other_codecs
from tests.scenarios.town import SECRETS, Town, TownPhone, start
from tests.sim.ladder import assert_golden
from tests.sim.wire import Message
from tests.sim.world import World, scenario


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)


REQUIRED = {"Require": "100rel", "Allow": "INVITE, ACK, BYE, CANCEL, PRACK, UPDATE"}
SUPPORTED = {"Supported": "100rel", "Allow": "INVITE, ACK, BYE, CANCEL, PRACK, UPDATE"}


async def two(world: World) -> tuple[Town, TownPhone, TownPhone]:
    town = await start(world)
    alice, bruno = await town.phones("1001", "1002")
    town.ladder.order("1001", "Beffroi", "1002")
    return town, alice, bruno


async def acknowledged(phone: TownPhone, response: Message, *, body: bytes = b"") -> Message:
    """Acknowledge a reliable provisional response; returns the 200."""
    phone.prack(response, body=body)
    return await phone.expect("200 PRACK")


async def answered(caller: TownPhone, callee: TownPhone, invite: Message) -> Message:
    """The callee answers; both acknowledge. Returns the 200 that the caller got."""
    callee.answer(invite)
    await callee.expect("ACK")
    answer = await caller.expect(200)
    caller.ack(answer)
    return answer


@scenario()
async def test_a_caller_that_requires_reliable_ringing_of_a_callee_that_has_none(world: World) -> None:
    """RFC 3262 section 3."""
    town, alice, bruno = await two(world)
    await town.call_with(alice, "1002", REQUIRED)
    alice.headers.clear()
    invite = await bruno.expect("INVITE")
    bruno.reply(invite, 180)
    ringing = await alice.expect(180)
    assert ringing.header("RSeq")
    assert ringing.body == b""
    await acknowledged(alice, ringing)
    await answered(alice, bruno, invite)
    await town.hang_up(alice, bruno)


@scenario()
async def test_a_callee_that_rings_reliably_for_a_caller_that_does_not_ask(world: World) -> None:
    """RFC 3262 section 4: the PRACK is ours."""
    town, alice, bruno = await two(world)
    await alice.call("1002")
    invite = await bruno.expect("INVITE")
    assert "100rel" in invite.header("Supported")
    bruno.progress(invite, 7, 180)
    prack = await bruno.expect("PRACK")
    assert prack.header("RAck") == f"7 {invite.cseq} INVITE"
    bruno.reply(prack, 200)
    ringing = await alice.expect(180)
    assert not ringing.all("RSeq")
    await answered(alice, bruno, invite)
    await town.hang_up(bruno, alice)


@scenario()
async def test_both_ring_reliably_each_by_its_own_numbers(world: World) -> None:
    town, alice, bruno = await two(world)
    await town.call_with(alice, "1002", REQUIRED)
    alice.headers.clear()
    invite = await bruno.expect("INVITE")
    bruno.progress(invite, 7, 180)
    bruno.reply(await bruno.expect("PRACK"), 200)
    ringing = await alice.expect(180)
    assert ringing.header("RSeq") != "7"
    await acknowledged(alice, ringing)
    await answered(alice, bruno, invite)
    await town.hang_up(alice, bruno)
    assert_golden("reliable-ringing", town.ladder)


@pytest.mark.parametrize("reliable", [True, False])
@scenario()
async def test_early_media_of_a_device_is_kept_from_the_caller(world: World, reliable: bool) -> None:
    """Several devices may ring: none of them decides what the caller hears before the answer."""
    town, alice, bruno = await two(world)
    await alice.call("1002")
    invite = await bruno.expect("INVITE")
    if reliable:
        bruno.progress(invite, 1, body=bruno.sdp())
        bruno.reply(await bruno.expect("PRACK"), 200)
    else:
        bruno.reply(invite, 183, body=bruno.sdp())
    ringing = await alice.expect(180)
    assert ringing.body == b""
    answer = await answered(alice, bruno, invite)
    assert answer.body
    await town.hang_up(alice, bruno)


@scenario()
async def test_early_media_from_outside_reaches_the_caller_reliably_where_it_takes_that(world: World) -> None:
    town, alice, _ = await two(world)
    operator = town.operator("operateur-b")
    await town.call_with(alice, "00612345678", SUPPORTED)
    alice.headers.clear()
    invite = await operator.expect("INVITE")
    operator.progress(invite, 1, body=operator.sdp())
    operator.reply(await operator.expect("PRACK"), 200)
    early = await alice.expect(183)
    assert early.header("RSeq")
    assert b"m=audio" in early.body
    await acknowledged(alice, early)
    answer = await answered(alice, operator, invite)
    assert answer.body == b""  # RFC 3261 section 13.2.1: it came before
    await town.hang_up(alice, operator)


@scenario()
async def test_a_second_trunk_that_answers_otherwise_is_offered_to_the_caller(world: World) -> None:
    """The caller has an answer of the first one's: it can get another one by an offer only."""
    town, alice, _ = await two(world)
    b, a = town.operator("operateur-b"), town.operator("operateur-a")
    await town.call_with(alice, "00612345678", SUPPORTED)
    alice.headers.clear()
    first = await b.expect("INVITE")
    b.reply(first, 183, body=b.sdp())
    early = await alice.expect(183)
    await acknowledged(alice, early)
    b.reply(first, 503)
    await b.expect("ACK")
    second = await a.expect("INVITE")
    a.reply(second, 200, body=other_codecs(a))
    await a.expect("ACK")
    answer = await alice.expect(200)
    assert answer.body == b""
    alice.ack(answer)
    offer = await alice.expect("INVITE", within_seconds=2)
    assert b"RTP/AVP 0 101" in offer.body
    alice.reply(offer, 200, body=other_codecs(alice))
    await alice.expect("ACK")
    await a.expect_silence(1)
    await town.hang_up(alice, a)


@scenario()
async def test_a_device_that_offers_while_it_rings_is_answered_and_offered_the_callers_sound(
    world: World,
) -> None:
    """RFC 3262 section 5: a late offer, in a response that must arrive."""
    town, alice, bruno = await two(world)
    await alice.call("1002", offer=False)
    invite = await bruno.expect("INVITE")
    bruno.progress(invite, 1, body=bruno.sdp())
    prack = await bruno.expect("PRACK")
    assert b"m=audio" in prack.body
    bruno.reply(prack, 200)
    await alice.expect(180)
    bruno.reply(invite, 200)
    await bruno.expect("ACK")
    offer = await alice.expect(200)
    assert b"m=audio" in offer.body
    alice.ack(offer, body=alice.sdp())
    again = await bruno.expect("INVITE", within_seconds=2, passing_over=["UPDATE"])
    bruno.answer(again)
    await bruno.expect("ACK")
    await alice.expect_silence(1)
    await town.hang_up(alice, bruno)


@pytest.mark.parametrize("codecs", [False, True])
@scenario()
async def test_a_device_may_move_before_it_answers_but_not_take_less(world: World, codecs: bool) -> None:
    """RFC 3311 section 5.1; the caller, who was told nothing yet, can't be asked."""
    town, alice, bruno = await two(world)
    await alice.call("1002")
    invite = await bruno.expect("INVITE")
    bruno.progress(invite, 1, body=bruno.sdp())
    bruno.reply(await bruno.expect("PRACK"), 200)
    await alice.expect(180)
    moved = bruno.sdp(version=2).replace(b"audio 4000", b"audio 4100")
    bruno.send("UPDATE", within=invite, body=other_codecs(bruno) if codecs else moved)
    await bruno.expect("488 UPDATE" if codecs else "200 UPDATE")
    bruno.reply(invite, 200)
    await bruno.expect("ACK")
    alice.ack(await alice.expect(200))
    (call_id,) = {asked.call for asked in town.engine.asked}
    (remote,) = [leg.remote for leg in town.engine.snapshot(call_id).legs if leg.name == "b1"]
    assert remote is not None
    assert remote.port == (4000 if codecs else 4100)
    await town.hang_up(alice, bruno)


@scenario()
async def test_of_two_that_ring_none_may_change_before_it_answers(world: World) -> None:
    town = await start(world)
    bruno, alice, app = await town.phones("1002", "1001", "1001-app")
    await bruno.call("1001")
    invite, other = await alice.expect("INVITE"), await app.expect("INVITE")
    alice.progress(invite, 1, body=alice.sdp())
    alice.reply(await alice.expect("PRACK"), 200)
    await bruno.expect(180)
    alice.send("UPDATE", within=invite, body=other_codecs(alice))
    await alice.expect("488 UPDATE")
    alice.reply(invite, 486)
    await alice.expect("ACK")
    await answered(bruno, app, other)
    await town.hang_up(bruno, app)


@pytest.mark.parametrize("codecs", [False, True])
@scenario()
async def test_a_caller_may_hold_before_the_answer_but_not_change_its_codecs(
    world: World, codecs: bool
) -> None:
    """What the callee would have to be told isn't: nobody has answered."""
    town, alice, _ = await two(world)
    operator = town.operator("operateur-b")
    await town.call_with(alice, "00612345678", SUPPORTED)
    alice.headers.clear()
    invite = await operator.expect("INVITE")
    operator.progress(invite, 1, body=operator.sdp())
    operator.reply(await operator.expect("PRACK"), 200)
    early = await alice.expect(183)
    await acknowledged(alice, early)
    change = other_codecs(alice) if codecs else alice.sdp(direction="sendonly", version=2)
    alice.send("UPDATE", within=early, body=change)
    await alice.expect("488 UPDATE" if codecs else "200 UPDATE")
    await answered(alice, operator, invite)
    await town.hang_up(alice, operator)


@scenario()
async def test_an_offer_in_a_prack_of_a_caller_without_offer_is_refused(world: World) -> None:
    """RFC 3262 section 5 has offers in PRACK only after an exchange."""
    town, alice, bruno = await two(world)
    alice.headers.update(REQUIRED)
    await alice.call("1002", offer=False)
    alice.headers.clear()
    invite = await bruno.expect("INVITE")
    bruno.reply(invite, 180)
    ringing = await alice.expect(180)
    alice.prack(ringing, body=alice.sdp())
    await alice.expect("488 PRACK")
    bruno.answer(invite)
    offer = await alice.expect(200)
    alice.ack(offer, body=alice.sdp())
    await bruno.expect("ACK")
    await town.hang_up(alice, bruno)


# Session timers


@scenario()
async def test_the_refresh_of_one_leg_is_not_seen_by_the_other(world: World) -> None:
    """RFC 4028 sections 7.4 and 9."""
    town, alice, bruno = await two(world)
    await town.call_with(alice, "1002", {"Session-Expires": "100;refresher=uac", "Supported": "timer"})
    await answered(alice, bruno, await bruno.expect("INVITE"))
    for _ in range(3):
        await world.sleep(50)
        alice.send("UPDATE")
        refreshed = await alice.expect("200 UPDATE")
        assert refreshed.header("Session-Expires").startswith("100")
    await bruno.expect_silence(1)
    alice.headers.clear()
    await town.hang_up(alice, bruno)
    assert "completed" in await town.record()


@scenario()
async def test_a_leg_that_nobody_refreshes_ends_the_call_and_the_record_says_so(world: World) -> None:
    """RFC 4028 section 10."""
    town, alice, bruno = await two(world)
    await town.call_with(alice, "1002", {"Session-Expires": "100;refresher=uac", "Supported": "timer"})
    await answered(alice, bruno, await bruno.expect("INVITE"))
    alice.headers.clear()
    alice.reply(await alice.expect("BYE", within_seconds=110), 200)
    bruno.reply(await bruno.expect("BYE"), 200)
    record = await town.record()
    assert ": lost, " in record.splitlines()[0]
    assert ": lost, " in record.splitlines()[1]
    assert ": released, " in record.splitlines()[2]


@scenario()
async def test_a_callee_that_knows_nothing_of_our_refresh_ends_the_call(world: World) -> None:
    """RFC 4028 section 10: 481, and the dialog is gone."""
    town, alice, bruno = await two(world)
    await alice.call("1002")
    invite = await bruno.expect("INVITE")
    timer = [("Session-Expires", "100;refresher=uac"), ("Require", "timer")]
    bruno.reply(invite, 200, body=bruno.sdp(), headers=timer)
    await bruno.expect("ACK")
    alice.ack(await alice.expect(200))
    refresh = await bruno.expect("INVITE", within_seconds=60)
    bruno.reply(refresh, 481)
    bruno.reply((await bruno.expect_in_any_order("ACK", "BYE"))[1], 200)
    alice.reply(await alice.expect("BYE"), 200)
    assert ": lost, " in (await town.record()).splitlines()[0]


@scenario()
async def test_a_change_while_we_refresh_waits_for_the_refresh(world: World) -> None:
    """RFC 3261 section 14.1: the callee is asked twice, one after the other."""
    town, alice, bruno = await two(world)
    await alice.call("1002")
    invite = await bruno.expect("INVITE")
    timer = [("Session-Expires", "100;refresher=uac"), ("Require", "timer")]
    bruno.reply(invite, 200, body=bruno.sdp(), headers=timer)
    await bruno.expect("ACK")
    alice.ack(await alice.expect(200))
    refresh = await bruno.expect("INVITE", within_seconds=60)
    alice.send("INVITE", body=other_codecs(alice))
    await world.sleep(0.1)
    bruno.reply(refresh, 200, body=bruno.sdp(), headers=timer)
    await bruno.expect("ACK")
    change = await bruno.expect("INVITE")
    assert b"RTP/AVP 0 101" in change.body
    bruno.reply(change, 200, body=other_codecs(bruno))
    await bruno.expect("ACK")
    alice.ack(await alice.expect(200))
    await town.hang_up(alice, bruno)


@scenario()
async def test_an_operator_may_challenge_a_change(world: World) -> None:
    """RFC 3261 section 22.3: the credentials of its trunk are ours; a device's challenge isn't answered."""
    town, alice, _ = await two(world)
    operator = town.operator("operateur-b")
    await town.talk_outside(alice, "00612345678", operator)
    alice.send("INVITE", body=other_codecs(alice))
    challenge = [("Proxy-Authenticate", 'Digest realm="operateur-b", nonce="n1", qop="auth"')]
    operator.reply(await operator.expect("INVITE"), 407, headers=challenge)
    await operator.expect("ACK")
    again = await operator.expect("INVITE")
    assert 'username="valmont"' in again.header("Proxy-Authorization")
    operator.reply(again, 200, body=other_codecs(operator))
    await operator.expect("ACK")
    alice.ack(await alice.expect(200))
    await town.hang_up(alice, operator)


# Identity


@scenario()
async def test_a_device_cannot_say_that_it_is_somebody_else(world: World) -> None:
    """RFC 3325 section 5: what it asserts is from outside the domain of trust."""
    town = await start(world)
    alice, bruno = await party(town, "1001"), await party(town, "1002")
    talk, _ = await connected(town, alice, bruno)
    shown = list(bruno.shown)
    alice.send(
        "UPDATE",
        within=talk.invite,
        headers=[alice.allow, ("P-Asserted-Identity", '"Police" <sip:17@valmont.example>')],
    )
    await world.sleep(1)
    assert talk.finals[-1] == "200 UPDATE"
    assert bruno.shown == shown
    assert_speak(town, alice, bruno)
    alice.leave(talk)


@pytest.mark.parametrize("privacy", [False, True])
@scenario()
async def test_an_operator_tells_who_is_there_now(world: World, privacy: bool) -> None:
    """RFC 4916, RFC 3325 section 9.1; a wish for privacy is heard."""
    town, alice, _ = await two(world)
    operator = town.operator("operateur-b")
    await town.call_with(alice, "00612345678", SUPPORTED)
    alice.headers.clear()
    await answered(alice, operator, await operator.expect("INVITE"))
    operator.send(
        "UPDATE",
        headers=[
            ("P-Asserted-Identity", '"Mme Roy" <sip:+33612345679@sip.operateur-b.example>'),
            *([("Privacy", "id")] if privacy else []),
        ],
    )
    await operator.expect("200 UPDATE")
    update = await alice.expect("UPDATE")
    shown = update.header("P-Asserted-Identity")
    expected = (
        "<sip:anonymous@valmont.example>" if privacy else '"Mme Roy" <sip:+33612345679@valmont.example>'
    )
    assert shown == expected
    alice.reply(update, 200)
    await town.hang_up(alice, operator)


@pytest.mark.parametrize("updates", [True, False])
@scenario()
async def test_an_offer_in_a_prack_that_cannot_be_had_is_answered_and_then_what_held_is_offered_again(
    world: World, updates: bool
) -> None:
    """RFC 3262 section 3: a PRACK that acknowledges gets a 2xx, and section 5: with the answer. RFC 6337
    section 2.3: what isn't taken is followed by a new offer."""
    town, alice, _ = await two(world)
    operator = town.operator("operateur-b")
    methods = "INVITE, ACK, BYE, CANCEL, PRACK" + (", UPDATE" if updates else "")
    await town.call_with(alice, "00612345678", {"Supported": "100rel", "Allow": methods})
    alice.headers.clear()
    invite = await operator.expect("INVITE")
    operator.progress(invite, 1, body=operator.sdp())
    operator.reply(await operator.expect("PRACK"), 200)
    early = await alice.expect(183)
    alice.prack(early, body=other_codecs(alice))
    answer = parse((await alice.expect("200 PRACK")).body)
    assert [one.port for one in answer.media] == [0]
    if updates:
        offer = await alice.expect("UPDATE")
        alice.reply(offer, 200, body=alice.sdp(version=3))
        operator.answer(invite)
        await operator.expect("ACK")
        alice.ack(await alice.expect(200))
    else:
        operator.answer(invite)
        await operator.expect("ACK")
        alice.ack(await alice.expect(200))
        offer = await alice.expect("INVITE")
        alice.reply(offer, 200, body=alice.sdp(version=3))
        await alice.expect("ACK")
    assert parse(offer.body).media == parse(early.body).media
    assert int(parse(offer.body).origin[2]) == int(answer.origin[2]) + 1
    await town.hang_up(alice, operator)


@scenario()
async def test_who_hears_an_announcement_may_change_its_media(world: World) -> None:
    """RFC 3262 section 5: the answer to an offer in PRACK lies in its 2xx."""
    town, alice, _ = await two(world)
    await town.call_with(alice, "9999", SUPPORTED)
    alice.headers.clear()
    early = await alice.expect(183)
    alice.prack(early, body=alice.sdp(version=2))
    assert parse((await alice.expect("200 PRACK")).body).media[0].port
    town.finish_playing()
    await alice.expect(404)
