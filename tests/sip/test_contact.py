"""Our own Contact, by the flow that a peer is on (RFC 3261 sections 8.1.1.8, 12.1.1 and 19.1, RFC 7118)."""

from __future__ import annotations

import pytest

from sip.core.flow import Flow
from sip.core.session import contact_uri


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
