"""The documents of the event packages (RFC 4235, RFC 3842, RFC 3856, RFC 3863)."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from sip.core.dialog_info import CONFIRMED, EARLY, DialogInfo, WatchedDialog
from sip.core.errors import RemoteProtocolError
from sip.core.message_summary import Mailbox, summary
from sip.core.presence_document import MAX_BYTES, Presence, parse_presence, presence_document
from sip.core.xml_text import xml_text

ENTITY = "sip:1002@valmont.example"
DIALOG = "{urn:ietf:params:xml:ns:dialog-info}"


def told(document: bytes) -> tuple[str, str, list[str]]:
    """Version, state, and each dialog as `id state`."""
    root = ET.fromstring(document)
    assert root.tag == f"{DIALOG}dialog-info"
    assert root.attrib["entity"] == ENTITY
    dialogs = [
        f"{one.attrib['id']} {one.findtext(f'{DIALOG}state')}" for one in root.findall(f"{DIALOG}dialog")
    ]
    return root.attrib["version"], root.attrib["state"], dialogs


def test_versions_rise_and_partial_documents_tell_what_changed() -> None:
    """RFC 4235 sections 4.1.1 and 4.3."""
    info = DialogInfo(ENTITY)
    assert told(info.document([], 0, full=True)) == ("0", "full", ["none terminated"])
    rings = WatchedDialog("a", EARLY, initiator=False)
    other = WatchedDialog("b", CONFIRMED, initiator=True)
    assert told(info.document([rings], 1, full=False)) == ("1", "partial", ["a early"])
    assert told(info.document([rings, other], 2, full=False)) == ("2", "partial", ["b confirmed"])
    talks = WatchedDialog("a", CONFIRMED, initiator=False)
    assert told(info.document([talks], 3, full=False)) == ("3", "partial", ["a confirmed", "b terminated"])
    assert told(info.document([talks], 4, full=False)) == ("4", "partial", [])
    assert told(info.document([talks], 5, full=True)) == ("5", "full", ["a confirmed"])
    assert told(info.document([], 6, full=True)) == ("6", "full", ["a terminated"])
    assert told(info.document([], 7, full=True)) == ("7", "full", ["none terminated"])


def test_a_dialog_says_all_that_may_be_told() -> None:
    """RFC 4235 section 4.1: the telephone's own view, so that a Replaces can be made of it."""
    info = DialogInfo(ENTITY)
    dialog = WatchedDialog("a", EARLY, False, "sip:1001@x", "Alice & <Al>", "c1", "theirs", "ours")
    (element,) = ET.fromstring(info.document([dialog], 0, full=True)).findall(f"{DIALOG}dialog")
    assert element.attrib == {
        "id": "a",
        "call-id": "c1",
        "local-tag": "theirs",
        "remote-tag": "ours",
        "direction": "recipient",
    }
    identity = element.find(f"{DIALOG}remote/{DIALOG}identity")
    assert identity is not None
    assert (identity.text, identity.attrib["display"]) == ("sip:1001@x", "Alice & <Al>")
    assert element.findtext(f"{DIALOG}local/{DIALOG}identity") == ENTITY


def test_a_dialog_says_nothing_that_may_not_be_told() -> None:
    document = DialogInfo(ENTITY).document([WatchedDialog("a", EARLY, True)], 0, full=True)
    assert b"remote" not in document
    assert b"call-id" not in document
    assert b'direction="initiator"' in document


@pytest.mark.parametrize("text", ["<&>\"'", "a\x00b", "\udc80\ud800", "\ufffe", "é\n", "]]>"])
def test_no_text_breaks_a_document(text: str) -> None:
    root = ET.fromstring(f'<a b="{xml_text(text)}">{xml_text(text)}</a>'.encode())
    assert root.text is not None


def test_a_mailbox() -> None:
    """RFC 3842 section 5.2."""
    assert summary("sip:1001@x", Mailbox()) == (
        b"Messages-Waiting: no\r\nMessage-Account: sip:1001@x\r\nVoice-Message: 0/0 (0/0)\r\n"
    )
    assert summary("sip:1001@x", Mailbox(2, 8, 0, 2)) == (
        b"Messages-Waiting: yes\r\nMessage-Account: sip:1001@x\r\nVoice-Message: 2/8 (0/2)\r\n"
    )


@pytest.mark.parametrize(
    "presence",
    [Presence(True), Presence(False, "Au marché <à 11 h> & après"), Presence(True, "", ("busy", "meeting"))],
)
def test_presence_is_read_as_it_was_written(presence: Presence) -> None:
    """RFC 3863 section 4.1."""
    assert parse_presence(presence_document(ENTITY, presence)) == presence


def test_activities_of_a_person_are_read_the_unknown_passed_over_and_they_are_bounded() -> None:
    """RFC 4480 section 3.2."""
    doing = "<r:on-the-phone/><r:juggling/><r:away/><r:away/><x:busy/><r:lunch/><r:meeting/><r:travel/>"
    body = PIDF.format(
        TUPLE.format(1, "open") + "<d:person xmlns:d='urn:ietf:params:xml:ns:pidf:data-model' id='p' "
        f"xmlns:x='urn:x' xmlns:r='urn:ietf:params:xml:ns:pidf:rpid'><r:activities>{doing}</r:activities>"
        "<r:busy/></d:person>"
    )
    assert parse_presence(body.encode()).activities == ("on-the-phone", "away", "lunch", "meeting")


PIDF = '<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="sip:a@b">{}</presence>'
TUPLE = "<tuple id='{}'><status><basic>{}</basic></status></tuple>"


def test_open_is_who_has_one_open_tuple() -> None:
    """RFC 3863 section 4.1.2."""
    both = PIDF.format(TUPLE.format(1, "closed") + TUPLE.format(2, " open ") + "<note>a</note><note>b</note>")
    assert parse_presence(both.encode()) == Presence(True, "a")
    assert parse_presence(PIDF.format(TUPLE.format(1, "closed")).encode()) == Presence(False)


def test_other_namespaces_are_passed_over() -> None:
    person = "<p:person xmlns:p='urn:p'><p:note>secret</p:note><p:basic>open</p:basic></p:person>"
    assert parse_presence(PIDF.format(TUPLE.format(1, "closed") + person).encode()) == Presence(False)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"\x00\xff", 400),
        (b"<presence/>", 400),
        (PIDF.format("").encode(), 400),
        (PIDF.format(TUPLE.format(1, "open"))[:-4].encode(), 400),
        (b'<!DOCTYPE a [<!ENTITY b "c">]>' + PIDF.format(TUPLE.format(1, "open")).encode(), 400),
        (('<!DOCTYPE a [<!ENTITY b "c">]>' + PIDF.format("&b;")).encode("utf-16"), 400),
        (b'<?xml version="1.0" encoding="nonsense"?>' + PIDF.format("").encode(), 400),
        (b'<?xml version="1.0" encoding="zip"?>' + PIDF.format("\xe9").encode("latin-1"), 400),
        (PIDF.format("<a>" * 20 + "</a>" * 20).encode(), 400),
        (PIDF.format("".join(TUPLE.format(n, "open") for n in range(17))).encode(), 400),
        (PIDF.format(" " * MAX_BYTES).encode(), 413),
    ],
)
def test_what_is_no_presence_is_refused(body: bytes, status: int) -> None:
    with pytest.raises(RemoteProtocolError) as refused:
        parse_presence(body)
    assert refused.value.status == status


def test_a_note_is_bounded() -> None:
    body = PIDF.format(TUPLE.format(1, "open") + f"<note>{'a' * 1000}</note>")
    assert len(parse_presence(body.encode()).note) == 200
