"""The Markdown pages of the repository, and the parts of them that can be wrong."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from tests.tools.places import ROOT, files_of_the_tree

_FENCE = re.compile(
    r"^```(?P<language>\w*)[ \t]*(?P<name>[^\n]*)\n(?P<body>.*?)^```", re.MULTILINE | re.DOTALL
)
_HEADING = re.compile(r"^(#+ .+)$", re.MULTILINE)
_COMMENT = re.compile(r"(?:^|\s+)# .*$", re.MULTILINE)
# What ends one command of a shell line, or stands around it.
_SHELL = {"|", "||", "&&", ";", "&", ">", ">>", "<", "2>&1"}


@dataclass(frozen=True, slots=True)
class Block:
    """One block of code: "```LANGUAGE NAME", then its body."""

    language: str
    name: str
    body: str


def pages() -> list[Path]:
    """Every Markdown page, from the root."""
    return [path.relative_to(ROOT) for path in files_of_the_tree() if path.suffix == ".md"]


def text_of(page: Path) -> str:
    """A page's text."""
    return (ROOT / page).read_text(encoding="utf-8")


def prose(text: str) -> str:
    """A page without its blocks of code."""
    return _FENCE.sub("", text)


def blocks(text: str) -> list[Block]:
    """The blocks of code of a page, in order."""
    return [Block(found["language"], found["name"].strip(), found["body"]) for found in _FENCE.finditer(text)]


def sections(text: str) -> list[tuple[str, str]]:
    """The parts of a page, in order: a heading (none before the first one), and what follows."""
    marked = list(_FENCE.finditer(text))
    starts = [
        heading
        for heading in _HEADING.finditer(text)
        if not any(block.start() <= heading.start() < block.end() for block in marked)
    ]
    ends = [heading.start() for heading in starts[1:]] + [len(text)]
    before = text[: starts[0].start()] if starts else text
    parts = [(heading[1], text[heading.end() : end]) for heading, end in zip(starts, ends, strict=False)]
    return [("", before), *parts]


def without_comments(block: Block) -> str:
    """The body of a block without its comments, which are in the language of the page."""
    return _COMMENT.sub("", block.body)


def commands(text: str) -> list[list[str]]:
    """The words of each command in the blocks marked `sh`."""
    return [words for block in blocks(text) if block.language == "sh" for words in commands_of(block)]


def inline_commands(text: str) -> list[list[str]]:
    """The words of each `beffroi …` in the running text of a page."""
    return [shlex.split(command) for command in re.findall(r"`(beffroi [^`]+)`", prose(text))]


def commands_of(block: Block) -> list[list[str]]:
    """The words of each command of a block, without continuations, comments and prompts."""
    found = []
    for line in block.body.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line.strip().removeprefix("$ "), posix=True, punctuation_chars="|&;<>")
        lexer.whitespace_split = True  # +33…, *78 and --from are words
        lexer.commenters = "#"
        found += _split(list(lexer))
    return found


def _split(words: list[str]) -> list[list[str]]:
    parts: list[list[str]] = [[]]
    for word in words:
        if word in _SHELL:
            parts.append([])
        else:
            parts[-1].append(word)
    return [part for part in parts if part]
