"""Processes under measure: started on one core, found, weighed, and ended by their pid.

Memory is the proportional set size (PSS): pages that forked processes share are counted once. The sum of
resident sizes (RSS) is given beside it, as `ps` would show it, and counts them once for each process.
"""

import os
import re
import select
import signal
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

PROC = Path("/proc")
STOP_SECONDS = 3  # calls in progress are nobody's
KILL_SECONDS = 5


class BenchError(Exception):
    """A figure can't be made; the message is for the person who runs the bench."""


class Memory(NamedTuple):
    """Sums over processes, in MB of a million bytes."""

    pss_mb: float
    rss_mb: float


@contextmanager
def started(
    command: Sequence[str], core: int, log: Path, environment: Mapping[str, str]
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a command, and all that it starts, on one core; gives its process and ends it at the end.

    A session of its own, so that Ctrl-C reaches the bench alone; the kernel ends it if the bench is killed.
    """
    pinned = ["setpriv", "--pdeathsig", "TERM", "taskset", "-c", str(core), *command]
    with log.open("wb") as output:
        process = subprocess.Popen(
            pinned,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, **environment},
        )
    try:
        yield process
    finally:
        end(process)


def end(process: "subprocess.Popen[bytes]") -> None:
    """Ask a process to stop; it is killed after STOP_SECONDS, and so is what it leaves running."""
    with ExitStack() as handles:
        family = []
        for pid in descendants(process.pid):
            with suppress(ProcessLookupError):
                # not the pid: by the time of the kill that may be somebody else's
                family.append(os.pidfd_open(pid))
                handles.callback(os.close, family[-1])
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for handle in family:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(handle, signal.SIGKILL)
        for handle in family:  # the next program wants their ports
            select.select([handle], [], [], KILL_SECONDS)


def _stat_fields(pid: int) -> list[str]:
    # The name stands in brackets and may hold spaces and brackets: fields are counted from its end.
    try:
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _all_pids() -> list[int]:
    return [int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit()]


def descendants(pid: int) -> list[int]:
    """The pids that a process started, and theirs, without itself."""
    parents = {child: int(fields[1]) for child in _all_pids() if (fields := _stat_fields(child))}
    found = [pid]
    for parent in found:  # grows while it is read
        found += [
            child for child, its_parent in parents.items() if its_parent == parent and child not in found
        ]
    return found[1:]


def udp_owners(port: int) -> list[int]:
    """The pids that hold a UDP socket bound to a port: how a peer that we didn't start is found."""
    inodes = set()
    for line in (PROC / "net" / "udp").read_text().splitlines()[1:]:
        fields = line.split()
        if int(fields[1].rpartition(":")[2], 16) == port:
            inodes.add(f"socket:[{fields[9]}]")
    return [pid for pid in _all_pids() if inodes & _open_files(pid)]


def udp_drops(pids: Iterable[int]) -> int:
    """How many datagrams the kernel threw away since these processes' UDP sockets were full."""
    files = set[str]().union(*map(_open_files, pids))
    lines = [line for name in ("udp", "udp6") for line in (PROC / "net" / name).read_text().splitlines()[1:]]
    return sum(int(line.split()[12]) for line in lines if f"socket:[{line.split()[9]}]" in files)


def _open_files(pid: int) -> set[str]:
    names = set()
    with suppress(OSError):
        for descriptor in (PROC / str(pid) / "fd").iterdir():
            with suppress(OSError):  # closed since it was listed
                names.add(os.readlink(descriptor))
    return names


def memory(pids: Iterable[int]) -> Memory:
    """What these processes weigh now. Raises BenchError if one of them has died."""
    pss_kb = rss_kb = 0
    for pid in pids:
        try:
            rollup = (PROC / str(pid) / "smaps_rollup").read_text()
        except OSError as error:
            raise BenchError(f"can't read the memory of process {pid}: {error.strerror}") from error
        pss_kb += _rollup_kb(rollup, "Pss")
        rss_kb += _rollup_kb(rollup, "Rss")
    return Memory(pss_kb * 1024 / 1e6, rss_kb * 1024 / 1e6)


def busy_seconds(core: int) -> float:
    """What everybody has run on a core since the machine started, in seconds: to see who else was there."""
    for line in (PROC / "stat").read_text().splitlines():
        name, *ticks = line.split()
        if name == f"cpu{core}":
            user, nice, system, _idle, _waiting, irq, soft_irq, *_ = map(int, ticks)
            return (user + nice + system + irq + soft_irq) / os.sysconf("SC_CLK_TCK")
    raise BenchError(f"/proc/stat has no cpu{core}")


def check_alive(roles: Mapping[int, str]) -> None:
    """Raises BenchError if a process under measure has died: its share would be missing from every sum."""
    for pid, role in roles.items():
        if not _stat_fields(pid):
            raise BenchError(f"process {pid} ({role}) died under the load")


def _rollup_kb(rollup: str, key: str) -> int:
    found = re.search(rf"^{key}:\s+(\d+) kB$", rollup, re.MULTILINE)
    if found is None:
        raise BenchError(f"smaps_rollup has no {key}")
    return int(found[1])


def pin(pids: Iterable[int], core: int) -> None:
    """Put every thread of these processes on one core: for a peer that somebody else started."""
    for pid in pids:
        with suppress(OSError):  # a thread that ends meanwhile needs no core
            for thread in (PROC / str(pid) / "task").iterdir():
                os.sched_setaffinity(int(thread.name), {core})
