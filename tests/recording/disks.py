"""What `test_disks` runs where it may mount: the recorder's process on a small disk of its own.

python -m tests.recording.disks FOLDER        a tmpfs; what was found is printed as JSON
"""

import contextlib
import json
import logging
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from recording.live import wire, writer
from recording.proof.entries import Missed
from recording.proof.verifier import verify
from tests.recording.live.test_process import FakeSignalling, Node
from tests.recording.sealed import NODE

PACKETS = 200  # 4 s of a party, 10 in a turn


def speak(node: Node, signalling: FakeSignalling, packets: int = PACKETS) -> None:
    """Let a party's packets come, a few in each turn, as they would in a call.

    What a disk takes, it has taken before the next turn: time goes faster here than for the thread.
    """
    for number in range(packets):
        node.tape.put(5, 0, node.clocks.wall)
        if number % 10 == 9:
            node.turn(0.2)
            while node.writer.waiting_bytes and not fails(signalling):
                node.process.turn()


def fails(signalling: FakeSignalling) -> bool:
    """Whether signalling was told so last."""
    told = [one for one in signalling.told if isinstance(one, wire.Failing | wire.WellAgain)]
    return bool(told) and isinstance(told[-1], wire.Failing)


def fill(directory: Path) -> Path:
    """Take what room there is, as somebody else may."""
    path = directory / "somebody"
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))
    return path


def found(node: Node, signalling: FakeSignalling) -> dict[str, Any]:
    """End the recording, and tell what came of it."""
    node.obey(wire.End(5, "hung up"))
    ended = node.turn_until(signalling, wire.Ended)
    missed = [entry.statement.packets for entry in node.heard() if isinstance(entry.statement, Missed)]
    written = node.process.close(30)
    verified = verify(node.files, node.journal.path, NODE.public_key())
    failing = [one.why for one in signalling.told if isinstance(one, wire.Failing)]
    well = [one.lost for one in signalling.told if isinstance(one, wire.WellAgain)]
    return {
        "failing": failing,
        "well": well,
        "packets": ended.packets,
        "lost": ended.lost,
        "missed": sum(missed),
        "written": written,
        "whole": verified.whole,
        "findings": [str(one) for one in verified.findings],
    }


def full(directory: Path) -> dict[str, Any]:
    """The disk is full for some seconds of a call."""
    node = Node(directory)
    signalling = node.met()
    node.begin()
    speak(node, signalling)
    somebody = fill(directory)
    speak(node, signalling)
    node.turn_until(signalling, wire.Failing)
    speak(node, signalling)
    somebody.unlink()
    node.turn_until(signalling, wire.WellAgain)
    speak(node, signalling)
    return found(node, signalling)


def full_for_long(directory: Path) -> dict[str, Any]:
    """The disk is full for longer than memory holds."""
    setattr(writer, "MOST_WAITING_BYTES", 60_000)  # noqa: B010 (a constant for everybody else)
    return full(directory)


def read_only(directory: Path) -> dict[str, Any]:
    """Nothing can be written when the call begins."""
    node = Node(directory)
    signalling = node.met()
    mount = ["mount", "-o", "remount,bind"]
    subprocess.run(["mount", "--bind", str(node.store_path), str(node.store_path)], check=True)
    subprocess.run([*mount, "-o", "ro", str(node.store_path)], check=True)
    node.begin()
    speak(node, signalling)
    node.turn_until(signalling, wire.Failing)
    subprocess.run([*mount, "-o", "rw", str(node.store_path)], check=True)
    node.turn_until(signalling, wire.WellAgain)
    speak(node, signalling)
    return found(node, signalling)


CASES: dict[str, Callable[[Path], dict[str, Any]]] = {
    "full": full,
    "read_only": read_only,
    "full_for_long": full_for_long,  # the last: it leaves memory small
}

if __name__ == "__main__":
    logging.disable()
    folder = Path(sys.argv[1])
    outcomes = {}
    for name, case in CASES.items():
        (folder / name).mkdir()
        outcomes[name] = case(folder / name)
    sys.stdout.write(json.dumps(outcomes))
