"""The call API (pbx.api.calls): what pages and commands ask of calls; the telephones know nothing of it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from media import tones
from media.engine import Music
from pbx.api.answers import answer_about_calls
from pbx.api.calls import CallApi, CallNotFound, NotPossibleNow
from pbx.calls.broker import SILENCE
from pbx.control import (
    CallQuestion,
    Gather,
    InCall,
    ListCalls,
    Play,
    Record,
    Retrieve,
    Say,
    StopRecording,
)
from tests.scenarios.offers import assert_speak, connected, operator_party, party
from tests.scenarios.party import Party, Talk
from tests.scenarios.town import ADDRESSES, SECRETS, Town, start
from tests.sim.ladder import assert_golden
from tests.sim.wire import Message
from tests.sim.world import World, scenario


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)


class Yealink(Party):
    """A telephone that holds, resumes and answers when a NOTIFY asks it to."""

    def _asked(self, request: Message) -> None:
        talk = self.talks.get(request.call_id)
        if request.method != "NOTIFY" or talk is None:
            super()._asked(request)
            return
        self.reply(request, 200)
        event = request.all("Event")[0]
        if not talk.established:
            self.pick_up(talk)
        else:
            self.holds = event == "hold"
            self.change(talk, self.describe())


async def yealink(town: Town, user: str) -> Yealink:
    """One that has registered."""
    phone = Yealink(town.world.host(user, ADDRESSES[user]), user=user, password=f"pw{user}")
    phone.headers["User-Agent"] = "Yealink SIP-T46S 66.86.0.15"
    town.world.watch(user, phone)
    town.world.closing.push_async_callback(phone.close)
    await phone.register()
    phone.automatic = True
    return phone


async def talking(world: World, *others: str) -> tuple[Town, CallApi, list[Party], Talk]:
    """1001 has called 1002, and they talk; the others have registered."""
    town = await start(world)
    parties = [await party(town, user) for user in ("1001", "1002", *others)]
    alices, _ = await connected(town, parties[0], parties[1])
    town.ladder.clear()
    return town, CallApi(town.exchange), parties, alices


async def end(town: Town, *parties: Party) -> None:
    """Everybody hangs up."""
    for one in parties:
        for talk in one.talking:
            one.leave(talk)
        await town.world.sleep(0.3)


def states(api: CallApi) -> dict[str, str]:
    """Everybody's state, by number."""
    return {one.number: one.state for call in api.calls() for one in call.parties}


# Beginning


@scenario()
async def test_originate_rings_the_person_and_then_the_number(world: World) -> None:
    town = await start(world)
    alice, bruno = [await party(town, user) for user in ("1001", "1002")]
    town.ladder.clear()
    town.ladder.order("1001", "Beffroi", "1002")
    api = CallApi(town.exchange)
    bruno.answers_after = 2.0
    placed = await api.originate("1001", "1002")
    await world.sleep(1)
    (ringing,) = alice.talking
    assert ringing.invite.all("From")[0].startswith('"Bruno Petit" <sip:1002@')
    assert tones.RINGBACK in town.engine.playing.values()
    await world.sleep(2)
    assert_speak(town, alice, bruno)
    await end(town, alice)
    assert_golden("originated", town.ladder)
    first, call = town.calls
    assert first.id == placed.call
    assert [leg.reached for leg in first.legs] == ["originated"]
    assert call.parents == (first.id,)
    assert (call.from_, call.dialled, call.cause) == ("1001", "1002", "completed")


@scenario()
async def test_originate_rings_all_telephones_and_the_first_to_answer_goes_on(world: World) -> None:
    town = await start(world)
    desk, app, bruno = [await party(town, user) for user in ("1001", "1001-app", "1002")]
    desk.answers_after = None
    await CallApi(town.exchange).originate("1001", "1002")
    await world.sleep(3)
    assert_speak(town, app, bruno)
    assert all(talk.over for talk in desk.talks.values())
    await end(town, app)


@scenario()
async def test_originate_goes_outside_with_the_number_and_rights_of_the_person(world: World) -> None:
    town = await start(world)
    alice, operator = await party(town, "1001"), operator_party(town, "operateur-b")
    api = CallApi(town.exchange)
    await api.originate("1001", "00612345678")
    await world.sleep(3)
    assert_speak(town, alice, operator)
    await end(town, alice)
    assert town.calls[-1].to == "+33612345678"
    assert town.calls[-1].from_ == "1001"


@scenario()
async def test_a_number_that_a_person_may_not_call_rings_nobody(world: World) -> None:
    town = await start(world)
    await party(town, "1001")
    town.ladder.clear()
    api = CallApi(town.exchange)
    with pytest.raises(NotPossibleNow, match="This number does not exist"):
        await api.originate("1001", "4999")
    with pytest.raises(NotPossibleNow, match="1002 has no telephone here"):
        await api.originate("1002", "1001")
    with pytest.raises(NotPossibleNow, match="there is no 4711"):
        await api.originate("4711", "1001")
    await world.sleep(1)
    assert town.calls == []


@scenario()
async def test_originate_that_nobody_answers_there_is_told_to_the_person(world: World) -> None:
    town = await start(world)
    alice, bruno = [await party(town, user) for user in ("1001", "1002")]
    bruno.final = 486
    await CallApi(town.exchange).originate("1001", "1002")
    await world.sleep(2)
    assert "Votre appel n'a pas abouti." in town.spoken()
    town.finish_playing()
    await world.sleep(1)
    assert alice.talking == []


@scenario()
async def test_originate_ends_when_the_person_does_not_answer(world: World) -> None:
    town = await start(world)
    alice, _ = [await party(town, user) for user in ("1001", "1002")]
    alice.answers_after = None
    await CallApi(town.exchange).originate("1001", "1002")
    await world.sleep(32)
    assert [call.cause for call in town.calls] == ["no answer"]


@scenario()
async def test_a_person_picks_up_by_the_api_what_rings_in_their_group(world: World) -> None:
    town = await start(world)
    caller, rings, near = [await party(town, user) for user in ("2301", "1002", "1001")]
    rings.answers_after = None
    caller.dial("1002")
    await world.sleep(1)
    town.ladder.clear()
    town.ladder.order("2301", "1002", "Beffroi", "1001")
    await CallApi(town.exchange).pick_up("1001", "1002")
    await world.sleep(2)
    assert_speak(town, caller, near)
    await end(town, caller)
    assert_golden("picked-up-by-api", town.ladder)
    taken = next(call for call in town.calls if call.dialled == "1002" and call.from_ == "2301")
    assert [(leg.reached, leg.via) for leg in taken.legs if leg.answered] == [
        ("calls", ""),
        ("pick-up", "1002"),
    ]


@scenario()
async def test_who_comes_too_late_to_pick_up_is_told_so(world: World) -> None:
    town = await start(world)
    caller, rings, near = [await party(town, user) for user in ("2301", "1002", "1001")]
    rings.answers_after, near.answers_after = None, 2.0
    talk = caller.dial("1002")
    await world.sleep(0.5)
    await CallApi(town.exchange).pick_up("1001", "1002")
    await world.sleep(1)
    caller.leave(talk)
    await world.sleep(2)
    assert town.spoken() == ["Votre appel n'a pas abouti."]
    town.finish_playing()
    await world.sleep(1)
    assert near.talking == []


# In a call


@scenario()
async def test_hold_by_us_gives_the_other_party_music_and_resume_ends_it(world: World) -> None:
    town, api, (alice, bruno), _ = await talking(world)
    await api.hold("1001")
    assert set(town.engine.playing.values()) == {Music(), SILENCE}
    assert states(api) == {"1001": "holds", "1002": "held"}
    await world.sleep(2)
    await api.resume("1001")
    assert town.engine.playing == {}
    assert states(api) == {"1001": "talks", "1002": "talks"}
    assert_golden("held-by-api", town.ladder)
    await end(town, alice, bruno)
    assert [one.kind for one in town.calls[0].intervals] == ["talk", "held", "talk"]


@scenario()
async def test_a_telephone_that_takes_events_is_asked_to_hold_and_to_resume(world: World) -> None:
    town = await start(world)
    alice, bruno = await yealink(town, "1001"), await party(town, "1002")
    await connected(town, alice, bruno)
    town.ladder.clear()
    api = CallApi(town.exchange)
    await api.hold("1001")
    await world.sleep(1)
    assert alice.holds
    assert list(town.engine.playing.values()) == [Music()]
    assert states(api) == {"1001": "holds", "1002": "held"}
    await api.resume("1001")
    await world.sleep(1)
    assert town.engine.playing == {}
    assert_golden("held-by-event", town.ladder)
    await end(town, alice)


@scenario()
async def test_a_telephone_that_takes_events_answers_when_it_is_asked_to(world: World) -> None:
    town = await start(world)
    alice, bruno = await yealink(town, "1001"), await party(town, "1002")
    alice.answers_after = None
    bruno.dial("1001")
    await world.sleep(1)
    town.ladder.clear()
    api = CallApi(town.exchange)
    assert states(api) == {"1002": "calls", "1001": "rings"}
    await api.answer("1001")
    await world.sleep(0.5)
    assert_speak(town, bruno, alice)
    assert_golden("answered-by-event", town.ladder)
    await end(town, bruno)


@scenario()
async def test_any_other_telephone_cannot_be_answered_from_here(world: World) -> None:
    town = await start(world)
    alice, bruno = [await party(town, user) for user in ("1001", "1002")]
    bruno.answers_after = None
    talk = alice.dial("1002")
    await world.sleep(1)
    with pytest.raises(NotPossibleNow, match="its own keys"):
        await CallApi(town.exchange).answer("1002")
    alice.leave(talk)
    await world.sleep(0.5)


@scenario()
async def test_what_is_held_by_us_stays_held_after_a_restart(world: World) -> None:
    town, api, (alice, bruno), _ = await talking(world)
    await api.hold("1001")
    await town.restart()
    await world.sleep(0)
    api = CallApi(town.exchange)
    assert states(api) == {"1001": "holds", "1002": "held"}
    (call,) = api.calls()
    assert town.engine.playing == {(call.id, "a"): SILENCE, (call.id, "b1"): Music()}
    await api.resume("1001")
    assert states(api) == {"1001": "talks", "1002": "talks"}
    await end(town, alice, bruno)


@scenario()
async def test_nobody_hears_a_party_that_is_muted(world: World) -> None:
    town, api, (alice, bruno), _ = await talking(world)
    await api.mute("1001")
    (call,) = api.calls()
    assert {one.number: one.muted for one in call.parties} == {"1001": True, "1002": False}
    assert town.engine.playing == {(call.id, "b1"): SILENCE}
    await api.mute("1001", on=False)
    assert town.engine.playing == {}
    await end(town, alice, bruno)


@scenario()
async def test_an_emergency_call_is_neither_held_nor_muted_from_outside(world: World) -> None:
    town = await start(world)
    alice, _ = await party(town, "2010"), operator_party(town, "operateur-a")
    alice.dial("112")
    await world.sleep(1)
    api = CallApi(town.exchange)
    with pytest.raises(NotPossibleNow, match="emergency call"):
        await api.hold("2010")
    with pytest.raises(NotPossibleNow, match="emergency call"):
        await api.mute("2010")
    assert town.engine.playing == {}
    await end(town, alice)


@scenario()
async def test_a_transfer_by_the_api_sends_the_other_party_on(world: World) -> None:
    town, api, (alice, bruno, chloe), _ = await talking(world, "2010")
    town.ladder.order("1002", "1001", "Beffroi", "2010")
    done = await api.transfer("1001", "2010")
    assert done.state == "rings"
    await world.sleep(3)
    assert alice.talking == []
    assert_speak(town, bruno, chloe)
    await end(town, bruno)
    assert_golden("transferred-by-api", town.ladder)


@scenario()
async def test_a_transfer_that_may_not_be_changes_nothing(world: World) -> None:
    town, api, (alice, bruno), _ = await talking(world)
    with pytest.raises(NotPossibleNow, match="there is no such number"):
        await api.transfer("1001", "4999")
    assert_speak(town, alice, bruno)
    await end(town, alice)


@scenario()
async def test_two_calls_of_somebody_become_one_of_the_others(world: World) -> None:
    town, api, (alice, bruno, chloe), _ = await talking(world, "2010")
    (first,) = api.calls()
    await api.hold("1001")
    alice.dial("2010")
    await world.sleep(1)
    (second,) = [call for call in api.calls() if call.id != first.id]
    with pytest.raises(NotPossibleNow, match="1001 is in 2 calls: say which"):
        await api.hold("1001")
    await api.transfer_to("1001", first.id, second.id)
    await world.sleep(3)
    assert alice.talking == []
    assert_speak(town, bruno, chloe)
    await end(town, bruno)


@scenario()
async def test_a_party_is_parked_at_the_first_free_place_and_retrieved(world: World) -> None:
    town, api, (alice, bruno, chloe), _ = await talking(world, "2010")
    parked = await api.park("1001")
    assert parked.place == "700"
    await world.sleep(3)
    assert alice.talking == []
    assert states(api) == {"1002": "waits"}
    await api.retrieve("2010", "700")
    await world.sleep(2)
    assert_speak(town, bruno, chloe)
    with pytest.raises(NotPossibleNow, match="nobody waits at 700"):
        await api.retrieve("1001", "700")
    with pytest.raises(NotPossibleNow, match="12 is no parking place"):
        await api.park("2010", "12")
    await end(town, bruno)


@scenario()
async def test_hanging_up_ends_the_call_for_both(world: World) -> None:
    town, api, (alice, bruno), _ = await talking(world)
    await api.hang_up("1002")
    await world.sleep(1)
    assert alice.talking == bruno.talking == []
    assert [(leg.number, leg.cause) for leg in town.calls[0].legs] == [
        ("1001", "released"),
        ("1002", "hung up"),
    ]


@scenario()
async def test_hanging_up_a_telephone_that_rings_declines_the_call(world: World) -> None:
    town = await start(world)
    alice, bruno = [await party(town, user) for user in ("1001", "1002")]
    bruno.answers_after = None
    talk = alice.dial("1002")
    await world.sleep(1)
    await CallApi(town.exchange).hang_up("1002")
    await world.sleep(1)
    assert talk.over
    assert town.calls[0].cause == "declined"


@scenario()
async def test_digits_go_to_the_other_party(world: World) -> None:
    town, api, (alice, bruno), _ = await talking(world)
    await api.send_digits("1001", "12#")
    assert [(asked.leg, asked.detail) for asked in town.engine.asked if asked.verb == "dtmf"] == [
        ("b1", "12#")
    ]
    with pytest.raises(NotPossibleNow, match="keys are"):
        await api.send_digits("1001", "x")
    await end(town, alice, bruno)


@scenario()
async def test_keys_are_gathered_from_a_party(world: World) -> None:
    town, api, (alice, bruno), _ = await talking(world)
    (call,) = api.calls()
    await api.say("1001", "Your code, please.", "en")
    assert town.spoken() == ["Your code, please."]
    gathered = asyncio.get_running_loop().create_task(api.gather("1001", 4, seconds=10))
    await world.sleep(1)
    town.engine.press(call.id, "a", "12#")
    assert await gathered == "12"
    assert await api.gather("1001", 4, seconds=3) == ""
    town.engine.finish(call.id, "a")
    await end(town, alice, bruno)


@scenario()
async def test_what_a_party_says_is_written_into_a_file(world: World, tmp_path: Path) -> None:
    town, api, (alice, bruno), _ = await talking(world)
    (call,) = api.calls()
    file = tmp_path / "said.wav"
    await api.record("1002", file, seconds=60)
    assert [(one.call, one.leg) for one in town.engine.asked if one.verb == "record"] == [(call.id, "b1")]
    await api.stop_recording("1002")
    await world.sleep(0.1)
    assert file.read_bytes()[:4] == b"RIFF"
    with pytest.raises(NotPossibleNow, match="from the root"):
        await api.record("1002", Path("said.wav"), seconds=60)
    await end(town, alice, bruno)


@scenario()
async def test_who_is_in_no_call_is_said_so(world: World) -> None:
    town, api, (alice, bruno), _ = await talking(world)
    with pytest.raises(CallNotFound, match="2010 is in no call"):
        await api.hold("2010")
    with pytest.raises(CallNotFound, match="no call 4711"):
        api.call("4711")
    (call,) = api.calls("1002")
    assert api.call(call.id) == call
    assert api.is_in("1002", call.id)
    assert not api.is_in("2010", call.id)
    assert api.calls("2010") == []
    await end(town, alice, bruno)


@scenario()
async def test_a_call_with_a_service_is_not_held(world: World) -> None:
    town = await start(world)
    alice = await party(town, "1001")
    alice.dial("8301")
    await world.sleep(1)
    with pytest.raises(NotPossibleNow, match="not while 1001 is in a conference"):
        await CallApi(town.exchange).hold("1001")
    await end(town, alice)


@scenario()
async def test_what_happens_to_calls_is_told(world: World) -> None:
    town = await start(world)
    alice, bruno = [await party(town, user) for user in ("1001", "1002")]
    feed = CallApi(town.exchange).events()
    await connected(town, alice, bruno)
    await end(town, alice)
    feed.close()
    told = [type(event).__name__ async for event in feed]
    assert told[0] == "CallStarted"
    assert told[-1] == "CallEnded"
    assert told.count("CallAnswered") == 2


# On the control socket


@scenario()
async def test_each_verb_of_the_control_socket_does_what_the_api_does(world: World) -> None:
    town, api, (alice, bruno, chloe), _ = await talking(world, "2010")

    async def asked(verb: str, argument: str = "") -> str:
        answer = await answer_about_calls(api, InCall(verb, "1001", "", argument))
        return answer.problem or ", ".join(one.state for call in answer.calls for one in call.parties)

    assert await asked("hold") == "holds, held"
    assert await asked("resume") == "talks, talks"
    assert await asked("mute") == await asked("unmute") == "talks, talks"
    assert await asked("digits", "5") == "talks, talks"
    assert await asked("digits", "") == "keys are 0 to 9, *, #, A to D, and at most 64 of them"
    assert await asked("answer") == "not while 1001 talks"
    assert await asked("sing") == "there is no sing"
    assert await asked("park") == "waits"
    await world.sleep(3)
    assert (await answer_about_calls(api, Retrieve("2010", "700"))).problem == ""
    await world.sleep(2)
    assert (await answer_about_calls(api, InCall("transfer", "2010", "", "1001"))).done.state == "rings"
    await world.sleep(3)
    assert_speak(town, bruno, alice)
    assert await asked("hang_up") == ""
    await world.sleep(1)
    assert (await answer_about_calls(api, ListCalls())).calls == []
    await end(town, chloe)


@scenario()
async def test_sound_is_asked_for_over_the_control_socket_too(world: World, tmp_path: Path) -> None:
    town, api, (alice, bruno), _ = await talking(world)
    (call,) = api.calls()
    assert (await answer_about_calls(api, Say("1001", "Your code, please.", "en"))).problem == ""
    assert town.spoken() == ["Your code, please."]
    gathering = answer_about_calls(api, Gather("1001", 4, 10.0))
    gathered = asyncio.get_running_loop().create_task(gathering)
    await world.sleep(1)
    town.engine.press(call.id, "a", "12#")
    assert (await gathered).digits == "12"
    town.engine.finish(call.id, "a")
    file = tmp_path / "said.wav"
    assert (await answer_about_calls(api, Record("1002", str(file), 60.0))).problem == ""
    assert (await answer_about_calls(api, StopRecording("1002"))).problem == ""
    await world.sleep(0.1)
    assert file.read_bytes()[:4] == b"RIFF"
    assert (await answer_about_calls(api, Play("1001", tone="music"))).problem == ""
    assert (await answer_about_calls(api, Play("1001", path=str(file)))).problem == ""
    await end(town, alice, bruno)


@scenario()
async def test_what_makes_no_sound_is_refused_over_the_control_socket(world: World) -> None:
    town, api, (alice, bruno), _ = await talking(world)

    async def refused(question: CallQuestion) -> str:
        return (await answer_about_calls(api, question)).problem

    assert "tones are" in await refused(Play("1001", tone="birds"))
    assert "in fr or en" in await refused(Say("1001", "", "fr"))
    assert "in fr or en" in await refused(Say("1001", "Hallo", "de"))
    assert "within 25 s" in await refused(Gather("1001", 4, 3600.0))
    assert "from the root" in await refused(Record("1001", "said.wav", 10.0))
    gone = await answer_about_calls(api, StopRecording("2010"))
    assert (gone.found, gone.problem) == (False, "2010 is in no call")
    await end(town, alice, bruno)


# Three, and those who wait


@scenario()
async def test_two_calls_of_somebody_become_one_of_three(world: World) -> None:
    town, api, (alice, bruno, chloe), first = await talking(world, "2010")
    town.ladder.order("1002", "1001", "Beffroi", "2010")
    (one,) = api.calls()
    alice.holds = True
    alice.change(first, alice.describe())
    await world.sleep(0.5)
    alice.holds = False
    alice.dial("2010")
    await world.sleep(1)
    (other,) = [call for call in api.calls() if call.id != one.id]
    town.ladder.clear()
    await api.merge("1001", one.id, other.id)
    await world.sleep(1)
    assert_golden("merged-by-api", town.ladder)
    town.finish_playing()
    await world.sleep(0.1)
    assert [len(phone.talking) for phone in (alice, bruno, chloe)] == [1, 1, 1]
    assert first.over  # the one that she held
    rooms = {room_of(town, call.id) for call in api.calls()}
    assert len(rooms) == 1
    assert "" not in rooms
    assert set(states(api).values()) == {"confers"}
    together = {call.from_name: sorted(call.conference) for call in api.calls()}
    everybody = set(together)
    assert len(everybody) == 3
    assert together == {name: sorted(everybody - {name}) for name in everybody}
    alice.leave(alice.talking[0])
    await world.sleep(1)
    assert [len(call.conference) for call in api.calls()] == [1, 1]
    assert [len(phone.talking) for phone in (alice, bruno, chloe)] == [0, 1, 1]
    bruno.leave(bruno.talking[0])
    await world.sleep(1)
    town.finish_playing()
    await world.sleep(1)
    assert chloe.talking == []
    assert town.exchange.rooms == {}
    ended = {call.id: call for call in town.calls}
    assert [ended[call].cause for call in (one.id, other.id)] == ["merged", "merged"]
    assert sorted(call.parents for call in town.calls if call.parents) == sorted(
        [(one.id,), (other.id,), (other.id,)]
    )


def room_of(town: Town, call: str) -> str:
    """Where the only party of a call is."""
    found = town.engine.room_of(call, "a")
    return found.room if found is not None else ""


@scenario()
async def test_calls_of_which_one_only_rings_are_not_merged(world: World) -> None:
    town, api, (alice, bruno, chloe), _ = await talking(world, "2010")
    (one,) = api.calls()
    chloe.answers_after = None
    ringing = alice.dial("2010")
    await world.sleep(1)
    (other,) = [call for call in api.calls() if call.id != one.id]
    with pytest.raises(NotPossibleNow, match="not while 1001 calls"):
        await api.merge("1001", one.id, other.id)
    with pytest.raises(NotPossibleNow, match="these are one call"):
        await api.merge("1001", one.id, one.id)
    alice.leave(ringing)
    await world.sleep(0.5)
    assert_speak(town, alice, bruno)
    await end(town, alice)


@scenario()
async def test_who_waits_is_sent_on_by_the_rights_of_somebody(world: World) -> None:
    town, api, (alice, bruno, chloe), _ = await talking(world, "2010")
    await api.park("1001")
    await world.sleep(3)
    with pytest.raises(NotPossibleNow, match="This number does not exist"):
        await api.send_on("1002", "4999", "1001")
    await api.send_on("1002", "2010", "1001")
    await world.sleep(1)
    assert_speak(town, bruno, chloe)
    with pytest.raises(NotPossibleNow, match="not while 1002 talks"):
        await api.send_on("1002", "1001", "1001")
    await end(town, bruno, alice)


@scenario()
async def test_who_is_in_a_conference_is_sent_nowhere(world: World) -> None:
    town = await start(world)
    alice, chloe = [await party(town, user) for user in ("1001", "2010")]
    alice.dial("8301")
    await world.sleep(1)
    town.finish_playing()
    await world.sleep(0.5)
    with pytest.raises(NotPossibleNow, match="leaves it before"):
        await CallApi(town.exchange).send_on("1001", "2010", "2010")
    await end(town, alice, chloe)


@scenario()
async def test_who_is_sent_on_to_nobody_waits_on(world: World) -> None:
    town, api, (alice, bruno, chloe), _ = await talking(world, "2010")
    await api.park("1001")
    await world.sleep(3)
    chloe.final = 486
    with pytest.raises(NotPossibleNow, match="busy"):
        await api.send_on("1002", "2010", "1001")
    assert states(api) == {"1002": "waits"}
    await end(town, bruno, alice)
