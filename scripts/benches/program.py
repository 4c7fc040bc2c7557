"""A program under measure while it runs: Beffroi, Kamailio, or a peer that somebody else started.

All of its processes share one core; the load has the other.
"""

import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from benches import process
from benches.load import Load
from benches.process import BenchError

SETTLE_SECONDS = 1.0  # after the first answer: forked processes have come up, caches are filled
LOG_LINES = 12


@dataclass(frozen=True, slots=True)
class Running:
    """roles: what each process does, by pid. first_answer_ms: None when it ran before we came."""

    roles: Mapping[int, str]
    first_answer_ms: float | None


class Roles(Protocol):
    """Names the processes of a program that has just answered."""

    def __call__(self, pid: int) -> Mapping[int, str]: ...


@contextmanager
def launched(
    command: Sequence[str], core: int, load: Load, log: Path, roles: Roles, environment: Mapping[str, str]
) -> Iterator[Running]:
    """Start a command that answers at the load's target, and wait for its first answer.

    Raises BenchError with the end of its log if there is none.
    """
    with load.waiting() as first:
        started_at = time.clock_gettime(time.CLOCK_MONOTONIC)
        with process.started(command, core, log, environment) as starting:
            try:
                first_answer_ms = (first.answered_at(starting) - started_at) * 1000
                time.sleep(SETTLE_SECONDS)
                found = roles(starting.pid)
            except BenchError as error:
                raise BenchError(
                    f"{Path(command[0]).name}: {error}; its log ends:\n{_end_of(log)}"
                ) from error
            yield Running(found, first_answer_ms)


def _end_of(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-LOG_LINES:])


@contextmanager
def elsewhere(port: int, core: int) -> Iterator[Running]:
    """A peer that runs already, found by its UDP port and kept on one core meanwhile."""
    owners = process.udp_owners(port)
    if not owners:
        raise BenchError(f"no process here has the UDP port {port}: a peer must run on this machine")
    family = set(owners).union(*(process.descendants(owner) for owner in owners))
    before = {pid: os.sched_getaffinity(pid) for pid in family}
    process.pin(family, core)
    try:
        yield Running(dict.fromkeys(family, "peer"), None)
    finally:
        for pid, cores in before.items():
            _unpin(pid, cores)


def _unpin(pid: int, cores: Iterable[int]) -> None:
    try:
        for thread in Path(f"/proc/{pid}/task").iterdir():
            os.sched_setaffinity(int(thread.name), cores)
    except OSError:
        return  # it ended during the run, which the figures show
