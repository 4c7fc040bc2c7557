"""An export: one package with a recording's sound, what explains it, and what proves it.

```
sealed file, key, stamps ──> sound, recording.json, README ──> SHA256SUMS ──(journalled)──> journal.txt, zip
```
What is in it, and how it holds together, is written in `recording.proof.package`, which verifies it and which
goes along as `verify.pyz`. The sealed file goes with the recording's own key, so that an expert can follow
the chain and open each segment. The journal is in it as an excerpt that tells nothing of other recordings.

The private key that opens recordings is needed here and goes nowhere.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from errno import EEXIST
from pathlib import Path
from typing import Any, Final, NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from recording.export import outline, sound, sound_files
from recording.export.package_readme import README_NAMES, readme
from recording.export.sound_files import Format
from recording.proof import custody, excerpt
from recording.proof import package as proof
from recording.proof.entries import About, Clock, Ended, Missed, Part
from recording.proof.parcel import pack
from recording.proof.stamp import FOLDER as STAMPS
from recording.proof.stamp import SUFFIX as STAMP_SUFFIX

FORMAT: Final = 1  # of recording.json


class Wanted(NamedTuple):
    """How the sound is wanted. rate: samples a second, 0 for the one at which nothing is lost."""

    kind: Format = "wav"
    is_mixed: bool = False
    rate: int = 0


class Node(NamedTuple):
    """Where a node's proofs are. authorities: PEM of who stamps its journal, None for nobody."""

    journal: Path
    key: Ed25519PublicKey
    authorities: Path | None = None


def make(
    path: Path,
    work: Path,
    sealed: outline.Sealed,
    wanted: Wanted,
    node: Node,
    journalled: Callable[[str], int],
    progress: Callable[[float], None],
) -> None:
    """Write a new package.

    work: an empty folder for what goes into it. journalled: enters the hash of the list of files in the
    journal, and returns the entry's number. progress: told the part of the sound that is made, 0 to 1.
    Raises Damage, EntryError, TooManyChannels, ParcelTooLarge, OSError, and what `journalled` raises.
    """
    recording = sealed.header.recording
    seen = outline.outline(sealed)
    sound_name = f"sound.{wanted.kind}"
    made = write_sound(work / sound_name, sealed, seen, wanted, progress)
    known = facts(sealed, seen, made)
    _write(work / proof.FACTS, _json(known))
    shutil.copyfile(sealed.path, work / sealed.path.name)
    _write(work / proof.RECORDING_KEY, f"{sealed.key.hex()}\n")
    _write(
        work / proof.NODE_KEY, node.key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    )
    _add_stamps(work, node, recording)
    pack(work / proof.VERIFIER, list(program()))
    for language, name in README_NAMES.items():
        _write(work / name, readme(language, known, proof.fingerprint(node.key)))
    names = sorted(one.name for one in work.iterdir())
    _write(work / proof.SUMS, "".join(f"{proof.sum_of(work / name)}  {name}\n" for name in names))
    last = journalled(proof.sum_of(work / proof.SUMS))
    with (work / proof.JOURNAL).open("xb") as file:
        file.writelines(excerpt.cut(node.journal, recording, last))
    shown = excerpt.read(work / proof.JOURNAL, node.key).entries
    _write(work / proof.CUSTODY, custody.page(recording, shown))
    order = [*README_NAMES.values(), sound_name, proof.FACTS, proof.CUSTODY, sealed.path.name, proof.JOURNAL]
    rest = sorted({*names, proof.SUMS} - set(order))
    if path.exists():
        raise FileExistsError(EEXIST, os.strerror(EEXIST), str(path))
    partial = path.with_name(f"{path.name}.part")
    try:
        pack(partial, [(name, work / name) for name in [*order, *rest]])
        partial.rename(path)
    finally:
        partial.unlink(missing_ok=True)


def write_sound(
    path: Path,
    sealed: outline.Sealed,
    seen: outline.Outline,
    wanted: Wanted,
    progress: Callable[[float], None],
) -> dict[str, Any]:
    """Write the sound of a recording into a new file; returns what it is, for recording.json."""
    rate = wanted.rate or seen.rate
    samples = sound.length_of(seen, rate)
    parties = seen.parties
    unplaced = sound.Unplaced()
    blocks = sound.blocks(sealed, seen, rate, unplaced)
    channels = 1 if wanted.is_mixed or not parties else len(parties)
    if channels == 1 and len(parties) != 1:
        blocks = sound.mixed(blocks)
    told = (lambda done: progress(done / samples)) if samples else None
    sound_files.write(wanted.kind, path, blocks, rate, channels, samples, told)
    return {
        "file": path.name,
        "format": wanted.kind,
        "samples_a_second": rate,
        "samples": samples,
        "channels": [parties] if channels == 1 else [[party] for party in parties],
        "packets_left_out_as_doubles": unplaced.doubles,
        "packets_that_could_not_be_decoded": unplaced.unreadable,
    }


def facts(sealed: outline.Sealed, seen: outline.Outline, made: Mapping[str, Any]) -> dict[str, Any]:
    """Return what recording.json says. Seconds are from the begin, which is also where the sound begins."""

    def second(at: int) -> float:
        return round((at - seen.begun) / 1e6, 3)

    about = next((one.said for one in seen.said if isinstance(one.said, About)), None)
    return {
        "format": FORMAT,
        "recording": sealed.header.recording,
        "begun": _utc(seen.begun),
        "end": _utc(seen.end),
        "seconds": second(seen.end),
        "about": about._asdict() if about is not None else {},
        "clock": [
            {"second": second(one.at), **one.said._asdict()}
            for one in seen.said
            if isinstance(one.said, Clock)
        ],
        "sound": made,
        "tracks": [_track(track, second) for _, track in sorted(seen.tracks.items())],
        "parts": [
            {"second": second(one.at), "what": one.said.what, "with": one.said.with_whom}
            for one in seen.said
            if isinstance(one.said, Part)
        ],
        "packets_lost_by_the_recorder": [
            {"second": second(one.said.since), "packets": one.said.packets, "why": one.said.why}
            for one in seen.said
            if isinstance(one.said, Missed)
        ],
        "packets_without_sound": seen.unheard,
        "ended": next((one.said.cause for one in seen.said if isinstance(one.said, Ended)), ""),
        "sealed_file": {"file": sealed.path.name, "bytes": sealed.end},
    }


def program() -> Iterator[tuple[str, Path]]:
    """Yield the files that `verify.pyz` is made of: this very package, as its tests run it."""
    folder = Path(proof.__file__).parent
    yield "__main__.py", folder / "__main__.py"
    yield "recording/__init__.py", folder.parent / "__init__.py"
    for path in sorted(folder.glob("*.py")):
        if path.name != "__main__.py":
            yield f"recording/proof/{path.name}", path


def _track(track: outline.TrackSeen, second: Callable[[int], float]) -> dict[str, Any]:
    return {
        "track": track.number,
        "party": track.party,
        "leg": track.leg,
        "codecs": [{"second": second(at), "payload_types": dict(codecs)} for at, codecs in track.codecs],
        "packets": track.packets,
        "first_packet": second(track.first) if track.first else None,
        "last_packet": second(track.last) if track.last else None,
        "certified_silences": [[second(since), second(until)] for since, until in track.silences],
        "keys_pressed": track.keys_pressed,
    }


def _add_stamps(work: Path, node: Node, recording: str) -> None:
    """Add the first stamp behind the recording's end, and the newest: they vouch for all between."""
    first, ended = excerpt.extent(node.journal, recording)
    there = {
        int(one.stem): one
        for one in (node.journal.parent / STAMPS).glob(f"*{STAMP_SUFFIX}")
        if one.stem.isdecimal() and int(one.stem) >= first
    }
    behind = sorted(number for number in there if number >= ended)
    for number in sorted({*behind[:1], *sorted(there)[-1:]}):
        shutil.copyfile(there[number], work / f"stamp-{number}{STAMP_SUFFIX}")
    if node.authorities is not None and node.authorities.is_file():
        shutil.copyfile(node.authorities, work / proof.AUTHORITIES)


def _write(path: Path, text: str) -> None:
    with path.open("x", encoding="utf-8", newline="\n") as file:
        file.write(text)


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1) + "\n"


def _utc(us: int) -> str:
    return custody.shown(us // 1_000_000).replace("Z", f".{us % 1_000_000:06d}Z")
