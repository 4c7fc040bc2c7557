"""Firmware that was uploaded, in the data directory: the files, which telephones they are for, and who gets
them when.

    firmware/hosted.json     what is there, pinned by hash, and its stages
    firmware/HASH/NAME       the file, with its maker's name

A file is written beside its place and moved there when it is whole. What a stage names can't be removed.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import msgspec

from pbx.kept import KeptError, read_kept, write_kept
from provisioning.firmware import MOST_BYTES, Image, Stage

FOLDER: Final = "firmware"
LIST: Final = "hosted.json"
MOST_IMAGES: Final = 100
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}")


class HostingError(Exception):
    """Firmware can't be taken, staged or removed. code: a word that stays the same."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class HostedImage(msgspec.Struct, frozen=True):
    """One file, since when (Unix seconds) and by whom."""

    brand: str
    models: list[str]
    version: str
    name: str
    sha256: str
    size_bytes: int
    added_at: float
    account: str = ""

    @property
    def image(self) -> Image:
        """As telephones are told of it."""
        return Image(self.brand, tuple(self.models), self.version, self.name, self.sha256, self.size_bytes)


class HostedStage(msgspec.Struct, frozen=True):
    """Who gets an image when. sites: [] for all; hours: local, from and until."""

    sha256: str
    sites: list[str] = []
    hours: tuple[int, int] = (0, 24)

    @property
    def stage(self) -> Stage:
        """As `provisioning.firmware` has it."""
        return Stage(self.sha256, tuple(self.sites), self.hours)


class Hosted(msgspec.Struct, frozen=True):
    """All that was uploaded, and all stages."""

    images: list[HostedImage] = []
    stages: list[HostedStage] = []

    def find(self, sha256: str) -> HostedImage:
        """Return one. Raises HostingError."""
        for image in self.images:
            if image.sha256 == sha256:
                return image
        raise HostingError("no_such_image", "no such firmware is hosted")


def read_hosted(data_dir: Path) -> Hosted:
    """Return what is hosted. Raises KeptError."""
    return read_kept(data_dir / FOLDER / LIST, Hosted)


def path_of(data_dir: Path, image: HostedImage) -> Path:
    """Return where its bytes are."""
    return data_dir / FOLDER / image.sha256[:32] / image.name


class Upload:
    """A file that comes piece by piece: written beside its place, and put there when it is whole.

    Closed in any case; what wasn't taken by then is forgotten.
    """

    def __init__(self, data_dir: Path) -> None:
        """Raises KeptError."""
        self._data_dir = data_dir
        self._digest = hashlib.sha256()
        self._size = 0
        folder = data_dir / FOLDER
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor, unfinished = tempfile.mkstemp(prefix=".upload.", dir=folder)
        except OSError as error:
            raise _not_written(folder, error) from None
        self._file, self._unfinished = open(descriptor, "wb"), Path(unfinished)  # noqa: SIM115 (see `close`)

    def write(self, piece: bytes) -> None:
        """Add a piece. Raises HostingError for more than is taken, KeptError."""
        self._size += len(piece)
        if self._size > MOST_BYTES:
            raise HostingError("too_large", f"at most {MOST_BYTES >> 20} MB are taken")
        self._digest.update(piece)
        try:
            self._file.write(piece)
        except OSError as error:
            raise _not_written(self._unfinished.parent, error) from None

    def take(self, described: HostedImage) -> HostedImage:
        """Pin what came; return it with its hash and size.

        Raises HostingError for one that is empty, wrongly named, or there already; KeptError.
        """
        if not self._size:
            raise HostingError("empty", "the file is empty")
        if not NAME.fullmatch(described.name):
            raise HostingError("wrong_name", f'"{described.name[:60]}" is no name of a file')
        digest = self._digest.hexdigest()
        taken = msgspec.structs.replace(described, sha256=digest, size_bytes=self._size)
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
            with _changing(self._data_dir) as changing:
                changing(lambda hosted: _with_image(hosted, taken, self._data_dir, self._unfinished))
        except OSError as error:
            raise _not_written(self._unfinished.parent, error) from None
        return taken

    def close(self) -> None:
        """Let go of it."""
        with suppress(OSError):  # of a full disk, said before
            self._file.close()
        self._unfinished.unlink(missing_ok=True)


def put_stage(data_dir: Path, stage: HostedStage) -> Hosted:
    """Give an image to these sites at these hours, in place of a stage of it before; return all.

    Raises HostingError, KeptError.
    """

    def change(hosted: Hosted) -> Hosted:
        hosted.find(stage.sha256)
        others = [one for one in hosted.stages if one.sha256 != stage.sha256]
        return Hosted(hosted.images, [*others, stage])

    with _changing(data_dir) as changing:
        return changing(change)


def remove_stage(data_dir: Path, sha256: str) -> Hosted:
    """Give an image to nobody any more; return all. Raises HostingError, KeptError."""

    def change(hosted: Hosted) -> Hosted:
        hosted.find(sha256)
        return Hosted(hosted.images, [one for one in hosted.stages if one.sha256 != sha256])

    with _changing(data_dir) as changing:
        return changing(change)


def remove_image(data_dir: Path, sha256: str) -> Hosted:
    """Forget an image and its bytes; return what is left. Raises HostingError where a stage names it,
    KeptError.
    """

    def change(hosted: Hosted) -> Hosted:
        found = hosted.find(sha256)
        if any(one.sha256 == sha256 for one in hosted.stages):
            message = f"{found.name} is given to telephones: take it back from them first"
            raise HostingError("image_in_use", message)
        return Hosted([one for one in hosted.images if one.sha256 != sha256], hosted.stages)

    with _changing(data_dir) as changing:
        gone = read_hosted(data_dir).find(sha256)
        left = changing(change)
        path = path_of(data_dir, gone)
        path.unlink(missing_ok=True)
        return left


def _with_image(hosted: Hosted, taken: HostedImage, data_dir: Path, unfinished: Path) -> Hosted:
    if any(one.sha256 == taken.sha256 for one in hosted.images):
        raise HostingError("image_exists", f"{taken.name} is hosted already: the same bytes")
    if len(hosted.images) >= MOST_IMAGES:
        raise HostingError("too_many_images", f"at most {MOST_IMAGES} files are hosted: remove one first")
    place = path_of(data_dir, taken)
    place.parent.mkdir(mode=0o700, exist_ok=True)
    os.replace(unfinished, place)
    return Hosted([*hosted.images, taken], hosted.stages)


def _not_written(folder: Path, error: OSError) -> KeptError:
    return KeptError(f"{folder}: can't be written: {error.strerror}")


@contextmanager
def _changing(data_dir: Path) -> Iterator[Callable[[Callable[[Hosted], Hosted]], Hosted]]:
    """One change at a time, of pages and commands alike."""
    folder = data_dir / FOLDER
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = (folder / ".lock").open("wb")
    except OSError as error:
        raise _not_written(folder, error) from None

    def changed(change: Callable[[Hosted], Hosted]) -> Hosted:
        after = change(read_hosted(data_dir))
        write_kept(folder / LIST, after, durable=True)
        return after

    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield changed
