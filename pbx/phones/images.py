"""Firmware that lies in the configured folder: `images.yaml` there says which file is what, and who gets it
when.

images:
  - {file: T54W-96.86.0.23.rom, brand: yealink, models: [T53W, T54W, T57W], version: 96.86.0.23, sha256: 5f…}
stages:
  - {sha256: 5f…, sites: [ecole], hours: [22, 5]}

What was uploaded is beside that, in the data directory (`pbx.phones.hosting`); its stages count after those
of the list. A file whose hash isn't the one written is not handed out.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import msgspec
import yaml

from pbx.kept import KeptError
from pbx.phones.hosting import FOLDER, path_of, read_hosted
from pbx.phones.hosting import LIST as HOSTED
from pbx.phones.shelf import Phone
from provisioning.firmware import MOST_BYTES, FirmwareError, Image, Stage, image_for, verified
from provisioning.telephone import Firmware

log = logging.getLogger(__name__)

LIST: Final = "images.yaml"


class _Described(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    file: str
    brand: str
    models: list[str]
    version: str
    sha256: str


class _Staged(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    sha256: str
    sites: list[str] = []
    hours: tuple[int, int] = (0, 24)


class _Listed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    images: list[_Described] = []
    stages: list[_Staged] = []


class Images:
    """What is hosted. folder: of `images.yaml`, None for none. clock: wall time, Unix seconds; timezone: of
    the stages' hours. data_dir: where uploads are, None for none.

    images, stages: of both; problem: what is wrong with them, "" for nothing.
    """

    def __init__(
        self,
        folder: Path | None,
        clock: Callable[[], float],
        timezone: Callable[[], str],
        data_dir: Path | None = None,
    ) -> None:
        self._folder = folder
        self._data_dir = data_dir
        self._clock = clock
        self._timezone = timezone
        self._paths: dict[str, Path] = {}
        self._verified: dict[str, tuple[int, int, int]] = {}
        self._read_at: list[int] = []
        self.images: list[Image] = []
        self.stages: list[Stage] = []
        self.problem = ""

    def load(self) -> None:
        """Read the lists anew; of one that is wrong nothing is handed out."""
        self.images, self.stages, self._paths, self.problem = [], [], {}, ""
        self._read_at = self._stamp()
        if self._folder is not None:
            self._load_list(self._folder)
        if self._data_dir is not None:
            self._load_uploads(self._data_dir)
        if self.problem:
            log.error("firmware isn't handed out: %s", self.problem)

    def look(self) -> None:
        """Read the lists anew where one has changed."""
        if self._stamp() != self._read_at:
            self.load()

    def hour(self) -> int:
        """The hour of the day now, local."""
        return datetime.fromtimestamp(self._clock(), ZoneInfo(self._timezone())).hour

    def for_phone(self, phone: Phone, site: str, url: str) -> Firmware | None:
        """What a telephone is told to run now; None for what it runs."""
        image = self._image(phone, site, self.hour())
        if image is None or image.version == phone.version:
            return None
        return Firmware(f"{url}{image.path}", image.version)

    def wanted(self, phone: Phone, site: str) -> Image | None:
        """What a telephone is to run, whatever the hour; None where nothing is staged for it."""
        return self._image(phone, site, None)

    async def read(self, digest: str, name: str) -> bytes | None:
        """Return a pinned file's bytes; None where there is none, or it has changed."""
        image = next((one for one in self.images if one.path == f"firmware/{digest}/{name}"), None)
        if image is None:
            return None
        try:
            return await asyncio.to_thread(self._content, image)
        except (FirmwareError, OSError) as error:
            log.error("firmware not handed out: %s", error)
            return None

    def _content(self, image: Image) -> bytes:
        """Its bytes. Hashed anew only when the file isn't the one that was hashed: 2,000 telephones ask."""
        path = self._paths[image.sha256]
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
            stamp = (found.st_ino, found.st_mtime_ns, found.st_size)
            content = file.read(MOST_BYTES)
        if self._verified.get(image.sha256) != stamp:
            if hashlib.sha256(content).hexdigest() != image.sha256:
                raise FirmwareError(f"{image.name} isn't the file that was pinned: it is not handed out")
            self._verified[image.sha256] = stamp
        return content

    def _stamp(self) -> list[int]:
        """When the lists were written last; 0 of one that isn't there."""
        lists = [self._folder / LIST] if self._folder is not None else []
        lists += [self._data_dir / FOLDER / HOSTED] if self._data_dir is not None else []
        found = []
        for path in lists:
            try:
                found.append(path.stat().st_mtime_ns)
            except OSError:
                found.append(0)
        return found

    def _image(self, phone: Phone, site: str, hour: int | None) -> Image | None:
        fitting = [image for image in self.images if image.brand == phone.brand]
        return image_for(fitting, self.stages, phone.model, site, hour)

    def _load_list(self, folder: Path) -> None:
        path, images, paths = folder / LIST, [], {}
        try:
            listed = msgspec.convert(yaml.safe_load(path.read_text(encoding="utf-8")) or {}, _Listed)
            for one in listed.images:
                file = folder / Path(one.file).name
                image = Image(
                    one.brand, tuple(one.models), one.version, file.name, one.sha256, file.stat().st_size
                )
                paths[one.sha256] = verified(file, image)
                images.append(image)
        except FileNotFoundError as error:
            self.problem = f"{error.filename}: there is no such file"
        except (OSError, UnicodeDecodeError, yaml.YAMLError, msgspec.ValidationError, FirmwareError) as error:
            self.problem = f"{path}: {error}"
        else:
            self.images, self._paths = images, paths
            self.stages = [Stage(one.sha256, tuple(one.sites), one.hours) for one in listed.stages]

    def _load_uploads(self, data_dir: Path) -> None:
        try:
            hosted = read_hosted(data_dir)
        except KeptError as error:
            self.problem = str(error)
            return
        self.images += [one.image for one in hosted.images]
        self.stages += [one.stage for one in hosted.stages]
        self._paths.update({one.sha256: path_of(data_dir, one) for one in hosted.images})
