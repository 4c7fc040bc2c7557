"""CPIM and receipts: what others write is read strictly, what we write reads back (RFC 3862, RFC 5438)."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sip.core.cpim import MAX_LINES, Cpim, cpim, parse_cpim
from sip.core.errors import ParseError
from sip.core.imdn import DELIVERED, FAILED, NAMESPACE, STORED, ReceiptsAsked, receipt, receipts_asked

ASKING = (
    b"From: MR SANDERS <im:piglet@100akerwood.com>\r\n"
    b"NS: imdn <urn:ietf:params:imdn>\r\n"
    b"imdn.Message-ID: 34jk324j\r\n"
    b"imdn.Disposition-Notification: positive-delivery, Negative-Delivery\r\n"
    b"\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\n"
    b"Content-Length: 5\r\n"
    b"\r\n"
    b"Hello"
)


def test_a_message_is_read_with_its_own_headers_and_its_content() -> None:
    """RFC 3862 section 2."""
    message = parse_cpim(ASKING)
    assert message.headers["", "from"] == "MR SANDERS <im:piglet@100akerwood.com>"
    assert message.headers[NAMESPACE, "message-id"] == "34jk324j"
    assert message.content_type == "text/plain; charset=utf-8"
    assert message.content == b"Hello"


def test_a_content_that_is_encoded_is_said_to_be_so() -> None:
    """RFC 2045 section 6.1."""
    for encoding, encoded in ((b"base64", True), (b"8bit", False), (b"BINARY", False)):
        line = b"Content-Transfer-Encoding: " + encoding + b"\r\n"
        body = ASKING.replace(b"Content-Length: 5\r\n", line)
        assert parse_cpim(body).encoded is encoded


def test_what_a_sender_asks_for_is_read_whatever_the_prefix_and_the_letters() -> None:
    """RFC 3862 section 3.4: a prefix is what NS says; RFC 5438 section 6.2."""
    asked = receipts_asked(parse_cpim(ASKING.replace(b"imdn.", b"x.").replace(b"NS: imdn", b"NS: x")))
    assert asked.asks(DELIVERED)
    assert asked.asks(FAILED)
    assert not asked.asks(STORED)


@pytest.mark.parametrize("identifier", [b"", b"a b", b"x" * 129, "é".encode()])
def test_without_a_usable_message_id_nothing_is_asked_for(identifier: bytes) -> None:
    asked = receipts_asked(parse_cpim(ASKING.replace(b"34jk324j", identifier)))
    assert not asked.asks(DELIVERED)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"Hello",
        b"From: <a>\r\n\r\nHello",
        b"no colon\r\n\r\n\r\n",
        b"other.Name: 1\r\n\r\n\r\n",
        b"NS: nonsense\r\n\r\n\r\n",
        b"N\xff: 1\r\n\r\n\r\n",
        b"A: 1\r\n" * (MAX_LINES + 1) + b"\r\n\r\n",
    ],
)
def test_what_is_no_message_is_refused(body: bytes) -> None:
    with pytest.raises(ParseError):
        parse_cpim(body)


@given(st.binary(max_size=400))
def test_whatever_comes_is_read_or_refused(body: bytes) -> None:
    for candidate in (body, ASKING[:100] + body, body + ASKING):
        try:
            assert isinstance(parse_cpim(candidate), Cpim)
        except ParseError:
            continue


@given(st.binary(max_size=50))
def test_what_we_write_reads_back(content: bytes) -> None:
    written = cpim(
        [("From", "<sip:1001@x>"), ("NS", "a <b:c>"), ("a.B", "é")], [("Content-Type", "x/y")], content
    )
    assert parse_cpim(written) == Cpim({("", "from"): "<sip:1001@x>", ("b:c", "b"): "é"}, "x/y", content)


@pytest.mark.parametrize(
    ("status", "kind"), [(DELIVERED, "delivery"), (FAILED, "delivery"), (STORED, "processing")]
)
def test_a_receipt_names_the_text_and_what_became_of_it(status: str, kind: str) -> None:
    """RFC 5438 section 11."""
    asked = ReceiptsAsked("<&>", frozenset({"processing"}))
    body = receipt(
        status, asked=asked, own_id="abc", sender="sip:1001@x", recipient="sip:1002@x", written_at=1e9
    )
    message = parse_cpim(body)
    assert message.headers["", "to"] == "<sip:1001@x>"
    assert message.headers[NAMESPACE, "message-id"] == "abc"
    assert not receipts_asked(message).asks(status)  # RFC 5438 section 7.2.1: never one of a receipt
    root = ET.fromstring(message.content)
    names = {"i": "urn:ietf:params:xml:ns:imdn"}
    assert root.findtext("i:message-id", None, names) == "<&>"
    assert root.findtext("i:recipient-uri", None, names) == "sip:1002@x"
    assert root.findtext("i:datetime", None, names) == "2001-09-09T01:46:40+00:00"
    assert root.find(f"i:{kind}-notification/i:status/i:{status}", names) is not None
