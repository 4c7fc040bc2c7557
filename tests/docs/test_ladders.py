"""What a page shows of a call is what the scenarios hold: the same ladders, the same places in the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.markdown import blocks, pages, text_of
from tests.tools.places import ROOT

LADDERS = Path("tests", "scenarios", "ladders")
SHOWN = [
    (page, block)
    for page in pages()
    for block in blocks(text_of(page))
    if block.language == "text" and block.name
]
# A file of ours that a page links to, and right after it the name of something in it.
_PLACE = re.compile(r"\]\((?P<path>[\w./]+\.py)\) `(?P<name>\w+)`")


@pytest.mark.parametrize(("page", "block"), SHOWN, ids=lambda value: str(getattr(value, "name", value)))
def test_a_shown_ladder_is_the_golden_one(page: Path, block) -> None:
    assert block.body == (ROOT / LADDERS / f"{block.name}.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", ["README.md", "docs/architecture.md"])
def test_the_first_pages_show_a_call(page: str) -> None:
    assert (Path(page), "internal-call") in [(shown, block.name) for shown, block in SHOWN]


@pytest.mark.parametrize("page", pages(), ids=str)
def test_what_a_page_names_in_a_file_is_defined_there(page: Path) -> None:
    gone = []
    for path, name in _PLACE.findall(text_of(page)):
        code = ((ROOT / page).parent / path).read_text(encoding="utf-8")
        if not re.search(rf"^\s*(async def|def|class) {name}\b", code, re.MULTILINE):
            gone.append(f"{path}: {name}")
    assert gone == []


def test_the_journey_names_places_in_the_code() -> None:
    assert len(_PLACE.findall(text_of(Path("docs/architecture.md")))) > 10
