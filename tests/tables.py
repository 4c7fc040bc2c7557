"""Tables of a document that tests write, or compare with what they found.

A table stands between `<!-- table NAME -->` and `<!-- end -->`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.sim.ladder import WRITE_VARIABLE

INTERWORKING = Path(__file__).parents[1] / "docs" / "interworking.md"


def assert_table(name: str, cells: Mapping[str, Mapping[str, str]], *, path: Path = INTERWORKING) -> None:
    """Compare the document's table with cells[row][column]; AssertionError shows both.

    With BEFFROI_WRITE_LADDERS=1 in the environment the document is written instead, to be reviewed like code.
    """
    before, begin, rest = path.read_text(encoding="utf-8").partition(f"<!-- table {name} -->\n")
    written, end, after = rest.partition("<!-- end -->")
    assert end, f"{path.name} has no place for the table {name}"
    found = _drawn(cells)
    if os.environ.get(WRITE_VARIABLE) == "1":
        path.write_text(before + begin + found + end + after, encoding="utf-8")
        return
    assert found == written, f"{path.name} says otherwise; if it is right, write it with {WRITE_VARIABLE}=1"


def _drawn(cells: Mapping[str, Mapping[str, str]]) -> str:
    columns = list(next(iter(cells.values())))
    lines = [["", *columns], ["---"] * (len(columns) + 1)]
    lines += [[row, *(found[column] for column in columns)] for row, found in cells.items()]
    return "".join(_line(line) for line in lines)


def _line(words: Sequence[str]) -> str:
    return f"| {' | '.join(words)} |\n"
