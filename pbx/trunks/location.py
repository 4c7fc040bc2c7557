"""Where the device of an emergency call is, as an operator is told: a PIDF-LO and the header that names it.

RFC 6442 carries it in the INVITE, RFC 4119 and RFC 5491 give its frame, RFC 5139 the parts of an address.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime

from dialplan.decision import Location
from sip.core.multipart import Part
from sip.core.xml_text import xml_text

PIDF = "application/pidf+xml"
# What may be said against a location (RFC 6442 section 4.3: 424), or by who doesn't know such bodies.
REFUSED = frozenset({400, 406, 413, 415, 420, 424, 488, 493, 500, 501, 513, 606})

_HOUSE = re.compile(r"([0-9]{1,5})\s?(bis|ter|quater|[A-Za-z](?![\w']))?,?\s+(\S.*)", re.IGNORECASE)
_OWN_ELEMENTS = {
    "region": "A1",
    "department": "A2",
    "city": "A3",
    "district": "A4",
    "landmark": "LMK",
    "floor": "FLR",
    "postcode": "PC",
    "building": "BLD",
    "room": "ROOM",
    "insee": "ADDCODE",
}
# RFC 5139 section 4: the elements stand in this order.
_ORDER = [
    "A1",
    "A2",
    "A3",
    "A4",
    "RD",
    "HNO",
    "HNS",
    "LMK",
    "LOC",
    "FLR",
    "NAM",
    "PC",
    "BLD",
    "ROOM",
    "ADDCODE",
]
# RFC 4119 section 2.2.3 and its registry of methods.
_METHOD = {"network": "Wiremap", "configuration": "Manual", "confirmed": "Manual", "assumed": "Manual"}
ASSUMED = "assumed from the person's usual site; the caller may be elsewhere"


def location_part(
    location: Location, *, title: str, country: str, number: str, domain: str, at: float
) -> Part:
    """The PIDF-LO for a call that shows `number`, as a part of the INVITE's body. at: Unix seconds.

    title: the site's name for people. One device, and its coordinates before its address, the coarser first
    (RFC 5491 section 3). Content-ID: as `geolocation_lines` names it.
    """
    # RFC 4479 section 3.3: a note is for people; those who come to help must know that it is a guess.
    note = f'<dm:note xml:lang="en">{ASSUMED}</dm:note>' if location.source == "assumed" else ""
    where = _point(location.point) + _civic(location.address, title, country)
    instant = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    document = (
        '<?xml version="1.0" encoding="UTF-8"?>\r\n'
        '<presence xmlns="urn:ietf:params:xml:ns:pidf" xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model"'
        ' xmlns:gp="urn:ietf:params:xml:ns:pidf:geopriv10" xmlns:gml="http://www.opengis.net/gml"'
        ' xmlns:ca="urn:ietf:params:xml:ns:pidf:geopriv10:civicAddr"'
        f' entity="pres:{xml_text(number or "anonymous")}@{xml_text(domain)}">'
        f'<dm:device id="device"><gp:geopriv><gp:location-info>{where}</gp:location-info>'
        f"<gp:usage-rules/><gp:method>{_METHOD[location.source]}</gp:method></gp:geopriv>"
        f"<dm:deviceID>sip:{xml_text(number or 'anonymous')}@{xml_text(domain)}</dm:deviceID>{note}"
        f"<dm:timestamp>{instant}</dm:timestamp></dm:device></presence>\r\n"
    )
    return Part(PIDF, document.encode(), f"location@{domain}")


def geolocation_lines(domain: str) -> str:
    """The header lines that name the location in the body, with CRLF.

    RFC 6442 section 4.1; section 4.2: whoever routes the call may look at it.
    """
    return f"Geolocation: <cid:location@{domain}>\r\nGeolocation-Routing: yes\r\n"


def is_known(location: Location) -> bool:
    """Whether there is anything to tell."""
    return bool(location.address) or location.point is not None


def _point(point: tuple[float, float] | None) -> str:
    if point is None:
        return ""
    # RFC 5491 section 5: WGS 84 in two dimensions, latitude first.
    return (
        '<gml:Point srsName="urn:ogc:def:crs:EPSG::4326">'
        f"<gml:pos>{point[0]:.6f} {point[1]:.6f}</gml:pos></gml:Point>"
    )


def _civic(address: Mapping[str, str], title: str, country: str) -> str:
    if not address:
        return ""
    elements = {_OWN_ELEMENTS[key]: text for key, text in address.items() if key in _OWN_ELEMENTS}
    house = _HOUSE.fullmatch(address.get("street", "").strip())
    if house is not None:
        elements["HNO"], elements["RD"] = house[1], house[3]
        if house[2]:
            elements["HNS"] = house[2]
    elif address.get("street"):
        elements["RD"] = address["street"]
    others = [
        f"{key}: {text}" for key, text in address.items() if key not in _OWN_ELEMENTS and key != "street"
    ]
    if others:
        elements["LOC"] = ", ".join(others)
    if title:
        elements["NAM"] = title
    parts = "".join(
        f"<ca:{name}>{xml_text(elements[name])}</ca:{name}>" for name in _ORDER if elements.get(name)
    )
    return f"<ca:civicAddress><ca:country>{country}</ca:country>{parts}</ca:civicAddress>"
