"""Whether recordings are what was written: every file against its own chain, and against the journal.

The journal says which recordings there must be, and the hash that each file must end with. So a file that was
changed, exchanged, cut at its end or taken away is found, and the place of the first byte that can't be
trusted is told. A purged recording must be gone.

Where an authority has stamped the journal's head now and then (`stamp`), each stamp must be of the entry that
it says. So a journal that ends before its last stamp was cut, and one that was written anew has none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.x509 import Certificate

from recording.proof.journal import Entry, JournalDamage, entries
from recording.proof.sealed_file import Damage, read_header, segments
from recording.proof.stamp import FOLDER as STAMPS
from recording.proof.stamp import MOST_BYTES as MOST_STAMP_BYTES
from recording.proof.stamp import SUFFIX as STAMP_SUFFIX
from recording.proof.stamp import StampError, read_stamp

SUFFIX: Final = ".sealed"


class Finding(NamedTuple):
    """Something that isn't as it was written. recording: "" for the journal; offset: -1 for no byte."""

    recording: str
    path: Path
    offset: int
    what: str


class Verified(NamedTuple):
    """What was looked at. whole: recordings that are as they were written; running: that aren't ended yet.

    stamps: of the journal that hold; stamped_at: when the last of them was made, Unix seconds, 0.0 for never.
    """

    whole: int
    running: int
    purged: int
    bytes: int
    findings: list[Finding]
    stamps: int = 0
    stamped_at: float = 0.0


class _Stamps:
    """The stamps beside a journal. whole: how many hold; last: when the last of these was made."""

    def __init__(self, journal: Path, authorities: Sequence[Certificate]) -> None:
        self._journal = journal
        self._authorities = authorities
        self._files = {path.stem: path for path in (journal.parent / STAMPS).glob(f"*{STAMP_SUFFIX}")}
        self._digests: dict[str, str] = {}  # of the entries that have a stamp, by number
        self._said: dict[str, str] = {}  # what the journal says of the file of each stamp
        self.whole = 0
        self.last = 0.0

    def noting(self, said: Iterable[Entry]) -> Iterator[Entry]:
        """Pass the journal's entries on, and keep what is needed of them."""
        for entry in said:
            if str(entry.number) in self._files:
                self._digests[str(entry.number)] = entry.digest
            if entry.what == "stamped":
                self._said[str(entry.about["entry"])] = str(entry.about["file"])
            yield entry

    def findings(self) -> list[Finding]:
        """Return what is wrong with the stamps, and with the journal by what they say."""
        found = [
            Finding("", self._journal.parent / STAMPS / f"{number}{STAMP_SUFFIX}", -1, "is gone")
            for number in self._said.keys() - self._files.keys()
        ]
        for number, path in sorted(self._files.items()):
            what = self._look_at(number, path)
            if what:
                found.append(Finding("", path, -1, what))
        return found

    def _look_at(self, number: str, path: Path) -> str:
        """Return what is wrong with one, "" for nothing."""
        if number not in self._digests:
            return "stamps an entry that the journal doesn't have: its end was cut off"
        with path.open("rb") as file:
            response = file.read(MOST_STAMP_BYTES)
        if self._said.get(number) not in (None, hashlib.sha256(response).hexdigest()):
            return "isn't the stamp that the journal knows"
        try:
            stamp = read_stamp(response, bytes.fromhex(self._digests[number]), self._authorities)
        except StampError as error:
            return str(error)
        self.whole += 1
        self.last = max(self.last, stamp.at)
        return ""


class _Known(NamedTuple):
    """What the journal says of a recording. head: "" while it goes on."""

    head: str
    purged: bool


def verify(
    directory: Path,
    journal: Path,
    key: Ed25519PublicKey,
    authorities: Sequence[Certificate] = (),
    progress: Callable[[int], None] = lambda size: None,
) -> Verified:
    """Look at all recordings under a directory, and at the journal with the stamps beside it.

    authorities: who is trusted for these; none to see only that each is whole and of its entry.
    progress: told the bytes that were looked at, after each recording.
    Raises OSError where something can't be read.
    """
    findings: list[Finding] = []
    stamps = _Stamps(journal, authorities)
    known = _known(stamps.noting(_trusted(journal, key, findings)))
    findings += stamps.findings()
    whole = running = purged = size = 0
    for path in sorted(directory.rglob(f"*{SUFFIX}")):
        recording = path.name.removesuffix(SUFFIX)
        said = known.pop(recording, None)
        found, head = _look_at(recording, path)
        size += path.stat().st_size
        progress(size)
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
    return Verified(whole, running, purged, size, findings, stamps.whole, stamps.last)


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
