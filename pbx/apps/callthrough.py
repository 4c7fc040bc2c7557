"""Call-through and call-back: one's own extension from a mobile.

    mobile ── call ──> the number it shows is a person's ──> PIN ──> number ──> called as that person: with
                                                                                their rights, number, budgets
    `call_back: true`:  the call is refused, at no cost, and the mobile is rung: then PIN, number, as above

A number that is shown proves nothing: anybody can show it. So the PIN is asked always, and what is entered
wrong under a number that was shown is counted apart. Once that is spent, the mobile is called back instead,
since a number that we call is the true one: whoever shows somebody else's number locks nobody out, and hears
nothing more. How often a mobile is called back is limited as well.
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial

from dialplan.decision import Facts, Reject, ToFeature
from dialplan.plan import Destination, Person, Service
from pbx.apps.announce import announce
from pbx.apps.asking_pin import check_pin
from pbx.apps.confirmation import refuse
from pbx.calls.attendant import Attendant
from pbx.calls.call import Call
from pbx.calls.calling_out import call_out
from pbx.calls.happenings import LegEnded, TimeUp
from pbx.calls.reasons import said
from pbx.people.settings import SettingRefused
from sip.core.reason import Reason

MOST_NUMBERS = 5  # of one call
MOST_DIGITS = 24
KEYS_SECONDS = 10.0
PAUSE_SECONDS = 4.0  # until a mobile that was refused can ring
TAKE_CALL = "take_call"

_STRANGER = {
    "fr": "Ce service est réservé aux téléphones mobiles des agents.",
    "en": "This service is for the mobile telephones of our people.",
}
_CALLED_BACK = {"fr": "Nous vous rappelons.", "en": "We are calling you back."}
_NUMBER = {"fr": "Composez votre numéro, puis dièse.", "en": "Dial your number, then the hash key."}
_NOT_HERE = {
    "fr": "Ce code ne peut pas être composé d'ici.",
    "en": "This code can't be dialled from here.",
}
_NOT_ALLOWED = Reason("Q.850", 57, "Bearer capability not authorized")
_LATER = Reason("Q.850", 31, "Normal, unspecified")


async def callthrough(call: Call, service: Service) -> None:
    """Let a known mobile call as its person."""
    person = call.plan.tables.mobiles.get(call.decision.caller_id or "")
    if person is None or call.caller.device not in call.plan.trunks:
        await announce(call, _STRANGER, status=403, cause="rejected: caller", reason=_NOT_ALLOWED)
        return
    guessed = f"callthrough {person.extension}"
    if service.settings.get("call_back") or call.exchange.pins.is_locked(guessed):
        await _call_back(call, service, person)
        return
    attendant = Attendant(call)
    await attendant.answer()
    await _let_in(attendant, person, guessed)


async def _call_back(call: Call, service: Service, person: Person) -> None:
    """Refuse the call and ring the mobile, so often and no more: somebody else may show its number."""
    exchange = call.exchange
    assert person.mobile is not None
    mobile = Destination("outside", person.mobile, service.line, service.column)
    decision = exchange.router.decide_onward(call, mobile, f"call back of {service.name}")
    call.facts = _facts(call, person)
    with suppress(LegEnded):  # who hangs up at these words is called back too
        await announce(call, _CALLED_BACK, status=480, cause="called back", reason=_LATER)
    if not exchange.call_backs.allows(person.extension, exchange.driver.now):
        call.cause = "called back too often"
        return
    until = exchange.driver.now + PAUSE_SECONDS
    with suppress(LegEnded):
        while not isinstance(await call.next_happening(until - exchange.driver.now), TimeUp):
            pass
    if isinstance(decision.target, Reject):
        call.cause = f"rejected: {decision.target.reason}"
        return
    call.payer = _payer(call, person)
    call_out(call, decision, partial(_speak, person=person), lambda _: None)


async def _speak(call: Call, person: Person) -> None:
    """The mobile has answered our call."""
    attendant = Attendant(call)
    attendant.go_on()
    await _let_in(attendant, person, f"callback {person.extension}")


async def _let_in(attendant: Attendant, person: Person, guessed: str) -> None:
    """Ask the PIN, and then for numbers. guessed: what a wrong PIN counts under."""
    call = attendant.call
    call.facts = _facts(call, person)
    try:
        await check_pin(attendant, person.extension, guessed)
    except SettingRefused as error:
        await refuse(attendant, error)
        attendant.hang_up("wrong pin")
        return
    call.payer = _payer(call, person)
    for _ in range(MOST_NUMBERS):
        first = await attendant.say(_NUMBER, until="0123456789*")
        number = first + await attendant.gather(MOST_DIGITS, seconds=KEYS_SECONDS)
        if not number:
            break
        decision = call.exchange.router.decide_as(call, person.extension, number)
        target = decision.target
        if isinstance(target, Reject):
            await attendant.say(target.text)
        elif isinstance(target, ToFeature) and target.name != TAKE_CALL:
            await attendant.say(_NOT_HERE)  # codes are for the telephone that dials them
        else:
            cause = await attendant.pass_on(decision, shown=(person.extension, person.name))
            await attendant.say(said(cause))
    attendant.hang_up("completed")


def _facts(call: Call, person: Person) -> Facts:
    """What is known of the call once it is the person's: their rights count, and their language."""
    exchange = call.exchange
    conditions = exchange.conditions.at(exchange.clock())
    return Facts(
        call.decision.dialled, caller=person.extension, spending=exchange.spending, conditions=conditions
    )


def _payer(call: Call, person: Person) -> str:
    """The device whose budgets the call is on: one of the person's."""
    theirs = [device.sign_in for device in call.exchange.devices if device.owner == person.extension]
    return min(theirs, default="")
