"""What each maker documents of its telephones: how they find their settings, which files they ask for and in
which order, what these files say, and how they say who they are.

Each reads its own format with its own few lines, which share nothing with the templates.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import quote
from xml.etree import ElementTree


@dataclass
class Settings:
    """What a telephone knows. server: where it fetches from, ending in "/". host, port, transport: of its
    registrar. keys: kind and number, in the order of the keys. firmware: where its image is.
    follows_dhcp: whether what DHCP says at its next start counts for more than `server`.
    """

    server: str = ""
    authority: str = ""
    user: str = ""
    sign_in: str = ""
    password: str = field(default="", repr=False)
    host: str = ""
    port: int = 0
    transport: str = ""
    encrypts: bool = False
    keys: tuple[tuple[str, str], ...] = ()
    firmware: str = ""
    follows_dhcp: bool = True


class Maker(Protocol):
    """One model of a maker. options: of DHCP, the one that it believes first at the front. encapsulated: the
    sub-option of 43 that it reads.
    """

    brand: str
    model: str
    version: str
    mac: str
    vendor_class: str
    options: tuple[int, ...]
    encapsulated: int

    @property
    def agent(self) -> str:
        """Its User-Agent while it fetches."""

    @property
    def asks_as(self) -> tuple[str, str]:
        """The user part of its plug-and-play SUBSCRIBE, and its Event header."""

    @property
    def files(self) -> tuple[str, ...]:
        """What it asks for, in this order."""

    def read(self, content: bytes, known: Settings) -> Settings:
        """What it knows after one file."""


def _event(vendor: str, model: str, version: str) -> str:
    return f'ua-profile;profile-type="device";vendor="{vendor}";model="{model}";version="{version}"'


class Yealink:
    """A T54W or T53W. "Yealink SIP IP Phones Auto Provisioning Guide", "Obtaining the Provisioning Server
    Address": plug and play, then the custom DHCP option, 66 and 43; "Downloading Boot, Configuration and
    Resource Files": MAC.boot, the boot file of all, and where there is neither, the model's common file and
    MAC.cfg.
    """

    brand = "yealink"
    vendor_class = "yealink"
    options: tuple[int, ...] = (66, 43)
    encapsulated = 1
    common = {"T53W": "y000000000095.cfg", "T54W": "y000000000096.cfg"}  # noqa: RUF012 (never changed)

    def __init__(self, mac: str = "805ec0aa0001", version: str = "96.86.0.23", model: str = "T54W") -> None:
        self.mac, self.version, self.model = mac, version, model
        spoken = ":".join(mac[place : place + 2] for place in range(0, 12, 2))
        self.agent = f"Yealink SIP-{model} {version} {spoken}"
        self.asks_as = (quote(f"MAC:{mac}"), _event("Yealink", model, version))
        self.files = (f"{mac}.boot", "y000000000000.boot", self.common[model], f"{mac}.cfg")

    def read(self, content: bytes, known: Settings) -> Settings:
        """`name = value`, a line each, below a first line that is no remark."""
        first, *lines = content.decode("utf-8").splitlines()
        assert first == "#!version:1.0.0.1"
        said = dict(line.split(" = ", 1) for line in lines if line and not line.startswith("#"))
        known.server = said.get("static.auto_provision.server.url", known.server)
        known.authority = said.get("static.trusted_certificates.url", known.authority)
        known.firmware = said.get("static.firmware.url", known.firmware)
        if said.get("static.auto_provision.dhcp_option.enable") == "0":
            known.follows_dhcp = said["static.auto_provision.pnp_enable"] != "0"
        if said.get("account.1.enable") == "1":
            known.user, known.sign_in = said["account.1.user_name"], said["account.1.auth_name"]
            known.password = said["account.1.password"]
            known.host = said["account.1.sip_server.1.address"]
            known.port = int(said["account.1.sip_server.1.port"])
            known.transport = {"0": "udp", "1": "tcp", "2": "tls"}[
                said["account.1.sip_server.1.transport_type"]
            ]
            known.encrypts = said["account.1.srtp_encryption"] == "2"
            kinds = {"15": "line", "16": "lamp", "13": "speed_dial", "10": "park"}
            places = [name for name in said if re.fullmatch(r"linekey\.\d+\.type", name)]
            known.keys = tuple(
                (kinds[said[place]], said.get(place.replace("type", "value"), "")) for place in places
            )
        return known


class Snom:
    """A D785. Snom's "Mass Deployment" and "DHCP/Options": 66 and 67, which 43 may hold as sub-options of the
    same numbers, and plug and play; below the setting server snomMODEL.htm, then snomMODEL-MAC.htm.
    "provisioning_order": what it goes through at its start; without a word of it DHCP has the last one.
    """

    brand, model, version = "snom", "D785", "10.1.184.15"
    vendor_class = "snomD785"
    options = (43, 66)
    encapsulated = 66

    def __init__(self, mac: str = "000413aa0002") -> None:
        self.mac = mac
        spoken = mac.upper()
        self.agent = f"Mozilla/4.0 (compatible; snomD785-SIP {self.version} 1.1.3-u {spoken})"
        self.asks_as = (quote(f"MAC:{spoken}"), _event("snom", "snomD785", self.version))
        self.files = ("snomD785.htm", f"snomD785-{spoken}.htm")

    def read(self, content: bytes, known: Settings) -> Settings:
        """XML: `phone-settings`, `functionKeys` and `certificates`."""
        root = ElementTree.fromstring(content)
        assert root.tag == "settings"
        said = {(one.tag, one.get("idx", "")): one.text or "" for one in root.iterfind("phone-settings/*")}
        known.server = said.get(("setting_server", ""), known.server)
        known.firmware = said.get(("firmware", ""), known.firmware)
        if order := said.get(("provisioning_order", "")):
            known.follows_dhcp = "dhcp:" in order
        for certificate in root.iterfind("certificates/certificate"):
            known.authority = certificate.attrib["url"]
        if said.get(("user_active", "1")) == "on":
            known.user, known.sign_in = said["user_name", "1"], said["user_pname", "1"]
            known.password = said["user_pass", "1"]
            proxy = re.fullmatch(r"sip:([^:;]+):(\d+);transport=(\w+)", said["user_outbound", "1"])
            assert proxy is not None
            known.host, known.port, known.transport = proxy[1], int(proxy[2]), proxy[3]
            known.encrypts = said["user_srtp", "1"] == "on"
            known.keys = tuple(_snom_key(key.text or "") for key in root.iterfind("functionKeys/fkey"))
        return known


def _snom_key(text: str) -> tuple[str, str]:
    kind, _, value = text.strip().partition(" ")
    number = value.removeprefix("sip:").partition("@")[0]
    return {"line": "line", "blf": "lamp", "orbit": "park", "speed": "speed_dial"}[kind], number


class Grandstream:
    """A GRP2614. "SIP Device Provisioning Guide", "Provisioning flow": cfgMAC.bin, then cfgMAC.xml, and
    cfgMODEL.xml and cfg.xml only where that isn't there; "Automatic provisioning within LAN": DHCP options
    43, 160 and 66 override its server's address.
    """

    brand, model, version, mac = "grandstream", "GRP2614", "1.0.13.12", "c074adaa0003"
    vendor_class = "Grandstream GRP2614 dslforum.org"
    options = (43, 160, 66)
    encapsulated = 1
    agent = "Grandstream Model HW GRP2614 V1.0A SW 1.0.13.12 DevId c074adaa0003"
    asks_as = (quote(f"MAC:{mac.upper()}"), _event("Grandstream", "GRP2614", version))
    files = (f"cfg{mac}.bin", f"cfg{mac}.xml")

    def read(self, content: bytes, known: Settings) -> Settings:
        """XML: an `item` each, by name; `mac` must be its own where it is there."""
        root = ElementTree.fromstring(content)
        assert root.tag == "gs_provision" and root.findtext("mac", self.mac) == self.mac
        said = {one.attrib["name"]: one.text or "" for one in root.iterfind("config/item")}
        if said.get("provisioning.config.protocol") == "HTTPS":
            known.server = f"https://{said['provisioning.config.serverPath'].rstrip('/')}/"
        if said.get("provisioning.override.dhcp.allowCommonOptions") == "No":
            known.follows_dhcp = said["provisioning.override.dhcp.allowCustomOption"] != "None"
        if said.get("provisioning.firmware.protocol") == "HTTPS":
            # The path is a folder's: the telephone adds the name that its maker gives the image.
            known.firmware = f"https://{said['provisioning.firmware.serverPath'].rstrip('/')}/grp2614fw.bin"
        if said.get("account.1.enable") == "Yes":
            known.user = said["account.1.sip.userid"]
            known.sign_in = said["account.1.sip.subscriber.userid"]
            known.password = said["account.1.sip.subscriber.password"]
            host, _, port = said["account.1.sip.server.1.address"].partition(":")
            known.host, known.port = host, int(port)
            known.transport = {"UDP": "udp", "TCP": "tcp", "TlsOrTcp": "tls"}[said["account.1.sip.transport"]]
            known.encrypts = said["account.1.audio.srtpMode"] == "EnabledAndForced"
            kinds = {"Line": "line", "BLF": "lamp", "SpeedDial": "speed_dial", "CallPark": "park"}
            places = [name for name in said if re.fullmatch(r"pks\.vpk\.\d+\.keyMode", name)]
            known.keys = tuple(
                (kinds[said[place]], said[place.replace("keyMode", "value")]) for place in places
            )
        return known


class Fanvil:
    """An X4U. "Auto Provisioning": DHCP first (66, then 43), then plug and play, then what is stored in it;
    the model's common file, then MAC.cfg.
    """

    brand, model, version = "fanvil", "X4U", "2.14.0.7386"
    vendor_class = "Fanvil X4U"
    options = (66, 43)
    encapsulated = 1

    def __init__(self, mac: str = "0c383eaa0004") -> None:
        self.mac = mac
        self.agent = f"Fanvil X4U {self.version} {mac}"
        self.asks_as = (f"MAC={mac}", _event("Fanvil", "X4U", self.version))
        self.files = ("f0X4Uhw1.100.cfg", f"{mac}.cfg")

    def read(self, content: bytes, known: Settings) -> Settings:
        """XML: `sysConf` with a tree of sections."""
        root = ElementTree.fromstring(content)
        assert root.tag == "sysConf"
        if root.findtext("ap/FlashProtocol") == "5":
            known.server = f"https://{root.findtext('ap/FlashServerIP', '').rstrip('/')}/"
        known.firmware = root.findtext("fwCheck/UpgradeServer1", known.firmware)
        if root.findtext("ap/opt/DHCPOption") == "0":
            known.follows_dhcp = root.findtext("ap/pnp/PNPEnable") != "0"
        line = root.find("sip/line[@index='1']")
        if line is not None and line.findtext("EnableReg") == "1":
            known.user, known.sign_in = line.findtext("PhoneNumber", ""), line.findtext("RegisterUser", "")
            known.password = line.findtext("RegisterPswd", "")
            known.host, known.port = line.findtext("RegisterAddr", ""), int(line.findtext("RegisterPort", ""))
            known.transport = {"0": "udp", "1": "tcp", "3": "tls"}[line.findtext("Transport", "")]
            known.encrypts = line.findtext("MediaCrypto") == "2"
            known.keys = tuple(_fanvil_key(key) for key in root.iterfind("dsskey/internal/Fkey"))
        return known


def _fanvil_key(key: ElementTree.Element) -> tuple[str, str]:
    value = key.findtext("Value", "")
    if key.findtext("Type") == "2":
        return "line", ""
    assert key.findtext("Type") == "1"  # 4 is digits in a call
    number, _, kind = value.partition("@1/")
    return {"ba": "lamp", "f": "speed_dial", "c": "park"}[kind], number
