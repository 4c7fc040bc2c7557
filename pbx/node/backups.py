"""The backups that were made on this node and lie in `data_dir/backups`, until somebody takes them elsewhere.

    beffroi-20261122-190000.tar.gz    made on 22 November 2026 at 19:00:00 UTC; mode 0600

A backup on its own machine outlives a mistake, not the machine: whoever makes one here downloads it.
None of them is in a later backup.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from msgspec import Struct

from pbx.configuration import Configuration
from pbx.node.backup import BackupError, Made, create

FOLDER = "backups"
LATE_SECONDS = 7 * 86_400.0
"""The newest backup is called old after this."""

_NAME = re.compile(r"beffroi-(\d{8}-\d{6})\.tar\.gz")
_FORMAT = "%Y%m%d-%H%M%S"


class Backup(Struct, frozen=True):
    """One archive. at: Unix seconds. size: bytes."""

    name: str
    at: float
    size: int


class Backups:
    """The backups of one node. Files of other names in their folder are left alone."""

    def __init__(self, configuration: Configuration) -> None:
        self.folder = configuration.data_dir / FOLDER
        self._configuration = configuration

    def kept(self) -> list[Backup]:
        """Return those that are there, the newest first. Raises BackupError."""
        found = []
        try:
            for path in self.folder.glob("beffroi-*.tar.gz"):
                at = _instant_of(path.name)
                if at is not None:
                    found.append(Backup(path.name, at, path.stat().st_size))
        except OSError as error:
            raise BackupError(f"{self.folder}: can't be read: {error.strerror}") from None
        return sorted(found, key=lambda one: one.at, reverse=True)

    def path(self, name: str) -> Path:
        """Return where a backup is. Raises BackupError for what isn't there, and for what is no backup."""
        # From a network: nothing but such a name may become that of a file.
        path = self.folder / name
        if _instant_of(name) is None or path.is_symlink() or not path.is_file():
            raise BackupError(f"there is no backup {name[:60]!r}")
        return path

    def make(self, at: float, progress: Callable[[float], None]) -> Made:
        """Make one, and return what is in it. at: Unix seconds. progress: as in pbx.node.backup.create.

        Raises BackupError, with no half archive left.
        """
        name = f"beffroi-{datetime.fromtimestamp(at, UTC):{_FORMAT}}.tar.gz"
        target = self.folder / name
        try:
            self.folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise BackupError(f"{self.folder}: {error.strerror}") from None
        if target.exists():
            raise BackupError(f"{target} is there already")
        return create(self._configuration, target, progress)

    def remove(self, name: str) -> None:
        """Delete one. Raises BackupError."""
        try:
            self.path(name).unlink(missing_ok=True)
        except OSError as error:
            raise BackupError(f"{name}: {error.strerror}") from None


def _instant_of(name: str) -> float | None:
    """When a backup was made, by its name, in Unix seconds; None for what is no name of one."""
    match = _NAME.fullmatch(name)
    if match is None or not name.isascii():
        return None
    try:
        return datetime.strptime(match[1], _FORMAT).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None
