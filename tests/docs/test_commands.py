"""Every command line that a page shows is one that exists."""

from __future__ import annotations

import os

import pytest

from tests.cli.conftest import Outcome, run_command
from tests.docs.markdown import commands, inline_commands, pages, text_of
from tests.tools.places import ROOT

SHOWN = sorted({tuple(words) for page in pages() for words in commands(text_of(page))})
NAMED = {tuple(words) for page in pages() for words in inline_commands(text_of(page))}
# What scripts/run gets is what beffroi gets.
OF_BEFFROI = sorted(
    {
        words[1:]
        for words in {*SHOWN, *NAMED}
        if words[0] == "beffroi" or (words[0].endswith("scripts/run") and words[1:])
    }
)


def help_of(words: tuple[str, ...]) -> Outcome:
    """The command line with --help behind it: what is unknown fails, and nothing is carried out."""
    return run_command(*words, "--help")


@pytest.mark.parametrize("words", OF_BEFFROI, ids=" ".join)
def test_a_shown_beffroi_command_parses(words: tuple[str, ...]) -> None:
    outcome = help_of(words)
    assert outcome.status == 0, outcome.out + outcome.err


def test_a_command_that_does_not_exist_would_be_noticed() -> None:
    assert help_of(("no-such-command",)).status != 0
    assert help_of(("demo", "--no-such-option")).status != 0


@pytest.mark.parametrize(
    "command", sorted({words[0] for words in SHOWN if words[0].removeprefix("./").startswith("scripts/")})
)
def test_a_shown_script_exists(command: str) -> None:
    assert os.access(ROOT / command, os.X_OK)


def test_the_readme_shows_the_two_commands() -> None:
    shown = {words[0] for words in commands((ROOT / "README.md").read_text(encoding="utf-8"))}
    assert {"scripts/run", "scripts/test"} <= {command.removeprefix("./") for command in shown}


def test_commands_are_read_from_sh_blocks_only() -> None:
    text = (
        "```sh\n$ beffroi plan check FILE  # is it right?\nscripts/run \\\n  serve -c x.yaml | head\n```\n"
        "```\nbeffroi nothing\n```\n"
    )
    assert commands(text) == [
        ["beffroi", "plan", "check", "FILE"],
        ["scripts/run", "serve", "-c", "x.yaml"],
        ["head"],
    ]


def test_a_command_in_the_running_text_is_read() -> None:
    assert inline_commands('Type `beffroi user add 2002 "État civil"`, not `this`.\n') == [
        ["beffroi", "user", "add", "2002", "État civil"]
    ]
