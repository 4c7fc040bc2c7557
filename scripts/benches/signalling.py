"""The area `signalling`: what a registration and a call cost, how many fit on a core, how long a pause lasts.

The same load runs against Beffroi and every peer, each alone on one core, one after the other.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from benches import beffroi, kamailio, process, program
from benches.figure import BEFFROI, Figure, Meaning
from benches.load import USERS, Load, Report
from benches.program import Running

MEANINGS = {
    "registration_cpu": Meaning("CPU of a digest registration", "us", "lower", 80),
    "call_cpu": Meaning("CPU of a digest call", "us", "lower", 200),
    "call_with_media_cpu": Meaning("CPU of a digest call, media set up", "us", "lower", 300),
    "call_nonce_reused_cpu": Meaning("CPU of a call, nonce reused", "us", "lower"),
    "calls_per_second": Meaning("calls a second, no failure over 20 s", "calls/s", "higher", 3000),
    "longest_pause": Meaning("longest pause at 3,000 calls/s", "ms", "lower", 20),
    "setup_p99": Meaning("set-up delay at 3,000 calls/s, 99 %", "ms", "lower"),
    "memory_idle": Meaning("memory idle (PSS)", "MB", "lower"),
    "memory_idle_rss": Meaning("memory idle (sum of RSS)", "MB", "lower"),
    "memory_bindings": Meaning("memory with 10,000 bindings (PSS)", "MB", "lower", 120),
    "memory_bindings_rss": Meaning("memory with 10,000 bindings (sum of RSS)", "MB", "lower"),
    "first_answer": Meaning("start to first answer", "ms", "lower", 1000),
    "soak_failures": Meaning("failed calls of the long run", "calls", "lower", 0),
    "soak_longest_pause": Meaning("longest pause of the long run", "ms", "lower", 20),
    "soak_memory_growth": Meaning("memory gained in the long run (PSS)", "MB", "lower"),
}

COST_RATES = (2000, 1000, 500, 200, 50)  # the first that a program bears without a failure
COST_SECONDS = 6
PAUSE_RATE = 3000
STEPS = (500, 1000, 2000, 3000, 4000, 5000, 6000, 8000)
STEP_SECONDS = 3
CONFIRM_SECONDS = 20
RECOVERY_SECONDS = 5  # after a rate that was too much: its retransmissions and late answers die away
OTHERS_SHARE = 0.05  # of the core, taken by programs that aren't measured: the figures are then blurred
STALL_MS = 10  # a turn of the load longer than this blurs its figures: the machine did something else
SOAK_RATE = 1000
SOAK_SECONDS = 1800

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Bench:
    """Where and for how long: the core of the programs, the load, what to tell the person who waits.

    `rest` lets seconds pass.
    """

    core: int
    load: Load
    port: int
    say: Say
    soak: bool = False
    rest: Callable[[float], None] = time.sleep


@dataclass(frozen=True, slots=True)
class Peer:
    """A program to compare with that runs already, and what to call it."""

    port: int
    name: str


class Measurement:
    """One program while it runs, and the figures made of it so far."""

    def __init__(self, bench: Bench, name: str, load: Load, node: Running) -> None:
        self.bench, self.name, self.load, self.node = bench, name, load, node
        self.figures: list[Figure] = []
        self.sustained: dict[int, bool] = {}  # by rate, whether CONFIRM_SECONDS went without a failure

    def note(self, name: str, value: float | None) -> None:
        """Keep a figure."""
        self.figures.append(Figure(name, value, MEANINGS[name], self.name))

    def calls(self, rate: int, seconds: int, *, probe: bool = False, reuse_nonce: bool = False) -> Report:
        """One run of calls, told to the person who waits."""
        busy_before = process.busy_seconds(self.bench.core)
        report = self.load.calls(rate, seconds, self.node.roles, probe=probe, reuse_nonce=reuse_nonce)
        others = process.busy_seconds(self.bench.core) - busy_before - report.cpu_us / 1e6
        said = ["no failure" if report.clean else report.in_words()]
        if repeated := report.fields["retransmissions"]:
            said.append(f"{repeated} retransmissions")
        if (turn_ms := report.fields["own_busiest_turn_ms"]) > STALL_MS:
            said.append(f"the load itself stalled for {turn_ms:.0f} ms")
        if others > OTHERS_SHARE * seconds:
            said.append(f"others had the core for {others:.1f} s")
        self.bench.say(f"{self.name}: {rate:,} calls/s for {seconds} s: {', '.join(said)}")
        process.check_alive(self.node.roles)
        if seconds >= CONFIRM_SECONDS:
            self.sustained[rate] = report.clean
        if not report.clean:
            self.bench.rest(RECOVERY_SECONDS)
        return report

    def memory(self, name: str) -> process.Memory:
        """Note both sums of memory under a name."""
        now = process.memory(self.node.roles)
        self.note(name, now.pss_mb)
        self.note(f"{name}_rss", now.rss_mb)
        return now

    def registrations(self, name: str = "registration_cpu") -> None:
        """Register everybody and note what one costs; nothing is noted under an empty name."""
        report = self.load.register(self.node.roles)
        verdict = "no failure" if report.clean else report.in_words()
        self.bench.say(f"{self.name}: {USERS:,} registrations in {report.fields['seconds']:.1f} s: {verdict}")
        if name:
            self.note(name, report.cpu_us / report.succeeded if report.clean else None)

    def cost(self, name: str, *, reuse_nonce: bool = False) -> None:
        """Note the microseconds of a call, at the first of COST_RATES that goes without a failure."""
        for rate in COST_RATES:
            report = self.calls(rate, COST_SECONDS, reuse_nonce=reuse_nonce)
            if report.clean:
                self.note(name, report.cpu_us / report.succeeded)
                self.by_role(report)
                return
        self.note(name, None)

    def by_role(self, report: Report) -> None:
        """Tell which process spent what on a call."""
        spent: dict[str, float] = {}
        for pid, cpu_us in report.fields["cpu_us"].items():
            role = self.node.roles[int(pid)]
            spent[role] = spent.get(role, 0) + cpu_us / report.succeeded
        parts = ", ".join(f"{role} {cpu_us:.0f}" for role, cpu_us in spent.items() if cpu_us >= 0.5)
        self.bench.say(f"{self.name}: us a call: {parts}")

    def pause(self) -> None:
        """Note the longest pause and the set-up delay at PAUSE_RATE."""
        report = self.calls(PAUSE_RATE, CONFIRM_SECONDS, probe=True)
        answered = report.fields["probe"]["answered"] > 0 and report.succeeded > 0
        self.note("longest_pause", report.fields["probe"]["longest_ms"] if answered else None)
        self.note("setup_p99", report.fields["setup_ms"]["p99"] if answered else None)

    def most_calls(self) -> None:
        """Note the highest of STEPS that goes for CONFIRM_SECONDS without a failure; 0 if none does."""
        passed: list[int] = []
        for rate in STEPS:
            if not self.calls(rate, STEP_SECONDS).clean:
                break
            passed.append(rate)
        for rate in reversed(passed):
            if rate not in self.sustained:
                self.calls(rate, CONFIRM_SECONDS)
            if self.sustained[rate]:
                self.note("calls_per_second", rate)
                return
        self.note("calls_per_second", 0)

    def long_run(self) -> None:
        """Note what SOAK_SECONDS of calls break, stop or leave behind."""
        before = process.memory(self.node.roles)
        report = self.calls(SOAK_RATE, SOAK_SECONDS, probe=True)
        self.note("soak_failures", report.failed)
        self.note("soak_longest_pause", report.fields["probe"]["longest_ms"])
        self.note("soak_memory_growth", process.memory(self.node.roles).pss_mb - before.pss_mb)

    def everything(self) -> None:
        """All figures that one start of a program gives."""
        if self.node.first_answer_ms is not None:
            self.note("first_answer", self.node.first_answer_ms)
        self.memory("memory_idle")
        self.registrations()
        self.memory("memory_bindings")
        self.cost("call_cpu")
        self.cost("call_nonce_reused_cpu", reuse_nonce=True)
        self.pause()
        self.most_calls()
        if self.bench.soak:
            self.registrations("")  # the first ones would expire on the way
            self.long_run()


Start = Callable[[Path], AbstractContextManager[Running]]


def _measured(
    bench: Bench, name: str, load: Load, start: Start, measure: Callable[[Measurement], None]
) -> Iterator[Figure]:
    bench.say(f"{name}: starting")
    with TemporaryDirectory(prefix="bench-") as directory, start(Path(directory)) as node:
        measurement = Measurement(bench, name, load, node)
        measure(measurement)
    yield from measurement.figures


def _with_media(measurement: Measurement) -> None:
    measurement.registrations("")
    measurement.cost("call_with_media_cpu")


def figures(bench: Bench, peers: Sequence[Peer]) -> Iterator[Figure]:
    """Beffroi's figures, then Kamailio's, then those of the given peers.

    Raises BenchError if one of them can't start, or dies on the way.
    """
    load = bench.load

    def ours(engine: beffroi.Engine) -> Start:
        return partial(beffroi.running, core=bench.core, load=load, port=bench.port, engine=engine)

    yield from _measured(bench, BEFFROI, load, ours("passthrough"), Measurement.everything)
    yield from _measured(bench, BEFFROI, load, ours("auto"), _with_media)
    theirs = partial(kamailio.running, core=bench.core, load=load, port=bench.port)
    yield from _measured(bench, kamailio.NAME, load, theirs, Measurement.everything)
    for peer in peers:
        aimed = Load(load.program, load.core, f"127.0.0.1:{peer.port}", load.port)
        there = partial(_peer, port=peer.port, core=bench.core)
        yield from _measured(bench, peer.name, aimed, there, Measurement.everything)


def _peer(directory: Path, port: int, core: int) -> AbstractContextManager[Running]:
    return program.elsewhere(port, core)
