"""What many sections of a plan hold: names, numbers, ranges, secrets, texts, destinations, members.

A reader takes a node and returns a value; what is wrong is collected in the node's findings. A name that
another section defines is noted in `References` and looked up when all is read, so that sections may come
in any order.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_network
from types import MappingProxyType

from dialplan.document import Node, did_you_mean, shortened
from dialplan.plan import SRTP, Destination, Members, SecretRef, Srtp
from dialplan.ranges import NumberRange, parse_range

_NAME = re.compile(r"[A-Za-zÀ-ÿ0-9][A-Za-zÀ-ÿ0-9_.-]{0,63}")
_E164 = re.compile(r"\+[1-9][0-9]{3,14}")
_DIGITS = re.compile(r"[0-9]{1,15}")
_ENVIRONMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")


@dataclass(slots=True)
class References:
    """Names that are used, by what they name, with the place and the words that say who uses them."""

    used: list[tuple[str, str, Node, str]] = field(default_factory=list)

    def name(self, kind: str, node: Node, by: str = "") -> str:
        """Note that `node` names a thing of this kind; return the name."""
        text = node.text()
        if text:
            self.used.append((kind, text, node, by))
        return text

    def check(self, known: Mapping[str, Mapping[str, object]]) -> None:
        """Collect an error for every name that nothing defines."""
        for kind, name, node, by in self.used:
            if name not in known[kind]:
                whose = f" for {by}" if by else ""
                node.error(
                    f"unknown_{kind}",
                    f'unknown {kind} "{shortened(name)}"{whose}',
                    did_you_mean(name, known[kind]),
                )


def read_name(name: str, node: Node) -> str:
    """A name that the plan gives to something."""
    if not _NAME.fullmatch(name):
        node.error("bad_name", f'"{shortened(name)}" can\'t be a name', "use letters, digits, - and _")
    return name


def read_digits(node: Node) -> str:
    """A number inside: digits only. "" with an error otherwise."""
    text = node.text()
    if text and not _DIGITS.fullmatch(text):
        node.error("bad_number", f'"{shortened(text)}" is no number inside', "write digits only, at most 15")
        return ""
    return text


def read_e164(node: Node) -> str | None:
    """A public number as E.164; None with an error otherwise."""
    text = node.text()
    if not text or _E164.fullmatch(text):
        return text or None
    node.error(
        "bad_number",
        f'"{shortened(text)}" is no public number',
        'write it whole, with + and the country code: "+33383000100"',
    )
    return None


def read_range(node: Node, public: bool) -> NumberRange | None:
    """A range of public numbers (with +) or of numbers inside; None with an error otherwise."""
    text = node.text()
    if not text:
        return None
    try:
        numbers = parse_range(text)
    except ValueError as error:
        node.error("bad_range", str(error))
        return None
    if (numbers.first[0] == "+") != public:
        mend = "public numbers begin with +" if public else "numbers inside have no +"
        node.error("bad_range", f'"{shortened(text)}" can\'t be here', mend)
        return None
    return numbers


def read_network(node: Node) -> IPv4Network | IPv6Network | None:
    """A network such as 10.54.1.0/24; None with an error otherwise."""
    text = node.text()
    try:
        return ip_network(text)
    except ValueError:
        try:
            hint = f"write {ip_network(text, strict=False)}"
        except ValueError:
            hint = "write 10.54.1.0/24"
        node.error("bad_network", f'"{shortened(text)}" is no network', hint)
        return None


def read_secret(node: Node) -> SecretRef | None:
    """A reference to a secret, `{env: NAME}`; a secret that is written out is an error."""
    if not node.is_mapping:
        node.error(
            "secret_in_plan",
            "a secret is written in the plan",
            "write {env: NAME} and put the secret in that environment variable; then change this secret, "
            "since others may have read it",
        )
        return None
    fields = node.mapping({"env"}, required=("env",))
    if "env" not in fields:
        return None
    name = fields["env"].text()
    if name and not _ENVIRONMENT.fullmatch(name):
        fields["env"].error("bad_name", f'"{shortened(name)}" is no name of an environment variable')
    return SecretRef(name)


def read_texts(node: Node, language: str) -> Mapping[str, str]:
    """A text by language: `{fr: …, en: …}`, or one text alone in the plan's language."""
    if node.is_mapping:
        return MappingProxyType({key: value.text() for key, value in node.mapping({"fr", "en"}).items()})
    return MappingProxyType({language: node.text()})


def read_destination(node: Node, references: References) -> Destination:
    """A destination: a service's name, a number inside or +E.164. As itself or as `{to: …}`."""
    if node.is_mapping:
        fields = node.mapping({"to"}, required=("to",))
        if "to" not in fields:
            return Destination("inside", "", node.line, node.column)
        node = fields["to"]
    text = node.text()
    if text.startswith("+"):
        return Destination("outside", read_e164(node) or "", node.line, node.column)
    if not text or _DIGITS.fullmatch(text):
        return Destination("inside", text, node.line, node.column)
    return Destination("service", references.name("service", node), node.line, node.column)


def read_srtp(node: Node) -> Srtp:
    """Whether sound is encrypted (RFC 3711)."""
    text = node.choice(SRTP, "rule for SRTP")
    return next(rule for rule in SRTP if rule == text)


def read_record(fields: Mapping[str, Node], references: References, by: str) -> str | None:
    """The policy by which something is recorded (`record:`), None where nothing is said of it."""
    return references.name("recording", fields["record"], by) if "record" in fields else None


def one_or_several(fields: Mapping[str, Node], key: str) -> list[Node]:
    """The nodes of a key that holds one value or a list of them; none where it isn't written."""
    if key not in fields:
        return []
    return fields[key].sequence() if fields[key].is_sequence else [fields[key]]


def read_members(node: Node, references: References) -> Members:
    """Who rings: `{group: g}`, `{site: s}`, several of each as lists, or a list of extensions and outside
    numbers."""
    groups: tuple[str, ...] = ()
    sites: tuple[str, ...] = ()
    numbers: list[str] = []
    if node.is_mapping:
        fields = node.mapping({"group", "site"})
        if not fields:
            node.error(
                "missing_key", "nobody is named here", "write {group: …}, {site: …} or a list of numbers"
            )
        groups = tuple(item.text() for item in one_or_several(fields, "group"))
        sites = tuple(references.name("site", item) for item in one_or_several(fields, "site"))
    else:
        for item in node.sequence():
            outside = isinstance(item.value, str) and item.value.startswith("+")
            numbers.append((read_e164(item) or "") if outside else read_digits(item))
    return Members(groups, sites, tuple(number for number in numbers if number), node.line, node.column)
