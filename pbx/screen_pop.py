"""The page of another program that opens for a call: its address, when, and for whom.

web:
  screen_pop:
    - url: "https://fiches.valmont.example/?tel={number}&appel={call}"
      when: ringing
      services: [standard]

Where it leads stands in the configuration alone: a caller fills places after the host, percent-encoded.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import urlsplit

from dialplan.document import Node, shortened

When = Literal["ringing", "answered"]
WHEN: Final = ("ringing", "answered")
PLACES: Final = ("number", "name", "call", "service", "extension")
MOST_SCREEN_POPS: Final = 20

_PLACE = re.compile(r"\{([^{}]*)\}")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?(:[0-9]{1,5})?")


@dataclass(frozen=True, slots=True)
class ScreenPop:
    """A page that opens. url: with places such as `{number}`; services: of calls through one of these alone,
    as the plan names them; classes: for people of these classes alone; empty for all."""

    url: str
    when: When = "answered"
    services: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()


def read_screen_pops(node: Node) -> tuple[ScreenPop, ...]:
    """Return what `screen_pop:` says: one of them, or a list. Errors are the node's."""
    listed = node.sequence() if node.is_sequence else [node]
    if len(listed) > MOST_SCREEN_POPS:
        node.error("too_many", f"there are at most {MOST_SCREEN_POPS} of them")
    return tuple(_screen_pop(one) for one in listed[:MOST_SCREEN_POPS])


def _screen_pop(node: Node) -> ScreenPop:
    section = node.mapping(("url", "when", "services", "classes"), required=("url",))
    when: When = "answered"
    if "when" in section and section["when"].choice(WHEN) == "ringing":
        when = "ringing"
    return ScreenPop(
        url=_template(section["url"]) if "url" in section else "",
        when=when,
        services=_words(section["services"]) if "services" in section else (),
        classes=_words(section["classes"]) if "classes" in section else (),
    )


def _words(node: Node) -> tuple[str, ...]:
    return tuple(one.text() for one in node.sequence())


def _template(node: Node) -> str:
    text = node.text()
    hint = "such as https://fiches.valmont.example/?tel={number}"
    try:
        parts = urlsplit(text)
    except ValueError:
        parts = urlsplit("")
    printable = all("!" <= sign <= "~" for sign in text) and len(text) <= 1000
    if not printable or parts.scheme != "https" or not _HOST.fullmatch(parts.netloc):
        node.error("wrong_url", f'"{shortened(text)}" is no address over https', hint)
    rest = _PLACE.sub("", text)
    if not set(_PLACE.findall(text)) <= set(PLACES) or "{" in rest or "}" in rest:
        node.error("wrong_place", f"only {', '.join('{' + place + '}' for place in PLACES)} are filled", hint)
    return text
