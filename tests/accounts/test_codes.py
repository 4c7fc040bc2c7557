"""Codes of an application, and those kept on paper. RFC 6238: time-based one-time passwords."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from pbx.accounts import codes

SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"  # of the RFC's own table: 12345678901234567890


@pytest.mark.parametrize(
    ("now", "code"), [(59, "287082"), (1111111109, "081804"), (1234567890, "005924"), (20000000000, "353130")]
)
def test_codes_are_those_of_the_rfc(now, code):
    # RFC 6238 appendix B, its last six digits.
    assert codes.totp(SECRET, now // codes.STEP_SECONDS) == code
    assert codes.matching_step(SECRET, code, now, 0) == now // codes.STEP_SECONDS


@pytest.mark.parametrize("typed", ["287 082", " 287082 ", "287\u00a0082"])
def test_a_code_may_be_typed_in_two_groups(typed):
    assert codes.matching_step(SECRET, typed, 59, 0) == 1


def test_a_clock_may_be_a_step_off_and_no_more():
    # RFC 6238 section 5.2: a window for clocks that drift.
    now = 1_000_000_000
    step = now // codes.STEP_SECONDS
    accepted = [
        off for off in range(-3, 4) if codes.matching_step(SECRET, codes.totp(SECRET, step + off), now, 0)
    ]
    assert accepted == [-1, 0, 1]


def test_a_code_is_taken_once_and_none_before_it():
    # RFC 6238 section 5.2: the verifier must not accept the second attempt of the OTP.
    now = 1_000_000_000
    step = codes.matching_step(SECRET, codes.totp(SECRET, now // 30), now, 0)
    assert codes.matching_step(SECRET, codes.totp(SECRET, step), now, step) == 0
    assert codes.matching_step(SECRET, codes.totp(SECRET, step - 1), now, step) == 0
    assert codes.matching_step(SECRET, codes.totp(SECRET, step + 1), now, step) == step + 1


@pytest.mark.parametrize("typed", ["", "000000000", "abcdef", "２８７０８２", "\0", "é" * 6])
def test_what_is_no_code_matches_nothing(typed):
    assert codes.matching_step(SECRET, typed, 59, 0) == 0


def test_an_application_is_told_the_secret_the_account_and_the_town():
    uri = urlsplit(codes.totp_uri(SECRET, "alice.martin", "pbx.valmont.example"))
    asked = parse_qs(uri.query)
    assert (uri.scheme, uri.netloc) == ("otpauth", "totp")
    assert asked == {"secret": [SECRET], "issuer": ["Beffroi pbx.valmont.example"]}


def test_secrets_are_160_bits_and_typed_in_groups():
    # RFC 4226 section 4: R6 asks for 128 bits and recommends 160.
    secret = codes.new_totp_secret()
    assert len(secret) == 32
    assert codes.typed_secret(secret).replace(" ", "") == secret
    assert codes.new_totp_secret() != secret


def test_ten_recovery_codes_are_made_and_all_are_different():
    made = codes.new_recovery_codes()
    assert len(set(made)) == codes.RECOVERY_CODES == 10
    assert all(codes.is_recovery_code(code) for code in made)
    assert not codes.is_recovery_code("287082")


def test_a_recovery_code_may_be_typed_in_capitals_without_hyphens():
    code = "abcd-efgh-jkmn-pqrs"
    assert codes.recovery_hash("alice", "ABCDEFGH JKMNPQRS") == codes.recovery_hash("alice", code)
    assert codes.recovery_hash("bruno", code) != codes.recovery_hash("alice", code)
