"""The area `fuzz`: damaged messages against the whole exchange, in the virtual world of the tests.

100,000 of them, or 10,000,000 with --soak, which also lets atheris look for what the parser can't bear,
guided by its coverage. Each PART has its own seed: the same one makes the same messages. After each of them
everything must be calm; where something is left, seed and requests are told and the area fails.
"""

import gc
import logging
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from benches.figure import Figure, Meaning
from benches.process import BenchError
from benches.signalling import Bench, Peer

ROOT = Path(__file__).resolve().parents[2]
MEANINGS = {
    "fuzz_messages": Meaning("damaged messages sent", "messages", "higher"),
    "fuzz_messages_per_second": Meaning("damaged messages a second", "messages/s", "higher"),
    "fuzz_internal_errors": Meaning("exceptions caught by the driver", "errors", "lower", 0),
    "fuzz_left": Meaning("transactions, calls and timers left at the end", "things", "lower", 0),
    "fuzz_memory_growth": Meaning("memory of the last tenth over the first (RSS)", "%", "lower", 5),
    "fuzz_parser_runs": Meaning("inputs that atheris tried on the parser", "inputs", "higher"),
    "fuzz_parser_crashes": Meaning("inputs that made the parser raise", "inputs", "lower", 0),
}
MESSAGES = 100_000
SOAK_MESSAGES = 10_000_000
TENTHS = 10
PART = 10_000  # each with a seed of its own; then all must be calm, and the world's notes are thrown away
MOST_EXCEPTIONS = 10  # that are told
SETTLED_SECONDS = 2000.0
SEED = 4475
ATHERIS_SECONDS = 600
LONGEST_INPUT_BYTES = 4096


def figures(bench: Bench, peers: Sequence[Peer]) -> Iterator[Figure]:
    """What came of the messages; a peer plays no part."""
    sys.path.insert(0, str(ROOT))
    exceptions = _Exceptions(bench)
    for name in ("pbx", "sip"):
        logger = logging.getLogger(name)
        logger.setLevel(logging.ERROR)
        logger.propagate = False
        logger.addHandler(exceptions)
    total = SOAK_MESSAGES if bench.soak else MESSAGES
    bench.say(f"{total:,} damaged messages, seeds from {SEED} on, {PART:,} of each")
    values = _barrage(bench, total)
    if bench.soak:
        values |= _atheris(bench)
    for name, value in values.items():
        yield Figure(name, value, MEANINGS[name])


class _Exceptions(logging.Handler):
    """Tells the first exceptions that are logged: the driver counts only those that it caught itself."""

    def __init__(self, bench: Bench) -> None:
        super().__init__(logging.ERROR)
        self._bench = bench
        self._told = 0

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and self._told < MOST_EXCEPTIONS:
            self._told += 1
            self._bench.say(self.format(record))


def _barrage(bench: Bench, total: int) -> dict[str, float]:
    from tests.scenarios.barrage import Barrage
    from tests.scenarios.town import start
    from tests.sim.world import World, run

    async def body(world: World) -> dict[str, float]:
        town = await start(world)
        world.network.watchers.clear()  # ladders and timelines would grow for ever
        town.errors.close()
        _fill_memories()
        memory_mb: list[float] = []
        spent = 0.0
        sent = 0
        seed = SEED
        for tenth in range(TENTHS):
            left = total // TENTHS
            while left > 0:
                barrage = Barrage(town, seed)
                began = time.perf_counter()
                await barrage.run(min(PART, left))
                spent += time.perf_counter() - began
                sent += barrage.counts["messages"]
                left -= PART
                seed += 1
                try:
                    await barrage.calm()
                except AssertionError as error:
                    raise BenchError(str(error)) from error
                _forget(town)
            await world.sleep(SETTLED_SECONDS)
            _forget(town)
            memory_mb.append(_resident_mb())
            bench.say(f"{tenth + 1}/{TENTHS}: {sent:,} messages, {memory_mb[-1]:.1f} MB")
        left_over = {**town.exchange.inventory()}
        left_over["timers"] -= sum(1 for device in town.exchange.devices if device.bindings)
        return {
            "fuzz_messages": float(sent),
            "fuzz_messages_per_second": sent / spent,
            "fuzz_internal_errors": float(town.exchange.core.stack.counts["internal error"]),
            "fuzz_left": float(sum(left_over.values())),
            "fuzz_memory_growth": 100 * (memory_mb[-1] / memory_mb[0] - 1),
        }

    return run(body, max_rounds=10**12)


def _fill_memories() -> None:
    """Fill what remembers a bounded number of the URIs and sources last seen.

    They fill slowly (8,192 URIs after some three million messages), and would pass for something that grows.
    """
    from pbx.defence.bans import source_of
    from sip.core.uri import SipUri

    for number in range(20_000):
        SipUri.parse(f"sip:{number}@fill.valmont.example:5060;transport=udp")
        source_of(f"2001:db8::{number:x}")


def _forget(town: object) -> None:
    """Throw away what the world notes for its tests: it would grow for ever."""
    from tests.scenarios.town import Town

    assert isinstance(town, Town)
    town.journal.written.clear()
    town.journal.timeline.clear()
    town.engine.asked.clear()
    gc.collect()


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _atheris(bench: Bench) -> dict[str, float]:
    """Let atheris try the parser for ATHERIS_SECONDS. Raises BenchError where it isn't installed."""
    from tests.scenarios.barrage import SPOKEN
    from tests.sip.test_fuzz import CORPUS

    program = Path(__file__).with_name("fuzz_parser.py")
    bench.say(f"atheris on the parser for {ATHERIS_SECONDS} s")
    limits = [f"-max_total_time={ATHERIS_SECONDS}", f"-max_len={LONGEST_INPUT_BYTES}", "-print_final_stats=1"]
    with TemporaryDirectory(prefix="bench-") as directory:
        # From nothing it would never come past the first line.
        for number, message in enumerate([*CORPUS, *SPOKEN]):
            (Path(directory) / str(number)).write_bytes(message)
        done = subprocess.run(
            [sys.executable, str(program), *limits, directory],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=ATHERIS_SECONDS + 120,
            cwd=directory,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            check=False,
        )
    found = re.search(r"stat::number_of_executed_units:\s*(\d+)", done.stderr)
    if found is None:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise BenchError(f"atheris did not run ({last}): scripts/setup soak")
    if done.returncode:
        bench.say(done.stderr[-2000:])
    return {"fuzz_parser_runs": float(found[1]), "fuzz_parser_crashes": float(done.returncode != 0)}
