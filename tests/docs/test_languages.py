"""Each page for users says the same in French and in English: sections, code, words of the program."""

from __future__ import annotations

import re
from collections import Counter
from itertools import zip_longest
from pathlib import Path

import pytest

from tests.docs.markdown import blocks, prose, sections, text_of, without_comments
from tests.tools.places import ROOT

ENGLISH = Path("docs/users")
FRENCH = Path("docs/utilisateurs")
# Code is the same in both, but for what a town may call as it likes.
TRANSLATED = {
    "./hold.wav": "./attente.wav",
    "portal.valmont": "portail.valmont",
    "press: {": "presse: {",
    "name: Press,": "name: Presse,",
    "name: Works,": "name: Travaux,",
    "name: Clerk,": "name: Guichet,",
    "name: Guest,": "name: Visiteur,",
    "reception: [": "accueil: [",
    "name: Registry,": "name: État civil,",
    "registry@": "etat-civil@",
    "name: Lift,": "name: Ascenseur,",
    "after-hours:": "repondeur:",
    "mailbox: town": "mailbox: ville",
    "reception@": "accueil@",
    "group: reception": "group: accueil",
    "your.domain": "votre.domaine",
    "new disk": "nouveau disque",
    "calls at night": "appels la nuit",
    "nobody sells here": "plus de démarchage",
    "they were our suppliers": "c'étaient nos fournisseurs",
    "operator.example": "operateur.example",
    "  operator:\n": "  operateur:\n",
    "trunk show operator\n": "trunk show operateur\n",
    "{env: NAME}": "{env: NOM}",
}


def in_the_other_language(page: Path, folder: Path) -> list[Path]:
    """The page in `folder` that the head of a page leads to, alone in a list."""
    head = text_of(page).partition("\n## ")[0]
    return [folder / name for name in re.findall(rf"\]\(\.\./{folder.name}/([\w-]+\.md)\)", head)]


def pages_in(folder: Path) -> list[Path]:
    return sorted(path.relative_to(ROOT) for path in (ROOT / folder).glob("*.md"))


PAIRS = [(page, french) for page in pages_in(ENGLISH) for french in in_the_other_language(page, FRENCH)]
both = pytest.mark.parametrize(("english", "french"), PAIRS, ids=lambda page: page.stem)


def translated(code: str) -> str:
    """Code of an English page as the French one has it."""
    for ours, theirs in TRANSLATED.items():
        code = code.replace(ours, theirs)
    return code


def level(heading: str) -> str:
    """`##` of a heading."""
    return heading.partition(" ")[0]


def code_of(part: str) -> list[tuple[str, str, str]]:
    """The blocks of code of a section: how each is marked, and its body without comments."""
    return [(block.language, block.name, without_comments(block)) for block in blocks(part)]


def words_of_the_program(part: str) -> Counter[str]:
    """What stands in `backquotes` in the running text of a section."""
    return Counter(re.findall(r"`([^`\n]+)`", prose(part)))


def shape_of(part: str) -> dict[str, int]:
    """How many rows, items and steps a section has, lines of text in all, and links."""
    marks = {"rows": r"^\| ", "items": r"^- ", "steps": r"^\d\. ", "lines": r"^\S", "links": r"\]\("}
    return {what: len(re.findall(mark, prose(part), re.MULTILINE)) for what, mark in marks.items()}


def test_every_page_for_users_is_in_both_languages() -> None:
    assert [english for english, _ in PAIRS] == pages_in(ENGLISH)
    assert sorted(french for _, french in PAIRS) == pages_in(FRENCH)
    assert [in_the_other_language(french, ENGLISH) for _, french in PAIRS] == [[page] for page, _ in PAIRS]


@both
def test_the_sections_are_the_same(english: Path, french: Path) -> None:
    ours, theirs = sections(text_of(english)), sections(text_of(french))
    headings = zip_longest((heading for heading, _ in ours), (heading for heading, _ in theirs), fillvalue="")
    assert [pair for pair in headings if level(pair[0]) != level(pair[1])] == []
    for (heading, our_part), (_, their_part) in zip(ours, theirs, strict=True):
        assert shape_of(our_part) == shape_of(their_part), heading


@both
def test_the_code_of_each_section_is_the_same(english: Path, french: Path) -> None:
    for (heading, ours), (_, theirs) in zip(
        sections(text_of(english)), sections(text_of(french)), strict=True
    ):
        expected = [(language, name, translated(body)) for language, name, body in code_of(ours)]
        assert code_of(theirs) == expected, heading


@both
def test_the_words_of_the_program_in_each_section_are_the_same(english: Path, french: Path) -> None:
    for (heading, ours), (_, theirs) in zip(
        sections(text_of(english)), sections(text_of(french)), strict=True
    ):
        expected = {translated(word): count for word, count in words_of_the_program(ours).items()}
        assert words_of_the_program(theirs) == expected, heading


def test_what_is_translated_is_in_the_pages() -> None:
    text = "".join(text_of(page) for page in pages_in(ENGLISH))
    assert [word for word in TRANSLATED if word not in text] == []


def test_a_heading_in_a_block_of_code_is_none() -> None:
    page = "top\n# A\none\n```sh\n# not this\n```\n## B\ntwo\n"
    assert [heading for heading, _ in sections(page)] == ["", "# A", "## B"]
    assert sections(page)[2] == ("## B", "\ntwo\n")


def test_a_difference_of_code_is_seen_and_one_of_comments_is_not() -> None:
    shown = '```yml\nnumber: "#31#"  # for one call\n```\n'
    assert code_of(shown) == code_of(shown.replace("for one call", "pour un appel"))
    assert code_of(shown) != code_of(shown.replace("#31#", "#32#"))
    assert code_of(shown) != code_of(shown.replace("```yml", "```yaml"))


def test_a_word_of_the_program_that_is_missing_is_seen() -> None:
    assert words_of_the_program("`a` and `b`, `a`\n") == {"a": 2, "b": 1}
    assert shape_of("| a |\n\n- [b](c.md)\n1. d\n") == {
        "rows": 1, "items": 1, "steps": 1, "lines": 3, "links": 1,
    }  # fmt: skip
