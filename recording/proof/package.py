"""Whether an exported package is what was exported: every file, the recording, its journal, its stamps.

```
SHA256SUMS ── signed within the journal's last entry ──> every file but the journal and what is made of it
journal.txt (`excerpt`) ── the hash that the recording ends with ──> the sealed file, segment by segment
recording.key ──> every segment opens, and holds entries
stamp-N.tsr ── an authority saw the hash of entry N ──> everything before it was there then
custody.txt is what `custody` makes of the journal
```
What is signed by the node's key stands and falls with that key. It comes with the package; whoever wants to
be sure compares its fingerprint with the one that the town hall has published, or relies on the stamps.

Nothing that a package holds is trusted: whatever is wrong with it is a `Fault`, never an exception.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from recording.proof import custody, excerpt
from recording.proof.entries import EntryError, OneClock, Track, read
from recording.proof.journal import Entry, JournalDamage
from recording.proof.parcel import unpack
from recording.proof.sealed_file import KEY_BYTES, Damage, Header, read_header, segments, unseal
from recording.proof.stamp import Stamp, StampError, authorities, read_stamp
from recording.proof.verifier import SUFFIX

SUMS: Final = "SHA256SUMS"
JOURNAL: Final = "journal.txt"
CUSTODY: Final = "custody.txt"
NODE_KEY: Final = "node.pem"
RECORDING_KEY: Final = "recording.key"
FACTS: Final = "recording.json"
AUTHORITIES: Final = "stamp-authority.pem"
VERIFIER: Final = "verify.pyz"
NOT_SUMMED: Final = frozenset({SUMS, JOURNAL, CUSTODY})
"""What isn't in SHA256SUMS: itself, and what is written after its hash is in the journal."""

_SUM: Final = re.compile(r"([0-9a-f]{64})  ([0-9A-Za-z][0-9A-Za-z._-]{0,99})")
_STAMP: Final = re.compile(r"stamp-([0-9]{1,12})\.tsr")
_MOST_SUMS: Final = 1 << 20
_CHUNK: Final = 1 << 20


class Fault(NamedTuple):
    """Something that isn't as it was exported.

    file: of the package. offset: the first byte of it that can't be trusted, -1 for no byte. segment: of the
    recording, -1 for none; second: where in the recording that is, -1.0 for nowhere.
    """

    file: str
    offset: int
    segment: int
    second: float
    what: str

    def __str__(self) -> str:
        places = [self.file or "the package"]
        if self.segment >= 0:
            places.append(f"segment {self.segment}")
        if self.second >= 0:
            places.append(f"from second {self.second:.1f} on")
        if self.offset >= 0:
            places.append(f"byte {self.offset}")
        return f"{', '.join(places)}: {self.what}"


class Checked(NamedTuple):
    """What was found in a package.

    recording: "" where that can't be told. begun, end: Unix microseconds; packets: of all tracks; parties: as
    the recording names them. node: the fingerprint of the node's key. entries: of the journal that are shown;
    stamps: by the number of the entry. faults: none where all is as it was exported.
    """

    recording: str
    begun: int
    end: int
    segments: int
    packets: int
    parties: list[str]
    node: str
    entries: list[Entry]
    stamps: dict[int, Stamp]
    faults: list[Fault]


def check(path: Path) -> Checked:
    """Verify a package, or the folder that it was unpacked into. Raises OSError."""
    if path.is_dir():
        return _check_folder(path)
    with TemporaryDirectory() as name:
        folder = Path(name)
        unlike = unpack(path, folder)
        checked = _check_folder(folder)
    faults = [Fault(one.name, one.offset, -1, -1.0, one.what) for one in unlike]
    # What the checksum of the zip tells, a hash tells as well: one fault is enough.
    told = {fault.file for fault in checked.faults}
    extra = [fault for fault in faults if fault.file not in told]
    return checked._replace(faults=extra + checked.faults)


def fingerprint(key: Ed25519PublicKey) -> str:
    """Return what people compare of a node's key: SHA-256 of it, in groups of four hexadecimal digits."""
    digest = hashlib.sha256(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).hexdigest()[:32]
    return "-".join(digest[place : place + 4] for place in range(0, 32, 4))


def sum_of(path: Path) -> str:
    """Return the SHA-256 of a file, hexadecimal. Raises OSError."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


class _Found:
    """What is found while a folder is looked at."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self.parties: dict[str, None] = {}
        self.on_one_clock = OneClock()
        self.begun = self.end = self.segments = self.packets = 0

    def fault(self, file: str, what: str, offset: int = -1, segment: int = -1, second: float = -1.0) -> None:
        self.faults.append(Fault(file, offset, segment, second, what))


def _check_folder(folder: Path) -> Checked:
    found = _Found()
    names = sorted(path.name for path in folder.iterdir() if path.name != "__pycache__")
    _check_sums(folder, names, found)
    key = _node_key(folder, found)
    stamps = [int(match[1]) for name in names if (match := _STAMP.fullmatch(name))]
    shown = _journal(folder, key, stamps, found)
    recording = shown.entries[0].recording if shown.entries else ""
    _check_last(folder, recording, shown.entries, found)
    _check_sealed(folder, names, recording, shown.entries, found)
    stamped = _check_stamps(folder, stamps, shown.digests, found)
    _check_custody(folder, recording, shown.entries, found)
    return Checked(
        recording,
        found.begun,
        found.end,
        found.segments,
        found.packets,
        list(found.parties),
        fingerprint(key) if key is not None else "",
        shown.entries,
        stamped,
        found.faults,
    )


def _check_sums(folder: Path, names: Sequence[str], found: _Found) -> None:
    """Every file is there once, with its hash, and no other."""
    missing = NOT_SUMMED - set(names)
    for name in sorted(missing):
        found.fault(name, "is missing")
    if SUMS in missing:
        return
    with (folder / SUMS).open("rb") as file:
        text = file.read(_MOST_SUMS).decode("utf-8", "replace")
    summed: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        match = _SUM.fullmatch(line)
        if match is None:
            found.fault(SUMS, f"line {number} is none of ours")
        else:
            summed[match[2]] = match[1]
    for name in sorted({*names, *summed} - NOT_SUMMED):
        if name not in summed:
            found.fault(name, f"isn't in {SUMS}: it was put in, or its name was changed")
        elif name not in names:
            found.fault(name, "is missing")
        elif not (folder / name).is_file() or sum_of(folder / name) != summed[name]:
            found.fault(name, f"was changed: its SHA-256 isn't the one in {SUMS}")


def _node_key(folder: Path, found: _Found) -> Ed25519PublicKey | None:
    """None where there is none to be used: nothing that is signed can be trusted then."""
    try:
        key = load_pem_public_key((folder / NODE_KEY).read_bytes())
    except (OSError, ValueError):
        key = None
    if isinstance(key, Ed25519PublicKey):
        return key
    found.fault(NODE_KEY, "is no public key of a node: nothing that was signed can be verified")
    return None


def _journal(
    folder: Path, key: Ed25519PublicKey | None, stamps: Sequence[int], found: _Found
) -> excerpt.Excerpt:
    if key is not None and (folder / JOURNAL).is_file():
        try:
            return excerpt.read(folder / JOURNAL, key, stamps)
        except JournalDamage as damage:
            found.fault(JOURNAL, f"line {damage.line} {damage.what}")
    return excerpt.Excerpt([], {})


def _check_last(folder: Path, recording: str, entries: Sequence[Entry], found: _Found) -> None:
    """The node has signed what the files of this package are."""
    if not entries or SUMS in {fault.file for fault in found.faults}:
        return
    last = entries[-1]
    if last.what != "packaged" or last.recording != recording:
        found.fault(JOURNAL, "doesn't end with the making of this package: its end was cut off")
    elif last.about.get("sums") != sum_of(folder / SUMS):
        found.fault(SUMS, "isn't the list that the node has signed")


def _check_sealed(
    folder: Path, names: Sequence[str], recording: str, entries: Sequence[Entry], found: _Found
) -> None:
    """The recording is whole, ends as the journal says, and opens."""
    sealed = [name for name in names if name.endswith(SUFFIX)]
    if len(sealed) != 1:
        found.fault("", f"there are {len(sealed)} recordings in it, not one")
        return
    path = folder / sealed[0]
    key = _recording_key(folder, found)
    head = ""
    try:
        header = read_header(path)
        if recording and header.recording != recording:
            found.fault(path.name, f"is the recording {header.recording[:64]!r}, not {recording}", 0)
        head = _go_through(path, header, key, found)
    except Damage as damage:
        second = (found.end - found.begun) / 1e6 if damage.segment >= 0 else 0.0
        found.fault(path.name, damage.what, damage.offset, damage.segment, second)
        return
    said = [str(one.about.get("head")) for one in entries if one.what in ("ended", "repaired")]
    if entries and (not said or said[-1] != head):
        second = (found.end - found.begun) / 1e6
        found.fault(path.name, "ends otherwise than the journal says", path.stat().st_size, -1, second)


def _go_through(path: Path, header: Header, key: bytes, found: _Found) -> str:
    """Look at each segment; returns the hash of the last one. Raises Damage.

    `found.end` is then where what was looked at ends: of a damaged segment, about where it begins.
    """
    if not 0 <= header.begun < 1 << 63:
        raise Damage(path, 0, -1, "says no time")
    found.begun = found.end = header.begun
    head = ""
    for segment in segments(path):
        if key:
            _open(path, segment.number, segment.offset, unseal(segment, key, path), segment.begun, found)
        head = segment.digest.hex()
        found.segments += 1
    return head


def _open(path: Path, number: int, offset: int, plain: bytes, begun: int, found: _Found) -> None:
    try:
        for entry in map(found.on_one_clock, read(plain, begun)):
            found.end = max(found.end, entry.at)
            found.packets += bool(entry.packet)
            if isinstance(entry.statement, Track):
                found.parties[str(entry.statement.party)] = None
    except EntryError as error:
        raise Damage(path, offset, number, f"holds what no recorder writes: {error}") from None


def _recording_key(folder: Path, found: _Found) -> bytes:
    """b"" where there is none to be used."""
    try:
        with (folder / RECORDING_KEY).open("rb") as file:
            key = bytes.fromhex(file.read(2 * KEY_BYTES + 2).decode("ascii").strip())
    except (OSError, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        found.fault(RECORDING_KEY, "is no key: what is sealed can't be opened")
        return b""
    return key


def _check_stamps(
    folder: Path, numbers: Sequence[int], digests: dict[int, str], found: _Found
) -> dict[int, Stamp]:
    """Each stamp is of the entry that it is named for. Whether its authority is trusted is for who asks."""
    try:
        trusted = authorities(folder / AUTHORITIES) if (folder / AUTHORITIES).is_file() else []
    except StampError as error:
        found.fault(AUTHORITIES, str(error).rpartition(": ")[2])
        trusted = []
    stamps: dict[int, Stamp] = {}
    for number in numbers:
        name = f"stamp-{number}.tsr"
        if number not in digests:
            found.fault(name, "stamps an entry that the journal doesn't have")
            continue
        try:
            response = (folder / name).read_bytes()
            stamps[number] = read_stamp(response, bytes.fromhex(digests[number]), trusted)
        except StampError as error:
            found.fault(name, str(error))
    return stamps


def _check_custody(folder: Path, recording: str, entries: Sequence[Entry], found: _Found) -> None:
    path = folder / CUSTODY
    if entries and path.is_file() and path.read_bytes() != custody.page(recording, entries).encode():
        found.fault(CUSTODY, "isn't what the journal says")


def printable(checked: Checked) -> dict[str, object]:
    """Return what was found as JSON tells it."""
    return {
        "intact": not checked.faults,
        "recording": checked.recording,
        "begun": custody.shown(checked.begun / 1e6) if checked.begun else "",
        "seconds": round((checked.end - checked.begun) / 1e6, 3),
        "segments": checked.segments,
        "packets": checked.packets,
        "parties": checked.parties,
        "node": checked.node,
        "entries": [
            {**one.about, "number": one.number, "at": custody.shown(one.at), "what": one.what, "by": one.by}
            for one in checked.entries
        ],
        "stamps": [
            {"entry": number, "at": custody.shown(stamp.at), "authority": stamp.authority}
            for number, stamp in sorted(checked.stamps.items())
        ],
        "faults": [fault._asdict() for fault in checked.faults],
    }


def lines(checked: Checked) -> Iterator[str]:
    """Yield what is told to whoever verifies a package."""
    if checked.recording:
        seconds = (checked.end - checked.begun) / 1e6
        yield f"recording  {checked.recording}, {custody.shown(checked.begun / 1e6)}, {seconds:.1f} s"
        yield f"parties    {', '.join(checked.parties) or '-'}"
        yield f"contents   {checked.segments} segments, {checked.packets} packets"
    if checked.node:
        yield f"node key   {checked.node}  (compare it with the one that the town hall publishes)"
    if checked.entries:
        yield f"journal    {len(checked.entries)} entries shown, up to n° {checked.entries[-1].number}"
    for number, stamp in sorted(checked.stamps.items()):
        yield f"stamped    entry {number} at {custody.shown(stamp.at)} by {stamp.authority}"
    if checked.entries and not checked.stamps:
        yield "stamped    by no authority: the times are the node's own"
    for fault in checked.faults:
        yield f"FAULT      {fault}"
    if checked.faults:
        yield f"NOT INTACT / NON INTÈGRE: {len(checked.faults)} fault(s)"
    else:
        yield "INTACT / INTÈGRE"
