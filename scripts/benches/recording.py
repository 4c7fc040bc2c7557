"""The area `recording`: what it costs to keep a call, and to prove it afterwards.

500 calls in G.711 both ways, their packets handed over as they would come, second after second, to captures
and the writer's thread, with keys, sealing, chain and files. What brings the packets there is not part of it.
Then all of it is verified.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from benches.figure import Figure, Meaning
from benches.process import BenchError
from benches.signalling import Bench, Peer

MEANINGS = {
    "recording_cpu": Meaning("CPU of recording a second of a call", "ms", "lower", 0.3),
    "recording_lost": Meaning("packets of 500 calls that were given and aren't there", "packets", "lower", 0),
    "verify_rate": Meaning("verified in a second of CPU", "MB", "higher", 300),
}
ROOT = Path(__file__).resolve().parents[2]
CALLS = 500
SECONDS = 20
PACKETS_A_SECOND = 50  # of each party
BEGUN = 1_795_339_800_000_000


def figures(bench: Bench, peers: Sequence[Peer]) -> Iterator[Figure]:
    """Every figure of MEANINGS; a peer plays no part."""
    bench.say(f"{CALLS} recordings of {SECONDS} s")
    command = ["taskset", "-c", str(bench.core), sys.executable, "-m", "benches.recording"]
    done = subprocess.run(command, cwd=ROOT / "scripts", capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BenchError(f"recording could not be measured: {done.stderr.strip()[-400:]}")
    for name, value in json.loads(done.stdout).items():
        yield Figure(name, value, MEANINGS[name])


def measured(directory: Path) -> dict[str, float]:
    """The figures of MEANINGS, made in a directory that is empty."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from recording import keys
    from recording.capture import Capture
    from recording.keys import KeyStore
    from recording.proof.entries import Clock, read
    from recording.proof.journal import Journal
    from recording.proof.sealed_file import segments, unseal
    from recording.proof.verifier import verify
    from recording.writer import Closed, Writer

    keys.make_pair(directory / "recording.pub", directory / "recording.key")
    private = keys.read_private(directory / "recording.key")
    store = KeyStore(directory / "keys")
    files = directory / "recordings"
    files.mkdir()
    payload = bytes(range(160))
    began = time.process_time()
    writer = Writer(files, store, private.public_key(), time.monotonic, lambda: None)
    captures: dict[str, Capture] = {}
    for call in range(CALLS):
        recording = f"20261122-101500-{call:04d}"
        writer.begin(recording, BEGUN)
        captures[recording] = capture = Capture(Clock("ntp", 0), BEGUN)
        for party in ("caller", "called"):
            capture.track(party, party, {"8": "PCMA/8000/1"}, BEGUN)
    given = 0
    for number in range(SECONDS * PACKETS_A_SECOND):
        now = BEGUN + number * 20_000
        packet = (
            b"\x80\x08" + number.to_bytes(2, "big") + (number * 160).to_bytes(4, "big") + b"ssrc" + payload
        )
        for recording, capture in captures.items():
            capture.packet(0, packet, now)
            capture.packet(1, packet, now + 7)
            given += 2
            if number % 10 == 0 and (plain := capture.due(now)) is not None:
                writer.write(recording, plain)
    for recording, capture in captures.items():
        writer.write(recording, capture.end("hung up", BEGUN + SECONDS * 1_000_000))
        writer.end(recording)
    if not writer.stop(120):
        raise SystemExit("not everything was written")
    used = time.process_time() - began

    node = Ed25519PrivateKey.generate()
    journal = Journal(directory / "journal", node)
    for report in writer.reports():
        if isinstance(report, Closed):
            journal.append(0.0, "ended", report.recording, "bench", head=report.head)
    journal.close()
    began = time.process_time()
    verified = verify(files, directory / "journal", node.public_key())
    verifying = time.process_time() - began
    if verified.findings or verified.whole != CALLS:
        raise SystemExit(f"{verified.whole} of {CALLS} are whole: {verified.findings[:3]}")

    there = 0
    for path in files.rglob("*.sealed"):
        key = keys.unwrap(store.get(path.stem), path.stem, private)
        for segment in segments(path):
            there += sum(bool(entry.packet) for entry in read(unseal(segment, key, path), segment.begun))
    return {
        "recording_cpu": used / (CALLS * SECONDS) * 1000,
        "recording_lost": given - there,
        "verify_rate": verified.bytes / verifying / 1e6,
    }


if __name__ == "__main__":
    with TemporaryDirectory(prefix="bench-") as place:
        print(json.dumps(measured(Path(place))))
