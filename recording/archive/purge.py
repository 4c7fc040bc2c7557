"""How a recording is purged: sure to be gone, whenever the machine dies in between.

```
"purging" in the journal ─> key destroyed ─> copies told ─> file gone ─> "purged" in the journal, row gone
```
The first entry says what is to be done and all that the last one repeats; whatever dies after it, the next
start goes on where it was: each step done twice is done once. With the key gone, every copy of the file is
noise, wherever it is. The last entry is the tombstone: signed, and without a word about who spoke.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, Literal, Protocol, TypeAlias

from recording.archive.requests import Found, PolicyTold
from recording.keys import KeyStore
from recording.proof.journal import Journal, Value
from recording.proof.verifier import SUFFIX

Cause: TypeAlias = Literal["due", "early", "room", "erasure"]
NODE: Final = "node"


class Copies(Protocol):
    """Where recordings lie besides."""

    def forget(self, recording: str) -> None:
        """Have a copy be gone, now or when its place is there again; it is no error if there is none.

        Raises OSError where not even that can be noted.
        """

    def waiting(self) -> set[str]:
        """Return the recordings that have ended and lie nowhere else yet."""
        ...


class NoCopies:
    """A node whose recordings lie nowhere else."""

    def forget(self, recording: str) -> None:
        """Nothing is to be done."""

    def waiting(self) -> set[str]:
        """Return nothing: no recording waits to be copied."""
        return set()


def path_of(directory: Path, recording: str) -> Path:
    """Return where the file of a recording is."""
    return directory / recording[:6] / f"{recording}{SUFFIX}"


class Purge:
    """See the module. What it raises (OSError) leaves a purge where it is, to be finished later."""

    def __init__(
        self, directory: Path, keys: KeyStore, journal: Journal, copies: Copies, now: Callable[[], float]
    ) -> None:
        """now: Unix seconds."""
        self._directory = directory
        self._keys = keys
        self._journal = journal
        self._copies = copies
        self._now = now

    def begin(
        self, found: Found, policy: PolicyTold, cause: Cause, by: str, why: str, account: str
    ) -> dict[str, Value]:
        """Say that a recording goes, and what of it is to be remembered; returns that."""
        now = self._now()
        about: dict[str, Value] = {
            "policy": found.policy,
            "legal_basis": policy.legal_basis,
            "register": policy.register,
            "kept_from": found.begun,
            "kept_to": now,
            "bytes": found.bytes or _size(path_of(self._directory, found.recording)),
            "head": found.head,
            "cause": cause,
            "why": why,
            "account": account,
        }
        self._journal.append(now, "purging", found.recording, by, **about)
        return about

    def finish(self, recording: str, by: str, about: dict[str, Value]) -> None:
        """Have a recording be gone, as far as it isn't. about: what `begin` returned, or the journal has."""
        self._keys.destroy(recording)
        self._copies.forget(recording)
        self._remove(path_of(self._directory, recording))
        self._journal.append(self._now(), "purged", recording, by, **{**about, "kept_to": self._now()})

    def _remove(self, path: Path) -> None:
        """Have a file be gone for good: also after a power cut."""
        path.unlink(missing_ok=True)
        with suppress(FileNotFoundError):
            descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            with suppress(OSError):  # a month that still has others
                path.parent.rmdir()


def _size(path: Path) -> int:
    with suppress(OSError):
        return path.stat().st_size
    return 0
