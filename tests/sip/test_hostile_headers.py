"""Whatever stands in the headers and bodies of events and call control: an answer, never an exception.

RFC 3515, RFC 3891, RFC 5806, RFC 7044, RFC 3325, RFC 6086, RFC 6665, RFC 3903, RFC 3863.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sip.core.diversion import diversions_of
from sip.core.errors import ParseError, RemoteProtocolError
from sip.core.history_info import history_of
from sip.core.identity import asserted_identity, preferred_number
from sip.core.info import digit_of
from sip.core.message import Request
from sip.core.pager import page_of
from sip.core.parser import parse_message
from sip.core.presence_document import parse_presence
from sip.core.refer import Refer, parse_sipfrag
from sip.core.replaces import Replaces, replaces_of
from tests.sip.test_subscription import Wire

PIECES = [
    *(
        "<",
        ">",
        '"',
        "\\",
        ";",
        ",",
        "=",
        "?",
        "&",
        "%",
        "%0d%0a",
        "%00",
        " ",
        "\t",
        "@",
        ":",
        "*",
        "+",
        "é",
        "\x7f",
    ),
    *(
        "sip:",
        "tel:",
        "sips:",
        "urn:x",
        "1001",
        "x.example",
        "[::1]",
        "method=INVITE",
        "Replaces=",
        "Reason=",
    ),
    *("to-tag=1", "from-tag=2", "early-only", "c1@x", "index=1.1", "rc=1", "np=1", "counter=", "99999999999"),
    *(
        "reason=user-busy",
        "privacy=full",
        "id",
        "none",
        "Signal=5",
        "Duration=",
        "dialog",
        "active",
        "expires=",
    ),
]
VALUES = st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=5)), max_size=14).map("".join)


def request(method: str, headers: dict[str, list[str]], body: bytes = b"") -> Request:
    usual = {
        "from": ["<sip:1001@x>;tag=1"],
        "to": ["<sip:1002@x>"],
        "call-id": ["c"],
        "cseq": [f"1 {method}"],
        "via": ["SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1"],
        "contact": ["<sip:1001@192.0.2.1>"],
    }
    return Request(method, "sip:1002@x", usual | headers, body)


READERS: list[tuple[str, tuple[str, ...], Callable[[Request], object]]] = [
    ("REFER", ("refer-to", "referred-by", "refer-sub"), Refer.parse),
    ("INVITE", ("replaces", "join"), replaces_of),
    (
        "INVITE",
        ("p-asserted-identity", "remote-party-id", "privacy"),
        lambda one: asserted_identity(one, trusted=True),
    ),
    ("INVITE", ("p-preferred-identity",), lambda one: preferred_number(one, {"1001"})),
    ("INVITE", ("diversion",), diversions_of),
    ("INVITE", ("history-info",), history_of),
    ("INFO", ("info-package", "content-type"), digit_of),
    ("MESSAGE", ("content-type",), page_of),
]


@pytest.mark.parametrize(("method", "names", "read"), READERS)
@settings(max_examples=150)
@given(values=st.lists(st.lists(VALUES, max_size=2), min_size=3, max_size=3), body=st.binary(max_size=40))
def test_a_header_is_read_or_refused(
    method: str,
    names: tuple[str, ...],
    read: Callable[[Request], object],
    values: list[list[str]],
    body: bytes,
) -> None:
    headers = {name: lines for name, lines in zip(names, values, strict=False) if lines}
    try:
        read(request(method, headers, body))
    except RemoteProtocolError as refused:
        assert 400 <= refused.status < 700


@settings(max_examples=300)
@given(value=VALUES)
def test_what_is_read_as_replaces_is_written_on_one_line(value: str) -> None:
    try:
        replaces = Replaces.parse(value)
    except ParseError:
        return
    assert "\r" not in replaces.value
    assert "\n" not in replaces.value
    assert Replaces.parse(replaces.value) == replaces


@settings(max_examples=300)
@given(value=VALUES)
def test_what_is_read_as_a_forward_is_written_on_one_line(value: str) -> None:
    for one in diversions_of(request("INVITE", {"diversion": [value]})):
        assert one.header.count("\r\n") == 1
    for entry in history_of(request("INVITE", {"history-info": [value]})):
        assert entry.header.count("\r\n") == 1


XML = st.lists(
    st.sampled_from(
        [
            *(
                '<presence xmlns="urn:ietf:params:xml:ns:pidf">',
                "</presence>",
                "<tuple>",
                "</tuple>",
                "<status>",
            ),
            *(
                "</status>",
                "<basic>",
                "</basic>",
                "open",
                "closed",
                "<note>",
                "</note>",
                "&amp;",
                "&x;",
                "<!--",
                "]]>",
            ),
            *("<!DOCTYPE a>", "<![CDATA[", "\x00", "é", "<?xml version='1.0' encoding='utf-7'?>", "<", "a:b"),
        ]
    ),
    max_size=20,
).map("".join)


@settings(max_examples=500)
@given(text=XML, codec=st.sampled_from(["utf-8", "utf-16", "latin-1"]))
@example(text="<a" * 4000, codec="utf-8")
def test_a_presence_document_is_read_or_refused(text: str, codec: str) -> None:
    try:
        presence = parse_presence(text.encode(codec))
    except RemoteProtocolError as refused:
        assert refused.status in {400, 413}
    else:
        assert len(presence.note) <= 200


@settings(max_examples=200)
@given(body=st.binary(max_size=60))
def test_a_fragment_is_read_or_refused(body: bytes) -> None:
    try:
        status, reason = parse_sipfrag(body)
    except ParseError:
        return
    assert 0 <= status <= 999
    assert "\n" not in reason


@settings(max_examples=200)
@given(event=VALUES, expires=VALUES, accept=VALUES, contact=VALUES)
def test_a_subscribe_gets_an_answer(event: str, expires: str, accept: str, contact: str) -> None:
    """RFC 6665 section 4.2.1.1: whatever it says, one final response, and the server lives."""
    wire = Wire()
    lines = [f"Event: {event}", f"Expires: {expires}", f"Accept: {accept}", f"Contact: {contact}"]
    data = (
        "SUBSCRIBE sip:1002@x SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.77;branch=z9hG4bK1\r\n"
        "From: <sip:1001@x>;tag=1\r\nTo: <sip:1002@x>\r\nCall-ID: c\r\nCSeq: 1 SUBSCRIBE\r\n"
        + "\r\n".join(lines)
        + "\r\n\r\n"
    ).encode("utf-8", "surrogatepass")
    try:
        parse_message(data)
    except ParseError:
        return  # refused before it is looked at
    wire.receive(data)
    answers = [text for text in wire.take() if text.endswith("SUBSCRIBE")]
    assert len(answers) == 1
    assert wire.server.core.stack.counts["internal error"] == 0
