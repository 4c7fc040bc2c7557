"""A room: all who dial its number, and know its PIN where it has one, hear each other.

    *1   hear these keys                       *2   hear how many are there
    *6   mute oneself, and speak again

and for moderators alone:

    *3   ring somebody, who comes in by 1      *5   mute all others, and let them speak again
    *7   lock the room, and open it again      *8   go through the others: 1 mutes one, 9 expels one
    *9   end it for all (1 confirms)

Who is named in the plan moderates, and so does whoever gives the moderators' PIN. Where there may be
moderators the others wait with music until one is there. In a locked room nobody comes in any more. Who
comes and goes is told by a tone, or by name, as the plan says: by the directory's, or as the caller said it.
A room with video or a lobby isn't built yet: it says so.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from hmac import compare_digest
from pathlib import Path

from dialplan.decision import ToPerson, ToTrunks
from dialplan.plan import Members, SecretRef, Service
from media.engine import MediaRefused, Music, Wav
from media.speech import Speech
from media.tones import Segment, Tone
from pbx.apps.announce import NOT_BUILT, NOT_IMPLEMENTED, announce
from pbx.apps.group import members_of
from pbx.calls.attendant import Attendant
from pbx.calls.call import Call
from pbx.calls.calling_out import call_out
from pbx.calls.dialled import dialled_number
from pbx.calls.happenings import LegEnded
from pbx.calls.intervals import turn
from pbx.rooms import COMES_IN, Named, Party, Room
from pbx.voicemail.mailboxes import VoicemailError
from sip.core.errors import RemoteProtocolError

MOST_PARTIES = 300
MOST_IN_CONFERENCE = 10  # of a person's own room
MOST_CALLED = 5  # who are rung at the same time
ATTEMPTS = 3
MODERATOR_SECONDS = 3600.0  # how long others wait for one
NUMBER_SECONDS = 10.0
NAME_SECONDS = 4.0
SHORTEST_NAME_SECONDS = 0.3
AFTER_THIS = Tone((Segment(300, (880,)),))
KEYS = "0123456789*#"

_ENTER = {"fr": "Tapez le code de la salle, puis dièse.", "en": "Enter the PIN of the room, then hash."}
_WRONG = {"fr": "Ce code n'est pas le bon.", "en": "That PIN isn't right."}
_TOO_OFTEN = {"fr": "Trop de codes faux. Rappelez plus tard.", "en": "Too many wrong PINs. Call again later."}
_LOCKED = {"fr": "Cette salle est verrouillée.", "en": "This room is locked."}
_FULL = {"fr": "Cette salle est pleine.", "en": "This room is full."}
_SAY_NAME = {
    "fr": "Dites votre nom après le signal, puis dièse. Il est annoncé aux autres, puis effacé.",
    "en": "Say your name after the tone, then hash. The others hear it, then it is deleted.",
}
_WAIT = {"fr": "Vous attendez un animateur.", "en": "You are waiting for a moderator."}
_NO_MODERATOR = {"fr": "Aucun animateur n'est venu.", "en": "No moderator has come."}
_SILENT = {"fr": "Cette salle n'a pas de son pour l'instant.", "en": "This room has no sound at present."}
_MUTED = {"fr": "Votre micro est coupé.", "en": "You are muted."}
_HEARD = {"fr": "On vous entend.", "en": "You are heard."}
_SILENCED = {"fr": "Un animateur a coupé votre micro.", "en": "A moderator has muted you."}
_IS_LOCKED = {"fr": "La salle est verrouillée.", "en": "The room is locked."}
_IS_OPEN = {"fr": "La salle est ouverte.", "en": "The room is open."}
_COUNT = {"fr": "Participants dans la salle : {count}.", "en": "Parties in the room: {count}."}
_HELP = {
    "fr": "Étoile 6 : couper ou rouvrir votre micro. Étoile 2 : le nombre de participants.",
    "en": "Star 6: mute yourself, or speak again. Star 2: how many are there.",
}
_HELP_MODERATORS = {
    "fr": "Étoile 3 : appeler quelqu'un. Étoile 5 : couper ou rouvrir tous les micros. "
    "Étoile 7 : verrouiller ou ouvrir. Étoile 8 : parcourir les participants. Étoile 9 : terminer pour tous.",
    "en": "Star 3: call somebody. Star 5: mute all, or let them speak again. "
    "Star 7: lock or open. Star 8: go through the parties. Star 9: end it for all.",
}
_FOR_MODERATORS = {
    "fr": "Cette touche est réservée aux animateurs.",
    "en": "This key is for moderators only.",
}
_NUMBER = {"fr": "Tapez le numéro à appeler, puis dièse.", "en": "Enter the number to call, then hash."}
_NOT_CALLED = {"fr": "Ce numéro ne peut pas être appelé.", "en": "This number can't be called."}
_CALLING = {"fr": "On l'appelle.", "en": "It is being called."}
_DOES_NOT_COME = {"fr": "Le {number} ne vient pas.", "en": "{number} isn't coming."}
_ALL_MUTED = {"fr": "Les autres micros sont coupés.", "en": "All others are muted."}
_ALL_HEARD = {"fr": "Tous peuvent parler.", "en": "All may speak."}
_ONE = {
    "fr": "{who}. Pour couper ou rouvrir son micro, tapez 1. Pour l'exclure, 9. Suivant, dièse.",
    "en": "{who}. To mute or hear them, press 1. To remove them, 9. Next one, hash.",
}
_END_OF_LIST = {"fr": "Il n'y a personne d'autre.", "en": "There is nobody else."}
_REALLY = {"fr": "Pour terminer pour tous, tapez 1.", "en": "To end it for all, press 1."}
_EXPELLED = {"fr": "Vous avez été exclu de la salle.", "en": "You were removed from the room."}
_OVER = {"fr": "La conférence est terminée.", "en": "The conference is over."}
_STRANGER = {"fr": "Un correspondant extérieur", "en": "A caller from outside"}
_NAMELESS = {"fr": "Un correspondant", "en": "Somebody"}


async def room(call: Call, service: Service) -> None:
    """Let the caller in, and be its hands until it hangs up."""
    if service.settings.get("video") or service.settings.get("lobby"):
        await announce(call, NOT_BUILT, status=480, cause="not available", reason=NOT_IMPLEMENTED)
        return
    attendant = Attendant(call)
    await attendant.answer()
    named = _is_named(call, service)
    inside = _was_inside(call, service.name)
    if not inside:  # else it is there, and another process had its call before
        if call.exchange.pin_attempts.spent(call, service.name, call.exchange.driver.now):
            await _refused(attendant, _TOO_OFTEN, "too many wrong pins")
            return
        pin = await _pin_given(attendant, service)
        if not pin:
            attendant.hang_up("wrong pin")
            return
        named = named or pin == "moderator_pin"
    most = service.settings.get("most", MOST_PARTIES)
    tells = service.settings.get("tells", "tones")
    assert isinstance(most, int)
    assert isinstance(tells, str)
    here = call.exchange.rooms.setdefault(service.name, Room(service.name, service.name, most, tells))
    moderated = "moderators" in service.settings or "moderator_pin" in service.settings
    party = Party(attendant, who(call), named)
    if tells == "recorded" and not (inside or _has_name(call)):
        for said in await _said_name(attendant):
            party.voice = said
    await take_part(attendant, here, party, waits=moderated)


async def conference(call: Call, argument: str) -> None:
    """A person's own room, by code: who dials it moderates it, and whom that person transfers to it comes in.

    So three speak together whose telephones mix nothing. A telephone that knows conferences of a server
    (RFC 4579 section 5.4) dials it by itself, and sends the others to the Contact that it is answered with.
    """
    owner = call.plan.people.get(call.exchange.user_of(call))
    if owner is None:
        call.caller.refuse(403, "rejected: caller")
        return
    attendant = Attendant(call)
    call.caller.be_focus(call.decision.dialled)
    await attendant.answer()
    name = f"conference {owner.extension}"  # no service's: these have no spaces
    here = call.exchange.rooms.setdefault(name, Room(name, owner.name, MOST_IN_CONFERENCE))
    party = Party(attendant, who(call), moderates=not call.payer)
    await take_part(attendant, here, party, waits=False)


async def take_part(attendant: Attendant, here: Room, party: Party, *, waits: bool) -> None:
    """Be a party of a room until the caller hangs up (LegEnded), or is to go.

    waits: until a moderator is there.
    """
    call = attendant.call
    try:
        await _inside(attendant, here, party, waits=waits)
    finally:
        here.leave(call)
        call.exchange.recordings.room_changed(here.parties)
        here.waiting.discard(attendant)
        for voice in here.outdated():
            _forget(call, voice)
        if party.moderates and not here.moderators:
            for ourselves in here.rung:
                ourselves.give_up()
        forget_if_empty(call, here)


def forget_if_empty(call: Call, here: Room) -> None:
    """A room without anybody is none."""
    if here.is_empty and call.exchange.rooms.get(here.name) is here:
        del call.exchange.rooms[here.name]


def who(call: Call) -> dict[str, str]:
    """How others are told of the caller, by language: by name, where it is one of ours that doesn't hide."""
    if name := name_told(call):
        return {"fr": name, "en": name}
    return _NAMELESS if call.direction == "internal" else _STRANGER


def name_told(call: Call) -> str:
    """The name by which others are told of the caller, "" for who is none of ours or hides."""
    return call.plan.people[call.from_number].name if _has_name(call) else ""


def _has_name(call: Call) -> bool:
    """Whether the caller is one of ours, by the directory, that doesn't hide."""
    return call.from_number in call.plan.people and not call.hidden and call.direction == "internal"


# The door


async def _said_name(attendant: Attendant) -> tuple[Wav, ...]:
    """What the caller says when it is asked for its name, as a tuple of one; empty where nothing was said, or
    nothing can be recorded."""
    call = attendant.call
    voicemail = call.exchange.voicemail
    if voicemail is None:
        return ()
    try:
        path = await voicemail.place_for(call.id)
    except VoicemailError:
        return ()
    try:
        await attendant.say(_SAY_NAME)
        await attendant.play(AFTER_THIS)
        said = await attendant.record(path, seconds=NAME_SECONDS, silence_seconds=1.5, until="#")
    except MediaRefused:  # an engine that records nothing
        return ()
    except LegEnded:
        _forget(call, Wav(str(path)))
        raise
    if said.seconds < SHORTEST_NAME_SECONDS:
        _forget(call, Wav(str(path)))
        return ()
    return (Wav(str(path)),)


def _forget(call: Call, voice: Wav) -> None:
    """Delete a recorded name."""
    voicemail = call.exchange.voicemail
    if voicemail is not None:
        call.exchange.beside(voicemail.forget(Path(voice.path)), "recorded name")


def _is_named(call: Call, service: Service) -> bool:
    moderators = service.settings.get("moderators")
    names = members_of(call.plan, moderators) if isinstance(moderators, Members) else []
    return call.from_number in names and call.direction == "internal"


def _was_inside(call: Call, name: str) -> bool:
    legs = call.engine.snapshot(call.id).legs
    return any(leg.name == call.caller.name and leg.room and leg.room.room == name for leg in legs)


async def _pin_given(attendant: Attendant, service: Service) -> str:
    """The setting whose PIN the caller gave; "" where none was right.

    A PIN that the node wasn't given lets nobody in.
    """
    wanted: dict[str, str] = {}
    for setting in ("pin", "moderator_pin"):
        ref = service.settings.get(setting)
        if isinstance(ref, SecretRef):
            wanted[setting] = os.environ.get(ref.env, "")
    is_open = "pin" not in service.settings  # whoever doesn't moderate has nothing to say
    if is_open and (not wanted or _is_named(attendant.call, service)):
        return "pin"
    call, attempts = attendant.call, attendant.call.exchange.pin_attempts
    for _ in range(ATTEMPTS):
        first = await attendant.say(_ENTER, until="0123456789#" if is_open else "0123456789")
        keys = first + await attendant.gather(16) if first != "#" else ""
        if is_open and not keys:
            return "pin"
        right = [setting for setting, pin in wanted.items() if pin and compare_digest(keys, pin)]
        if right:
            attempts.right(call, service.name)
            return right[-1]
        attempts.wrong(call, service.name, call.exchange.driver.now)
        await attendant.say(_WRONG)
    return ""


async def _inside(attendant: Attendant, here: Room, party: Party, *, waits: bool) -> None:
    call = attendant.call
    if here.locked and not party.moderates:
        await _refused(attendant, _LOCKED, "room locked")
        return
    if len(here.parties) >= here.most:
        await _refused(attendant, _FULL, "room full")
        return
    if waits and not party.moderates and not here.moderators:
        await _wait(attendant, here)
        if not here.moderators:
            await _refused(attendant, _OVER if here.over else _NO_MODERATOR, "no moderator")
            return
    here.enter(call, party)
    call.exchange.recordings.room_changed(here.parties)
    await attendant.play(COMES_IN)
    if here.tells in ("names", "recorded"):
        party.news.append(_counted(here))
    try:
        await _speak(attendant, here, party)
    except MediaRefused:  # an engine without rooms
        await _refused(attendant, _SILENT, "no rooms")


async def _wait(attendant: Attendant, here: Room) -> None:
    """Wait for a moderator, with music; returns when one is there, the room is over, or it took too long."""
    driver = attendant.call.exchange.driver
    here.waiting.add(attendant)
    await attendant.say(_WAIT)
    until = driver.now + MODERATOR_SECONDS
    while not (here.moderators or here.over) and driver.now < until:
        await attendant.wait(Music(), max(until - driver.now, 0.0))
    here.waiting.discard(attendant)


async def _refused(attendant: Attendant, text: Mapping[str, str], cause: str) -> None:
    await attendant.say(text)
    attendant.hang_up(cause)


# Inside

Act = Callable[[Attendant, Room, Party], Awaitable[None]]


async def _speak(attendant: Attendant, here: Room, party: Party) -> None:
    """In the room, until the caller hangs up (LegEnded) or is to go."""
    before = ""
    while not (here.over or party.expelled):
        await _settle(attendant, here, party)
        if party.news:
            await _hear_news(attendant, party)
            continue
        key = attendant.next_key()  # it may have been pressed while something was said
        if not key:
            await attendant.next_happening()
            continue
        code, before = before + key, key if key == "*" else ""
        if code in _ANYBODY:
            await _ANYBODY[code](attendant, here, party)
        elif code in _MODERATORS and party.moderates:
            await _MODERATORS[code](attendant, here, party)
        elif code in _MODERATORS:
            await attendant.say(_FOR_MODERATORS)
    await _refused(attendant, _OVER if here.over else _EXPELLED, "room over" if here.over else "expelled")


async def _settle(attendant: Attendant, here: Room, party: Party) -> None:
    """Be in the engine's room, heard or not, as the party is to be."""
    call, name = attendant.call, attendant.call.caller.name
    if party.heard is None or party.heard is not party.speaks:
        party.heard = party.speaks
        await call.engine.join(call.id, name, here.name, speaks=party.speaks)
        turn(call, "room", (name,), here.title)


async def _hear_news(attendant: Attendant, party: Party) -> None:
    """Begin to play what is new to a party, which says and presses what it likes meanwhile."""
    call, news = attendant.call, party.news.popleft()
    if isinstance(news, Named):
        await attendant.play(news.name)
        news = news.text
    if not isinstance(news, Tone):
        language = call.language_of(news)
        await attendant.play(Speech(news[language], language))
        return
    await call.engine.play(call.id, call.caller.name, news)


async def _help(attendant: Attendant, here: Room, party: Party) -> None:
    for text in [_HELP, *([_HELP_MODERATORS] if party.moderates else [])]:
        if await attendant.say(text, until=KEYS):
            return


async def _count(attendant: Attendant, here: Room, party: Party) -> None:
    await attendant.say(_counted(here))


def _counted(here: Room) -> dict[str, str]:
    count = str(len(here.parties))
    return {name: text.format(count=count) for name, text in _COUNT.items()}


async def _mute(attendant: Attendant, here: Room, party: Party) -> None:
    if party.silenced:
        await attendant.say(_SILENCED)
        return
    party.muted = not party.muted
    await _settle(attendant, here, party)  # before it is told so
    await attendant.say(_MUTED if party.muted else _HEARD)


async def _mute_all(attendant: Attendant, here: Room, party: Party) -> None:
    here.hushed = not here.hushed
    for other in here.parties.values():
        other.silenced = here.hushed and not other.moderates
    here.wake()
    await attendant.say(_ALL_MUTED if here.hushed else _ALL_HEARD)


async def _lock(attendant: Attendant, here: Room, party: Party) -> None:
    here.locked = not here.locked
    await attendant.say(_IS_LOCKED if here.locked else _IS_OPEN)


async def _roll_call(attendant: Attendant, here: Room, party: Party) -> None:
    """Go through the others, who came last first."""
    for other in reversed(list(here.parties.values())):
        if other is party or other.attendant.call not in here.parties:
            continue
        text = {name: words.format(who=other.who[name]) for name, words in _ONE.items()}
        match await attendant.say(text, until="19#*") or await attendant.gather(1, end=""):
            case "1":
                other.silenced = not other.silenced
                other.news.append(_SILENCED if other.silenced else _HEARD)
                other.attendant.wake()
                return
            case "9":
                other.expelled = True
                other.attendant.wake()
                return
            case "*":
                return
            case _:
                pass
    await attendant.say(_END_OF_LIST)


async def _end(attendant: Attendant, here: Room, party: Party) -> None:
    if await attendant.say(_REALLY, until=KEYS) == "1" or await attendant.gather(1, end="") == "1":
        here.over = True
        for ourselves in here.rung:
            ourselves.give_up()
        here.wake()


async def _call_somebody(attendant: Attendant, here: Room, party: Party) -> None:
    """Ring a number with the moderator's own rights; who answers comes in by pressing 1."""
    first = await attendant.say(_NUMBER, until="0123456789+")
    number = first + await attendant.gather(20, seconds=NUMBER_SECONDS)
    call, exchange = attendant.call, attendant.call.exchange
    here.called = set(here.rung)
    try:
        decision = exchange.router.decide_for(call.caller, dialled_number(f"sip:{number}@{exchange.domain}"))
    except RemoteProtocolError:
        decision = None
    places = here.most - len(here.parties)
    target = decision.target if decision is not None else None
    if (
        decision is None
        or not isinstance(target, ToPerson | ToTrunks)
        or len(here.called) >= min(places, MOST_CALLED)
    ):
        await attendant.say(_NOT_CALLED)
        return
    is_emergency = isinstance(target, ToTrunks) and target.emergency  # who presses no keys

    def doesnt_come(_cause: str) -> None:
        party.news.append({name: text.format(number=number) for name, text in _DOES_NOT_COME.items()})
        if call in here.parties:
            attendant.wake()
        forget_if_empty(call, here)

    ourselves = call_out(
        call,
        decision,
        partial(_come, here=here),
        doesnt_come,
        confirms="" if is_emergency else here.title,
    )
    here.called.add(ourselves)
    await attendant.say(_CALLING)


async def _come(call: Call, here: Room) -> None:
    """Somebody who was called comes into the room."""
    attendant = Attendant(call)
    attendant.go_on()
    call.exchange.rooms.setdefault(here.name, here)
    await take_part(attendant, here, Party(attendant, who(call)), waits=False)


_ANYBODY: Mapping[str, Act] = {"*1": _help, "*2": _count, "*6": _mute}
_MODERATORS: Mapping[str, Act] = {
    "*3": _call_somebody,
    "*5": _mute_all,
    "*7": _lock,
    "*8": _roll_call,
    "*9": _end,
}
