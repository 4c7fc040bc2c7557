"""Relays for browsers that reach us by no direct way (TURN, RFC 8656): where they are, and passwords there.

turn:
  urls: ["turn:turn.valmont.example:3478", "turns:turn.valmont.example:443?transport=tcp"]
  secret: {file: ./turn-secret}
  only: false

A relay such as coturn shares one secret with us (its `use-auth-secret`) and knows nobody by name. Who uses
it is given a name that says until when it holds, and that name's HMAC as the password: nothing is stored on
either side, and a name that leaks is worth nothing a few hours later.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TypedDict

from dialplan.document import Node
from pbx.settings.values import Secret, SecretMissing, read_secret

if TYPE_CHECKING:  # which reads its `turn:` here
    from pbx.configuration import Configuration

log = logging.getLogger(__name__)

TURN_SECONDS: Final = 4 * 3600  # a relay asks again when a call's network changes, not while it goes on
MOST_RELAYS: Final = 8  # a browser tries them all before each call
USER_CHARS: Final = 16

Transport = Literal["udp", "tcp"]
IcePolicy = Literal["all", "relay"]

_PORTS = {"turn": 3478, "turns": 5349}  # RFC 7065 section 3.2
_URL = re.compile(
    r"(?P<scheme>turns?):(?P<host>[A-Za-z0-9][A-Za-z0-9.-]{0,252}|\[[0-9a-fA-F:.]{2,45}\])"
    r"(?::(?P<port>[0-9]{1,5}))?(?:\?transport=(?P<transport>udp|tcp))?"
)


class IceServer(TypedDict):
    """One entry of a browser's `iceServers` (WebRTC 1.0 section 4.2.2)."""

    urls: list[str]
    username: str
    credential: str


@dataclass(frozen=True, slots=True)
class Relay:
    """A way to a relay. host: a name or an address, without brackets; tls: `turns:`, always over TCP."""

    url: str
    host: str
    port: int
    transport: Transport
    tls: bool


@dataclass(frozen=True, slots=True)
class Turn:
    """The relays. only: whether browsers may try no direct way, so that all sound passes through them."""

    relays: tuple[Relay, ...]
    secret: Secret
    only: bool = False


def read_turn(node: Node, folder: Path) -> Turn:
    """Return what `turn:` says; folder: what paths are relative to. Errors are the node's."""
    section = node.mapping(("urls", "secret", "only"), required=("urls", "secret"))
    listed = section.get("urls", node)
    nodes = listed.sequence() if listed.is_sequence else [listed]
    if not 1 <= len(nodes) <= MOST_RELAYS:
        listed.error("wrong_relays", f"there are 1 to {MOST_RELAYS} relays", "leave `turn:` out for none")
    return Turn(
        relays=tuple(relay for one in nodes for relay in _relay(one)) if "urls" in section else (),
        secret=read_secret(section["secret"], folder) if "secret" in section else Secret(),
        only=section["only"].boolean() if "only" in section else False,
    )


def ice_policy(configuration: Configuration) -> IcePolicy:
    """Return what a browser's `iceTransportPolicy` is to be."""
    turn = configuration.turn
    return "relay" if turn is not None and turn.only else "all"


def ice_servers(
    configuration: Configuration, who: str, now: float, environment: Mapping[str, str] = os.environ
) -> list[IceServer]:
    """Return the relays that somebody may use from now on for TURN_SECONDS, as a browser wants them.

    who: names the account or the visitor; the relay sees a hash of it. now: Unix seconds. None are returned
    where none are configured, and where the secret can't be read: that is logged, and calls go directly.
    """
    turn = configuration.turn
    if turn is None:
        return []
    try:
        secret = turn.secret.read(environment)
    except SecretMissing as error:
        log.warning("the secret of `turn:` can't be read: %s", error)
        return []
    username = username_of(who, secret, now + TURN_SECONDS)
    urls = [relay.url for relay in turn.relays]
    return [{"urls": urls, "username": username, "credential": password_of(username, secret)}]


def username_of(who: str, secret: str, ends_at: float) -> str:
    """Return a name for a relay: until when it holds (Unix seconds), and whose it is, hashed.

    The hash is keyed, so that a relay's log can't be searched for a known account; it stays the same, so that
    a relay's quota counts what one person holds.
    """
    whose = hmac.new(secret.encode(), f"turn {who}".encode(), hashlib.sha256).hexdigest()
    return f"{int(ends_at)}:{whose[:USER_CHARS]}"


def password_of(username: str, secret: str) -> str:
    """Return the password of a name, as coturn's `use-auth-secret` finds it: HMAC-SHA1, base64."""
    return base64.b64encode(hmac.digest(secret.encode(), username.encode(), "sha1")).decode()


def _relay(node: Node) -> list[Relay]:
    """The relay alone in a list, none where it can't be one. RFC 7065 section 3.1."""
    found = _URL.fullmatch(node.text())
    port = int(found["port"] or _PORTS[found["scheme"]]) if found else 0
    if found is None or not 1 <= port <= 65535:
        hint = "such as turn:turn.valmont.example:3478 or turns:turn.valmont.example:443?transport=tcp"
        node.error("wrong_relay", f'"{node.text()[:60]}" is no relay', hint)
        return []
    tls = found["scheme"] == "turns"
    transport: Transport = "tcp" if tls or found["transport"] == "tcp" else "udp"
    if tls and found["transport"] == "udp":
        node.error("wrong_relay", "browsers speak TLS to a relay over TCP alone", "write ?transport=tcp")
    return [Relay(node.text(), found["host"].strip("[]"), port, transport, tls)]
