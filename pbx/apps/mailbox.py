"""Listening to one's messages, by code from one's own telephone or with a PIN from any other.

    1 back   2 again   3 next   5 pause and go on   7 delete (and take that back)   8 call back   0 settings
    settings: 1 busy   2 no answer   3 can't be reached   4 closed   5 any other   0 back to messages

New messages come first, each with who called and when. What is deleted is gone when the caller hangs up, not
before. A message counts as heard once it was played.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from media.engine import MediaRefused, Wav
from media.tones import Segment, Tone
from pbx.apps.announce import NOT_BUILT, NOT_IMPLEMENTED, announce
from pbx.apps.confirmation import refuse, refuses_transferred, who_dialled
from pbx.apps.spoken import spoken_number, spoken_since
from pbx.calls.attendant import Attendant
from pbx.calls.call import Call
from pbx.people.settings import SettingRefused
from pbx.voicemail.mailboxes import (
    LONGEST_GREETING_SECONDS,
    SHORTEST_SECONDS,
    Message,
    Voicemail,
    VoicemailError,
)
from sip.core.errors import RemoteProtocolError

if TYPE_CHECKING:
    from dialplan.decision import Decision

PAUSE_SECONDS: Final = 120.0
ATTEMPTS: Final = 3
_BEEP: Final = Tone((Segment(200), Segment(300, (1000,))))
_KEYS: Final = "1235780"

_NOTHING = {"fr": "Vous n'avez pas de message.", "en": "You have no messages."}
_TO_SETTINGS = {"fr": "Pour vos annonces, tapez 0.", "en": "For your greetings, press 0."}
_NO_MAILBOX = {
    "fr": "Vous n'avez pas de messagerie. Demandez-la au service informatique.",
    "en": "You have no mailbox. Ask your IT service for one.",
}
_COUNT = {
    "fr": "Nouveaux messages : {new}. Messages déjà écoutés : {old}.",
    "en": "New messages: {new}. Messages heard before: {old}.",
}
_NEW = {"fr": "Nouveau message, {when} : {who}.", "en": "New message, {when}, from {who}."}
_OLD = {"fr": "Message, {when} : {who}.", "en": "Message, {when}, from {who}."}
_UNKNOWN = {"fr": "un numéro masqué", "en": "a hidden number"}
_LAST = {"fr": "Il n'y a plus de message.", "en": "There are no more messages."}
_DELETED = {"fr": "Supprimé. Pour annuler, tapez 7.", "en": "Deleted. To undo, press 7."}
_NOT_DELETED = {"fr": "Le message est gardé.", "en": "The message is kept."}
_NO_CALL_BACK = {
    "fr": "Ce numéro ne peut pas être rappelé.",
    "en": "This number can't be called back.",
}
_HELP = {
    "fr": "1, message précédent. 2, réécouter. 3, suivant. 5, pause. 7, supprimer. 8, rappeler. 0, réglages.",
    "en": "1, previous message. 2, listen again. 3, next. 5, pause. 7, delete. 8, call back. 0, settings.",
}
_SETTINGS = {
    "fr": "Pour l'annonce quand vous êtes en ligne, tapez 1. Sans réponse, 2. Injoignable, 3. Fermé, 4. "
    "Pour l'annonce générale, 5. Pour revenir aux messages, 0.",
    "en": "For the greeting when you are busy, press 1. No answer, 2. Unreachable, 3. Closed, 4. "
    "For the general greeting, 5. For your messages, 0.",
}
_SITUATIONS: Final = {"1": "busy", "2": "no-answer", "3": "unreachable", "4": "closed", "5": "any"}
_SPEAK = {
    "fr": "Parlez après le bip, puis tapez dièse.",
    "en": "Speak after the tone, then press hash.",
}
_KEEP = {
    "fr": "Pour garder cette annonce, tapez 1. Pour recommencer, tapez 2. Pour l'annonce d'origine, tapez 3.",
    "en": "To keep this greeting, press 1. To start again, press 2. For the original greeting, press 3.",
}
_KEPT = {"fr": "C'est enregistré.", "en": "Saved."}
_NOT_KEPT = {"fr": "Rien n'est changé.", "en": "Nothing has changed."}
_GOODBYE = {"fr": "Au revoir.", "en": "Goodbye."}


async def listen(call: Call, argument: str) -> None:
    """Let whoever dials the code listen to their own mailbox."""
    store = call.exchange.voicemail
    if store is None or not call.engine.records:
        await announce(call, NOT_BUILT, status=480, cause="not available", reason=NOT_IMPLEMENTED)
        return
    if refuses_transferred(call):
        return
    attendant = Attendant(call)
    await attendant.answer()
    try:
        extension = who_dialled(call)
    except SettingRefused as error:
        await refuse(attendant, error)
        return
    waiting = store.waiting(extension)
    if not call.plan.voicemail_of(extension).on and not waiting.new + waiting.old:
        none = SettingRefused("mailbox", _NO_MAILBOX, f"the plan gives {extension} no mailbox")
        await refuse(attendant, none)
        return
    await listen_to(attendant, store, extension, calls_back=True)


async def listen_to(attendant: Attendant, store: Voicemail, name: str, *, calls_back: bool) -> None:
    """Let the caller listen to a mailbox until it hangs up, then delete what it deleted.

    calls_back: whether it may call those who left a message, by its own rights.
    """
    listener = _Listener(attendant, store, name, calls_back=calls_back)
    try:
        await listener.run()
    finally:
        for message in listener.deleted:
            with suppress(VoicemailError):  # the log says why; it is there the next time
                await store.delete(name, message)
    await attendant.say(_GOODBYE)
    attendant.hang_up("completed")


class _Listener:
    """One caller at its mailbox. deleted: ids of messages that go when it hangs up."""

    def __init__(self, attendant: Attendant, store: Voicemail, name: str, *, calls_back: bool) -> None:
        self.attendant = attendant
        self.store = store
        self.name = name
        self.calls_back = calls_back
        self.deleted: set[str] = set()

    async def run(self) -> None:
        """Play one message after the other; returns when there is nothing more to do."""
        waiting = self.store.waiting(self.name)
        counts = {
            language: text.format(new=waiting.new, old=waiting.old) for language, text in _COUNT.items()
        }
        nothing = waiting.new + waiting.old == 0
        key = await self.attendant.say(_NOTHING if nothing else counts, until=_KEYS)
        messages = self.store.messages(self.name)
        place = 0
        while key == "0" or place < len(messages):
            if key == "0":
                await self._settings()
                key = ""
                continue
            key = await self._message(messages[place])
            if key == "1":
                place = max(place - 1, 0)
            elif key == "3":
                place += 1
        key = await self.attendant.say(_LAST if messages else _TO_SETTINGS, until="0")
        if (key or await self.attendant.gather(1)) == "0":
            await self._settings()

    async def _message(self, message: Message) -> str:
        """One message: returns `1` for the one before, `2` for the same, `3` for the next, `0` for others."""
        attendant = self.attendant
        key = await attendant.say(self._headline(message), until=_KEYS)
        if not key:
            key = await self._play(message)
        while True:
            match key:
                case "0" | "1" | "2" | "3":
                    return key
                case "7":
                    key = await self._delete(message)
                case "8":
                    key = await self._call_back(message)
                case _:
                    key = await attendant.say(_HELP, until=_KEYS) or await attendant.gather(1, end="")
                    if not key:
                        return "3"

    async def _play(self, message: Message) -> str:
        """Play a message, as often paused as wanted; returns the key that was pressed then, "" for none."""
        attendant, driver = self.attendant, self.attendant.call.exchange.driver
        path = str(self.store.path(self.name, message.id))
        start_ms = 0
        while True:
            began = driver.now
            key = await attendant.play(Wav(path, start_ms), until=_KEYS)
            with suppress(VoicemailError):  # a disk that is full: it stays new
                await self.store.mark_heard(self.name, message.id)
            if key != "5":
                return key
            start_ms += round((driver.now - began) * 1000)
            key = await attendant.gather(1, seconds=PAUSE_SECONDS, end="")
            if key not in ("5", ""):
                return key if key in _KEYS else ""

    async def _delete(self, message: Message) -> str:
        if message.id in self.deleted:
            self.deleted.discard(message.id)
            return await self.attendant.say(_NOT_DELETED, until=_KEYS) or "2"
        self.deleted.add(message.id)
        key = await self.attendant.say(_DELETED, until=_KEYS) or await self.attendant.gather(1, end="")
        return key or "3"

    async def _call_back(self, message: Message) -> str:
        """Call who left a message, by the rights of the telephone that asks; who answers ends this call."""
        attendant, call = self.attendant, self.attendant.call
        for decision in self._way_back(message):
            call.cause = ""
            await attendant.pass_on(decision)
        return await attendant.say(_NO_CALL_BACK, until=_KEYS)

    def _way_back(self, message: Message) -> tuple[Decision, ...]:
        call = self.attendant.call
        if not (self.calls_back and message.number):
            return ()
        try:
            return (call.exchange.router.decide_for(call.caller, message.number),)
        except RemoteProtocolError:
            return ()

    def _headline(self, message: Message) -> Mapping[str, str]:
        """What is said of a message before it: who, and when."""
        plan, exchange = self.attendant.call.plan, self.attendant.call.exchange
        zone = ZoneInfo(plan.timezone)
        now = datetime.fromtimestamp(exchange.clock(), zone)
        at = datetime.fromtimestamp(message.at, zone)
        texts = _OLD if message.heard else _NEW
        return {
            language: text.format(
                when=spoken_since(at, now, language),
                who=message.name
                or spoken_number(message.number, plan.country, language)
                or _UNKNOWN[language],
            )
            for language, text in texts.items()
        }

    # Settings

    async def _settings(self) -> None:
        attendant = self.attendant
        for _ in range(ATTEMPTS):
            key = await attendant.say(_SETTINGS, until="123450") or await attendant.gather(1, end="")
            if key in ("", "0"):
                return
            try:
                if key in _SITUATIONS:
                    await self._set_greeting(_SITUATIONS[key])
            except (VoicemailError, MediaRefused):
                await attendant.say(_NOT_KEPT)

    async def _set_greeting(self, situation: str) -> None:
        attendant = self.attendant
        path = await self.store.new_greeting(self.name, attendant.call.id)
        try:
            for _ in range(ATTEMPTS):
                await attendant.say(_SPEAK)
                await attendant.play(_BEEP)
                said = await attendant.record(
                    path, seconds=LONGEST_GREETING_SECONDS, silence_seconds=5.0, until="#"
                )
                await attendant.play(Wav(str(path)), until="123")
                key = await attendant.say(_KEEP, until="123") or await attendant.gather(1)
                if key == "1" and said.seconds >= SHORTEST_SECONDS:
                    await self.store.keep_greeting(self.name, situation, path)
                    await attendant.say(_KEPT)
                    return
                if key == "3":
                    await self.store.drop_greeting(self.name, situation)
                    await attendant.say(_KEPT)
                    return
                if key != "2":
                    break
            await attendant.say(_NOT_KEPT)
        finally:
            await self.store.forget(path)
