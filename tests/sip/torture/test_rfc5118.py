"""The torture test messages of RFC 5118 (IPv6), one or more tests for each, named as the RFC names it."""

from __future__ import annotations

from sip.core.uri import SipUri
from sip.core.via import Via
from tests.sip.torture.endpoint import accepted, refused


def test_ipv6_good_valid_sip_message_with_an_ipv6_reference() -> None:
    """RFC 5118 section 4.1."""
    register = accepted("ipv6-good")
    assert SipUri.parse(register.uri).address == ("2001:db8::10", 5060)
    assert (register.via.host, register.via.port) == ("[2001:db8::9:1]", 0)
    assert register.contact.sip_uri.address == ("2001:db8::1", 5060)


def test_ipv6_bad_invalid_sip_message_with_an_ipv6_reference() -> None:
    """RFC 5118 section 4.2: an address without its brackets is a bad request."""
    assert refused("ipv6-bad").status == 400


def test_port_ambiguous_in_a_sip_uri() -> None:
    """RFC 5118 section 4.3: well formed; what was meant as a port is the end of the address."""
    uri = SipUri.parse(accepted("port-ambiguous").uri)
    assert uri.address == ("2001:db8::10:5070", 5060)
    assert uri.port == 0


def test_port_unambiguous_in_a_sip_uri() -> None:
    """RFC 5118 section 4.4."""
    assert SipUri.parse(accepted("port-unambiguous").uri).address == ("2001:db8::10", 5070)


def test_via_received_param_with_delim_is_accepted() -> None:
    """RFC 5118 section 4.5: some write brackets around `received` although the grammar has none."""
    bye = accepted("via-received-param-with-delim")
    assert Via.parse(bye.only("via")).parameters["received"] == "192.0.2.77"


def test_via_received_param_no_delim_is_accepted() -> None:
    """RFC 5118 section 4.5."""
    options = accepted("via-received-param-no-delim")
    assert Via.parse(options.only("via")).parameters["received"] == "192.0.2.77"


def test_via_received_means_the_same_address_with_and_without_brackets() -> None:
    """RFC 5118 section 4.5: a receiver is liberal in what it accepts."""
    bare = Via.parse("SIP/2.0/UDP [2001:db8::9:1];received=2001:db8::9:255;branch=z9hG4bKas3")
    bracketed = Via.parse("SIP/2.0/UDP [2001:db8::9:1];received=[2001:db8::9:255];branch=z9hG4bKas3")
    assert bare.parameters["received"] == "2001:db8::9:255"
    assert bracketed.parameters["received"].strip("[]") == "2001:db8::9:255"


def test_ipv6_in_sdp_sip_request_with_ipv6_addresses_in_its_body() -> None:
    """RFC 5118 section 4.6: the body is the media layer's, and reaches it whole."""
    invite = accepted("ipv6-in-sdp")
    assert invite.contact.sip_uri.address == ("2001:db8::20", 5060)
    assert b"\r\nc=IN IP6 2001:db8::20\r\n" in invite.body
    assert invite.body.endswith(b"a=rtpmap:107 H263-1998/90000\r\n")


def test_mult_ip_in_header_multiple_ip_addresses_in_sip_headers() -> None:
    """RFC 5118 section 4.7."""
    first, second, third = accepted("mult-ip-in-header").vias
    assert (first.host, first.port) == ("[2001:db8::9:1]", 6050)
    assert (second.host, second.port) == ("192.0.2.1", 0)
    assert (third.transport, third.host) == ("TCP", "[2001:db8::9:255]")
    assert third.parameters["received"] == "192.0.2.200"


def test_mult_ip_in_sdp_multiple_ip_addresses_in_sdp() -> None:
    """RFC 5118 section 4.8."""
    invite = accepted("mult-ip-in-sdp")
    assert invite.body.count(b"\r\nc=IN IP4 192.0.2.1\r\n") == 1
    assert invite.body.count(b"\r\nc=IN IP6 2001:db8::1\r\n") == 1


def test_ipv4_mapped_ipv6_addresses() -> None:
    """RFC 5118 section 4.9."""
    invite = accepted("ipv4-mapped-ipv6")
    assert [(via.host, via.port) for via in invite.vias] == [
        ("[::ffff:192.0.2.10]", 19823),
        ("[::ffff:192.0.2.2]", 0),
    ]
    assert invite.contact.sip_uri.address == ("::ffff:192.0.2.2", 5060)


def test_ipv6_bug_abnf_3_colons_is_tolerated() -> None:
    """RFC 5118 section 4.10: the grammar of RFC 3261 allows a third colon, so it must be tolerated."""
    options = accepted("ipv6-bug-abnf-3-colons")
    assert SipUri.parse(options.uri).user == "user"
    assert options.to.sip_uri.host == "[2001:db8:::192.0.2.1]"


def test_ipv6_correct_abnf_2_colons_is_accepted() -> None:
    """RFC 5118 section 4.10."""
    assert accepted("ipv6-correct-abnf-2-colons").to.sip_uri.address == ("2001:db8::192.0.2.1", 5060)
