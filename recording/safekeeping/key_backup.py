"""A backup of the key store alone, which follows the recordings' time: it brings no key back that had to go.

```
{"format": …, "made": …, "delete_by": …, "node": …}
{"key": …, "recording": …, "until": …}                    one line for each key
{"signature": …}                                          Ed25519 of the SHA-256 of the lines before
```
The keys in it are wrapped, as they are in the store: without the private half they open nothing. Yet as long
as such a file exists, whoever has the private half and a copy of a recording can hear it, purged or not. So a
backup has a date by which it must be deleted, made of the shortest `keep` of what is in it; restoring looks
at each key's own time and at the journal's tombstones, and leaves out what is over, purged, or there already.

Both read the journal from its begin, which takes a minute for a million entries.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Iterator
from math import inf
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from recording.keys import KeyStore, NoKey
from recording.proof.journal import Entry
from recording.retention import DAY_SECONDS

FORMAT: Final = 1
_MOST_LINE_BYTES: Final = 16_384


class KeyBackupError(Exception):
    """A file that is no backup of this node's keys, or isn't whole; the text says why."""


class Life(NamedTuple):
    """How long a recording is kept. until: Unix seconds, infinite while nobody knows; keep_days: 0 then."""

    until: float
    keep_days: int
    is_purged: bool


class Made(NamedTuple):
    """A backup that was made. keys: in it; delete_by, first_over: when the whole file, and the first key in
    it, must be gone (Unix seconds; infinite where nothing says so)."""

    keys: int
    delete_by: float
    first_over: float


class Restored(NamedTuple):
    """What became of the keys of a backup."""

    restored: int
    there: int
    purged: int
    over: int


def lives(said: Iterable[Entry]) -> dict[str, Life]:
    """Return how long each recording is kept, by what the journal says."""
    policy_of: dict[str, str] = {}
    ended: dict[str, float] = {}
    keep_days: dict[str, int] = {}
    holds: dict[int, tuple[str, float]] = {}
    purged: set[str] = set()
    for entry in said:
        about: Any = entry.about
        match entry.what:
            case "begun":
                policy_of[entry.recording] = str(about.get("policy", ""))
            case "ended" | "repaired" | "damaged" | "missing":
                ended[entry.recording] = entry.at
            case "purging" | "purged":
                purged.add(entry.recording)
            case "held":
                holds[entry.number] = entry.recording, float(about["until"])
            case "released":
                holds.pop(int(about["hold"]), None)
            case "policy" if about.get("keep_days") is not None:
                keep_days[str(about["policy"])] = int(about["keep_days"])
            case "policy":
                keep_days.pop(str(about["policy"]), None)
            case _:
                pass
    held: dict[str, float] = {}
    for recording, until in holds.values():
        held[recording] = max(until, held.get(recording, 0.0))
    known: dict[str, Life] = {}
    for recording in {**policy_of, **ended, **dict.fromkeys(purged)}:
        days = keep_days.get(policy_of.get(recording, ""), 0)
        over = ended[recording] + days * DAY_SECONDS if days and recording in ended else inf
        known[recording] = Life(max(over, held.get(recording, 0.0)), days, recording in purged)
    return known


def make(target: Path, store: KeyStore, known: dict[str, Life], key: Ed25519PrivateKey, now: float) -> Made:
    """Write a backup of the keys that needn't be gone by `now`. key: the node's.

    known: as `lives` returns it. Raises OSError.
    """
    nobody_knows = Life(inf, 0, is_purged=False)
    wrapped = {name: known.get(name, nobody_knows) for name in sorted(store.recordings())}
    kept = {name: life for name, life in wrapped.items() if not life.is_purged and life.until > now}
    shortest = min((life.keep_days for life in kept.values() if life.keep_days), default=0)
    delete_by = now + shortest * DAY_SECONDS if shortest else inf
    head = {"format": FORMAT, "made": now, "delete_by": _written(delete_by), "node": _name(key.public_key())}
    digest, count = hashlib.sha256(), 0
    descriptor, unfinished = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)  # mode 0600
    try:
        with open(descriptor, "wb") as file:

            def write(fields: dict[str, Any]) -> None:
                line = json.dumps(fields, sort_keys=True, separators=(",", ":")).encode() + b"\n"
                digest.update(line)
                file.write(line)

            write(head)
            for name, life in kept.items():
                try:
                    write({"key": store.get(name).hex(), "recording": name, "until": _written(life.until)})
                except NoKey:
                    continue  # purged meanwhile
                count += 1
            write({"signature": key.sign(digest.digest()).hex()})
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, target)
    except BaseException:
        os.unlink(unfinished)
        raise
    return Made(count, delete_by, min((life.until for life in kept.values()), default=inf))


def restore(
    source: Path, store: KeyStore, known: dict[str, Life], key: Ed25519PublicKey, now: float
) -> Restored:
    """Put the keys of a backup into a store, but those that are over, purged, or there already.

    key: the node's. known: as `lives` returns it, of the journal as it is now; nothing may write the journal
    or the store meanwhile. Raises KeyBackupError, or OSError.
    """
    counts = dict.fromkeys(Restored._fields, 0)
    with source.open("rb") as file:
        _check(source, file, key)
        there = store.recordings()
        for name, wrapped, until in _keys(source, file):
            life = known.get(name)
            if name in there:
                counts["there"] += 1
            elif life is not None and life.is_purged:
                counts["purged"] += 1
            elif (until if life is None else life.until) <= now:
                counts["over"] += 1
            else:
                store.put(name, wrapped)
                counts["restored"] += 1
    return Restored(**counts)


def _check(source: Path, file: BinaryIO, key: Ed25519PublicKey) -> None:
    """Raises KeyBackupError for what this node hasn't signed."""
    digest, last = hashlib.sha256(), b""
    while line := file.readline(_MOST_LINE_BYTES):
        digest.update(last)
        last = line
    try:
        key.verify(bytes.fromhex(json.loads(last)["signature"]), digest.digest())
    except (InvalidSignature, ValueError, KeyError, TypeError):
        raise KeyBackupError(f"{source}: is no whole backup of this node's keys") from None


def _keys(source: Path, file: BinaryIO) -> Iterator[tuple[str, bytes, float]]:
    """Yield recordings, wrapped keys, and until when they are kept, of what this node has signed."""
    file.seek(0)
    if json.loads(file.readline())["format"] != FORMAT:
        raise KeyBackupError(f"{source}: is in another version's format")
    for line in file:
        fields = json.loads(line)
        if "key" in fields:
            until = inf if fields["until"] is None else float(fields["until"])
            yield fields["recording"], bytes.fromhex(fields["key"]), until


def _written(at: float) -> float | None:
    """How an instant stands in the file: JSON has no infinity."""
    return None if at == inf else at


def _name(key: Ed25519PublicKey) -> str:
    return hashlib.sha256(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).hexdigest()[:16]
