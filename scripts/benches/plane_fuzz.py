"""The C data plane under sanitizers: strange packets under AddressSanitizer, threads under ThreadSanitizer.

100,000 packets and 2 s of threads, or 10,000,000 and a minute with --soak (plane_fuzz.c).
"""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from benches.figure import Figure, Meaning
from benches.load import compiled
from benches.signalling import Bench

ROOT = Path(__file__).resolve().parents[2]
SOURCE = Path(__file__).with_name("plane_fuzz.c")
PLANE = ROOT / "media" / "native"
MEANINGS = {
    "plane_fuzz_packets": Meaning("strange packets given to the C data plane", "packets", "higher"),
    "plane_fuzz_faults": Meaning("faults found by AddressSanitizer", "faults", "lower", 0),
    "plane_threads_packets": Meaning("packets relayed while calls began and ended", "packets", "higher"),
    "plane_threads_faults": Meaning("faults found by ThreadSanitizer", "faults", "lower", 0),
}
RUNS = {
    # figure: how it is compiled, and its arguments, without --soak and with it
    "plane_fuzz": ("address,undefined", ("packets", "100000"), ("packets", "10000000")),
    "plane_threads": ("thread", ("threads", "2"), ("threads", "60")),
}


def figures(bench: Bench) -> Iterator[Figure]:
    """What each run came to. Raises BenchError when it doesn't compile."""
    for name, (sanitizer, short, long) in RUNS.items():
        flags = (f"-fsanitize={sanitizer}", "-fno-sanitize-recover=all", "-g", f"-I{PLANE}", "-pthread")
        rest = (
            *(str(PLANE / name) for name in ("keys.c", "loudness.c", "ring.c")),
            "-DPLANE_SRTP",
            "-lcrypto",
        )
        program = compiled(SOURCE, ROOT / ".venv" / "cache", *flags, *rest, also=sorted(PLANE.glob("*.[ch]")))
        arguments = long if bench.soak else short
        bench.say(f"{program.name} {' '.join(arguments)}, {sanitizer} sanitizer")
        done = subprocess.run(
            ["setarch", "-R", str(program), *arguments],  # ThreadSanitizer wants addresses where they were
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "TSAN_OPTIONS": "halt_on_error=1"},
        )
        if done.returncode:
            bench.say(done.stderr[-4000:])
        packets = float(done.stdout) if done.returncode == 0 else None
        yield Figure(f"{name}_packets", packets, MEANINGS[f"{name}_packets"])
        yield Figure(f"{name}_faults", float(done.returncode != 0), MEANINGS[f"{name}_faults"])
