"""What an emergency call does besides: a call gives way, people are told, a call back, the place."""

from __future__ import annotations

from datetime import UTC, datetime
from xml.etree import ElementTree

import pytest

from dialplan.decision import NORMAL, Location
from pbx.events import CallPreempted, EmergencyCallMade, EmergencyTestFailed
from pbx.plans.conditions import KeptCallback, KeptCallbacks, NodeConditions
from pbx.self_test import Failure, SelfTest
from pbx.trunks.location import location_part
from tests.scenarios.town import PLAN_TEXT, SECRETS, Town, TownPhone, reason_of, start
from tests.sim.ladder import assert_golden
from tests.sim.wire import Message
from tests.sim.world import World, scenario

# One channel for everybody, on each of the two trunks.
NARROW = PLAN_TEXT.replace("channels: 30", "channels: 1").replace("channels: 10", "channels: 1")
NARROW = NARROW.replace("emergency_channels: 2 ", "emergency_channels: 0 ").replace(
    "emergency_channels: 2\n", "emergency_channels: 0\n"
)
TOLD = PLAN_TEXT.replace("  emergency:  ", "  emergency_notified: {group: accueil}\n  emergency:  ")
LOCATING = PLAN_TEXT.replace("    transport: udp\n", "    transport: udp\n    options: [location]\n")
TESTING = PLAN_TEXT.replace("  emergency:  ", '  emergency_test: "+33145000112"\n  emergency:  ')
# Nobody of the fire station has a telephone here, and no officer is on call.
LAST = '    otherwise: {to: "+33612345603"}         # the officer on call\n'
NOBODY = PLAN_TEXT.replace(LAST, "")
PREEMPTION = 'Q.850;cause=8;text="Preemption"'


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)


def test_the_plans_of_these_scenarios_are_what_they_say() -> None:
    assert NARROW.count(" channels: 1\n") + NARROW.count(" channels: 1 ") == 2
    assert NARROW.count("emergency_channels: 0") == 2
    assert "emergency_notified" in TOLD
    assert LOCATING.count("options: [location]") == 2
    assert "emergency_test" in TESTING


async def answered(phone: TownPhone, operator: TownPhone, invite: Message) -> None:
    operator.answer(invite)
    await operator.expect("ACK")
    phone.ack(await phone.expect(200))


# Pre-emption


async def full_town(world: World) -> tuple[Town, TownPhone, TownPhone, TownPhone, TownPhone]:
    """Both trunks carry their only call: 2010's over b, 2020's over a."""
    town = await start(world, NARROW)
    office, neighbour = await town.phones("2010", "2020")
    a, b = town.operator("operateur-a"), town.operator("operateur-b")
    await town.talk_outside(office, "00612345678", b)
    await town.talk_outside(neighbour, "00612345679", a)
    town.ladder.clear()
    town.ladder.order("2201", "2010", "Beffroi", "operateur-b", "operateur-a")
    return town, office, neighbour, a, b


@scenario()
async def test_with_all_channels_busy_an_ordinary_call_gives_way(world: World) -> None:
    """RFC 3326 section 2: both of its parties are told why."""
    town, office, neighbour, a, b = await full_town(world)
    preempted: list[CallPreempted] = []
    town.exchange.events.subscribe(preempted.append, CallPreempted)
    fire = town.phone("2201")
    fire.invite("18")
    bye, invite = await b.expect_in_any_order("BYE", "INVITE")
    assert reason_of(bye) == PREEMPTION
    b.reply(bye, 200)
    told = await office.expect("BYE")
    assert reason_of(told) == PREEMPTION
    office.reply(told, 200)
    await answered(fire, b, invite)
    await town.hang_up(fire, b)
    await town.hang_up(neighbour, a)
    assert_golden("emergency-preempts", town.ladder)
    causes = {call.from_: call.cause for call in town.calls}
    assert causes == {"2010": "preempted", "2201": "completed", "2020": "completed"}
    assert [event.trunk for event in preempted] == ["operateur-b"]


@scenario()
async def test_while_another_trunk_has_a_channel_nobody_is_ended(world: World) -> None:
    town = await start(world, NARROW)
    (office,) = await town.phones("2010")
    a, b = town.operator("operateur-a"), town.operator("operateur-b")
    await town.talk_outside(office, "00612345678", b)
    fire = town.phone("2201")
    fire.invite("18")
    await answered(fire, a, await a.expect("INVITE"))
    await town.hang_up(fire, a)
    await town.hang_up(office, b)
    assert {call.cause for call in town.calls} == {"completed"}


@scenario()
async def test_an_emergency_call_never_ends_another(world: World) -> None:
    town = await start(world, NARROW)
    first, second, third = town.phone("2201"), town.phone("2202"), town.phone("2301")
    a, b = town.operator("operateur-a"), town.operator("operateur-b")
    first.invite("18")
    await answered(first, b, await b.expect("INVITE"))
    second.invite("15")
    await answered(second, a, await a.expect("INVITE"))
    third.invite("17")
    await third.expect(183)
    town.finish_playing()
    await third.expect(480)
    await town.hang_up(first, b)
    await town.hang_up(second, a)


@pytest.mark.parametrize("number", ["3114", "116117"])
@scenario()
async def test_for_help_that_can_wait_nobody_is_ended(world: World, number: str) -> None:
    town, office, neighbour, a, b = await full_town(world)
    fire = town.phone("2201")
    fire.invite(number)
    await fire.expect(183)
    town.finish_playing()
    await fire.expect(480)
    await town.hang_up(office, b)
    await town.hang_up(neighbour, a)


@scenario()
async def test_a_call_that_still_rings_gives_way_before_one_that_speaks(world: World) -> None:
    plan = NARROW.replace("channels: 1\n", "channels: 2\n")
    town = await start(world, plan)
    office, neighbour = await town.phones("2010", "2020")
    b = town.operator("operateur-b")
    for _ in range(2):
        town.exchange.trunks.occupy("operateur-a")
    await town.talk_outside(office, "00612345678", b)
    await neighbour.call("00612345679")
    ringing = await b.expect("INVITE")
    b.reply(ringing, 180)
    await neighbour.expect(180)
    fire = town.phone("2201")
    fire.invite("18")
    cancel, invite = await b.expect_in_any_order("CANCEL", "INVITE")
    assert reason_of(cancel) == PREEMPTION
    b.reply(cancel, 200)
    b.reply(ringing, 487)
    await b.expect("ACK")
    assert reason_of(await neighbour.expect(480)) == PREEMPTION
    await answered(fire, b, invite)
    await town.hang_up(fire, b)
    await town.hang_up(office, b)
    for _ in range(2):
        town.exchange.trunks.free("operateur-a")


@scenario()
async def test_a_call_on_a_line_that_is_recorded_never_gives_way(world: World) -> None:
    """The fire station's public line is recorded by the plan; 2020's call over the other trunk is not."""
    town = await start(world, NARROW.replace(LAST, ""))
    (neighbour,) = await town.phones("2020")
    a, b = town.operator("operateur-a"), town.operator("operateur-b")
    b.invite("+33383000200")
    await b.expect(183)
    await town.talk_outside(neighbour, "00612345679", a)
    fire = town.phone("2201")
    fire.invite("18")
    bye, invite = await a.expect_in_any_order("BYE", "INVITE")
    a.reply(bye, 200)
    neighbour.reply(await neighbour.expect("BYE"), 200)
    await answered(fire, a, invite)
    await town.hang_up(fire, a)
    town.finish_playing()
    await b.expect(480)


@scenario()
async def test_a_conversation_of_a_recorded_line_never_gives_way_either(world: World) -> None:
    """Who answered for the fire station speaks in a call of its own, which is the line's all the same."""
    town = await start(world, NARROW.replace(LAST, ""))
    neighbour, guard = await town.phones("2020", "2202")
    a, b = town.operator("operateur-a"), town.operator("operateur-b")
    b.invite("+33383000200")
    guard.answer(await guard.expect("INVITE"))
    await guard.expect("ACK")
    b.ack(await b.expect(200))
    await town.talk_outside(neighbour, "00612345679", a)
    fire = town.phone("2201")
    fire.invite("18")
    bye, invite = await a.expect_in_any_order("BYE", "INVITE")
    a.reply(bye, 200)
    neighbour.reply(await neighbour.expect("BYE"), 200)
    await answered(fire, a, invite)
    await town.hang_up(fire, a)
    await town.hang_up(b, guard)


# Who is told


@scenario()
async def test_those_whom_the_plan_names_are_told_who_calls_from_where(world: World) -> None:
    """RFC 3428 section 4: a text to each of their devices."""
    town = await start(world, TOLD)
    alice, app, bruno = await town.phones("1001", "1001-app", "1002")
    events: list[EmergencyCallMade] = []
    town.exchange.events.subscribe(events.append, EmergencyCallMade)
    fire, b = town.phone("2201"), town.operator("operateur-b")
    town.ladder.order("2201", "Beffroi", "operateur-b", "1001", "1001-app", "1002")
    fire.invite("18")
    invite = await b.expect("INVITE")
    for phone in (alice, app, bruno):
        message = await phone.expect("MESSAGE")
        assert message.body.decode() == (
            "Appel d'urgence au 18 (Sapeurs-pompiers) : 2201 Garde 1, "
            "Centre de secours, 12 rue du Feu, 54999 Valmont."
        )
        phone.reply(message, 200)
    await answered(fire, b, invite)
    await town.hang_up(fire, b)
    assert_golden("emergency-notified", town.ladder)
    (event,) = events
    assert (event.number, event.from_number, event.site, event.source) == ("18", "2201", "caserne", "network")
    assert event.notified == ("1001", "1002")


@scenario()
async def test_nobody_who_can_be_told_delays_no_call(world: World) -> None:
    town = await start(world, TOLD)
    fire, b = town.phone("2201"), town.operator("operateur-b")
    fire.invite("18")
    await answered(fire, b, await b.expect("INVITE"))
    await town.hang_up(fire, b)


# Where it is


@scenario()
async def test_a_trunk_that_takes_it_is_told_where_the_device_is(world: World) -> None:
    """RFC 6442 section 4.1: the header names the part of the body."""
    town = await start(world, LOCATING)
    fire, b = town.phone("2201"), town.operator("operateur-b")
    fire.invite("18")
    invite = await b.expect("INVITE")
    assert invite.header("Geolocation") == "<cid:location@valmont.example>"
    assert invite.header("Geolocation-Routing") == "yes"
    boundary = invite.header("Content-Type").removeprefix("multipart/mixed;boundary=").encode()
    _, sdp, located, end = invite.body.split(b"--" + boundary)
    assert sdp.startswith(b"\r\nContent-Type: application/sdp\r\n\r\nv=0")
    assert b"Content-ID: <location@valmont.example>\r\n" in located
    assert end == b"--\r\n"
    root = ElementTree.fromstring(located.partition(b"\r\n\r\n")[2])
    said = {element.tag.partition("}")[2]: element.text for element in root.iter() if element.text}
    assert said["country"] == "FR"
    assert (said["HNO"], said["RD"], said["A3"], said["PC"]) == ("12", "rue du Feu", "Valmont", "54999")
    assert (said["NAM"], said["ADDCODE"]) == ("Centre de secours", "54999")
    b.reply(invite, 486)
    await b.expect("ACK")
    a = town.operator("operateur-a")
    again = await a.expect("INVITE")
    assert again.header("Geolocation") == "<cid:location@valmont.example>"
    await answered(fire, a, again)
    await town.hang_up(fire, a)


@pytest.mark.parametrize("status", [400, 415, 424, 488, 500])
@scenario()
async def test_a_trunk_that_refuses_the_location_gets_the_call_at_once_without(
    world: World, status: int
) -> None:
    """RFC 6442 section 4.3: 424, and what those say who don't know such bodies."""
    town = await start(world, LOCATING)
    fire, b = town.phone("2201"), town.operator("operateur-b")
    town.ladder.order("2201", "Beffroi", "operateur-b")
    fire.invite("18")
    b.reply(await b.expect("INVITE"), status)
    await b.expect("ACK")
    invite = await b.expect("INVITE", within_seconds=0.1)
    assert invite.all("Geolocation") == []
    assert invite.header("Content-Type") == "application/sdp"
    await answered(fire, b, invite)
    await town.hang_up(fire, b)
    if status == 424:
        assert_golden("emergency-location-refused", town.ladder)


@scenario()
async def test_trunks_that_are_silent_at_a_location_are_asked_again_without(world: World) -> None:
    """A large datagram may be lost on the way, each time."""
    town = await start(world, LOCATING)
    fire, a, b = town.phone("2201"), town.operator("operateur-a"), town.operator("operateur-b")
    fire.invite("18")
    first = await b.expect("INVITE")
    second = await a.expect("INVITE", within_seconds=3.2)
    third = await b.expect("INVITE", within_seconds=3.2)
    while third.call_id == first.call_id:
        third = await b.expect("INVITE", within_seconds=3.2)
    assert third.all("Geolocation") == []
    await answered(fire, b, third)
    await town.hang_up(fire, b)
    for operator, invite in ((b, first), (a, second)):
        operator.overlook()
        assert invite.header("Geolocation")


def test_an_assumed_place_is_marked_as_such() -> None:
    """RFC 5491 section 3: one device with coordinates and address, the coarser first."""
    location = Location("mairie", "assumed", {"street": "1 bis place de la Mairie"}, (48.6921, 6.1844))
    part = location_part(
        location, title="Mairie", country="FR", number="+33383000100", domain="valmont.example", at=0.0
    )
    root = ElementTree.fromstring(part.body)
    names = [element.tag.partition("}")[2] for element in root.iter()]
    assert names.index("Point") < names.index("civicAddress")
    said = {element.tag.partition("}")[2]: element.text for element in root.iter() if element.text}
    assert (said["HNO"], said["HNS"], said["pos"]) == ("1", "bis", "48.692100 6.184400")
    assert said["note"].startswith("assumed")
    assert said["timestamp"] == "1970-01-01T00:00:00Z"


def test_an_address_with_markup_stays_a_document() -> None:
    location = Location("m", "network", {"street": '<&"\x00', "étage": "2 <b>"}, None)
    part = location_part(location, title="]]>", country="FR", number="", domain="v.example", at=0.0)
    said = [element.text for element in ElementTree.fromstring(part.body).iter()]
    assert '<&"\ufffd' in said
    assert "étage: 2 <b>" in said


# The call back


async def called_for_help(world: World, user: str = "2201") -> tuple[Town, TownPhone, TownPhone]:
    """A device that is registered has called 18 over operator b, which then hung up."""
    town = await start(world)
    (fire,) = await town.phones(user)
    b = town.operator("operateur-b")
    fire.invite("18")
    await answered(fire, b, await b.expect("INVITE"))
    await town.hang_up(b, fire)
    town.ladder.clear()
    town.ladder.order("operateur-b", "Beffroi", user)
    return town, fire, b


@scenario()
async def test_a_call_back_rings_the_device_though_its_person_wants_no_calls(world: World) -> None:
    forward = PLAN_TEXT.replace("name: Garde 1,", 'name: Garde 1, forward: {always: "2202"},')
    town = await start(world, forward)
    (fire,) = await town.phones("2201")
    b = town.operator("operateur-b")
    fire.invite("18")
    await answered(fire, b, await b.expect("INVITE"))
    await town.hang_up(b, fire)
    b.invite("+33383001201")
    fire.answer(await fire.expect("INVITE"))
    await fire.expect("ACK")
    b.ack(await b.expect(200))
    await town.hang_up(b, fire)


@scenario()
async def test_within_the_hour_a_call_back_rings_the_device_before_the_night_message(world: World) -> None:
    """2301 at the fire station shows the station's main number, which a service answers."""
    town = await start(world, NOBODY)
    patrol = town.phone("2301", address="10.54.2.77")
    await patrol.register()
    b = town.operator("operateur-b")
    patrol.invite("18")
    invite = await b.expect("INVITE")
    assert invite.header("From").startswith("<sip:+33383000200@valmont.example>")
    await answered(patrol, b, invite)
    await town.hang_up(b, patrol)
    town.ladder.clear()
    town.ladder.order("operateur-b", "Beffroi", "2301")
    await world.sleep(3500)
    b.invite("+33383000200")
    ringing = await patrol.expect("INVITE")
    patrol.reply(ringing, 180)
    await b.expect(180)
    patrol.answer(ringing)
    await patrol.expect("ACK")
    b.ack(await b.expect(200))
    await town.hang_up(b, patrol)
    assert_golden("emergency-call-back", town.ladder)
    await world.sleep(110)
    b.invite("+33383000200")
    await b.expect(183)
    town.finish_playing()
    await b.expect(480)
    await patrol.expect_silence(0.1)


@scenario()
async def test_a_call_back_that_the_device_doesnt_take_goes_on_as_ever(world: World) -> None:
    town = await start(world, NOBODY)
    patrol = town.phone("2301", address="10.54.2.77")
    await patrol.register()
    b = town.operator("operateur-b")
    patrol.invite("18")
    await answered(patrol, b, await b.expect("INVITE"))
    await town.hang_up(b, patrol)
    b.invite("+33383000200")
    patrol.reply(await patrol.expect("INVITE"), 486)
    await patrol.expect("ACK")
    await b.expect(183)
    town.finish_playing()
    await b.expect(480)


@scenario()
async def test_a_call_back_rings_the_device_beside_its_person(world: World) -> None:
    town, fire, b = await called_for_help(world)
    b.invite("+33383001201")
    fire.answer(await fire.expect("INVITE"))
    await fire.expect("ACK")
    b.ack(await b.expect(200))
    await town.hang_up(b, fire)


@scenario()
async def test_a_call_back_never_gives_way(world: World) -> None:
    town, fire, b = await called_for_help(world)
    for _ in range(9):
        town.exchange.trunks.occupy("operateur-b")
    for _ in range(30):
        town.exchange.trunks.occupy("operateur-a")
    b.invite("+33383001201")
    fire.answer(await fire.expect("INVITE"))
    await fire.expect("ACK")
    b.ack(await b.expect(200))
    other = town.phone("2202")
    other.invite("18")
    await other.expect(183)
    town.finish_playing()
    await other.expect(480)
    await town.hang_up(b, fire)
    for _ in range(9):
        town.exchange.trunks.free("operateur-b")
    for _ in range(30):
        town.exchange.trunks.free("operateur-a")


@scenario()
async def test_who_may_be_called_back_is_known_after_a_restart(world: World) -> None:
    town, _, _ = await called_for_help(world)
    kept = town.exchange.conditions.kept()
    assert town.exchange.conditions.changed
    (number,) = kept.callbacks
    at = datetime.fromtimestamp(kept.callbacks[number].at, UTC)
    assert (number, kept.callbacks[number].device) == ("+33383001201", "2201")
    assert kept.callbacks[number].until - at.timestamp() == 3600
    another = NodeConditions(town.exchange, kept)
    another.refresh()
    now = world.wall().timestamp()
    assert another.at(now).callbacks[number].device == "2201"
    await world.sleep(3600)
    assert another.at(world.wall().timestamp()) is NORMAL


@pytest.mark.parametrize("at", [-1.0, float("inf"), float("nan"), 1e18])
@scenario()
async def test_an_impossible_call_back_in_the_file_is_left_out(world: World, at: float) -> None:
    town = await start(world)
    kept = KeptCallbacks(callbacks={"+33383001201": KeptCallback("2201", "2201", at, at)})
    conditions = NodeConditions(town.exchange, kept)
    conditions.refresh()
    assert conditions.at(world.wall().timestamp()) is NORMAL


@scenario()
async def test_a_trunk_that_is_down_gets_no_ordinary_call_until_it_answers(world: World) -> None:
    town = await start(world)
    (office,) = await town.phones("2010")
    a, b = town.operator("operateur-a"), town.operator("operateur-b")
    line = town.exchange.trunks.line("operateur-b")
    (server,) = line.targets()
    line.heard(server)
    for _ in range(3):
        line.unanswered(server)
    await town.talk_outside(office, "00612345678", a)
    await town.hang_up(office, a)
    line.heard(server)
    await town.talk_outside(office, "00612345678", b)
    await town.hang_up(office, b)


@scenario()
async def test_an_anonymous_caller_is_shown_to_those_who_help(world: World) -> None:
    town = await start(world)
    fire, b = town.phone("2201"), town.operator("operateur-b")
    fire.headers["Privacy"] = "id"
    fire.invite("18")
    invite = await b.expect("INVITE")
    assert invite.header("P-Asserted-Identity") == "<sip:+33383001201@sip.operateur-b.example>"
    assert invite.all("Privacy") == []
    fire.headers.clear()
    await answered(fire, b, invite)
    await town.hang_up(fire, b)


# The daily self-test


@scenario()
async def test_the_self_test_calls_from_each_site_over_each_trunk(world: World) -> None:
    town = await start(world, TESTING)
    a, b = town.operator("operateur-a"), town.operator("operateur-b")
    test = world.loop.create_task(SelfTest(town.exchange).run())
    shown = []
    for operator in (a, b, b, a, a, b, a, b):
        invite = await operator.expect("INVITE")
        assert invite.uri.startswith("sip:+33145000112@")
        shown.append(invite.header("From").partition("@")[0].removeprefix("<sip:+333830"))
        operator.answer(invite)
        await operator.expect("ACK")
        operator.reply(await operator.expect("BYE"), 200)
    assert await test == []
    assert shown == ["00100", "00100", "00200", "00200", "00300", "00300", "00400", "00400"]
    assert town.calls == []


@scenario()
async def test_a_self_test_that_fails_is_told(world: World) -> None:
    plan = TESTING.replace("trunks: [operateur-a, operateur-b]", "trunks: [operateur-b, operateur-a]")
    town = await start(world, plan)
    events: list[EmergencyTestFailed] = []
    town.exchange.events.subscribe(events.append, EmergencyTestFailed)
    a, b = town.operator("operateur-a"), town.operator("operateur-b")
    test = world.loop.create_task(SelfTest(town.exchange).run())
    for operator, status in ((b, 404), (a, 486), (b, 486), (a, 486), (b, 486), (a, 486), (a, 486), (b, 486)):
        operator.reply(await operator.expect("INVITE"), status)
        await operator.expect("ACK")
    assert await test == [Failure("mairie", "operateur-b", "404 Not Found")]
    (event,) = events
    assert (event.site, event.trunk, event.number) == ("mairie", "operateur-b", "+33145000112")
    town.errors.expect("site=mairie trunk=operateur-b emergency self-test failed: 404")


@scenario()
async def test_without_a_number_to_test_nothing_is_called(world: World) -> None:
    town = await start(world)
    assert await SelfTest(town.exchange).run() == []


@scenario()
async def test_the_self_test_is_made_at_three_each_night(world: World) -> None:
    town = await start(world, TESTING)
    a, b = town.operator("operateur-a"), town.operator("operateur-b")
    daily = world.loop.create_task(SelfTest(town.exchange).daily())
    await a.expect_silence(17 * 3600)  # the world begins at 9 o'clock
    for operator in (a, b, b, a, a, b, a, b):
        operator.reply(await operator.expect("INVITE", within_seconds=3700), 486)
        await operator.expect("ACK")
    daily.cancel()
