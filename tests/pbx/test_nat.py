"""Who is behind a NAT, by its Via and its SDP (RFC 3581, RFC 1918)."""

from __future__ import annotations

import pytest

from pbx.nat import is_behind_nat
from tests.sip.messages import request

PUBLIC = "203.0.113.50"


def invite(sent_by: str, sdp_address: str) -> bool:
    version = 6 if ":" in sdp_address else 4
    body = (
        f"v=0\r\no=- 1 1 IN IP{version} {sdp_address}\r\ns=-\r\nc=IN IP{version} {sdp_address}\r\nt=0 0\r\n"
    )
    asked = request(
        "INVITE",
        via=f"SIP/2.0/UDP {sent_by};branch=z9hG4bK1;rport",
        body=body.encode() if sdp_address else b"",
    )
    return is_behind_nat(asked, PUBLIC)


@pytest.mark.parametrize(
    ("sent_by", "sdp_address"),
    [
        ("192.168.1.11:5060", "192.168.1.11"),
        ("192.168.1.11", ""),
        ("phone.local", PUBLIC),
        (PUBLIC, "192.168.1.11"),
        (PUBLIC, "100.64.3.3"),
        (f"{PUBLIC}:4711", "fd00::11"),
    ],
)
def test_a_party_that_is_not_where_it_says_is_behind_a_nat(sent_by: str, sdp_address: str) -> None:
    assert invite(sent_by, sdp_address)


@pytest.mark.parametrize(
    ("sent_by", "sdp_address"),
    [
        (PUBLIC, PUBLIC),
        (PUBLIC, ""),
        (f"{PUBLIC}:5070", "203.0.113.51"),  # a gateway whose sound is on another machine
        (PUBLIC, "2001:db8::1"),
        (PUBLIC, "0.0.0.0"),
        (PUBLIC, "999.1.1.1"),
    ],
)
def test_a_party_that_is_where_it_says_is_not(sent_by: str, sdp_address: str) -> None:
    assert not invite(sent_by, sdp_address)


def test_two_private_addresses_are_a_network_of_several_sites_not_a_nat() -> None:
    body = b"v=0\r\nc=IN IP4 10.2.0.9\r\n"
    asked = request("INVITE", via="SIP/2.0/UDP 10.1.0.9;branch=z9hG4bK1", body=body)
    assert not is_behind_nat(asked, "10.1.0.9")
