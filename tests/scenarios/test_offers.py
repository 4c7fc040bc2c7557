"""What a party does while its peer is in some state: every cell of docs/offers.md, from both sides of a call.

RFC 3261 section 14, RFC 3264 section 8, RFC 3311 section 5, RFC 6337. After each cell what either party said
last is what the engine knows of it, and each sends only where and what it may.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scenarios.offers import COLUMNS, ROWS, play, read_table
from tests.sim.world import World, scenario

PAGE = (Path(__file__).parents[2] / "docs" / "offers.md").read_text(encoding="utf-8")
CARRIED = read_table(PAGE, "the engine carries the sound")
PASSED = read_table(PAGE, "the sound flows between the parties")


def test_the_table_has_every_pair() -> None:
    assert set(CARRIED) == {(row, column) for row in ROWS for column in COLUMNS}
    assert {row for row, _ in PASSED} == set(ROWS)


@pytest.mark.parametrize("side", ["caller", "callee"])
@pytest.mark.parametrize(("row", "column"), CARRIED, ids=" / ".join)
@scenario()
async def test_what_a_party_does_comes_out_as_the_table_says(
    world: World, row: str, column: str, side: str
) -> None:
    outcome = await play(world, row, column, callee=side == "callee", engine="fake")
    assert outcome == CARRIED[row, column]


@pytest.mark.parametrize(("row", "column"), PASSED, ids=" / ".join)
@scenario()
async def test_without_an_engine_every_change_reaches_the_other_party(
    world: World, row: str, column: str
) -> None:
    outcome = await play(world, row, column, callee=False, engine="passthrough")
    assert outcome == PASSED[row, column]
