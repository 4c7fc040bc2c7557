"""The Markdown pages of the repository, and the parts of them that can be wrong."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from tests.tools.places import ROOT, files_of_the_tree

_FENCE = re.compile(r"^```(?P<language>\w*)[^\n]*\n(?P<body>.*?)^```", re.MULTILINE | re.DOTALL)
# What ends one command of a shell line, or stands around it.
_SHELL = {"|", "||", "&&", ";", "&", ">", ">>", "<", "2>&1"}


def pages() -> list[Path]:
    """Every Markdown page, from the root."""
    return [path.relative_to(ROOT) for path in files_of_the_tree() if path.suffix == ".md"]


def text_of(page: Path) -> str:
    """A page's text."""
    return (ROOT / page).read_text(encoding="utf-8")


def prose(text: str) -> str:
    """A page without its blocks of code."""
    return _FENCE.sub("", text)


def commands(text: str) -> list[list[str]]:
    """The words of each command in the blocks marked `sh`, without continuations, comments and prompts."""
    found = []
    for block in _FENCE.finditer(text):
        if block["language"] != "sh":
            continue
        for line in block["body"].replace("\\\n", " ").splitlines():
            lexer = shlex.shlex(line.strip().removeprefix("$ "), posix=True, punctuation_chars="|&;<>")
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
