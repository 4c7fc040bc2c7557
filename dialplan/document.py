"""A YAML document as nodes that know their place, read strictly and without surprises.

YAML is read as events, never composed: the depth is bounded here, and a hostile file can't exhaust the
C stack. Anchors, aliases and tags are refused: a plan says what it says, once, in plain sight. A scalar
keeps its text as written, so that `number: 0612345678` is those ten characters and never an octal number.

A reader asks a `Node` for what it expects. When it isn't that, a finding is collected and a harmless
value is returned, so that one reading finds every mistake:

    root = read_document(text, "plan.yaml")
    fields = root.mapping({"name", "port"})
    port = fields["port"].integer(1, 65535) if "port" in fields else 5060
    root.findings.raise_errors()
"""

from __future__ import annotations

import re
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType

import yaml

from dialplan.finding import Finding, PlanError, Severity

MAX_CHARACTERS = 16 * 1024 * 1024
MAX_DEPTH = 32
MAX_NODES = 2_000_000
MAX_FINDINGS = 500  # past that nobody reads; the first ones tell

_LOADER: type[yaml.SafeLoader] | type[yaml.CSafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_BOOLEANS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,14})")
_DECIMAL = re.compile(r"-?(0|[1-9][0-9]{0,14})(\.[0-9]{1,15})?")


class Findings:
    """The findings of one file, as they are collected."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.collected: list[Finding] = []

    def add(
        self, severity: Severity, code: str, line: int, column: int, message: str, hint: str = ""
    ) -> None:
        if len(self.collected) < MAX_FINDINGS:
            self.collected.append(Finding(code, severity, self.file, line, column, message, hint))

    def raise_errors(self) -> None:
        """Raise PlanError with every error found; do nothing when there is none."""
        errors = [finding for finding in self.collected if finding.severity == "error"]
        if errors:
            raise PlanError(errors)


# A plan of 10,000 people is 50,000 values: what they can share, they share.
_NO_KEYS: Mapping[str, tuple[int, int]] = MappingProxyType({})


@dataclass(slots=True, eq=False)
class Node:
    """One value of a document and the place where it is written (line and column count from 1)."""

    findings: Findings
    line: int
    column: int
    value: str | list[Node] | dict[str, Node]
    quoted: bool = False
    keys: Mapping[str, tuple[int, int]] = field(default_factory=lambda: _NO_KEYS)  # where each one is written

    def error(self, code: str, message: str, hint: str = "") -> None:
        """Collect an error about this node."""
        self.findings.add("error", code, self.line, self.column, message, hint)

    @property
    def is_mapping(self) -> bool:
        return isinstance(self.value, dict)

    @property
    def is_sequence(self) -> bool:
        return isinstance(self.value, list)

    @property
    def is_null(self) -> bool:
        return isinstance(self.value, str) and not self.quoted and self.value in ("", "~", "null")

    def mapping(
        self, known_keys: Collection[str] | None = None, required: Iterable[str] = ()
    ) -> Mapping[str, Node]:
        """The nodes by key, in order; empty (and an error collected) when this is no mapping.

        known_keys: an error for each other key, with the nearest known one as a hint. None allows any.
        required: an error for each that is missing.
        """
        if not isinstance(self.value, dict):
            if not (self.is_null and not required):
                self._unexpected("a list of `key: value`")
            return {}
        for key, (line, column) in self.keys.items():
            if known_keys is not None and key not in known_keys:
                hint = did_you_mean(key, known_keys)
                message = f'unknown key "{shortened(key)}"'
                self.findings.add("error", "unknown_key", line, column, message, hint)
        for key in required:
            if key not in self.value:
                self.error("missing_key", f'"{key}" is missing here', f"add `{key}: …`")
        return self.value

    def sequence(self) -> list[Node]:
        """The nodes of a list; empty (and an error collected) when this is no list."""
        if isinstance(self.value, list):
            return self.value
        if not self.is_null:
            self._unexpected("a list, such as [a, b]")
        return []

    def text(self, *, may_be_empty: bool = False) -> str:
        """The text as written, quoted or not; "" (and an error collected) when this isn't text.

        may_be_empty: accept "" written as such; otherwise whoever has nothing to say leaves the key out.
        """
        if isinstance(self.value, str) and not self.is_null and (self.value or may_be_empty):
            return self.value
        self._unexpected("a text")
        return ""

    def integer(self, minimum: int, maximum: int) -> int:
        """A whole number between the two bounds; `minimum` (and an error collected) otherwise."""
        if isinstance(self.value, str) and _INTEGER.fullmatch(self.value):
            number = int(self.value)
            if minimum <= number <= maximum:
                return number
        self._unexpected(f"a whole number between {minimum} and {maximum}")
        return minimum

    def decimal(self, minimum: float, maximum: float) -> float:
        """A number between the two bounds; `minimum` (and an error collected) otherwise."""
        if isinstance(self.value, str) and _DECIMAL.fullmatch(self.value):
            number = float(self.value)
            if minimum <= number <= maximum:
                return number
        self._unexpected(f"a number between {minimum:g} and {maximum:g}")
        return minimum

    def boolean(self) -> bool:
        """true or false; False (and an error collected) otherwise."""
        if isinstance(self.value, str) and not self.quoted and self.value.lower() in _BOOLEANS:
            return _BOOLEANS[self.value.lower()]
        self._unexpected("true or false, without quotes")
        return False

    def email(self) -> str:
        """An e-mail address; what isn't one is reported, and returned as it is."""
        text = self.text()
        name, at, domain = text.partition("@")
        if text and not (name and at and "." in domain and not any(sign.isspace() for sign in text)):
            self.error("bad_email", f'"{shortened(text)}" is no e-mail address', "write name@example.org")
        return text

    def choice(self, options: Collection[str], what: str = "value") -> str:
        """One of the options; the first of them (and an error collected) otherwise."""
        text = self.text()
        if text in options:
            return text
        if text:
            self.error(
                "unknown_" + what.replace(" ", "_"), f'unknown {what} "{text}"', did_you_mean(text, options)
            )
        return next(iter(options), "")

    def _unexpected(self, expected: str) -> None:
        if self.is_null or self.value == "":
            found = "nothing"
        elif isinstance(self.value, str):
            found = f'"{shortened(self.value)}"'
        else:
            found = "a list of `key: value`" if self.is_mapping else "a list"
        self.error("wrong_type", f"expected {expected}, found {found}")


def did_you_mean(word: str, known: Collection[str]) -> str:
    """A hint that names the nearest known word, or all of them when none is near and they are few."""
    nearest = get_close_matches(word[:100], list(known)[:2000], n=1, cutoff=0.6)
    if nearest:
        return f'did you mean "{nearest[0]}"?'
    if not known:
        return "none is defined"
    if len(known) <= 20:
        return "known: " + ", ".join(sorted(known))
    return f"{len(known)} are defined"


def shortened(text: str) -> str:
    """The text, cut at 60 characters, fit for a message."""
    return text if len(text) <= 60 else text[:59] + "…"


def read_text(path: Path) -> str:
    """A file's text. Raises PlanError when it can't be read, is too long or isn't UTF-8."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_CHARACTERS + 1)
    except OSError as error:
        raise PlanError(
            [Finding("unreadable", "error", str(path), 0, 0, f"can't be read: {error.strerror}")]
        ) from None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - data.rfind(b"\n", 0, error.start)
        message = "this isn't UTF-8 text"
        raise PlanError(
            [Finding("encoding", "error", str(path), line, column, message, "save the file as UTF-8")]
        ) from None


def read_document(text: str, file: str) -> Node:
    """The root node of a YAML text. Its `findings` may already hold errors (duplicate keys, aliases).

    file: the name used in findings.
    Raises PlanError when the text isn't YAML, is too long, too deep or holds too many values: then
    nothing more can be told about it.
    """
    if len(text) > MAX_CHARACTERS:
        message = f"this file is longer than {MAX_CHARACTERS // 1024 // 1024} million characters"
        raise PlanError([Finding("too_long", "error", file, 1, 1, message)])
    try:
        return _build(yaml.parse(text, Loader=_LOADER), Findings(file))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        message = f"this isn't valid YAML: {error.problem or error.context}"
        raise PlanError([Finding("syntax", "error", file, line, column, message)]) from None
    except (yaml.YAMLError, UnicodeError):
        line, column = _unprintable(text)
        message = "this isn't valid YAML: a control character"
        raise PlanError([Finding("syntax", "error", file, line, column, message, "remove it")]) from None


def _unprintable(text: str) -> tuple[int, int]:
    for number, line in enumerate(text.split("\n"), 1):
        for column, character in enumerate(line, 1):
            if not character.isprintable() and character not in "\t\r\u00a0\u202f":
                return number, column
    return 1, 1


def _build(events: Iterator[yaml.Event], findings: Findings) -> Node:
    """Nodes from events, with a stack of our own; RFC 9512 section 4 tells why a bound is needed."""
    root: Node | None = None
    # Each open collection, with the key that its next value belongs to (None: a key is awaited, or a list).
    open_nodes: list[Node] = []
    open_keys: list[Node | None] = []
    count = line = 0
    for event in events:
        if isinstance(event, (yaml.SequenceEndEvent, yaml.MappingEndEvent)):
            open_nodes.pop()
            open_keys.pop()
            continue
        if isinstance(event, yaml.DocumentStartEvent) and root is not None:
            root.error("documents", "a second document begins in this file", "remove what is above `---`")
            break
        if not isinstance(event, yaml.NodeEvent):
            continue
        count += 1
        node = _node(event, findings)
        if node.line == line:
            node.line = line  # one integer for all that stands on it
        line = node.line
        if len(open_nodes) > MAX_DEPTH or count > MAX_NODES:
            what = "nested deeper than anything here needs" if count <= MAX_NODES else "too many values"
            node.error("too_deep", f"this file can't be read: {what}")
            raise PlanError(findings.collected)
        if not open_nodes:
            root = node
        else:
            _attach(open_nodes[-1], open_keys, node)
        if not isinstance(node.value, str):
            open_nodes.append(node)
            open_keys.append(None)
    return root if root is not None else Node(findings, 1, 1, {}, keys={})


def _node(event: yaml.NodeEvent, findings: Findings) -> Node:
    mark = event.start_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    if isinstance(event, yaml.ScalarEvent):
        node = Node(findings, line, column, event.value, bool(event.style))
    elif isinstance(event, yaml.SequenceStartEvent):
        node = Node(findings, line, column, [])
    elif isinstance(event, yaml.MappingStartEvent):
        node = Node(findings, line, column, {}, keys={})
    else:
        node = Node(findings, line, column, "", True)
        node.error("alias", "aliases (*name) are not read here", "write the value out")
        return node
    if event.anchor is not None:
        node.error("alias", "anchors (&name) are not read here", "write the value out where it is needed")
    if event.tag is not None:
        node.error("tag", "tags (!name) are not read here", "write the value alone")
    return node


def _attach(parent: Node, open_keys: list[Node | None], node: Node) -> None:
    if isinstance(parent.value, list):
        parent.value.append(node)
        return
    assert isinstance(parent.value, dict)
    assert isinstance(parent.keys, dict)
    key = open_keys[-1]
    if key is None:
        if not isinstance(node.value, str):
            node.error("wrong_type", "a key must be a plain word")
        open_keys[-1] = node
        return
    open_keys[-1] = None
    name = sys.intern(key.value) if isinstance(key.value, str) else ""
    if name in parent.value:
        key.error(
            "duplicate_key",
            f'"{shortened(name)}" is written twice',
            f"the first is on line {parent.keys[name][0]}",
        )
        return
    parent.value[name] = node
    parent.keys[name] = (key.line, key.column)
