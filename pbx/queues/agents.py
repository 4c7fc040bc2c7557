"""Those who answer queues: who rings, who rests after letting it ring, who finishes the work of a call.

    free ── rung ──> ringing ──> answered: busy ──> wrap-up ──> free
                        └─ nobody answered ──> resting ──> free
                                └─ `pause_after` times in a row: paused, until the code (or a command) ends it

One agent may answer several queues: all of this is the person's, but for pauses, which may be of one queue.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from dialplan.plan import Plan, Service
from pbx.people.settings import NO_ANSWER, SettingRefused

if TYPE_CHECKING:
    from pbx.exchange import Exchange

REST_SECONDS = 60.0
PAUSE_AFTER = 3  # unanswered calls in a row, where the plan doesn't say
_TOLD = {
    "fr": "Vous êtes en pause, faute de réponse (appels : {calls}). Pour revenir, composez {code}.",
    "en": "You are paused, for lack of an answer (calls: {calls}). To come back, dial {code}.",
}
_TOLD_WITHOUT_CODE = {
    "fr": "Vous êtes en pause, faute de réponse (appels : {calls}).",
    "en": "You are paused, for lack of an answer (calls: {calls}).",
}


class Agents:
    """The agents of one node. Instants are seconds of the driver."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._ringing: set[str] = set()
        self._resting: dict[str, float] = {}
        self._wrapping_up: dict[str, float] = {}
        self._unanswered: Counter[str] = Counter()  # in a row

    def speaking(self) -> set[str]:
        """The people who are in a call, or whose telephone rings."""
        find = self._exchange.devices.find
        return {known.extension for leg in self._exchange.legs() if (known := find(leg.device)) is not None}

    def is_at_work(self, agent: str, service: Service) -> bool:
        """Whether somebody has a telephone here, and hasn't paused."""
        exchange = self._exchange
        kept = exchange.settings.of(agent)
        if kept.do_not_disturb is not None or exchange.settings.paused(agent, service.name) is not None:
            return False
        return bool(exchange.devices.ways_to(agent, exchange.registrations.reachable))

    def state(self, agent: str, service: Service, speaking: set[str]) -> str:
        """What an agent does now: `paused`, `away`, `ringing`, `busy`, `wrap-up`, `resting` or `free`."""
        exchange, now = self._exchange, self._exchange.driver.now
        if exchange.settings.paused(agent, service.name) is not None:
            return "paused"
        if not self.is_at_work(agent, service):
            return "away"
        if agent in self._ringing:
            return "ringing"
        if agent in speaking:
            return "busy"
        if self._wrapping_up.get(agent, 0.0) > now:
            return "wrap-up"
        return "resting" if self._resting.get(agent, 0.0) > now else "free"

    def next_free(self) -> float:
        """When the next one has rested, or ended the work of a call; infinite for nobody."""
        now = self._exchange.driver.now
        self._resting = {agent: until for agent, until in self._resting.items() if until > now}
        self._wrapping_up = {agent: until for agent, until in self._wrapping_up.items() if until > now}
        return min((*self._resting.values(), *self._wrapping_up.values()), default=float("inf"))

    # What happens to them

    def ring(self, agents: list[str]) -> None:
        """They ring from now on."""
        self._ringing.update(agents)

    def stop(self, agents: list[str]) -> None:
        """They ring no more."""
        self._ringing.difference_update(agents)

    def let_ring(self, agents: list[str], service: Service) -> None:
        """They didn't answer: they rest, and are paused when that has happened too often in a row."""
        exchange = self._exchange
        self._resting.update(dict.fromkeys(agents, exchange.driver.now + REST_SECONDS))
        self._unanswered.update(agents)
        most = service.settings.get("pause_after", PAUSE_AFTER)
        assert isinstance(most, int)
        for agent in agents if most else ():
            if self._unanswered[agent] < most:
                continue
            calls = self._unanswered.pop(agent)
            try:
                exchange.settings.pause(agent, service.name, service.name, NO_ANSWER)
            except SettingRefused:
                continue  # somebody of whom the plan knows nothing any more, or a disk that is full
            exchange.messages.notify([agent], _told(exchange.plan, agent, calls))

    def talked(self, agent: str, service: Service) -> None:
        """A conversation of an agent has ended: its work is still to be done."""
        self._unanswered.pop(agent, None)
        seconds = service.settings.get("wrap_up_seconds", 0)
        assert isinstance(seconds, int)
        if seconds:
            self._wrapping_up[agent] = self._exchange.driver.now + seconds

    def comes_back(self, agent: str) -> bool:
        """An agent takes calls: its rest and its wrap-up are over; False where there was none."""
        kept = [self._resting.pop(agent, 0.0), self._wrapping_up.pop(agent, 0.0)]
        self._unanswered.pop(agent, None)
        return max(kept) > self._exchange.driver.now


def _told(plan: Plan, agent: str, calls: int) -> str:
    """What an agent reads on its telephone, in its language."""
    person = plan.people.get(agent)
    language = (person.language if person is not None else "") or plan.language
    codes = [str(feature) for feature in plan.features if feature.name == "resume"]
    texts = _TOLD if codes else _TOLD_WITHOUT_CODE
    return texts[language].format(calls=calls, code=codes[0] if codes else "")
