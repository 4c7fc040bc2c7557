"""The Reason header (RFC 3326 section 2)."""

from __future__ import annotations

import pytest

from sip.core.reason import ANSWERED_ELSEWHERE, Reason, parse_reasons


def test_a_call_completed_elsewhere_says_so() -> None:
    """RFC 3326 section 3.1."""
    assert ANSWERED_ELSEWHERE.header == 'Reason: SIP;cause=200;text="Call completed elsewhere"\r\n'


def test_a_reason_without_text_has_only_its_cause() -> None:
    assert Reason("Q.850", 16).header == "Reason: Q.850;cause=16\r\n"


def test_a_text_is_quoted_and_stays_on_its_line() -> None:
    """RFC 3261 section 25.1, quoted-string."""
    assert Reason("SIP", 480, 'a "b" \\ c\r\nVia: x').header == (
        'Reason: SIP;cause=480;text="a \\"b\\" \\\\ c  Via: x"\r\n'
    )


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ('SIP ;cause=200 ;text="Call completed elsewhere"', Reason("SIP", 200, "Call completed elsewhere")),
        ('Q.850 ;cause=16 ;text="Terminated"', Reason("Q.850", 16, "Terminated")),
        ('SIP ;cause=600 ;text="Busy Everywhere"', Reason("SIP", 600, "Busy Everywhere")),
        ('SIP ;cause=580 ;text="Precondition Failure"', Reason("SIP", 580, "Precondition Failure")),
        ("SIP;cause=487", Reason("SIP", 487)),
        ('SIP;text="first";cause=487', Reason("SIP", 487, "first")),
        ('SIP;cause=487;text="a, b"', Reason("SIP", 487, "a, b")),
        ('SIP;CAUSE=487;other=x;text="é"', Reason("SIP", 487, "é")),
    ],
)
def test_a_value_is_read(value: str, reason: Reason) -> None:
    """RFC 3326 section 2 with its examples."""
    assert parse_reasons([value]) == [reason]


def test_several_values_are_read_on_one_line_or_on_many() -> None:
    """RFC 3326 section 2: one value for each protocol."""
    expected = [Reason("SIP", 487), Reason("Q.850", 16)]
    assert parse_reasons(["SIP;cause=487, Q.850;cause=16"]) == expected
    assert parse_reasons(["SIP;cause=487", "Q.850;cause=16"]) == expected


@pytest.mark.parametrize(
    "value",
    [
        "",
        "SIP",
        "SIP;cause",
        "SIP;cause=",
        "SIP;cause=abc",
        "SIP;cause=-1",
        "SIP;cause=9999",
        "SIP;cause=²",
        "SIP;cause=٣",
        'SIP;cause="200"',
        'SIP;cause=200;text="open',
        ";;;",
        "SIP;cause=200,,",
    ],
)
def test_a_malformed_value_is_left_out(value: str) -> None:
    assert parse_reasons([value]) == []
    assert parse_reasons([value, "SIP;cause=486"]) == [Reason("SIP", 486)]


def test_a_text_without_end_is_bounded() -> None:
    (reason,) = parse_reasons([f'SIP;cause=200;text="{"x" * 5000}"'])
    assert len(reason.text) == 200


@pytest.mark.parametrize("text", ["", "plain", 'quotes " and \\', "é"])
def test_what_is_written_is_read_back(text: str) -> None:
    written = Reason("SIP", 480, text)
    assert parse_reasons([written.header.removeprefix("Reason: ").removesuffix("\r\n")]) == [written]
