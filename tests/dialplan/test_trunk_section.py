"""The `trunks:` section: what an operator's line may say, and the error for what it may not."""

from __future__ import annotations

import pytest

from dialplan.checking import check
from dialplan.country import load_country
from dialplan.finding import PlanError
from dialplan.loading import parse_plan
from dialplan.number_formats import read_number, written
from dialplan.plan import Server, Trunk

FRANCE = load_country("FR")
HEAD = "plan: 1\norganization: X\ncountry: FR\ntrunks:\n  t:\n    host: sip.op.example\n"


def trunk(*lines: str) -> Trunk:
    return parse_plan(HEAD + "".join(f"    {line}\n" for line in lines), "plan.yaml").trunks["t"]


def refusal(*lines: str) -> str:
    with pytest.raises(PlanError) as raised:
        trunk(*lines)
    (finding,) = raised.value.findings
    return str(finding)


def codes(text: str) -> list[str]:
    return [finding.code for finding in check(parse_plan(text, "plan.yaml"))]


def test_a_trunk_with_nothing_but_its_host_leaves_the_rest_to_dns() -> None:
    found = trunk()
    assert (found.port, found.transport, found.servers) == (0, "auto", (Server("sip.op.example", 0),))
    assert not found.registers
    assert found.supervise_seconds == 60


def test_proxies_are_one_server_or_a_list_in_order() -> None:
    assert trunk("proxy: proxy.op.example").servers == (Server("proxy.op.example", 0),)
    found = trunk('proxy: [a.op.example:5080, 192.0.2.1, "[2001:db8::1]:5070"]')
    assert found.servers == (
        Server("a.op.example", 5080),
        Server("192.0.2.1", 0),
        Server("[2001:db8::1]", 5070),
    )


def test_the_account_is_the_username_unless_it_is_written() -> None:
    assert trunk("username: u1").account == "u1"
    assert trunk("username: u1", "account: '+33383000100'").account == "+33383000100"


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (("proxy: 'a b'",), 'plan.yaml:7:12: "a b" is no server; write proxy.example or 192.0.2.1:5060'),
        (("proxy: a.example:70000",), 'plan.yaml:7:12: "a.example:70000" is no server'),
        (("register: true", "secret: {env: S}"), "a trunk that registers needs its username"),
        (("register: true", "username: u"), "a trunk that registers needs its secret"),
        (("sources: [192.0.2.1/24]",), '"192.0.2.1/24" is no network; write 192.0.2.0/24'),
        (("certificates: ['*.op.example']",), '"*.op.example" is no name that a certificate could have'),
        (("numbers_out: e614",), 'unknown format "e614"; did you mean "e164"?'),
        (("numbers_in: bear",), 'unknown reading "bear"; did you mean "bare"?'),
        (("options: [user_fone]",), 'unknown option "user_fone"; did you mean "user_phone"?'),
        (("caller_id_in: pai",), 'unknown source "pai"'),
        (("caller_id_out: none",), 'unknown form "none"'),
        (("account: 'a b'",), "can't be the user part of an address"),
        (("register_seconds: 10",), "expected a whole number between 60 and 86400"),
        (("supervise_misses: 0",), "expected a whole number between 1 and 20"),
        (("transport: sctp",), 'unknown transport "sctp"'),
        ((f"proxy: [{', '.join(f'p{number}.example' for number in range(9))}]",), "9 servers; 8 are tried"),
    ],
)
def test_a_mistake_is_told_with_its_place_and_mend(lines: tuple[str, ...], said: str) -> None:
    assert said in refusal(*lines)


def test_certificates_without_tls_are_a_warning() -> None:
    assert "certificates_without_tls" in codes(HEAD + "    certificates: [op.example]\n    transport: udp\n")
    assert "certificates_without_tls" not in codes(
        HEAD + "    certificates: [op.example]\n    transport: tls\n"
    )


def test_an_option_that_needs_an_account_is_an_error_without_one() -> None:
    assert "no_account" in codes(HEAD + "    options: [account_in_from]\n")
    assert "no_account" not in codes(HEAD + "    options: [account_in_from]\n    username: u\n")


def test_two_trunks_with_one_host_are_noted_unless_a_registration_tells_them_apart() -> None:
    second = "  u:\n    host: sip.op.example\n"
    assert "same_host" in codes(HEAD + second)
    registers = "    register: true\n    username: u\n    secret: {env: S}\n"
    assert "same_host" not in codes(HEAD + second + registers)


@pytest.mark.parametrize(
    ("form", "number", "text"),
    [
        ("e164", "+33612345678", "+33612345678"),
        ("digits", "+33612345678", "33612345678"),
        ("international", "+33612345678", "0033612345678"),
        ("national", "+33612345678", "0612345678"),
        ("national", "+441632960000", "00441632960000"),
        ("national", "+262262123456", "0262123456"),
        ("national", "18", "18"),
        ("digits", "112", "112"),
        ("international", "3008", "3008"),
    ],
)
def test_a_number_is_written_as_the_operator_wants_it_and_short_ones_as_they_are(
    form: str, number: str, text: str
) -> None:
    assert written(number, form, FRANCE) == text


@pytest.mark.parametrize(
    ("reading", "text", "number"),
    [
        ("bare", "383001010", "+33383001010"),
        ("bare", "0383001010", "0383001010"),
        ("bare", "0033383001010", "0033383001010"),
        ("bare", "+33383001010", "+33383001010"),
        ("bare", "18", "18"),
        ("bare", "383001010;npdi", "+33383001010"),
        ("auto", "383001010", "383001010"),
    ],
)
def test_a_bare_number_gets_its_country(reading: str, text: str, number: str) -> None:
    assert read_number(text, reading, FRANCE) == number
