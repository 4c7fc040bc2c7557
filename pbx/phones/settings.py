"""Where desk telephones find their settings: `provisioning:` of the configuration.

provisioning:
  https: 0.0.0.0:8443
  http: 10.54.1.5:8090
  tftp: 10.54.1.5:69
  plug_and_play: true
  url: https://pbx.valmont.example:8443
  networks: [10.54.0.0/16]
  isolated_networks: [10.54.9.0/24]
  makers_ca: ./makers.pem
  brands: ./brands
  firmware: ./firmware
  vlan: 20
  time_server: 10.54.1.1
  own_keys: false
  resync_by_itself: false
  energy: {screen_off_minutes: 10, office_hours: [8, 18]}
  ldaps: 0.0.0.0:636
  ldap: 10.54.9.5:389
  directory: {url: ldaps://ad.valmont.example, base: "ou=Agents,dc=valmont,dc=example",
              user: "cn=annuaire,dc=valmont,dc=example", password: {env: ANNUAIRE},
              filter: (objectClass=user)}

`ldaps:` serves the directory of the plan's people; `ldap:` the same in clear, where telephones are alone in
their network; `directory:` sends telephones to another one, whose password each of them then holds.

Without `https:` no telephone is configured. Over `http:` and `tftp:` nothing is handed out but where to go.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from dialplan.document import Node, shortened
from pbx.phones.energy import EnergyProfile, read_energy
from pbx.settings.values import IPNetwork, Listen, Secret, file_of, listens_of, networks_of, read_secret

KEYS: Final = (
    "https",
    "http",
    "tftp",
    "plug_and_play",
    "url",
    "networks",
    "isolated_networks",
    "makers_ca",
    "brands",
    "firmware",
    "vlan",
    "time_server",
    "own_keys",
    "resync_by_itself",
    "energy",
    "ldaps",
    "ldap",
    "directory",
)
LDAP_PORT: Final = 389
LDAPS_PORT: Final = 636
MOST_VLAN: Final = 4094
MOST_PORT: Final = 65_535

_URL: Final = re.compile(r"https://([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?|\[[0-9a-f:.]{2,45}\])(:[0-9]{1,5})?")
_LDAP_URL: Final = re.compile(
    r"(ldaps?)://([A-Za-z0-9][A-Za-z0-9.-]{0,252}|\[[0-9a-f:.]{2,45}\])(?::([0-9]{1,5}))?/?"
)
_HOST: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.:-]{0,251}[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True)
class OtherDirectory:
    """Another directory that telephones ask, such as Active Directory.

    user, password: "" and None for nobody. filter: what else must fit, in brackets, "" for everything.
    """

    host: str
    port: int
    encrypted: bool
    base: str
    user: str = ""
    password: Secret | None = None
    filter: str = ""


@dataclass(frozen=True, slots=True)
class Provisioning:
    """Where settings are handed out. url: where telephones ask over HTTPS, "" for the first address of
    `https`.

    networks: where telephones are; () for the networks of the plan's sites. isolated_networks: of these,
    where telephones without TLS of today are, () for all of them. makers_ca: who vouches for the
    certificates that makers put into telephones. brands: the town's own templates. firmware: the folder of
    images. vlan: 0 for none. time_server: "" for this machine. own_keys: whether people may choose the keys
    of their own telephones. resync_by_itself: whether telephones are told when something of theirs changes.
    ldaps, ldap: where the directory is served; directory: another one in its place.
    """

    https: tuple[Listen, ...] = ()
    http: tuple[Listen, ...] = ()
    tftp: tuple[Listen, ...] = ()
    plug_and_play: bool = False
    url: str = ""
    networks: tuple[IPNetwork, ...] = ()
    isolated_networks: tuple[IPNetwork, ...] = ()
    makers_ca: Path | None = None
    brands: Path | None = None
    firmware: Path | None = None
    vlan: int = 0
    time_server: str = ""
    own_keys: bool = True
    resync_by_itself: bool = True
    energy: EnergyProfile = field(default_factory=EnergyProfile)
    ldaps: tuple[Listen, ...] = ()
    ldap: tuple[Listen, ...] = ()
    directory: OtherDirectory | None = None


def read_provisioning(node: Node, folder: Path) -> Provisioning:
    """Return what `provisioning:` says; folder: what paths are relative to. Errors are the node's."""
    section = node.mapping(KEYS)

    said = Provisioning(
        https=listens_of(section, "https", ()),
        http=listens_of(section, "http", ()),
        tftp=listens_of(section, "tftp", ()),
        plug_and_play=section["plug_and_play"].boolean() if "plug_and_play" in section else False,
        url=_url(section["url"]) if "url" in section else "",
        networks=networks_of(section["networks"]) if "networks" in section else (),
        isolated_networks=networks_of(section["isolated_networks"]) if "isolated_networks" in section else (),
        makers_ca=file_of(section, "makers_ca", folder),
        brands=file_of(section, "brands", folder),
        firmware=file_of(section, "firmware", folder),
        vlan=section["vlan"].integer(0, MOST_VLAN) if "vlan" in section else 0,
        time_server=_host(section["time_server"]) if "time_server" in section else "",
        own_keys=section["own_keys"].boolean() if "own_keys" in section else True,
        resync_by_itself=section["resync_by_itself"].boolean() if "resync_by_itself" in section else True,
        energy=read_energy(section["energy"]) if "energy" in section else EnergyProfile(),
        ldaps=listens_of(section, "ldaps", ()),
        ldap=listens_of(section, "ldap", ()),
        directory=_directory(section["directory"], folder) if "directory" in section else None,
    )
    if not said.https and (said.ldaps or said.ldap or said.directory):
        node.error("no_https", "telephones are told where the directory is over HTTPS alone", "add `https:`")
    if not said.https and (said.http or said.tftp or said.plug_and_play):
        hint = "add `https: 0.0.0.0:8443`: what is handed out in clear only says where that is"
        node.error("no_https", "telephones get their settings over HTTPS alone", hint)
    if said.https and not said.url and all(_is_any(listen) for listen in said.https):
        node.error("no_url", "no telephone could know where to ask", "add `url: https://NAME:8443`")
    return said


def settings_url(said: Provisioning) -> str:
    """Where telephones ask, ending in "/"."""
    if said.url:
        return f"{said.url}/"
    listen = next((listen for listen in said.https if not _is_any(listen)), said.https[0])
    host = f"[{listen.host}]" if ":" in listen.host else listen.host
    return f"https://{host}:{listen.port}/"


def _directory(node: Node, folder: Path) -> OtherDirectory:
    section = node.mapping(("url", "base", "user", "password", "filter"), required=("url", "base"))
    if ("user" in section) != ("password" in section):
        node.error("missing_key", "`user` and `password` go together")
    text = section["url"].text() if "url" in section else ""
    found = _LDAP_URL.fullmatch(text)
    port = int(found[3] or 0) if found else 0
    if found is None or port > MOST_PORT:
        hint = "such as ldaps://ad.valmont.example"
        node.error("wrong_url", f'"{shortened(text)}" is no LDAP server', hint)
        return OtherDirectory("", LDAPS_PORT, True, "")
    if found[1] == "ldap" and "password" in section:
        section["url"].error(
            "not_encrypted", "its password would cross the network in clear", "write ldaps://…"
        )
    return OtherDirectory(
        found[2].strip("[]"),
        port or (LDAPS_PORT if found[1] == "ldaps" else LDAP_PORT),
        found[1] == "ldaps",
        section["base"].text() if "base" in section else "",
        section["user"].text() if "user" in section else "",
        read_secret(section["password"], folder) if "password" in section else None,
        _filter(section["filter"]) if "filter" in section else "",
    )


def _filter(node: Node) -> str:
    text = node.text()
    if not (text.startswith("(") and text.endswith(")")) or text.count("(") != text.count(")") or "%" in text:
        node.error("wrong_filter", "this is no filter of LDAP", "such as (objectClass=user)")
    return text


def _is_any(listen: Listen) -> bool:
    return ipaddress.ip_address(listen.host).is_unspecified


def _url(node: Node) -> str:
    text = node.text().lower().rstrip("/")
    if not _URL.fullmatch(text):
        hint = "such as https://pbx.valmont.example:8443, without a path"
        node.error("wrong_url", f'"{shortened(text)}" is not where a telephone finds its settings', hint)
        return ""
    return text


def _host(node: Node) -> str:
    text = node.text()
    if not _HOST.fullmatch(text):
        node.error("wrong_host", f'"{shortened(text)}" is no name and no address')
    return text
