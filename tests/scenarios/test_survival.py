"""What outlives what: records before answers, calls over a new plan, a shutdown that waits."""

from __future__ import annotations

from pbx.people.directory import Directory
from pbx.tasks import Tasks
from tests.scenarios.town import APP, PLAN_TEXT, reason_of, start
from tests.sim.ladder import assert_golden
from tests.sim.world import World, scenario


@scenario()
async def test_a_calls_record_is_written_before_its_bye_is_acknowledged(world: World) -> None:
    town = await start(world)
    alice, bruno = await town.phones("1001", "1002")
    await town.talk(alice, bruno)
    await town.hang_up(alice, bruno)
    assert town.journal.between("write call completed", "send 200 BYE to 1001")[1:-1] == ["send BYE to 1002"]
    assert town.journal.timeline.count("send 200 BYE to 1001") == 1


@scenario()
async def test_a_refused_calls_record_is_written_before_the_refusal(world: World) -> None:
    town = await start(world)
    alice, bruno = await town.phones("1001", "1002")
    await alice.call("1002")
    bruno.reply(await bruno.expect("INVITE"), 486)
    await bruno.expect("ACK")
    await alice.expect(486)
    assert town.journal.between("write call busy", "send 486 INVITE to 1001")


@scenario()
async def test_the_record_of_a_call_that_sends_nothing_more_is_written_at_once(world: World) -> None:
    town = await start(world)
    (alice,) = await town.phones("1001")
    call = await alice.call("8001")
    await alice.expect(183)
    alice.cancel(call)
    await alice.expect_in_any_order("200 CANCEL", "487 INVITE")
    assert town.journal.pending == []
    assert len(town.calls) == 1


@scenario()
async def test_a_binding_that_a_reload_removes_is_written_at_once(world: World) -> None:
    town = await start(world)
    await town.phones("1001", "1001-app")
    town.reload(PLAN_TEXT, Directory(revision=2))
    assert town.journal.timeline[-1] == "write bindings of 1001-app: 0"
    assert town.exchange.status()["bindings"] == 1


@scenario()
async def test_a_device_that_is_gone_can_neither_call_nor_be_called(world: World) -> None:
    town = await start(world)
    alice, app, bruno = await town.phones("1001", "1001-app", "1002")
    town.reload(PLAN_TEXT, Directory(revision=2))
    await bruno.call("1001")
    alice.reply(await alice.expect("INVITE"), 486)
    await alice.expect("ACK")
    await bruno.expect(486)
    app.invite("1002")
    await app.expect_authenticated(403)


@scenario()
async def test_a_person_who_left_the_plan_is_an_unknown_number(world: World) -> None:
    town = await start(world)
    alice, bruno = await town.phones("1001", "1002")
    without = "\n".join(line for line in PLAN_TEXT.splitlines() if '"1002"' not in line)
    town.reload(without)
    assert town.journal.timeline[-1] == "write bindings of 1002: 0"
    await alice.call("1002")
    await alice.expect(183)
    town.finish_playing()
    await alice.expect(404)
    await bruno.expect_silence(1)


@scenario()
async def test_a_device_that_comes_back_registers_anew(world: World) -> None:
    town = await start(world)
    app, bruno = await town.phones("1001-app", "1002")
    town.reload(PLAN_TEXT, Directory(revision=2))
    town.reload(PLAN_TEXT, APP)
    assert town.exchange.status()["bindings"] == 1  # 1002
    await app.register()
    await bruno.call("1001")
    app.reply(await app.expect("INVITE"), 486)
    await app.expect("ACK")
    await bruno.expect(486)


@scenario()
async def test_a_call_goes_on_over_a_new_plan_and_keeps_the_one_that_it_began_with(world: World) -> None:
    town = await start(world)
    alice, bruno = await town.phones("1001", "1002")
    await town.talk(alice, bruno)
    before = town.exchange.plan.version
    town.reload(PLAN_TEXT.replace("Bruno Petit", "Bruno Grand"))
    assert town.exchange.plan.version != before
    await world.sleep(5)
    alice.send("INVITE", body=alice.sdp(version=2))
    alice.ack(await alice.expect(200))
    await town.hang_up(alice, bruno)
    await town.talk(bruno, alice)
    await town.hang_up(bruno, alice)
    await world.sleep(0.1)
    first, second = town.calls
    assert (first.plan_version, second.plan_version) == (before, town.exchange.plan.version)
    assert second.from_name == "Bruno Grand"


@scenario()
async def test_bindings_stay_over_a_new_plan_and_expire_at_their_time(world: World) -> None:
    town = await start(world)
    alice = town.phone("1001")
    await alice.register(expires_seconds=60)
    await world.sleep(30)
    town.reload(PLAN_TEXT.replace("Alice Martin", "Alice Durand"))
    assert town.exchange.status()["bindings"] == 1
    await world.sleep(31)
    assert town.exchange.status()["bindings"] == 0
    assert town.journal.timeline[-1] == "write bindings of 1001: 0"


@scenario()
async def test_a_shutdown_waits_for_the_calls_in_progress_and_takes_no_new_ones(world: World) -> None:
    town = await start(world)
    alice, bruno, app = await town.phones("1001", "1002", "1001-app")
    await town.talk(alice, bruno)
    draining = Tasks().start(town.exchange.drain(30), "drain")
    await world.sleep(1)
    app.invite("1002")
    refusal = await app.expect(503)
    assert refusal.header("Retry-After") == "10"
    assert not draining.done()
    await town.hang_up(alice, bruno)
    await world.sleep(0.1)
    assert draining.done()
    assert "completed" in await town.record()


@scenario()
async def test_a_shutdown_ends_the_calls_that_outlast_it(world: World) -> None:
    town = await start(world)
    alice, bruno = await town.phones("1001", "1002")
    await town.talk(alice, bruno)
    town.ladder.clear()
    Tasks().start(town.exchange.drain(30), "drain")
    for phone in (alice, bruno):
        bye = await phone.expect("BYE", within_seconds=30.1)
        assert reason_of(bye) == 'Q.850;cause=41;text="Temporary failure"'
        phone.reply(bye, 200)
    assert_golden("shutdown", town.ladder)
    assert (await town.record()).splitlines()[0].endswith("to 1002: shutdown, 0.0 30.1")


@scenario()
async def test_a_shutdown_ends_a_call_that_still_rings(world: World) -> None:
    town = await start(world)
    alice, bruno = await town.phones("1001", "1002")
    await alice.call("1002")
    invite = await bruno.expect("INVITE")
    bruno.reply(invite, 180)
    await alice.expect(180)
    Tasks().start(town.exchange.drain(5), "drain")
    assert reason_of(await alice.expect(480)) == 'Q.850;cause=41;text="Temporary failure"'
    bruno.reply(await bruno.expect("CANCEL"), 200)
    bruno.reply(invite, 487)
    await bruno.expect("ACK")
    assert "shutdown, - 5.0" in await town.record()


@scenario()
async def test_a_shutdown_without_calls_takes_no_time(world: World) -> None:
    town = await start(world)
    await town.exchange.drain(30)
    assert world.seconds < 0.1


@scenario()
async def test_a_phone_that_hangs_up_a_call_of_which_nothing_was_written_is_told_that_it_is_over(
    world: World,
) -> None:
    """RFC 3261 section 12.2.2."""
    town = await start(world)
    alice, bruno = await town.phones("1001", "1002")
    await town.talk(alice, bruno)
    town.journal.written = [record for record in town.journal.written if record not in town.ongoing]
    await town.restart()
    alice.bye()
    await alice.expect("481 BYE")
    bruno.bye()
    await bruno.expect("481 BYE")
