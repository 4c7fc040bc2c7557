"""What an INVITE to an operator says, option by option."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dialplan.country import load_country
from dialplan.plan import Server, Trunk
from pbx.trunks.invitation import Invitation, invitation, route_of, uri_host
from sip.core.flow import Flow
from sip.net.resolver import Target

FRANCE = load_country("FR")
FLOW = Flow("UDP", ("192.0.2.10", 5060), ("203.0.113.1", 5060))
TRUNK = Trunk(
    name="t",
    host="op.example",
    port=0,
    transport="udp",
    username="u1",
    secret=None,
    owns=(),
    presents=(),
    channels=1,
    emergency_channels=0,
    line=0,
    column=0,
    account="u1",
)


def says(trunk: Trunk = TRUNK, *options: str, shown: str = "+33383000100", **how: bool) -> Invitation:
    return invitation(
        replace(trunk, options=frozenset(options)),
        FRANCE,
        FLOW,
        "+33612345678",
        shown=shown,
        name="Alice",
        domain="town.example",
        **how,
    )


def test_the_usual_form() -> None:
    """RFC 3325 section 9.1."""
    assert says() == Invitation(
        uri="sip:+33612345678@op.example",
        from_='"Alice" <sip:+33383000100@town.example>',
        to="<sip:+33612345678@op.example>",
        headers="P-Asserted-Identity: <sip:+33383000100@op.example>\r\n",
        contact="",
    )


def test_user_phone_stands_behind_every_number() -> None:
    """RFC 3261 section 19.1.1."""
    told = says(TRUNK, "user_phone")
    assert told.uri == "sip:+33612345678@op.example;user=phone"
    assert told.to == "<sip:+33612345678@op.example;user=phone>"
    assert told.from_ == '"Alice" <sip:+33383000100@town.example;user=phone>'
    assert told.headers == "P-Asserted-Identity: <sip:+33383000100@op.example;user=phone>\r\n"


def test_from_may_have_the_operators_domain_or_the_account() -> None:
    assert says(TRUNK, "from_domain").from_ == '"Alice" <sip:+33383000100@op.example>'
    assert says(TRUNK, "account_in_from").from_ == '"Alice" <sip:u1@op.example>'


def test_contact_may_have_the_account() -> None:
    assert says(TRUNK, "account_in_contact").contact == "sip:u1@192.0.2.10:5060"


@pytest.mark.parametrize(
    ("form", "header"),
    [
        ("asserted", "P-Asserted-Identity: <sip:+33383000100@op.example>\r\n"),
        ("preferred", "P-Preferred-Identity: <sip:+33383000100@op.example>\r\n"),
        (
            "remote_party_id",
            "Remote-Party-ID: <sip:+33383000100@op.example>;party=calling;screen=yes\r\n",
        ),
        ("from", ""),
    ],
)
def test_the_number_stands_where_the_operator_reads_it(form: str, header: str) -> None:
    assert says(replace(TRUNK, caller_id_out=form)).headers == header


def test_both_numbers_are_in_the_operators_form() -> None:
    told = says(replace(TRUNK, numbers_out="national"))
    assert told.uri == "sip:0612345678@op.example"
    assert "<sip:0383000100@" in told.from_
    assert "<sip:0383000100@" in told.headers


def test_a_caller_who_hides_is_anonymous_to_all_but_the_operator() -> None:
    """RFC 3323 section 4.1.1.3, RFC 3325 section 9.3."""
    told = says(anonymous=True)
    assert told.from_ == '"Anonymous" <sip:anonymous@anonymous.invalid>'
    assert told.headers == "P-Asserted-Identity: <sip:+33383000100@op.example>\r\nPrivacy: id\r\n"
    assert says(TRUNK, "account_in_from", anonymous=True).from_ == "<sip:u1@op.example>"


def test_an_emergency_call_is_never_anonymous() -> None:
    """Design, promise 3."""
    told = says(anonymous=True, emergency=True)
    assert told.from_ == "<sip:+33383000100@town.example>"
    assert told.headers.endswith("\r\nPriority: emergency\r\n")
    assert "Privacy" not in told.headers


def test_without_a_number_to_show_nothing_is_asserted() -> None:
    told = says(shown="")
    assert told.from_ == '"Alice" <sip:anonymous@town.example>'
    assert told.headers == ""


def test_a_port_that_is_not_the_usual_one_is_in_the_request_uri() -> None:
    assert says(replace(TRUNK, port=5080)).uri == "sip:+33612345678@op.example:5080"
    assert says(replace(TRUNK, port=5060)).uri == "sip:+33612345678@op.example"


def test_an_ipv6_operator_has_its_brackets() -> None:
    """RFC 3261 section 25.1, IPv6reference."""
    assert says(replace(TRUNK, host="2001:db8::1")).uri == "sip:+33612345678@[2001:db8::1]"
    assert uri_host("[2001:db8::1]") == "[2001:db8::1]"


@pytest.mark.parametrize(
    ("server", "target", "route"),
    [
        (Server("p.example", 0), Target("UDP", "192.0.2.1", 5060, "p.example"), "<sip:p.example;lr>"),
        (Server("p.example", 5070), Target("UDP", "192.0.2.1", 5070, "p.example"), "<sip:p.example:5070;lr>"),
        (
            Server("p.example", 0),
            Target("TLS", "192.0.2.1", 5061, "p.example"),
            "<sip:p.example;transport=tls;lr>",
        ),
        (Server("[::1]", 5070), Target("TCP", "::1", 5070, "::1"), "<sip:[::1]:5070;transport=tcp;lr>"),
    ],
)
def test_the_route_names_the_proxy(server: Server, target: Target, route: str) -> None:
    """RFC 3261 section 8.1.2."""
    trunk = replace(TRUNK, proxies=(server,))
    assert route_of(trunk, target) == (route,)
    assert route_of(replace(trunk, options=frozenset({"no_route"})), target) == ()
    assert route_of(TRUNK, target) == ()


def test_what_a_caller_is_called_cannot_end_a_header() -> None:
    told = invitation(
        TRUNK, FRANCE, FLOW, "18", shown="", name='x"\r\nEvil: yes', domain="town.example", emergency=False
    )
    assert "\r\nEvil" not in told.from_


def forwarded(*options: str, trunk: Trunk = TRUNK, original: str = "+33699999999") -> Invitation:
    return invitation(
        replace(trunk, options=frozenset(options)),
        FRANCE,
        FLOW,
        "+33612345678",
        shown="+33383000100",
        name="",
        domain="town.example",
        original=original,
    )


def test_who_called_a_forwarded_call_is_shown_where_the_operator_wants_it() -> None:
    """RFC 3325 section 9.1: what is asserted stays ours."""
    told = forwarded("forwarded_caller")
    assert told.from_ == "<sip:+33699999999@town.example>"
    assert told.headers == "P-Asserted-Identity: <sip:+33383000100@op.example>\r\n"
    assert forwarded().from_ == "<sip:+33383000100@town.example>"


def test_who_called_is_not_shown_where_nothing_else_would_say_who_we_are() -> None:
    in_from = replace(TRUNK, caller_id_out="from")
    assert forwarded("forwarded_caller", trunk=in_from).from_ == "<sip:+33383000100@town.example>"


@pytest.mark.parametrize("original", ["", "2010"])
def test_what_is_no_public_number_is_not_shown(original: str) -> None:
    assert forwarded("forwarded_caller", original=original).from_ == "<sip:+33383000100@town.example>"
