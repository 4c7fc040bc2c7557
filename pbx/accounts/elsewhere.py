"""Who else may say who somebody is: an OpenID Connect provider, an LDAP directory. Both are configuration.

web:
  openid:
    issuer: https://id.valmont.example
    client_id: beffroi
    client_secret: {env: BEFFROI_OPENID_SECRET}
    roles: {claim: groups, map: {beffroi-admins: administrator}}
  ldap:
    url: ldaps://dc1.valmont.example
    bind_dn: CN=beffroi,OU=Services,DC=valmont,DC=example
    bind_password: {file: ldap-password}
    base: DC=valmont,DC=example
    filter: (sAMAccountName={name})
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, cast
from urllib.parse import SplitResult, urlsplit

from dialplan.document import Node
from pbx.accounts.rights import ROLES, Role
from pbx.settings.values import Secret, file_of, read_secret

RoleMap: TypeAlias = tuple[tuple[str, Role], ...]


@dataclass(frozen=True, slots=True)
class OpenId:
    """An OpenID Connect provider. claim: what names the account; name: what the button says, "" for its host.

    roles_claim, roles: of a person's groups, which give which role; () leaves roles to administrators here.
    create: whether somebody without an account gets one. second_factor_by_provider: whether a second factor
    shown there counts here, as `amr` says it or one of these `acr`. client_secret: None for a public client.
    """

    issuer: str
    client_id: str
    client_secret: Secret | None = None
    claim: str = "preferred_username"
    roles_claim: str = "groups"
    roles: RoleMap = ()
    create: bool = False
    name: str = ""
    second_factor_by_provider: bool = False
    acr: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ("openid", "profile")
    ca_file: Path | None = None

    @property
    def shown_name(self) -> str:
        """What its button says."""
        return self.name or urlsplit(self.issuer).hostname or self.issuer


@dataclass(frozen=True, slots=True)
class Ldap:
    """An LDAP directory. filter: finds a person, `{name}` in it is what they typed.

    bind_dn: who searches, "" for anonymously; name_attribute: what a person is called by.
    groups_attribute, roles: as in OpenId, by the groups' DNs.
    """

    url: str
    base: str
    bind_dn: str = ""
    bind_password: Secret | None = None
    filter: str = "(uid={name})"
    name_attribute: str = "cn"
    groups_attribute: str = "memberOf"
    roles: RoleMap = ()
    create: bool = False
    start_tls: bool = False
    ca_file: Path | None = None

    @property
    def place(self) -> SplitResult:
        """The URL in its parts."""
        return urlsplit(self.url)


def read_openid(node: Node, folder: Path) -> OpenId:
    """Return what `web: openid:` says; folder: what paths are relative to. Errors are the node's."""
    known = ("issuer", "client_id", "client_secret", "claim", "roles", "create", "name", "scopes", "ca_file")
    section = node.mapping((*known, "second_factor_by_provider", "acr"), required=("issuer", "client_id"))
    default = OpenId("", "")
    scopes = _texts(section["scopes"]) if "scopes" in section else default.scopes
    claim, roles = _roles(section, "claim", default.roles_claim)
    return OpenId(
        issuer=_issuer(section["issuer"]) if "issuer" in section else "",
        client_id=section["client_id"].text() if "client_id" in section else "",
        client_secret=read_secret(section["client_secret"], folder) if "client_secret" in section else None,
        claim=section["claim"].text() if "claim" in section else default.claim,
        roles_claim=claim,
        roles=roles,
        create=section["create"].boolean() if "create" in section else False,
        name=section["name"].text()[:60] if "name" in section else "",
        second_factor_by_provider=(
            section["second_factor_by_provider"].boolean()
            if "second_factor_by_provider" in section
            else False
        ),
        acr=_texts(section["acr"]) if "acr" in section else (),
        scopes=tuple(dict.fromkeys(("openid", *scopes))),
        ca_file=file_of(section, "ca_file", folder),
    )


def read_ldap(node: Node, folder: Path) -> Ldap:
    """Return what `web: ldap:` says; folder: what paths are relative to. Errors are the node's."""
    known = ("url", "base", "bind_dn", "bind_password", "filter", "name", "roles", "create", "start_tls")
    section = node.mapping((*known, "ca_file"), required=("url", "base"))
    default = Ldap("", "")
    start_tls = section["start_tls"].boolean() if "start_tls" in section else False
    if ("bind_dn" in section) != ("bind_password" in section):
        given = section["bind_dn" if "bind_dn" in section else "bind_password"]
        given.error("missing_key", "`bind_dn` and `bind_password` go together")
    groups, roles = _roles(section, "attribute", default.groups_attribute)
    return Ldap(
        url=_ldap_url(section["url"], start_tls=start_tls) if "url" in section else "",
        base=section["base"].text() if "base" in section else "",
        bind_dn=section["bind_dn"].text() if "bind_dn" in section else "",
        bind_password=read_secret(section["bind_password"], folder) if "bind_password" in section else None,
        filter=_filter(section["filter"]) if "filter" in section else default.filter,
        name_attribute=section["name"].text() if "name" in section else default.name_attribute,
        groups_attribute=groups,
        roles=roles,
        create=section["create"].boolean() if "create" in section else False,
        start_tls=start_tls,
        ca_file=file_of(section, "ca_file", folder),
    )


def is_loopback(host: str) -> bool:
    """Whether a host is this machine."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _issuer(node: Node) -> str:
    """OpenID Connect Discovery 1.0 section 3: https, no query, no fragment; plain HTTP on loopback alone."""
    text = node.text()
    parts = _split(text)
    secure = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))
    if (text and not (secure and parts.hostname)) or parts.query or parts.fragment or parts.username:
        node.error("wrong_url", "this is no issuer", "such as https://id.valmont.example/realms/valmont")
    return text


def _ldap_url(node: Node, *, start_tls: bool) -> str:
    text = node.text()
    parts = _split(text)
    if text and (parts.scheme not in ("ldap", "ldaps") or not parts.hostname or parts.path.strip("/")):
        node.error("wrong_url", "this is no LDAP server", "such as ldaps://dc1.valmont.example")
    elif parts.scheme == "ldap" and not start_tls and not is_loopback(parts.hostname or ""):
        hint = "write ldaps://…, or add `start_tls: true`"
        node.error("not_encrypted", "passwords would cross the network in clear", hint)
    return text


def _filter(node: Node) -> str:
    text = node.text()
    balanced = text.count("(") == text.count(")") and text.startswith("(") and text.endswith(")")
    if text and (not balanced or "{name}" not in text or text.count("{") != text.count("{name}")):
        node.error("wrong_filter", "this finds nobody by a name", "such as (sAMAccountName={name})")
    return text


def _roles(section: Mapping[str, Node], key: str, default: str) -> tuple[str, RoleMap]:
    if "roles" not in section:
        return default, ()
    within = section["roles"].mapping((key, "map"), required=("map",))
    listed = within["map"].mapping() if "map" in within else {}
    roles = tuple((group, cast("Role", one.choice(ROLES, "role"))) for group, one in listed.items())
    return within[key].text() if key in within else default, roles


def _texts(node: Node) -> tuple[str, ...]:
    return tuple(one.text() for one in (node.sequence() if node.is_sequence else [node]))


def _split(text: str) -> SplitResult:
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018 (raises for what is no port)
    except ValueError:
        return SplitResult("", "", "", "", "")
    return parts
