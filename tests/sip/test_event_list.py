"""Lists of resources in one document (RFC 4662)."""

from __future__ import annotations

import email
import xml.etree.ElementTree as ET
from email.message import Message

from sip.core.event_list import CONTENT_TYPE, Member, list_document

RLMI = "{urn:ietf:params:xml:ns:rlmi}"


def parts_of(document: bytes) -> list[Message]:
    read = email.message_from_bytes(f"Content-Type: {CONTENT_TYPE}\r\n\r\n".encode() + document).get_payload()
    assert isinstance(read, list)
    return [part for part in read if isinstance(part, Message)]


def test_the_list_comes_first_and_names_the_part_of_each_state() -> None:
    """RFC 4662 section 5: the list is the root of the multipart/related body."""
    members = [Member("sip:1001@x", "Alice", b"<a/>"), Member("sip:1002@x", "B & <C>", None)]
    first, state = parts_of(
        list_document("sip:accueil@x", 7, members, "application/dialog-info+xml", full=True)
    )
    assert f'start="{first["Content-ID"]}"' in CONTENT_TYPE
    root = ET.fromstring(first.get_payload())
    assert (root.attrib["uri"], root.attrib["version"], root.attrib["fullState"]) == (
        "sip:accueil@x",
        "7",
        "true",
    )
    assert [name.text for name in root.findall(f"{RLMI}resource/{RLMI}name")] == ["Alice", "B & <C>"]
    (instance,) = root.findall(f"{RLMI}resource/{RLMI}instance")
    assert state["Content-ID"] == f"<{instance.attrib['cid']}>"
    assert instance.attrib["state"] == "active"
    assert state.get_content_type() == "application/dialog-info+xml"
    assert state.get_payload(decode=True) == b"<a/>"


def test_a_list_that_tells_changes_says_so() -> None:
    """RFC 4662 section 5.2: fullState."""
    (only,) = parts_of(list_document("sip:accueil@x", 8, [], "text/plain", full=False))
    assert ET.fromstring(only.get_payload()).attrib["fullState"] == "false"


def test_each_document_of_a_list_has_parts_of_its_own() -> None:
    """RFC 2392: a Content-ID names one part, whatever message it came in."""
    member = [Member("sip:1001@x", "Alice", b"")]
    names = {
        parts_of(list_document("sip:l@x", version, member, "text/plain", full=True))[1]["Content-ID"]
        for version in (1, 2)
    }
    assert len(names) == 2
