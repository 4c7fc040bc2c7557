"""What a browser loads before it shows the first page: the promise of 150 kB."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

PAGES = Path(sys.prefix) / "pages"
MOST_BYTES = 150_000


def reached_from(name: str, found: set[str]) -> set[str]:
    """A script and all that it imports at once, by name."""
    if name not in found:
        found.add(name)
        text = (PAGES / "assets" / name).read_text(encoding="utf-8")
        for other in re.findall(r"""(?:from|import)\s*["']\./([\w-]+\.js)["']""", text):
            reached_from(other, found)
    return found


def first_script() -> str:
    index = (PAGES / "index.html").read_text(encoding="utf-8")
    script: str
    (script,) = re.findall(r'<script type="module"[^>]* src="/assets/([\w-]+\.js)"', index)
    return script


@pytest.mark.parametrize("page", ["Home", "SignIn"])
def test_the_first_page_weighs_less_than_150_kb_of_compressed_script(page: str) -> None:
    first = first_script()
    (of_page,) = [path.name for path in (PAGES / "assets").glob(f"{page}-*.js")]
    assert of_page in (PAGES / "assets" / first).read_text(encoding="utf-8"), "the first script loads it"
    scripts = reached_from(of_page, reached_from(first, set()))
    weights = {name: (PAGES / "assets" / f"{name}.br").stat().st_size for name in scripts}
    assert 50_000 < sum(weights.values()) < MOST_BYTES, weights


def test_nothing_is_inline_and_nothing_comes_from_elsewhere() -> None:
    index = (PAGES / "index.html").read_text(encoding="utf-8")
    assert re.findall(r"<style|style=|<script(?![^>]*\ssrc=)|https?://", index) == []
    assert re.findall(r'(?:src|href)="([^"]*)"', index)
    assert all(re.match("/(?!/)", link) for link in re.findall(r'(?:src|href)="([^"]*)"', index))
