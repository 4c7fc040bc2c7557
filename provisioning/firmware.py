"""Firmware that is hosted: which file is which version of which models, pinned by its hash, for whom and
when.

A file is served only while its bytes are those that were pinned: what changed on the disk is not handed out.
Its address holds the hash, so that a telephone which was told of one can get no other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

MOST_BYTES: Final = 512 * 1024 * 1024


class FirmwareError(Exception):
    """A file can't be taken or handed out; the message says why."""


@dataclass(frozen=True, slots=True)
class Image:
    """One file. name: as its maker names it; sha256: hexadecimal."""

    brand: str
    models: tuple[str, ...]
    version: str
    name: str
    sha256: str
    size_bytes: int

    @property
    def path(self) -> str:
        """Where it is served, below the address of the settings."""
        return f"firmware/{self.sha256[:32]}/{self.name}"


@dataclass(frozen=True, slots=True)
class Stage:
    """When an image goes to whom. sites: () for all; hours: local, from and until, as (22, 5)."""

    sha256: str
    sites: tuple[str, ...] = ()
    hours: tuple[int, int] = (0, 24)


def pin(path: Path, brand: str, models: Iterable[str], version: str) -> Image:
    """Take a file as it is now. Raises FirmwareError."""
    try:
        size = path.stat().st_size
        if not 0 < size <= MOST_BYTES:
            raise FirmwareError(f"{path.name} has {size} bytes: between 1 and {MOST_BYTES} are taken")
        digest = _sha256(path)
    except OSError as error:
        raise FirmwareError(f"{path.name} can't be read: {error.strerror}") from error
    return Image(brand, tuple(models), version, path.name, digest, size)


def verified(path: Path, image: Image) -> Path:
    """The path, if what lies there is still the pinned file. Raises FirmwareError."""
    try:
        if path.stat().st_size == image.size_bytes and _sha256(path) == image.sha256:
            return path
    except OSError as error:
        raise FirmwareError(f"{image.name} can't be read: {error.strerror}") from error
    raise FirmwareError(f"{image.name} isn't the file that was pinned: it is not handed out")


def image_for(
    images: Iterable[Image], stages: Iterable[Stage], model: str, site: str, hour: int | None
) -> Image | None:
    """What a telephone of this model and site is to run at this hour; None for what it runs already.

    hour: local; None for whatever the hour.

    Where several stages fit, the last one counts.
    """
    by_hash = {image.sha256: image for image in images if model in image.models}
    chosen = None
    for stage in stages:
        image = by_hash.get(stage.sha256)
        if image is not None and (not stage.sites or site in stage.sites) and is_within(hour, stage.hours):
            chosen = image
    return chosen


def is_within(hour: int | None, hours: tuple[int, int]) -> bool:
    """Whether an hour of the day is in (from, until), which may go past midnight; None is in all."""
    start, end = hours
    if hour is None:
        return True
    return start <= hour < end if start <= end else hour >= start or hour < end


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
