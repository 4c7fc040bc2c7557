"""DHCP: the lines that make a server hand out where telephones find their settings.

Option 66 is a name or an address (RFC 2132 section 9.4), which most telephones take as a URL too; 160 is what
several makers read before it; 43 has vendor options, of which telephones read sub-option 1, a URL, here.
"""

from __future__ import annotations

from typing import Final, Literal

Server = Literal["dnsmasq", "kea", "windows", "cisco"]
SERVERS: Final[tuple[Server, ...]] = ("dnsmasq", "kea", "windows", "cisco")
MOST_URL: Final = 253  # a vendor option's one octet of length, with its own two before it


def lines(server: Server, url: str, scope: str = "10.0.0.0") -> str:
    """What IT copies into a DHCP server's configuration. scope: the voice network, for Windows.

    Raises ValueError for a URL that the options can't hold.
    """
    if len(url) > MOST_URL or not url.isascii() or any(letter in url for letter in "'\"\\ \r\n"):
        raise ValueError(
            "the address must be ASCII, at most 253 characters, without quotes, blanks or backslashes"
        )
    return _WRITERS[server](url, scope)


def vendor_options(url: str) -> bytes:
    """The content of option 43: sub-option 1 with the URL."""
    return bytes((1, len(url))) + url.encode("ascii")


def _dnsmasq(url: str, scope: str) -> str:
    return f'dhcp-option=66,"{url}"\ndhcp-option=160,"{url}"\ndhcp-option=43,{vendor_options(url).hex(":")}\n'


def _kea(url: str, scope: str) -> str:
    return f"""\
"option-def": [
  {{ "name": "telephone-settings", "code": 160, "type": "string", "space": "dhcp4" }},
  {{ "name": "settings-url", "code": 1, "type": "string", "space": "vendor-encapsulated-options-space" }}
],
"option-data": [
  {{ "name": "tftp-server-name", "data": "{url}" }},
  {{ "name": "telephone-settings", "data": "{url}" }},
  {{ "name": "settings-url", "space": "vendor-encapsulated-options-space", "data": "{url}" }},
  {{ "name": "vendor-encapsulated-options" }}
]
"""


def _windows(url: str, scope: str) -> str:
    octets = ",".join(f"0x{octet:02X}" for octet in vendor_options(url))
    return f"""\
Add-DhcpServerv4OptionDefinition -OptionId 160 -Name "Telephone settings" -Type String
Set-DhcpServerv4OptionValue -ScopeId {scope} -OptionId 66 -Value "{url}"
Set-DhcpServerv4OptionValue -ScopeId {scope} -OptionId 160 -Value "{url}"
Set-DhcpServerv4OptionValue -ScopeId {scope} -OptionId 43 -Value {octets}
"""


def _cisco(url: str, scope: str) -> str:
    return f"""\
ip dhcp pool VOICE
 option 66 ascii {url}
 option 160 ascii {url}
 option 43 hex {vendor_options(url).hex()}
"""


_WRITERS: Final = {"dnsmasq": _dnsmasq, "kea": _kea, "windows": _windows, "cisco": _cisco}
