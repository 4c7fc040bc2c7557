"""`beffroi events`, against a real node."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from pbx.control import TellWaveStopped, ask, follow
from tests.cli.conftest import Town


@pytest.fixture
def node(town: Town) -> Iterator[Town]:
    """The town with its node running."""
    with town.serving():
        yield town


@contextmanager
def following(town: Town, *kinds: str) -> Iterator[subprocess.Popen[str]]:
    """The command in a process of its own, once it listens."""
    command = [sys.executable, "-c", "from pbx.cli import main; main()", "events", *kinds]
    with subprocess.Popen(
        [*command, "-c", str(town.configuration_file)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        try:
            assert "waiting for events" in process.stderr.readline()
            yield process
        finally:
            process.kill()


def test_events_are_printed_as_they_happen_until_ctrl_c(node: Town):
    with following(node) as process:
        node.run("ban", "add", "203.0.113.7", "calls at night")
        assert process.stdout is not None
        event = json.loads(process.stdout.readline())
        ask(node.settings.data_dir, TellWaveStopped(7, "firmware", "2 telephones didn't come back"))
        told = json.loads(process.stdout.readline())  # of what another process has seen
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
    assert event["event"] == "AddressBanned"
    assert (event["source"], event["why"]) == ("203.0.113.7", "calls at night")
    assert event["at"].endswith("Z")
    assert event["until"] > event["at"]
    assert (told["event"], told["wave"], told["action"]) == ("PhoneWaveStopped", 7, "firmware")
    assert told["why"] == "2 telephones didn't come back"


def test_only_the_kinds_that_were_asked_for_are_told(node: Town):
    with follow(node.settings.data_dir, ["MediaProcessLost", "MediaProcessBack"]) as happening:
        node.run("ban", "add", "203.0.113.7")
        processes = node.run("status", "--json").json["processes"]
        (media,) = [process["pid"] for process in processes if process["role"] == "media"]
        os.kill(media, signal.SIGKILL)
        assert [next(happening)["event"], next(happening)["event"]] == [
            "MediaProcessLost",
            "MediaProcessBack",
        ]


def test_the_end_of_the_node_ends_the_events(town: Town):
    with ExitStack() as until_the_end:
        with town.serving():
            happening = until_the_end.enter_context(follow(town.settings.data_dir))
        assert list(happening) == []


def test_an_unknown_kind_is_told_with_those_that_are_known(town: Town):
    refused = town.run("events", "CallAnswred")
    assert refused.status == 2
    assert '"CallAnswred" is no kind of event; known: CallStarted' in refused.err


def test_without_a_node_there_are_no_events(town: Town):
    refused = town.run("events")
    assert refused.status == 1
    assert "no node runs" in refused.err
