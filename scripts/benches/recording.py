"""The area `recording`: what it costs to keep a call, and to prove it afterwards.

The packets of 500 calls in G.711 both ways come to a C plane on the other core as they would come from
telephones, 50 a second from each, and go on the tape. The recorder's side reads it, gathers, seals, chains
and writes: that is weighed, its thread included. Then all of it is verified, and each packet looked for.
"""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from benches.figure import Figure, Meaning
from benches.process import BenchError
from benches.signalling import Bench, Peer

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

    from media.engines.reel import Reel
    from recording.keys import KeyStore
    from recording.writer import Closed

MEANINGS = {
    "recording_cpu": Meaning("CPU of recording a second of a call", "ms", "lower", 0.3),
    "recording_lost": Meaning("packets of 500 calls that were given and aren't there", "packets", "lower", 0),
    "verify_rate": Meaning("verified in a second of CPU", "MB", "higher", 300),
}
ROOT = Path(__file__).resolve().parents[2]
CALLS = 500
SECONDS = 20
PACKET_SECONDS = 0.02
READ_SECONDS = 0.1  # how often the tape is read
READINGS = 3  # between two looks at what is to be written


def figures(bench: Bench, peers: Sequence[Peer]) -> Iterator[Figure]:
    """Every figure of MEANINGS; a peer plays no part."""
    bench.say(f"{CALLS} recordings of {SECONDS} s")
    command = [sys.executable, "-m", "benches.recording", str(bench.core), str(bench.load.core)]
    done = subprocess.run(command, cwd=ROOT / "scripts", capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BenchError(f"recording could not be measured: {done.stderr.strip()[-400:]}")
    for name, value in json.loads(done.stdout).items():
        yield Figure(name, value, MEANINGS[name])


def measured(directory: Path, telephones_core: int) -> dict[str, float]:
    """The figures of MEANINGS, made in a directory that is empty."""
    from recording import keys
    from recording.keys import KeyStore
    from recording.proof.entries import read
    from recording.proof.sealed_file import segments, unseal

    keys.make_pair(directory / "recording.pub", directory / "recording.key")
    private = keys.read_private(directory / "recording.key")
    store = KeyStore(directory / "keys")
    files = directory / "recordings"
    files.mkdir()
    used, closed = _recorded(files, store, private.public_key(), telephones_core)
    verifying, size = _verified(files, directory / "journal", closed)
    there = 0
    for path in files.rglob("*.sealed"):
        key = keys.unwrap(store.get(path.stem), path.stem, private)
        for segment in segments(path):
            there += sum(bool(entry.packet) for entry in read(unseal(segment, key, path), segment.begun))
    return {
        "recording_cpu": used / (CALLS * SECONDS) * 1000,
        "recording_lost": 2 * CALLS * _packets() - there,
        "verify_rate": size / verifying / 1e6,
    }


def _recorded(
    files: Path, store: "KeyStore", public: "X25519PublicKey", telephones_core: int
) -> tuple[float, list["Closed"]]:
    """Record the telephones; return the CPU seconds that took, and what was closed."""
    from media.engines.reel import Reel
    from media.engines.tape import Tape
    from recording.capture import Capture
    from recording.proof.entries import Clock
    from recording.writer import Closed, Writer

    reel = Reel()
    telephones = os.fork()
    if not telephones:
        try:
            os.sched_setaffinity(0, {telephones_core})
            _speak(reel)
        finally:
            os._exit(0)  # what isn't on the tape is missed below
    began = time.process_time()
    offset_us = time.time_ns() // 1000 - time.monotonic_ns() // 1000
    tape = Tape(reel)
    writer = Writer(files, store, public, time.monotonic, lambda: None)
    captures: dict[str, Capture] = {}
    for call in range(CALLS):
        recording = f"20261122-101500-{call:04d}"
        now = time.time_ns() // 1000
        writer.begin(recording, now)
        captures[recording] = capture = Capture(Clock("ntp", 0), now)
        for party in ("caller", "called"):
            capture.track(party, party, {"8": "PCMA/8000/1"}, now)
    of_slot = list(captures)
    over, turn = False, 0
    while not over:
        over = os.waitpid(telephones, os.WNOHANG)[0] != 0  # asked first: then what it said is all there
        while taken := tape.read(offset_us):
            for taped in taken:
                captures[of_slot[taped.recording]].take(taped)
        now = time.time_ns() // 1000
        turn += 1
        for recording, capture in captures.items() if turn % READINGS == 0 else ():
            if (plain := capture.due(now)) is not None:
                writer.write(recording, plain)
        if not over:
            time.sleep(READ_SECONDS)
    for recording, capture in captures.items():
        writer.write(recording, capture.end("hung up", time.time_ns() // 1000))
        writer.end(recording)
    if not writer.stop(120):
        raise SystemExit("not everything was written")
    tape.close()
    return time.process_time() - began, [one for one in writer.reports() if isinstance(one, Closed)]


def _verified(files: Path, path: Path, closed: "list[Closed]") -> tuple[float, int]:
    """Verify what was recorded; return the CPU seconds that took, and how many bytes it is."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from recording.proof.journal import Journal
    from recording.proof.verifier import verify

    node = Ed25519PrivateKey.generate()
    journal = Journal(path, node)
    for report in closed:
        journal.append(0.0, "ended", report.recording, "bench", head=report.head)
    journal.close()
    began = time.process_time()
    verified = verify(files, path, node.public_key())
    verifying = time.process_time() - began
    if verified.findings or verified.whole != CALLS:
        raise SystemExit(f"{verified.whole} of {CALLS} are whole: {verified.findings[:3]}")
    return verifying, verified.bytes


def _packets() -> int:
    """How many each telephone sends."""
    return int(SECONDS / PACKET_SECONDS)


def _speak(reel: "Reel") -> None:
    """Be the telephones, and the plane that hears them and puts what they say on the tape."""
    from media.engines import wire
    from media.engines.native import NativePlane, ffi, lib
    from media.engines.stream import Range
    from media.engines.tape import NO_TRACK

    plane = NativePlane(lambda descriptor, told: None, [], None, lambda stream, data, at: None)
    plane.tape(reel)
    ports = Range("127.0.0.1", (2, 4 * CALLS + 2))
    legs = []
    for leg in range(2 * CALLS):
        sockets = socket.socketpair(type=socket.SOCK_DGRAM), socket.socketpair(type=socket.SOCK_DGRAM)
        port = 2 * leg + 2
        stream = plane.open(port, ports, (sockets[0][0], sockets[1][0]))
        stream.claim(again=False)
        route = wire.Route(
            port, 0, "127.0.0.1", 9000, 9001, False, False, False, {8: 8}, (), "PCMA", 8, 8000, -1
        )
        stream.route(route, None, 0.0)
        stream.tape(leg // 2, leg % 2, NO_TRACK)
        legs.append(stream.made)
    source = ffi.new("plane_address *", {"port": 9000, "family": 4, "host": [127, 0, 0, 1]})
    packet = ffi.new("plane_packet *")
    began = time.monotonic()
    for number in range(_packets()):
        said = (
            b"\x80\x08" + number.to_bytes(2, "big") + (number * 160).to_bytes(4, "big") + b"ssrc" + bytes(160)
        )
        for made in legs:
            lib.plane_receive(made, said, len(said), source, time.monotonic(), 0, packet)
        time.sleep(max(0.0, began + (number + 1) * PACKET_SECONDS - time.monotonic()))


if __name__ == "__main__":
    with TemporaryDirectory(prefix="bench-") as place:
        os.sched_setaffinity(0, {int(sys.argv[1])})
        print(json.dumps(measured(Path(place), int(sys.argv[2]))))
