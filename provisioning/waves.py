"""Telephones that are to do something, a few at a time: fetch their settings, start anew, load firmware.

    wave = Waves(macs, size=20)
    for mac in wave.due(now, busy, away): notify(mac)
    wave.back(mac, now)                             it has done what it was asked

    waiting ──> asked ──> back
       │          └─────> lost      not back in time: too many of these stop everything
       └────────────────> away      not there now: it does it by itself when it comes back

At most `size` are asked at once; a telephone in a call waits for its call's end. When too many of the last
`size` don't come back everything stops, and says so: a setting that harms telephones has then harmed one wave
of them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

State = Literal["waiting", "asked", "back", "lost", "away"]

BACK_SECONDS: Final = 300.0
"""How long one may take that fetches its settings or starts anew."""
FIRMWARE_SECONDS: Final = 1200.0
"""How long one may take that loads firmware: some write it twice, and start anew in between."""
MOST_LOST_SHARE: Final = 0.1


@dataclass(frozen=True, slots=True)
class Member:
    """What has become of one telephone. asked_at, settled_at: Unix seconds, 0.0 for not yet."""

    state: State = "waiting"
    asked_at: float = 0.0
    settled_at: float = 0.0


class Waves:
    """What has become of each telephone. stopped: why no more are asked, "" while all goes well.

    back_seconds: how long one may take.
    """

    def __init__(self, macs: Iterable[str], size: int, back_seconds: float = BACK_SECONDS) -> None:
        """Raises ValueError for waves of nobody."""
        if size < 1:
            raise ValueError("a wave has at least one telephone")
        self.size = size
        self.back_seconds = back_seconds
        self.members: dict[str, Member] = dict.fromkeys(macs, Member())
        self.stopped = ""

    @classmethod
    def restored(cls, members: Mapping[str, Member], size: int, back_seconds: float) -> Waves:
        """Waves that were written down, as they were."""
        made = cls((), size, back_seconds)
        made.members.update(members)
        return made

    @property
    def states(self) -> dict[str, State]:
        """Each telephone's state."""
        return {mac: member.state for mac, member in self.members.items()}

    @property
    def over(self) -> bool:
        """Whether nobody is asked any more, and nobody is waited for."""
        open_states = ("asked",) if self.stopped else ("waiting", "asked")
        return not any(member.state in open_states for member in self.members.values())

    def due(self, now: float, busy: Collection[str], away: Collection[str] = ()) -> list[str]:
        """Whom to ask now, none of whom is `busy`; they count as asked, and who is `away` as that."""
        self.give_up(now)
        if self.stopped:
            return []
        free = self.size - sum(member.state == "asked" for member in self.members.values())
        chosen: list[str] = []
        for mac, member in self.members.items():
            if member.state != "waiting" or mac in busy:
                continue
            if mac in away:
                self.members[mac] = Member("away", 0.0, now)
            elif len(chosen) < free:
                self.members[mac] = Member("asked", now)
                chosen.append(mac)
        return chosen

    def not_told(self, mac: str, state: Literal["waiting", "away"], now: float) -> None:
        """One that was due couldn't be told: a call began, or it has gone."""
        self.members[mac] = Member() if state == "waiting" else Member("away", 0.0, now)

    def back(self, mac: str, now: float) -> None:
        """A telephone has done it. One that wasn't asked is no error."""
        member = self.members.get(mac)
        if member is not None and member.state == "asked":
            self.members[mac] = Member("back", member.asked_at, now)

    def give_up(self, now: float) -> None:
        """Count those as lost that take too long; stop where they are too many."""
        for mac, member in self.members.items():
            if member.state == "asked" and now - member.asked_at >= self.back_seconds:
                self.members[mac] = Member("lost", member.asked_at, now)
        settled = [member for member in self.members.values() if member.state in ("back", "lost")]
        latest = sorted(settled, key=lambda member: member.settled_at)[-self.size :]
        lost = sum(member.state == "lost" for member in latest)
        if lost > max(1, int(self.size * MOST_LOST_SHARE)) or (lost and lost == len(self.members)):
            why = "1 telephone didn't come back" if lost == 1 else f"{lost} telephones didn't come back"
            self.stopped = self.stopped or why
