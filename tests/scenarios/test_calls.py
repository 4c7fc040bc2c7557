"""Calls between people of the town: RFC 3665 section 3, through a B2BUA.

Our side is a user agent to each phone, so each side has a dialog, an ACK and a BYE of its own, and there is
no Record-Route. Adapted: 3.1 and 3.2 (two phones, two proxies) are one call through Beffroi, 3.3 (proxies
that challenge) is our own challenge, 3.8 (no answer: the caller gives up), 3.9 (busy), 3.10 (no response) and
3.11 (temporarily unavailable) are here. 3.4 (a proxy fails) is a trunk that fails, in `test_trunks_out`; 3.6
(SDP in the ACK) is in `test_late_offers`, without its redirection; 3.7 (re-INVITE) is in
`test_media_changes`. 3.5 (an ALG) has no counterpart.
"""

from __future__ import annotations

import pytest

from tests.scenarios.town import reason_of, start
from tests.sim.ladder import assert_golden
from tests.sim.network import CUT
from tests.sim.world import World, scenario


@scenario()
async def test_two_people_talk(world: World) -> None:
    """RFC 3665 section 3.1: ringing, answer, hang-up."""
    town = await start(world)
    alice, bruno = await town.phones("1001", "1002")
    town.ladder.order("1001", "Beffroi", "1002")
    await alice.call("1002")
    invite = await bruno.expect("INVITE")
    bruno.reply(invite, 180)
    await alice.expect(180)
    await world.sleep(2)
    bruno.answer(invite)
    await bruno.expect("ACK")
    alice.ack(await alice.expect(200))
    town.ladder.media("1001", "Beffroi")
    town.ladder.media("Beffroi", "1002")
    await world.sleep(10)
    alice.bye()
    bruno.reply(await bruno.expect("BYE"), 200)
    await alice.expect("200 BYE")
    assert_golden("internal-call", town.ladder)
    assert await town.record() == (
        "internal 1001 (Alice Martin) dialled 1002 to 1002: completed, 2.0 12.0\n"
        "  1001 192.0.2.1:5060 udp PCMA: hung up, 0.0 2.0 12.0\n"
        "  1002 192.0.2.2:5060 udp PCMA: released, 0.0 2.0 12.0"
    )


@scenario()
async def test_the_callee_hangs_up(world: World) -> None:
    town = await start(world)
    alice, bruno = await town.phones("1001", "1002")
    await town.talk(alice, bruno)
    town.ladder.clear()
    bruno.bye()
    alice.reply(await alice.expect("BYE"), 200)
    await bruno.expect("200 BYE")
    assert town.ladder.labels() == [
        "1002 > Beffroi: BYE",
        "Beffroi > 1001: BYE",
        "Beffroi > 1002: 200 BYE",
        "1001 > Beffroi: 200 BYE",
    ]
    assert await town.record() == (
        "internal 1001 (Alice Martin) dialled 1002 to 1002: completed, 0.0 0.1\n"
        "  1001 192.0.2.1:5060 udp PCMA: released, 0.0 0.0 0.1\n"
        "  1002 192.0.2.2:5060 udp PCMA: hung up, 0.0 0.0 0.1"
    )


@scenario()
async def test_the_callee_sees_the_name_and_number_of_the_caller(world: World) -> None:
    town = await start(world)
    alice, bruno = await town.phones("1001", "1002")
    await alice.call("1002")
    invite = await bruno.expect("INVITE")
    assert invite.header("From").startswith('"Alice Martin" <sip:1001@valmont.example>')
    assert invite.header("To") == "<sip:1002@valmont.example>"
    bruno.reply(invite, 486)
    await bruno.expect("ACK")
    await alice.expect(486)


@scenario()
async def test_every_hop_takes_one_from_max_forwards(world: World) -> None:
    """RFC 3261 section 16.6 step 3, which a B2BUA does well to follow (RFC 7332)."""
    town = await start(world)
    alice, bruno = await town.phones("1001", "1002")
    await alice.call("1002")
    invite = await bruno.expect("INVITE")
    assert invite.header("Max-Forwards") == "69"
    bruno.reply(invite, 486)
    await bruno.expect("ACK")
    await alice.expect(486)


@scenario()
async def test_a_call_that_has_no_hop_left_is_refused_with_483(world: World) -> None:
    """RFC 3261 section 16.3 step 3."""
    town = await start(world)
    alice, bruno = await town.phones("1001", "1002")
    await town.call_with(alice, "1002", {"Max-Forwards": "0"})
    await alice.expect(483)
    await bruno.expect_silence(1)
    assert town.calls == []


@scenario()
async def test_two_people_who_call_each_other_at_once_have_two_calls(world: World) -> None:
    town = await start(world)
    alice, bruno = await town.phones("1001", "1002")
    alice.invite("1002")
    bruno.invite("1001")
    for phone in (alice, bruno):
        phone.authenticate(await phone.expect(401))
    for phone in (alice, bruno):
        phone.reply(await phone.expect("INVITE"), 486)
    for phone in (alice, bruno):
        await phone.expect_in_any_order("ACK", "486 INVITE")
    await world.sleep(0.1)
    assert sorted((call.from_, call.to, call.cause) for call in town.calls) == [
        ("1001", "1002", "busy"),
        ("1002", "1001", "busy"),
    ]


@scenario()
async def test_a_busy_callee(world: World) -> None:
    """RFC 3665 section 3.9."""
    town = await start(world)
    alice, bruno = await town.phones("1001", "1002")
    await alice.call("1002")
    bruno.reply(await bruno.expect("INVITE"), 486)
    await bruno.expect("ACK")
    assert reason_of(await alice.expect(486)) == 'Q.850;cause=17;text="User busy"'
    assert_golden("busy", town.ladder)
    assert await town.record() == (
        "internal 1001 (Alice Martin) dialled 1002 to 1002: busy, - 0.0\n"
        "  1001 192.0.2.1:5060 udp -: busy, 0.0 - 0.0\n"
        "  1002 192.0.2.2:5060 udp -: 486 Busy Here, 0.0 - 0.0"
    )


@scenario()
async def test_a_callee_who_declines(world: World) -> None:
    town = await start(world)
    alice, bruno = await town.phones("1001", "1002")
    await alice.call("1002")
    invite = await bruno.expect("INVITE")
    bruno.reply(invite, 180)
    bruno.reply(invite, 603)
    await bruno.expect("ACK")
    await alice.expect(180)
    await alice.expect(603)
    assert (await town.record()).splitlines()[0].endswith("to 1002: declined, - 0.0")


@scenario()
async def test_no_answer_after_a_minute(world: World) -> None:
    town = await start(world)
    alice, bruno = await town.phones("1001", "1002")
    await alice.call("1002")
    invite = await bruno.expect("INVITE")
    bruno.reply(invite, 180)
    await alice.expect(180)
    cancel = await bruno.expect("CANCEL", within_seconds=61)
    bruno.reply(cancel, 200)
    bruno.reply(invite, 487)
    await bruno.expect("ACK")
    refusal = await town.refused(alice, 480, passing_over=[180])
    assert town.spoken() == ["Votre correspondant ne répond pas."]
    assert reason_of(refusal) == 'Q.850;cause=19;text="No answer from the user"'
    assert_golden("no-answer", town.ladder)
    assert await town.record() == (
        "internal 1001 (Alice Martin) dialled 1002 to 1002: no answer, - 60.0\n"
        "  1001 192.0.2.1:5060 udp PCMA: no answer, 0.0 - 60.0\n"
        "  1002 192.0.2.2:5060 udp -: no answer, 0.0 - 60.0"
    )


@scenario()
async def test_nobody_is_registered(world: World) -> None:
    town = await start(world)
    (alice,) = await town.phones("1001")
    await alice.call("1002")
    assert reason_of(await town.refused(alice, 480)) == 'Q.850;cause=20;text="Subscriber absent"'
    assert town.spoken() == ["Votre correspondant n'est pas joignable."]
    assert_golden("nobody-registered", town.ladder)
    assert await town.record() == (
        "internal 1001 (Alice Martin) dialled 1002 to 1002: unreachable, - 0.0\n"
        "  1001 192.0.2.1:5060 udp PCMA: unreachable, 0.0 - 0.0"
    )


@scenario()
async def test_a_callee_who_is_unavailable(world: World) -> None:
    """RFC 3665 section 3.11."""
    town = await start(world)
    alice, bruno = await town.phones("1001", "1002")
    await alice.call("1002")
    bruno.reply(await bruno.expect("INVITE"), 480)
    await bruno.expect("ACK")
    assert reason_of(await town.refused(alice, 480)) == 'Q.850;cause=20;text="Subscriber absent"'
    assert_golden("unavailable", town.ladder)


@scenario()
async def test_a_phone_that_is_switched_off_is_given_up_after_timer_b(world: World) -> None:
    """RFC 3665 section 3.10."""
    town = await start(world)
    alice, bruno = await town.phones("1001", "1002")
    world.network.link(bruno.host, town.node.host, CUT)
    await alice.call("1002")
    refusal = await town.refused(alice, 480)
    assert reason_of(refusal) == 'Q.850;cause=20;text="Subscriber absent"'
    assert (await town.record()).splitlines() == [
        "internal 1001 (Alice Martin) dialled 1002 to 1002: unreachable, - 32.0",
        "  1001 192.0.2.1:5060 udp PCMA: unreachable, 0.0 - 32.0",
        "  1002 192.0.2.2:5060 udp -: 408 no response, 0.0 - 32.0",
    ]


@scenario()
async def test_the_caller_gives_up(world: World) -> None:
    """RFC 3665 section 3.8: the callee rings and doesn't answer."""
    town = await start(world)
    alice, bruno = await town.phones("1001", "1002")
    call = await alice.call("1002")
    invite = await bruno.expect("INVITE")
    bruno.reply(invite, 180)
    await alice.expect(180)
    await world.sleep(3)
    alice.cancel(call)
    await alice.expect_in_any_order("200 CANCEL", "487 INVITE")
    bruno.reply(await bruno.expect("CANCEL"), 200)
    bruno.reply(invite, 487)
    await bruno.expect("ACK")
    assert_golden("cancel", town.ladder)
    assert await town.record() == (
        "internal 1001 (Alice Martin) dialled 1002 to 1002: cancelled, - 3.0\n"
        "  1001 192.0.2.1:5060 udp -: cancelled, 0.0 - 3.0\n"
        "  1002 192.0.2.2:5060 udp -: cancelled, 0.0 - 3.0"
    )


@scenario()
async def test_a_cancel_before_the_callee_has_said_anything_waits_for_its_provisional(world: World) -> None:
    """RFC 3261 section 9.1."""
    town = await start(world)
    alice, bruno = await town.phones("1001", "1002")
    call = await alice.call("1002")
    invite = await bruno.expect("INVITE")
    alice.cancel(call)
    await alice.expect_in_any_order("200 CANCEL", "487 INVITE")
    await bruno.expect_silence(0.3)
    bruno.reply(invite, 100)
    bruno.reply(await bruno.expect("CANCEL"), 200)
    bruno.reply(invite, 487)
    await bruno.expect("ACK")


@scenario()
async def test_a_cancel_that_crosses_the_callees_200_hangs_the_callee_up(world: World) -> None:
    town = await start(world)
    alice, bruno = await town.phones("1001", "1002")
    call = await alice.call("1002")
    invite = await bruno.expect("INVITE")
    bruno.reply(invite, 180)
    await alice.expect(180)
    alice.cancel(call)
    bruno.answer(invite)
    await alice.expect_in_any_order("200 CANCEL", "487 INVITE")
    _, bye = await bruno.expect_in_any_order("ACK", "BYE")
    bruno.reply(bye, 200)
    assert (await town.record()).splitlines()[0].endswith("to 1002: cancelled, - 0.0")


@scenario()
async def test_a_cancel_that_crosses_our_200_changes_nothing(world: World) -> None:
    """RFC 3261 section 9.2."""
    town = await start(world)
    alice, bruno = await town.phones("1001", "1002")
    call = await alice.call("1002")
    invite = await bruno.expect("INVITE")
    bruno.answer(invite)
    await bruno.expect("ACK")
    alice.cancel(call)
    answer, _ = await alice.expect_in_any_order("200 INVITE", "200 CANCEL")
    alice.ack(answer)
    await town.hang_up(alice, bruno)
    assert "completed" in await town.record()


@scenario()
async def test_a_caller_who_hangs_up_before_the_ack(world: World) -> None:
    """RFC 3261 section 15: the caller may send BYE on a confirmed dialog."""
    town = await start(world)
    alice, bruno = await town.phones("1001", "1002")
    await alice.call("1002")
    bruno.answer(await bruno.expect("INVITE"))
    await bruno.expect("ACK")
    answer = await alice.expect(200)
    alice.bye()
    bruno.reply(await bruno.expect("BYE"), 200)
    await alice.expect("200 BYE")
    await alice.expect_silence(5)
    alice.ack(answer)
    assert "completed, 0.0 0.0" in await town.record()


@scenario()
async def test_a_caller_who_never_acknowledges_is_lost(world: World) -> None:
    """RFC 3261 section 13.3.1.4."""
    town = await start(world)
    alice, bruno = await town.phones("1001", "1002")
    await alice.call("1002")
    bruno.answer(await bruno.expect("INVITE"))
    await bruno.expect("ACK")
    await alice.expect(200)
    world.network.link(alice.host, town.node.host, CUT)
    bruno.reply(await bruno.expect("BYE"), 200)
    assert (await town.record()).splitlines() == [
        "internal 1001 (Alice Martin) dialled 1002 to 1002: lost, 0.0 32.0",
        "  1001 192.0.2.1:5060 udp PCMA: lost, 0.0 0.0 32.0",
        "  1002 192.0.2.2:5060 udp PCMA: released, 0.0 0.0 32.0",
    ]


@scenario()
async def test_a_callee_who_answers_what_cannot_be_used_ends_the_call_with_488(world: World) -> None:
    town = await start(world)
    alice, bruno = await town.phones("1001", "1002")
    await alice.call("1002")
    bruno.reply(await bruno.expect("INVITE"), 200, body=b"v=0\r\nm=audio")
    await bruno.expect("ACK")
    bruno.reply(await bruno.expect("BYE"), 200)
    await alice.expect(488)
    assert "to 1002: media: " in await town.record()


@scenario()
async def test_a_body_that_is_no_session_description_is_refused_with_488(world: World) -> None:
    town = await start(world)
    (alice,) = await town.phones("1001")
    alice.send("INVITE", "1002", body=b"v=0\r\nno media here")
    await alice.expect_authenticated(488)
    assert town.calls == []


@scenario()
async def test_byes_that_cross_end_the_call_once(world: World) -> None:
    town = await start(world)
    alice, bruno = await town.phones("1001", "1002")
    await town.talk(alice, bruno)
    alice.bye()
    bruno.bye()
    await alice.expect("200 BYE")
    await bruno.expect("200 BYE")
    assert (await town.record()).splitlines()[1:] == [
        "  1001 192.0.2.1:5060 udp PCMA: hung up, 0.0 0.0 0.1",
        "  1002 192.0.2.2:5060 udp PCMA: hung up, 0.0 0.0 0.1",
    ]


@pytest.mark.parametrize("dialled", ["4444", "alice", ""])
@scenario()
async def test_a_number_that_nobody_has_is_told_and_refused_with_404(world: World, dialled: str) -> None:
    town = await start(world)
    (alice,) = await town.phones("1001")
    await alice.call(f"sip:{dialled}@valmont.example" if dialled else "sip:valmont.example")
    await alice.expect(183)
    await world.sleep(2)
    town.finish_playing()
    assert reason_of(await alice.expect(404)) == 'Q.850;cause=1;text="Unallocated number"'
    assert town.spoken() == ["Ce numéro n'existe pas."]
    assert "rejected: unknown, - 2.0" in await town.record()
