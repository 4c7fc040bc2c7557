"""The paths that telephones ask for: which brand's file one names, and how one is written down.

which_file(brands, "805ec0123456.cfg", None) -> Named("yealink", …, mac="805ec0123456")
without_secret("s/SECRET/805ec0123456.cfg") -> "s/.../805ec0123456.cfg"
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pbx.phones.shelf import Phone
from provisioning.brand import Brand, SettingsFile, brand_of_mac
from provisioning.mac_address import MacAddressError, mac_address
from provisioning.rendering import file_path

_PERHAPS_SECRET: Final = re.compile(r"[A-Za-z0-9_-]{24,}")
_PLAIN_PATH: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}")

_FIELDS: Final = {
    "{mac}": "(?P<mac>[0-9a-f]{12})",
    "{MAC}": "(?P<mac>[0-9A-F]{12})",
    "{file}": "(?P<file>[A-Za-z0-9._]+)",
    "{model}": "(?P<file>[A-Za-z0-9._]+)",
}


@dataclass(frozen=True, slots=True)
class Named:
    """A path that names a file of a brand. mac: "" of a common file, and of a program's."""

    brand_name: str
    brand: Brand
    file: SettingsFile
    model: str
    mac: str


def which_file(brands: Mapping[str, Brand], path: str, phone: Phone | None) -> Named | None:
    """Which brand's file a path names: of the telephone that asks, where it is known."""
    if not _PLAIN_PATH.fullmatch(path):
        return None
    own = {phone.brand: brands[phone.brand]} if phone is not None and phone.brand in brands else brands
    found = [
        named
        for name, brand in own.items()
        for file in brand.files
        if (named := _match(name, brand, file, path, phone)) is not None
    ]
    # Two makers may use one form of name, MAC.cfg: the address says whose it is.
    whose = next((brand_of_mac(brands, named.mac) for named in found if named.mac), "")
    return next((named for named in found if named.brand_name == whose), found[0] if found else None)


def without_secret(path: str) -> str:
    """A path as it is written down: printable, short, and worth nothing to whoever reads it."""
    where, _, rest = path.partition("/")
    shown = f"{where}/.../{rest.partition('/')[2]}" if where in ("s", "t") else path
    if where != "firmware":
        shown = _PERHAPS_SECRET.sub("...", shown)  # in the wrong place, by somebody's slip, it is one still
    return "".join(letter if letter.isascii() and letter.isprintable() else "?" for letter in shown[:80])


def _match(name: str, brand: Brand, file: SettingsFile, path: str, phone: Phone | None) -> Named | None:
    """The file that `path` is of this brand's, None for another."""
    model = brand.models.get(phone.model) if phone is not None else None
    if model is not None and phone is not None:
        if file_path(file, phone.model, model, phone.name, token="") != path:
            return None
        return Named(name, brand, file, phone.model, "" if file.common else phone.name)
    pattern = re.escape(file.path)
    for field, written in _FIELDS.items():
        pattern = pattern.replace(re.escape(field), written)
    found = re.fullmatch(pattern, path)
    if found is None:
        return None
    groups = found.groupdict()
    said = groups.get("file")
    models = [one for one, described in brand.models.items() if said in (None, described.file or one)]
    if not models:
        return None
    try:
        mac = mac_address(groups["mac"]) if "mac" in groups else ""
    except MacAddressError:
        return None
    return Named(name, brand, file, models[0] if said else "", mac)
