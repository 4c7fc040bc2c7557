"""The load: sipload.c, compiled when needed, run on its own core, and what it reports.

Everything is sent to loopback: sipload refuses any other target.
"""

import hashlib
import json
import os
import subprocess
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benches.process import BenchError

SOURCE = Path(__file__).with_name("sipload.c")
FIRST_EXTENSION = 10_000
USERS = 10_000
CALLERS = USERS // 2
FIRST_CALLEE = FIRST_EXTENSION + CALLERS
HOLD_SECONDS = 0.5
FIRST_ANSWER_SECONDS = 30
REGISTER_SECONDS = 60
CONNECTIONS = 50  # a side, where calls go over TLS or WebSocket
LEAST_SHARE = 0.98  # of the rate that was asked: below it the load itself was too slow


def compile_sipload(directory: Path) -> Path:
    """The path of the load program, built in `directory` unless it is there for this very source."""
    return compiled(SOURCE, directory, "-lssl", "-lcrypto")


def compiled(source: Path, directory: Path, *flags: str, also: Sequence[Path] = ()) -> Path:
    """The path of a C program, built in `directory` unless it is there for this very source.

    also: what the source includes. Raises BenchError where there is no compiler, or the source is wrong.
    """
    content = b"".join(path.read_bytes() for path in (source, *also)) + " ".join(flags).encode()
    program = directory / f"{source.stem}-{hashlib.sha256(content).hexdigest()[:12]}"
    if not program.exists():
        directory.mkdir(parents=True, exist_ok=True)
        fresh = program.with_suffix(f".{os.getpid()}")
        command = ["gcc", "-O2", "-std=gnu11", "-Wall", "-Wextra", "-o", str(fresh), str(source), *flags]
        try:
            built = subprocess.run(command, capture_output=True, text=True, check=False)
        except FileNotFoundError as error:
            raise BenchError("gcc is not installed: run scripts/setup bench") from error
        if built.returncode:
            raise BenchError(f"{source.name} does not compile:\n{built.stderr}")
        fresh.replace(program)  # a second bench at the same moment sees all of it or nothing
    return program


@dataclass(frozen=True, slots=True)
class Report:
    """What sipload printed, with the failures and the processor time of the processes under measure."""

    fields: Mapping[str, Any]

    @property
    def failed(self) -> int:
        """Calls or registrations that did not end as they should."""
        return int(self.fields["failed"])

    @property
    def succeeded(self) -> int:
        """Calls answered, or users registered."""
        return int(self.fields["answered" if self.fields["command"] == "calls" else "succeeded"])

    @property
    def cpu_us(self) -> float:
        """User and system microseconds of all processes given, together."""
        return float(sum(self.fields["cpu_us"].values()))

    @property
    def cpu_share(self) -> float:
        """What they took of a core while they were watched, in %."""
        return 100 * self.cpu_us / 1e6 / float(self.fields["watched_seconds"])

    @property
    def clean(self) -> bool:
        """No failure, and calls were started at the rate that was asked: the load wasn't the limit."""
        enough = self.fields["per_second"] >= LEAST_SHARE * self.fields["asked_per_second"]
        return self.failed == 0 and self.succeeded > 0 and enough

    def in_words(self) -> str:
        """Why it is not clean, in a few words."""
        by_status = self.fields["failed_by_status"]
        kinds = [f"{count} × {status}" for status, count in by_status.items()]
        others = ("timeouts", "unfinished", "hung_up", "unanswerable", "no_room", "disconnected", "unsent")
        kinds += [f"{self.fields[key]} {key.replace('_', ' ')}" for key in others if self.fields.get(key)]
        return f"{self.failed} of {self.fields['started']} failed ({', '.join(kinds) or 'load too slow'})"


@dataclass(slots=True)
class Flood:
    """How many requests a second a flood was; a machine that others use too may make it less than asked."""

    per_second: float = 0.0


@dataclass(frozen=True, slots=True)
class Load:
    """The load program aimed at one address. `port` and the three above it are its own sockets.

    transport: `tls:PORT` or `ws:PORT` for calls over connections to that port; empty for UDP.
    """

    program: Path
    core: int
    target: str
    port: int = 17_000
    transport: str = ""

    def _command(self, *words: str) -> list[str]:
        aimed = [str(self.program), *words, "--target", self.target, "--port", str(self.port)]
        return ["taskset", "-c", str(self.core), *aimed]

    def _run(self, *words: str, timeout_seconds: float) -> Report:
        done = subprocess.run(
            self._command(*words), capture_output=True, text=True, timeout=timeout_seconds, check=False
        )
        if done.returncode not in (0, 1):
            raise BenchError(f"the load stopped: {done.stderr.strip() or f'status {done.returncode}'}")
        return Report(json.loads(done.stdout))

    def register(self, pids: Collection[int]) -> Report:
        """Register all users once, each with a challenge."""
        users = ("--first", str(FIRST_EXTENSION), "--users", str(USERS))
        limit = ("--seconds", str(REGISTER_SECONDS), "--pids", ",".join(map(str, pids)))
        return self._run("register", *users, *limit, timeout_seconds=REGISTER_SECONDS + 30)

    def calls(
        self,
        rate: int,
        seconds: int,
        pids: Collection[int],
        *,
        probe: bool = False,
        reuse_nonce: bool = False,
        hold_seconds: float = HOLD_SECONDS,
    ) -> Report:
        """Start `rate` calls a second for `seconds`, each held for `hold_seconds`.

        probe: an OPTIONS every 2 ms beside them, for the longest pause; it costs the PBX a little.
        reuse_nonce: each caller is challenged once, then counts on (RFC 7616 section 3.4); otherwise
        every call has its challenge.
        """
        users = ("--first", str(FIRST_EXTENSION), "--users", str(CALLERS), "--callees", str(FIRST_CALLEE))
        shape = ("--rate", str(rate), "--seconds", str(seconds), "--hold-ms", str(round(hold_seconds * 1000)))
        options = [*(["--probe"] if probe else []), *(["--reuse-nonce"] if reuse_nonce else [])]
        if self.transport:
            options += ["--transport", self.transport, "--connections", str(CONNECTIONS)]
        watched = ("--pids", ",".join(map(str, pids)))
        return self._run("calls", *users, *shape, *watched, *options, timeout_seconds=seconds + 120)

    def phones(self, seconds: int, pids: Collection[int]) -> Report:
        """All users register, each from an address of its own as if behind a NAT, and stay for `seconds`."""
        users = ("--first", str(FIRST_EXTENSION), "--users", str(USERS), "--sources", str(USERS))
        watched = ("--seconds", str(seconds), "--pids", ",".join(map(str, pids)))
        return self._run("phones", *users, *watched, timeout_seconds=seconds + 90)

    @contextmanager
    def flood(self, rate: int, sources: int, seconds: int) -> Iterator["Flood"]:
        """`rate` REGISTER a second without credentials, from so many addresses, while the block runs.

        seconds: when it ends at the latest. How much it was in the end is told when the block is over.
        """
        users = ("--first", str(FIRST_EXTENSION), "--users", str(USERS), "--sources", str(sources))
        command = self._command("flood", *users, "--rate", str(rate), "--seconds", str(seconds))
        told = Flood()
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as flooding:
            try:
                yield told
            finally:
                flooding.terminate()
            output, _ = flooding.communicate()
        if not output:
            raise BenchError("the flood stopped by itself")
        sent = json.loads(output)
        told.per_second = sent["sent"] / sent["seconds"]

    @contextmanager
    def waiting(self) -> Iterator["FirstAnswer"]:
        """Ask every 2 ms from now on until something answers."""
        command = self._command("first", "--seconds", str(FIRST_ANSWER_SECONDS))
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as asking:
            try:
                yield FirstAnswer(asking, self.target)
            finally:
                asking.terminate()


@dataclass(frozen=True, slots=True)
class FirstAnswer:
    """The wait for a PBX that is starting."""

    asking: "subprocess.Popen[str]"
    target: str

    def answered_at(self, starting: "subprocess.Popen[bytes]") -> float:
        """The instant of the first answer, in seconds of CLOCK_MONOTONIC.

        Raises BenchError if none came, or as soon as the process that is starting has ended.
        """
        while self.asking.poll() is None:
            with suppress(subprocess.TimeoutExpired):
                self.asking.wait(0.2)
            if starting.poll() is not None:
                raise BenchError(f"it ended with status {starting.returncode} before it answered")
        output, _ = self.asking.communicate()
        answer = json.loads(output) if output else {"answered": False}
        if not answer["answered"]:
            raise BenchError(f"nothing answered at {self.target} within {FIRST_ANSWER_SECONDS} s")
        return float(answer["answered_at"])
