"""Click to call: which services the town's own site may let a visitor call from a page, and how many at once.

click_to_call:
  - name: mairie
    service: standard
    sites: ["https://www.valmont.example"]
    most_calls: 4
    most_calls_per_visitor: 6
    title: {fr: "Appeler la mairie", en: "Call the town hall"}

A visitor is nobody: they get a credential that works once, for one call to this service.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from dialplan.document import Node, shortened

MOST_BUTTONS: Final = 50
MOST_SITES: Final = 20
LANGUAGES: Final = ("fr", "en")

_VISITOR = "click "
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")
_SITE = re.compile(r"https://[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?(:[0-9]{1,5})?")
_LOOPBACK = re.compile(r"http://(localhost|127\.0\.0\.1|\[::1\])(:[0-9]{1,5})?")
_KEYS = ("name", "service", "sites", "most_calls", "most_calls_per_visitor", "title")


@dataclass(frozen=True, slots=True)
class Button:
    """What one button of a site calls. service: as the plan names it; sites: origins that may show it.

    most_calls: how many visitors are in a call at once. most_calls_per_visitor: of one address in an hour.
    title: what the panel is headed with, by language; empty for its own words.
    """

    name: str
    service: str
    sites: tuple[str, ...]
    most_calls: int = 4
    most_calls_per_visitor: int = 6
    title: Mapping[str, str] = field(default_factory=dict)

    @property
    def device(self) -> str:
        """What its callers are called in calls and their records."""
        return f"{_VISITOR}{self.name}"


def is_visitor(device: str) -> bool:
    """Whether a leg's device is a visitor's: no device of ours and no trunk has a blank in its name."""
    return device.startswith(_VISITOR)


def read_click_to_call(node: Node) -> tuple[Button, ...]:
    """Return the buttons that `click_to_call:` lists. Errors are the node's."""
    listed = node.sequence()
    if len(listed) > MOST_BUTTONS:
        node.error("too_many", f"there are at most {MOST_BUTTONS} of them")
    buttons = tuple(_button(one) for one in listed[:MOST_BUTTONS])
    names = [button.name for button in buttons]
    for one, name in zip(listed, names, strict=False):
        if name and names.count(name) > 1:
            one.error("twice", f'"{name}" is there twice', "give each button its own name")
    return buttons


def _button(node: Node) -> Button:
    section = node.mapping(_KEYS, required=("name", "service", "sites"))
    default = Button("", "", ())
    return Button(
        name=_name(section["name"]) if "name" in section else "",
        service=section["service"].text() if "service" in section else "",
        sites=_sites(section["sites"]) if "sites" in section else (),
        most_calls=section["most_calls"].integer(1, 1000) if "most_calls" in section else default.most_calls,
        most_calls_per_visitor=section["most_calls_per_visitor"].integer(1, 1000)
        if "most_calls_per_visitor" in section
        else default.most_calls_per_visitor,
        title=_title(section["title"]) if "title" in section else default.title,
    )


def _name(node: Node) -> str:
    text = node.text()
    if text and not _NAME.fullmatch(text):
        node.error(
            "wrong_name", f'"{shortened(text)}" can\'t be in an address', "small letters, digits, hyphens"
        )
        return ""
    return text


def _sites(node: Node) -> tuple[str, ...]:
    """Origins (RFC 6454 section 6.2), in lower case."""
    listed = node.sequence()
    if not 1 <= len(listed) <= MOST_SITES:
        node.error("wrong_sites", f"there are 1 to {MOST_SITES} sites")
    return tuple(site for one in listed[:MOST_SITES] for site in _site(one))


def _site(node: Node) -> list[str]:
    text = node.text().lower().rstrip("/")
    if _SITE.fullmatch(text) or _LOOPBACK.fullmatch(text):
        return [text]
    hint = "such as https://www.valmont.example, without a path"
    node.error("wrong_site", f'"{shortened(text)}" is no site over https', hint)
    return []


def _title(node: Node) -> Mapping[str, str]:
    """A text of a line for each language."""
    section = node.mapping(LANGUAGES)
    titles = {language: one.text() for language, one in section.items()}
    for language, title in titles.items():
        if len(title) > 80 or not title.isprintable():
            section[language].error("wrong_title", "a title is one line of at most 80 characters")
    return MappingProxyType(titles)
