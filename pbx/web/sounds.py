"""Sounds of the call API: what was recorded of a party, or sent to be played. They are gone after a day.

    data_dir/sounds/<id>.wav     the sound
    data_dir/sounds/<id>.owner   the account that it belongs to

These are no recordings of police and fire lines: nothing seals them and nothing proves anything by them.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from pbx.web.problems import Problem

KEPT_SECONDS = 86_400.0
MOST_SOUNDS = 500
MOST_BYTES = 2 << 30
_ID = re.compile(r"[0-9a-f]{32}")


class Sound(NamedTuple):
    """One sound. at: when it was last written, Unix seconds."""

    id: str
    bytes: int
    at: float


class Sounds:
    """The folder of a node. clock: Unix seconds. Its methods wait for the disk: call them in a thread."""

    def __init__(self, folder: Path, clock: Callable[[], float]) -> None:
        self._folder = folder
        self._clock = clock

    def begin(self, owner: str) -> tuple[str, Path]:
        """Return the id and the path of a sound to be written. Raises Problem where there is no room."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.sweep()
        kept = list(self._folder.glob("*.wav"))
        if len(kept) >= MOST_SOUNDS or sum(file.stat().st_size for file in kept) >= MOST_BYTES:
            raise Problem(507, "no_room", "there are too many sounds", mend="delete some, or wait a day")
        made = secrets.token_hex(16)
        (self._folder / f"{made}.owner").write_text(owner)
        return made, self._folder / f"{made}.wav"

    def of(self, owner: str) -> list[Sound]:
        """Return an account's sounds, the newest first."""
        found = []
        for file in self._folder.glob("*.owner"):
            with suppress(OSError):
                if file.read_text() == owner:
                    state = file.with_suffix(".wav").stat()
                    found.append(Sound(file.stem, state.st_size, state.st_mtime))
        return sorted(found, key=lambda sound: -sound.at)

    def path(self, owner: str, sound: str) -> Path:
        """Return where an account's sound is. Raises Problem (404) where there is none."""
        file = self._folder / f"{sound}.wav"
        with suppress(OSError):
            if _ID.fullmatch(sound) and file.with_suffix(".owner").read_text() == owner and file.exists():
                return file
        raise Problem(404, "not_found", f"there is no sound {sound[:40]}", where="sound")

    def remove(self, owner: str, sound: str) -> None:
        """Delete an account's sound. Raises Problem (404)."""
        path = self.path(owner, sound)
        path.unlink(missing_ok=True)
        path.with_suffix(".owner").unlink(missing_ok=True)

    def sweep(self) -> None:
        """Delete what is a day old."""
        until = self._clock() - KEPT_SECONDS
        for file in self._folder.glob("*"):
            with suppress(OSError):
                if file.stat().st_mtime < until:
                    file.unlink()
