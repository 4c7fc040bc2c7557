"""Brands of telephones: a folder each, with `brand.yaml` and the templates beside it.

    yealink/
      brand.yaml       models, file names, how a telephone says who it is
      device.cfg.j2    templates
      keys.txt         every setting that the maker's list knows, `*` for a number; empty where none is public

A town's own folder of the same shape adds brands, or replaces files of ours by theirs: no code is touched.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Final, Literal

import msgspec
import yaml

from provisioning.encrypted import Encryption

OURS: Final = Path(__file__).parent / "brands"
_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,30}")
_VENDOR_CLASS: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,30}")

Holds = Literal["settings", "secrets"]
Syntax = Literal["cfg", "xml"]
Tls = Literal["modern", "old"]
Saves = Literal["nothing", "screen", "hours"]


class BrandError(Exception):
    """A brand's folder can't be used; the message names the file and says what is wrong."""


class Model(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One model. file: what the maker calls it in file names, where that isn't the model's name. family:
    which template it has, where a file's name says `{family}`.

    keys: that can be programmed, lines included. tls: `old` for one whose TLS isn't to be relied on (below
    1.2, or without the checks of today): its profile is that of telephones in a network of their own.
    settings: the maker's own for this model, after those of the template.
    """

    keys: int
    file: str = ""
    family: str = ""
    tls: Tls = "modern"
    settings: dict[str, str] = {}


class SettingsFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file that telephones ask for. path: with `{model}`, `{file}`, `{mac}`, `{MAC}` and `{token}`.

    holds: `secrets` goes to its own device alone, over a transport that nobody reads along. pointer: the
    template of what is handed out under this name where that can't be: where to go instead, and nothing else.
    common: of all telephones of a model, so that it names nobody.
    """

    path: str
    template: str
    holds: Holds
    pointer: str = ""
    common: bool = False


class Resync(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a telephone is told to fetch its files again (NOTIFY). event: the Event header; body: mostly none.

    reboots: whether it starts anew for that.
    """

    event: str
    reboots: bool
    content_type: str = ""
    body: str = ""


class Brand(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A maker's telephones. agents: patterns of the User-Agent, with groups `model`, `version` and perhaps
    `mac`.

    ouis: the first six digits of its MAC addresses. zones: its name of each time zone, by IANA name; none
    where it takes the rule itself. restart: as `resync`, and it starts anew. certificate_names: organisations
    in the certificates that the maker puts into its telephones. encrypts: how its files can be encrypted for
    telephones without TLS of today. told: whether it fetches when it is told, not at its start alone.
    vendor_classes: how what they call themselves to a DHCP server begins (option 60); none where they don't
    call themselves anything as they come. sub_option: of DHCP's option 43, where they read their address.
    energy: what its telephones can be told of `energy:`: nothing, when the `screen` goes off, or that and
    office `hours`.
    """

    name: str
    syntax: Syntax
    ouis: list[str]
    agents: list[str]
    files: list[SettingsFile]
    models: dict[str, Model]
    resync: Resync
    restart: Resync
    zones: dict[str, str] = {}
    certificate_names: list[str] = []
    encrypts: Encryption | Literal[""] = ""
    told: bool = True
    vendor_classes: list[str] = []
    sub_option: int = 1
    energy: Saves = "nothing"
    repeats: list[str] = []
    """Settings that a file may have more than once, each for another name before a colon."""
    folders: list[Path] = []
    """Where its templates are, the town's own first."""
    known_settings: frozenset[str] = frozenset()


class Recognised(msgspec.Struct, frozen=True):
    """What a User-Agent says. mac: "" where it doesn't."""

    brand: str
    model: str
    version: str
    mac: str


def load_brands(own: Path | None = None) -> dict[str, Brand]:
    """All brands by folder name: ours, and those of `own`, whose files come first where both have one.

    Raises BrandError.
    """
    theirs = {folder.name for folder in _folders(own)}
    found = {**_ours(), **{name: _load(name, own) for name in theirs}}
    return dict(sorted(found.items()))


def recognise(brands: Mapping[str, Brand], agent: str) -> Recognised | None:
    """Which telephone calls itself so; None for no brand's. What it says proves nothing."""
    for name, brand in brands.items():
        for pattern in brand.agents:
            found = re.search(pattern, agent[:300])
            if found:
                groups = found.groupdict()
                model = (groups.get("model") or "").replace(" ", "-")
                mac = re.sub("[:-]", "", groups.get("mac") or "").lower()
                return Recognised(name, model, groups.get("version") or "", mac)
    return None


def brand_of_mac(brands: Mapping[str, Brand], mac: str) -> str:
    """The folder name of the brand that this address was given to, "" where none says so."""
    return next((name for name, brand in brands.items() if mac[:6] in brand.ouis), "")


@cache
def _ours() -> dict[str, Brand]:
    """What is installed doesn't change while it runs."""
    return {folder.name: _load(folder.name, None) for folder in _folders(OURS)}


def _folders(parent: Path | None) -> Iterable[Path]:
    if parent is None or not parent.is_dir():
        return ()
    return (folder for folder in parent.iterdir() if _NAME.fullmatch(folder.name) and folder.is_dir())


def _load(name: str, own: Path | None) -> Brand:
    folders = [parent / name for parent in (own, OURS) if parent is not None and (parent / name).is_dir()]
    path = next((folder / "brand.yaml" for folder in folders if (folder / "brand.yaml").is_file()), None)
    if path is None:
        raise BrandError(f"{folders[0]}: there is no brand.yaml")
    try:
        brand = msgspec.convert(yaml.safe_load(path.read_text(encoding="utf-8")), Brand)
    except (OSError, UnicodeDecodeError, yaml.YAMLError, msgspec.ValidationError) as error:
        raise BrandError(f"{path}: {error}") from error
    for pattern in brand.agents:
        try:
            re.compile(pattern)
        except re.error as error:
            raise BrandError(f"{path}: agents: {pattern}: {error}") from error
    wrong = [oui for oui in brand.ouis if not re.fullmatch("[0-9a-f]{6}", oui)]
    if wrong:
        raise BrandError(
            f'{path}: ouis: "{wrong[0]}" isn\'t six digits in lower case; put quotes around numbers'
        )
    unfit = [start for start in brand.vendor_classes if not _VENDOR_CLASS.fullmatch(start)]
    if unfit:
        raise BrandError(
            f'{path}: vendor_classes: "{unfit[0]}" has something besides letters, digits, ".", "_", "-"'
        )
    if not 1 <= brand.sub_option <= 254:
        raise BrandError(f"{path}: sub_option: {brand.sub_option} isn't from 1 to 254")
    return msgspec.structs.replace(brand, folders=folders, known_settings=_known_settings(folders))


def _known_settings(folders: Iterable[Path]) -> frozenset[str]:
    found: set[str] = set()
    for folder in folders:
        path = folder / "keys.txt"
        if path.is_file():
            lines = (line.partition("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines())
            found.update(line for line in lines if line)
    return frozenset(found)
