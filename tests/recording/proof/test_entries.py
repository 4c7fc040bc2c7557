"""Packets and statements in a segment: what is read is what was written, and nothing else is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recording.proof import entries
from recording.proof.entries import (
    NO_TRACK,
    Clock,
    Ended,
    Entry,
    EntryError,
    Missed,
    Part,
    Silent,
    Statement,
    Track,
)

BEGUN = 1_795_339_800_000_000
STATEMENTS: list[Statement] = [
    Track("Éléonore", "leg-1", {"8": "PCMA/8000/1", "101": "telephone-event/8000/1"}),
    Part("talk", ["8200", "+33612345678"]),
    Silent(BEGUN),
    Missed(3, "disk", BEGUN + 5),
    Clock("ntp", -120),
    Ended("caller hung up", 4000, 700_000),
]


def test_packets_are_read_with_the_moment_they_came():
    plain = entries.packet(0, BEGUN, b"one") + entries.packet(1, BEGUN + 1_999_999, b"")
    plain += entries.packet(0, BEGUN - 7, b"before: the clock was set back")
    assert list(entries.read(plain, BEGUN)) == [
        Entry(BEGUN, 0, b"one", None),
        Entry(BEGUN + 1_999_999, 1, b"", None),
        Entry(BEGUN - 7, 0, b"before: the clock was set back", None),
    ]


@given(st.integers(0, 2**63 - 1), st.integers(-(2**31), 2**31 - 1))
def test_low_half_of_a_time_is_enough_near_the_segments_begin(begun: int, after: int):
    (entry,) = entries.read(entries.packet(0, begun + after, b""), begun)
    assert entry.at == begun + after


@pytest.mark.parametrize("said", STATEMENTS, ids=lambda said: type(said).__name__)
def test_statement_is_read_as_it_was_made(said: Statement):
    plain = entries.statement(NO_TRACK, BEGUN + 40, said)
    assert list(entries.read(plain, BEGUN)) == [Entry(BEGUN + 40, NO_TRACK, b"", said)]


@given(st.binary(max_size=200))
def test_anything_else_is_an_entry_error_and_no_other(plain: bytes):
    try:
        for entry in entries.read(plain, BEGUN):
            assert (entry.statement is None) or not entry.packet
    except EntryError:
        pass


@pytest.mark.parametrize(
    "text",
    [
        b"{}",
        b"[]",
        b'{"track":{}}',
        b'{"said":{}}',
        b'{"silent":1}',
        b"\xff",
        b'{"silent":{"since":1,"x":2}}',
        b'{"silent":{"since":"1"}}',
        b'{"track":{"party":"1001","leg":"a","codecs":[]}}',
    ],
)
def test_statement_that_nobody_makes_is_an_entry_error(text: bytes):
    plain = bytes([2, 0]) + len(text).to_bytes(2, "big") + bytes(4) + text
    with pytest.raises(EntryError, match="a statement that says"):
        list(entries.read(plain, BEGUN))


def test_segment_that_ends_within_an_entry_is_an_entry_error():
    plain = entries.packet(0, 0, b"one")
    for length in range(1, len(plain)):
        with pytest.raises(EntryError):
            list(entries.read(plain[:length], BEGUN))
