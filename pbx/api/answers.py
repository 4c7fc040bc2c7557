"""Answers about calls in progress, for the control socket."""

from __future__ import annotations

from pathlib import Path

from media.engine import Music, Source, Wav
from media.speech import VOICES
from media.tones import FRANCE
from pbx.api.calls import MOST_DIGITS, CallApi, CallNotFound, NotPossibleNow
from pbx.api.views import Done
from pbx.control import (
    CallQuestion,
    CallsNow,
    Gather,
    InCall,
    ListCalls,
    Originate,
    PickUp,
    Play,
    Record,
    Retrieve,
    Say,
    SendOn,
    SoundQuestion,
    StopRecording,
)

LONGEST_GATHER_SECONDS = 25.0  # whoever asks waits for 30
MOST_TEXT = 1000


async def answer_about_calls(api: CallApi, question: CallQuestion) -> CallsNow:
    """Do what was asked on the control socket, and tell the calls of whoever it was about."""
    done, problem, digits, found = Done(), "", "", True
    try:
        if isinstance(question, Gather):
            digits = await _gather(api, question)
        else:
            done = await _carry_out(api, question)
    except (CallNotFound, NotPossibleNow) as error:
        problem, found = str(error), not isinstance(error, CallNotFound)
    who = question.extension if isinstance(question, Originate | Retrieve | PickUp) else question.who
    return CallsNow(api.calls(who), done, problem, digits, found)


async def _carry_out(api: CallApi, question: CallQuestion) -> Done:
    """Raises CallNotFound, NotPossibleNow."""
    match question:
        case ListCalls():
            return Done()
        case Originate(extension, number, by_itself):
            return await api.originate(extension, number, by_itself=by_itself)
        case Retrieve(extension, place):
            return await api.retrieve(extension, place)
        case PickUp(extension, of):
            return await api.pick_up(extension, of)
        case SendOn(who, number, by, call):
            return await api.send_on(who, number, by, call)
        case InCall(verb, who, call, argument):
            return await _in_call(api, verb, who, call, argument)
        case _:
            return await _sound(api, question)


async def _sound(api: CallApi, question: SoundQuestion) -> Done:
    match question:
        case Play(who, call, path, tone):
            return await api.play(who, _source(path, tone), call)
        case Say(who, text, language, call):
            if language not in VOICES or not 0 < len(text) <= MOST_TEXT:
                raise NotPossibleNow(f"a text has 1 to {MOST_TEXT} letters, in {' or '.join(VOICES)}")
            return await api.say(who, text, language, call)
        case Record(who, path, seconds, call):
            return await api.record(who, Path(path), seconds=seconds, call=call)
        case StopRecording(who, call):
            return await api.stop_recording(who, call)
        case Gather():
            return Done()  # answered by `answer_about_calls`


def _source(path: str, tone: str) -> Source:
    if path:
        return Wav(path)
    if tone == "music":
        return Music()
    if tone not in FRANCE:
        raise NotPossibleNow(f"tones are {', '.join(FRANCE)} and music")
    return FRANCE[tone]


async def _gather(api: CallApi, question: Gather) -> str:
    if not 0 < question.most <= MOST_DIGITS or not 0 < question.seconds <= LONGEST_GATHER_SECONDS:
        raise NotPossibleNow(f"ask for 1 to {MOST_DIGITS} keys, within {LONGEST_GATHER_SECONDS:.0f} s")
    return await api.gather(
        question.who, question.most, seconds=question.seconds, end=question.end, call=question.call
    )


async def _in_call(api: CallApi, verb: str, who: str, call: str, argument: str) -> Done:
    match verb:
        case "answer":
            return await api.answer(who, call)
        case "hold":
            return await api.hold(who, call)
        case "resume":
            return await api.resume(who, call)
        case "recording_stop" | "recording_again":
            return await api.let_be_recorded(who, call, on=verb == "recording_again")
        case "mute" | "unmute":
            return await api.mute(who, call, on=verb == "mute")
        case "transfer":
            return await api.transfer(who, argument, call)
        case "join":
            return await api.transfer_to(who, call, argument)
        case "merge":
            return await api.merge(who, call, argument)
        case "park":
            return await api.park(who, argument, call)
        case "hang_up":
            return await api.hang_up(who, call)
        case "digits":
            return await api.send_digits(who, argument, call)
    raise NotPossibleNow(f"there is no {verb[:20]}")
