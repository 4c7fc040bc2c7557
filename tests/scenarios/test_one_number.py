"""One number for desk, application and mobile: together or in turn, and no voicemail of an operator."""

from __future__ import annotations

import pytest

from pbx.people.directory import Directory, Person, device_credentials
from pbx.people.settings import SettingRefused
from tests.scenarios.test_hotlines import press
from tests.scenarios.test_settings import dial
from tests.scenarios.town import DOMAIN, PLAN_TEXT, SECRETS, Town, TownPhone, reason_of, start, tell
from tests.sim.ladder import assert_golden
from tests.sim.world import World, scenario

MOBILE = "+33612345699"
ASKED = "Un appel pour Alice Martin. Pour le prendre, tapez 1."
ELSEWHERE = 'SIP;cause=200;text="Call completed elsewhere"'
ALICE = "password: pw1001,"


def plan(ring: str) -> str:
    """The sample plan, where Alice (1001) has a mobile and rings like this."""
    assert PLAN_TEXT.count(ALICE) == 1
    return PLAN_TEXT.replace(ALICE, f'{ALICE} mobile: "{MOBILE}", ring: {ring},')


TOGETHER, IN_TURN = plan("together"), plan("in_turn")


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)


async def town_of(world: World, text: str, *users: str) -> tuple[Town, TownPhone, list[TownPhone]]:
    """The town with its telephones, and the operator of mobile calls."""
    town = await start(world, text)
    operator = town.operator("operateur-b")
    phones = await town.phones(*users)
    town.ladder.order(users[0], "Beffroi", *users[1:], "operateur-b")
    return town, operator, phones


async def tells(town: Town) -> list[str]:
    """The records of the calls, each as its first line says it."""
    await town.world.sleep(0.1)
    return [tell(call).splitlines()[0] for call in town.calls]


@scenario()
async def test_together_the_mobile_takes_the_call_by_a_key_and_the_others_are_told(world: World) -> None:
    """RFC 3326: the telephones that stop ringing show no missed call."""
    town, operator, (office, alice) = await town_of(world, TOGETHER, "2010", "1001")
    await office.call("1001")
    ringing = await alice.expect("INVITE")
    alice.reply(ringing, 180)
    invite = await operator.expect("INVITE")
    assert f"sip:{MOBILE}@" in invite.first_line
    assert '"État civil" <sip:+33383001010@' in invite.header("From")  # a number of ours: the caller's own
    operator.reply(invite, 180)
    await office.expect(180)
    operator.answer(invite)
    await operator.expect("ACK")
    await world.sleep(0.5)
    assert town.spoken() == [ASKED]
    await office.expect_silence(1)
    press(town, "1")
    cancel = await alice.expect("CANCEL")
    assert reason_of(cancel) == ELSEWHERE
    alice.reply(cancel, 200)
    alice.reply(ringing, 487)
    office.ack(await office.expect(200))
    await alice.expect("ACK")
    await town.hang_up(office, operator)
    assert_golden("one-number-together", town.ladder)


@scenario()
async def test_an_operators_voicemail_swallows_nothing(world: World) -> None:
    town, operator, (office, alice) = await town_of(world, TOGETHER, "2010", "1001")
    await office.call("1001")
    ringing = await alice.expect("INVITE")
    alice.reply(ringing, 180)
    operator.answer(await operator.expect("INVITE"))  # its voicemail, which presses nothing
    await operator.expect("ACK")
    await office.expect(180)
    await world.sleep(5)
    alice.answer(ringing)
    await alice.expect("ACK")
    operator.reply(await operator.expect("BYE"), 200)
    office.ack(await office.expect(200))
    await town.hang_up(office, alice)
    assert_golden("one-number-voicemail", town.ladder)


@scenario()
async def test_in_turn_the_mobile_rings_when_the_desk_has_rung(world: World) -> None:
    town, operator, (office, alice) = await town_of(world, IN_TURN, "2010", "1001")
    await office.call("1001")
    ringing = await alice.expect("INVITE")
    alice.reply(ringing, 180)
    await office.expect(180)
    await operator.expect_silence(19)
    invite = await operator.expect("INVITE", within_seconds=2)
    alice.reply(await alice.expect("CANCEL"), 200)
    alice.reply(ringing, 487)
    await alice.expect("ACK")
    operator.answer(invite)
    await operator.expect("ACK")
    await world.sleep(0.5)
    press(town, "1")
    office.ack(await office.expect(200))
    await town.hang_up(office, operator)
    assert_golden("one-number-in-turn", town.ladder)


@scenario()
async def test_in_turn_the_mobile_rings_at_once_where_no_telephone_can_be_reached(world: World) -> None:
    town, operator, (office,) = await town_of(world, IN_TURN, "2010")
    await office.call("1001")
    operator.reply(await operator.expect("INVITE", within_seconds=1), 486)
    await operator.expect("ACK")
    await office.expect(486)
    assert [line.partition(": ")[2].partition(",")[0] for line in await tells(town)] == [
        "unreachable",
        "busy",
        "busy",
    ]


@scenario()
async def test_a_caller_from_outside_is_named_and_a_number_of_ours_is_shown(world: World) -> None:
    """RFC 5806 section 4, RFC 7044: the mobile rings for Alice, who is called from outside."""
    town, operator, _ = await town_of(world, plan("in_turn").replace('"1001"', '"2011"', 1), "2010")
    caller = town.operator("operateur-a")
    caller.send("INVITE", "+33383001011", body=caller.sdp())
    invite = await operator.expect("INVITE")
    assert "+33383001011" in invite.header("From")
    assert "+33699999999" in invite.header("From")  # in the name
    (diverted,) = invite.all("Diversion")
    assert "+33383001011" in diverted
    assert "reason=follow-me" in diverted
    operator.reply(invite, 486)
    await operator.expect("ACK")
    await caller.expect(486)


@scenario()
async def test_where_the_trunk_allows_it_the_mobile_shows_who_calls(world: World) -> None:
    """RFC 3325 section 9.1, RFC 5806 section 4: the From is the caller's, what proves who we are is ours."""
    text = IN_TURN.replace('"1001"', '"2011"', 1).replace(
        "    channels: 10\n", "    channels: 10\n    options: [forwarded_caller]\n"
    )
    assert "forwarded_caller" in text
    town, operator, _ = await town_of(world, text, "2010")
    caller = town.operator("operateur-a")
    caller.send("INVITE", "+33383001011", body=caller.sdp())
    invite = await operator.expect("INVITE")
    assert "<sip:+33699999999@" in invite.header("From")
    assert "+33383001011" in invite.header("P-Asserted-Identity")
    assert "+33383001011" in invite.header("Diversion")
    operator.reply(invite, 486)
    await operator.expect("ACK")
    await caller.expect(486)


@scenario()
async def test_turns_overlap_as_the_plan_says(world: World) -> None:
    turns = "[{devices: ['1001'], seconds: 30}, {devices: ['1001-app', mobile], after: 10, seconds: 20}]"
    town, operator, (office, alice, app) = await town_of(world, plan(turns), "2010", "1001", "1001-app")
    await office.call("1001")
    ringing = await alice.expect("INVITE")
    alice.reply(ringing, 180)
    await office.expect(180)
    await app.expect_silence(9)
    also = await app.expect("INVITE", within_seconds=2)
    app.reply(also, 180)
    operator.reply(await operator.expect("INVITE"), 486)
    await operator.expect("ACK")
    app.answer(also)
    await app.expect("ACK")
    alice.reply(await alice.expect("CANCEL"), 200)
    alice.reply(ringing, 487)
    await alice.expect("ACK")
    office.ack(await office.expect(200))
    await town.hang_up(office, app)


@scenario()
async def test_a_turn_that_has_rung_stops_while_another_goes_on(world: World) -> None:
    turns = "[{devices: ['1001'], seconds: 10}, {devices: ['1001-app'], after: 5, seconds: 20}]"
    town, _, (office, alice, app) = await town_of(world, plan(turns), "2010", "1001", "1001-app")
    await office.call("1001")
    ringing = await alice.expect("INVITE")
    alice.reply(ringing, 180)
    await office.expect(180)
    also = await app.expect("INVITE", within_seconds=6)
    app.reply(also, 180)
    alice.reply(await alice.expect("CANCEL", within_seconds=6), 200)
    alice.reply(ringing, 487)
    await alice.expect("ACK")
    app.reply(await app.expect("CANCEL", within_seconds=16), 200)
    app.reply(also, 487)
    await app.expect("ACK")
    assert (await town.refused(office, 480)).header(
        "Reason"
    ) == 'Q.850;cause=19;text="No answer from the user"'
    assert "internal 2010 (État civil) dialled 1001 to 1001: no answer, - 25.0" in await tells(town)


@scenario()
async def test_nobody_took_it_so_it_goes_where_the_person_sends_such_calls(world: World) -> None:
    text = IN_TURN.replace(ALICE, f'{ALICE} forward: {{busy: "2020"}},')
    town, operator, (office, alice, neighbour) = await town_of(world, text, "2010", "1001", "2020")
    await office.call("1001")
    alice.reply(await alice.expect("INVITE"), 486)
    await alice.expect("ACK")
    operator.reply(await operator.expect("INVITE"), 486)
    await operator.expect("ACK")
    neighbour.answer(await neighbour.expect("INVITE"))
    await neighbour.expect("ACK")
    office.ack(await office.expect(200))
    await town.hang_up(office, neighbour)


@scenario()
async def test_a_mobile_that_calls_its_own_number_does_not_ring(world: World) -> None:
    text = TOGETHER.replace('extension: "1001"', 'extension: "2011"', 1)
    town, operator, _ = await town_of(world, text, "2010")
    operator.user = MOBILE
    operator.send("INVITE", "+33383001011", body=operator.sdp())
    await town.refused(operator, 480, passing_over=(100,))
    assert len(town.calls) >= 1


@scenario()
async def test_a_caller_who_gives_up_leaves_nobody_ringing(world: World) -> None:
    town, operator, (office, alice) = await town_of(world, TOGETHER, "2010", "1001")
    await office.call("1001")
    ringing = await alice.expect("INVITE")
    alice.reply(ringing, 180)
    await office.expect(180)
    invite = await operator.expect("INVITE")
    operator.reply(invite, 180)
    office.cancel(office.last_invite)
    await office.expect_in_any_order("200 CANCEL", 487)
    for phone, rang in ((alice, ringing), (operator, invite)):
        phone.reply(await phone.expect("CANCEL"), 200)
        phone.reply(rang, 487)
        await phone.expect("ACK")
    assert [call.cause for call in town.calls][-1] == "cancelled"


@scenario()
async def test_while_turns_ring_a_kill_leaves_no_call_behind(world: World) -> None:
    town, operator, (office, alice) = await town_of(world, TOGETHER, "2010", "1001")
    await office.call("1001")
    await alice.expect("INVITE")
    await operator.expect("INVITE")
    await town.restart()
    assert town.exchange.status()["calls"] == 0


# What people set


@scenario()
async def test_by_code_the_mobile_rings_too_and_then_no_more(world: World) -> None:
    text = PLAN_TEXT.replace(ALICE, f'{ALICE} mobile: "{MOBILE}",')
    town, operator, (alice, office) = await town_of(world, text, "1001", "2010")
    assert await dial(town, alice, "*27") == ["Vos téléphones et votre mobile sonnent ensemble."]
    await office.call("1001")
    alice.reply(await alice.expect("INVITE"), 486)
    operator.reply(await operator.expect("INVITE"), 486)
    await alice.expect("ACK")
    await operator.expect("ACK")
    await office.expect(486)
    assert await dial(town, alice, "*28") == ["Vos téléphones sonnent d'abord, puis votre mobile."]
    assert await dial(town, alice, "#27#") == ["Votre mobile ne sonne plus."]
    await office.call("1001")
    alice.reply(await alice.expect("INVITE"), 486)
    await alice.expect("ACK")
    await office.expect(486)
    await operator.expect_silence(1)
    assert_golden("one-number-by-code", town.ladder)


@scenario()
async def test_what_a_person_set_outlives_a_kill_and_comes_before_the_plan(world: World) -> None:
    town, operator, (office, alice) = await town_of(world, TOGETHER, "2010", "1001")
    town.exchange.settings.ring("1001", "devices", "1001")
    await town.restart()
    await office.call("1001")
    alice.reply(await alice.expect("INVITE"), 486)
    await alice.expect("ACK")
    await office.expect(486)
    await operator.expect_silence(1)
    town.exchange.settings.clear("1001", "root", "ring")
    assert town.exchange.settings.everybody() == []


@scenario()
async def test_who_has_no_mobile_is_told_so(world: World) -> None:
    town, _, (bruno,) = await town_of(world, PLAN_TEXT, "1002")
    assert await dial(town, bruno, "*27") == ["tone", "Votre numéro de mobile n'est pas connu."]
    with pytest.raises(SettingRefused, match='"both" is none of together, in_turn, devices'):
        town.exchange.settings.ring("1002", "both", "root")


@scenario()
async def test_people_of_the_database_ring_so_too(world: World) -> None:
    people = Directory(
        revision=1,
        people=[
            Person(
                extension="1050",
                name="Dora",
                class_name="national",
                mobile=MOBILE,
                devices=[device_credentials("1050", DOMAIN, "pw1050")],
            )
        ],
    )
    town = await start(world, PLAN_TEXT, people)
    operator = town.operator("operateur-b")
    (office,) = await town.phones("2010")
    town.exchange.settings.ring("1050", "in_turn", "root")
    await office.call("1050")
    operator.reply(await operator.expect("INVITE"), 486)
    await operator.expect("ACK")
    await office.expect(486)
