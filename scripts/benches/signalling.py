"""The area `signalling`: what a registration and a call cost, how many fit on a core, how long a pause lasts.

The same load runs against Beffroi and every peer, each alone on one core, one after the other.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from pathlib import Path
from platform import python_version
from tempfile import TemporaryDirectory

from benches import beffroi, kamailio, process, program
from benches.figure import BEFFROI, Figure, Meaning
from benches.load import USERS, Load, Report
from benches.program import Running

MEANINGS = {
    "registration_cpu": Meaning("CPU of a digest registration", "us", "lower", 80),
    "call_cpu_rate": Meaning("rate at which calls are weighed", "calls/s", "higher"),
    "call_cpu": Meaning("CPU of a digest call", "us", "lower", 200),
    "call_with_media_cpu": Meaning("CPU of a digest call, media set up", "us", "lower", 300),
    "call_nonce_reused_cpu": Meaning("CPU of a call, nonce reused", "us", "lower"),
    "calls_per_second": Meaning("calls a second, no failure over 20 s", "calls/s", "higher", 3000),
    "longest_pause": Meaning("longest pause at that rate, at most 3,000", "ms", "lower", 20),
    "setup_p99": Meaning("set-up delay in the same run, 99 %", "ms", "lower"),
    "memory_idle": Meaning("memory idle (PSS)", "MB", "lower"),
    "memory_idle_rss": Meaning("memory idle (sum of RSS)", "MB", "lower"),
    "memory_bindings": Meaning("memory with 10,000 bindings (PSS)", "MB", "lower", 120),
    "memory_bindings_rss": Meaning("memory with 10,000 bindings (sum of RSS)", "MB", "lower"),
    "first_answer": Meaning("start to first answer", "ms", "lower", 1000),
    "call_tls_cpu": Meaning("CPU of a digest call over TLS", "us", "lower"),
    "calls_tls_per_second": Meaning("calls a second over TLS, no failure over 6 s", "calls/s", "higher"),
    "call_ws_cpu": Meaning("CPU of a digest call over WebSocket", "us", "lower"),
    "calls_ws_per_second": Meaning("calls a second over WebSocket, no failure over 6 s", "calls/s", "higher"),
    "phones_cpu": Meaning("CPU of 10,000 phones behind NAT, kept reachable", "% of a core", "lower"),
    "phones_memory": Meaning("memory with them (PSS)", "MB", "lower"),
    "flood_rate": Meaning("REGISTER a second of the flood", "requests/s", "higher"),
    "flood_failures": Meaning("failed calls in the flood", "calls", "lower", 0),
    "flood_cpu": Meaning("CPU in the flood", "% of a core", "lower"),
    "flood_setup_p99_before": Meaning("set-up delay of the same calls before it, 99 %", "ms", "lower"),
    "flood_setup_p99": Meaning("set-up delay in the flood, 99 %", "ms", "lower"),
    "soak_failures": Meaning("failed calls of the long run", "calls", "lower", 0),
    "soak_longest_pause": Meaning("longest pause of the long run", "ms", "lower", 20),
    "soak_memory_growth": Meaning("memory gained from 100,000 to 1,000,000 calls (PSS)", "MB", "lower"),
}

GOAL_RATE = 3000  # where pauses and costs are taken by a program that sustains it
COST_SECONDS = 6
COST_RATES = (3000, 2000, 1000, 500, 200, 50)
STEPS = (500, 1000, 2000, 3000, 4000, 5000, 6000, 8000)
STEP_SECONDS = 3
CONFIRM_SECONDS = 20
RECOVERY_SECONDS = 5  # after a rate that was too much: its retransmissions and late answers die away
OTHERS_SHARE = 0.05  # of the core, taken by programs that aren't measured: the figures are then blurred
STALL_MS = 10  # a turn of the load longer than this blurs its figures: the machine did something else
SOAK_RATE = 500  # half of what this class of machine bears: what is left behind is looked for, not the limit
SOAK_SECONDS = (200, 1800)  # 100,000 calls, then as many as make 1,000,000
STREAM_STEPS = (200, 500, 1000, 1500, 2000)
STREAM_SECONDS = 6
PHONES_SECONDS = 60
FLOOD_RATE = 20_000
FLOOD_SOURCES = 1000
FLOOD_SECONDS = 20
CALLS_IN_THE_FLOOD = 20  # a second, each for a second: so many at a time

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

    def __init__(
        self, bench: Bench, name: str, load: Load, node: Running, renew: Callable[[], Running]
    ) -> None:
        """renew: starts the program anew, with everybody registered: what a rate that was too much leaves
        behind would be in the next figure."""
        self.bench, self.name, self.load, self.node, self.renew = bench, name, load, node, renew
        self.figures: list[Figure] = []
        self.sustained = 0  # the highest rate that went for CONFIRM_SECONDS without a failure

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
        if not report.clean:
            self.bench.rest(RECOVERY_SECONDS)
            self.node = self.renew()
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

    def cost(self, name: str, highest: int, *, reuse_nonce: bool = False) -> None:
        """Note the microseconds of a call, at the first of COST_RATES up to `highest` without a failure."""
        for rate in COST_RATES:
            if rate > highest:
                continue
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

    def most_calls(self) -> None:
        """Note the highest of STEPS that goes for CONFIRM_SECONDS without a failure, 0 if none does; and the
        longest pause and the set-up delay, at GOAL_RATE where it goes beyond."""
        passed: list[int] = []
        for rate in STEPS:
            report = self.calls(rate, STEP_SECONDS)
            if not report.clean or report.fields["retransmissions"] > report.succeeded / 2:
                break  # what needs repeating in the first seconds doesn't last for twenty
            passed.append(rate)
        for rate in reversed(passed):
            report = self.calls(rate, CONFIRM_SECONDS, probe=True)
            if report.clean:
                self.sustained = rate
                break
        self.note("calls_per_second", self.sustained)
        if self.sustained > GOAL_RATE:
            report = self.calls(GOAL_RATE, CONFIRM_SECONDS, probe=True)
        told = self.sustained > 0 and report.fields["probe"]["answered"] > 0
        self.note("longest_pause", report.fields["probe"]["longest_ms"] if told else None)
        self.note("setup_p99", report.fields["setup_ms"]["p99"] if told else None)

    def long_run(self) -> None:
        """Note what a million calls break, stop or leave behind; memory is compared after the same rest."""
        first, second = SOAK_SECONDS
        early = self.calls(SOAK_RATE, first, probe=True)
        before = process.memory(self.node.roles)
        late = self.calls(SOAK_RATE, second, probe=True)
        after = process.memory(self.node.roles)
        self.note("soak_failures", early.failed + late.failed)
        pauses = [report.fields["probe"]["longest_ms"] for report in (early, late)]
        self.note("soak_longest_pause", max(pauses))
        # a program that was started anew after a failure has another memory
        same = early.clean and late.clean
        self.note("soak_memory_growth", after.pss_mb - before.pss_mb if same else None)

    def over(self, transport: str) -> None:
        """Note the highest of STREAM_STEPS without a failure, and what a call cost there.

        transport: "tls" or "ws", as in the names of the figures; the load is aimed at it.
        """
        best, cpu_us = 0, None
        for rate in STREAM_STEPS:
            report = self.calls(rate, STREAM_SECONDS)
            if not report.clean:
                break
            best, cpu_us = rate, report.cpu_us / report.succeeded
        self.note(f"calls_{transport}_per_second", best)
        self.note(f"call_{transport}_cpu", cpu_us)

    def phones(self) -> None:
        """Note what phones behind a NAT cost that do nothing but stay registered and reachable."""
        report = self.load.phones(PHONES_SECONDS, self.node.roles)
        asked = f"{report.fields['asked']:,} OPTIONS answered, {report.fields['kept_alive']:,} CRLF sent"
        verdict = "no failure" if report.clean else report.in_words()
        self.bench.say(f"{self.name}: {USERS:,} phones for {PHONES_SECONDS} s: {asked}, {verdict}")
        share = report.cpu_share
        self.note("phones_cpu", share if report.clean else None)
        self.note("phones_memory", process.memory(self.node.roles).pss_mb)

    def flood(self) -> None:
        """Note how calls fare before a flood from everywhere, and in it."""
        self.registrations("")
        before = self._calls_of_a_town("before the flood")
        limit_seconds = FLOOD_SECONDS + RECOVERY_SECONDS + 60
        with self.load.flood(FLOOD_RATE, FLOOD_SOURCES, limit_seconds) as flood:
            self.bench.rest(1)
            during = self._calls_of_a_town("in the flood")
        self.note("flood_rate", flood.per_second)
        self.note("flood_failures", during.failed)
        self.note("flood_cpu", during.cpu_share)
        self.note("flood_setup_p99_before", before.fields["setup_ms"]["p99"])
        self.note("flood_setup_p99", during.fields["setup_ms"]["p99"])

    def _calls_of_a_town(self, when: str) -> Report:
        report = self.load.calls(CALLS_IN_THE_FLOOD, FLOOD_SECONDS, self.node.roles, hold_seconds=1.0)
        said = "no failure" if report.clean else report.in_words()
        repeated = report.fields["retransmissions"]
        self.bench.say(
            f"{self.name}: {CALLS_IN_THE_FLOOD} calls/s {when}: {said}, {repeated} retransmissions"
        )
        process.check_alive(self.node.roles)
        return report

    def everything(self, highest: int = GOAL_RATE) -> None:
        """All figures that a program gives. highest: the rate at which its calls are weighed, where it
        sustains that: a peer's is ours."""
        if self.node.first_answer_ms is not None:
            self.note("first_answer", self.node.first_answer_ms)
        self.memory("memory_idle")
        self.registrations()
        self.memory("memory_bindings")
        self.most_calls()
        rate = min(self.sustained, highest)
        self.note("call_cpu_rate", rate)
        self.cost("call_cpu", rate)
        self.cost("call_nonce_reused_cpu", rate, reuse_nonce=True)
        if self.bench.soak:
            self.registrations("")  # the first ones would expire on the way
            self.long_run()


Start = Callable[[Path], AbstractContextManager[Running]]


def _measured(
    bench: Bench, name: str, load: Load, start: Start, measure: Callable[[Measurement], None]
) -> list[Figure]:
    bench.say(f"{name}: starting")
    with TemporaryDirectory(prefix="bench-") as directory, ExitStack() as running:
        starts = count(1)

        def started() -> Running:
            running.close()
            place = Path(directory) / str(next(starts))
            place.mkdir()
            return running.enter_context(start(place))

        def renewed() -> Running:
            node = started()
            load.register(node.roles)
            return node

        measurement = Measurement(bench, name, load, started(), renewed)
        measure(measurement)
        return measurement.figures


def _with_media(measurement: Measurement, highest: int) -> None:
    measurement.registrations("")
    measurement.cost("call_with_media_cpu", highest)


def figures(bench: Bench, peers: Sequence[Peer]) -> Iterator[Figure]:
    """Beffroi's figures, then Kamailio's, then those of the given peers.

    Raises BenchError if one of them can't start, or dies on the way.
    """
    load = bench.load

    def ours(engine: beffroi.Engine, shape: beffroi.Shape = "plain") -> Start:
        return partial(
            beffroi.running, core=bench.core, load=load, port=bench.port, engine=engine, shape=shape
        )

    bench.say(f"{BEFFROI}: Python {python_version()}")
    own = _measured(bench, BEFFROI, load, ours("passthrough"), Measurement.everything)
    yield from own
    (rate,) = [int(figure.value or 0) for figure in own if figure.name == "call_cpu_rate"]
    yield from _measured(bench, BEFFROI, load, ours("auto"), partial(_with_media, highest=rate))
    for transport, offset in (("tls", 1), ("ws", 2)):
        aimed = replace(load, transport=f"{transport}:{bench.port + offset}")
        over = partial(Measurement.over, transport=transport)
        bench.say(f"over {transport.upper()}:")
        yield from _measured(bench, BEFFROI, aimed, ours("passthrough", "streams"), over)
    yield from _measured(bench, BEFFROI, load, ours("passthrough"), Measurement.phones)
    yield from _measured(bench, BEFFROI, load, ours("passthrough", "strangers"), Measurement.flood)
    as_ours = partial(Measurement.everything, highest=rate)
    theirs = partial(kamailio.running, core=bench.core, load=load, port=bench.port)
    yield from _measured(bench, kamailio.NAME, load, theirs, as_ours)
    yield from _measured(bench, kamailio.NAME, load, partial(theirs, flood=True), Measurement.flood)
    for peer in peers:
        aimed = Load(load.program, load.core, f"127.0.0.1:{peer.port}", load.port)
        there = partial(_peer, port=peer.port, core=bench.core)
        yield from _measured(bench, peer.name, aimed, there, as_ours)


def _peer(directory: Path, port: int, core: int) -> AbstractContextManager[Running]:
    return program.elsewhere(port, core)
