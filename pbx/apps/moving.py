"""A call that goes on elsewhere: from the desk to the mobile and back, without the other side being asked.

    take_call    dialled on a telephone of the person, or by call-through on the mobile: the conversation that
                 the person is in on another telephone goes on here, and the other one is hung up
    to_mobile    a call is transferred to this code: the mobile of who transfers rings, and "press 1"

The other party keeps its dialog and its stream: it hears a gap, and with `to_mobile` ringing. The record of
each part names the one before (`parents`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from dialplan.decision import Reject
from pbx.apps.announce import announce
from pbx.apps.confirmation import who_dialled
from pbx.calls.call import Call
from pbx.calls.transfer import take
from pbx.people.settings import SettingRefused
from sip.core.reason import Reason

if TYPE_CHECKING:
    from pbx.calls.leg import Leg

_NOTHING = {
    "fr": "Vous n'êtes en communication sur aucun autre téléphone.",
    "en": "You are in no call on another telephone.",
}
_NO_MOBILE = {
    "fr": "Votre mobile ne peut pas être appelé.",
    "en": "Your mobile can't be called.",
}
_TRANSFER = {
    "fr": "Pour passer un appel sur votre mobile, transférez-le vers ce code.",
    "en": "To move a call to your mobile, transfer it to this code.",
}
_NO_CALL = Reason("Q.850", 31, "Normal, unspecified")


async def take_call(call: Call, argument: str) -> None:
    """Go on here with the conversation that the caller is in on another telephone of theirs."""
    try:
        extension = _mover(call)
    except SettingRefused as error:
        await announce(call, error.text, status=403, cause=f"rejected: {error.reason}")
        return
    theirs = sorted(conversations(call, extension), key=lambda leg: leg.answered_at or 0.0)
    if not theirs:
        await announce(call, _NOTHING, status=480, cause="nothing to take", reason=_NO_CALL)
        return
    await take(call, theirs[-1])


async def to_mobile(call: Call, argument: str) -> None:
    """Let the party that is being transferred go on with the mobile of who transfers it."""
    device = call.exchange.devices.find(call.payer)
    if device is None:
        await announce(call, _TRANSFER, status=480, cause="nothing to move", reason=_NO_CALL)
        return
    router, person = call.exchange.router, call.plan.people[device.extension]
    decision = router.decide_mobile(call, person.extension)
    if isinstance(decision.target, Reject):
        await announce(call, _NO_MOBILE, status=480, cause="no mobile", reason=_NO_CALL)
        return
    call.confirms = person.name
    call.exchange.redirect(call, decision)
    await router.app_of(decision)(call)


def conversations(call: Call, extension: str) -> Iterator[Leg]:
    """The legs by which a person is in conversations other than this call: their devices', their mobile's.

    A call for help stays where it was made: help is sent there.
    """
    exchange = call.exchange
    person = call.plan.people.get(extension)
    for leg in exchange.legs():
        if leg.call is call or leg.call.is_emergency:
            continue
        if not leg.confirmed or leg.call.other_party(leg) is None:
            continue
        device, payer = exchange.devices.find(leg.device), exchange.devices.find(leg.call.payer)
        if device is not None:
            is_theirs = device.extension == extension
        elif leg is leg.call.caller and leg.number == extension:  # by call-through, with a PIN
            is_theirs = payer is not None and payer.extension == extension
        else:
            is_theirs = person is not None and person.mobile is not None and leg.number == person.mobile
        if is_theirs:
            yield leg


def _mover(call: Call) -> str:
    """Whose conversation is to go on here. Raises SettingRefused for a party that is being transferred."""
    payer = call.exchange.devices.find(call.payer)
    if payer is not None and call.from_number == payer.extension:
        return payer.extension  # by call-through
    if call.payer:
        raise SettingRefused("caller", _NOTHING, "a party that is being transferred moves nothing")
    return who_dialled(call)
