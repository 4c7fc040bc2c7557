"""The walkthrough for IT is true: its commands, run in order in an empty folder, print what it shows.

A `sh` block is run, and the `text` block right behind it is compared with what was printed: line by line,
blanks counting once, `…` for anything. A `yaml` block goes to the end of plan.yaml, as the page says. `serve`
runs beside the rest, as the page says too. A telephone of ours does what the page leaves to the reader's:
sign in, and dial 9196.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import secrets
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from pbx.demo.voice import Voice
from sip.net.udp import UdpTransport
from sip.user_agent import Account, UserAgent
from tests.cli.conftest import Town, free_port
from tests.docs.markdown import Block, blocks, commands_of, text_of
from tests.docs.test_pictures import words_of
from tests.tools.places import ROOT

# One reader for all of them, who reads a long page within the first one's time.
pytestmark = [pytest.mark.xdist_group("walkthrough"), pytest.mark.timeout(300)]

PAGE = Path("docs/users/it.md")
COMMANDS = Path(sys.executable).parent
SECONDS = 60.0
# The page's address of this machine, with and without the port.
ADDRESS, ADDRESS_AND_PORT = "192.168.1.10", "192.168.1.10:5060"


def matches(shown: str, printed: str) -> bool:
    """Whether all lines shown were printed, in this order; `…` stands for anything, alone for any lines."""
    rest = printed_lines(printed)
    anywhere = False
    for line in printed_lines(shown):
        if line == "…":
            anywhere = True
            continue
        pattern = re.compile(".*".join(re.escape(part.strip()) for part in line.split("…")))
        places = [place for place, candidate in enumerate(rest) if pattern.fullmatch(candidate)]
        if not places or (places[0] > 0 and not anywhere):
            return False
        rest, anywhere = rest[places[0] + 1 :], False
    return anywhere or not rest


def printed_lines(text: str) -> list[str]:
    """The lines that say something, their blanks counting once, without a table's rules."""
    lines = (" ".join(line.split()) for line in text.splitlines())
    return [line for line in lines if line.strip("─ ")]


@dataclass
class Reader:
    """Somebody who follows the page in `folder`, on a port of loopback that is free."""

    folder: Path
    port: int
    printed: str = ""
    password: str = ""
    node: subprocess.Popen[str] | None = None
    log: str = ""
    demonstration: str = ""

    def follow(self, block: Block) -> None:
        """Do what a block says, or compare it with what was printed."""
        match block.language:
            case "sh":
                self.printed = ""
                for words in commands_of(block):
                    self.run([self.here(word) for word in words])
            case "yaml":
                with (self.folder / "plan.yaml").open("a", encoding="utf-8") as plan:
                    plan.write(f"\n{block.body}")
            case "text" if self.printed:
                shown = self.here(block.body)
                assert matches(shown, self.printed), f"shown:\n{shown}\nprinted:\n{self.printed}"
                self.printed = ""
            case _:
                pass  # an example, as the page says

    def here(self, text: str) -> str:
        """The page's words with our address."""
        mine = f"127.0.0.1:{self.port}"
        return text.replace(ADDRESS_AND_PORT, mine).replace(ADDRESS, mine)

    def run(self, words: list[str]) -> None:
        """Run one command; it must end well."""
        match words:
            case ["cd", folder]:
                self.folder /= folder
                return
            case ["beffroi", "serve"]:
                with (self.folder / "beffroi.yaml").open("a", encoding="utf-8") as configuration:
                    # The usual ports are others' too.
                    configuration.write(f"web: 127.0.0.1:{free_port()}\nmedia: {{rtc: 127.0.0.1:0}}\n")
                self.serve()
                return
            case ["beffroi", "demo", *_]:
                words = [*words, "--port", str(free_port())]  # other tests' towns want the usual one too
            case ["beffroi", "call", "list"]:
                asyncio.run(dial_the_echo(self.port, self.password))
            case ["beffroi", "call", "show", "ID"]:
                listed = self.command(["beffroi", "call", "list", "--json"])
                words = [*words[:-1], json.loads(listed.stdout)[0]["id"]]
            case _:
                pass
        ran = self.command(words)
        assert ran.returncode == 0, f"{' '.join(words)}\n{ran.stdout}{ran.stderr}"
        self.printed += ran.stdout + ran.stderr
        if words[:2] == ["beffroi", "demo"]:
            self.demonstration = ran.stdout
        for password in re.findall(r"user +2001\n +password +(\S+)", ran.stdout):
            self.password = password

    def command(self, words: list[str]) -> subprocess.CompletedProcess[str]:
        """Run one of the commands of this environment, in the folder."""
        return subprocess.run(
            [COMMANDS / words[0], *words[1:]],
            cwd=self.folder,
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )

    def serve(self) -> None:
        """Start the node; what it says until it is ready is what it printed."""
        self.node = subprocess.Popen(
            [COMMANDS / "beffroi", "serve"],
            cwd=self.folder,
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.node.stderr is not None
        for line in self.node.stderr:
            self.printed += line
            if "ready plan=" in line:
                return
        raise AssertionError(f"the node ended: {self.printed}")


ENVIRONMENT = {**os.environ, "COLUMNS": "160", "LC_ALL": "C.UTF-8"}


async def dial_the_echo(port: int, password: str) -> None:
    """Sign in as 2001, dial 9196, hear ourselves and hang up."""
    bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    bound.bind(("127.0.0.1", 0))
    phone = UserAgent(Account("2001", password, "beffroi"), secrets.token_bytes(16))
    transport = UdpTransport(phone.driver, bound)
    phone.outbound = transport.flow_to(("127.0.0.1", port))
    voice = Voice("127.0.0.1", 440, 440)
    try:
        async with asyncio.timeout(SECONDS):
            await phone.register()
            call = phone.invite("9196", voice.offer())
            voice.take_answer(await call.answered())
            voice.speak()
            await voice.recognised
            call.hang_up()
            await phone.unregister()
    finally:
        voice.close()
        phone.close()
        transport.close()


@contextmanager
def reader(folder: Path) -> Iterator[Reader]:
    """A reader whose node, once started, ends well at the end of the block."""
    person = Reader(folder, free_port())
    try:
        yield person
    finally:
        if person.node is not None:
            person.node.terminate()
            person.log = person.node.communicate(timeout=SECONDS)[1]
    assert person.node is not None
    assert person.node.returncode == 0, person.log


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> Reader:
    """A reader who has followed the page to its end."""
    with reader(tmp_path_factory.mktemp("walkthrough")) as person:
        for block in blocks(text_of(PAGE)):
            person.follow(block)
    return person


def test_the_walkthrough_for_it_does_what_it_says(followed: Reader) -> None:
    assert not [line for line in followed.log.splitlines() if "ERROR" in line or "CRITICAL" in line]


def test_the_picture_of_the_demonstration_is_of_this_version(followed: Reader) -> None:
    pictured = words_of((ROOT / "docs" / "images" / "demo-call.svg").read_text(encoding="utf-8"))
    printed = without_numbers(" ".join(followed.demonstration.split()))
    unknown = [words for words in map(without_numbers, pictured) if words not in printed]
    assert unknown == [], "take it again with scripts/screenshots"


def without_numbers(text: str) -> str:
    """A text where one number is as good as another, and one call's identity too."""
    return re.sub(r"[0-9]+(\.[0-9]+)?", "0", re.sub(r"\b[0-9a-f]{20}\b", "0", text))


def test_the_walkthrough_shows_every_command_of_a_first_day() -> None:
    words = [
        words for block in blocks(text_of(PAGE)) if block.language == "sh" for words in commands_of(block)
    ]
    shown = {" ".join(command[1:3]) for command in words if command[0] == "beffroi"}
    assert {
        *(
            "plan check",
            "plan test",
            "plan explain",
            "plan reload",
            "plan diff",
            "user add",
            "user list",
            "call list",
        ),
        *("call show", "backup create", "backup restore", "demo --call", "init --directory"),
        *("doctor", "serve", "status", "plan apply", "plan history", "plan rollback"),
    } <= shown


def test_the_error_that_is_shown_is_one_that_a_plan_gives(tmp_path: Path) -> None:
    town = Town(tmp_path)
    town.change_plan("class: national, groups: [accueil]", "class: natoinal, groups: [accueil]")
    said = town.run("plan", "check").out
    (shown,) = [block.body.strip() for block in blocks(text_of(PAGE)) if "did you mean" in block.body]
    assert shown in said


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("a b\n", "a   b\n"),
        ("a …\n", "a quick fox\n"),
        ("…\nc\n", "a\nb\nc\n"),
        ("a\n…\n", "a\nb\nc\n"),
    ],
)
def test_what_is_shown_may_be_shorter_than_what_was_printed(shown: str, printed: str) -> None:
    assert matches(shown, printed)


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("a\nb\n", "b\na\n"),
        ("b\n", "a\nb\n"),
        ("a\n", "a\nb\n"),
        ("a …\n", "b\n"),
        ("a\n…\nc\n", "a\nb\n"),
    ],
)
def test_what_is_shown_and_was_not_printed_is_noticed(shown: str, printed: str) -> None:
    assert not matches(shown, printed)
