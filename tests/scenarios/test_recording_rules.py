"""What recordings do to calls: refusals, announcements, beeps, codes that stop them; and restarts."""

from __future__ import annotations

import pytest

from media.engines.passthrough import PassthroughEngine
from pbx.api.calls import CallApi, NotPossibleNow
from pbx.apps.recorded import UNRECORDED
from pbx.events import AlarmRaised, RecordingFailed
from tests.scenarios.party import Party
from tests.scenarios.test_recordings import (
    FIRE,
    POLICE,
    USER_RECORDED,
    Line,
    consult,
    dials,
    line,
)
from tests.scenarios.town import PLAN_TEXT, SECRETS
from tests.sim.ladder import assert_golden
from tests.sim.world import World, scenario

STRICT = PLAN_TEXT.replace(
    "on_failure: connect_and_alarm\n    listeners: {group: chef-police}",
    "on_failure: refuse\n    listeners: {group: chef-police}",
)
TELLING = PLAN_TEXT.replace(
    "    start: answer\n",
    '    start: answer\n    announce: {fr: "Cet appel est enregistré.", en: "This call is recorded."}\n'
    "    beep_seconds: 30\n    stop: allowed\n",
)


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)


def failures(us: Line) -> list[RecordingFailed]:
    """The failures that are told from now on."""
    told: list[RecordingFailed] = []
    us.town.exchange.events.subscribe(told.append, RecordingFailed)
    return told


# Failure


@scenario()
async def test_a_call_that_must_be_recorded_and_can_not_is_refused_in_words(world: World) -> None:
    us = await line(world, "2301", plan=STRICT)
    us.town.recorder.is_well = False
    talk = await us.call(POLICE)
    assert UNRECORDED["fr"] in us.town.spoken()
    us.town.finish_playing()
    await world.sleep(1)
    assert talk.over
    assert us.people[0].talks == {}
    assert talk.finals[-1] == "503 INVITE"
    assert us.town.recorder.told == []
    assert (await us.town.record()).splitlines()[0].endswith("to astreinte: not recorded, - 1.0")
    assert_golden("recorded-refused", us.town.ladder)


@scenario()
async def test_a_call_that_is_sent_on_to_a_line_that_must_be_recorded_is_refused_there(world: World) -> None:
    plan = STRICT.replace('otherwise: {to: "+33612345603"}', "otherwise: {to: astreinte}")
    us = await line(world, "2301", plan=plan.replace("    seconds: 40\n", "    seconds: 5\n"))
    us.town.recorder.is_well = False
    talk = await us.call(FIRE)
    assert UNRECORDED["fr"] in us.town.spoken()  # nobody is at the fire station
    us.town.finish_playing()
    await world.sleep(1)
    assert talk.finals[-1] == "503 INVITE"
    assert [one.split(" (")[0] for one in us.told() if one.startswith("begin")] == ["begin pompiers"]


@scenario()
async def test_a_call_that_should_be_recorded_goes_on_without_a_recorder(world: World) -> None:
    us = await line(world, "2201")
    us.town.recorder.is_well = False
    await us.call(FIRE)
    assert us.talk.established
    assert us.told()[0].startswith("begin pompiers")  # for a recorder that comes
    await us.end()


@scenario()
async def test_a_call_for_help_is_never_refused_for_want_of_a_recorder(world: World) -> None:
    us = await line(world, "1002", plan=USER_RECORDED.replace("connect_and_alarm", "refuse"))
    us.town.recorder.is_well = False
    us.people[0].dial("17")
    await world.sleep(1)
    assert len(us.citizen.talking) == 1  # the operator's side of the trunk
    await us.end()
    assert us.told()[0] == "begin police (1002): 1002 to 17"


@scenario()
async def test_a_recorded_user_who_must_be_recorded_calls_nobody_without_a_recorder(world: World) -> None:
    us = await line(world, "1001", "1002", plan=USER_RECORDED.replace("connect_and_alarm", "refuse"))
    us.town.recorder.is_well = False
    alice, bruno = us.people
    bruno.dial("1001")
    await world.sleep(1)
    us.town.finish_playing()
    await world.sleep(1)
    alice.dial("1002")
    await world.sleep(1)
    us.town.finish_playing()
    await world.sleep(1)
    assert [call.cause for call in us.town.calls] == ["not recorded", "not recorded"]


@scenario()
async def test_a_recorder_that_dies_in_mid_call_ends_no_call(world: World) -> None:
    us = await line(world, "2301", plan=STRICT)
    await us.call(POLICE)
    us.town.recorder.is_well = False
    await world.sleep(60)
    assert us.talk.established
    assert not us.talk.over
    await us.end()


@scenario()
async def test_sound_that_does_not_pass_through_us_is_told_as_a_failure_and_raises_the_plans_alarm(
    world: World,
) -> None:
    plan = PLAN_TEXT.replace("    start: ringing ", "    alarm: police-renfort\n    start: ringing ")
    us = await line(world, "2201", plan=plan)
    told = failures(us)
    alarms: list[AlarmRaised] = []
    us.town.exchange.events.subscribe(alarms.append, AlarmRaised)
    us.town.engine.tapes = False
    await us.call(FIRE)
    await us.end()
    assert [event.why for event in told] == ["the sound of this call doesn't pass through us"]
    assert [event.alarm for event in alarms] == ["police-renfort"]
    assert us.town.recorder.told == []
    us.town.errors.expect("fails: the sound of this call")


@scenario()
async def test_a_recorder_that_fails_raises_the_plans_alarm(world: World) -> None:
    plan = PLAN_TEXT.replace("    start: ringing ", "    alarm: police-renfort\n    start: ringing ")
    us = await line(world, "2201", plan=plan)
    alarms: list[AlarmRaised] = []
    events = us.town.exchange.events
    events.subscribe(alarms.append, AlarmRaised)
    await us.call(FIRE)
    events.publish(RecordingFailed, us.town.recorder.going[1].recording, "", "No space left on device")
    await us.end()
    assert [(event.alarm, event.service) for event in alarms] == [("police-renfort", "secours")]


@scenario()
async def test_two_telephones_of_a_site_do_not_send_each_other_sound_that_is_recorded(world: World) -> None:
    plan = PLAN_TEXT.replace(
        "    networks: [10.54.2.0/24]", "    direct_media: true\n    networks: [10.54.2.0/24]"
    )
    plan = plan.replace("name: Garde 1,   ", "name: Garde 1, record: pompiers,")
    us = await line(world, "2201", "2202", plan=plan)
    one, other = us.people
    for caller, callee in ((one, other), (other, one)):
        caller.dial(callee.user)
        await world.sleep(1)
        assert not any(isinstance(leg.call.engine, PassthroughEngine) for leg in us.town.exchange.legs())
        assert all(us.taped(one, other))
        await us.end()


# What people hear


@scenario()
async def test_both_are_told_once_that_they_are_recorded_and_nobody_before_the_answer(world: World) -> None:
    us = await line(world, "2301", plan=TELLING)
    us.people[0].answers_after = 2.0
    await us.call(POLICE)
    assert us.town.spoken() == []
    await world.sleep(3)
    assert us.town.spoken() == ["Cet appel est enregistré."] * 2
    us.town.finish_playing()
    guard = us.people[0]
    guard.refer(guard.talking[0], "sip:705@valmont.example")
    await world.sleep(4)
    assert us.town.spoken().count("Cet appel est enregistré.") == 2
    await us.end()


@scenario()
async def test_a_caller_of_a_queue_is_told_before_the_greeting(world: World) -> None:
    plan = TELLING.replace("    type: queue\n", "    type: queue\n    record: police\n")
    us = await line(world, "1002", plan=plan)
    us.people[0].dial("9")
    await world.sleep(1)
    us.town.finish_playing()
    await world.sleep(1)
    assert us.town.spoken()[:2] == ["Cet appel est enregistré.", "Mairie de Valmont, bonjour."]
    assert us.told() == ["begin police (standard): 1002 to 9", "queue: 1002"]
    us.town.finish_playing()
    await us.end()


@scenario()
async def test_who_speak_hear_a_beep_every_so_often_and_nobody_who_waits(world: World) -> None:
    us = await line(world, "2301", plan=TELLING)
    await us.call(POLICE)
    us.town.finish_playing()
    (guard,) = us.people

    def beeps() -> int:
        return sum(1 for asked in us.town.engine.asked if asked.verb == "play" and "1400" in asked.detail)

    await world.sleep(65)
    assert beeps() == 4  # two for each of the two
    guard.holds = True
    guard.change(guard.talking[0], guard.describe())
    await world.sleep(61)
    assert beeps() == 4
    await us.end()
    await world.sleep(60)
    assert beeps() == 4


# Codes


async def dialled(us: Line, who: Party, code: str) -> str:
    """What is said to somebody who dials a code during a call."""
    talk = await consult(us, who, code)
    while us.town.engine.playing.keys() - _held(us):
        for call, leg in us.town.engine.playing.keys() - _held(us):
            us.town.engine.finish(call, leg)
        await us.town.world.sleep(0.1)
    said = us.town.spoken()[-1]
    who.leave(talk)
    await us.town.world.sleep(0.2)
    return said


def _broken(call: str, leg: str) -> dict[str, str]:
    """A fault of ours."""
    raise KeyError(leg)


def _held(us: Line) -> set[tuple[str, str]]:
    """Who hears music."""
    return {place for place, source in us.town.engine.playing.items() if "Music" in type(source).__name__}


@scenario()
async def test_a_recording_stops_by_a_code_and_goes_on_by_another(world: World) -> None:
    us = await line(world, "2301", plan=TELLING)
    await us.call(POLICE)
    us.town.finish_playing()
    (guard,) = us.people
    assert await dialled(us, guard, "*38") == "Votre appel n'est plus enregistré."
    assert us.taped(us.citizen, guard) == [[], []]
    assert await dialled(us, guard, "*38") == "Vous n'avez pas d'appel enregistré."
    assert await dialled(us, guard, "#38#") == "Votre appel est enregistré."
    assert us.taped(us.citizen, guard) == [[1], [1]]
    await us.end()
    assert [one for one in us.told() if "stopped" in one] == ["stopped: 2301"]
    assert_golden("recorded-stopped", us.town.ladder)
    assert us.town.recorder.going == {}


@scenario()
async def test_a_page_stops_the_recording_of_its_call_and_lets_it_go_on(world: World) -> None:
    us = await line(world, "2301", plan=TELLING)
    await us.call(POLICE)
    us.town.finish_playing()
    calls = CallApi(us.town.exchange)
    (seen,) = calls.calls("2301")
    assert (seen.recorded, seen.stoppable, seen.service) == ("on", True, "astreinte")
    assert all(party.dialog for party in seen.parties)
    await calls.let_be_recorded("2301", seen.id, on=False)
    assert calls.call(seen.id).recorded == "stopped"
    with pytest.raises(NotPossibleNow):
        await calls.let_be_recorded("2301", seen.id, on=False)
    await calls.let_be_recorded("2301", seen.id, on=True)
    assert calls.call(seen.id).recorded == "on"
    await us.end()


@scenario()
async def test_a_page_does_not_stop_a_recording_that_the_plan_keeps(world: World) -> None:
    us = await line(world, "2201")
    await us.call(FIRE)
    calls = CallApi(us.town.exchange)
    (seen,) = calls.calls("2201")
    assert (seen.recorded, seen.stoppable) == ("on", False)
    with pytest.raises(NotPossibleNow):
        await calls.let_be_recorded("2201", seen.id, on=False)
    await us.end()


@scenario()
async def test_nobody_stops_a_recording_that_the_plan_does_not_let_them_stop(world: World) -> None:
    us = await line(world, "2201")
    await us.call(FIRE)
    (guard,) = us.people
    assert await dialled(us, guard, "*38") == "L'enregistrement de cet appel ne peut pas être arrêté."
    assert us.taped(us.citizen) == [[1]]
    await us.end()


@scenario()
async def test_a_colleague_does_not_stop_the_recording_of_others(world: World) -> None:
    us = await line(world, "2301", "1001", plan=TELLING)
    await us.call(POLICE)
    us.town.finish_playing()
    talk = await dials(us, us.people[1], "*38")
    assert us.taped(us.citizen) == [[1]]
    while us.town.engine.playing:
        us.town.finish_playing()
        await world.sleep(0.1)
    assert us.town.spoken()[-1] == "Vous n'avez pas d'appel enregistré."
    assert talk.over
    await us.end()


# Over a restart


@scenario()
async def test_after_a_restart_a_recording_goes_on_in_its_slot_with_its_tracks(world: World) -> None:
    us = await line(world, "2201", "1001")
    await us.call(FIRE)
    before = us.town.recorder.going[1].recording
    await us.town.restart()
    await world.sleep(1)
    assert us.town.recorder.going[1].recording == before
    assert us.taped(us.citizen, us.people[0]) == [[1], [1]]
    guard, desk = us.people
    guard.refer(guard.talking[0], "sip:1001@valmont.example")
    await world.sleep(4)
    assert us.taped(us.citizen, desk) == [[1], [1]]
    tracks = [one.split(" PCMA")[0] for one in us.town.recorder.tracks(1) if "to " not in one]
    assert "4 1001" in tracks
    await us.end()
    assert us.told()[-1] == "end: hung up"


@scenario()
async def test_a_call_that_rings_at_a_restart_is_gone_and_its_recording_ends(world: World) -> None:
    us = await line(world, "2201")
    us.people[0].answers_after = None
    await us.call(FIRE)
    await us.town.restart()
    assert us.told()[-1] == "end: lost"
    await world.sleep(40)
    us.citizen.talks.clear()
    us.people[0].talks.clear()


@scenario()
async def test_a_stopped_recording_stays_stopped_over_a_restart(world: World) -> None:
    us = await line(world, "2301", plan=TELLING)
    await us.call(POLICE)
    us.town.finish_playing()
    await dialled(us, us.people[0], "*38")
    await us.town.restart()
    await world.sleep(1)
    assert us.taped(us.citizen) == [[]]
    await us.end()


# Bounds


@scenario()
async def test_callers_of_a_recorded_room_are_one_recording_from_the_first_to_the_last(world: World) -> None:
    plan = PLAN_TEXT.replace('"8301", type: room}', '"8301", type: room, record: police}')
    us = await line(world, "1001", "1002", "2010", plan=plan)
    for one in us.people:
        await dials(us, one, "8301")
        us.town.finish_playing()
        await world.sleep(0.1)
    assert us.taped(*us.people) == [[1], [1], [1]]
    assert us.told()[-1] == "conference: 1001, 1002, 2010"
    us.people[0].leave(us.people[0].talking[0])
    await world.sleep(1)
    assert us.taped(*us.people[1:]) == [[1], [1]]
    await us.end()
    assert us.town.recorder.facts.keys() == {1}


@scenario()
async def test_a_third_recording_of_one_voice_is_told_as_a_failure_and_the_others_go_on(world: World) -> None:
    plan = USER_RECORDED.replace(
        "recording:\n", "recording:\n  third: {legal_basis: x, keep: 1 days}\n"
    ).replace("    host: sip.operateur-a.example\n", "    host: sip.operateur-a.example\n    record: third\n")
    us = await line(world, "2201", "1002", plan=plan)
    told = failures(us)
    await us.call(FIRE)
    guard = us.people[0]
    guard.refer(guard.talking[0], "sip:1002@valmont.example")
    await world.sleep(4)
    assert us.taped(us.citizen) == [[1, 2]]
    assert len(us.town.recorder.going) == 3
    assert {event.why for event in told} == {"+33699999999 is one voice too many"}
    await us.end()
    us.town.errors.expect("fails: +33699999999 is one voice too many")


@scenario()
async def test_a_call_back_and_forth_never_runs_out_of_tracks(world: World) -> None:
    us = await line(world, "2201", "1001")
    await us.call(FIRE)
    told = failures(us)
    for number in range(40):
        here, there = us.people if number % 2 == 0 else us.people[::-1]
        here.refer(here.talking[0], f"sip:{there.user}@valmont.example")
        await world.sleep(4)
    assert us.taped(us.citizen, us.people[0]) == [[1], [1]]
    await us.end()
    assert told == []


@scenario()
async def test_of_a_page_who_speaks_is_recorded_and_not_the_many_who_listen(world: World) -> None:
    plan = PLAN_TEXT.replace('"8400", type: page,', '"8400", type: page, record: police,')
    plan = plan.replace('multicast: "239.54.4.1:5004"}', "unicast: true}").replace(
        "members: {site: ecole}", 'members: ["2401", "2010"]'
    )
    us = await line(world, "1001", "2401", "2010", plan=plan)
    caller, *listeners = us.people
    await dials(us, caller, "8400")
    assert us.taped(caller, *listeners) == [[1], [], []]
    assert all(one.talking for one in listeners)
    await us.end()


@scenario()
async def test_what_can_not_be_followed_is_told_and_neither_the_call_nor_others_suffer(
    world: World,
) -> None:
    us = await line(world, "2201", "2301", "1001")
    told = failures(us)
    await us.call(FIRE)
    us.town.engine.leg_codecs = _broken  # type: ignore[method-assign]
    guard = us.people[0]
    guard.refer(guard.talking[0], "sip:1001@valmont.example")
    await world.sleep(4)
    assert us.talk.established
    assert not us.talk.over
    us.people[2].leave(us.people[2].talking[0])
    await world.sleep(1)
    assert [event.why for event in told] == ["it can't be followed: KeyError"]
    us.town.errors.expect("can't be followed")


@scenario()
async def test_a_conversation_that_is_merged_with_another_stays_recorded_with_all_three(
    world: World,
) -> None:
    us = await line(world, "2201", "1001")
    await us.call(FIRE)
    guard, desk = us.people
    await consult(us, guard, "1001")
    here, there = [leg.call.id for leg in us.town.exchange.legs() if leg.number == "2201" and leg.confirmed]
    await CallApi(us.town.exchange).merge("2201", here, there)
    await world.sleep(1)
    if us.town.engine.playing:
        us.town.finish_playing()
    await world.sleep(1)
    assert us.taped(us.citizen, guard, desk) == [[1], [1], [1]]
    assert us.told()[-1] == "conference: 2201, 1001, +33699999999"
    guard.leave(guard.talking[0])
    await world.sleep(1)
    assert us.taped(us.citizen, desk) == [[1], [1]]
    await us.end()
    joined = [call for call in us.town.calls if call.legs[0].reached == "conference"]
    assert [call.to for call in joined] == ["2201, 1001"] * 3  # the citizen is in their own record alone
