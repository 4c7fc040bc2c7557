"""Where SIP is heard: `sip:` of the configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dialplan.document import Node
from pbx.settings.values import (
    ORIGIN,
    Listen,
    certificates_of,
    file_of,
    listens_of,
    one_or_more,
    section_of,
)


@dataclass(frozen=True, slots=True)
class Sip:
    """Where SIP is heard, by transport, and what TLS shows and trusts. All files are PEM.

    keep_alive_seconds: how often a telephone behind a NAT is asked whether it is there; 0 for never.
    certificates: each with its key; the first one is shown to who names none of them; none written is a
    self-signed one. client_ca: who vouches for the certificates of clients, which none needs to have.
    server_ca: who vouches for the servers that we connect to; None for the authorities of the system.
    websocket_origins: of pages that may open a WebSocket besides those of its own host, in lower case.
    """

    udp: tuple[Listen, ...] = (Listen("0.0.0.0", 5060),)  # noqa: S104 a PBX is there to be reached
    tcp: tuple[Listen, ...] = (Listen("0.0.0.0", 5060),)  # noqa: S104
    tls: tuple[Listen, ...] = (Listen("0.0.0.0", 5061),)  # noqa: S104
    ws: tuple[Listen, ...] = (Listen("0.0.0.0", 5062),)  # noqa: S104
    wss: tuple[Listen, ...] = ()
    keep_alive_seconds: int = 30
    certificates: tuple[tuple[Path, Path], ...] = ()
    client_ca: Path | None = None
    server_ca: Path | None = None
    websocket_origins: tuple[str, ...] = ()

    @property
    def streams(self) -> tuple[tuple[str, tuple[Listen, ...]], ...]:
        """Where connections are heard, by transport as in Via."""
        return ("TCP", self.tcp), ("TLS", self.tls), ("WS", self.ws), ("WSS", self.wss)


def read_sip(keys: Mapping[str, Node], folder: Path) -> Sip:
    """Return what `sip:` says; folder: what paths are relative to."""
    transports, files = ("udp", "tcp", "tls", "ws", "wss"), ("certificate", "key", "client_ca", "server_ca")
    section = section_of(keys, "sip", (*transports, "keep_alive_seconds", "websocket_origins", *files))
    default = Sip()
    return Sip(
        udp=listens_of(section, "udp", default.udp),
        tcp=listens_of(section, "tcp", default.tcp),
        tls=listens_of(section, "tls", default.tls),
        ws=listens_of(section, "ws", default.ws),
        wss=listens_of(section, "wss", default.wss),
        keep_alive_seconds=_keep_alive_seconds(section, default),
        certificates=certificates_of(section, folder),
        client_ca=file_of(section, "client_ca", folder),
        server_ca=file_of(section, "server_ca", folder),
        websocket_origins=_origins(section),
    )


def _keep_alive_seconds(section: Mapping[str, Node], default: Sip) -> int:
    if "keep_alive_seconds" not in section:
        return default.keep_alive_seconds
    node = section["keep_alive_seconds"]
    seconds = node.integer(0, 3600)
    if 0 < seconds < 10:
        node.error(
            "too_often", "every telephone behind a NAT would be asked this often", "10 or more; 0 for never"
        )
    return seconds


def _origins(section: Mapping[str, Node]) -> tuple[str, ...]:
    """Of web pages, as a browser says them (RFC 6454 section 6.2): scheme, host and perhaps a port."""
    if "websocket_origins" not in section:
        return ()
    found = []
    for one in one_or_more(section["websocket_origins"]):
        text = one.text().lower()
        if not ORIGIN.fullmatch(text):
            hint = "such as https://www.valmont.example, without a path"
            one.error("wrong_origin", f'"{text[:60]}" is no origin of a web page', hint)
        found.append(text)
    return tuple(found)
