"""A figure: one measured number of one program, and the ways to show a list of them.

A goal belongs to Beffroi alone; a peer's figure has neither goal nor `met`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from rich.table import Table

BEFFROI = "beffroi"
Better = Literal["lower", "higher"]


class Meaning(NamedTuple):
    """What a figure of a given name is, whoever it is measured on."""

    title: str
    unit: str
    better: Better
    goal: float | None = None


@dataclass(frozen=True, slots=True)
class Figure:
    """`value` is None when it could not be measured: a goal is then not met."""

    name: str
    value: float | None
    meaning: Meaning
    peer: str = BEFFROI

    @property
    def goal(self) -> float | None:
        """The number to reach, in the figure's unit; None for a peer or where there is no goal."""
        return self.meaning.goal if self.peer == BEFFROI else None

    @property
    def met(self) -> bool | None:
        """Whether the goal is reached; None where there is no goal."""
        if self.goal is None:
            return None
        if self.value is None:
            return False
        return self.value <= self.goal if self.meaning.better == "lower" else self.value >= self.goal

    def as_json(self) -> dict[str, object]:
        """The figure as `scripts/bench --json` prints it."""
        return {
            "name": self.name,
            "value": self.value,
            "unit": self.meaning.unit,
            "goal": self.goal,
            "better": self.meaning.better,
            "met": self.met,
            "peer": self.peer,
        }


def in_words(value: float | None) -> str:
    """A number with as many decimals as its size deserves; a dash for one that could not be measured."""
    if value is None:
        return "–"
    if abs(value) >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 1 else f"{value:.2f}"


def ratio_in_words(ours: float | None, theirs: float | None) -> str:
    """How many times ours a peer's value is: `×2.0` says that the peer's number is twice ours."""
    if ours is None or theirs is None or ours == 0:
        return ""
    return f"×{theirs / ours:.2f}"


def table(figures: Iterable[Figure], meanings: Mapping[str, Meaning]) -> Table:
    """One row for each name, Beffroi's value and goal first, then every peer's value and ratio to ours."""
    values = {(figure.name, figure.peer): figure for figure in figures}
    peers = list(dict.fromkeys(peer for _, peer in values if peer != BEFFROI))
    out = Table()
    out.add_column("figure")
    out.add_column("unit")
    for heading in (BEFFROI, "goal", "met", *(column for peer in peers for column in (peer, "ratio"))):
        out.add_column(heading, justify="right")
    for name, meaning in meanings.items():
        if not any(name == measured for measured, _ in values):
            continue
        ours = values.get((name, BEFFROI))
        goal = (
            ""
            if meaning.goal is None
            else f"{'≤' if meaning.better == 'lower' else '≥'} {in_words(meaning.goal)}"
        )
        met = "" if ours is None or ours.met is None else "yes" if ours.met else "NO"
        row = [meaning.title, meaning.unit, in_words(ours.value) if ours else "", goal, met]
        for peer in peers:
            theirs = values.get((name, peer))
            row += [in_words(theirs.value) if theirs else ""]
            row += [ratio_in_words(ours.value if ours else None, theirs.value if theirs else None)]
        out.add_row(*row)
    return out
