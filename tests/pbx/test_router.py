"""What an INVITE says of who calls whom, and which app a decision starts."""

from __future__ import annotations

import pytest

from dialplan.decision import (
    NOT_ALLOWED,
    UNKNOWN,
    Decision,
    Target,
    ToFeature,
    ToPerson,
    ToService,
    ToTrunks,
)
from pbx.apps.announce import announce
from pbx.apps.dial import dial
from pbx.apps.echo import echo
from pbx.apps.outside import outside
from pbx.calls.dialled import dialled_number
from pbx.calls.router import REJECTED, app_of, wants_privacy
from sip.core.errors import ParseError
from sip.core.message import Request
from sip.core.parser import parse_message


def invite(*lines: str, sender: str = "<sip:+33699999999@op.example>") -> Request:
    head = ["INVITE sip:1@x SIP/2.0", "Via: SIP/2.0/UDP op.example;branch=z9hG4bK1", f"From: {sender};tag=1"]
    rest = ["To: <sip:1@x>", "Call-ID: c", "CSeq: 1 INVITE", *lines, "Content-Length: 0"]
    message = parse_message(("\r\n".join(head + rest) + "\r\n\r\n").encode())
    assert isinstance(message, Request)
    return message


@pytest.mark.parametrize(
    ("uri", "dialled"),
    [
        ("sip:1002@valmont.example", "1002"),
        ("sip:%31%38@valmont.example", "18"),
        ("sips:1002@valmont.example", "1002"),
        ("sip:*21*0612345678%23@valmont.example", "*21*0612345678#"),
        ("sip:valmont.example", "sip:valmont.example"),
        ("tel:+33112", "tel:+33112"),
        ("TEL:18", "TEL:18"),
        ("urn:service:sos", "urn:service:sos"),
        ("URN:service:sos", "URN:service:sos"),
    ],
)
def test_what_the_request_uri_asks_for(uri: str, dialled: str) -> None:
    """RFC 3261 section 19.1.6 for tel:, RFC 5031 for urn:service:."""
    assert dialled_number(uri) == dialled


def test_a_request_uri_of_another_scheme_is_answered_416() -> None:
    with pytest.raises(ParseError) as refused:
        dialled_number("http://valmont.example")
    assert refused.value.status == 416


@pytest.mark.parametrize(
    ("lines", "asked"),
    [
        ([], False),
        (["Privacy: id"], True),
        (["Privacy: Header;Critical"], True),
        (["Privacy: user, id"], True),
        (["Privacy: none"], False),
        (["Privacy: history"], False),
    ],
)
def test_whether_the_caller_asked_for_privacy(lines: list[str], asked: bool) -> None:
    """RFC 3323 section 4.2."""
    assert wants_privacy(invite(*lines)) is asked


@pytest.mark.parametrize(
    ("target", "function"),
    [
        (ToPerson("1002", "Bruno Petit"), dial),
        (ToTrunks("18", ("operateur-a",), True), outside),
        (UNKNOWN, announce),
        (NOT_ALLOWED, announce),
    ],
)
def test_each_decision_starts_its_app(target: Target, function: object) -> None:
    app = app_of(Decision(target, "", "", None, None, ()))
    assert getattr(app, "func", None) is function


@pytest.mark.parametrize(
    ("target", "inner"),
    [
        (ToService("echo", "echo"), echo),
        (ToService("x", "fax"), announce),
        (ToFeature("unknown", ""), announce),
    ],
)
def test_a_service_or_a_feature_is_named_in_the_record_and_runs_its_app(
    target: Target, inner: object
) -> None:
    app = app_of(Decision(target, "", "", None, None, ()))
    started = getattr(app, "keywords", {})["app"]
    assert getattr(started, "func", started) is inner
    assert getattr(app, "keywords", {})["name"] == target.name


def test_a_refusal_says_its_cause() -> None:
    """RFC 3326 with the causes of Q.850."""
    assert {status: reason.cause for status, reason in REJECTED.items()} == {403: 57, 404: 1}


def test_a_plan_may_hide_the_number_that_a_call_outside_shows() -> None:
    target = ToTrunks("+33612345678", ("operator",), False)
    for anonymous in (False, True):
        decision = Decision(target, "", "", "+33383001010", None, (), anonymous=anonymous)
        assert getattr(app_of(decision), "keywords", {})["anonymous"] is anonymous
