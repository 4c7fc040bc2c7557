"""Ourselves as the one whom a caller speaks with: a menu, a mailbox, a room's door, an app of one's own.

    attendant = Attendant(call)
    await attendant.answer()
    key = await attendant.say({"fr": "Pour l'accueil, tapez 0.", "en": "For reception, press 0."}, until="0")
    if key:
        await attendant.connect(destination, "my app, key 0")

What the caller's telephone changes meanwhile (hold, another address, another codec) is answered here, so that
an app never sees it. Keys that are pressed while nobody asks for them wait, as they do in every menu.
A caller that hangs up ends the app (LegEnded).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from media import tones
from media.engine import MediaMisuse, MediaRefused, MediaUnavailable, Source
from media.speech import Speech
from pbx.calls.bridge import caller_answer
from pbx.calls.broker import BUSY_SECONDS, MEDIA_REFUSED, NOT_ACCEPTABLE, PATIENCE_SECONDS
from pbx.calls.happenings import (
    Acknowledged,
    Asked,
    Digit,
    Happening,
    LegEnded,
    OfferAnswered,
    Offered,
    OfferRefused,
    Played,
    PortLost,
    Recorded,
    TimeUp,
    TransferAnswered,
    TransferFailed,
    TransferRings,
    Woken,
)
from pbx.calls.transferee import Transferee
from sip.core.session import NORMAL_CLEARING

if TYPE_CHECKING:
    from dialplan.decision import Decision
    from dialplan.plan import Destination
    from pbx.calls.call import Call

LONGEST_PROMPT_SECONDS = 240.0  # longer than any message of a mailbox
LAST_WORD_SECONDS = 2.0  # what the media process has to put a recording on the disk
KEY_SECONDS = 5.0  # for the first key, after the prompt
NEXT_KEY_SECONDS = 4.0
MOST_KEYS_AHEAD = 32
UNHEARD_SECONDS = 2.0  # until a caller that goes on hears ringback, whatever is heard from there


class Attendant:
    """Talks with the caller of a call. Verbs raise LegEnded when it hangs up, MediaUnavailable without an
    engine; `answer` raises MediaRefused where the caller has no codec of ours."""

    __slots__ = ("_caller", "_offer_at", "_offer_until", "_offered", "_pressed", "call")

    def __init__(self, call: Call) -> None:
        self.call = call
        self._caller = call.caller
        self._pressed: deque[str] = deque(maxlen=MOST_KEYS_AHEAD)
        self._offered = b""  # what a caller that came by a transfer is still to be offered
        self._offer_at: float | None = None
        self._offer_until = 0.0

    # What an app says

    async def answer(self) -> None:
        """Take the call; nothing where it is taken already."""
        call, caller, engine = self.call, self._caller, self.call.engine
        if caller.confirmed:
            await self._tell_recorded()
            return
        if call.offer:
            caller.answer(
                await engine.publish(
                    call.id, caller.name, call.offer, nat=caller.behind_nat, advertise=caller.media_address
                )
            )
        else:
            caller.answer(await engine.terminate_offer(call.id, caller.name, advertise=caller.media_address))
            answer = await caller_answer(call)
            await engine.terminate_answer(call.id, caller.name, answer, nat=caller.behind_nat)
        self.go_on()
        await self._tell_recorded()

    async def _tell_recorded(self) -> None:
        """Tell the caller that it is recorded, where the plan wants that."""
        if self.call.recorded:
            for text in self.call.exchange.recordings.to_announce(self.call):
                await self.say(text)

    def go_on(self) -> None:
        """Go on with a caller that is answered: another process did that, or it is told in a moment."""
        caller, now = self._caller, self._now
        self._offered, caller.proposal = caller.proposal, b""
        if self._offered:
            self._offer_at, self._offer_until = now, now + PATIENCE_SECONDS
        self.call.keep()

    async def say(self, texts: Mapping[str, str], *, until: str = "", until_woken: bool = False) -> str:
        """Speak one of the texts, by language: the plan's where it is there. See `play`."""
        language = self.call.language_of(texts)
        return await self.play(Speech(texts[language], language), until=until, until_woken=until_woken)

    async def play(self, source: Source, *, until: str = "", until_woken: bool = False) -> str:
        """Play to the end, or until a key of `until` is pressed: returns that key, "" without one.

        until_woken: `wake` ends it too.
        """
        if key := self._waiting(until):
            return key
        call, name = self.call, self._caller.name
        call.forget_played(self._caller)
        await call.engine.play(call.id, name, source)
        deadline = self._now + LONGEST_PROMPT_SECONDS
        while True:
            match await self.next_happening(deadline - self._now):
                case Played():
                    return ""
                case TimeUp():
                    await call.engine.stop(call.id, name)
                    return ""
                case Woken() if until_woken:
                    await call.engine.stop(call.id, name)
                    return ""
                case Digit() if key := self._waiting(until):
                    await call.engine.stop(call.id, name)
                    return key
                case _:
                    pass

    async def record(self, path: Path, *, seconds: float, silence_seconds: float, until: str) -> Recorded:
        """Record what the caller says, until a key of `until` is pressed, it falls silent, or hangs up.

        A caller that hangs up still raises LegEnded, once the file is on the disk. Raises MediaRefused where
        the engine can't record.
        """
        call, name = self.call, self._caller.name
        self._pressed.clear()
        await call.engine.record(
            call.id, name, str(path), seconds=seconds, silence_seconds=silence_seconds, keys=until
        )
        deadline = self._now + seconds + LAST_WORD_SECONDS
        try:
            while True:
                match await self.next_happening(deadline - self._now):
                    case Recorded() as recorded:
                        self._pressed.clear()  # the key that ended it
                        return recorded
                    case Digit(_, digit) if digit in until:  # by INFO, of which the engine knows nothing
                        await call.engine.stop_recording(call.id, name)
                    case TimeUp():
                        return Recorded(self._caller, "lost", 0.0)
                    case _:
                        pass
        except LegEnded:
            await self._put_on_disk()
            raise

    async def _put_on_disk(self) -> None:
        """The caller has hung up while it was recorded: the file is to be whole before it is told 200."""
        call = self.call
        await call.engine.stop_recording(call.id, self._caller.name)
        deadline = self._now + LAST_WORD_SECONDS
        while self._now < deadline:
            if isinstance(await call.next_happening(deadline - self._now), Recorded | TimeUp):
                return

    async def wait(self, source: Source, seconds: float, *, until: str = "") -> Happening:
        """Play again and again; returns what happens that isn't a key, TimeUp after `seconds`.

        until: keys that are returned as well. Who took the caller out of this call ends it (LegEnded).
        """
        call, name = self.call, self._caller.name
        await call.engine.play(call.id, name, source, repeat=True)
        deadline = self._now + seconds
        while True:
            match await self.next_happening(deadline - self._now):
                case Digit() if not self._waiting(until):
                    pass
                case TransferAnswered():
                    self._taken()
                case happening:
                    await call.engine.stop(call.id, name)
                    return happening

    async def gather(self, most: int, *, seconds: float = KEY_SECONDS, end: str = "#") -> str:
        """Return the keys pressed next: `most` of them, or those before `end`, or before the caller stopped.

        seconds: for the first one; each other has NEXT_KEY_SECONDS. "" when none came.
        """
        keys = ""
        deadline = self._now + seconds
        while True:
            while self._pressed:
                key = self._pressed.popleft()
                if key == end:
                    return keys
                keys += key
                if len(keys) == most:
                    return keys
                deadline = self._now + NEXT_KEY_SECONDS
            if isinstance(await self.next_happening(deadline - self._now), TimeUp):
                return keys

    async def connect(self, to: Destination, rule: str) -> str:
        """Let the caller go on to where a service sends it; `rule` says in the trace what does.

        Returns why nobody took it. It hears ringback meanwhile, and who takes it ends this call (LegEnded).
        """
        return await self.pass_on(self.call.exchange.router.decide_onward(self.call, to, rule))

    async def pass_on(
        self,
        decision: Decision,
        *,
        shown: tuple[str, str] | None = None,
        reached: str = "",
        comes_back: Mapping[str, str] | None = None,
    ) -> str:
        """Let the caller go on where a decision leads. See `connect`.

        shown: the number and the name that it is shown with, where these aren't its own. reached: what the
        record says of who is called (`pbx.records.LegRecord`), where that isn't the service's type.
        comes_back: shown before the name, by language, to who had the caller before.
        """
        call, caller = self.call, self._caller
        payer = call.payer or caller.device
        onward = call.exchange.router.onward(call, caller, decision, payer=payer, shown=shown)
        onward.reached = reached or onward.reached
        if comes_back is not None:
            onward.comes_back = comes_back[onward.language_of(comes_back)]
        waiting = onward.caller
        assert isinstance(waiting, Transferee)
        return await self.until_taken(waiting)

    async def until_taken(self, waiting: Transferee) -> str:
        """Let the caller wait as a party of another call; see `connect`."""
        call, caller = self.call, self._caller
        patience: float | None = UNHEARD_SECONDS
        try:
            while True:
                match await self.next_happening(patience):
                    case TransferRings() | TimeUp():  # in silence it would think that it was lost
                        patience = None
                        with suppress(MediaMisuse):  # it was taken over in this moment
                            await call.engine.play(call.id, caller.name, tones.RINGBACK, repeat=True)
                    case TransferAnswered():
                        self._taken()
                    case TransferFailed(_, _, cause):
                        await call.engine.stop(call.id, caller.name)
                        return cause
                    case _:
                        pass
        finally:
            waiting.gone(NORMAL_CLEARING)  # if it still waits

    def wake(self) -> None:
        """Let `wait` return at once."""
        self.call.post(Woken())

    def next_key(self) -> str:
        """The first key that waits, "" for none."""
        return self._pressed.popleft() if self._pressed else ""

    def forget_keys(self) -> None:
        """What was pressed so far means nothing to those who ask for keys later."""
        self._pressed.clear()

    def hang_up(self, cause: str) -> None:
        """End the call."""
        self.call.cause = cause
        self._caller.hang_up(cause)

    # What happens

    async def next_happening(self, seconds: float | None = None) -> Happening:
        """Wait for what happens next beside the caller's media; TimeUp after `seconds`.

        A key is kept for `gather` and the like, and told.
        """
        until = None if seconds is None else self._now + seconds
        while True:
            due = [at for at in (until, self._offer_at) if at is not None]
            happening = await self.call.next_happening(max(min(due) - self._now, 0.0) if due else None)
            if isinstance(happening, TimeUp):
                self._offer_when_due()
                if until is not None and self._now >= until:
                    return happening
                continue
            if isinstance(happening, Asked):
                await happening.carry_out(self)
                continue
            if isinstance(happening, Woken) or happening.leg is not self._caller:
                return happening
            match happening:
                case Offered(_, body):
                    await self._change(body)
                case Acknowledged(_, body) | OfferAnswered(_, body):
                    await self._described(body)
                case OfferRefused(_, _, retry_seconds):
                    self._offer_again(retry_seconds)
                case PortLost():
                    await self._renew()
                case Digit(_, digit):
                    self._pressed.append(digit)
                    return happening
                case _:
                    return happening

    def _taken(self) -> NoReturn:
        """The caller has gone on in another call."""
        self.call.cause = "transferred"
        raise LegEnded(self._caller, NORMAL_CLEARING)

    def _waiting(self, wanted: str) -> str:
        """The first key that waits, where it is one of those wanted; others before it were mistaken."""
        while wanted and self._pressed:
            key = self._pressed.popleft()
            if key in wanted:
                return key
        return ""

    # The caller's media

    def _offer_when_due(self) -> None:
        if self._offer_at is None or self._now < self._offer_at:
            return
        if self._caller.may_offer:
            self._offer_at = None
            self._caller.offer(self._offered)
        else:
            self._offer_at = self._now + BUSY_SECONDS

    def _offer_again(self, retry_seconds: float | None) -> None:
        if retry_seconds is None or self._now + retry_seconds > self._offer_until:
            self.call.cause = MEDIA_REFUSED  # it goes on sending to where it was
            raise LegEnded(self._caller, NOT_ACCEPTABLE)
        self._offer_at = self._now + retry_seconds

    async def _change(self, body: bytes) -> None:
        """The caller holds, resumes, moves or asks for our offer: answer it, and go on."""
        call, caller, engine = self.call, self._caller, self.call.engine
        try:
            if body:
                answer = await engine.publish(
                    call.id, caller.name, body, nat=caller.behind_nat, advertise=caller.media_address
                )
            else:
                answer = await engine.terminate_offer(call.id, caller.name, advertise=caller.media_address)
        except MediaRefused as refused:
            caller.refuse_offer(refused.status)
            return
        caller.accept_offer(answer)
        call.keep()

    async def _renew(self) -> None:
        """The caller's port is gone: it is offered another one."""
        call, caller, engine = self.call, self._caller, self.call.engine
        with suppress(MediaRefused, MediaUnavailable):  # none is left: it hears nothing
            await engine.renew(call.id, caller.name)
            self._offered = await engine.terminate_offer(call.id, caller.name, advertise=caller.media_address)
            self._offer_at, self._offer_until = self._now, self._now + PATIENCE_SECONDS

    async def _described(self, body: bytes) -> None:
        """The caller answered an offer of ours; one that says nothing usable leaves all as it was."""
        call, caller = self.call, self._caller
        if not body:
            return
        with suppress(MediaRefused):
            await call.engine.terminate_answer(call.id, caller.name, body, nat=caller.behind_nat)
            call.keep()

    @property
    def _now(self) -> float:
        return self.call.exchange.driver.now
