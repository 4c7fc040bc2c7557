"""The exchange between network, plan, media and journal."""

from __future__ import annotations

from media.engine import (
    DigitReceived,
    LegQuality,
    MediaHeard,
    MediaSilent,
    PlayFinished,
    SpeakerChanged,
    StreamLost,
)
from pbx.events import (
    KINDS,
    Event,
    LegDeaf,
    LegHeard,
    LegNotHeard,
    LegSilent,
    MediaProcessLost,
    RoomSpeakerChanged,
)
from pbx.records import BindingsRecord
from sip.core.flow import Flow
from sip.core.registrar import Binding
from tests.scenarios.town import DOMAIN, start
from tests.sim.world import World, scenario


@scenario()
async def test_status_counts_calls_devices_and_bindings(world: World) -> None:
    town = await start(world)
    alice, bruno = await town.phones("1001", "1002")
    assert town.exchange.status() == {
        "calls": 0,
        "ended_calls": 0,
        "bindings": 2,
        "unreachable": 0,
        "devices": 10,
        "texts": 0,
    }
    await town.talk(alice, bruno)
    assert town.exchange.status()["calls"] == 1
    await town.hang_up(alice, bruno)
    await world.sleep(0.1)
    assert town.exchange.status() == {
        "calls": 0,
        "ended_calls": 1,
        "bindings": 2,
        "unreachable": 0,
        "devices": 10,
        "texts": 0,
    }


@scenario()
async def test_call_ids_are_in_the_order_of_time(world: World) -> None:
    town = await start(world)
    (alice,) = await town.phones("1001")
    for _ in range(3):
        await alice.call("1002")
        await town.refused(alice, 480)
        await world.sleep(1)
    identifiers = [call.id for call in town.calls]
    assert identifiers == sorted(identifiers)
    assert len(set(identifiers)) == 3


@scenario()
async def test_what_the_engine_tells_of_an_unknown_call_is_passed_over(world: World) -> None:
    town = await start(world)
    for event in (DigitReceived("gone", "a", "5"), PlayFinished("gone", "a"), MediaHeard("gone", "a")):
        town.engine.events(event)
    assert town.exchange.status()["calls"] == 0


@scenario()
async def test_what_the_engine_tells_of_sound_is_published_but_no_keys(world: World) -> None:
    town = await start(world)
    told: list[Event] = []
    town.exchange.events.subscribe(told.append, *KINDS.values())
    now = world.wall().timestamp()
    town.engine.events(DigitReceived("1", "a", "5"))
    town.engine.events(MediaSilent("1", "a", 30.0))
    town.engine.events(MediaHeard("1", "a"))
    town.engine.hear_one_way("1", "a", 4.0)
    town.engine.events(SpeakerChanged("council", "1", "a"))
    town.engine.events(SpeakerChanged("council", "", ""))
    town.engine.events(StreamLost("1", "b1", "port 26000 is taken"))
    assert told == [
        LegSilent(now, "1", "a", 30.0),
        LegHeard(now, "1", "a"),
        LegNotHeard(now, "1", "a", 4.0),
        RoomSpeakerChanged(now, "council", "1", "a"),
        RoomSpeakerChanged(now, "council", "", ""),
        LegDeaf(now, "1", "b1", "port 26000 is taken"),
    ]
    town.errors.expect("call=1 leg=b1 is to have another port: port 26000 is taken")


@scenario()
async def test_a_lost_engine_is_told_to_whoever_starts_another(world: World) -> None:
    town = await start(world)
    told: list[MediaProcessLost] = []
    town.exchange.events.subscribe(told.append, MediaProcessLost)
    town.engine.lose("killed")
    assert told == [MediaProcessLost(world.wall().timestamp(), "killed")]
    town.errors.expect("media engine lost: killed")


@scenario()
async def test_keys_pressed_during_a_conversation_change_nothing(world: World) -> None:
    town = await start(world)
    alice, bruno = await town.phones("1001", "1002")
    await town.talk(alice, bruno)
    town.press("5#")
    await world.sleep(1)
    await town.hang_up(alice, bruno)
    assert "completed" in await town.record()


@scenario()
async def test_how_each_party_was_heard_is_in_the_record(world: World) -> None:
    town = await start(world)
    alice, bruno = await town.phones("1001", "1002")
    await town.talk(alice, bruno)
    ((call, leg), *_) = {(asked.call, asked.leg) for asked in town.engine.asked if asked.leg == "a"}
    town.engine.measure(call, leg, LegQuality(4.1, 1.5, 12.0, 60.0))
    await town.hang_up(alice, bruno)
    await world.sleep(0.1)
    (record,) = town.calls
    assert [leg.quality for leg in record.legs] == [LegQuality(4.1, 1.5, 12.0, 60.0), None]


@scenario()
async def test_an_address_of_ours_survives_any_name(world: World) -> None:
    town = await start(world)
    assert town.exchange.address_of("1001", 'Alice "Al" \\ Martin') == (
        '"Alice \\"Al\\" \\\\ Martin" <sip:1001@valmont.example>'
    )
    assert town.exchange.address_of("1001", "") == "<sip:1001@valmont.example>"


@scenario()
async def test_a_caller_without_a_number_is_anonymous(world: World) -> None:
    """RFC 3323 section 4.1.1.3."""
    town = await start(world)
    assert town.exchange.address_of("", "") == "<sip:anonymous@valmont.example>"


def binding(contact: str, flow: Flow, *, behind_nat: bool = False) -> Binding:
    return Binding(contact, "call", 1, 2000.0, flow, "1001", behind_nat=behind_nat)


@scenario()
async def test_nothing_is_kept_of_a_stranger_who_asks_what_we_can_do(world: World) -> None:
    town = await start(world)
    stranger = town.phone("1001")  # who says nothing of it
    stranger.send("OPTIONS", f"sip:{DOMAIN}")
    await stranger.expect(200)
    assert town.exchange.core.stack.inventory()["server transactions"] == 0


@scenario()
async def test_a_binding_is_reached_at_its_contact(world: World) -> None:
    town = await start(world)
    came_from = town.node.flow(("192.0.2.1", 5060))
    flow = town.exchange.flow_of(binding("sip:1001@192.0.2.1:5090", came_from))
    assert flow.remote == ("192.0.2.1", 5090)


@scenario()
async def test_a_binding_behind_a_nat_is_reached_where_it_came_from(world: World) -> None:
    town = await start(world)
    came_from = town.node.flow(("198.51.100.1", 40000))
    flow = town.exchange.flow_of(binding("sip:1001@192.168.1.2:5060", came_from, behind_nat=True))
    assert flow is came_from


@scenario()
async def test_a_record_that_nothing_is_sent_after_is_written_at_once(world: World) -> None:
    town = await start(world)
    town.exchange.write(BindingsRecord("1001", []))
    assert town.journal.pending == []


@scenario()
async def test_a_record_is_written_with_what_is_about_to_leave(world: World) -> None:
    """One write for a batch, before its answers."""
    town = await start(world)
    town.exchange.core.stack.outbox.append((town.node.flow(("192.0.2.1", 5060)), b"\r\n"))
    town.exchange.write(BindingsRecord("1001", []))
    assert len(town.journal.pending) == 1
    town.exchange.driver.flush()
    assert town.journal.pending == []


@scenario()
async def test_a_request_in_a_dialog_that_is_not_ours_is_answered_481(world: World) -> None:
    """RFC 3261 section 12.2.2."""
    town = await start(world)
    alice = town.phone("1001")
    alice.headers["To"] = "<sip:1002@valmont.example>;tag=unknown"
    for method in ("BYE", "INVITE"):
        alice.send(method, "1002")
        await alice.expect(f"481 {method}")


@scenario()
async def test_a_bye_outside_any_dialog_is_answered_481(world: World) -> None:
    town = await start(world)
    alice = town.phone("1001")
    alice.send("BYE", "1002")
    await alice.expect(481)
