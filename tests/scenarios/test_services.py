"""Services by their number: the echo, those that aren't built yet, and refusals that say why."""

from __future__ import annotations

from media.engines.fake import FakeEngine
from tests.scenarios.town import reason_of, start
from tests.sim.ladder import assert_golden
from tests.sim.world import World, scenario


@scenario()
async def test_the_echo(world: World) -> None:
    town = await start(world)
    (alice,) = await town.phones("1001")
    await alice.call("9196")
    alice.ack(await alice.expect(200))
    town.ladder.media("1001", "Beffroi", "her own voice")
    await world.sleep(4)
    alice.bye()
    await alice.expect("200 BYE")
    assert_golden("echo", town.ladder)
    assert town.asked() == ["publish a", "echo a", "delete"]
    assert await town.record() == (
        "internal 1001 (Alice Martin) dialled 9196 to echo: completed, 0.0 4.0\n"
        "  1001 192.0.2.1:5060 udp PCMA: hung up, 0.0 0.0 4.0"
    )


@scenario()
async def test_a_service_that_is_not_built_yet_says_so_before_the_answer(world: World) -> None:
    """RFC 3960 section 3.2: early media; nobody pays for the announcement."""
    town = await start(world)
    (alice,) = await town.phones("1001")
    await alice.call("8001")
    early = await alice.expect(183)
    assert b"m=audio" in early.body
    town.ladder.media("1001", "Beffroi", "announcement")
    await world.sleep(3)
    assert town.spoken() == ["Ce service n'est pas encore disponible."]
    town.finish_playing()
    refusal = await alice.expect(480)
    assert reason_of(refusal) == 'Q.850;cause=79;text="Service or option not implemented"'
    assert_golden("not-built", town.ladder)
    assert await town.record() == (
        "internal 1001 (Alice Martin) dialled 8001 to repondeur-mairie: not available, - 3.0\n"
        "  1001 192.0.2.1:5060 udp PCMA: not available, 0.0 - 3.0"
    )


@scenario()
async def test_a_class_that_may_not_call_outside_hears_so_and_gets_403(world: World) -> None:
    town = await start(world)
    (garde,) = await town.phones("2202")
    await garde.call("00612345678")
    await garde.expect(183)
    await world.sleep(2)
    assert town.spoken() == ["Vous n'êtes pas autorisé à appeler ce numéro."]
    town.finish_playing()
    assert reason_of(await garde.expect(403)) == 'Q.850;cause=57;text="Bearer capability not authorized"'
    assert_golden("class-refused", town.ladder)
    assert "rejected: class, - 2.0" in await town.record()


@scenario()
async def test_a_caller_who_hangs_up_during_an_announcement(world: World) -> None:
    town = await start(world)
    (alice,) = await town.phones("1001")
    call = await alice.call("8001")
    await alice.expect(183)
    alice.cancel(call)
    await alice.expect_in_any_order("200 CANCEL", "487 INVITE")
    assert "not available, - 0.0" in await town.record()


@scenario()
async def test_an_announcement_that_never_ends_is_ended_after_20_seconds_whatever_keys_are_pressed(
    world: World,
) -> None:
    town = await start(world)
    (alice,) = await town.phones("1001")
    await alice.call("8001")
    await alice.expect(183)
    await world.sleep(15)
    town.press("5")
    await alice.expect(480, within_seconds=5.1)


@scenario()
async def test_a_caller_without_a_codec_of_ours_is_refused_at_once_with_the_same_status(world: World) -> None:
    town = await start(world)
    (alice,) = await town.phones("1001")
    alice.send("INVITE", "8001", body=alice.sdp().replace(b"RTP/AVP 8 0 101", b"RTP/AVP 101"))
    await alice.expect_authenticated(480)


@scenario()
async def test_a_refusal_needs_no_media_process(world: World) -> None:
    town = await start(world)
    (alice,) = await town.phones("1001")
    town.engine.lose()
    await alice.call("4444")
    await alice.expect(404)
    assert "rejected: unknown" in await town.record()
    town.errors.expect("media engine lost")


@scenario()
async def test_without_a_media_process_calls_are_refused_with_480(world: World) -> None:
    town = await start(world)
    (alice,) = await town.phones("1001")
    town.engine.lose()
    await alice.call("9196")
    assert reason_of(await alice.expect(480)) == 'Q.850;cause=34;text="No circuit available"'
    assert "media unavailable" in await town.record()
    town.errors.expect("media engine lost", "media engine unavailable")


@scenario()
async def test_without_a_free_port_calls_are_refused_with_480(world: World) -> None:
    town = await start(world)
    (alice,) = await town.phones("1001")
    town.exchange.engine = FakeEngine(last_port=20000)
    await town.exchange.engine.terminate_offer("another call", "a")
    await alice.call("9196")
    assert reason_of(await alice.expect(480)) == 'Q.850;cause=34;text="No circuit available"'
