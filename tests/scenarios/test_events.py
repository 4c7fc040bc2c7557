"""What the exchange publishes of calls, devices and trunks."""

from __future__ import annotations

from pbx.events import (
    CallAnswered,
    CallEnded,
    CallRinging,
    CallStarted,
    DeviceReachable,
    DeviceUnreachable,
    Event,
    LegLeft,
    LegStarted,
)
from tests.scenarios.town import Town, start
from tests.sim.world import World, scenario


def told(town: Town, *kinds: type[Event]) -> list[Event]:
    """What is published from now on."""
    heard: list[Event] = []
    town.exchange.events.subscribe(heard.append, *kinds)
    return heard


def in_words(event: Event) -> str:
    """A call's event without its instant and the call's id."""
    match event:
        case CallStarted():
            return f"{event.from_number} calls {event.dialled}"
        case CallEnded():
            return f"ended: {event.direction} to {event.to}, {event.answered=}, {event.cause}"
        case LegLeft():
            return f"{event.device} left: {event.cause}"
        case LegStarted() | CallRinging() | CallAnswered():
            return f"{type(event).__name__} {event.leg} {event.device}"
        case _:
            raise AssertionError(f"{event} is of no call")


CALL_KINDS = (CallStarted, LegStarted, CallRinging, CallAnswered, LegLeft, CallEnded)


@scenario()
async def test_a_call_is_told_from_its_beginning_to_its_end(world: World) -> None:
    town = await start(world)
    alice, bruno = await town.phones("1001", "1002")
    heard = told(town, *CALL_KINDS)
    await alice.call("1002")
    invite = await bruno.expect("INVITE")
    bruno.reply(invite, 180)
    await alice.expect(180)
    bruno.answer(invite)
    await bruno.expect("ACK")
    alice.ack(await alice.expect(200))
    await town.hang_up(alice, bruno)
    await world.sleep(0.1)
    assert [in_words(event) for event in heard] == [
        "1001 calls 1002",
        "LegStarted a 1001",
        "LegStarted b1 1002",
        "CallRinging b1 1002",
        "CallRinging a 1001",
        "CallAnswered b1 1002",
        "CallAnswered a 1001",
        "1001 left: hung up",
        "1002 left: released",
        "ended: internal to 1002, event.answered=True, completed",
    ]
    (record,) = town.calls
    assert {getattr(event, "call", "") for event in heard} == {record.id}
    assert heard[0].at == record.started
    assert heard[-1].at == record.ended


@scenario()
async def test_a_listener_that_fails_changes_no_call(world: World) -> None:
    town = await start(world)
    alice, bruno = await town.phones("1001", "1002")

    def fail(event: Event) -> None:
        raise RuntimeError(f"not interested in {event}")

    town.exchange.events.subscribe(fail, *CALL_KINDS)
    await town.talk(alice, bruno)
    await town.hang_up(alice, bruno)
    await world.sleep(0.1)
    assert [call.cause for call in town.calls] == ["completed"]
    for kind in (CallStarted, LegStarted, CallAnswered, LegLeft, CallEnded):
        town.errors.expect(f"a listener to {kind.__name__} failed")


@scenario()
async def test_a_device_that_signs_in_and_out_is_told_once_each(world: World) -> None:
    town = await start(world)
    heard = told(town, DeviceReachable, DeviceUnreachable)
    (alice,) = await town.phones("1001")
    await alice.register()
    await alice.register(expires_seconds=0)
    first, last = heard
    assert first == DeviceReachable(first.at, "1001")
    assert last == DeviceUnreachable(last.at, "1001", "signed out")


@scenario()
async def test_a_device_that_expires_is_told(world: World) -> None:
    town = await start(world)
    await town.phones("1001")
    heard = told(town, DeviceReachable, DeviceUnreachable)
    await world.sleep(4000)
    assert [(event.device, event.reason) for event in heard if isinstance(event, DeviceUnreachable)] == [
        ("1001", "expired")
    ]
