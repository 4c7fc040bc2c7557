"""The numbers of recordings whose catalogue was lost: out of the sealed files, for who has the private key.

The first statement of each recording says what it is about. A file that can't be opened is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from recording.keys import KeyStore, KeyUnusable, NoKey, unwrap
from recording.proof.entries import About, EntryError, read
from recording.proof.sealed_file import Damage, segments, unseal
from recording.proof.verifier import SUFFIX


class Numbers(NamedTuple):
    """Who spoke in a recording; known is False where its file can't be opened."""

    recording: str
    caller: str
    called: str
    known: bool


def numbers(directory: Path, keys: KeyStore, private: X25519PrivateKey) -> Iterator[Numbers]:
    """Yield the numbers of each recording under a directory. Raises OSError."""
    for path in sorted(directory.rglob(f"*{SUFFIX}")):
        recording = path.name.removesuffix(SUFFIX)
        try:
            about = _about(path, unwrap(keys.get(recording), recording, private))
        except (NoKey, KeyUnusable, Damage, EntryError, ValueError):
            about = None
        if about is None:
            yield Numbers(recording, "", "", known=False)
        else:
            yield Numbers(recording, about.caller, about.called, known=True)


def _about(path: Path, key: bytes) -> About | None:
    """What a recording says that it is about, in its first segment; None where it doesn't."""
    for segment in segments(path):
        for entry in read(unseal(segment, key, path), segment.begun):
            if isinstance(entry.statement, About):
                return entry.statement
        return None
    return None
