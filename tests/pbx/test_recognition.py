"""What an operator's INVITE says: who calls, and which number of ours."""

from __future__ import annotations

import pytest

from dialplan.country import load_country
from dialplan.loading import parse_plan
from dialplan.plan import Trunk
from pbx.trunks.recognition import Recognition, called_number, calling_number
from sip.core.flow import Flow
from sip.core.message import Request
from sip.core.parser import parse_message

FRANCE = load_country("FR")
MARK = "0123456789abcdef0123456789abcdef"


def trunk(*lines: str) -> Trunk:
    text = "plan: 1\norganization: X\ncountry: FR\ntrunks:\n  t:\n    host: op.example\n"
    return parse_plan(text + "".join(f"    {line}\n" for line in lines), "plan.yaml").trunks["t"]


def invite(*lines: str, sender: str = "<sip:+33699999999@op.example>") -> Request:
    head = ["INVITE sip:1@x SIP/2.0", "Via: SIP/2.0/UDP op.example;branch=z9hG4bK1", f"From: {sender};tag=1"]
    rest = ["To: <sip:1@x>", "Call-ID: c", "CSeq: 1 INVITE", *lines, "Content-Length: 0"]
    message = parse_message(("\r\n".join(head + rest) + "\r\n\r\n").encode())
    assert isinstance(message, Request)
    return message


def caller_number(request: Request, *lines: str) -> str:
    return calling_number(trunk(*lines), request, FRANCE)[0]


@pytest.mark.parametrize(
    ("lines", "number"),
    [
        ([], "+33699999999"),
        (["P-Asserted-Identity: <sip:+33601020304@op.example>"], "+33601020304"),
        (['P-Asserted-Identity: "Bob, B." <sip:+33601020304@op.example>'], "+33601020304"),
        (["P-Asserted-Identity: <sip:bob@op.example>, <tel:+33601020304>"], "+33601020304"),
        (["P-Asserted-Identity: <sip:bob@op.example>", "P-Asserted-Identity: <tel:+336>"], "+336"),
        (["P-Asserted-Identity: tel:+33-6-01-02-03-04;cpc=ordinary"], "+33601020304"),
        (["P-Asserted-Identity: nonsense"], "+33699999999"),
        (["P-Asserted-Identity: <mailto:bob@op.example>"], "+33699999999"),
        (['P-Asserted-Identity: "unfinished <sip:+336@x>'], "+33699999999"),
    ],
)
def test_the_callers_number_is_the_one_asserted_else_the_one_of_from(lines: list[str], number: str) -> None:
    """RFC 3325 section 9.1: at most one SIP and one tel URI."""
    assert caller_number(invite(*lines)) == number


@pytest.mark.parametrize(
    ("sender", "number"),
    [
        ("<sip:anonymous@anonymous.invalid>", ""),
        ("<tel:+33699999999>", "+33699999999"),
        ("<sip:0699999999;phone-context=+33@op.example>", "0699999999"),
        ("<sip:op.example>", ""),
        ("<sip:%0d%0aVia%3a@op.example>", ""),
        (f"<sip:{'9' * 40}@op.example>", ""),
        ("<http://op.example>", ""),
    ],
)
def test_what_is_no_number_is_none(sender: str, number: str) -> None:
    assert caller_number(invite(sender=sender)) == number


@pytest.mark.parametrize(
    ("source", "number"),
    [("asserted", "+33601010101"), ("remote_party_id", "+33602020202"), ("from", "+33699999999")],
)
def test_the_plan_says_where_an_operator_writes_its_caller(source: str, number: str) -> None:
    request = invite(
        "P-Asserted-Identity: <sip:+33601010101@op.example>", "Remote-Party-ID: <sip:+33602020202@op.example>"
    )
    assert caller_number(request, f"caller_id_in: {source}") == number


@pytest.mark.parametrize(
    ("lines", "shown"),
    [
        ([], True),
        (["Privacy: id"], False),
        (["Privacy: none"], True),
        (["Privacy: session"], True),
    ],
)
def test_a_caller_who_hides_is_not_shown(lines: list[str], shown: bool) -> None:
    """RFC 3325 section 9.3."""
    assert calling_number(trunk(), invite(*lines), FRANCE)[1] is shown


def test_a_bare_caller_gets_the_country() -> None:
    request = invite(sender="<sip:699999999@op.example>")
    assert caller_number(request, "numbers_in: bare") == "+33699999999"
    assert caller_number(request) == "699999999"


def test_the_number_called_stands_in_the_request_uri_unless_the_plan_says_to() -> None:
    request = invite()
    request.headers["to"] = ["<sip:+33383001010@op.example>"]
    assert called_number(trunk(), request, "1", FRANCE) == "1"
    assert called_number(trunk("options: [called_in_to]"), request, "1", FRANCE) == "+33383001010"


def test_a_to_without_a_number_leaves_the_request_uri() -> None:
    assert called_number(trunk("options: [called_in_to]"), invite(), "33383001010", FRANCE) == "1"
    request = invite()
    request.headers["to"] = ["<sip:town@op.example>"]
    assert called_number(trunk("options: [called_in_to]"), request, "33383001010", FRANCE) == "33383001010"


@pytest.mark.parametrize(
    ("uri", "known"),
    [
        (f"sip:u@192.0.2.1;line={MARK}", True),
        (f"sip:u@192.0.2.1;transport=tcp;line={MARK};x=y", True),
        (f"sip:u@192.0.2.1;line={MARK[:-1]}", False),
        (f"sip:u@192.0.2.1;line={MARK}0", False),
        (f"sip:u@192.0.2.1;line={MARK[:-1]}1", False),
        ("sip:u@192.0.2.1;line=", False),
        (f"sip:u@192.0.2.1;online={MARK}", False),
        ("sip:u@192.0.2.1", False),
    ],
)
def test_only_the_whole_mark_of_our_contact_is_known(uri: str, known: bool) -> None:
    request = invite()
    request.uri = uri
    request.flow = Flow("UDP", ("192.0.2.10", 5060), ("203.0.113.66", 5060))
    recognition = Recognition([trunk()], {"t": ["203.0.113.1"]}, {MARK: "t"})
    assert recognition.of_request(request) == ("t" if known else None)
