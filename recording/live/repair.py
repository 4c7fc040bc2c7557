"""What a recorder that died left behind is cut to its last whole segment, and the journal says so.

Every file that the journal doesn't know the end of is one: a recorder that is ended in good order ends its
recordings. Nothing is taken away but the part of a segment that was never whole; what else is wrong with a
file is told, and left as it is for whoever can tell more.

It may take a while where there are many recordings: new ones are made meanwhile.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from recording.proof.journal import Journal, Value, unchecked
from recording.proof.sealed_file import UNFINISHED, Damage, read_header, segments, whole_end
from recording.proof.verifier import SUFFIX

NODE = "node"
_KNOWN = frozenset({"ended", "repaired", "damaged", "purged"})


class Repaired(NamedTuple):
    """A file that was looked at. cut: bytes taken from its end; damage: "" where it is whole now."""

    recording: str
    segments: int
    cut: int
    damage: str


def repair(files: Path, journal: Journal, at: float, is_new: Callable[[str], bool]) -> list[Repaired]:
    """Repair what lies under `files`; returns what was found. at: Unix seconds. Raises OSError.

    is_new: whether a recording was begun by this process, so that it is none of ours.
    """
    for path in files.rglob(f"*{SUFFIX}{UNFINISHED}"):
        if not is_new(path.name.removesuffix(SUFFIX + UNFINISHED)):
            path.unlink(missing_ok=True)  # a death before its header: nothing was ever in it
    known = {recording for what, recording in unchecked(journal.path) if what in _KNOWN}
    return [
        _repair(recording, file, journal, at)
        for file in sorted(files.rglob(f"*{SUFFIX}"))
        if (recording := file.name.removesuffix(SUFFIX)) not in known and not is_new(recording)
    ]


def _repair(recording: str, path: Path, journal: Journal, at: float) -> Repaired:
    try:
        end, size = whole_end(path), path.stat().st_size
        if end < size:
            os.truncate(path, end)
        head, count, last = "", 0, read_header(path).begun
        for segment in segments(path):
            head, count, last = segment.digest.hex(), segment.number + 1, segment.begun
    except Damage as damage:
        journal.append(at, "damaged", recording, NODE, offset=damage.offset, damage=damage.what)
        return Repaired(recording, 0, 0, str(damage))
    about: dict[str, Value] = {"head": head, "segments": count, "bytes": end, "last": last / 1e6}
    journal.append(at, "repaired", recording, NODE, cut=size - end, **about)
    return Repaired(recording, count, size - end, "")
