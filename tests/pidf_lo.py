"""Whether a document is a PIDF-LO: its structure and its values, checked strictly.

Written from the RFCs: the frame (RFC 3863 section 4.2, RFC 4479 section 3.5), the geopriv object (RFC 4119
section 2.2), the point (RFC 5491 section 5) and the civic address (RFC 5139 section 4). Whatever these don't
name is an error here, also where an extension might be allowed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

PIDF = "urn:ietf:params:xml:ns:pidf"
DM = "urn:ietf:params:xml:ns:pidf:data-model"
GP = "urn:ietf:params:xml:ns:pidf:geopriv10"
CA = "urn:ietf:params:xml:ns:pidf:geopriv10:civicAddr"
GML = "http://www.opengis.net/gml"
LANG = "{http://www.w3.org/XML/1998/namespace}lang"

# RFC 5139 section 4.1: each at most once, in this order.
CIVIC_ORDER = [
    "country", "A1", "A2", "A3", "A4", "A5", "A6", "PRM", "PRD", "RD", "STS", "POD", "POM", "RDSEC",
    "RDBR", "RDSUBBR", "HNO", "HNS", "LMK", "LOC", "FLR", "NAM", "PC", "BLD", "UNIT", "ROOM",
    "SEAT", "PLC", "PCN", "POBOX", "ADDCODE",
]  # fmt: skip
# RFC 4119 section 6.1: the methods that its registry begins with.
METHODS = {"GPS", "A-GPS", "Manual", "DHCP", "Triangulation", "Cell", "802.11", "Wiremap"}
_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
_DEGREES = re.compile(r"-?\d{1,3}(\.\d+)?")


def mistakes(document: bytes) -> list[str]:
    """Return what is wrong with a document, in words; nothing for a PIDF-LO of one device."""
    if b"<!DOCTYPE" in document or b"<!ENTITY" in document:
        return ["a document type"]
    try:
        root = ElementTree.fromstring(document)
    except ElementTree.ParseError as error:
        return [f"not XML: {error}"]
    return list(_presence(root))


def _presence(root: Element) -> Iterator[str]:
    """RFC 3863 section 4.2.1."""
    if root.tag != _name(PIDF, "presence"):
        yield f"the root is {root.tag}"
        return
    yield from _attributes(root, {"entity"})
    if not re.fullmatch(r"pres:[^\s@]+@[^\s@]+", root.get("entity", "")):
        yield f"entity {root.get('entity')!r} is no pres: URI"
    yield from _element_only(root)
    # RFC 5491 section 3.1, rule 1: whoever is to be helped is in one place.
    if [child.tag for child in root] != [_name(DM, "device")]:
        yield f"not one device but {[child.tag for child in root]}"
        return
    yield from _device(root[0])


def _device(device: Element) -> Iterator[str]:
    """RFC 4479 section 3.5: what is of other namespaces, then deviceID, notes, a timestamp."""
    yield from _attributes(device, {"id"})
    if not re.fullmatch(r"[A-Za-z_][\w.-]*", device.get("id", "")):
        yield "a device without an id"
    yield from _element_only(device)
    order = [_name(GP, "geopriv"), _name(DM, "deviceID"), _name(DM, "note"), _name(DM, "timestamp")]
    yield from _in_order(device, order, once=set(order), needed={order[0], order[1]})
    for child in device:
        if child.tag == order[0]:
            yield from _geopriv(child)
        elif child.tag == order[1] and not re.fullmatch(r"[a-z][a-z0-9+.-]*:\S+", child.text or ""):
            yield f"deviceID {child.text!r} is no URI"
        elif child.tag == order[2] and not (child.get(LANG) and child.text):
            yield "a note without a language or a word"
        elif child.tag == order[3] and not _DATE_TIME.fullmatch(child.text or ""):
            yield f"timestamp {child.text!r} is no dateTime"


def _geopriv(geopriv: Element) -> Iterator[str]:
    """RFC 4119 section 2.2."""
    yield from _element_only(geopriv)
    order = [_name(GP, word) for word in ("location-info", "usage-rules", "method", "provided-by")]
    yield from _in_order(geopriv, order, once=set(order), needed=set(order[:2]))
    for child in geopriv:
        if child.tag == order[0]:
            yield from _location_info(child)
        elif child.tag == order[1] and (len(child) or (child.text or "").strip()):
            yield "usage rules that nobody wrote"
        elif child.tag == order[2] and child.text not in METHODS:
            yield f"method {child.text!r} isn't registered"


def _location_info(info: Element) -> Iterator[str]:
    """RFC 5491 section 3.1, rule 5: the point first, then the address, both of the same place."""
    yield from _element_only(info)
    point, civic = _name(GML, "Point"), _name(CA, "civicAddress")
    yield from _in_order(info, [point, civic], once={point, civic}, needed=set())
    if not len(info):
        yield "no location"
    for child in info:
        yield from _point(child) if child.tag == point else _civic(child)


def _point(point: Element) -> Iterator[str]:
    """RFC 5491 section 5.2.1: two dimensions of WGS 84, latitude first."""
    yield from _attributes(point, {"srsName"})
    if point.get("srsName") != "urn:ogc:def:crs:EPSG::4326":
        yield f"srsName {point.get('srsName')!r}"
    yield from _element_only(point)
    if [child.tag for child in point] != [_name(GML, "pos")]:
        yield "a point without one pos"
        return
    values = (point[0].text or "").split()
    if len(values) != 2 or not all(_DEGREES.fullmatch(value) for value in values):
        yield f"pos {point[0].text!r}"
    elif abs(float(values[0])) > 90 or abs(float(values[1])) > 180:
        yield f"pos {point[0].text!r} is nowhere on Earth"


def _civic(address: Element) -> Iterator[str]:
    """RFC 5139 section 4.1."""
    yield from _attributes(address, {LANG})
    yield from _element_only(address)
    order = [_name(CA, word) for word in CIVIC_ORDER]
    yield from _in_order(address, order, once=set(order), needed={order[0]})
    for child in address:
        yield from _attributes(child, {LANG})
        text = child.text or ""
        if len(child) or not text.strip():
            yield f"{child.tag} says nothing"
        if child.tag == order[0] and not re.fullmatch(r"[A-Z]{2}", text):
            yield f"country {text!r} is not of ISO 3166"


def _in_order(parent: Element, order: list[str], *, once: set[str], needed: set[str]) -> Iterator[str]:
    found = [child.tag for child in parent]
    if unknown := [tag for tag in found if tag not in order]:
        yield f"{unknown} in {parent.tag}"
        return
    if found != sorted(found, key=order.index):
        yield f"{parent.tag} has its parts in another order: {found}"
    yield from (f"{tag} comes twice" for tag in once if found.count(tag) > 1)
    yield from (f"no {tag}" for tag in needed if tag not in found)


def _element_only(parent: Element) -> Iterator[str]:
    texts = [parent.text, *(child.tail for child in parent)]
    if any((text or "").strip() for text in texts):
        yield f"text between the parts of {parent.tag}"


def _attributes(element: Element, known: set[str]) -> Iterator[str]:
    yield from (f"attribute {name} of {element.tag}" for name in element.attrib if name not in known)


def _name(namespace: str, word: str) -> str:
    return f"{{{namespace}}}{word}"
