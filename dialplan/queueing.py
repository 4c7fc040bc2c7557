"""What a plan says of queues: who comes first, what a caller needs, who can do what, why agents pause."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from dialplan.document import Node, shortened
from dialplan.plan import CallBack, Priority, Setting, Skill
from dialplan.values import References, read_digits, read_e164, read_name, read_texts

MOST_LEVELS = 9  # of priority, and of a skill
MOST_MESSAGES = 20
CALLERS = ("inside", "outside", "anonymous")
_BEGINNING = re.compile(r"\+[1-9][0-9]{0,14}")
_REASON = re.compile(r"[0-9]{1,4}")


def read_priority(node: Node, references: References, language: str) -> Setting:
    """Who comes before whom in a queue."""
    fields = node.mapping({"level", "level_seconds", "callers", "numbers"})
    callers: dict[str, int] = {}
    for caller, item in fields["callers"].mapping().items() if "callers" in fields else ():
        if caller not in CALLERS and not caller.isdigit() and not _BEGINNING.fullmatch(caller):
            hint = f"write an extension, how a number begins (+336), or one of {', '.join(CALLERS)}"
            item.error("bad_caller", f'"{shortened(caller)}" is no caller', hint)
        callers[caller] = item.integer(0, MOST_LEVELS)
    numbers: dict[str, int] = {}
    for number, item in fields["numbers"].mapping().items() if "numbers" in fields else ():
        named = Node(item.findings, item.line, item.column, number)
        dialled = read_e164(named) if number.startswith("+") else read_digits(named)
        numbers[dialled or number] = item.integer(0, MOST_LEVELS)
    return Priority(
        level=fields["level"].integer(0, MOST_LEVELS) if "level" in fields else 0,
        level_seconds=fields["level_seconds"].integer(1, 3600) if "level_seconds" in fields else 60,
        callers=MappingProxyType(callers),
        numbers=MappingProxyType(numbers),
    )


def read_call_back(node: Node, references: References, language: str) -> Setting:
    """The key by which a caller keeps its place and hangs up."""
    fields = node.mapping({"key", "after_seconds"})
    return CallBack(
        key=fields["key"].choice(tuple("123456789*#0"), "key") if "key" in fields else "1",
        after_seconds=fields["after_seconds"].integer(0, 3600) if "after_seconds" in fields else 30,
    )


def read_needs(node: Node, references: References, language: str) -> Setting:
    """The skills that a queue's callers need, with their levels; a list means level 1."""
    needs: dict[str, int] = {}
    if node.is_sequence:
        for item in node.sequence():
            needs[references.name("skill", item)] = 1
    else:
        for name, item in node.mapping().items():
            named = Node(item.findings, *node.keys[name], name)
            needs[references.name("skill", named)] = item.integer(1, MOST_LEVELS)
    return MappingProxyType(needs)


def read_messages(node: Node, references: References, language: str) -> Setting:
    """What those who wait are told in turn."""
    messages = tuple(read_texts(item, language) for item in node.sequence())
    if len(messages) > MOST_MESSAGES:
        node.error("too_many", f"a queue has at most {MOST_MESSAGES} messages")
    return messages[:MOST_MESSAGES]


def read_skill(name: str, node: Node) -> Skill:
    """Who has a skill: levels by extension."""
    levels: dict[str, int] = {}
    for extension, item in node.mapping().items():
        if not extension.isascii() or not extension.isdigit():
            item.error("bad_number", f'"{shortened(extension)}" is no extension', "write digits only")
        levels[extension] = item.integer(1, MOST_LEVELS)
    return Skill(read_name(name, node), MappingProxyType(levels), node.line, node.column)


def read_pauses(node: Node, language: str) -> Mapping[str, Mapping[str, str]]:
    """Why agents pause, by the digits that they dial."""
    reasons: dict[str, Mapping[str, str]] = {}
    for digits, item in node.mapping().items():
        if not _REASON.fullmatch(digits):
            item.error("bad_reason", f'"{shortened(digits)}" can\'t be dialled', "write 1 to 4 digits")
        reasons[digits] = read_texts(item, language)
    return MappingProxyType(reasons)
