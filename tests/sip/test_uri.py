"""SIP URIs: the examples of RFC 3261 sections 19.1.3 and 19.1.4, and what must not parse."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sip.core.errors import ParseError
from sip.core.uri import SipUri, equal


def same(first: str, second: str) -> bool:
    return equal(SipUri.parse(first), SipUri.parse(second))


@pytest.mark.parametrize(
    "text",
    [
        "sip:alice@atlanta.com",
        "sip:alice:secretword@atlanta.com;transport=tcp",
        "sips:alice@atlanta.com?subject=project%20x&priority=urgent",
        "sip:+1-212-555-1212:1234@gateway.com;user=phone",
        "sips:1212@gateway.com",
        "sip:alice@192.0.2.4",
        "sip:atlanta.com;method=REGISTER?to=alice%40atlanta.com",
        "sip:alice;day=tuesday@atlanta.com",
    ],
)
def test_the_examples_of_rfc_3261_parse_and_are_written_back_as_they_were(text: str) -> None:
    """RFC 3261 section 19.1.3."""
    assert str(SipUri.parse(text)) == text


def test_the_parts_of_a_uri_are_told_apart() -> None:
    """RFC 3261 section 19.1.1."""
    uri = SipUri.parse("sips:+1-212-555-1212:1234@Gateway.COM:5071;user=phone;lr?subject=x&to=y")
    assert (uri.scheme, uri.user, uri.password) == ("sips", "+1-212-555-1212", "1234")
    assert (uri.host, uri.port) == ("gateway.com", 5071)
    assert uri.parameters == {"user": "phone", "lr": ""}
    assert uri.headers == "subject=x&to=y"


def test_a_semicolon_in_the_user_part_belongs_to_the_user() -> None:
    """RFC 3261 section 19.1.3: the user field is `alice;day=tuesday`."""
    uri = SipUri.parse("sip:alice;day=tuesday@atlanta.com")
    assert uri.user == "alice;day=tuesday"
    assert uri.parameters == {}


EQUIVALENT = [
    ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtlanTa.CoM;Transport=tcp"),
    ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
    ("sip:carol@chicago.com", "sip:carol@chicago.com;security=on"),
    ("sip:carol@chicago.com;newparam=5", "sip:carol@chicago.com;security=on"),
    (
        "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
        "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
    ),
    (
        "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
        "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
    ),
]


@pytest.mark.parametrize(("first", "second"), EQUIVALENT)
def test_the_equivalent_examples_of_rfc_3261_are_equal_both_ways(first: str, second: str) -> None:
    """RFC 3261 section 19.1.4."""
    assert same(first, second)
    assert same(second, first)


NOT_EQUIVALENT = [
    ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"),
    ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
    ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
    ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"),
    ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
    ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
    ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"),
]


@pytest.mark.parametrize(("first", "second"), NOT_EQUIVALENT)
def test_the_different_examples_of_rfc_3261_differ_both_ways(first: str, second: str) -> None:
    """RFC 3261 section 19.1.4; the last pair is why equality isn't transitive."""
    assert not same(first, second)
    assert not same(second, first)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("sip:alice@atlanta.com", "sips:alice@atlanta.com"),
        ("sip:alice@atlanta.com", "sip:atlanta.com"),
        ("sip:alice:one@atlanta.com", "sip:alice:two@atlanta.com"),
        ("sip:alice:one@atlanta.com", "sip:alice@atlanta.com"),
        ("sip:alice@atlanta.com", "sip:alice@atlanta.com;user=phone"),
        ("sip:alice@atlanta.com", "sip:alice@atlanta.com;ttl=1"),
        ("sip:alice@atlanta.com", "sip:alice@atlanta.com;maddr=192.0.2.1"),
        ("sip:alice@atlanta.com", "sip:alice@atlanta.com;method=INVITE"),
        ("sip:alice@atlanta.com?subject=a", "sip:alice@atlanta.com?subject=b"),
    ],
)
def test_scheme_userinfo_and_the_five_parameters_always_count(first: str, second: str) -> None:
    """RFC 3261 section 19.1.4: user, ttl, method, maddr and transport count even in one URI alone."""
    assert not same(first, second)


def test_uris_compared_without_parameters_need_only_agree_on_the_rest() -> None:
    """RFC 7616 section 3.4.6 asks for equivalence of `uri`; phones add parameters of their own to it."""
    first = SipUri.parse("sip:valmont.example;transport=udp")
    assert equal(first, SipUri.parse("sip:valmont.example"), parameters=False)
    assert not equal(first, SipUri.parse("sip:valmont.example:5060"), parameters=False)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sip:",
        "sip:@host",
        "sip:user@",
        "sip:us er@host",
        "sip:user@ho st",
        "sip:user@host:99999",
        "sip:user@host:",
        "sip:user@host:5060x",
        "sip:user%4@host",
        "sip:user%zz@host",
        "sip:user@host;lr;lr",
        "sip:user@[2001:db8::1",
        "sip:2001:db8::10",
        "sip:user@host\r\nX: y",
        "sip:user@host;a=\x00",
        "sip:user@-host",
        "ſip:user@host",
        "sip:user@host:\u0665\u0660\u0666\u0660",
    ],
)
def test_what_is_not_a_sip_uri_is_a_bad_request(text: str) -> None:
    with pytest.raises(ParseError) as caught:
        SipUri.parse(text)
    assert caught.value.status == 400


@pytest.mark.parametrize(
    "text", ["tel:+33321000000", "http://www.example.com", "isbn:2983792873", "name:John"]
)
def test_another_scheme_is_refused_with_416(text: str) -> None:
    """RFC 3261 section 8.2.2.1."""
    with pytest.raises(ParseError) as caught:
        SipUri.parse(text)
    assert caught.value.status == 416


def test_escapes_are_undone_once_and_only_once() -> None:
    """RFC 3261 section 19.1.2; RFC 4475 section 3.1.1.3."""
    assert SipUri.parse("sip:%2541@host").user == "%41"


def test_a_hash_that_a_phone_did_not_escape_is_read_and_written_escaped() -> None:
    """RFC 3261 section 25.1 leaves it out of `user-unreserved`; phones dial #21# as it is."""
    assert str(SipUri.parse("sip:#21#@valmont.example")) == "sip:%2321%23@valmont.example"
    assert same("sip:#21#@valmont.example", "sip:%2321%23@valmont.example")


def test_an_ipv6_host_keeps_its_brackets_and_gives_its_address_without() -> None:
    """RFC 5118 sections 4.1 and 4.4."""
    uri = SipUri.parse("sip:[2001:DB8::10]:5070")
    assert uri.host == "[2001:db8::10]"
    assert uri.address == ("2001:db8::10", 5070)


def test_the_default_port_follows_the_scheme() -> None:
    """RFC 3261 section 19.1.2."""
    assert SipUri.parse("sip:host").address == ("host", 5060)
    assert SipUri.parse("sips:host").address == ("host", 5061)


@given(user=st.text(min_size=1), password=st.none() | st.text())
def test_any_user_and_password_survive_being_written_and_read(user: str, password: str | None) -> None:
    """RFC 3261 section 19.1.2."""
    uri = SipUri("sip", user, password, "host.example")
    assert SipUri.parse(str(uri)) == uri
