"""Hot desks: a telephone that is somebody else's for a while, and the PIN that opens it."""

from __future__ import annotations

import random
import re

import pytest

from pbx.events import Event, HotDeskChanged, PinRefused
from pbx.records import Personal, SeatRecord
from sip.core.message_summary import Mailbox
from tests.scenarios.test_settings import played
from tests.scenarios.test_watching import lamps, told, unwatch, watch
from tests.scenarios.town import PLAN_TEXT, SECRETS, Town, TownPhone, start
from tests.sim.ladder import assert_golden
from tests.sim.world import World, scenario

PIN = "8027"
ASK = "Tapez votre code PIN, puis dièse."
WRONG = "Ce code n'est pas le bon."
LOCKED = "Trop de codes faux. Réessayez dans une heure, ou demandez au service informatique."


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)


async def desk(world: World, *users: str, plan: str = PLAN_TEXT) -> tuple[Town, list[TownPhone]]:
    """The town, where Alice (1001) has a PIN."""
    town = await start(world, plan)
    phones = await town.phones(*users)
    town.exchange.pins.set("1001", PIN, "root")
    town.ladder.order(users[0], "Beffroi", *users[1:], "operateur-b", "operateur-a")
    return town, phones


async def enter(town: Town, phone: TownPhone, code: str, *entries: str) -> list[str]:
    """Dial a code, enter keys at each prompt and listen to the end; what was heard."""
    before = len(played(town))
    await phone.call(code.replace("#", "%23"))
    phone.ack(await phone.expect(200))
    left = list(entries)
    while True:
        await town.world.sleep(0.3)
        if not town.engine.playing:
            break
        ((call, leg),) = town.engine.playing
        said = played(town)[-1]
        if left and ("Tapez" in said or "Encore" in said or "tapez" in said):
            town.engine.press(call, leg, left.pop(0))
            await town.world.sleep(0.3)
        if (call, leg) in town.engine.playing and played(town)[-1] == said:
            town.finish_playing()
    phone.reply(await phone.expect("BYE"), 200)
    return played(town)[before:]


async def log_in(town: Town, phone: TownPhone) -> None:
    heard = await enter(town, phone, "*20*1001", PIN + "#")
    assert heard == [ASK, "Ce poste est maintenant le vôtre, Alice Martin, numéro 10 01."]


def events_of(town: Town, *kinds: type[Event]) -> list[Event]:
    events: list[Event] = []
    town.exchange.events.subscribe(events.append, *kinds)
    return events


@scenario()
async def test_the_telephone_rings_for_who_logged_in_and_calls_with_their_number(world: World) -> None:
    town, (desk_phone, colleague) = await desk(world, "2020", "2010")
    await log_in(town, desk_phone)
    await colleague.call("1001")
    invite = await desk_phone.expect("INVITE")
    desk_phone.answer(invite)
    await desk_phone.expect("ACK")
    colleague.ack(await colleague.expect(200))
    await town.hang_up(colleague, desk_phone)
    await desk_phone.call("2010")
    invite = await colleague.expect("INVITE")
    assert '"Alice Martin" <sip:1001@valmont.example>' in invite.header("From")
    colleague.answer(invite)
    await colleague.expect("ACK")
    desk_phone.ack(await desk_phone.expect(200))
    await town.hang_up(desk_phone, colleague)
    assert_golden("hot-desk", town.ladder)
    await enter(town, desk_phone, "#20#")


@scenario()
async def test_a_telephone_that_is_used_by_another_does_not_ring_for_its_own_person(world: World) -> None:
    town, (desk_phone, colleague) = await desk(world, "2020", "2010")
    await log_in(town, desk_phone)
    await colleague.call("2020")
    await town.refused(colleague, 480)
    await desk_phone.expect_silence(1)
    await enter(town, desk_phone, "#20#")


@scenario()
async def test_logging_out_gives_the_telephone_back(world: World) -> None:
    town, (desk_phone, colleague) = await desk(world, "2020", "2010")
    await log_in(town, desk_phone)
    assert await enter(town, desk_phone, "#20#") == ["Ce poste est de nouveau à Urbanisme."]
    await colleague.call("2020")
    desk_phone.reply(await desk_phone.expect("INVITE"), 486)
    await desk_phone.expect("ACK")
    await colleague.expect(486)


@scenario()
async def test_logging_in_elsewhere_ends_the_first(world: World) -> None:
    town, (one, other) = await desk(world, "2020", "2010")
    await log_in(town, one)
    await log_in(town, other)
    assert [(seat.device, seat.extension) for seat in town.exchange.seats.everybody()] == [("2010", "1001")]
    assert town.exchange.devices.find("2020").extension == "2020"
    await enter(town, other, "#20#")


@scenario()
async def test_rights_are_those_of_who_logged_in(world: World) -> None:
    town, (guard,) = await desk(world, "2202")
    await guard.call("00612345678")
    await guard.expect(183)
    town.finish_playing()  # that she isn't allowed to
    await guard.expect(403)
    await log_in(town, guard)
    operator = town.operator("operateur-b")
    await guard.call("00612345678")
    invite = await operator.expect("INVITE")
    assert "+33383000200" in invite.header("From")  # Alice has no direct number: the site's
    operator.reply(invite, 486)
    await operator.expect("ACK")
    await guard.expect(486)
    await enter(town, guard, "#20#")
    await guard.call("00612345678")
    await guard.expect(183)
    town.finish_playing()
    await guard.expect(403)


@scenario()
async def test_an_emergency_call_is_from_where_the_telephone_is(world: World) -> None:
    plan = PLAN_TEXT.replace("networks: [10.54.2.0/24]", "networks: [10.99.2.0/24]", 1)
    town, (guard,) = await desk(world, "2202", plan=plan)
    await log_in(town, guard)
    operator = town.operator("operateur-b")  # that of the fire station, which the phone belongs to
    await guard.call("18")
    invite = await operator.expect("INVITE")
    assert "+33383000200" in invite.header("From")
    operator.answer(invite)
    await operator.expect("ACK")
    guard.ack(await guard.expect(200))
    await town.hang_up(guard, operator)
    await enter(town, guard, "#20#")


@scenario()
async def test_a_wrong_pin_is_asked_again_three_times_and_opens_nothing(world: World) -> None:
    town, (phone,) = await desk(world, "2020")
    refused = events_of(town, PinRefused)
    heard = await enter(town, phone, "*20*1001", "1111#", "2222#", "3333#")
    assert heard == [ASK, WRONG, ASK, WRONG, ASK, "tone", WRONG]
    assert len(refused) == 3
    assert town.exchange.seats.everybody() == []
    assert_golden("hot-desk-wrong-pin", town.ladder)


@scenario()
async def test_five_wrong_pins_lock_the_telephone_for_an_hour_and_no_other_one(world: World) -> None:
    town, (phone, other) = await desk(world, "2020", "2010")
    await enter(town, phone, "*20*1001", "1111#", "2222#", "3333#")
    await enter(town, phone, "*20*1001", "1111#", "2222#")
    assert (await enter(town, phone, "*20*1001", PIN + "#"))[-1] == LOCKED
    await log_in(town, other)
    await enter(town, other, "#20#")
    await world.sleep(3600)
    await phone.register()
    await log_in(town, phone)
    await enter(town, phone, "#20#")


@scenario()
async def test_wrong_pins_are_remembered_after_a_kill(world: World) -> None:
    town, (phone,) = await desk(world, "2020")
    await enter(town, phone, "*20*1001", "1111#", "2222#", "3333#")
    await enter(town, phone, "*20*1001", "1111#", "2222#")
    await town.restart()
    assert town.exchange.pins.is_locked("device 2020")
    assert not town.exchange.pins.is_locked("device 2010")


@scenario()
async def test_a_hot_desk_outlives_a_kill(world: World) -> None:
    town, (phone, colleague) = await desk(world, "2020", "2010")
    await log_in(town, phone)
    assert town.journal.between("write seat of 2020", "send BYE to 2020")
    await town.restart()
    await colleague.call("1001")
    phone.reply(await phone.expect("INVITE"), 486)
    await phone.expect("ACK")
    await colleague.expect(486)
    await enter(town, phone, "#20#")
    await town.restart()
    assert town.exchange.seats.everybody() == []


@scenario()
async def test_the_plans_hour_ends_a_hot_desk(world: World) -> None:
    plan = PLAN_TEXT.replace("\nusers:", '\nhot_desk: {ends: "10:30"}\n\nusers:', 1)
    town, (phone,) = await desk(world, "2020", plan=plan)
    changes = events_of(town, HotDeskChanged)
    await log_in(town, phone)  # at 10:00
    await world.sleep(1700)
    assert len(town.exchange.seats.everybody()) == 1
    await world.sleep(120)
    assert town.exchange.seats.everybody() == []
    assert [event.by for event in changes if isinstance(event, HotDeskChanged)] == ["1001", "plan"]


@scenario()
async def test_who_has_no_pin_cannot_log_in_elsewhere(world: World) -> None:
    town, (phone,) = await desk(world, "2020")
    heard = await enter(town, phone, "*20*1002")
    assert heard == [
        "tone",
        "Aucun code PIN n'est choisi pour ce numéro. Choisissez-en un depuis votre poste.",
    ]


@scenario()
async def test_ones_own_pin_is_chosen_on_ones_own_telephone(world: World) -> None:
    town, (bruno,) = await desk(world, "1002")
    new = "Tapez votre nouveau code PIN, de 4 à 8 chiffres, puis dièse."
    assert await enter(town, bruno, "*23", "4711#", "4711#") == [
        new,
        "Encore une fois.",
        "Votre code PIN est enregistré.",
    ]
    assert (await enter(town, bruno, "*23", "4711#", "1234#", "1234#"))[-1] == (
        "Ce code est trop simple. Choisissez de 4 à 8 chiffres."
    )
    assert (await enter(town, bruno, "*23", "4711#", "8520#", "8521#"))[-1] == (
        "Les deux codes ne sont pas les mêmes."
    )
    assert_golden("pin-by-code", town.ladder)


@scenario()
async def test_a_pin_is_nowhere_in_clear(world: World) -> None:
    town, (phone,) = await desk(world, "2020")
    await log_in(town, phone)
    await enter(town, phone, "#20#")
    written = [repr(record) for record in town.journal.written if isinstance(record, Personal)]
    assert written
    assert not any(re.search(rf"\b{PIN}\b", record) for record in written)


@scenario()
async def test_the_lamp_of_who_logged_in_is_lit_by_the_calls_of_the_telephone(world: World) -> None:
    town, (phone, colleague) = await desk(world, "2020", "2010")
    await log_in(town, phone)
    first = await watch(colleague, "dialog", "1001")
    assert lamps(first) == []
    await phone.call("9196")
    phone.ack(await phone.expect(200))
    assert len(lamps(await told(colleague))) == 1
    while "confirmed" not in str(lamps(await told(colleague))):
        pass
    phone.bye()
    await phone.expect("200 BYE")
    await told(colleague)
    await unwatch(colleague, first, "dialog")
    await enter(town, phone, "#20#")


@scenario()
async def test_the_message_lamp_is_that_of_who_logged_in(world: World) -> None:
    """RFC 6665 section 4.1.3: deactivated, so that the telephone asks again at once (RFC 3842)."""
    town, (phone,) = await desk(world, "2020")
    town.exchange.subscriptions.mailboxes.tell("1001", Mailbox(new=3))
    first = await watch(phone, "message-summary", "2020")
    assert b"Messages-Waiting: no" in first.body
    await phone.call("*20*1001")
    phone.ack(await phone.expect(200))
    await world.sleep(0.3)
    ((call, leg),) = town.engine.playing
    town.engine.press(call, leg, PIN + "#")
    last = await told(phone)
    assert last.header("Subscription-State") == "terminated;reason=deactivated"
    town.finish_playing()
    phone.reply(await phone.expect("BYE"), 200)
    again = await watch(phone, "message-summary", "2020")
    assert b"Messages-Waiting: yes" in again.body
    assert b"sip:1001@valmont.example" in again.body
    town.exchange.seats.give_back("2020", "root")
    await told(phone)


@scenario()
async def test_a_person_of_the_past_has_no_hot_desk(world: World) -> None:
    town, (phone,) = await desk(world, "2020")
    await log_in(town, phone)
    town.reload(
        PLAN_TEXT.replace('{extension: "1001"', '{extension: "1009"', 1), directory=type(town.directory)()
    )
    device = town.exchange.devices.find("2020")
    assert device is not None
    assert device.extension == "2020"
    assert isinstance(town.exchange.seats.of("2020"), SeatRecord)  # it is 1001's again, once 1001 is back
    town.exchange.seats.give_back("2020", "root")


@scenario()
async def test_a_full_disk_keeps_a_hot_desk_until_it_can_be_written_that_it_ended(world: World) -> None:
    plan = PLAN_TEXT.replace("\nusers:", '\nhot_desk: {ends: "10:30"}\n\nusers:', 1)
    town, (phone,) = await desk(world, "2020", plan=plan)
    await log_in(town, phone)
    town.journal.exhausted = True
    await world.sleep(1900)
    assert len(town.exchange.seats.everybody()) == 1
    town.journal.exhausted = False
    await world.sleep(2)
    assert town.exchange.seats.everybody() == []


@pytest.mark.parametrize("seed", range(12))
@scenario()
async def test_whoever_logs_in_where_and_when_there_is_one_person_for_each_device(
    world: World, seed: int
) -> None:
    """Random logins, logouts, new plans and kills: nobody uses two devices of others, and nothing is lost."""
    chance = random.Random(seed)
    town = await start(world)
    people = ["1001", "1002", "2010", "2020"]
    expected: dict[str, str] = {}
    for _ in range(40):
        device, person = chance.choice(people), chance.choice(people)
        match chance.randrange(6):
            case 0 if device in expected:
                town.exchange.seats.give_back(device, "test")
                del expected[device]
            case 1:
                await town.restart()
            case 2:
                town.reload(PLAN_TEXT)
            case _:
                town.exchange.seats.take(device, person, "test")
                expected = {one: who for one, who in expected.items() if who != person and one != device}
                if device != person:
                    expected[device] = person
        assert {seat.device: seat.extension for seat in town.exchange.seats.everybody()} == expected
        for one in people:
            found = town.exchange.devices.find(one)
            assert found is not None
            assert found.extension == expected.get(one, one)
