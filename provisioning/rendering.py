"""The files of one telephone: templates filled in, then read back as its firmware would.

What is filled in comes from people and plans, so each value is made harmless where it enters: in a `cfg` file
a line is a setting, and a value with a line's end would be a setting more; in XML it is escaped. A file that
isn't well formed, that names a setting which its maker doesn't know, or that has the same setting twice is
never handed out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final
from xml.etree import ElementTree

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

from provisioning.brand import Brand, Model, SettingsFile
from provisioning.telephone import Telephone

_UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f\u0085\u2028\u2029]")
_NUMBER: Final = re.compile(r"(?<=[._])\d+(?=[._/]|$)")
_CFG_LINE: Final = re.compile(r"([A-Za-z0-9_.]+) = (.*)")
CFG_HEAD: Final = "#!version:1.0.0.1"


class RenderingError(Exception):
    """A file can't be made; the message names brand, template and what is wrong."""


def render(brand: Brand, telephone: Telephone) -> dict[str, bytes]:
    """All files of a telephone, by path below its settings address. The same input gives the same bytes.

    Raises RenderingError: a model or a time zone that the brand doesn't know, more keys than the model has, a
    value that no file can hold, a template that is wrong.
    """
    model = _model(brand, telephone)
    files = {}
    for file in brand.files:
        path = file_path(file, telephone.model, model, telephone.mac, token="")
        files[path] = _filled(brand, file.template.format(family=model.family), telephone, model)
    return files


def render_pointer(
    brand: Brand, file: SettingsFile, family: str, settings_url: str, authority_url: str
) -> bytes:
    """What is handed out in clear: where a telephone goes instead, and whom it may believe there.

    Raises RenderingError; ValueError for a file that has no pointer.
    """
    if not file.pointer:
        raise ValueError(f"{brand.name}: {file.path} has no pointer")
    values = {"settings_url": settings_url, "authority_url": authority_url}
    template = file.pointer.format(family=family)
    return _checked(brand, template, _written(brand, template, values))


def file_path(file: SettingsFile, name: str, model: Model, mac: str, token: str) -> str:
    """The path that a telephone of this model and address asks for."""
    return file.path.format(model=name, file=model.file or name, mac=mac, MAC=mac.upper(), token=token)


def settings_of(brand: Brand, content: bytes) -> list[tuple[str, str]]:
    """The settings that a file holds, as a telephone reads them: names in order, with their values.

    Raises RenderingError for what a telephone would refuse.
    """
    text = content.decode("utf-8")
    if brand.syntax == "cfg":
        return _cfg_settings(brand, text)
    try:
        root = ElementTree.fromstring(text)  # noqa: S314 (our own file, read back)
    except ElementTree.ParseError as error:
        raise RenderingError(f"{brand.name}: not well-formed XML: {error}") from error
    found: list[tuple[str, str]] = []
    _walk(root, "", found)
    return found


def _model(brand: Brand, telephone: Telephone) -> Model:
    model = brand.models.get(telephone.model)
    if model is None:
        known = ", ".join(brand.models)
        raise RenderingError(f'{brand.name} has no model "{telephone.model}" here; known: {known}')
    if brand.zones and telephone.zone.name not in brand.zones:
        raise RenderingError(f"{brand.name}: no time zone for {telephone.zone.name} in brand.yaml")
    if model.keys and len(telephone.keys) > model.keys:
        raise RenderingError(f"{telephone.model} has {model.keys} keys, not {len(telephone.keys)}")
    return model


def _filled(brand: Brand, template: str, telephone: Telephone, model: Model) -> bytes:
    values = {
        "phone": telephone,
        "model": model,
        "brand": brand,
        "zone_name": brand.zones.get(telephone.zone.name, ""),
        "own_settings": (*model.settings.items(), *telephone.own_settings),
    }
    own = frozenset(name for name, _ in telephone.own_settings)
    return _checked(brand, template, _written(brand, template, values), own)


def _written(brand: Brand, template: str, values: Mapping[str, Any]) -> str:
    try:
        return _environment(brand.syntax, *map(str, brand.folders)).get_template(template).render(values)
    except jinja2.TemplateError as error:
        raise RenderingError(f"{brand.name}: {template}: {error}") from error


def _checked(brand: Brand, template: str, text: str, own: frozenset[str] = frozenset()) -> bytes:
    """The file's bytes, if a telephone would take them. own: names that IT answers for."""
    content = text.encode("utf-8")
    found = settings_of(brand, content)
    names = [name for name, _ in found]
    once = [f"{name} {value.partition(':')[0]}" if name in brand.repeats else name for name, value in found]
    twice = {name for name in once if once.count(name) > 1} if len(set(once)) < len(once) else set()
    if twice:
        raise RenderingError(f"{brand.name}: {template}: {min(twice)} is set twice")
    if brand.known_settings:
        unknown = [
            name
            for name in names
            if _NUMBER.sub("*", name) not in brand.known_settings and _last(name) not in own
        ]
        if unknown:
            raise RenderingError(f"{brand.name}: {template}: the maker knows no setting {unknown[0]}")
    return content


@lru_cache(maxsize=64)
def _environment(syntax: str, *folders: str) -> jinja2.Environment:
    environment = ImmutableSandboxedEnvironment(
        loader=jinja2.FileSystemLoader(folders),
        undefined=jinja2.StrictUndefined,
        autoescape=syntax == "xml",
        finalize=_one_line,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["without_scheme"] = _without_scheme
    return environment


def _without_scheme(url: str) -> str:
    """An address as telephones want it that are told the scheme apart, without the last slash."""
    return url.partition("://")[2].rstrip("/")


def _one_line(value: Any) -> Any:
    """What a template writes, if it is a value that stays on its line and says something to a machine."""
    if value is None or isinstance(value, bool):
        raise jinja2.TemplateRuntimeError(
            f"{value} isn't a value of a setting: write what the maker calls it"
        )
    if isinstance(value, str) and _UNPRINTABLE.search(value):
        raise jinja2.TemplateRuntimeError("a value has a line's end or another control character in it")
    return value


def _last(name: str) -> str:
    """A setting's own name, without the document above it."""
    return name.rpartition("/")[2].removeprefix("item.").removeprefix("entry.")


def _cfg_settings(brand: Brand, text: str) -> list[tuple[str, str]]:
    head, *lines = text.splitlines()
    if head != CFG_HEAD:
        raise RenderingError(f'{brand.name}: the first line isn\'t "{CFG_HEAD}"')
    found = []
    for line in lines:
        if not line or line.startswith("#"):
            continue
        setting = _CFG_LINE.fullmatch(line)
        if setting is None:
            raise RenderingError(f"{brand.name}: not a setting: {line.partition('=')[0][:60]}")
        found.append((setting[1], setting[2]))
    return found


def _walk(element: ElementTree.Element, above: str, found: list[tuple[str, str]]) -> None:
    """Collect the leaves of a document, each named by its path, with what tells it from its neighbours."""
    mark = next((element.get(name) for name in ("idx", "index", "name") if element.get(name)), "")
    path = f"{above}{element.tag.rpartition('}')[2]}" + (f".{mark}" if mark else "")
    if len(element) == 0:
        found.append((path, element.text or ""))
    for child in element:
        _walk(child, path + "/", found)
