"""Places where a caller waits for somebody who comes to a telephone: parking (700 to 709 in the sample plan).

    transfer a caller to 705      it waits there and hears music; 486 where somebody waits there already
    dial 705                      speak with who waits there, from any telephone
    nobody came in time           the one who parked it is called back, and again after that time

Nobody is parked by dialling: a call that isn't transferred there takes who waits, or is told that nobody
does.
"""

from __future__ import annotations

from dialplan.decision import ToPerson, ToService
from dialplan.plan import Service
from media.engine import Music
from pbx.apps.announce import announce
from pbx.calls.attendant import Attendant
from pbx.calls.call import Call
from pbx.calls.happenings import TransferAnswered
from pbx.calls.transfer import speak_with
from pbx.calls.transferee import Transferee
from pbx.events import ParkingChanged
from sip.core.reason import Reason

RETURN_SECONDS = 90
_NOBODY = {"fr": "Personne n'attend ici.", "en": "Nobody is waiting here."}
_BACK = {"fr": "Retour, parc {} :", "en": "Back, parked at {}:"}
_NO_ANSWER = Reason("Q.850", 20, "Subscriber absent")
_TAKEN = Reason("Q.850", 17, "User busy")


async def park(call: Call, service: Service) -> None:
    """Park a caller that was transferred here; speak with who is parked otherwise."""
    target, parked = call.decision.target, call.exchange.parked
    assert isinstance(target, ToService)
    place = target.number or _place(call, service)
    here = parked.get(place)
    # It waits here already where another process has parked it.
    if call.caller.confirmed or (isinstance(call.caller, Transferee) and call.reached != "dialled"):
        if here is not None:
            call.caller.refuse(486, "place taken", reason=_TAKEN)
            return
        parked[place] = call
        call.exchange.events.publish(ParkingChanged, place, call.id)
        try:
            await _wait(call, service, place)
        finally:
            del parked[place]
            call.exchange.events.publish(ParkingChanged, place, "")
    elif here is None or not here.caller.confirmed or not call.offer:
        await announce(call, _NOBODY, status=480, cause="nobody parked", reason=_NO_ANSWER)
    else:
        waits = here.caller
        await speak_with(call, waits, lambda: here.post(TransferAnswered(waits)), "park", place)


def _place(call: Call, service: Service) -> str:
    dialled = call.decision.dialled
    if service.numbers is not None and dialled in service.numbers:
        return dialled
    return service.number or service.name


async def _wait(call: Call, service: Service, place: str) -> None:
    """Music, and after each time the one who parked the caller is called; until somebody takes it."""
    seconds = service.settings.get("return_seconds", RETURN_SECONDS)
    assert isinstance(seconds, int)
    attendant = Attendant(call)
    await attendant.answer()
    who = call.exchange.devices.find(call.payer)
    while True:
        await attendant.wait(Music(), seconds)
        if who is not None:
            back = call.decision._replace(target=ToPerson(who.extension, ""))
            await attendant.pass_on(back, comes_back={one: text.format(place) for one, text in _BACK.items()})
