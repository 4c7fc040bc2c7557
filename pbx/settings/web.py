"""Where the pages and the HTTP API are heard: `web:` of the configuration."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from dialplan.document import Node
from pbx.accounts.elsewhere import Ldap, OpenId, read_ldap, read_openid
from pbx.screen_pop import ScreenPop, read_screen_pops
from pbx.settings.values import (
    ORIGIN,
    IPNetwork,
    Listen,
    certificates_of,
    choice_of,
    listens_of,
    networks_of,
    parsed,
    scheme_of,
)

WebTls: TypeAlias = Literal["auto", "always", "never"]

WEB_TLS: dict[str, WebTls] = {"auto": "auto", "always": "always", "never": "never"}


@dataclass(frozen=True, slots=True)
class Web:
    """Where the pages and the HTTP API are heard, and what they show.

    tls: `auto` speaks TLS at every address but loopback's. certificates: of their own; () for those of SIP,
    the self-signed pair where there are none. public_url: an origin (`https://pbx.valmont.example`), where
    browsers find us; "" for each address that is heard. proxies: who may say whom a request comes from.
    openid, ldap: who else may say who somebody is; None where nobody may. screen_pops: pages of other
    programs that open for calls.
    """

    listen: tuple[Listen, ...] = (Listen("0.0.0.0", 8080),)  # noqa: S104
    tls: WebTls = "auto"
    certificates: tuple[tuple[Path, Path], ...] = ()
    public_url: str = ""
    proxies: tuple[IPNetwork, ...] = ()
    openid: OpenId | None = None
    ldap: Ldap | None = None
    screen_pops: tuple[ScreenPop, ...] = ()

    def is_tls(self, listen: Listen) -> bool:
        """Whether TLS is spoken at an address."""
        return self.tls == "always" or (
            self.tls == "auto" and not ipaddress.ip_address(listen.host).is_loopback
        )


def read_web(keys: Mapping[str, Node], folder: Path) -> Web:
    """Return what `web:` says: addresses alone, or a section; folder: what paths are relative to."""
    if "web" not in keys or not keys["web"].is_mapping:
        return Web(listen=listens_of(keys, "web", Web().listen))
    known = ("listen", "tls", "certificate", "key", "public_url", "proxies", "openid", "ldap", "screen_pop")
    section = keys["web"].mapping(known)
    return Web(
        listen=listens_of(section, "listen", Web().listen),
        tls=choice_of(section, "tls", WEB_TLS),
        certificates=certificates_of(section, folder),
        public_url=_public_url(section["public_url"]) if "public_url" in section else "",
        proxies=networks_of(section["proxies"]) if "proxies" in section else (),
        openid=read_openid(section["openid"], folder) if "openid" in section else None,
        ldap=read_ldap(section["ldap"], folder) if "ldap" in section else None,
        screen_pops=read_screen_pops(section["screen_pop"]) if "screen_pop" in section else (),
    )


def _public_url(node: Node) -> str:
    """An origin (RFC 6454 section 6.2), in lower case."""
    text = node.text().lower().rstrip("/")
    if not ORIGIN.fullmatch(text) or not parsed(scheme_of, text):
        hint = "such as https://pbx.valmont.example, without a path"
        node.error("wrong_url", f'"{text[:60]}" is not where a browser finds the pages', hint)
    return text
