"""A room: all who dial its number, and know its PIN where it has one, hear each other.

    *6   mute oneself, and speak again         *2   hear how many are there
    *7   lock the room, and open it again      for its moderators alone

Where the plan names moderators, the others wait with music until one is there. In a locked room nobody comes
in any more. A room with video or a lobby isn't built yet: it says so.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from hmac import compare_digest

from dialplan.plan import Members, SecretRef, Service
from media.engine import MediaRefused, Music
from media.tones import Segment, Tone
from pbx.apps.announce import NOT_BUILT, NOT_IMPLEMENTED, announce
from pbx.apps.group import members_of
from pbx.calls.attendant import Attendant
from pbx.calls.call import Call
from pbx.calls.happenings import Digit
from pbx.calls.intervals import turn

MOST_PARTIES = 300
ATTEMPTS = 3
MODERATOR_CHECK_SECONDS = 3600.0
COMES_IN = Tone((Segment(120, (660,)), Segment(120, (880,))))

_ENTER = {"fr": "Tapez le code de la salle, puis dièse.", "en": "Enter the PIN of the room, then hash."}
_WRONG = {"fr": "Ce code n'est pas le bon.", "en": "That PIN isn't right."}
_LOCKED = {"fr": "Cette salle est verrouillée.", "en": "This room is locked."}
_FULL = {"fr": "Cette salle est pleine.", "en": "This room is full."}
_WAIT = {"fr": "Vous attendez un animateur.", "en": "You are waiting for a moderator."}
_SILENT = {"fr": "Cette salle n'a pas de son pour l'instant.", "en": "This room has no sound at present."}
_MUTED = {"fr": "Vous êtes muet.", "en": "You are muted."}
_HEARD = {"fr": "On vous entend.", "en": "You are heard."}
_IS_LOCKED = {"fr": "La salle est verrouillée.", "en": "The room is locked."}
_IS_OPEN = {"fr": "La salle est ouverte.", "en": "The room is open."}
_COUNT = {"fr": "Participants dans la salle : {count}.", "en": "Parties in the room: {count}."}


@dataclass
class Room:
    """Who is in a room now. waiting: those who wait for a moderator."""

    parties: set[Call] = field(default_factory=set)
    moderators: set[Call] = field(default_factory=set)
    waiting: set[Attendant] = field(default_factory=set)
    locked: bool = False


async def room(call: Call, service: Service) -> None:
    """Let the caller in, and be its hands until it hangs up."""
    if service.settings.get("video") or service.settings.get("lobby"):
        await announce(call, NOT_BUILT, status=480, cause="not available", reason=NOT_IMPLEMENTED)
        return
    attendant = Attendant(call)
    await attendant.answer()
    if not await _knows_pin(attendant, service):
        attendant.hang_up("wrong pin")
        return
    rooms = call.exchange.rooms
    here = rooms.setdefault(service.name, Room())
    try:
        await _inside(attendant, service, here)
    finally:
        here.parties.discard(call)
        here.moderators.discard(call)
        here.waiting.discard(attendant)
        if not (here.parties or here.waiting):
            rooms.pop(service.name, None)


async def _knows_pin(attendant: Attendant, service: Service) -> bool:
    """Whether the caller may come in. A PIN that the node wasn't given lets nobody in."""
    pin = service.settings.get("pin")
    if pin is None:
        return True
    assert isinstance(pin, SecretRef)
    wanted = os.environ.get(pin.env, "")
    for _ in range(ATTEMPTS):
        first = await attendant.say(_ENTER, until="0123456789")
        keys = first + await attendant.gather(16)
        if wanted and compare_digest(keys, wanted):
            return True
        await attendant.say(_WRONG)
    return False


async def _inside(attendant: Attendant, service: Service, here: Room) -> None:
    call = attendant.call
    moderators = service.settings.get("moderators")
    names = members_of(call.plan, moderators) if isinstance(moderators, Members) else []
    moderates = call.from_number in names and call.direction == "internal"
    if here.locked and not moderates:
        await _refused(attendant, _LOCKED, "room locked")
        return
    if len(here.parties) >= MOST_PARTIES:
        await _refused(attendant, _FULL, "room full")
        return
    if moderates:
        here.moderators.add(call)
        for waiting in here.waiting:
            waiting.wake()
    elif names and not here.moderators:
        here.waiting.add(attendant)
        await attendant.say(_WAIT)
        while not here.moderators:
            await attendant.wait(Music(), MODERATOR_CHECK_SECONDS)
        here.waiting.discard(attendant)
    await attendant.play(COMES_IN)
    here.parties.add(call)
    try:
        await _speak(attendant, service, here, moderates=moderates)
    except MediaRefused:  # an engine without rooms
        await _refused(attendant, _SILENT, "no rooms")


async def _speak(attendant: Attendant, service: Service, here: Room, *, moderates: bool) -> None:
    """In the room, until the caller hangs up (LegEnded)."""
    call, muted = attendant.call, False
    join, leg = call.engine.join, call.caller.name
    await join(call.id, leg, service.name)
    turn(call, "room", (leg,), service.name)
    before = ""
    while True:
        match await attendant.next_happening():
            case Digit(_, key):
                code, before = before + key, key if key == "*" else ""
                attendant.forget_keys()
                if code == "*6":
                    muted = not muted
                    await join(call.id, leg, service.name, speaks=not muted)
                    await attendant.say(_MUTED if muted else _HEARD)
                elif code == "*2":
                    count = str(len(here.parties))
                    await attendant.say({name: text.format(count=count) for name, text in _COUNT.items()})
                elif code == "*7" and moderates:
                    here.locked = not here.locked
                    await attendant.say(_IS_LOCKED if here.locked else _IS_OPEN)
            case _:
                pass


async def _refused(attendant: Attendant, text: dict[str, str], cause: str) -> None:
    await attendant.say(text)
    attendant.hang_up(cause)
