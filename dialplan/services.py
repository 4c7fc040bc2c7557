"""The services of a plan, by type: which settings each type has, and how each setting is read.

A new type of service is a new entry of `_SETTINGS`: what it may hold, and what it must.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from ipaddress import ip_address
from types import MappingProxyType
from urllib.parse import urlsplit

from dialplan.document import Node, shortened
from dialplan.plan import (
    AlarmStep,
    Allowed,
    Announcement,
    Destination,
    NameKey,
    Overflow,
    RingStep,
    RotaStep,
    Service,
    Setting,
    Step,
    ToStep,
)
from dialplan.queueing import read_call_back, read_messages, read_needs, read_priority
from dialplan.values import (
    References,
    one_or_several,
    read_destination,
    read_e164,
    read_members,
    read_name,
    read_range,
    read_record,
    read_secret,
    read_texts,
)

Reader = Callable[[Node, References, str], Setting]

LANGUAGES = ("fr", "en")
ROOM_TELLS = ("tones", "names", "recorded", "nothing")
HTTP_METHODS = ("POST", "GET")
PAGE_CODECS = ("PCMA", "PCMU")
MOST_MULTICASTS = 16
RING_STRATEGIES = ("all", "in_order", "longest_idle", "fewest_calls", "round_robin", "random")
_KEYS = frozenset("0123456789*#")
_PROGRAM = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,60}\.py")
_FILE = re.compile(r"[\w-][\w. -]{0,90}\.ics")


def _program(node: Node, references: References, language: str) -> Setting:
    """A file in the folder `apps` beside the plan."""
    text = node.text()
    if text and not _PROGRAM.fullmatch(text):
        message = f'"{shortened(text)}" is no Python file of the folder apps'
        node.error("bad_file", message, "write its name alone, such as opening_hours.py")
    return text


def _app_settings(node: Node, references: References, language: str) -> Setting:
    """Names and texts, for the app alone."""
    return MappingProxyType({name: item.text() for name, item in node.mapping().items()})


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


def _pause(node: Node, references: References, language: str) -> Setting:
    return node.integer(0, 3600)


def _unanswered(node: Node, references: References, language: str) -> Setting:
    return node.integer(0, 100)


def _language(node: Node, references: References, language: str) -> Setting:
    return node.choice(("fr", "en"), "language")


def _email(node: Node, references: References, language: str) -> Setting:
    return node.email()


def _multicast(node: Node, references: References, language: str) -> Setting:
    """One address with its port, or several: telephones of each zone listen to one."""
    items = node.sequence() if node.is_sequence else [node]
    if len(items) > MOST_MULTICASTS:
        items[MOST_MULTICASTS].error("too_many", f"at most {MOST_MULTICASTS} multicast addresses")
    found: list[str] = []
    for item in items:
        text = item.text()
        address, _, port = text.rpartition(":")
        try:
            # RFC 3550 section 11: RTP has an even port. RFC 5771 section 3: 224.0.0.x is the network's own.
            parsed = ip_address(address.strip("[]"))
            valid = parsed.is_multicast and 0 < int(port) < 65536 and int(port) % 2 == 0
            valid = valid and not address.startswith("224.0.0.")
        except ValueError:
            valid = False
        if text and not valid:
            hint = "write 239.54.4.1:5004, with an even port"
            item.error("bad_address", f'"{shortened(text)}" is no multicast address', hint)
        found.append(text)
    return tuple(found)


def _interface(node: Node, references: References, language: str) -> Setting:
    text = node.text()
    try:
        valid = not ip_address(text).is_multicast
    except ValueError:
        valid = False
    if text and not valid:
        node.error("bad_address", f'"{shortened(text)}" is no address of this machine', "write 10.54.1.5")
    return text


def _ttl(node: Node, references: References, language: str) -> Setting:
    return node.integer(1, 255)


def _page_codec(node: Node, references: References, language: str) -> Setting:
    return node.choice(PAGE_CODECS, "codec")


def _allowed(node: Node, references: References, language: str) -> Setting:
    fields = node.mapping({"class", "group"})
    if not fields:
        node.error("missing_key", "nobody is named here", "write {class: …} or {group: …}")
    return Allowed(
        classes=tuple(
            references.name("class", item, "`allowed:`") for item in one_or_several(fields, "class")
        ),
        groups=tuple(item.text() for item in one_or_several(fields, "group")),
        line=node.line,
        column=node.column,
    )


def _most_parties(node: Node, references: References, language: str) -> Setting:
    return node.integer(2, 300)


def _room_tells(node: Node, references: References, language: str) -> Setting:
    return node.choice(ROOM_TELLS, "announcement")


def _languages(node: Node, references: References, language: str) -> Setting:
    """Keys, and the language that each one chooses."""
    chosen: dict[str, str] = {}
    for key, item in node.mapping().items():
        _check_key(key, item)
        chosen[key] = item.choice(LANGUAGES, "language")
    return MappingProxyType(chosen)


def _names(node: Node, references: References, language: str) -> Setting:
    """`names: "*"`, or `names: {key: "*", people: {site: mairie}}`."""
    fields = node.mapping({"key", "people"}, required=("key",)) if node.is_mapping else {"key": node}
    key = fields["key"].text() if "key" in fields else ""
    if key:
        _check_key(key, fields["key"])
    return NameKey(key, read_members(fields["people"], references) if "people" in fields else None)


def _url(node: Node, references: References, language: str) -> Setting:
    """https, or http to this machine: what callers press is read by nobody else."""
    text = node.text()
    try:
        parts = urlsplit(text)
        host, secret = parts.hostname or "", parts.username or parts.password
        valid = bool(host) and parts.port != 0 and text.isascii() and text.isprintable() and " " not in text
    except ValueError:
        host, secret, valid, parts = "", None, False, urlsplit("")
    if text and (not valid or parts.scheme not in ("http", "https") or len(text) > 1000):
        node.error("bad_url", f'"{shortened(text)}" is no web address', "write https://…")
    elif text and secret:
        node.error("secret_in_plan", "a password is written in this address", "write `secret: {env: NAME}`")
    elif text and parts.scheme == "http" and not _is_loopback(host):
        node.error("bad_url", "http is read along by others", "write https://…; http is for 127.0.0.1 alone")
    return text


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _http_method(node: Node, references: References, language: str) -> Setting:
    return node.choice(HTTP_METHODS, "method")


def _web_seconds(node: Node, references: References, language: str) -> Setting:
    return node.integer(1, 15)


def _most_digits(node: Node, references: References, language: str) -> Setting:
    return node.integer(1, 32)


def _first_key_seconds(node: Node, references: References, language: str) -> Setting:
    return node.integer(1, 60)


def _page_seconds(node: Node, references: References, language: str) -> Setting:
    return node.integer(5, 3600)


def _announcement(node: Node, references: References, language: str) -> Setting:
    fields = node.mapping({"position", "wait", "every_seconds"})
    return Announcement(
        position=fields["position"].boolean() if "position" in fields else False,
        every_seconds=fields["every_seconds"].integer(5, 3600) if "every_seconds" in fields else 30,
        wait=fields["wait"].boolean() if "wait" in fields else False,
    )


def _overflow(node: Node, references: References, language: str) -> Setting:
    fields = node.mapping({"after_seconds", "callers", "to"}, required=("after_seconds", "to"))
    nowhere = Destination("inside", "", node.line, node.column)
    return Overflow(
        after_seconds=fields["after_seconds"].integer(1, 3600) if "after_seconds" in fields else 1,
        to=read_destination(fields["to"], references) if "to" in fields else nowhere,
        callers=fields["callers"].integer(1, 10_000) if "callers" in fields else 0,
    )


def _choices(node: Node, references: References, language: str) -> Setting:
    choices: dict[str, Destination] = {}
    for key, item in node.mapping().items():
        _check_key(key, item)
        choices[key] = read_destination(item, references)
    return MappingProxyType(choices)


def _check_key(key: str, item: Node) -> None:
    if key not in _KEYS:
        item.error("bad_key", f'"{shortened(key)}" is no key of a telephone', "write 0 to 9, * or #")


def _rota(node: Node) -> str:
    """The name of a file beside the plan."""
    name = node.text()
    if name and not _FILE.fullmatch(name):
        hint = "write the name of a file in the plan's folder, such as astreinte.ics"
        node.error("bad_file", f'"{shortened(name)}" can\'t be a rota', hint)
        return ""
    return name


def _steps(node: Node, references: References, language: str) -> Setting:
    steps: list[Step] = []
    for item in node.sequence():
        if steps and isinstance(steps[-1], ToStep):
            item.error(
                "unreachable_step", "this step is never reached", "the step before it hands the call over"
            )
        fields = item.mapping({"ring", "rota", "seconds", "confirm", "alarm", "to"})
        seconds = fields["seconds"].integer(1, 3600) if "seconds" in fields else 20
        confirm = fields["confirm"].boolean() if "confirm" in fields else False
        if len({"ring", "rota", "alarm", "to"} & fields.keys()) != 1:
            item.error("bad_step", "a step does one thing", "write ring, rota, alarm or to")
        elif "ring" in fields:
            steps.append(RingStep(read_members(fields["ring"], references), seconds, confirm, item.line))
        elif "rota" in fields:
            steps.append(RotaStep(_rota(fields["rota"]), seconds, confirm, item.line))
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
            "when_nobody": _destination,
            "ring_seconds": _seconds,
            "wrap_up_seconds": _pause,
            "pause_after": _unanswered,
            "messages": read_messages,
            "priority": read_priority,
            "needs": read_needs,
            "relax_seconds": _pause,
            "language": _language,
            "callback": read_call_back,
        },
        ("agents",),
    ),
    "menu": (
        {
            "prompt": _texts,
            "choices": _choices,
            "retries": _retries,
            "otherwise": _destination,
            "seconds": _first_key_seconds,
            "languages": _languages,
            "names": _names,
            "extensions": _boolean,
        },
        ("prompt", "choices"),
    ),
    "voicemail": ({"mailbox": _text, "email": _email, "greeting": _texts, "listeners": _members}, ()),
    "hotline": ({"steps": _steps}, ("steps",)),
    "group": (
        {"members": _members, "strategy": _strategy, "seconds": _seconds, "otherwise": _destination},
        ("members",),
    ),
    "web": (
        {
            "url": _url,
            "method": _http_method,
            "secret": _secret,
            "prompt": _texts,
            "digits": _most_digits,
            "seconds": _web_seconds,
            "otherwise": _destination,
        },
        ("url",),
    ),
    "room": (
        {
            "video": _boolean,
            "lobby": _boolean,
            "pin": _secret,
            "moderators": _members,
            "moderator_pin": _secret,
            "most": _most_parties,
            "tells": _room_tells,
        },
        (),
    ),
    "park": ({"return_seconds": _seconds}, ()),
    "page": (
        {
            "members": _members,
            "multicast": _multicast,
            "unicast": _boolean,
            "ttl": _ttl,
            "interface": _interface,
            "codec": _page_codec,
            "allowed": _allowed,
            "priority": _boolean,
            "seconds": _page_seconds,
        },
        ("members",),
    ),
    "fax": ({"email": _email}, ()),
    "callthrough": ({"call_back": _boolean}, ()),
    "app": (
        {"file": _program, "settings": _app_settings, "seconds": _seconds, "otherwise": _destination},
        ("file",),
    ),
    "echo": ({}, ()),
}
_ALL = frozenset({"number", "public", "type", "schedule", "when_closed", "record"})


def _check_menu(node: Node, settings: Mapping[str, Setting]) -> None:
    """A key means one thing."""
    names, languages, choices = (settings.get(key) for key in ("names", "languages", "choices"))
    taken: dict[str, str] = dict.fromkeys(choices, "choices") if isinstance(choices, Mapping) else {}
    others = dict.fromkeys(languages, "languages") if isinstance(languages, Mapping) else {}
    for key, what in [*others.items(), *([(names.key, "names")] if isinstance(names, NameKey) else [])]:
        if key in taken:
            node.error("key_twice", f"key {key} is in `{taken[key]}:` and in `{what}:`", "choose another key")
        taken[key] = what


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
    settings = {
        key: read(fields[key], references, language) for key, read in readers.items() if key in fields
    }
    if kind == "menu":
        _check_menu(node, settings)
    return Service(
        name=read_name(name, node),
        number=str(numbers) if numbers is not None else None,
        numbers=numbers,
        public=read_e164(fields["public"]) if "public" in fields else None,
        type=kind,
        schedule=references.name("schedule", fields["schedule"]) if "schedule" in fields else None,
        when_closed=read_destination(fields["when_closed"], references) if "when_closed" in fields else None,
        record=read_record(fields, references, f"service {name}"),
        settings=MappingProxyType(settings),
        line=node.line,
        column=node.column,
    )
