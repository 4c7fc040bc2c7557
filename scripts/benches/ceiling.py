"""The area `load`: how many calls the load itself can make on its core, against a mirror that does nothing.

A figure of signalling means something only well below this ceiling.
"""

import subprocess
import time
from collections.abc import Iterator, Sequence

from benches.figure import Figure, Meaning
from benches.load import Load
from benches.signalling import Bench, Peer

PROGRAM = "sipload"
MEANINGS = {
    "load_calls_per_second": Meaning(
        "calls a second that the load can make, no failure", "calls/s", "higher"
    ),
    "load_call_cpu": Meaning("CPU of the load for a call at that rate", "us", "lower"),
}
STEPS = (2000, 4000, 6000, 8000, 10_000, 12_000, 14_000, 16_000)
STEP_SECONDS = 4
MIRROR_SECONDS = 120


def figures(bench: Bench, peers: Sequence[Peer]) -> Iterator[Figure]:
    """The highest of STEPS without a failure, and what a call cost the load there; a peer plays no part."""
    mirror = [
        "taskset",
        "-c",
        str(bench.core),
        str(bench.load.program),
        "mirror",
        "--target",
        bench.load.target,
    ]
    with subprocess.Popen([*mirror, "--seconds", str(MIRROR_SECONDS)], start_new_session=True) as process:
        try:
            yield from _climb(bench, bench.load)
        finally:
            process.terminate()


def _climb(bench: Bench, load: Load) -> Iterator[Figure]:
    time.sleep(0.2)  # the mirror binds its socket
    load.register([])  # the mirror learns where the called side is
    best, cpu_us = 0, None
    for rate in STEPS:
        report = load.calls(rate, STEP_SECONDS, [])
        bench.say(
            f"{rate:,} calls/s for {STEP_SECONDS} s: {'no failure' if report.clean else report.in_words()}"
        )
        if not report.clean or report.fields["retransmissions"]:
            break
        best, cpu_us = rate, report.fields["own_cpu_us"] / report.succeeded
    yield Figure("load_calls_per_second", best, MEANINGS["load_calls_per_second"], PROGRAM)
    yield Figure("load_call_cpu", cpu_us, MEANINGS["load_call_cpu"], PROGRAM)
