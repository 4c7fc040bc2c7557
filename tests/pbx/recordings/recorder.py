"""A recorder that keeps what it is told, for tests."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime

from pbx.recordings.client import Recording
from recording.live.wire import Facts, Policy


class FakeRecorder:
    """A `pbx.recordings.following.Recorder` without a process.

    told: what it was told, in order, with the slot of each. facts: of each recording, by slot.
    known: the policies.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.is_well = True
        self.told: list[str] = []
        self.facts: dict[int, Facts] = {}
        self.going: dict[int, Recording] = {}
        self.known: dict[str, Policy] = {}
        self._unclaimed: set[int] = set()
        self._clock = clock
        self._slot = 0
        self._parties: dict[tuple[int, int], str] = {}

    def inventory(self) -> dict[str, int]:
        """What goes on."""
        return {"recordings told": len(self.going)}

    def policies(self, policies: Iterable[Policy]) -> None:
        """See Recorder."""
        self.known = {policy.name: policy for policy in policies}

    def begin(self, facts: Facts) -> Recording:
        """See Recorder."""
        self._slot += 1
        now = self._clock()
        name = f"{datetime.fromtimestamp(now, UTC):%Y%m%d-%H%M%S}-{self._slot:08x}"
        made = self.going[self._slot] = Recording(self._slot, name, int(now * 1e6), facts)
        self.facts[self._slot] = facts
        for_whom = facts.user or facts.line or "trunk"
        self._tell(self._slot, f"begin {facts.policy} ({for_whom}): {facts.caller} to {facts.called}")
        return made

    def restore(self, slot: int, recording: str, began_us: int, facts: Facts) -> Recording:
        """See Recorder."""
        made = self.going[slot] = Recording(slot, recording, began_us, facts)
        self._unclaimed.discard(slot)
        self.facts[slot] = facts
        self._slot = max(self._slot, slot)
        self._tell(slot, f"goes on {facts.policy}")
        return made

    def restored(self) -> None:
        """See Recorder. What nobody claimed is lost."""
        for slot in self._unclaimed:
            self.end(slot, "lost")
        self._unclaimed.clear()

    def lose_signalling(self) -> None:
        """Let the process that told all this be gone."""
        self._unclaimed = set(self.going)

    def track(
        self, slot: int, track: int, party: str, leg: str, codecs: Mapping[str, str], call: str = ""
    ) -> None:
        """See Recorder."""
        assert slot in self.going
        assert 0 <= track < 64
        self._parties[slot, track] = party
        names = " ".join(codecs.values())
        self._tell(slot, f"track {track} {party} {names}".rstrip())

    def left(self, slot: int, track: int) -> None:
        """See Recorder."""
        if slot in self.going:
            self._tell(slot, f"track {track} {self._parties[slot, track]} left")

    def part(self, slot: int, what: str, with_whom: list[str]) -> None:
        """See Recorder."""
        assert slot in self.going
        self._tell(slot, f"{what}: {', '.join(with_whom)}")

    def end(self, slot: int, cause: str) -> None:
        """See Recorder."""
        if self.going.pop(slot, None) is None:
            return  # of a process that is gone
        self._tell(slot, f"end: {cause}")

    def of(self, slot: int) -> list[str]:
        """What was told of one recording, its tracks left out."""
        lines = [line.removeprefix(f"{slot} ") for line in self.told if line.startswith(f"{slot} ")]
        return [line for line in lines if not line.startswith("track ")]

    def tracks(self, slot: int) -> list[str]:
        """What was told of a recording's tracks."""
        beginning = f"{slot} track "
        return [line.removeprefix(beginning) for line in self.told if line.startswith(beginning)]

    def _tell(self, slot: int, what: str) -> None:
        self.told.append(f"{slot} {what}")
