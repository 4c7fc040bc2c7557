"""What a package shows of the journal: the entries about one recording, chained, and nothing of others.

```
excerpt = line*, from the recording's first entry to its last
line    = an entry of the journal as it is there (about this recording, or a stamp of the journal)
        | the inner hash of an entry about something else: 64 hexadecimal digits
```
The hash of an entry is made of the one before and of its own inner hash (`journal`), so the chain goes
through all entries, and each shown one names the hash that it follows. An entry's inner hash tells nothing:
the entry ends with a signature that only the node could make. A stamp of any entry between, and the signed
last entry, vouch for all before them.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from recording.proof.journal import MOST_LINE_BYTES, Entry, JournalDamage, follow_inner, read_line

_HIDDEN: Final = re.compile(rb"[0-9a-f]{64}")


class Excerpt(NamedTuple):
    """What an excerpt shows. digests: of the entries that were asked for, by number, shown or not."""

    entries: list[Entry]
    digests: dict[int, str]


def cut(journal: Path, recording: str, last: int) -> Iterator[bytes]:
    """Yield the lines of the excerpt about a recording, up to the entry with the number `last`.

    Nothing is checked here: whoever reads the excerpt does. Raises OSError.
    """
    named = f'"recording":{json.dumps(recording)}'.encode()
    begun = False
    with journal.open("rb") as file:
        for number in range(last + 1):
            line = file.readline(MOST_LINE_BYTES)
            about = named in line and _fields(line).get("recording") == recording
            begun = begun or about
            if not begun:
                continue
            if about or (b'"what":"stamped"' in line and _fields(line).get("what") == "stamped"):
                yield line
            else:
                yield hashlib.sha256(line[:-1]).hexdigest().encode() + b"\n"
            if number == last:
                return


def extent(journal: Path, recording: str) -> tuple[int, int]:
    """Return the numbers of the entries that a recording begins and ends with; nothing is checked here.

    Raises KeyError for a recording that the journal doesn't know, or OSError.
    """
    named = f'"recording":{json.dumps(recording)}'.encode()
    first = last = -1
    with journal.open("rb") as file:
        for number, line in enumerate(iter(lambda: file.readline(MOST_LINE_BYTES), b"")):
            if named not in line or (said := _fields(line)).get("recording") != recording:
                continue
            first = number if first < 0 else first
            if last < 0 or said.get("what") in ("ended", "repaired"):
                last = number
    if first < 0:
        raise KeyError(recording)
    return first, last


def read(path: Path, key: Ed25519PublicKey, wanted: Collection[int] = ()) -> Excerpt:
    """Return what an excerpt shows, when the chain holds and all that is shown is signed.

    wanted: numbers of entries whose digests are asked for. Raises JournalDamage, or OSError.
    """
    shown: list[Entry] = []
    digests: dict[int, str] = {}
    digest, number = "", 0
    with path.open("rb") as file:
        for place, line in enumerate(iter(lambda: file.readline(MOST_LINE_BYTES), b""), 1):
            if not line.endswith(b"\n"):
                raise JournalDamage(path, place, "is no whole entry")
            if shown and _HIDDEN.fullmatch(line[:-1]):
                digest = follow_inner(digest, bytes.fromhex(line[:-1].decode("ascii")))
            else:
                entry = _read_shown(path, place, line[:-1], number if shown else None, digest, key)
                shown.append(entry)
                digest, number = entry.digest, entry.number
            if number in wanted:
                digests[number] = digest
            number += 1
    return Excerpt(shown, digests)


def _read_shown(
    path: Path, place: int, line: bytes, number: int | None, digest: str, key: Ed25519PublicKey
) -> Entry:
    """Return the entry of a line. number, digest: that it must have and follow; None: it is the first one."""
    try:
        said = number if number is not None else int(str(_fields(line).get("number")))
        entry, before = read_line(path, line, said, key)
        if not _is_plain(entry):
            raise ValueError(entry)
    except JournalDamage as damage:
        raise JournalDamage(path, place, damage.what) from None
    except (
        ValueError,
        TypeError,
        KeyError,
        AttributeError,
        RecursionError,
    ):  # a key that came with it may sign anything
        raise JournalDamage(path, place, "is not what this node has signed") from None
    if number is not None and before != digest:
        raise JournalDamage(path, place, "doesn't follow the entry before")
    return entry


def _is_plain(entry: Entry) -> bool:
    at: object = entry.at
    texts: tuple[object, ...] = (entry.what, entry.recording, entry.by)
    return isinstance(at, int | float) and all(isinstance(text, str) for text in texts)


def _fields(line: bytes) -> dict[str, object]:
    try:
        fields = json.loads(line.partition(b"\t")[0])
    except (ValueError, RecursionError):
        return {}
    return fields if isinstance(fields, dict) else {}
