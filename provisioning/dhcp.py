"""DHCP: the lines that make a server hand out where telephones find their settings.

Option 66 is a name or an address (RFC 2132 section 9.4), which most telephones take as a URL too; 160 is what
several makers read before it; 43 has vendor options, of which telephones read one that is a URL:
sub-option 1, or another that their brand names.

Other devices read option 66 as well: a computer that starts from the network, a printer. Where they share a
network with telephones, the lines are for brands by name: a server knows these by what they call themselves
(option 60, RFC 2132 section 9.13) and by the first digits of their MAC addresses.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

from provisioning.brand import Brand

Server = Literal["dnsmasq", "kea", "windows", "cisco"]
SERVERS: Final[tuple[Server, ...]] = ("dnsmasq", "kea", "windows", "cisco")
MOST_URL: Final = 253  # a vendor option's one octet of length, with its own two before it
_SPACE: Final = "vendor-encapsulated-options-space"


class DhcpError(ValueError):
    """No lines can be written: for this address, or for these brands on this server."""


def lines(
    server: Server, url: str, scope: str = "10.0.0.0", brands: Mapping[str, Brand] | None = None
) -> str:
    """What IT copies into a DHCP server's configuration. scope: the voice network, for Windows. brands: for
    whom alone, by name; for every device of the network without.

    Raises DhcpError.
    """
    if len(url) > MOST_URL or not url.isascii() or any(letter in url for letter in "'\"\\ \r\n"):
        raise DhcpError(
            "the address must be ASCII, at most 253 characters, without quotes, blanks or backslashes"
        )
    if not brands:
        return _WRITERS[server](url, scope)
    unknown = next((name for name, brand in brands.items() if not (brand.ouis or brand.vendor_classes)), None)
    if unknown is not None:
        raise DhcpError(f"nothing tells a DHCP server which devices are {unknown}")
    if server == "cisco":
        raise DhcpError("a Cisco router hands the same options to all devices of a pool")
    if server == "windows" and not all(brand.ouis for brand in brands.values()):
        raise DhcpError(
            "a Windows server knows brands by their MAC addresses, and not all of these have some"
        )
    return _WRITERS_OF_BRANDS[server](url, scope, brands)


def vendor_options(url: str, sub_option: int = 1) -> bytes:
    """The content of option 43: one sub-option with the URL."""
    return bytes((sub_option, len(url))) + url.encode("ascii")


def _dnsmasq(url: str, scope: str) -> str:
    return _dnsmasq_options(url, vendor_options(url))


def _dnsmasq_of_brands(url: str, scope: str, brands: Mapping[str, Brand]) -> str:
    written = []
    for name, brand in brands.items():
        written += [f"dhcp-vendorclass=set:{name},{start}\n" for start in brand.vendor_classes]
        written += [f"dhcp-mac=set:{name},{_colons(oui)}:*:*:*\n" for oui in brand.ouis]
        written.append(_dnsmasq_options(url, vendor_options(url, brand.sub_option), f"tag:{name},"))
    return "".join(written)


def _dnsmasq_options(url: str, vendor: bytes, tag: str = "") -> str:
    options = (f'66,"{url}"', f'160,"{url}"', f"43,{vendor.hex(':')}")
    return "".join(f"dhcp-option={tag}{option}\n" for option in options)


def _kea(url: str, scope: str) -> str:
    return _members({"option-def": _kea_definitions({1}), "option-data": _kea_options(url, 1)})


def _kea_of_brands(url: str, scope: str, brands: Mapping[str, Brand]) -> str:
    classes = [
        {"name": name, "test": _kea_test(brand), "option-data": _kea_options(url, brand.sub_option)}
        for name, brand in brands.items()
    ]
    definitions = _kea_definitions({brand.sub_option for brand in brands.values()})
    return _members({"option-def": definitions, "client-classes": classes})


def _kea_test(brand: Brand) -> str:
    said = [f"substring(option[60].hex,0,{len(start)}) == '{start}'" for start in brand.vendor_classes]
    return " or ".join(said + [f"substring(pkt4.mac,0,3) == 0x{oui}" for oui in brand.ouis])


def _kea_definitions(sub_options: set[int]) -> list[dict[str, Any]]:
    settings = {"name": "telephone-settings", "code": 160, "type": "string", "space": "dhcp4"}
    encapsulated = [
        {"name": f"settings-url-{number}", "code": number, "type": "string", "space": _SPACE}
        for number in sorted(sub_options)
    ]
    return [settings, *encapsulated]


def _kea_options(url: str, sub_option: int) -> list[dict[str, Any]]:
    return [
        {"name": "tftp-server-name", "data": url},
        {"name": "telephone-settings", "data": url},
        {"name": f"settings-url-{sub_option}", "space": _SPACE, "data": url},
        {"name": "vendor-encapsulated-options"},
    ]


def _members(document: Mapping[str, list[dict[str, Any]]]) -> str:
    """Members of an object of JSON, an entry a line, as they are put into `Dhcp4`."""
    parts = []
    for name, entries in document.items():
        body = ",\n".join(f"  {json.dumps(entry)}" for entry in entries)
        parts.append(f'"{name}": [\n{body}\n]')
    return ",\n".join(parts) + "\n"


def _windows(url: str, scope: str) -> str:
    return _WINDOWS_DEFINITION + _windows_options(url, scope, vendor_options(url))


def _windows_of_brands(url: str, scope: str, brands: Mapping[str, Brand]) -> str:
    """By MAC address alone: a policy wants the whole text of a vendor class, which has the model in it."""
    written = [_WINDOWS_DEFINITION]
    for name, brand in brands.items():
        addresses = ",".join(f'"{oui.upper()}*"' for oui in brand.ouis)
        written.append(f'Add-DhcpServerv4Policy -ScopeId {scope} -Name "{name}"')
        written.append(f" -Condition OR -MacAddress EQ,{addresses}\n")
        vendor = vendor_options(url, brand.sub_option)
        written.append(_windows_options(url, scope, vendor, f' -PolicyName "{name}"'))
    return "".join(written)


_WINDOWS_DEFINITION: Final = (
    'Add-DhcpServerv4OptionDefinition -OptionId 160 -Name "Telephone settings" -Type String\n'
)


def _windows_options(url: str, scope: str, vendor: bytes, policy: str = "") -> str:
    octets = ",".join(f"0x{octet:02X}" for octet in vendor)
    values: Sequence[tuple[int, str]] = ((66, f'"{url}"'), (160, f'"{url}"'), (43, octets))
    return "".join(
        f"Set-DhcpServerv4OptionValue -ScopeId {scope}{policy} -OptionId {number} -Value {value}\n"
        for number, value in values
    )


def _cisco(url: str, scope: str) -> str:
    return f"""\
ip dhcp pool VOICE
 option 66 ascii {url}
 option 160 ascii {url}
 option 43 hex {vendor_options(url).hex()}
"""


def _colons(oui: str) -> str:
    return ":".join((oui[:2], oui[2:4], oui[4:]))


_WRITERS: Final = {"dnsmasq": _dnsmasq, "kea": _kea, "windows": _windows, "cisco": _cisco}
_WRITERS_OF_BRANDS: Final = {
    "dnsmasq": _dnsmasq_of_brands,
    "kea": _kea_of_brands,
    "windows": _windows_of_brands,
}
