"""The pictures of the pages: taken from the real program, and nothing in them comes from elsewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from scripts.page_pictures import PICTURES
from tests.docs.markdown import pages, prose, text_of
from tests.tools.places import ROOT

IMAGES = sorted((ROOT / "docs" / "images").glob("*.svg"))
PHOTOGRAPHS = sorted((ROOT / "docs" / "images").glob("*.png"))
SVG = "{http://www.w3.org/2000/svg}"


def words_of(picture: str) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(picture).iter(f"{SVG}text")]


@pytest.mark.parametrize("image", IMAGES, ids=lambda image: image.name)
def test_a_picture_loads_nothing(image: Path) -> None:
    text = image.read_text(encoding="utf-8").replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert re.findall(r"https?://|href|@import|url\(|<script", text) == []


@pytest.mark.parametrize("image", PHOTOGRAPHS, ids=lambda image: image.name)
def test_a_photograph_is_small_and_says_nothing_but_what_is_seen(image: Path) -> None:
    data = image.read_bytes()
    kinds, place = set(), 8
    while place < len(data):
        size = int.from_bytes(data[place : place + 4])
        kinds.add(data[place + 4 : place + 8])
        place += size + 12
    assert len(data) < 200_000
    assert kinds <= {b"IHDR", b"PLTE", b"IDAT", b"IEND", b"sRGB", b"pHYs"}


def test_every_photograph_is_taken_by_the_command_and_every_one_taken_is_there() -> None:
    taken = {f"{picture.name}.png" for picture in PICTURES}
    assert taken == {photograph.name for photograph in PHOTOGRAPHS}
    assert {picture.language for picture in PICTURES} == {"fr", "en"}


@pytest.mark.parametrize("image", [*IMAGES, *PHOTOGRAPHS], ids=lambda image: image.name)
def test_a_picture_is_shown_with_words_for_those_who_do_not_see_it(image: Path) -> None:
    shown = [
        words
        for page in pages()
        for words, path in re.findall(r"!\[([^\]]*)\]\(([^)]+)\)", prose(text_of(page)))
        if ((ROOT / page).parent / path).resolve() == image
    ]
    assert shown
    assert all(len(words) > 20 for words in shown)


def test_the_pictured_call_was_heard_both_ways() -> None:
    words = words_of((ROOT / "docs" / "images" / "demo-call.svg").read_text(encoding="utf-8"))
    assert {"1001 heard 1000 Hz", "1002 heard 440 Hz", "completed"} <= set(words)


def photograph(picture: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """scripts/terminal_picture.py with a command."""
    script = ROOT / "scripts" / "terminal_picture.py"
    return subprocess.run(
        [sys.executable, str(script), str(picture), *command], capture_output=True, text=True, timeout=60
    )


def test_a_picture_has_the_colours_and_the_places_of_the_words(tmp_path: Path) -> None:
    picture = tmp_path / "picture.svg"
    photograph(picture, "printf", r"  \033[1;32mgood <call>\033[0m  end\n")
    green, plain = ElementTree.fromstring(picture.read_text()).iter(f"{SVG}text")
    assert (green.text, plain.text) == ("good <call>", "end")
    assert green.get("font-weight") == "bold"
    assert green.get("fill") != plain.get("fill")
    # Two blanks before the first word, eleven letters and two blanks more before the second.
    cell = float(green.get("textLength", 0)) / 11
    assert float(plain.get("x", 0)) - float(green.get("x", 0)) == pytest.approx(13 * cell, abs=0.2)


def test_a_command_that_fails_leaves_no_picture(tmp_path: Path) -> None:
    picture = tmp_path / "picture.svg"
    ran = photograph(picture, "false")
    assert ran.returncode == 1
    assert ran.stderr == "terminal_picture: false ended with status 1\n"
    assert not picture.exists()
