"""Our own Contact, by the flow that a peer is on (RFC 3261 sections 8.1.1.8, 12.1.1 and 19.1, RFC 7118)."""

from __future__ import annotations

import pytest

from sip.core.dialog import Dialog
from sip.core.errors import RemoteProtocolError
from sip.core.flow import Flow
from sip.core.inspection import check_secure
from sip.core.session import Session, contact_uri
from tests.sip.line import core
from tests.sip.messages import request
from tests.sip.test_ua_core import Owner


def flow(transport: str) -> Flow:
    return Flow(transport, ("192.0.2.1", 5061), ("192.0.2.77", 5062))


@pytest.mark.parametrize(
    ("transport", "contact"),
    [
        ("UDP", "sip:192.0.2.1:5061"),
        ("TCP", "sip:192.0.2.1:5061;transport=tcp"),
        ("TLS", "sip:192.0.2.1:5061;transport=tls"),
        ("WS", "sip:192.0.2.1:5061;transport=ws"),
        ("WSS", "sip:192.0.2.1:5061;transport=ws"),  # RFC 7118 section 5.2.3 has no other
    ],
)
def test_the_contact_names_the_transport(transport: str, contact: str):
    assert contact_uri(flow(transport), "sip:1002@valmont.example") == contact


@pytest.mark.parametrize(
    ("transport", "contact"),
    [("TLS", "sips:192.0.2.1:5061"), ("WSS", "sips:192.0.2.1:5061;transport=ws")],
)
def test_who_is_asked_for_securely_has_a_secure_contact(transport: str, contact: str):
    """RFC 3261 section 26.2.2: a SIPS URI says TLS by itself."""
    assert contact_uri(flow(transport), "SIPS:1002@valmont.example") == contact


def test_a_secure_contact_is_not_promised_where_there_is_no_tls():
    assert contact_uri(flow("UDP"), "sips:1002@valmont.example") == "sip:192.0.2.1:5061"


def test_a_secure_first_proxy_makes_a_secure_contact() -> None:
    """RFC 3261 section 12.1.1: SIPS in the topmost Record-Route."""
    user, contact = Owner(), "Contact: <sip:alice@192.0.2.77>\r\n"
    for scheme, expected in (("sips", "sips:192.0.2.1:5061"), ("sip", "sip:192.0.2.1:5061;transport=tls")):
        asked = request("INVITE", headers=f"{contact}Record-Route: <{scheme}:192.0.2.77;lr>\r\n")
        asked.flow = flow("TLS")
        dialog = Dialog.of_request(asked, "ours", flow("TLS"))
        session = Session(core("callee"), dialog, user, placed=False, authorize=None)
        assert session.contact == expected


@pytest.mark.parametrize("transport", ["UDP", "TCP", "WS"])
def test_a_request_for_a_secure_address_over_an_open_way_is_refused(transport: str) -> None:
    """RFC 3261 section 26.2.2, RFC 5630 section 3.1: who asks was promised TLS on every hop."""
    asked = request("OPTIONS", uri="SIPS:bruno@valmont.example")
    asked.flow = flow(transport)
    with pytest.raises(RemoteProtocolError) as refused:
        check_secure(asked)
    assert refused.value.status == 480
    assert refused.value.headers == (("Warning", '380 beffroi "SIPS Not Allowed"'),)


@pytest.mark.parametrize(
    ("transport", "uri"),
    [("TLS", "sips:b@b.example"), ("WSS", "sips:b.example"), ("UDP", "sip:b.example")],
)
def test_a_request_that_keeps_what_its_address_promises_is_taken(transport: str, uri: str) -> None:
    asked = request("OPTIONS", uri=uri)
    asked.flow = flow(transport)
    check_secure(asked)
