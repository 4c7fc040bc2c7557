"""A caller leaves a message: for somebody who didn't take the call, or with a service of `type: voicemail`.

    greeting ──> beep ──> recording ──(#, silence, too long)──> 1 send   2 listen   3 again
                              └──(hangs up)──> kept
    # during the greeting: to the beep        * during the greeting: listen to the messages, with a PIN

What was said is on the disk before the caller's BYE is answered, and whoever hangs up has left it. Less than
two seconds is nothing. Every file is the store's (`pbx.voicemail.mailboxes`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from dialplan.plan import Members, Service
from media.engine import MediaRefused, Source, Wav
from media.tones import Segment, Tone
from pbx.apps.announce import NOT_BUILT, NOT_IMPLEMENTED, announce
from pbx.apps.asking_pin import check_pin
from pbx.apps.confirmation import refuse
from pbx.apps.group import members_of
from pbx.apps.mailbox import listen_to
from pbx.calls.attendant import Attendant
from pbx.calls.call import Call
from pbx.people.settings import SettingRefused
from pbx.voicemail.mailboxes import (
    LONGEST_SECONDS,
    SHORTEST_SECONDS,
    MailboxFull,
    Message,
    Voicemail,
    VoicemailError,
)

SILENCE_SECONDS: Final = 10.0
BEEP: Final = Tone((Segment(200), Segment(400, (1000,))))

_SITUATIONS: Final = {
    "user-busy": "busy",
    "do-not-disturb": "busy",
    "deflection": "busy",
    "no-answer": "no-answer",
    "unavailable": "unreachable",
}
_PERSON: Final[Mapping[str, Mapping[str, str]]] = {
    "busy": {"fr": "{name} n'est pas disponible.", "en": "{name} isn't available."},
    "no-answer": {"fr": "{name} ne répond pas.", "en": "{name} doesn't answer."},
    "unreachable": {"fr": "{name} n'est pas joignable.", "en": "{name} can't be reached."},
    "any": {"fr": "Vous êtes sur la messagerie : {name}.", "en": "This is the mailbox of {name}."},
}
_SERVICE: Final[Mapping[str, Mapping[str, str]]] = {
    "closed": {"fr": "Nous sommes fermés.", "en": "We are closed."},
    "no-answer": {"fr": "Personne ne peut vous répondre.", "en": "Nobody can take your call."},
    "any": {"fr": "Vous êtes sur notre messagerie.", "en": "This is our mailbox."},
}
_AFTER_THE_BEEP: Final = {
    "fr": " Laissez un message après le bip.",
    "en": " Please leave a message after the tone.",
}
_FULL: Final = {
    "fr": "Cette messagerie est pleine. Rappelez plus tard. Au revoir.",
    "en": "This mailbox is full. Please call again later. Goodbye.",
}
_UNABLE: Final = {
    "fr": "Cette messagerie ne prend pas de message pour l'instant. Au revoir.",
    "en": "This mailbox takes no messages at present. Goodbye.",
}
_TOO_SHORT: Final = {
    "fr": "Nous n'avons rien entendu. Parlez après le bip.",
    "en": "We heard nothing. Please speak after the tone.",
}
_CHOICES: Final = {
    "fr": "Pour envoyer ce message, raccrochez ou tapez 1. Pour l'écouter, 2. Pour recommencer, 3.",
    "en": "To send this message, hang up or press 1. To listen to it, press 2. To start again, 3.",
}
_SENT: Final = {
    "fr": "Votre message est enregistré. Au revoir.",
    "en": "Your message has been left. Goodbye.",
}
_NOT_SENT: Final = {"fr": "Vous n'avez pas laissé de message. Au revoir.", "en": "No message. Goodbye."}
_ATTEMPTS: Final = 3


class _Mailbox:
    """Whose mailbox a caller came to. name: in the store; spoken: what is said in each situation; written: in
    the plan, in place of that.

    email, language: of the letter that tells of a message. opens: who listens to it from their own phone.
    """

    def __init__(
        self,
        name: str,
        situation: str,
        spoken: Mapping[str, Mapping[str, str]],
        *,
        written: Mapping[str, str],
        email: str,
        language: str,
        opens: tuple[str, ...],
    ) -> None:
        self.name = name
        self.situation = situation
        self.spoken = spoken
        self.written = written
        self.email = email
        self.language = language
        self.opens = opens


async def voicemail(call: Call, service: Service) -> None:
    """Take a message for a service."""
    name = service.settings.get("mailbox") or service.name
    email = service.settings.get("email") or ""
    listeners = service.settings.get("listeners")
    assert isinstance(name, str)
    assert isinstance(email, str)
    opens = tuple(members_of(call.plan, listeners)) if isinstance(listeners, Members) else ()
    mailbox = _Mailbox(
        name,
        _situation_of_service(call, service),
        _SERVICE,
        written=service.texts("greeting"),
        email=email,
        language=call.plan.language,
        opens=opens,
    )
    await _take_message(call, mailbox)


async def leave_message(call: Call, argument: str) -> None:
    """Take a message for a person. argument: the extension."""
    call.to = argument
    person = call.plan.people.get(argument)
    name = person.name if person is not None else argument
    spoken = {
        situation: {language: text.format(name=name) for language, text in texts.items()}
        for situation, texts in _PERSON.items()
    }
    diversions = call.decision.diversions
    mailbox = _Mailbox(
        argument,
        _SITUATIONS.get(diversions[-1].reason, "any") if diversions else "any",
        spoken,
        written={},
        email=call.plan.voicemail_of(argument).email,
        language=(person.language if person is not None else "") or call.plan.language,
        opens=(argument,),
    )
    await _take_message(call, mailbox)


def _situation_of_service(call: Call, service: Service) -> str:
    """Why the caller came to a service's mailbox: something is closed, nobody took the call, or it called."""
    if any(step.outcome.startswith("closed") for step in call.decision.trace):
        return "closed"
    return "no-answer" if call.line not in ("", service.name) else "any"


async def _take_message(call: Call, mailbox: _Mailbox) -> None:
    store = call.exchange.voicemail
    if store is None:
        await announce(call, NOT_BUILT, status=480, cause="not available", reason=NOT_IMPLEMENTED)
        return
    attendant = Attendant(call)
    await attendant.answer()
    try:
        if not call.engine.records:
            await attendant.say(_UNABLE)
            attendant.hang_up("no recording")
        elif await _greet(attendant, store, mailbox) == "*" and _opens(call, mailbox):
            await _open(attendant, store, mailbox)
        else:
            await _record(attendant, store, mailbox)
    except (VoicemailError, MediaRefused) as error:
        full = isinstance(error, MailboxFull)
        if call.caller.ended_at is None:
            await attendant.say(_FULL if full else _UNABLE)
        attendant.hang_up("mailbox full" if full else "no recording")


async def _greet(attendant: Attendant, store: Voicemail, mailbox: _Mailbox) -> str:
    """Greet the caller; returns the key with which it goes on at once, "" for none."""
    recorded = store.greeting(mailbox.name, mailbox.situation)
    if recorded is not None:
        return await attendant.play(Wav(str(recorded)), until="#*")
    texts = mailbox.written
    if not texts:
        spoken = mailbox.spoken.get(mailbox.situation, mailbox.spoken["any"])
        texts = {language: text + _AFTER_THE_BEEP[language] for language, text in spoken.items()}
    return await attendant.say(texts, until="#*")


def _is_own(call: Call, mailbox: _Mailbox) -> bool:
    """Whether the caller is at a telephone of who listens to the mailbox."""
    return call.direction == "internal" and call.from_number in mailbox.opens and not call.payer


def _opens(call: Call, mailbox: _Mailbox) -> bool:
    """Whether `*` means anything: of others it is a key pressed by mistake."""
    return _is_own(call, mailbox) or call.exchange.pins.has(mailbox.name)


async def _open(attendant: Attendant, store: Voicemail, mailbox: _Mailbox) -> None:
    """Somebody wants to listen: from a telephone of theirs, or with the PIN of whose mailbox it is."""
    call = attendant.call
    own = _is_own(call, mailbox)
    if not own:
        # A trunk is no device: what is guessed from outside counts against the mailbox alone.
        inside = call.direction == "internal" and not call.payer
        names = (f"device {call.caller.device}",) if inside else ()
        try:
            await check_pin(attendant, mailbox.name, *names, f"mailbox {mailbox.name}")
        except SettingRefused as error:
            await refuse(attendant, error)
            return
    await listen_to(attendant, store, mailbox.name, calls_back=own)


async def _record(attendant: Attendant, store: Voicemail, mailbox: _Mailbox) -> None:
    """Record until the caller is content. What it said is kept, however it leaves."""
    call = attendant.call
    message = await store.begin(mailbox.name, _new_message(call, mailbox))
    seconds = 0.0
    try:
        for _ in range(_ATTEMPTS):
            seconds = 0.0
            await attendant.play(BEEP)
            seconds = await _recorded(attendant, store, mailbox, message)
            if seconds < SHORTEST_SECONDS:
                await attendant.say(_TOO_SHORT)
            elif await _content(attendant, Wav(str(store.path(mailbox.name, message.id)))):
                break
    finally:
        # Also of a caller that has hung up, whose recording is in its file by now.
        kept = await store.keep(mailbox.name, message, await store.seconds(mailbox.name, message.id))
        call.cause = "message left" if kept else "no message"
    await attendant.say(_SENT if kept else _NOT_SENT)
    attendant.hang_up(call.cause)


async def _recorded(attendant: Attendant, store: Voicemail, mailbox: _Mailbox, message: Message) -> float:
    """Record once; returns how many seconds there are."""
    path = store.path(mailbox.name, message.id)
    await attendant.record(path, seconds=LONGEST_SECONDS, silence_seconds=SILENCE_SECONDS, until="#")
    return await store.seconds(mailbox.name, message.id)


async def _content(attendant: Attendant, sound: Source) -> bool:
    """Whether the caller sends its message as it is, or says nothing more; False to record it again."""
    while True:
        key = await attendant.say(_CHOICES, until="123") or await attendant.gather(1)
        if key != "2":
            return key != "3"
        await attendant.play(sound, until="123")


def _new_message(call: Call, mailbox: _Mailbox) -> Message:
    """What is known of the message: who calls is not told of a caller that hides."""
    hidden = call.hides(call.caller)
    return Message(
        id=call.id,
        at=call.exchange.clock(),
        number="" if hidden else call.from_number,
        name="" if hidden else call.from_name,
        email=mailbox.email,
        language=mailbox.language,
        timezone=call.plan.timezone,
    )
