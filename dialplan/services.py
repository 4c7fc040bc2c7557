"""The services of a plan, by type: which settings each type has, and how each setting is read.

A new type of service is a new entry of `_SETTINGS`: what it may hold, and what it must.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from ipaddress import ip_address
from types import MappingProxyType

from dialplan.document import Node, shortened
from dialplan.plan import (
    AlarmStep,
    Announcement,
    Destination,
    Overflow,
    RingStep,
    Service,
    Setting,
    Step,
    ToStep,
)
from dialplan.values import (
    References,
    read_destination,
    read_e164,
    read_members,
    read_name,
    read_range,
    read_secret,
    read_texts,
)

Reader = Callable[[Node, References, str], Setting]

RING_STRATEGIES = ("all", "in_order", "longest_idle", "fewest_calls", "round_robin", "random")
_KEYS = frozenset("0123456789*#")


def _text(node: Node, references: References, language: str) -> Setting:
    return node.text()


def _texts(node: Node, references: References, language: str) -> Setting:
    return read_texts(node, language)


def _boolean(node: Node, references: References, language: str) -> Setting:
    return node.boolean()


def _seconds(node: Node, references: References, language: str) -> Setting:
    return node.integer(1, 3600)


def _strategy(node: Node, references: References, language: str) -> Setting:
    return node.choice(RING_STRATEGIES, "strategy")


def _destination(node: Node, references: References, language: str) -> Setting:
    return read_destination(node, references)


def _members(node: Node, references: References, language: str) -> Setting:
    return read_members(node, references)


def _secret(node: Node, references: References, language: str) -> Setting:
    return read_secret(node) or ""


def _retries(node: Node, references: References, language: str) -> Setting:
    return node.integer(0, 10)


def _email(node: Node, references: References, language: str) -> Setting:
    text = node.text()
    name, at, domain = text.partition("@")
    if text and not (name and at and "." in domain and not any(character.isspace() for character in text)):
        node.error("bad_email", f'"{shortened(text)}" is no e-mail address', "write name@example.org")
    return text


def _multicast(node: Node, references: References, language: str) -> Setting:
    text = node.text()
    address, _, port = text.rpartition(":")
    try:
        valid = ip_address(address.strip("[]")).is_multicast and 0 < int(port) < 65536
    except ValueError:
        valid = False
    if text and not valid:
        node.error("bad_address", f'"{shortened(text)}" is no multicast address', "write 239.54.4.1:5004")
    return text


def _announcement(node: Node, references: References, language: str) -> Setting:
    fields = node.mapping({"position", "every_seconds"})
    return Announcement(
        position=fields["position"].boolean() if "position" in fields else False,
        every_seconds=fields["every_seconds"].integer(5, 3600) if "every_seconds" in fields else 30,
    )


def _overflow(node: Node, references: References, language: str) -> Setting:
    fields = node.mapping({"after_seconds", "to"}, required=("after_seconds", "to"))
    nowhere = Destination("inside", "", node.line, node.column)
    return Overflow(
        after_seconds=fields["after_seconds"].integer(1, 3600) if "after_seconds" in fields else 1,
        to=read_destination(fields["to"], references) if "to" in fields else nowhere,
    )


def _choices(node: Node, references: References, language: str) -> Setting:
    choices: dict[str, Destination] = {}
    for key, item in node.mapping().items():
        if key not in _KEYS:
            item.error("bad_key", f'"{shortened(key)}" is no key of a telephone', "write 0 to 9, * or #")
        choices[key] = read_destination(item, references)
    return MappingProxyType(choices)


def _steps(node: Node, references: References, language: str) -> Setting:
    steps: list[Step] = []
    for item in node.sequence():
        if steps and isinstance(steps[-1], ToStep):
            item.error(
                "unreachable_step", "this step is never reached", "the step before it hands the call over"
            )
        fields = item.mapping({"ring", "seconds", "confirm", "alarm", "to"})
        if len({"ring", "alarm", "to"} & fields.keys()) != 1:
            item.error("bad_step", "a step does one thing", "write ring, alarm or to")
        elif "ring" in fields:
            seconds = fields["seconds"].integer(1, 3600) if "seconds" in fields else 20
            confirm = fields["confirm"].boolean() if "confirm" in fields else False
            steps.append(RingStep(read_members(fields["ring"], references), seconds, confirm, item.line))
        elif "alarm" in fields:
            steps.append(AlarmStep(references.name("alarm", fields["alarm"]), item.line))
        else:
            steps.append(ToStep(read_destination(fields["to"], references), item.line))
    return tuple(steps)


# By type: its settings with their readers, and those that it can't do without.
_SETTINGS: Mapping[str, tuple[Mapping[str, Reader], tuple[str, ...]]] = {
    "queue": (
        {
            "strategy": _strategy,
            "agents": _members,
            "greeting": _texts,
            "announce": _announcement,
            "when_full": _overflow,
        },
        ("agents",),
    ),
    "menu": (
        {"prompt": _texts, "choices": _choices, "retries": _retries, "otherwise": _destination},
        ("prompt", "choices"),
    ),
    "voicemail": ({"mailbox": _text, "email": _email, "greeting": _texts}, ()),
    "hotline": ({"steps": _steps}, ("steps",)),
    "group": (
        {"members": _members, "strategy": _strategy, "seconds": _seconds, "otherwise": _destination},
        ("members",),
    ),
    "room": ({"video": _boolean, "lobby": _boolean, "pin": _secret, "moderators": _members}, ()),
    "park": ({"return_seconds": _seconds}, ()),
    "page": ({"members": _members, "multicast": _multicast}, ("members",)),
    "fax": ({"email": _email}, ()),
    "echo": ({}, ()),
}
_ALL = frozenset({"number", "public", "type", "schedule", "when_closed", "record"})


def read_service(name: str, node: Node, references: References, language: str) -> Service:
    """A service; a setting that its type doesn't have is an error."""
    anything = node.mapping(required=("type",))
    kind = anything["type"].choice(tuple(_SETTINGS), "type") if "type" in anything else ""
    if "type" in anything and anything["type"].value == kind:
        readers, required = _SETTINGS[kind]
        fields = node.mapping(_ALL | readers.keys(), required)
    else:
        readers, fields = {}, anything  # nothing can be said of the settings of an unknown type
    numbers = read_range(fields["number"], public=False) if "number" in fields else None
    if numbers is not None and len(numbers) > 1000:
        fields["number"].error("bad_range", "a service has at most 1000 numbers")
        numbers = None
    if "when_closed" in fields and "schedule" not in fields:
        fields["when_closed"].error(
            "never_closed", "this service has no schedule, so it never closes", "add `schedule:`"
        )
    return Service(
        name=read_name(name, node),
        number=str(numbers) if numbers is not None else None,
        numbers=numbers,
        public=read_e164(fields["public"]) if "public" in fields else None,
        type=kind,
        schedule=references.name("schedule", fields["schedule"]) if "schedule" in fields else None,
        when_closed=read_destination(fields["when_closed"], references) if "when_closed" in fields else None,
        record=references.name("recording", fields["record"]) if "record" in fields else None,
        settings=MappingProxyType(
            {key: read(fields[key], references, language) for key, read in readers.items() if key in fields}
        ),
        line=node.line,
        column=node.column,
    )
