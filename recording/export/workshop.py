"""The workshop: a program that opens recordings beside the process that asks, so that an hour of sound holds
up nobody.

```
web process ── one order (JSON line) ──(standard input)──> workshop ──> samples, in a file in memory
            <── what becomes of it (JSON lines) ──(standard output)──       a package, on disk
```
It is given the key of one recording, and the private key of none. It ends when its standard input does, so it
never outlives who asked; only a package's entry in the journal is asked back, and answered on that input.

Samples lie in the file one channel after the other, 16 bits each, a hole being silence.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from errno import EIO
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryDirectory
from typing import BinaryIO, Final

import msgspec
import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from recording.export import outline, package, sound
from recording.export.orders import (
    Examine,
    Examined,
    Failed,
    Finished,
    Hear,
    Loss,
    Made,
    Order,
    Outlined,
    Pack,
    PartTold,
    Party,
    Progress,
    ToJournal,
    Told,
    read_entered,
    read_order,
)
from recording.export.outline import Outline, Sealed
from recording.export.sound_files import TooManyChannels
from recording.export.waveform import Waveform
from recording.proof.entries import EntryError, Missed, Part
from recording.proof.journal import JournalDamage, entries
from recording.proof.parcel import ParcelTooLarge
from recording.proof.sealed_file import Damage, read_header, segments, unseal, whole_end
from recording.proof.verifier import verify_file

NICENESS: Final = 5
BYTES_A_SAMPLE: Final = 2


def main() -> None:
    """Do the one order of the standard input."""
    os.nice(NICENESS)
    lines: SimpleQueue[bytes] = SimpleQueue()
    order = read_order(sys.stdin.buffer.readline())
    threading.Thread(target=_listen, args=(sys.stdin.buffer, lines), daemon=True).start()
    carry_out(order, _tell, lines)
    os._exit(0)  # a thread still reads: the interpreter would wait for it


def _tell(one: Told) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(one) + b"\n")
    sys.stdout.buffer.flush()


def _listen(file: BinaryIO, lines: SimpleQueue[bytes]) -> None:
    """Pass lines on; whoever asked has gone when there are no more."""
    for line in file:
        lines.put(line)
    os._exit(1)


def carry_out(order: Order, tell: Callable[[Told], None], lines: SimpleQueue[bytes]) -> None:
    """Do what is ordered, and tell what becomes of it. lines: answers of who asked."""
    try:
        match order:
            case Hear():
                _hear(order, tell)
            case Pack():
                _pack(order, tell, lines)
            case Examine():
                tell(_examined(order))
    except Damage as damage:
        tell(Failed("damaged", f"segment {damage.segment}, byte {damage.offset}: {damage.what}"))
    except (EntryError, JournalDamage) as error:
        tell(Failed("damaged", str(error)))
    except (TooManyChannels, ParcelTooLarge) as error:
        tell(Failed("too_long", str(error)))
    except OSError as error:
        tell(Failed("disk", error.strerror or str(error)))


# Sound


def _hear(order: Hear, tell: Callable[[Told], None]) -> None:
    sealed, seen, damage = _heard(outline.opened(Path(order.path), order.key))
    if order.last_seconds:
        seen = seen.last_seconds(order.last_seconds)
    rate = min(seen.rate, order.most_rate)
    samples, parties = sound.length_of(seen, rate), seen.parties
    if samples * len(parties) * BYTES_A_SAMPLE > order.most_bytes:
        tell(Failed("too_long", f"{(seen.end - seen.begun) / 1e6:.0f} s are too long to be heard at once"))
        return
    waveform = Waveform(len(parties), samples, rate)
    tell(_outlined(seen, rate, samples, waveform.points, damage))
    done = told = 0
    for block in sound.blocks(sealed, seen, rate, sound.Unplaced()):
        _keep(order.file, block, done, samples)
        waveform.take(block)
        done += len(block)
        if done - told >= 2 * rate:
            told = done
            tell(Made(done, waveform.finished()))
    tell(Made(done, waveform.finished()))
    tell(Finished(waveform.quiet()))


def _heard(sealed: Sealed) -> tuple[Sealed, Outline, str]:
    """The recording up to where it is damaged, and the damage. One that is damaged from its begin raises."""
    try:
        return sealed, outline.outline(sealed), ""
    except Damage as damage:
        if damage.segment < 1:
            raise
        whole = sealed._replace(end=damage.offset)
        return whole, outline.outline(whole), f"segment {damage.segment}, byte {damage.offset}: {damage.what}"


def _keep(file: int, block: sound.Block, done: int, samples: int) -> None:
    """Put a block's channels where they belong; what is silent stays a hole."""
    for channel in range(block.shape[1]):
        one = np.ascontiguousarray(block[:, channel], "<i2")
        if one.any():
            os.pwrite(file, one.tobytes(), (channel * samples + done) * BYTES_A_SAMPLE)


def _outlined(seen: Outline, rate: int, samples: int, points: int, damage: str) -> Outlined:
    def second(at: int) -> float:
        return round(max(0.0, (at - seen.begun) / 1e6), 3)

    silences = {name: list[tuple[float, float]]() for name in seen.parties}
    for track in seen.tracks.values():
        if track.party in silences:
            silences[track.party] += [
                (second(since), second(until)) for since, until in track.silences if until > seen.begun
            ]
    return Outlined(
        begun=seen.begun / 1e6,
        seconds=second(seen.end),
        rate=rate,
        samples=samples,
        points=points,
        parties=[Party(name, sorted(found)) for name, found in silences.items()],
        parts=[
            PartTold(second(one.at), one.said.what, list(one.said.with_whom))
            for one in seen.said
            if isinstance(one.said, Part)
        ],
        losses=[
            Loss(second(one.said.since), one.said.packets, one.said.why)
            for one in seen.said
            if isinstance(one.said, Missed)
        ],
        unheard=seen.unheard,
        damage=damage,
    )


# Packages


def _pack(order: Pack, tell: Callable[[Told], None], lines: SimpleQueue[bytes]) -> None:
    path, out = Path(order.path), Path(order.out)
    findings = verify_file(path, order.head)
    if findings:  # a damaged recording isn't exported as if it were whole
        tell(Failed("damaged", findings[0].what))
        return

    def journalled(sums: str) -> int:
        tell(ToJournal(sums))
        number = read_entered(lines.get()).number
        if not number:
            raise OSError(EIO, "the journal has no entry of the package")
        return number

    key = Ed25519PublicKey.from_public_bytes(order.node_key)
    node = package.Node(Path(order.journal), key, Path(order.authorities) if order.authorities else None)
    wanted = package.Wanted(order.format, order.mixed)
    with TemporaryDirectory(dir=out.parent, prefix="work-") as work:
        sealed = outline.opened(path, order.key)
        package.make(out, Path(work), sealed, wanted, node, journalled, _progress(tell))
    tell(Finished())


def _progress(tell: Callable[[Told], None]) -> Callable[[float], None]:
    """What tells how much of the sound is made, each hundredth once."""
    last = 0

    def made(part: float) -> None:
        nonlocal last
        if int(part * 100) > last:
            last = int(part * 100)
            tell(Progress(last / 100))

    return made


# Verifying


def _examined(order: Examine) -> Examined:
    path = Path(order.path)
    key = Ed25519PublicKey.from_public_bytes(order.node_key)
    count, head, findings = 0, order.head, list[str]()
    try:
        for entry in entries(Path(order.journal), key):
            count += 1
            if entry.recording == order.recording and entry.what in ("ended", "repaired"):
                head = str(entry.about["head"])
    except JournalDamage as damage:
        findings.append(f"the journal: {damage.what}, line {damage.line}")
    if head:
        findings += [finding.what for finding in verify_file(path, head)]
    looked = opened = 0
    begun = at = read_header(path).begun
    try:
        for segment in segments(path, whole_end(path)):
            looked, at = looked + 1, segment.begun
            if order.key:
                unseal(segment, order.key, path)
                opened += 1
    except Damage as damage:
        findings = findings or [f"segment {damage.segment} {damage.what}"]
        proved = max(0.0, (at - begun) / 1e6)
    else:
        proved = -1.0
    return Examined(
        segments=looked,
        bytes=path.stat().st_size,
        opened=opened if order.key else -1,
        entries=count,
        findings=findings,
        proved_seconds=round(proved, 1),
    )


if __name__ == "__main__":
    main()
