"""Commands as a person types them, on a folder of their own with the sample town."""

from __future__ import annotations

import itertools
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer.main
import typer.testing
from typer.testing import CliRunner

import pbx.cli.commands  # noqa: F401 (they register themselves)
from pbx.cli.application import application
from pbx.configuration import Configuration, load_configuration

# All commands are put together once, as in a process of its own: it takes a tenth of a second each time.
typer.testing._get_command = cache(typer.main.get_command)  # type: ignore[attr-defined]

SAMPLE_PLAN = Path(__file__).parents[2] / "examples" / "valmont.yaml"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command said, and its exit status."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Town:
    """A folder with beffroi.yaml and plan.yaml, where commands run, with ports of its own on loopback."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.configuration_file = folder / "beffroi.yaml"
        self.plan_file = folder / "plan.yaml"
        self.port = free_port()
        self.media_ports = free_media_ports()
        self.plan_file.write_text(SAMPLE_PLAN.read_text("utf-8"), "utf-8")
        self.configuration_file.write_text(
            f"domain: localhost\n"
            f"sip: {{udp: 127.0.0.1:{self.port}, tcp: 127.0.0.1:{self.port}, tls: [], ws: []}}\n"
            f"media: {{address: 127.0.0.1, ports: {self.media_ports}}}\nweb: []\n"
        )

    @property
    def settings(self) -> Configuration:
        return load_configuration(self.configuration_file)

    def change_configuration(self, old: str, new: str) -> None:
        text = self.configuration_file.read_text("utf-8")
        assert old in text
        self.configuration_file.write_text(text.replace(old, new, 1), "utf-8")

    def change_plan(self, old: str, new: str) -> None:
        text = self.plan_file.read_text("utf-8")
        assert old in text
        self.plan_file.write_text(text.replace(old, new, 1), "utf-8")

    def line_of(self, text: str) -> int:
        lines = self.plan_file.read_text("utf-8").splitlines()
        return next(number for number, line in enumerate(lines, 1) if text in line)

    def run(self, *arguments: str, typed: str = "") -> Outcome:
        """Run a command with this town's configuration."""
        return run_command(*arguments, "-c", str(self.configuration_file), typed=typed)

    @contextmanager
    def serving(self) -> Iterator[Callable[[str], str]]:
        """A real node for the length of the block; the value reads its log up to a line with some words."""
        with serving(self.configuration_file) as log_until:
            yield log_until


def run_command(*arguments: str, typed: str = "") -> Outcome:
    """Run a command as it is."""
    result = CliRunner().invoke(application, arguments, input=typed, env={"COLUMNS": "200"})
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Outcome(result.exit_code, result.stdout, result.stderr)


def serve_command(configuration: Path) -> list[str]:
    """`beffroi serve` in a process of its own: it forks."""
    return [sys.executable, "-c", "from pbx.cli import main; main()", "serve", "-c", str(configuration)]


@contextmanager
def serving(configuration: Path) -> Iterator[Callable[[str], str]]:
    """`beffroi serve` until the end of the block, which it must end well."""
    with subprocess.Popen(
        serve_command(configuration), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        log = process.stderr

        def log_until(words: str) -> str:
            said = []
            for line in log:
                said.append(line)
                if words in line:
                    return line
            raise AssertionError(f'the node ended before it said "{words}": {"".join(said)}')

        try:
            log_until("ready plan=")
            yield log_until
        finally:
            os.kill(process.pid, signal.SIGTERM)
            process.communicate(timeout=30)
    assert process.returncode == 0


def free_port() -> int:
    """A port that is free on loopback for UDP and TCP."""
    for _ in range(100):
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
            socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp,
        ):
            udp.bind(("127.0.0.1", 0))
            port: int = udp.getsockname()[1]
            try:
                tcp.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no port is free for both")


_ranges = itertools.count()


def free_media_ports(count: int = 100) -> str:
    """A range of `count` ports for the sound of one node, as the configuration writes it.

    A second node on the same range gets none and never says "ready". Each of pytest's processes has its own
    part of 16384 to 32767, below those that the system gives away; what other programs have is passed over.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 8
    for _ in range(2048 // count):
        first = 16_384 + 2048 * worker + count * (next(_ranges) % (2048 // count))
        if all(_is_free(port) for port in range(first, first + count)):
            return f"{first}-{first + count - 1}"
    raise AssertionError(f"no {count} ports in a row are free")


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        try:
            udp.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


@pytest.fixture
def town(tmp_path: Path) -> Town:
    return Town(tmp_path)
