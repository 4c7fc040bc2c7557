"""The command line of scripts/bench: which area, how shown, compared with whom."""

import argparse
import json
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from rich.console import Console

from benches import (
    ceiling,
    figure,
    fuzz,
    instructions,
    lamps,
    media,
    plan,
    provisioning,
    races,
    recording,
    signalling,
    sound,
    web,
    webrtc,
)
from benches.figure import Figure, Meaning
from benches.load import Load, compile_sipload
from benches.process import BenchError
from benches.signalling import Bench, Peer

CACHE = Path(__file__).resolve().parents[2] / ".venv" / "cache"
PORT = 17_100

Area = tuple[Mapping[str, Meaning], Callable[[Bench, Sequence[Peer]], Iterator[Figure]]]
AREAS: dict[str, Area] = {
    "signalling": (signalling.MEANINGS, signalling.figures),
    "media": (media.MEANINGS, media.figures),
    "load": (ceiling.MEANINGS, ceiling.figures),
    "fuzz": (fuzz.MEANINGS, fuzz.figures),
    "races": (races.MEANINGS, races.figures),
    "plan": (plan.MEANINGS, plan.figures),
    "sound": (sound.MEANINGS, sound.figures),
    "recording": (recording.MEANINGS, recording.figures),
    "instructions": (instructions.MEANINGS, instructions.figures),
    "lamps": (lamps.MEANINGS, lamps.figures),
    "web": (web.MEANINGS, web.figures),
    "provisioning": (provisioning.MEANINGS, provisioning.figures),
    "webrtc": (webrtc.MEANINGS, webrtc.figures),
}


def parse_peer(text: str) -> Peer:
    """`127.0.0.1:PORT=NAME`. Raises ArgumentTypeError for anything else: only loopback is ever loaded."""
    found = re.fullmatch(r"127\.0\.0\.1:(\d{1,5})=([a-z0-9][a-z0-9._-]{0,30})", text)
    if found is None or not 1024 <= int(found[1]) <= 65535 or found[2] == figure.BEFFROI:
        raise argparse.ArgumentTypeError(f"{text!r} is not 127.0.0.1:PORT=name, with a name in lower case")
    return Peer(int(found[1]), found[2])


def parse(words: Sequence[str] | None) -> argparse.Namespace:
    """The command line's arguments; exits with the list of areas for an unknown one."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description="Measure Beffroi beside its peers.")
    areas = ", ".join(AREAS)
    parser.add_argument("area", nargs="?", default="signalling", choices=AREAS, metavar="AREA", help=areas)
    parser.add_argument("--json", action="store_true", help="print the figures as a list")
    parser.add_argument(
        "--soak", action="store_true", help="add a million calls to each program, and the long fuzzing"
    )
    parser.add_argument("--peer", action="append", type=parse_peer, default=[], metavar="ADDRESS=NAME")
    return parser.parse_args(words)


def cores() -> tuple[int, int]:
    """One core for the programs, another for the load. Raises BenchError where there is only one."""
    allowed = sorted(os.sched_getaffinity(0))
    if len(allowed) < 2:
        raise BenchError("the bench needs two cores: one for the programs, one for the load")
    return allowed[0], allowed[-1]


def _interrupted(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def main(words: Sequence[str] | None = None) -> int:
    """Run an area and print it.

    Returns 0 when all was measured, whatever was met; 2 when it could not be; 130 on Ctrl-C.
    """
    arguments = parse(words)
    told = Console(stderr=True, highlight=False)
    signal.signal(signal.SIGTERM, _interrupted)  # so that a terminated bench cleans up too
    meanings, measure = AREAS[arguments.area]
    try:
        ours, theirs = cores()
        load = Load(compile_sipload(CACHE), theirs, f"127.0.0.1:{PORT}")
        bench = Bench(ours, load, PORT, partial(told.print, soft_wrap=True), arguments.soak)
        figures = list(measure(bench, arguments.peer))
    except BenchError as error:
        print(f"scripts/bench: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("scripts/bench: interrupted", file=sys.stderr)
        return 130
    if arguments.json:
        print(json.dumps([one.as_json() for one in figures], indent=2))
    else:
        Console(width=None if sys.stdout.isatty() else 140).print(figure.table(figures, meanings))
    return 0


if __name__ == "__main__":
    sys.exit(main())
