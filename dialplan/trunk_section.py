"""The `trunks:` section of a plan: the operators' lines, how each is reached, what each wants to be told."""

from __future__ import annotations

import re
from collections.abc import Mapping

from dialplan.document import Node, shortened
from dialplan.number_formats import FORMATS, READINGS
from dialplan.plan import Server, Trunk
from dialplan.ranges import NumberRange
from dialplan.values import (
    References,
    read_name,
    read_network,
    read_range,
    read_record,
    read_secret,
    read_srtp,
)

TRANSPORTS = ("auto", "udp", "tcp", "tls")
CALLER_ID_IN = ("asserted", "remote_party_id", "from")
CALLER_ID_OUT = ("asserted", "preferred", "remote_party_id", "from")
MAX_SERVERS = 8

# What border controllers want beyond the standards, each with who needs it (docs/users/trunks.md).
OPTIONS = (
    "user_phone",
    "from_domain",
    "account_in_from",
    "account_in_contact",
    "called_in_to",
    "no_options",
    "no_route",
    "no_line",
    "any_certificate",
    "location",
    "forwarded_caller",
)

_KEYS = {
    "host",
    "port",
    "transport",
    "proxy",
    "username",
    "secret",
    "account",
    "register",
    "register_seconds",
    "sources",
    "certificates",
    "owns",
    "presents",
    "channels",
    "emergency_channels",
    "numbers_in",
    "numbers_out",
    "caller_id_in",
    "caller_id_out",
    "supervise_seconds",
    "supervise_misses",
    "options",
    "srtp",
    "record",
}
_LABEL = r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?"
_HOST_NAME = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(\.{_LABEL})*")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|[0-9A-Fa-f:.]{2,45}")
_SERVER = re.compile(
    r"(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?)(?::([0-9]{1,5}))?"
)
_USER = re.compile(r"[A-Za-z0-9._~*'()&=$,;?/+!%@-]{1,128}")


def read_trunk(name: str, node: Node, references: References) -> Trunk:
    """One trunk. What is wrong is collected; what stands for it is a trunk that works as far as it can."""
    fields = node.mapping(_KEYS, required=("host",))
    host = fields["host"].text() if "host" in fields else ""
    if host and not _HOST.fullmatch(host):
        fields["host"].error("bad_host", f'"{shortened(host)}" is no host name and no address')
    channels = fields["channels"].integer(1, 10_000) if "channels" in fields else 30
    kept = fields["emergency_channels"].integer(0, 10_000) if "emergency_channels" in fields else 0
    if kept > channels:
        fields["emergency_channels"].error(
            "too_many_channels", f"{kept} channels are kept for emergency calls and the trunk has {channels}"
        )
    username = fields["username"].text() if "username" in fields else None
    sources = [read_network(item) for item in fields["sources"].sequence()] if "sources" in fields else []
    return Trunk(
        name=read_name(name, node),
        host=host,
        port=fields["port"].integer(1, 65535) if "port" in fields else 0,
        transport=fields["transport"].choice(TRANSPORTS, "transport") if "transport" in fields else "auto",
        username=username,
        secret=read_secret(fields["secret"]) if "secret" in fields else None,
        owns=_public_ranges(fields["owns"]) if "owns" in fields else (),
        presents=_public_ranges(fields["presents"]) if "presents" in fields else (),
        channels=channels,
        emergency_channels=kept,
        line=node.line,
        column=node.column,
        proxies=_read_proxies(fields["proxy"]) if "proxy" in fields else (),
        account=_read_account(fields["account"]) if "account" in fields else username or "",
        registers=_read_register(fields),
        register_seconds=_seconds(fields, "register_seconds", 60, 86_400, 600),
        sources=tuple(network for network in sources if network is not None),
        certificates=_read_certificates(fields["certificates"]) if "certificates" in fields else (),
        numbers_in=fields["numbers_in"].choice(READINGS, "reading") if "numbers_in" in fields else "auto",
        numbers_out=fields["numbers_out"].choice(FORMATS, "format") if "numbers_out" in fields else "e164",
        caller_id_in=fields["caller_id_in"].choice(CALLER_ID_IN, "source")
        if "caller_id_in" in fields
        else "asserted",
        caller_id_out=fields["caller_id_out"].choice(CALLER_ID_OUT, "form")
        if "caller_id_out" in fields
        else "asserted",
        supervise_seconds=_seconds(fields, "supervise_seconds", 5, 3_600, 60),
        supervise_misses=fields["supervise_misses"].integer(1, 20) if "supervise_misses" in fields else 3,
        options=_read_options(fields["options"]) if "options" in fields else frozenset(),
        srtp=read_srtp(fields["srtp"]) if "srtp" in fields else "",
        record=read_record(fields, references, f"trunk {name}"),
    )


def _seconds(fields: Mapping[str, Node], key: str, least: int, most: int, usual: int) -> int:
    return fields[key].integer(least, most) if key in fields else usual


def _public_ranges(node: Node) -> tuple[NumberRange, ...]:
    ranges = [read_range(item, public=True) for item in node.sequence()]
    return tuple(numbers for numbers in ranges if numbers is not None)


def _read_proxies(node: Node) -> tuple[Server, ...]:
    """`proxy:` is one server or a list of them in the order to try: `host`, `host:port` or `[::1]:port`."""
    servers = []
    for item in node.sequence() if node.is_sequence else [node]:
        text = item.text()
        match = _SERVER.fullmatch(text)
        if match is not None and int(match[3] or 1) in range(1, 65_536):
            servers.append(Server(match[1], int(match[3] or 0)))
        elif text:
            message = f'"{shortened(text)}" is no server'
            item.error("bad_host", message, "write proxy.example or 192.0.2.1:5060")
    if len(servers) > MAX_SERVERS:
        node.error("too_many_servers", f"{len(servers)} servers; {MAX_SERVERS} are tried at most")
    return tuple(servers[:MAX_SERVERS])


def _read_account(node: Node) -> str:
    """The user part of our address at the operator, where it isn't the username."""
    text = node.text()
    if text and not _USER.fullmatch(text):
        node.error("bad_account", f'"{shortened(text)}" can\'t be the user part of an address')
        return ""
    return text


def _read_register(fields: Mapping[str, Node]) -> bool:
    if "register" not in fields or not fields["register"].boolean():
        return False
    if "username" not in fields or "secret" not in fields:
        missing = "username" if "username" not in fields else "secret"
        fields["register"].error(
            "missing_key", f"a trunk that registers needs its {missing}", f"add `{missing}: …`"
        )
    return True


def _read_certificates(node: Node) -> tuple[str, ...]:
    """Names that the operator's certificate proves when it calls us over TLS."""
    names = []
    for item in node.sequence():
        text = item.text()
        if text and not _HOST_NAME.fullmatch(text):
            item.error("bad_host", f'"{shortened(text)}" is no name that a certificate could have')
        elif text:
            names.append(text.lower())
    return tuple(names)


def _read_options(node: Node) -> frozenset[str]:
    return frozenset(item.choice(OPTIONS, "option") for item in node.sequence())
