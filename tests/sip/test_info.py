"""Digits in INFO (RFC 6086)."""

from __future__ import annotations

import pytest

from sip.core.errors import RemoteProtocolError
from sip.core.info import Digit, digit_of, relay_body
from sip.core.parser import parse_message
from tests.sip.messages import request_bytes


def info(body: bytes, kind: str = "application/dtmf-relay", headers: str = ""):
    data = request_bytes("INFO", to_tag="b", body=body, headers=headers)
    return parse_message(data.replace(b"application/sdp", kind.encode()))


@pytest.mark.parametrize(
    ("body", "kind", "digit"),
    [
        (b"Signal=5\r\nDuration=160\r\n", "application/dtmf-relay", Digit("5", 160)),
        (b"Signal= #\nDuration= 100", "Application/DTMF-Relay", Digit("#", 100)),
        (b"signal=*\r\n", "application/dtmf-relay;x=y", Digit("*")),
        (b"Signal=11\r\nDuration=250\r\n", "application/dtmf-relay", Digit("#")),
        (b"Signal=d\r\n", "application/dtmf-relay", Digit("D")),
        (b"Duration=999999\r\nSignal=1\r\n", "application/dtmf-relay", Digit("1", 6000)),
        (b"Signal=0\r\nDuration=0\r\n", "application/dtmf-relay", Digit("0", 1)),
        (b"7", "application/dtmf", Digit("7")),
        (b"10\r\n", "application/dtmf", Digit("*")),
    ],
)
def test_a_key_as_phones_write_it(body: bytes, kind: str, digit: Digit) -> None:
    """RFC 6086 section 9.1: bodies older than info packages."""
    assert digit_of(info(body, kind)) == digit


def test_an_empty_info_carries_nothing() -> None:
    assert digit_of(info(b"")) is None


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        (info(b"Signal=5", headers="Info-Package: g.3gpp.ussd\r\n"), 469),
        (info(b"hello", "text/plain"), 415),
        (info(b"Signal=5\r\n" * 100), 413),
        (info(b"Signal=55\r\n"), 400),
        (info(b"Signal=\r\n"), 400),
        (info(b"Signal=16\r\n"), 400),
        (info(b"Signal=5\r\nDuration=abc\r\n"), 400),
        (info(b"Signal=5\r\nVolume=1\r\n"), 400),
        (info(b"Duration=100\r\n"), 400),
        (info(b"\xb2", "application/dtmf"), 400),
        (info(b"", "application/dtmf", "Info-Package: x\r\n"), 469),
    ],
)
def test_what_is_no_key_is_refused(asked, status: int) -> None:
    """RFC 6086 section 4.2.2."""
    with pytest.raises(RemoteProtocolError) as refused:
        digit_of(asked)
    assert refused.value.status == status


def test_a_key_is_read_as_it_was_written() -> None:
    for digit in (Digit("5", 100), Digit("#"), Digit("A", 6000)):
        assert digit_of(info(relay_body(digit))) == digit
