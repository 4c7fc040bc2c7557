"""Recordings that a person asks for (`start: asked`): nothing before, who may ask, and what all hear."""

from __future__ import annotations

import pytest

from media.engines.passthrough import PassthroughEngine
from pbx.api.calls import CallApi, NotPossibleNow
from pbx.events import RecordingChanged
from tests.scenarios.test_recording_rules import dialled
from tests.scenarios.test_recordings import FIRE, Line, line
from tests.scenarios.town import PLAN_TEXT, SECRETS
from tests.sim.ladder import assert_golden
from tests.sim.world import World, scenario

RECORDING = "recording:\n"
BRUNO = "name: Bruno Petit,  password: pw1002,"
ASKED = PLAN_TEXT.replace(BRUNO, f"{BRUNO} record: notes,").replace(
    RECORDING,
    f"{RECORDING}  notes:\n    legal_basis: consentement\n    keep: 30 days\n    start: asked\n"
    '    announce: {fr: "Cet appel est enregistré.", en: "This call is recorded."}\n',
)
BEEPING = ASKED.replace(
    '    announce: {fr: "Cet appel est enregistré.", en: "This call is recorded."}\n',
    "    beep_seconds: 30\n",
    1,
)
TOLD = "Cet appel est enregistré."


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)


async def talking(world: World, *users: str, plan: str = ASKED) -> Line:
    """The first of these calls 1002, and they talk."""
    us = await line(world, *users, plan=plan)
    us.people[0].dial("1002")
    await world.sleep(1)
    return us


async def ask(us: Line, who: str = "1002", *, on: bool = True) -> None:
    calls = CallApi(us.town.exchange)
    (seen,) = calls.calls(who)
    await calls.let_be_recorded(who, seen.id, on=on)


def beeps(us: Line) -> int:
    return sum(1 for asked in us.town.engine.asked if asked.verb == "play" and "1400" in asked.detail)


@scenario()
async def test_nothing_is_recorded_before_the_person_asks_and_all_is_told_when_they_do(world: World) -> None:
    us = await talking(world, "1001", "1002")
    alice, bruno = us.people
    assert us.taped(alice, bruno) == [[], []]
    assert us.town.recorder.told == []
    changes: list[tuple[str, str]] = []
    us.town.exchange.events.subscribe(
        lambda event: changes.append((event.call, event.state)), RecordingChanged
    )
    (seen,) = CallApi(us.town.exchange).calls("1002")
    assert (seen.recorded, seen.stoppable) == ("", False)
    assert {party.number: party.may_record for party in seen.parties} == {"1001": False, "1002": True}
    await ask(us)
    assert us.taped(alice, bruno) == [[1], [1]]
    await world.sleep(0.1)
    assert us.town.spoken() == [TOLD] * 2
    (seen,) = CallApi(us.town.exchange).calls("1002")
    assert (seen.recorded, seen.stoppable) == ("on", True)
    assert not any(party.may_record for party in seen.parties)
    await ask(us, on=False)
    assert us.taped(alice, bruno) == [[], []]
    await ask(us)
    assert us.town.spoken() == [TOLD] * 2, "it is the same recording, of which they were told"
    assert changes == [(seen.id, "on"), (seen.id, "stopped"), (seen.id, "on")]
    us.town.finish_playing()
    await us.end()
    assert us.told() == [
        "begin notes (1002): 1001 to 1002",
        "talk: 1001, 1002",
        "stopped: 1002",
        "talk: 1001, 1002",
        "end: released",
    ]
    assert us.town.recorder.going == {}


@scenario()
async def test_a_code_begins_a_recording_and_all_are_told_when_they_speak_again(world: World) -> None:
    us = await talking(world, "1001", "1002")
    alice, bruno = us.people
    assert await dialled(us, bruno, "#38#") == "Votre appel est enregistré."
    assert us.taped(alice, bruno) == [[1], [1]]
    assert TOLD not in us.town.spoken()
    bruno.holds = False
    bruno.change(bruno.talking[0], bruno.describe())
    await world.sleep(1)
    assert us.town.spoken()[-2:] == [TOLD] * 2
    us.town.finish_playing()
    assert await dialled(us, bruno, "*38") == "Votre appel n'est plus enregistré."
    assert us.taped(alice, bruno) == [[], []]
    await us.end()
    assert_golden("recorded-asked", us.town.ladder)


@scenario()
async def test_who_has_no_such_right_begins_no_recording(world: World) -> None:
    us = await talking(world, "1001", "1002")
    assert await dialled(us, us.people[0], "#38#") == "Aucun de vos appels n'est à enregistrer."
    with pytest.raises(NotPossibleNow, match="doesn't let this call be recorded"):
        await ask(us, "1001")
    assert us.town.recorder.told == []
    await us.end()


@scenario()
async def test_a_beep_says_at_once_that_it_begins_where_the_plan_has_no_words(world: World) -> None:
    us = await talking(world, "1001", "1002", plan=BEEPING)
    await world.sleep(60)
    assert beeps(us) == 0
    await ask(us)
    await world.sleep(0.1)
    assert beeps(us) == 2
    await world.sleep(35)
    assert beeps(us) == 4
    await us.end()


@scenario()
async def test_it_ends_when_they_hang_up_and_goes_with_them_where_they_are_sent(world: World) -> None:
    us = await talking(world, "1001", "1002", "2010")
    alice, bruno, claire = us.people
    await ask(us)
    await world.sleep(0.1)
    us.town.finish_playing()
    alice.refer(alice.talking[0], "sip:2010@valmont.example")
    await world.sleep(4)
    assert us.taped(bruno, claire) == [[1], [1]]
    bruno.refer(bruno.talking[0], "sip:1001@valmont.example")
    await world.sleep(4)
    assert us.taped(alice, claire) == [[], []]
    assert us.told()[-1].startswith("end: ")
    await us.end()


@scenario()
async def test_a_call_that_is_recorded_already_is_not_for_them_to_begin_or_stop(world: World) -> None:
    us = await line(world, "2201", plan=ASKED.replace("name: Garde 1,   ", "name: Garde 1, record: notes,"))
    await us.call(FIRE)
    (seen,) = CallApi(us.town.exchange).calls("2201")
    assert (seen.recorded, seen.stoppable) == ("on", False)
    assert not any(party.may_record for party in seen.parties)
    with pytest.raises(NotPossibleNow, match="recorded already"):
        await ask(us, "2201")
    with pytest.raises(NotPossibleNow, match="doesn't let this recording be stopped"):
        await ask(us, "2201", on=False)
    await us.end()
    assert us.town.recorder.facts.keys() == {1}


@scenario()
async def test_nobody_begins_a_recording_of_a_call_for_help(world: World) -> None:
    us = await line(world, "1002", plan=ASKED)
    us.people[0].dial("17")
    await world.sleep(1)
    with pytest.raises(NotPossibleNow):
        await ask(us)
    assert us.town.recorder.told == []
    await us.end()


@scenario()
async def test_without_a_recorder_who_asks_is_told_so(world: World) -> None:
    us = await talking(world, "1001", "1002")
    us.town.recorder.is_well = False
    with pytest.raises(NotPossibleNow, match="can't be recorded at the moment"):
        await ask(us)
    assert await dialled(us, us.people[1], "#38#") == "Votre appel ne peut pas être enregistré en ce moment."
    assert us.town.recorder.told == []
    await us.end()


@scenario()
async def test_a_recording_that_was_asked_for_goes_on_over_a_restart(world: World) -> None:
    us = await talking(world, "1001", "1002")
    await ask(us)
    await world.sleep(0.1)
    us.town.finish_playing()
    await us.town.restart()
    await world.sleep(1)
    assert us.taped(*us.people) == [[1], [1]]
    assert us.town.spoken() == [], "they were told before"
    await us.end()
    assert us.told()[-1] == "end: released"


@scenario()
async def test_the_sound_of_who_may_ask_passes_through_us_whoever_of_the_two_calls(world: World) -> None:
    plan = ASKED.replace(
        "    networks: [10.54.2.0/24]", "    direct_media: true\n    networks: [10.54.2.0/24]"
    )
    plan = plan.replace("name: Garde 1,   ", "name: Garde 1, record: notes,")
    us = await line(world, "2201", "2202", plan=plan)
    one, other = us.people
    for caller, callee in ((one, other), (other, one)):
        caller.dial(callee.user)
        await world.sleep(1)
        assert not any(isinstance(leg.call.engine, PassthroughEngine) for leg in us.town.exchange.legs())
        await us.end()
