"""Values that several sections of the configuration have: addresses, networks, files, origins, secrets.

What can't be is an error of the node that it is read from, and something of the right kind is returned.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias, TypeVar
from urllib.parse import urlsplit

from dialplan.document import Node

IPAddress: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

Choice = TypeVar("Choice")

MOST_SECRET_BYTES: Final = 4096
PRIVATE_NETWORKS = (
    "127.0.0.0/8",
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "169.254.0.0/16",
    "::1/128",
    "fc00::/7",
    "fe80::/10",
)

_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
DOMAIN = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(\.{_LABEL})*")
ORIGIN = re.compile(r"https?://([a-z0-9.-]{1,253}|\[[0-9a-f:.]+\])(:[0-9]{1,5})?")
_URL = re.compile(rf"https?://({_LABEL}(\.{_LABEL})*|\[[0-9a-f:.]+\])(:[0-9]{{1,5}})?(/[!-~]*)?")


class SecretMissing(Exception):
    """A secret isn't where the configuration says; the text says so."""


@dataclass(frozen=True, slots=True)
class Secret:
    """Where a secret is: in an environment variable, or a file."""

    env: str = ""
    file: Path | None = None

    def read(self, environment: Mapping[str, str]) -> str:
        """Return it. Raises SecretMissing."""
        if self.file is None:
            if not environment.get(self.env):
                raise SecretMissing(f"the environment variable {self.env} isn't set")
            return environment[self.env]
        try:
            with self.file.open("rb") as file:
                text = file.read(MOST_SECRET_BYTES).decode().strip()
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "is no text"
            raise SecretMissing(f"{self.file}: {why}") from None
        if not text:
            raise SecretMissing(f"{self.file}: is empty")
        return text


@dataclass(frozen=True, slots=True)
class Listen:
    """A local address to listen on; port 0 takes a free one."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def section_of(keys: Mapping[str, Node], name: str, known: Iterable[str]) -> Mapping[str, Node]:
    """Return the keys of a section that is perhaps there; another than those known is an error."""
    return keys[name].mapping(set(known)) if name in keys else {}


def path_of(keys: Mapping[str, Node], name: str, folder: Path, default: str) -> Path:
    """Return a path, which is relative to the folder."""
    if name not in keys:
        return folder / default
    text = keys[name].text()
    if "\0" in text or (not text.strip() and not keys[name].is_null):
        keys[name].error("wrong_path", "this can't be a path")
    return folder / text


def file_of(keys: Mapping[str, Node], name: str, folder: Path) -> Path | None:
    """Return a path, which is relative to the folder; None where it isn't written."""
    return path_of(keys, name, folder, "") if name in keys else None


def choice_of(keys: Mapping[str, Node], name: str, options: Mapping[str, Choice]) -> Choice:
    """Return the option written; the first one where nothing is."""
    return options[keys[name].choice(list(options), name) if name in keys else next(iter(options))]


def parsed(parse: Callable[[str], Choice], text: str) -> tuple[Choice, ...]:
    """Return the value alone in a tuple, or an empty one when the text isn't one."""
    try:
        return (parse(text),)
    except ValueError:
        return ()


def one_or_more(node: Node) -> Sequence[Node]:
    """Return the nodes of a list, or the one that stands for a list of itself."""
    return node.sequence() if node.is_sequence or node.is_null else [node]


def listens_of(keys: Mapping[str, Node], name: str, default: tuple[Listen, ...]) -> tuple[Listen, ...]:
    """Return the addresses of a node that is one, a list of them, or an empty list to hear nothing."""
    if name not in keys:
        return default
    node = keys[name]
    found: list[Listen] = []
    for one in one_or_more(node):
        for listen in parsed(parse_listen, one.text()):
            if listen in found and listen.port:
                one.error("duplicate_address", f"{listen} is written twice")
            found.append(listen)
            break
        else:
            hint = "such as 192.0.2.1:5060, [2001:db8::1]:5060 or 0.0.0.0:5060"
            one.error("wrong_address", f'"{one.text()[:60]}" is no address with a port', hint)
    return tuple(found)


def parse_listen(text: str) -> Listen:
    """Return `192.0.2.1:5060` or `[2001:db8::1]:5060` in its parts. Raises ValueError."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isascii() or not port.isdecimal() or len(port) > 5 or int(port) > 65535:
        raise ValueError(text)
    if host.startswith("[") and host.endswith("]"):
        return Listen(str(ipaddress.IPv6Address(host[1:-1])), int(port))
    return Listen(str(ipaddress.IPv4Address(host)), int(port))


def reachable(node: Node) -> IPAddress | None:
    """Return an address that others can send to; None where it is another."""
    for address in parsed(ipaddress.ip_address, node.text().strip("[]")):
        if not address.is_unspecified and not address.is_multicast:
            return address
    node.error("wrong_address", "this is no address that a peer could reach", "such as 203.0.113.7")
    return None


def networks_of(listed: Node) -> tuple[IPNetwork, ...]:
    """Return the networks of a list, such as 10.0.0.0/8."""
    networks: list[IPNetwork] = []
    for node in listed.sequence():
        found = parsed(ipaddress.ip_network, node.text())
        networks += found
        if not found:
            node.error("wrong_network", f'"{node.text()[:60]}" is no network', "such as 10.0.0.0/8")
    return tuple(networks)


def url_of(node: Node, hint: str) -> str:
    """Return the URL of a web service. hint: one that would do."""
    text = node.text()
    if not _URL.fullmatch(text) or not parsed(scheme_of, text):
        node.error("wrong_url", "this is no address of a web service", hint)
    return text


def scheme_of(url: str) -> str:
    """Return what a URL begins with. Raises ValueError for what is none."""
    parts = urlsplit(url)
    _ = parts.port  # raises ValueError, as urlsplit does, for what isn't a port
    return parts.scheme


def certificates_of(section: Mapping[str, Node], folder: Path) -> tuple[tuple[Path, Path], ...]:
    """Return the pairs of `certificate:` with its `key:`, or a list of each in the same order."""
    for name, other in (("certificate", "key"), ("key", "certificate")):
        if name in section and other not in section:
            section[name].error("missing_key", f'"{name}" needs "{other}" beside it')
    if "certificate" not in section or "key" not in section:
        return ()
    pairs = [
        [path_of({name: node}, name, folder, "") for node in one_or_more(section[name])]
        for name in ("certificate", "key")
    ]
    if len(pairs[0]) != len(pairs[1]):
        section["key"].error("missing_key", "there must be one key for each certificate, in the same order")
    return tuple(zip(*pairs, strict=False))


def read_secret(node: Node, folder: Path) -> Secret:
    """Return what `{env: NAME}` or `{file: PATH}` says. Errors are the node's."""
    fields = node.mapping(("env", "file")) if node.is_mapping else {}
    if len(fields) != 1:  # the value isn't repeated: it may be the secret itself
        node.error("wrong_secret", "this says no place of a secret", "write {env: NAME} or {file: PATH}")
        return Secret()
    if "env" in fields:
        return Secret(env=fields["env"].text())
    return Secret(file=file_of(fields, "file", folder))
