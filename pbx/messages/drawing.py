"""A ladder as text, for a terminal: as those that the tests keep.

1001                      Beffroi                       1002
 |                           |                           |
 |-- INVITE (sdp) ---------->|                           |
"""

from __future__ import annotations

from pbx.messages.ladder import Ladder, Row

COLUMN_WIDTH = 28
_LONGEST_NAME = 24


def drawing_of(ladder: Ladder, *, times: bool = False) -> list[str]:
    """Return a ladder's lines; with times, each message has the seconds since the first one before it."""
    places = {column.name: 2 + number * COLUMN_WIDTH for number, column in enumerate(ladder.columns)}
    start = ladder.rows[0].at if ladder.rows else 0.0
    lines = [_heading(places), _bars(places)]
    lines += [_drawn(row, places) for row in ladder.rows]
    if times:
        stamps = ["", "", *(f"{row.at - start:.3f}" for row in ladder.rows)]
        lines = [f"{stamp:>8}  {line}" for stamp, line in zip(stamps, lines, strict=True)]
    return [line.rstrip() for line in lines]


def _heading(places: dict[str, int]) -> str:
    line = ""
    for name, place in places.items():
        shown = name[:_LONGEST_NAME]
        line = line.ljust(max(0, place + 1 - (len(shown) + 1) // 2)) + shown
    return line


def _bars(places: dict[str, int]) -> str:
    line = ""
    for place in places.values():
        line = line.ljust(place) + "|"
    return line


def _drawn(row: Row, places: dict[str, int]) -> str:
    start, end = places[row.sender], places[row.receiver]
    left, right = min(start, end), max(start, end)
    width = right - left - 1
    label = f" {row.label[: width - 10]} "
    arrow = (
        f"--{label}".ljust(width - 1, "-") + ">" if end > start else "<" + f"{label}--".rjust(width - 1, "-")
    )
    bars = _bars(places)
    return bars[: left + 1] + arrow + bars[right:]
