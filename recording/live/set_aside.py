"""A journal that can't be gone on with is set aside, as it is, and another one begun.

A call that comes now is recorded whatever became of what was written before: somebody who looks at it later
has all of it. The new journal begins with what the old one was.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from recording.live.wire import Trouble
from recording.proof.journal import Journal, JournalDamage

NODE = "node"


def open_journal(path: Path, key: Ed25519PrivateKey, at: float) -> tuple[Journal, list[Trouble]]:
    """Return the journal, and what isn't well about it. at: Unix seconds. Raises OSError."""
    try:
        return Journal(path, key), []
    except JournalDamage as damage:
        aside = _set_aside(path, at)
        with aside.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        journal = Journal(path, key)
        journal.append(at, "journal set aside", "", NODE, file=aside.name, sha256=digest, why=damage.what)
        return journal, [Trouble("journal", f"{damage}; it is kept as {aside.name}, and another one begun")]


def _set_aside(path: Path, at: float) -> Path:
    """Rename a file; returns its new path. Raises OSError."""
    aside = path.with_name(f"{path.name}.set-aside-{datetime.fromtimestamp(at, UTC):%Y%m%d-%H%M%S}")
    path.rename(aside)
    return aside
