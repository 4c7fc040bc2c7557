"""Branches, tags and Call-IDs (RFC 3261 sections 8.1.1.7 and 19.3)."""

from __future__ import annotations

from sip.core.identifiers import Identifiers


def test_a_branch_begins_with_the_magic_cookie() -> None:
    """RFC 3261 section 8.1.1.7."""
    assert Identifiers(b"seed").branch().startswith("z9hG4bK")


def test_a_tag_has_at_least_32_bits_and_only_token_characters() -> None:
    """RFC 3261 section 19.3."""
    token = Identifiers(b"seed").token()
    assert len(token) == 16
    assert int(token, 16) >= 0


def test_no_identifier_comes_twice() -> None:
    """RFC 3261 sections 8.1.1.4 and 8.1.1.7: unique over space and time."""
    identifiers = Identifiers(b"seed")
    assert len({identifiers.token() for _ in range(5000)}) == 5000


def test_the_same_seed_gives_the_same_identifiers() -> None:
    first, second = Identifiers(b"seed"), Identifiers(b"seed")
    assert [first.token() for _ in range(600)] == [second.token() for _ in range(600)]


def test_another_seed_gives_others() -> None:
    first, second = Identifiers(b"seed"), Identifiers(b"sees")
    assert not {first.token() for _ in range(600)} & {second.token() for _ in range(600)}


def test_each_bit_is_set_about_half_the_time() -> None:
    """RFC 3261 section 19.3: cryptographically random."""
    identifiers = Identifiers(b"seed")
    numbers = [int(identifiers.token(), 16) for _ in range(2000)]
    for bit in range(64):
        assert 880 < sum(number >> bit & 1 for number in numbers) < 1120
