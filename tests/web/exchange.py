"""A node's signalling, as its control socket shows it to who puts plans in force: a thread that answers.

It takes the plan that lies in the configuration's file, unless it is told to be `stubborn`.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from dialplan.document import read_text
from pbx import control
from pbx.configuration import Configuration
from pbx.control import Counters, Reloaded, ReloadPlan, Status
from pbx.plans.history import version_of

_question = msgspec.json.Decoder(control.Question)


class Exchange:
    """What it has in force, and who asked it to take another plan."""

    def __init__(self, configuration: Configuration) -> None:
        self.version = version_of(read_text(configuration.plan))
        self.authors: list[str] = []
        self.stubborn = ""  # why it doesn't take a plan
        self._plan = configuration.plan

    def answer(self, question: control.Question) -> control.Answer:
        match question:
            case Status():
                return Counters({}, self.version)
            case ReloadPlan(author):
                self.authors.append(author)
                if self.stubborn:
                    return Reloaded(self.version, [self.stubborn])
                self.version = version_of(read_text(self._plan))
                return Reloaded(self.version, [])
            case _:
                raise AssertionError(question)


@contextmanager
def exchange(configuration: Configuration) -> Iterator[Exchange]:
    """It runs for the length of the block."""
    made = Exchange(configuration)
    listening = control.listen(control.control_path(configuration.data_dir))

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection, connection.makefile("rb") as lines:
                answer = made.answer(_question.decode(lines.readline()))
                connection.sendall(msgspec.json.encode(answer) + b"\n")

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield made
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()
