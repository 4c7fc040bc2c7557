"""A plan's text with one value changed, and everything else as a person wrote it: comments, order, spaces.

YAML is read for where things stand (PyYAML's marks), and the text is cut and joined there; nothing is
written anew. So the lines that aren't about what changes stay as they are, to the byte. Then the new text is
read, and held against what was asked: an edit that says anything else is refused, never given out.

    with_entry(text, "trunks", "operateur-c", {"host": "sip.example", "channels": 10})
    without_entry(text, "trunks", "operateur-c")
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import yaml

from dialplan.document import Node, read_document
from dialplan.finding import PlanError

Value = str | int | bool | Sequence["Value"] | Mapping[str, "Value"]
"""What can be written: texts, numbers, yes or no, lists, and keys with values. No number has a fraction."""

MOST_DEPTH = 8
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_INTEGER = re.compile(r"0|[1-9][0-9]{0,8}")
_NOT_PLAIN = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n"})
_LOADER: type[yaml.SafeLoader] | type[yaml.CSafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class EditingError(Exception):
    """This text can't be changed so; the message says why. Whoever wants it edits the text by hand."""


def with_entry(text: str, section: str, name: str, values: Mapping[str, Value]) -> str:
    """Return the plan's text with an entry of a section that holds these values, and no others.

    An entry that is there keeps what doesn't change, comments included; a new one is the last of its section,
    and a section that isn't there the last of the file.
    Raises PlanError for a text that can't be read at all, EditingError for one that can't be edited.
    """
    wanted = _readable(text)
    entries = _section(wanted, section)
    former = entries.get(name)
    wanted[section] = {**entries, name: _written(values)}
    if not isinstance(former, dict):
        edited = _put(text, (section, name), values)
    else:
        edited = text
        for key in former:
            if key not in values:
                edited = _taken(edited, (section, name, key))
        for key, value in values.items():
            if former.get(key) != _written(value):
                edited = _put(edited, (section, name, key), value)
    return _proven(edited, wanted)


def without_entry(text: str, section: str, name: str) -> str:
    """Return the plan's text without an entry of a section. The comments above it stay.

    Raises PlanError for a text that can't be read at all, EditingError for one that can't be edited or that
    has no such entry.
    """
    wanted = _readable(text)
    entries = _section(wanted, section)
    if name not in entries:
        raise EditingError(f'`{section}:` has no "{name[:60]}"')
    rest = {key: value for key, value in entries.items() if key != name}
    wanted[section] = rest or ""
    return _proven(_taken(text, (section, name)), wanted)


def entry_of(text: str, section: str, name: str) -> dict[str, object]:
    """Return what an entry holds, each value as it is written: a text, a list or keys with values.

    Raises PlanError for a text that can't be read at all, EditingError where there is no such entry.
    """
    found = _section(_readable(text), section).get(name)
    if not isinstance(found, dict):
        raise EditingError(f'`{section}:` has no "{name[:60]}"')
    return found


def read_value(text: str) -> Value:
    """Return the value that a text is, as a plan has it: `10`, `true`, `[a, b]`, `{env: NAME}`, or words.

    Raises EditingError for what can't be the value of a key on one line.
    """
    try:
        root = read_document(f"value: {text}", "value")
        root.findings.raise_errors()
    except PlanError as error:
        raise EditingError(f"{text[:60]}: {error.findings[0].message}") from None
    if not root.is_mapping or [*root.mapping()] != ["value"]:
        raise EditingError(f"{text[:60]}: this is no value of a key")
    return _value(root.mapping()["value"])


def _value(node: Node) -> Value:
    if isinstance(node.value, dict):
        return {key: _value(item) for key, item in node.value.items()}
    if isinstance(node.value, list):
        return [_value(item) for item in node.value]
    if not node.quoted and node.value in ("true", "false"):
        return node.value == "true"
    if not node.quoted and _INTEGER.fullmatch(node.value):
        return int(node.value)
    return node.value


def key_at(text: str, section: str, name: str, line: int) -> str:
    """Return the key of an entry whose value stands at a line of the text; "" for a line elsewhere.

    line: counts from 1. Raises PlanError for a text that can't be read at all.
    """
    root = read_document(text, "plan").mapping()
    entry = root[section].mapping().get(name) if section in root else None
    if entry is None or not entry.is_mapping:
        return ""
    last = ""
    for key, value in entry.mapping().items():
        begins = entry.keys[key][0]
        if begins <= line <= _last_line(value, begins):
            last = key
    return last


def _last_line(node: Node, begins: int) -> int:
    inside = node.value.values() if isinstance(node.value, dict) else node.value
    lines = [_last_line(one, begins) for one in inside] if not isinstance(inside, str) else []
    return max(begins, node.line, *lines)


# What a text says


def _readable(text: str) -> dict[str, object]:
    """A text as values, by the plan's own strict reading. Raises PlanError."""
    root = read_document(text, "plan")
    root.findings.raise_errors()
    if not root.is_mapping:
        raise EditingError("this text isn't a plan: it has no sections")
    found = _said(root)
    assert isinstance(found, dict)
    return found


def _said(node: Node) -> object:
    if isinstance(node.value, dict):
        return {key: _said(value) for key, value in node.value.items()}
    if isinstance(node.value, list):
        return [_said(item) for item in node.value]
    return "" if node.is_null else node.value


def _section(root: Mapping[str, object], section: str) -> dict[str, object]:
    found = root.get(section) or {}
    if not isinstance(found, dict):
        raise EditingError(f"`{section}:` has no names in this text")
    return found


def _written(value: Value) -> object:
    """A value as `_said` tells it once it is written."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int):
        return str(value)
    if isinstance(value, Mapping):
        return {key: _written(item) for key, item in value.items()}
    return [_written(item) for item in value]


def _proven(edited: str, wanted: dict[str, object]) -> str:
    """The edited text, if it says what was asked. Raises EditingError."""
    try:
        says = _readable(edited)
    except PlanError:
        says = {}
    if says != {key: value for key, value in wanted.items() if value != "" or key in says}:
        raise EditingError("this text is written in a way that can't be edited here; edit it by hand")
    return edited


# Where it stands


@dataclass(frozen=True, slots=True)
class _Place:
    """A key and its value in the text, and the mapping around them. Characters count from 0."""

    parent: yaml.MappingNode
    key: yaml.Node
    value: yaml.Node
    index: int  # which pair of its parent


def _composed(text: str) -> yaml.MappingNode:
    # The strict reading came before: no alias, no tag, no depth that could hurt.
    root = yaml.compose(text, Loader=_LOADER)
    if not isinstance(root, yaml.MappingNode):
        raise EditingError("this text isn't a plan: it has no sections")
    return root


def _found(parent: yaml.MappingNode, name: str) -> _Place | None:
    for index, (key, value) in enumerate(parent.value):
        if isinstance(key, yaml.ScalarNode) and key.value == name:
            return _Place(parent, key, value, index)
    return None


def _end(node: yaml.Node) -> int:
    """Where a value's own text ends: a block's mark stands where the next thing begins."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end(last[1] if isinstance(last, tuple) else last)
    return int(node.end_mark.index)


def _line_end(text: str, index: int) -> int:
    """Where the line of a character ends, comment and line feed included."""
    feed = text.find("\n", index)
    return len(text) if feed < 0 else feed + 1


def _line_begin(text: str, index: int) -> int:
    return text.rfind("\n", 0, index) + 1


def _after(text: str, node: yaml.Node) -> int:
    """Where the lines of a value end. A block of text (`|`) ends with its own lines."""
    end = _end(node)
    return end if end and text[end - 1] == "\n" else _line_end(text, end)


def _line_break(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


# Writing


def _put(text: str, path: tuple[str, ...], value: Value) -> str:
    """The text with this value at a path of keys: replaced, or added where it isn't."""
    parent = _composed(text)
    for depth, name in enumerate(path):
        place = _found(parent, name)
        rest = value
        for key in reversed(path[depth + 1 :]):
            rest = {key: rest}
        if place is None:
            return _added(text, parent, name, rest, 2 - depth)
        if depth == len(path) - 1 or not isinstance(place.value, yaml.MappingNode) or not place.value.value:
            return _replaced(text, place, rest, 1 - depth)
        parent = place.value
    raise EditingError("nothing is named")


def _replaced(text: str, place: _Place, value: Value, levels: int) -> str:
    begin, end = place.value.start_mark.index, _end(place.value)
    while end > begin and text[end - 1] in "\r\n":
        end -= 1
    nothing = begin == end
    if nothing and isinstance(value, Mapping) and not place.parent.flow_style:
        feed = _line_break(text)
        column = place.key.start_mark.column
        step = _step(place.parent)
        block = _block(value, column + step, step, feed, levels)
        return _inserted(text, _line_end(text, begin), block)
    if place.value.start_mark.line > place.key.start_mark.line and not place.parent.flow_style:
        # Lines below the key: what takes their place stands beside it, before the comment there.
        colon = text.index(":", place.key.end_mark.index) + 1
        between = text[colon : _line_begin(text, begin)]
        return f"{text[:colon]} {_flow(value)}{between}{text[_after(text, place.value) :]}"
    return text[:begin] + (" " if nothing else "") + _flow(value) + text[end:]


def _added(text: str, parent: yaml.MappingNode, name: str, value: Value, levels: int) -> str:
    if parent.flow_style:
        pair = f"{_flow(name)}: {_flow(value)}"
        if not parent.value:
            inside = parent.start_mark.index + 1
            return text[:inside] + pair + text[inside:]
        after = _end(parent.value[-1][1])
        return f"{text[:after]}, {pair}{text[after:]}"
    feed = _line_break(text)
    block = _block({name: value}, parent.start_mark.column, _step(parent), feed, levels)
    if parent.start_mark.column == 0:
        # A section: the last of the file, after a line that is empty.
        return _inserted(text, _line_end(text, len(text.rstrip())), feed + block)
    return _inserted(text, _after(text, parent.value[-1][1]), block)


def _inserted(text: str, at: int, lines: str) -> str:
    """The text with whole lines at a place where one ends."""
    before = text[:at]
    if before and not before.endswith("\n"):
        before += _line_break(text)
    return before + lines + text[at:]


def _step(parent: yaml.MappingNode) -> int:
    """How far what is inside is set in: as it is around here, else as far as this is itself, else two."""
    column = int(parent.start_mark.column)
    for _, value in parent.value:
        if isinstance(value, yaml.MappingNode) and not value.flow_style and value.value:
            return max(1, int(value.start_mark.column) - column)
    return column or 2


def _block(value: Mapping[str, Value], column: int, step: int, feed: str, levels: int) -> str:
    """Keys with values, a line each. levels: how many of keys below these have lines of their own."""
    lines = []
    for key, item in value.items():
        beginning = f"{' ' * column}{_flow(key)}:"
        if levels and isinstance(item, Mapping) and item:
            lines.append(beginning + feed + _block(item, column + step, step, feed, levels - 1))
        else:
            lines.append(f"{beginning} {_flow(item)}{feed}")
    return "".join(lines)


def _flow(value: Value, depth: int = 0) -> str:
    """A value on one line. Raises EditingError for what can't be in a plan."""
    if depth > MOST_DEPTH:
        raise EditingError("a value is nested deeper than anything here needs")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        plain = _PLAIN.fullmatch(value) and value.lower() not in _NOT_PLAIN
        return value if plain else _quoted(value)
    if isinstance(value, Mapping):
        inside = (f"{_flow(key)}: {_flow(item, depth + 1)}" for key, item in value.items())
        return f"{{{', '.join(inside)}}}"
    return f"[{', '.join(_flow(item, depth + 1) for item in value)}]"


def _quoted(text: str) -> str:
    """A text in double quotes; YAML 1.2 section 5.7 has the escapes."""
    return f'"{"".join(map(_escaped, text))}"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    if character.isprintable() and character != "\ufeff":
        return character
    number = ord(character)
    if number == 0 or 0xD800 <= number < 0xE000:
        raise EditingError("a text holds what is no character")
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


# Taking away


def _taken(text: str, path: tuple[str, ...]) -> str:
    """The text without what stands at a path of keys."""
    parent = _composed(text)
    place: _Place | None = None
    for name in path:
        if place is not None:
            if not isinstance(place.value, yaml.MappingNode):
                raise EditingError(f'"{name[:60]}" isn\'t in this text')
            parent = place.value
        place = _found(parent, name)
        if place is None:
            raise EditingError(f'"{name[:60]}" isn\'t in this text')
    assert place is not None
    begin, end = place.key.start_mark.index, _end(place.value)
    pairs = parent.value
    if not parent.flow_style:
        return text[: _line_begin(text, begin)] + text[_after(text, place.value) :]
    if place.index + 1 < len(pairs):
        end = pairs[place.index + 1][0].start_mark.index
    elif place.index:
        begin = _end(pairs[place.index - 1][1])
    return text[:begin] + text[end:]
