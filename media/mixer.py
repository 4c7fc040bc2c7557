"""Conferences: every room of one rate mixed in one tick of 20 ms, each party hearing all but itself.

The parties that say something in a tick are the rows of one matrix, those of a room side by side, so that
a tick is a handful of numpy operations: the rooms' sums, then each row's sum less itself. All who say
nothing hear their room's sum. Sums have 32 bits and don't overflow; what is louder than a phone can say is
bent into its range, not cut.

```
    put(frame) ─┐                           ┌─> heard(): the room less oneself
    put(frame) ─┼─> gain, mute ─> room sum ─┼─> heard()
    put(frame) ─┘                           └─> heard(): … and what is whispered to this one alone
```
Who listens without being heard (a supervisor) is a muted party; who whispers is heard by one party.
"""

from collections import Counter
from functools import cache
from itertools import accumulate
from typing import Final

import numpy as np
import numpy.typing as npt

from media.g711 import Samples

FRAME_MS: Final = 20
LOUDEST_GAIN_DB: Final = 18.0

_UNITY: Final = 256  # of a gain, as a whole number
_KNEE: Final = 24_000  # below, sound is what it is
_LIMIT: Final = 32_767
_LOUDEST: Final = 1 << 17  # four voices at their loudest at once; what is beyond sounds the same
_LEVEL_EACH_TICKS: Final = 4  # how often levels are measured: every 80 ms
_SMOOTHING: Final = 0.4  # of a level, each time
_SPEAKING_LEVEL: Final = 200.0  # root mean square of 16-bit samples, -44 dBov
_LOUDER: Final = 2.0  # than the one who speaks: 6 dB to take over

_Wide = npt.NDArray[np.int32]


class MixerError(ValueError):
    """A party that isn't there, or not where it would have to be."""


class Party:
    """One leg in a room, made by `Mixer.join` and changed by the mixer's verbs alone."""

    __slots__ = ("gain_db", "muted", "room", "row", "whispers_to")

    def __init__(self, room: str) -> None:
        self.room = room
        self.row = -1  # of the matrices; changes when others come and go, -1 once it has left
        self.muted = False
        self.gain_db = 0.0
        self.whispers_to: Party | None = None

    @property
    def is_heard(self) -> bool:
        """Whether what the party says is in the room's sound."""
        return not self.muted and self.whispers_to is None


class Mixer:
    """All rooms whose sound has `rate` samples a second.

    A tick: every party's frame is `put`, then `tick()`, then every party's `heard` is sent. Who puts
    nothing is silent.
    """

    def __init__(self, rate: int = 8000) -> None:
        self.frame_samples = rate * FRAME_MS // 1000
        self._silence: Samples = np.zeros(self.frame_samples, np.int16)
        self._rooms: dict[str, list[Party]] = {}
        self._speakers: dict[str, Party] = {}
        self._ticks = 0
        self._levels = np.zeros(0, np.float32)
        self._arrange()

    # --- who is there --------------------------------------------------------

    def join(self, room: str, *, muted: bool = False) -> Party:
        """Return a new party of the room, which is made when nobody is in it."""
        party = Party(room)
        party.muted = muted
        self._rooms.setdefault(room, []).append(party)
        self._arrange()
        return party

    def leave(self, party: Party) -> None:
        """Take a party out; whoever whispered to it is heard by nobody. Raises MixerError if it has left."""
        self._check(party)
        parties = self._rooms[party.room]
        parties.remove(party)
        for other in parties:
            if other.whispers_to is party:
                other.whispers_to, other.muted = None, True
        if not parties:
            del self._rooms[party.room]
        if self._speakers.get(party.room) is party:
            del self._speakers[party.room]
        party.row = -1
        self._arrange()

    def parties(self, room: str) -> list[Party]:
        """Return who is in the room, in order of arrival."""
        return list(self._rooms.get(room, ()))

    def mute(self, party: Party, *, muted: bool) -> None:
        """Let the room hear the party, or not. Raises MixerError if it has left."""
        self._check(party)
        if party.muted != muted:
            party.muted = muted
            self._note_gains()

    def set_gain(self, party: Party, gain_db: float) -> None:
        """Make the party louder or softer for all others, at most LOUDEST_GAIN_DB. Raises MixerError."""
        self._check(party)
        party.gain_db = min(LOUDEST_GAIN_DB, gain_db)
        self._note_gains()

    def whisper(self, party: Party, to: Party | None) -> None:
        """Let one party of the same room alone hear this one; None: all again. Raises MixerError."""
        self._check(party)
        if to is not None:
            self._check(to)
            if to is party or to.room != party.room:
                raise MixerError("whispers go to another party of the same room")
        if party.whispers_to is not to:
            party.whispers_to = to
            self._note_gains()

    def _check(self, party: Party) -> None:
        if party not in self._rooms.get(party.room, ()):
            raise MixerError("a party that has left")

    def _arrange(self) -> None:
        """Give each party its row, room after room."""
        everybody = [party for parties in self._rooms.values() for party in parties]
        sizes = [len(parties) for parties in self._rooms.values()]
        levels = np.zeros(len(everybody), np.float32)
        for row, party in enumerate(everybody):
            if party.row >= 0:
                levels[row] = self._levels[party.row]
            party.row = row
        self._everybody = everybody
        self._levels = levels
        self._starts = np.cumsum([0, *sizes[:-1]]) if sizes else np.zeros(0, np.intp)
        self._room_of = [party.room for party in everybody]
        self._said: dict[int, Samples] = {}  # by row, for the next tick
        self._places: dict[int, int] = {}  # of rows that said something, in `_mixes`
        self._mixes: Samples = self._silence[np.newaxis]  # what these hear of the last tick
        self._totals: dict[str, int] = {}  # where in these is what all others hear, by room
        self._note_gains()

    def _note_gains(self) -> None:
        """Note the rows that are not simply heard by their room."""
        changed = [party for party in self._everybody if party.muted or party.gain_db]
        self._gains = {
            party.row: 0 if party.muted else round(_UNITY * 10 ** (party.gain_db / 20)) for party in changed
        }
        self._whispers = [(one.row, one.whispers_to.row) for one in self._everybody if one.whispers_to]

    # --- a tick --------------------------------------------------------------

    def put(self, party: Party, samples: Samples) -> None:
        """Give the party's frame for the next tick, of `frame_samples` samples."""
        self._said[party.row] = samples

    def tick(self) -> None:
        """Mix what was put; what is not put again is silence in the next tick."""
        if not self._everybody:
            return
        said, self._said = self._said, {}
        whispers = [(one, to) for one, to in self._whispers if one in said]
        for _, to in whispers:
            said.setdefault(to, self._silence)  # who hears more than the room has a row of its own
        rows = sorted(said)  # room after room
        sound = _joined([said[row] for row in rows]) if rows else self._silence[np.newaxis].astype(np.int32)
        if self._ticks % _LEVEL_EACH_TICKS == 0:
            self._measure(rows, sound)
        self._ticks += 1
        self._places = {row: place for place, row in enumerate(rows)}
        self._totals = self._mix(rows, sound, whispers) if rows else {}

    def _mix(self, rows: list[int], sound: _Wide, whispers: list[tuple[int, int]]) -> dict[str, int]:
        """Make what is heard of these rows' sound, which is changed. whispers: from row to row.

        Returns the places of the rooms' sums, which are behind the rows.
        """
        places = self._places
        for row in self._gains.keys() & places.keys():
            sound[places[row]] = sound[places[row]] * self._gains[row] >> 8
        whispered = [(places[to], sound[places[one]].copy()) for one, to in whispers]
        for one, _ in whispers:
            sound[places[one]] = 0
        counts = Counter([self._room_of[row] for row in rows])
        starts = list(accumulate(counts.values(), initial=0))[:-1]
        totals = np.add.reduceat(sound, starts, axis=0)
        # What is heard takes the place of what was said: the room less oneself.
        np.subtract(totals.repeat(list(counts.values()), axis=0), sound, out=sound)
        for place, whisper in whispered:
            sound[place] += whisper
        self._mixes = bent(np.concatenate((sound, totals)))
        return {room: len(rows) + place for place, room in enumerate(counts)}

    def heard(self, party: Party) -> Samples:
        """Return what the party hears of the last tick. The next tick makes another array."""
        place = self._places.get(party.row, -1)
        if place < 0:
            place = self._totals.get(party.room, -1)
        heard: Samples = self._mixes[place] if place >= 0 else self._silence
        return heard

    # --- who speaks ----------------------------------------------------------

    def _measure(self, rows: list[int], sound: _Wide) -> None:
        now = np.zeros_like(self._levels)
        if rows:
            size = sound.astype(np.float32)
            now[rows] = np.sqrt(np.einsum("ij,ij->i", size, size) / self.frame_samples)
        self._levels += _SMOOTHING * (now - self._levels)
        levels = self._levels.copy()
        levels[[party.row for party in self._everybody if party.muted or party.whispers_to]] = 0.0
        loudest = np.maximum.reduceat(levels, self._starts)
        for (room, parties), level, start in zip(self._rooms.items(), loudest, self._starts, strict=True):
            if level < _SPEAKING_LEVEL:
                continue  # in a pause, who spoke last is still who speaks
            speaker = self._speakers.get(room)
            if speaker is None or level > _LOUDER * levels[speaker.row]:
                self._speakers[room] = parties[int(np.argmax(levels[start : start + len(parties)]))]

    def speaker(self, room: str) -> Party | None:
        """Return who speaks in the room, or spoke last; None before anybody did."""
        return self._speakers.get(room)

    def level(self, party: Party) -> float:
        """Return how loud the party is, root mean square of 16-bit samples.

        Of a muted one too: it can be told that it speaks and nobody hears it.
        """
        return float(self._levels[party.row])


def _joined(frames: list[Samples]) -> _Wide:
    """Return frames as the rows of one matrix."""
    return np.concatenate(frames, dtype=np.int32).reshape(len(frames), -1)


def bent(sound: _Wide) -> Samples:
    """Return rows of sound in 16 bits; beyond 24,000 it approaches 32,767 without an edge."""
    if sound.max() <= _KNEE and sound.min() >= -_KNEE:
        return sound.astype(np.int16)
    return _bend_table().take(sound + _LOUDEST, mode="clip")


@cache
def _bend_table() -> Samples:
    """Return what becomes of -_LOUDEST, -_LOUDEST + 1, … _LOUDEST - 1."""
    sound = np.arange(-_LOUDEST, _LOUDEST, dtype=np.float64)
    size = np.abs(sound)
    over = np.maximum(size - _KNEE, 0) / (_LIMIT - _KNEE)
    # The slope is 1 at the knee and falls to 0: x / (1 + x).
    bend = np.minimum(size, _KNEE) + (_LIMIT - _KNEE) * over / (1 + over)
    table: Samples = np.rint(np.sign(sound) * bend).astype(np.int16)
    return table
