"""Recorded calls: which are, and that they stay so whatever their parties do (pbx.recordings.following).

The fire line (8200, +33383000200) of the sample plan is recorded from the first ring, the police line (8100,
+33383000300) from the answer.
"""

from __future__ import annotations

import pytest

from pbx.events import CallAnswered
from tests.scenarios.offers import operator_party, party
from tests.scenarios.party import Party, Talk
from tests.scenarios.test_queue_turns import plan_with
from tests.scenarios.test_queue_ways_out import CALL_BACK, asks_to_be_called_back, one_waits
from tests.scenarios.test_queues import greet, rings
from tests.scenarios.town import PLAN_TEXT, SECRETS, Town, start
from tests.sim.ladder import assert_golden
from tests.sim.world import World, scenario

FIRE, POLICE = "+33383000200", "+33383000300"


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)


class Line:
    """A citizen who calls a line over operator a, and who is there to answer."""

    def __init__(self, town: Town, citizen: Party, people: list[Party]) -> None:
        self.town = town
        self.citizen = citizen
        self.people = people
        self.talk: Talk

    async def call(self, number: str, seconds: float = 1.0) -> Talk:
        self.talk = self.citizen.dial(number)
        await self.town.world.sleep(seconds)
        return self.talk

    async def end(self) -> None:
        for one in (self.citizen, *self.people):
            for talk in one.talking:
                one.leave(talk)
            await self.town.world.sleep(0.2)
        await self.town.world.sleep(3)

    def taped(self, *who: Party) -> list[list[int]]:
        """The slots that these parties' legs are on the tape for, as the engine has it now."""
        found: list[list[int]] = []
        for one in who:
            slots: set[int] = set()
            for leg in self.town.exchange.legs():
                if leg.flow.remote[0] == one.host.address:
                    slots |= self.town.engine.taped(leg.call.id, leg.name).keys()
            found.append(sorted(slots))
        return found

    def told(self, slot: int = 1) -> list[str]:
        return self.town.recorder.of(slot)


async def line(world: World, *users: str, plan: str = PLAN_TEXT) -> Line:
    town = await start(world, plan)
    citizen = operator_party(town, "operateur-a")
    people = [await party(town, user) for user in users]
    town.ladder.clear()
    town.ladder.order("operateur-a", "Beffroi", *users)
    return Line(town, citizen, people)


# Which calls


@scenario()
async def test_a_call_to_the_fire_line_is_recorded_from_the_first_ring_each_side_apart(world: World) -> None:
    us = await line(world, "2201", "2202")
    us.people[1].answers_after = None
    us.people[0].answers_after = 2.0
    await us.call(FIRE)
    assert us.told() == ["begin pompiers (secours): +33699999999 to +33383000200", "ringing: +33699999999"]
    await world.sleep(3)
    assert us.taped(us.citizen, us.people[0], us.people[1]) == [[1], [1], []]
    await us.end()
    assert us.told()[2:] == ["talk: +33699999999, 2201", "end: hung up"]
    assert [one.split(" ", 1)[1].split(" PCMA")[0] for one in us.town.recorder.tracks(1)] == [
        "+33699999999",
        "+33699999999",
        "to +33699999999",
        "2201",
        "to 2201",
    ]
    assert us.town.recorder.facts[1].line == "secours"
    assert us.town.recorder.facts[1].direction == "inbound"
    assert_golden("recorded", us.town.ladder)


@scenario()
async def test_a_call_to_the_police_line_is_recorded_from_the_answer(world: World) -> None:
    us = await line(world, "2301", "2302")
    us.people[1].answers_after = None
    us.people[0].answers_after = 2.0
    await us.call(POLICE)
    assert us.town.recorder.told == []
    await world.sleep(3)
    assert us.told()[0] == "begin police (astreinte): +33699999999 to +33383000300"
    assert us.taped(us.citizen, us.people[0]) == [[1], [1]]
    await us.end()


@scenario()
async def test_a_call_that_nobody_answers_is_recorded_to_its_end_where_the_plan_begins_at_the_ringing(
    world: World,
) -> None:
    us = await line(world, "2201")
    us.people[0].answers_after = None
    await us.call(FIRE, 5)
    us.citizen.leave(us.talk)
    await world.sleep(1)
    assert us.told()[1:] == ["ringing: +33699999999", "end: cancelled"]
    assert us.town.recorder.tracks(1) == ["0 +33699999999"]  # so that its silence is certified


@scenario()
async def test_a_call_that_is_not_recorded_tells_the_recorder_nothing(world: World) -> None:
    us = await line(world, "1001", "1002")
    us.people[0].dial("1002")
    await world.sleep(1)
    assert us.taped(*us.people) == [[], []]
    await us.end()
    assert us.town.recorder.told == []


@scenario()
async def test_the_recorder_knows_the_policies_of_the_plan_in_force(world: World) -> None:
    us = await line(world)
    assert us.town.recorder.known["pompiers"].listeners == ("2201", "2202")
    us.town.reload(PLAN_TEXT.replace("keep: 60 days", "keep: 90 days"))
    assert us.town.recorder.known["pompiers"].keep_days == 90


USER_RECORDED = PLAN_TEXT.replace(
    "name: Bruno Petit,  password: pw1002,", "name: Bruno Petit,  password: pw1002, record: police,"
)


@scenario()
async def test_a_recorded_user_is_recorded_when_they_call_and_when_they_answer(world: World) -> None:
    us = await line(world, "1001", "1002", plan=USER_RECORDED)
    alice, bruno = us.people
    alice.dial("1002")
    await world.sleep(1)
    assert us.taped(alice, bruno) == [[1], [1]]
    await us.end()
    bruno.dial("1001")
    await world.sleep(1)
    await us.end()
    assert us.told(1) == ["begin police (1002): 1001 to 1002", "talk: 1001, 1002", "end: released"]
    assert us.told(2) == ["begin police (1002): 1002 to 1001", "talk: 1002, 1001", "end: released"]
    assert us.town.recorder.facts[1].user == "1002"


@scenario()
async def test_who_are_joined_are_on_the_tape_before_anything_else_has_its_turn(world: World) -> None:
    us = await line(world, "1001", "1002", plan=USER_RECORDED)
    taped: list[int] = []

    def answered(event: CallAnswered) -> None:
        if event.leg == "a":
            world.loop.call_soon(lambda: taped.append(len(us.town.engine.tapings)))

    us.town.exchange.events.subscribe(answered, CallAnswered)
    await dials(us, us.people[0], "1002")
    assert taped == [2]
    await us.end()


@scenario()
async def test_who_speaks_on_without_the_recorded_user_is_recorded_no_more(world: World) -> None:
    us = await line(world, "1001", "1002", "2010", plan=USER_RECORDED)
    alice, bruno, chloe = us.people
    await dials(us, alice, "1002")
    bruno.refer(bruno.talking[0], "sip:2010@valmont.example")
    await world.sleep(4)
    assert len(alice.talking) == len(chloe.talking) == 1
    assert us.taped(alice, chloe) == [[], []]
    assert us.told()[-1].startswith("end: ")
    await us.end()


@scenario()
async def test_a_recorded_user_who_is_transferred_stays_recorded(world: World) -> None:
    us = await line(world, "1001", "1002", "2010", plan=USER_RECORDED)
    alice, bruno, chloe = us.people
    await dials(us, alice, "1002")
    alice.refer(alice.talking[0], "sip:2010@valmont.example")
    await world.sleep(4)
    assert us.taped(bruno, chloe) == [[1], [1]]
    await us.end()
    assert us.town.recorder.facts.keys() == {1}


@scenario()
async def test_a_group_of_recorded_people_is_recorded_each_by_itself(world: World) -> None:
    plan = PLAN_TEXT.replace("services:\n", "groups:\n  accueil: {record: police}\n\nservices:\n", 1)
    us = await line(world, "1001", "2010", plan=plan)
    us.people[1].dial("1001")
    await world.sleep(1)
    await us.end()
    assert us.told()[0] == "begin police (1001): 2010 to 1001"


@scenario()
async def test_a_recorded_trunk_is_recorded_in_both_directions(world: World) -> None:
    plan = PLAN_TEXT.replace(
        "    host: sip.operateur-a.example\n", "    host: sip.operateur-a.example\n    record: police\n"
    )
    us = await line(world, "2010", plan=plan)
    await us.call("+33383001010")
    assert us.taped(us.citizen, us.people[0]) == [[1], [1]]
    await us.end()
    us.people[0].dial("0033145000000")
    await world.sleep(1)
    assert us.taped(us.citizen, us.people[0]) == [[2], [2]]
    await us.end()
    assert us.told(1)[0] == "begin police (trunk): +33699999999 to +33383001010"
    assert us.told(2)[0].startswith("begin police (trunk): 2010 to ")


@scenario()
async def test_a_recorded_user_who_calls_a_recorded_line_has_two_recordings_at_once(world: World) -> None:
    us = await line(world, "1002", "2201", plan=USER_RECORDED)
    us.people[0].dial("8200")
    await world.sleep(1)
    assert us.taped(*us.people) == [[1, 2], [1, 2]]
    await us.end()
    assert [us.told(slot)[0].split(":")[0] for slot in (1, 2)] == [
        "begin pompiers (secours)",
        "begin police (1002)",
    ]


# Following


@scenario()
async def test_a_hold_is_a_part_of_the_same_recording(world: World) -> None:
    us = await line(world, "2201")
    await us.call(FIRE)
    (guard,) = us.people
    (talk,) = guard.talking
    guard.holds = True
    guard.change(talk, guard.describe())
    await world.sleep(1)
    assert us.taped(us.citizen, guard) == [[1], [1]]
    guard.holds = False
    guard.change(talk, guard.describe())
    await world.sleep(1)
    await us.end()
    assert us.told()[2:] == [
        "talk: +33699999999, 2201",
        "hold: +33699999999",
        "talk: +33699999999, 2201",
        "end: hung up",
    ]
    assert_golden("recorded-held", us.town.ladder)


@scenario()
async def test_who_was_recorded_stays_so_at_an_unrecorded_desk(world: World) -> None:
    us = await line(world, "2201", "1001")
    await us.call(FIRE)
    guard, desk = us.people
    guard.refer(guard.talking[0], "sip:1001@valmont.example")
    await world.sleep(4)
    assert us.taped(us.citizen, desk) == [[1], [1]]
    assert guard.talking == []
    await us.end()
    assert us.told()[2:] == [
        "talk: +33699999999, 2201",
        "transferred: +33699999999",
        "talk: +33699999999, 1001",
        "end: hung up",
    ]
    assert_golden("recorded-transferred", us.town.ladder)


async def consult(us: Line, guard: Party, number: str) -> Talk:
    """Put the first party on hold and call somebody."""
    (talk,) = guard.talking
    guard.holds = True
    guard.change(talk, guard.describe())
    await us.town.world.sleep(0.3)
    guard.holds = False
    second = guard.dial(number)
    await us.town.world.sleep(1)
    return second


def in_place_of(us: Line, phone: Party, talk: Talk) -> str:
    """A Refer-To URI that names another call of the one who transfers."""
    for leg in us.town.exchange.legs():
        if leg.call_id == talk.invite.call_id:
            tags = f"to-tag%3D{leg.local_tag}%3Bfrom-tag%3D{leg.remote_tag}"
            return f"sip:x@valmont.example?Replaces={leg.call_id}%3B{tags}"
    raise AssertionError("no such call")


@scenario()
async def test_a_consultation_is_not_recorded_and_what_follows_it_is(world: World) -> None:
    us = await line(world, "2201", "1001")
    await us.call(FIRE)
    guard, desk = us.people
    first = guard.talking[0]
    second = await consult(us, guard, "1001")
    assert us.taped(desk) == [[]]
    assert us.taped(us.citizen) == [[1]]
    guard.refer(first, in_place_of(us, guard, second))
    await world.sleep(3)
    assert us.taped(us.citizen, desk) == [[1], [1]]
    assert us.town.recorder.going.keys() == {1}
    await us.end()
    assert us.told()[2:] == [
        "talk: +33699999999, 2201",
        "hold: +33699999999",
        "talk: +33699999999, 1001",
        "end: hung up",
    ]
    assert_golden("recorded-attended", us.town.ladder)


@scenario()
async def test_a_consultation_of_somebody_who_is_recorded_has_its_own_recording(world: World) -> None:
    us = await line(world, "2201", "1002", plan=USER_RECORDED)
    await us.call(FIRE)
    guard, bruno = us.people
    await consult(us, guard, "1002")
    assert us.taped(us.citizen, bruno) == [[1], [2]]
    await us.end()
    assert us.told(2)[0] == "begin police (1002): 2201 to 1002"


@scenario()
async def test_a_colleague_who_called_the_line_hands_its_recording_on_to_who_it_transfers(
    world: World,
) -> None:
    us = await line(world, "1001", "2201", "2010")
    alice, guard, chloe = us.people
    await dials(us, alice, "8200")
    first = alice.talking[0]
    second = await consult(us, alice, "2010")
    assert us.taped(chloe) == [[]]
    alice.refer(first, in_place_of(us, alice, second))
    await world.sleep(3)
    assert us.taped(guard, chloe) == [[1], [1]]
    await us.end()
    assert us.told()[-1].startswith("end: ")


async def dials(us: Line, who: Party, number: str) -> Talk:
    talk = who.dial(number)
    await us.town.world.sleep(1)
    return talk


@scenario()
async def test_parked_and_taken_back_it_is_one_recording(world: World) -> None:
    us = await line(world, "2201", "1001")
    await us.call(FIRE)
    guard, desk = us.people
    guard.refer(guard.talking[0], "sip:705@valmont.example")
    await world.sleep(4)
    assert us.taped(us.citizen) == [[1]]
    await dials(us, desk, "705")
    assert us.taped(us.citizen, desk) == [[1], [1]]
    await us.end()
    assert us.told()[2:] == [
        "talk: +33699999999, 2201",
        "transferred: +33699999999",
        "parked: +33699999999",
        "talk: 1001, +33699999999",
        "end: hung up",
    ]
    assert_golden("recorded-parked", us.town.ladder)


@scenario()
async def test_picked_up_by_a_colleague_it_is_recorded_with_them(world: World) -> None:
    us = await line(world, "2201", "2202")
    us.people[0].answers_after = None
    us.people[1].answers_after = None
    await us.call(FIRE)
    await dials(us, us.people[1], "*8")
    assert us.taped(us.citizen, us.people[1]) == [[1], [1]]
    assert us.told()[-1] == "talk: +33699999999, 2202"
    await us.end()
    assert_golden("recorded-picked-up", us.town.ladder)


@scenario()
async def test_three_who_speak_together_are_one_recording_each_side_apart(world: World) -> None:
    us = await line(world, "2201", "1001")
    await us.call(FIRE)
    guard, desk = us.people
    guard.refer(guard.talking[0], "sip:*30@valmont.example")
    await world.sleep(3)
    second = await dials(us, guard, "1001")
    guard.refer(second, "sip:*30@valmont.example")
    await world.sleep(3)
    await dials(us, guard, "*30")
    us.town.finish_playing()  # the tones of those who come in
    await world.sleep(0.1)
    assert us.taped(us.citizen, guard, desk) == [[1], [1], [1]]
    assert us.told()[-1] == "conference: +33699999999, 1001, 2201"
    desk.leave(desk.talking[0])
    await world.sleep(1)
    assert us.told()[-1] == "conference: +33699999999, 2201"
    us.citizen.leave(us.talk)
    await world.sleep(1)
    assert us.taped(guard) == [[]]
    assert us.told()[-1] == "end: hung up"
    await us.end()
    assert_golden("recorded-conference", us.town.ladder)


@scenario()
async def test_who_comes_back_has_its_own_tracks_again(world: World) -> None:
    us = await line(world, "2201", "1001")
    await us.call(FIRE)
    guard, desk = us.people
    guard.refer(guard.talking[0], "sip:1001@valmont.example")
    await world.sleep(4)
    desk.refer(desk.talking[0], "sip:2201@valmont.example")
    await world.sleep(4)
    assert us.taped(us.citizen, guard) == [[1], [1]]
    numbers = {
        one.split()[0] for one in us.town.recorder.tracks(1) if one.split()[1] == "2201" and "left" not in one
    }
    assert numbers == {"2"}
    await us.end()


@scenario()
async def test_other_codecs_are_told(world: World) -> None:
    us = await line(world, "2201")
    await us.call(FIRE)
    before = len(us.town.recorder.tracks(1))
    offer = us.citizen.describe().replace(b"RTP/AVP 8 0 101", b"RTP/AVP 9 8 0 101")
    us.citizen.change(us.talk, offer)
    await world.sleep(1)
    told = us.town.recorder.tracks(1)[before:]
    assert any(one.startswith("0 +33699999999") and "G722" in one for one in told)
    await us.end()


@scenario()
async def test_a_line_that_passes_the_call_on_to_another_recorded_line_has_two_recordings(
    world: World,
) -> None:
    plan = PLAN_TEXT.replace(
        'otherwise: {to: "+33612345603"}         # the officer on call', "otherwise: {to: astreinte}"
    ).replace(
        "    seconds: 40\n    otherwise: {to: astreinte}", "    seconds: 5\n    otherwise: {to: astreinte}"
    )
    us = await line(world, "2201", "2301", plan=plan)
    us.people[0].answers_after = None
    await us.call(FIRE, 8)
    assert us.taped(us.citizen, us.people[1]) == [[1, 2], [1, 2]]
    await us.end()
    assert us.told(1)[0].startswith("begin pompiers (secours)")
    assert us.told(2)[0].startswith("begin police ")


@scenario()
async def test_a_queue_that_is_recorded_is_from_the_wait_to_the_end_and_so_is_its_call_back(
    world: World,
) -> None:
    plan = plan_with(CALL_BACK).replace("    type: queue\n", "    type: queue\n    record: police\n")
    town, caller, agent, busy, talk = await one_waits(world, plan)
    us = Line(town, caller, [agent])
    assert town.recorder.of(1) == ["begin police (standard): 2010 to 9", "queue: 2010"]
    assert us.taped(caller, agent) == [[1], []]
    await asks_to_be_called_back(town, caller, talk)
    greet(town)
    await world.sleep(0.5)
    assert town.recorder.of(1)[-1] == "end: to be called back"
    agent.leave(busy)
    await world.sleep(0.2)
    (ringing,) = rings(agent)
    agent.pick_up(ringing)
    await world.sleep(1)
    assert us.taped(caller, agent) == [[2], [2]]
    agent.leave(ringing)
    await world.sleep(0.5)
    assert town.recorder.of(2)[0] == "begin police (standard): 1001 to 2010"


@scenario()
async def test_what_the_called_network_says_before_the_answer_is_recorded_from_the_ringing(
    world: World,
) -> None:
    plan = PLAN_TEXT.replace(
        "    host: sip.operateur-a.example\n", "    host: sip.operateur-a.example\n    record: pompiers\n"
    )
    town = await start(world, plan)
    (office,) = await town.phones("2010")
    operator = town.operator("operateur-a")
    await office.call("0033145000000")
    invite = await operator.expect("INVITE")
    operator.reply(invite, 183, body=operator.sdp())
    await office.expect(183)
    assert town.recorder.of(1) == ["begin pompiers (trunk): 2010 to +33145000000", "ringing: 2010"]
    assert {one.split()[1] for one in town.recorder.tracks(1) if one.split()[1] != "to"} == {
        "2010",
        "+33145000000",
    }
    operator.reply(invite, 486)
    await operator.expect("ACK")
    await office.expect(486)
    await world.sleep(1)
    assert town.recorder.of(1)[-1].startswith("end: ")
