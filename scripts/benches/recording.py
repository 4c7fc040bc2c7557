"""The area `recording`: what it costs to keep a call, to prove it afterwards, and to find it among a million.

The packets of 500 calls in G.711 both ways come to a C plane on one core as they would come from telephones,
50 a second from each, and go on the tape. On the other core runs the recorder's process as a node has it:
that is weighed, with all its threads, from the first call's begin to the last one's end in the journal. Then
all of it is verified, and each packet looked for.

With --soak 10,000 recordings are made one behind the other by one recorder's process, whose memory is
watched, and 200 recorders are killed at random moments (`benches.recording_kills`).
"""

import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from benches.figure import Figure, Meaning
from benches.process import BenchError
from benches.signalling import Bench, Peer

if TYPE_CHECKING:
    from media.engines.reel import Reel
    from pbx.configuration import Configuration
    from recording.live import wire

MEANINGS = {
    "recording_cpu": Meaning("CPU of recording a second of a call", "ms", "lower", 0.3),
    "recording_lost": Meaning("packets of 500 calls that were given and aren't there", "packets", "lower", 0),
    "verify_rate": Meaning("verified in a second of CPU", "MB", "higher", 300),
    "recording_search": Meaning("slowest kind of search among 1,000,000 recordings", "ms", "lower", 50),
}
SOAK_MEANINGS = {
    "recording_memory_growth": Meaning("memory gained from the first to the last of 10,000", "%", "lower", 5),
    "kills_findings": Meaning("what doesn't verify after 200 kills", "findings", "lower", 0),
    "kills_lost_seconds": Meaning(
        "longest before a kill that a packet was sent and is lost", "s", "lower", 2
    ),
}
ROOT = Path(__file__).resolve().parents[2]
CALLS = 500
SECONDS = 20
PACKET_SECONDS = 0.02
ON_ITS_WAY_SECONDS = 0.5  # what is on the tape and isn't read yet
ANSWER_SECONDS = 60.0
SOAK_ROUNDS = 200
SOAK_CALLS = 50  # in each round, which lasts a second
KILLS = 200
KILLS_AT_ONCE = 10
KILLS_SEED = 20261122
KILLS_PORT = 24000
_PR_SET_PDEATHSIG = 1


def figures(bench: Bench, peers: Sequence[Peer]) -> Iterator[Figure]:
    """Every figure of MEANINGS, with --soak those of SOAK_MEANINGS; a peer plays no part."""
    cores = str(bench.core), str(bench.load.core)
    bench.say(f"{CALLS} recordings of {SECONDS} s")
    yield from _figures(_run("benches.recording", *cores), MEANINGS)
    bench.say("searches among 1,000,000 recordings")
    yield from _figures(_run("benches.recording_search", cores[0]), MEANINGS)
    if not bench.soak:
        return
    bench.say(f"{SOAK_ROUNDS * SOAK_CALLS:,} recordings of a second")
    yield from _figures(_run("benches.recording", *cores, "soak"), SOAK_MEANINGS)
    bench.say(f"{KILLS} recorders are killed")
    yield from _figures(_kills(), SOAK_MEANINGS)


def _figures(values: dict[str, float], meanings: dict[str, Meaning]) -> Iterator[Figure]:
    return (Figure(name, value, meanings[name]) for name, value in values.items())


def _run(module: str, *arguments: str) -> dict[str, float]:
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, cwd=ROOT / "scripts", capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BenchError(f"{module} could not be measured: {done.stderr.strip()[-400:]}")
    values: dict[str, float] = json.loads(done.stdout)
    return values


def _kills() -> dict[str, float]:
    findings, oldest = 0, 0.0
    for number in range(KILLS // KILLS_AT_ONCE):
        with TemporaryDirectory(prefix="bench-") as place:
            arguments = [place, str(KILLS_AT_ONCE), str(KILLS_SEED + number), str(KILLS_PORT)]
            command = [sys.executable, "-m", "benches.recording_kills", *arguments]
            environment = {**os.environ, "PYTHONPATH": str(ROOT)}  # its telephones are those of the tests
            done = subprocess.run(
                command, cwd=ROOT / "scripts", env=environment, capture_output=True, text=True, check=False
            )
        if done.returncode != 0:
            raise BenchError(f"recorders could not be killed: {done.stderr.strip()[-400:]}")
        for loss in json.loads(done.stdout):
            findings += len(loss["findings"]) + loss["after"]
            oldest = max(oldest, loss["oldest_seconds"])
    return {"kills_findings": findings, "kills_lost_seconds": oldest}


class Recorder:
    """A recorder's process as a node has it, on a core of its own, and signalling's end of its socket."""

    def __init__(self, directory: Path, reel: "Reel", core: int) -> None:
        """directory: of its data, which it makes its keys in."""
        from pbx import control
        from pbx.configuration import parse_configuration

        self.configuration: Configuration = parse_configuration("data_dir: .", directory / "beffroi.yaml")
        listening = control.listen(self.configuration.recorder_socket)
        asked = control.listen(self.configuration.recordings_socket)
        self.pid = _forked(lambda: _record(self.configuration, listening, asked, reel), core)
        listening.close()
        asked.close()
        self._connection = socket.socket(socket.AF_UNIX)
        self._connection.settimeout(ANSWER_SECONDS)
        self._connection.connect(str(self.configuration.recorder_socket))
        self._heard = self._connection.makefile("rb")
        self.hear()  # that nothing goes on

    def say(self, orders: "Sequence[wire.Order]") -> None:
        """Tell it something."""
        from media import frames

        self._connection.sendall(frames.frame(orders))

    def hear(self) -> "list[wire.Report]":
        """Wait for what it tells."""
        from recording.live import wire

        length = int.from_bytes(self._heard.read(4))
        return wire.reports(self._heard.read(length))

    def begin(self, slots: range) -> None:
        """Calls of two parties are recorded from now on."""
        from recording.live import wire

        orders: list[wire.Order] = []
        for slot in slots:
            facts = wire.Facts("pompiers", f"call-{slot}", "8200", caller="+33612345678", called="8200")
            orders.append(wire.Begin(slot, f"20261122-101500-{slot:06d}", time.time_ns() // 1000, facts))
            orders += [
                wire.Track(slot, track, party, party, {"8": "PCMA/8000/1"})
                for track, party in enumerate(("caller", "called"))
            ]
        self.say(orders)

    def end(self, slots: range) -> None:
        """Calls are over; returns when all of them are in their files. A disk that fails is waited for."""
        from recording.live import wire

        self.say([wire.End(slot, "hung up") for slot in slots])
        ended = 0
        while ended < len(slots):
            ended += sum(isinstance(report, wire.Ended) for report in self.hear())

    @property
    def cpu_seconds(self) -> float:
        """What it has used until now."""
        fields = (Path("/proc") / str(self.pid) / "stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def __enter__(self) -> "Recorder":
        return self

    def __exit__(self, *error: object) -> None:
        self._heard.close()
        self._connection.close()
        os.kill(self.pid, signal.SIGTERM)
        os.waitpid(self.pid, 0)


def _record(
    configuration: "Configuration", listening: socket.socket, asked: socket.socket, reel: "Reel"
) -> None:
    from pbx.recorder_process import run_recorder

    run_recorder(configuration, listening, asked, reel)


def measured(directory: Path, core: int, telephones_core: int) -> dict[str, float]:
    """The figures of MEANINGS, made in a directory that is empty."""
    configuration, used = _recorded(directory, core, telephones_core)
    verifying, size = _verified(configuration)
    return {
        "recording_cpu": used / (CALLS * SECONDS) * 1000,
        "recording_lost": 2 * CALLS * _packets() - _there(configuration),
        "verify_rate": size / verifying / 1e6,
    }


def _recorded(directory: Path, core: int, telephones_core: int) -> "tuple[Configuration, float]":
    """Record the telephones; return how the recorder was configured, and the CPU seconds that it took."""
    slots = range(1, CALLS + 1)
    with _reel() as reel, Recorder(directory, reel, core) as recorder:
        began = recorder.cpu_seconds
        recorder.begin(slots)
        telephones = _forked(lambda: _speak(reel, CALLS, lambda number: 0, _packets()), telephones_core)
        os.waitpid(telephones, 0)  # what isn't on the tape is missed below
        time.sleep(ON_ITS_WAY_SECONDS)
        recorder.end(slots)
        return recorder.configuration, recorder.cpu_seconds - began


@contextmanager
def _reel() -> "Iterator[Reel]":
    from media.engines.reel import Reel

    reel = Reel()
    try:
        yield reel
    finally:
        reel.renounce()


def _verified(configuration: "Configuration") -> tuple[float, int]:
    """Verify what was recorded; return the CPU seconds that took, and how many bytes it is."""
    from pbx.node.keys import node_key
    from recording.proof.verifier import verify

    node = node_key(configuration.node_key_file).public_key()
    began = time.process_time()
    verified = verify(configuration.recordings.directory, configuration.recordings_journal, node)
    verifying = time.process_time() - began
    if verified.findings or verified.whole != CALLS:
        raise SystemExit(f"{verified.whole} of {CALLS} are whole: {verified.findings[:3]}")
    return verifying, verified.bytes


def _there(configuration: "Configuration") -> int:
    """Count the packets that are in the files."""
    from pbx.node.keys import private_of
    from recording import keys
    from recording.proof.entries import read
    from recording.proof.sealed_file import segments, unseal

    private = keys.read_private(private_of(configuration.recordings.key_file))
    store = keys.KeyStore(configuration.recording_keys_dir)
    there = 0
    for path in configuration.recordings.directory.rglob("*.sealed"):
        key = keys.unwrap(store.get(path.stem), path.stem, private)
        for segment in segments(path):
            there += sum(bool(entry.packet) for entry in read(unseal(segment, key, path), segment.begun))
    return there


def soaked(directory: Path, core: int, telephones_core: int) -> dict[str, float]:
    """The memory of SOAK_MEANINGS: the most of the last tenth of the recordings beside that of the first."""
    per_round = round(1 / PACKET_SECONDS)
    packets = SOAK_ROUNDS * per_round

    def slots_of(number: int) -> range:
        return range(1 + number * SOAK_CALLS, 1 + (number + 1) * SOAK_CALLS)

    weighed = []
    with _reel() as reel, Recorder(directory, reel, core) as recorder:
        recorder.begin(slots_of(0))
        began = time.monotonic()
        telephones = _forked(
            lambda: _speak(reel, SOAK_CALLS, lambda number: number // per_round * SOAK_CALLS, packets),
            telephones_core,
        )
        for number in range(SOAK_ROUNDS):
            time.sleep(max(0.0, began + number + 0.8 - time.monotonic()))
            if number + 1 < SOAK_ROUNDS:
                recorder.begin(slots_of(number + 1))
            time.sleep(max(0.0, began + number + 1 + ON_ITS_WAY_SECONDS - time.monotonic()))
            recorder.end(slots_of(number))
            weighed.append(_own_mb(recorder.pid))
        os.waitpid(telephones, 0)
    tenth = max(1, SOAK_ROUNDS // 10)
    first, last = max(weighed[:tenth]), max(weighed[-tenth:])
    return {"recording_memory_growth": (last / first - 1) * 100}


def _own_mb(pid: int) -> float:
    """What a process has for itself (RssAnon of proc(5)); the reel, which fills for half a minute, is not."""
    said = Path(f"/proc/{pid}/status").read_text()
    return int(said.split("RssAnon:")[1].split()[0]) * 1024 / 1e6


def _packets() -> int:
    """How many each telephone sends."""
    return int(SECONDS / PACKET_SECONDS)


def _speak(reel: "Reel", calls: int, first_slot: Callable[[int], int], packets: int) -> None:
    """Be the telephones, and the plane that hears them and puts what they say on the tape.

    first_slot: by the packet's number, where the slots of these calls begin, less one.
    """
    from media.engines import wire
    from media.engines.native import NativePlane, ffi, lib
    from media.engines.stream import Range
    from media.engines.tape import NO_TRACK

    plane = NativePlane(lambda descriptor, told: None, [], None, lambda stream, data, at: None)
    plane.tape(reel)
    ports = Range("127.0.0.1", (2, 4 * calls + 2))
    streams = []
    for leg in range(2 * calls):
        sockets = socket.socketpair(type=socket.SOCK_DGRAM), socket.socketpair(type=socket.SOCK_DGRAM)
        port = 2 * leg + 2
        stream = plane.open(port, ports, (sockets[0][0], sockets[1][0]))
        stream.claim(again=False)
        route = wire.Route(
            port, 0, "127.0.0.1", 9000, 9001, False, False, False, {8: 8}, (), "PCMA", 8, 8000, -1
        )
        stream.route(route, None, 0.0)
        streams.append(stream)
    source = ffi.new("plane_address *", {"port": 9000, "family": 4, "host": [127, 0, 0, 1]})
    packet = ffi.new("plane_packet *")
    began, taped = time.monotonic(), -1
    for number in range(packets):
        if taped != first_slot(number):
            taped = first_slot(number)
            for leg, stream in enumerate(streams):
                stream.tape(1 + taped + leg // 2, leg % 2, NO_TRACK)
        said = (
            b"\x80\x08" + number.to_bytes(2, "big") + (number * 160).to_bytes(4, "big") + b"ssrc" + bytes(160)
        )
        for stream in streams:
            lib.plane_receive(stream.made, said, len(said), source, time.monotonic(), 0, packet)
        time.sleep(max(0.0, began + (number + 1) * PACKET_SECONDS - time.monotonic()))


def _forked(run: Callable[[], None], core: int) -> int:
    """Return the process that runs this on one core; it ends with this one's death."""
    made = os.fork()
    if made:
        return made
    status = 1
    try:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        os.sched_setaffinity(0, {core})
        run()
        status = 0
    finally:
        os._exit(status)


if __name__ == "__main__":
    import pbx.recorder_process  # noqa: F401 (before the fork: what loading it costs isn't recording)

    own_core, load_core, *soak = sys.argv[1:]
    os.sched_setaffinity(0, {int(load_core)})
    with TemporaryDirectory(prefix="bench-") as place:
        measure = soaked if soak else measured
        print(json.dumps(measure(Path(place), int(own_core), int(load_core))))
