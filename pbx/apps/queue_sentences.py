"""What one who waits in a queue is told, and when: its place, how long it may take, messages, call-backs."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf

from dialplan.plan import Announcement, CallBack
from pbx.apps.group import NOBODY
from pbx.apps.spoken import spoken_number
from pbx.calls.call import Call
from pbx.queues.estimate import spoken_wait
from pbx.queues.place import Place

EVERY_SECONDS = 30
_PLACE = {"fr": "Vous êtes le numéro {place} dans la file.", "en": "You are number {place} in the queue."}
_NEXT = {"fr": "Vous êtes le prochain.", "en": "You are next."}
_CALL_BACK = {
    "fr": "Pour raccrocher et être rappelé sans perdre votre tour, tapez {key}.",
    "en": "To hang up and be called back in your turn, press {key}.",
}
_CONFIRMATION = {
    "fr": "Nous vous rappellerons au {number}. Pour confirmer, tapez 1.",
    "en": "We will call you back on {number}. To confirm, press 1.",
}
_NOTED = {
    "fr": "C'est noté : vous gardez votre tour et nous vous rappelons. Au revoir.",
    "en": "You keep your turn, and we will call you back. Goodbye.",
}


class Sentences:
    """Of one caller, in its language: the queue's, else the caller's own."""

    def __init__(self, call: Call, place: Place) -> None:
        self._call = call
        self._place = place
        settings = place.service.settings
        language = settings.get("language")
        self._language = language if isinstance(language, str) else call.language_of(_NEXT)
        announced, messages = settings.get("announce"), settings.get("messages", ())
        self._announced = (
            announced if isinstance(announced, Announcement) else Announcement(False, EVERY_SECONDS)
        )
        assert isinstance(messages, tuple)
        self._messages = [one for one in messages if isinstance(one, Mapping)]
        self._told = 0
        self._tell_at = self._offer_at = inf
        self.key = ""  # by which it asks to be called back, once that was offered

    def begin(self) -> None:
        """It waits from now on."""
        now, call_back = self._now, self._place.service.settings.get("callback")
        if self._announced.position or self._announced.wait or self._messages:
            self._tell_at = now + self._announced.every_seconds
        may_be_called = self._call.exchange.queues.call_backs.may_be_called
        shown = self._call.from_number and not self._call.hidden
        if isinstance(call_back, CallBack) and shown and may_be_called(self._place):
            self._offer_at = now + call_back.after_seconds

    @property
    def due(self) -> float:
        """When something is to be said next, in seconds of the driver."""
        return min(self._tell_at, self._offer_at)

    def next(self) -> Mapping[str, str]:
        """What is to be said now."""
        now, said = self._now, []
        call_back = self._place.service.settings.get("callback")
        if now >= self._offer_at and isinstance(call_back, CallBack):
            self._offer_at, self.key = inf, call_back.key
        if now >= self._tell_at:
            self._tell_at = now + self._announced.every_seconds
            said += self._where()
            if self._messages:
                said.append(self._in_language(self._messages[self._told % len(self._messages)]))
                self._told += 1
        if self.key:
            said.append(_CALL_BACK[self._language].format(key=self.key))
        return {self._language: " ".join(said)}

    def _where(self) -> list[str]:
        queues, said = self._call.exchange.queues, []
        before = queues.before(self._place)
        if self._announced.position:
            said.append(_PLACE[self._language].format(place=before + 1) if before else _NEXT[self._language])
        if self._announced.wait and (seconds := queues.wait_seconds(self._place)) is not None:
            said.append(spoken_wait(seconds)[self._language])
        return said

    @property
    def greeting(self) -> Mapping[str, str]:
        """The queue's own; empty without one."""
        texts = self._place.service.texts("greeting")
        return {self._language: texts[self._language]} if self._language in texts else texts

    @property
    def confirmation(self) -> Mapping[str, str]:
        """The number that would be called back."""
        number = spoken_number(self._place.number, self._call.plan.country, self._language)
        return {self._language: _CONFIRMATION[self._language].format(number=number)}

    @property
    def noted(self) -> Mapping[str, str]:
        """It will be called back."""
        return {self._language: _NOTED[self._language]}

    @property
    def nobody(self) -> Mapping[str, str]:
        """Nobody answers, and there is nowhere else to go."""
        return {self._language: NOBODY[self._language]}

    def _in_language(self, texts: Mapping[str, str]) -> str:
        return texts.get(self._language) or texts[self._call.language_of(texts)]

    @property
    def _now(self) -> float:
        return self._call.exchange.driver.now
