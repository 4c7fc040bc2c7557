"""Who is in a conference room now, and what each of them may do and hears.

A party is moved by its own call's app alone: whoever mutes or expels another one writes it down here and
wakes that call, which then does it. So a wish can't be lost while the party listens to something else.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from media.engine import Wav
from media.tones import Segment, Tone

if TYPE_CHECKING:
    from pbx.calls.attendant import Attendant
    from pbx.calls.call import Call
    from pbx.calls.calling_out import Ourselves

COMES_IN = Tone((Segment(120, (660,)), Segment(120, (880,))))
GOES_OUT = Tone((Segment(120, (880,)), Segment(120, (660,))))
MOST_TOLD = 30  # parties: in a larger room nobody is told who comes and goes
_JOINS = {"fr": "{who} rejoint la salle.", "en": "{who} joins the room."}
_LEAVES = {"fr": "{who} quitte la salle.", "en": "{who} leaves the room."}
MOST_GONE = 20  # whose recorded names are still kept


class Named(NamedTuple):
    """A name as its bearer said it, and what is to be told of them, by language."""

    name: Wav
    text: Mapping[str, str]


News = Tone | Named | Mapping[str, str]
"""What a party is to be told: a tone, or a text by language, perhaps behind somebody's own voice."""


@dataclass(eq=False)
class Party:
    """One who is in a room. who: by language, as the others are told; voice: its name as it said it, or None.

    muted: by itself; silenced: by a moderator. heard: as the engine was told, None before it is in the room.
    expelled: it is to go. news: what it is to be told next.
    """

    attendant: Attendant
    who: Mapping[str, str]
    moderates: bool = False
    muted: bool = False
    silenced: bool = False
    heard: bool | None = None
    voice: Wav | None = None
    expelled: bool = False
    news: deque[News] = field(default_factory=lambda: deque(maxlen=4))

    @property
    def speaks(self) -> bool:
        """Whether the others hear it."""
        return not (self.muted or self.silenced)


@dataclass(eq=False)
class Room:
    """Who is in a room, in the order of coming. waiting: those who wait for a moderator.

    tells: `tones`, `names`, `recorded` or `nothing` of who comes and goes. gone: the recorded names of those
    who have left, which the others may still be told. hushed: who comes in is silenced, moderators apart.
    called: those who are rung for the room. over: all are to go.
    """

    name: str
    title: str
    most: int
    tells: str = "tones"
    parties: dict[Call, Party] = field(default_factory=dict)
    waiting: set[Attendant] = field(default_factory=set)
    called: set[Ourselves] = field(default_factory=set)
    gone: deque[Wav] = field(default_factory=deque)
    locked: bool = False
    hushed: bool = False
    over: bool = False

    @property
    def moderators(self) -> list[Party]:
        """The moderators who are there."""
        return [party for party in self.parties.values() if party.moderates]

    @property
    def is_empty(self) -> bool:
        """Whether nobody is there, nor waits to come in."""
        return not (self.parties or self.waiting or self.rung)

    @property
    def rung(self) -> list[Ourselves]:
        """Those who are being called."""
        return [one for one in self.called if one.ended_at is None and one.answered_at is None]

    def enter(self, call: Call, party: Party) -> None:
        """A party comes in: the others are told so, and moderators let those in who wait."""
        party.silenced = self.hushed and not party.moderates
        self._tell(party, COMES_IN, _JOINS)
        self.parties[call] = party
        if party.moderates:
            for waiting in self.waiting:
                waiting.wake()

    def leave(self, call: Call) -> None:
        """A party has gone: the others are told so. One that isn't there is no error."""
        party = self.parties.pop(call, None)
        if party is not None and not self.over:
            self._tell(party, GOES_OUT, _LEAVES)
        if party is not None and party.voice is not None:
            self.gone.append(party.voice)

    def outdated(self) -> list[Wav]:
        """The recorded names that nobody is told any more; they are forgotten here."""
        kept = MOST_GONE if self.parties else 0
        return [self.gone.popleft() for _ in range(len(self.gone) - kept)]

    def wake(self) -> None:
        """Let everybody look what is to be done."""
        for party in self.parties.values():
            party.attendant.wake()
        for waiting in self.waiting:
            waiting.wake()

    def _tell(self, party: Party, tone: Tone, text: Mapping[str, str]) -> None:
        if self.tells == "nothing" or len(self.parties) > MOST_TOLD:
            return
        news: News = tone
        if self.tells != "tones":
            who = party.who if party.voice is None else {"fr": "", "en": ""}
            told = {name: words.format(who=who[name]).strip() for name, words in text.items()}
            news = told if party.voice is None else Named(party.voice, told)
        for other in self.parties.values():
            if other is not party:
                other.news.append(news)
                other.attendant.wake()
