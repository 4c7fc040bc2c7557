"""Whether recordings are what was written: every file against its own chain, and against the journal.

The journal says which recordings there must be, and the hash that each file must end with. So a file that was
changed, exchanged, cut at its end or taken away is found, and the place of the first byte that can't be
trusted is told. A purged recording must be gone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from recording.proof.journal import Entry, JournalDamage, entries
from recording.proof.sealed_file import Damage, read_header, segments

SUFFIX: Final = ".sealed"


class Finding(NamedTuple):
    """Something that isn't as it was written. recording: "" for the journal; offset: -1 for no byte."""

    recording: str
    path: Path
    offset: int
    what: str


class Verified(NamedTuple):
    """What was looked at. whole: recordings that are as they were written; running: that aren't ended yet."""

    whole: int
    running: int
    purged: int
    bytes: int
    findings: list[Finding]


class _Known(NamedTuple):
    """What the journal says of a recording. head: "" while it goes on."""

    head: str
    purged: bool


def verify(directory: Path, journal: Path, key: Ed25519PublicKey) -> Verified:
    """Look at all recordings under a directory. Raises OSError where something can't be read."""
    findings: list[Finding] = []
    known = _known(_trusted(journal, key, findings))
    whole = running = purged = size = 0
    for path in sorted(directory.rglob(f"*{SUFFIX}")):
        recording = path.name.removesuffix(SUFFIX)
        said = known.pop(recording, None)
        found, head = _look_at(recording, path)
        size += path.stat().st_size
        if said is None:
            found.append(Finding(recording, path, -1, "the journal knows nothing of it"))
        elif said.purged:
            found.append(Finding(recording, path, -1, "was purged, and is still there"))
        elif said.head and not found:
            found += _ends_as(recording, path, said.head, head)
        findings += found
        if said is not None and not found:
            whole += bool(said.head)
            running += not said.head
    for recording, said in known.items():
        purged += said.purged
        if not said.purged:
            findings.append(Finding(recording, directory, -1, "is gone, and wasn't purged"))
    return Verified(whole, running, purged, size, findings)


def verify_file(path: Path, head: str) -> list[Finding]:
    """Look at one recording. head: what the journal says that it ends with (hexadecimal)."""
    recording = path.name.removesuffix(SUFFIX)
    findings, found = _look_at(recording, path)
    return findings or _ends_as(recording, path, head, found)


def _trusted(journal: Path, key: Ed25519PublicKey, findings: list[Finding]) -> Iterator[Entry]:
    """Yield the entries up to the first that can't be trusted, which is a finding."""
    try:
        yield from entries(journal, key)
    except JournalDamage as damage:
        findings.append(Finding("", journal, -1, f"line {damage.line} {damage.what}"))


def _known(said: Iterable[Entry]) -> dict[str, _Known]:
    known: dict[str, _Known] = {}
    for entry in said:
        if entry.what == "begun":
            known[entry.recording] = _Known("", purged=False)
        elif entry.what in ("ended", "repaired"):  # what is damaged stays as it was begun: it is found out
            known[entry.recording] = _Known(str(entry.about["head"]), purged=False)
        elif entry.what == "purged":
            known[entry.recording] = _Known("", purged=True)
    return known


def _look_at(recording: str, path: Path) -> tuple[list[Finding], str]:
    """Return what is wrong within a file, and the hash that it ends with."""
    head = ""
    try:
        if read_header(path).recording != recording:
            return [Finding(recording, path, 0, "has another recording's name")], ""
        for segment in segments(path):
            head = segment.digest.hex()
    except Damage as damage:
        place = "header" if damage.segment < 0 else f"segment {damage.segment}"
        return [Finding(recording, path, damage.offset, f"{place} {damage.what}")], ""
    return [], head


def _ends_as(recording: str, path: Path, said: str, found: str) -> list[Finding]:
    if said == found:
        return []
    return [Finding(recording, path, path.stat().st_size, "ends otherwise than the journal says")]
