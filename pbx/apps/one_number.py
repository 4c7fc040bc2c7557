"""One number for desk, application, browser and mobile: telephones ring as a person's `ring:` says.

    call for 1001 ──┬── all devices, or those of a turn: from `after`, for `seconds`
                    └── the mobile, over a trunk: "press 1"

Each turn is a call of its own (pbx.calls.hunt); who takes it has it, and the others are told that it was
answered elsewhere. The mobile has answered once a key is pressed: its operator's voicemail never does that. A
turn begins early where nobody rings any more. In the end the call goes where the person's forwards lead.
"""

from __future__ import annotations

import logging

from dialplan.decision import Reject, ToPerson
from dialplan.plan import Person, RingTurn
from dialplan.ringing import ALL_DEVICES, MOBILE, turns_of
from pbx.apps.dial import DECLINED, ENGAGED, RANG_OUT, UNREACHED, Vain, send_on
from pbx.calls.call import Call
from pbx.calls.hunt import Hunt
from pbx.calls.transferee import Transferee

log = logging.getLogger(__name__)


async def one_number(call: Call, extension: str) -> None:
    """Ring a person's telephones, turn by turn, until one takes the call (LegEnded); then it is sent on."""
    call.to = extension
    person = call.plan.people[extension]
    vain = ENGAGED
    if call.exchange.router.ring_seconds(call, extension):
        vain = await _take_turns(call, person)
    await send_on(call, extension, vain)


async def _take_turns(call: Call, person: Person) -> Vain:
    """Ring by turns; returns why nobody took the call."""
    hunt, driver = Hunt(call, call.next_happening), call.exchange.driver
    began = driver.now
    conditions = call.exchange.conditions.at(call.started_at)
    waiting = sorted(turns_of(person, conditions), key=lambda turn: turn.after_seconds)
    ringing: list[tuple[float, list[Transferee]]] = []  # until when
    while waiting or ringing:
        elapsed = driver.now - began
        for until, those in [turn for turn in ringing if turn[0] <= elapsed]:
            ringing.remove((until, those))
            for one in those:
                hunt.stop(one)
        if waiting and (waiting[0].after_seconds <= elapsed or not hunt.rings):
            turn = waiting.pop(0)
            began = min(began, driver.now - turn.after_seconds)  # it begins early
            ringing.append((turn.after_seconds + turn.seconds, _ring(call, hunt, person, turn)))
            continue
        if not hunt.rings and not waiting:
            break
        following = min([until for until, _ in ringing] + [turn.after_seconds for turn in waiting[:1]])
        await hunt.wait(following - elapsed, rings_on=True)
    return _vain(hunt.causes)


def _ring(call: Call, hunt: Hunt, person: Person, turn: RingTurn) -> list[Transferee]:
    """Let the telephones of a turn ring, each kind in a call of its own."""
    ringing = []
    devices = tuple(name for name in turn.devices if name != MOBILE)
    if devices:
        decision = call.decision._replace(target=ToPerson(person.extension, person.name))
        ringing.append(hunt.ring(decision, only=() if ALL_DEVICES in devices else devices))
    if MOBILE in turn.devices and call.from_number != person.mobile:  # no telephone rings itself
        decision = call.exchange.router.decide_mobile(call, person.extension)
        if isinstance(decision.target, Reject):
            log.info("call=%s mobile of=%s can't ring: %s", call.id, person.extension, decision.target.reason)
        else:
            ringing.append(hunt.ring(decision, confirms=person.name))
    return ringing


def _vain(causes: list[str]) -> Vain:
    """Why nobody took the call, of all that was said: busy and declined say more than silence."""
    for vain in (ENGAGED, DECLINED):
        if vain.cause in causes:
            return vain
    return UNREACHED if causes and set(causes) <= {UNREACHED.cause, "no trunk"} else RANG_OUT
