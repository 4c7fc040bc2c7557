"""Answers about calls in progress, for the control socket."""

from __future__ import annotations

from pbx.api.calls import CallApi, CallNotFound, NotPossibleNow
from pbx.api.views import Done
from pbx.control import CallQuestion, CallsNow, InCall, ListCalls, Originate, PickUp, Retrieve, SendOn


async def answer_about_calls(api: CallApi, question: CallQuestion) -> CallsNow:
    """Do what was asked on the control socket, and tell the calls of whoever it was about."""
    done, problem = Done(), ""
    try:
        done = await _carry_out(api, question)
    except (CallNotFound, NotPossibleNow) as error:
        problem = str(error)
    who = question.who if isinstance(question, ListCalls | InCall | SendOn) else question.extension
    return CallsNow(api.calls(who), done, problem)


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


async def _in_call(api: CallApi, verb: str, who: str, call: str, argument: str) -> Done:
    match verb:
        case "answer":
            return await api.answer(who, call)
        case "hold":
            return await api.hold(who, call)
        case "resume":
            return await api.resume(who, call)
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
