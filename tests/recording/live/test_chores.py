"""Chores: each in a thread of its own, and what goes wrong in one is told and stops no other."""

from queue import SimpleQueue

from recording.live.chores import Chores, Told
from recording.live.wire import Trouble, TroubleOver


class Sweeping:
    """A chore that says what it is told to, and ends by a fault."""

    every_seconds = 0.0

    def __init__(self, name: str, says: list[list[Told] | Exception]) -> None:
        self.name = name
        self.turns: list[float] = []
        self._says = says

    def turn(self, now: float) -> list[Told]:
        self.turns.append(now)
        said: list[Told] | Exception = self._says.pop(0) if self._says else []
        if isinstance(said, Exception):
            raise said
        return said


def told_by(*chores: Sweeping, count: int) -> list[Told]:
    """The first so many things that they tell."""
    told: SimpleQueue[list[Told]] = SimpleQueue()
    made = Chores(chores, lambda: 12.5, told.put)
    made.start()
    found = [one for _ in range(count) for one in told.get(timeout=30)]
    made.stop(30)
    return found


def test_what_a_chore_finds_is_told_as_it_is_found():
    chore = Sweeping("disk", [[Trouble("disk", "full on Sunday")], [], [TroubleOver("disk")]])
    assert told_by(chore, count=2) == [Trouble("disk", "full on Sunday"), TroubleOver("disk")]
    assert set(chore.turns) == {12.5}


def test_fault_in_a_chore_is_told_and_the_next_turn_is_done():
    chore = Sweeping("copies", [ValueError("a fault of ours")])
    assert told_by(chore, count=2) == [
        Trouble("copies", "ValueError: a fault of ours"),
        TroubleOver("copies"),
    ]


def test_fault_in_one_chore_stops_no_other():
    chores = (
        Sweeping("copies", [ValueError("a fault of ours")]),
        Sweeping("clock", [[], [], [Trouble("clock", "it went back")]]),
    )
    assert Trouble("clock", "it went back") in told_by(*chores, count=3)
