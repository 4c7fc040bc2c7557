"""Framing on a stream: however it is cut, the same messages come out of it (RFC 3261 section 18.3)."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sip.core.errors import ParseError
from sip.core.parser import MAX_HEADER_BYTES, KeepAlive, StreamParser
from tests.sip.torture.notation import message, names

# Those whose Content-Length is wrong or missing, which is what they are about.
UNFRAMED = {"baddn", "clerr", "dblreq", "inv2543", "mcl01", "ncl"}
FRAMED = [message(name) for name in names() if name not in UNFRAMED]


def frames_of(chunks: list[bytes]) -> tuple[list[bytes | KeepAlive], bool]:
    """What comes out of a stream cut into `chunks`, and whether it ended in an error."""
    parser = StreamParser()
    frames: list[bytes | KeepAlive] = []
    try:
        for chunk in [*chunks, b""]:
            frames += parser.feed(chunk)
    except ParseError:
        return frames, True
    return frames, False


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(min(place, len(data)) for place in places), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


@given(
    messages=st.lists(st.sampled_from(FRAMED), max_size=5),
    places=st.lists(st.integers(0, 4000), max_size=20),
)
def test_messages_come_out_whole_wherever_the_stream_is_cut(messages: list[bytes], places: list[int]) -> None:
    assert frames_of(cut(b"".join(messages), places)) == (messages, False)


PIECES = [
    b"\r\n",
    b"\r",
    b"\n",
    b"\r\n\r\n",
    b"OPTIONS sip:a@b SIP/2.0\r\n",
    b"l: 3\r\n",
    b"Content-Length : 0\r\n",
]
PIECES += [
    b"l: x\r\n",
    b"abc",
    b"\x00",
    b" ",
    b"l:\r\n 5\r\n",
    b"x" * 9000,
    b"l: 70000\r\n",
    FRAMED[0],
    FRAMED[1],
]


@given(
    pieces=st.lists(st.sampled_from(PIECES), max_size=12), places=st.lists(st.integers(0, 3000), max_size=12)
)
def test_any_stream_gives_the_same_frames_and_the_same_end_wherever_it_is_cut(
    pieces: list[bytes], places: list[int]
) -> None:
    data = b"".join(pieces)
    assert frames_of(cut(data, places)) == frames_of([data])


@given(pieces=st.lists(st.sampled_from(PIECES), max_size=4))
def test_any_stream_gives_the_same_frames_byte_by_byte(pieces: list[bytes]) -> None:
    data = b"".join(pieces)[:3000]
    assert frames_of([data[index : index + 1] for index in range(len(data))]) == frames_of([data])


@given(data=st.binary(max_size=500), places=st.lists(st.integers(0, 500), max_size=5))
def test_arbitrary_bytes_are_frames_or_a_parse_error_and_nothing_else(data: bytes, places: list[int]) -> None:
    assert frames_of(cut(data, places)) == frames_of([data])


def test_a_crlf_between_messages_is_a_pong_and_two_are_a_ping() -> None:
    """RFC 5626 section 3.5.1; the first CRLF can't wait for the second."""
    first, second = FRAMED[:2]
    stream = first + b"\r\n" + second + b"\r\n\r\n"
    assert StreamParser().feed(stream) == [first, KeepAlive.PONG, second, KeepAlive.PONG, KeepAlive.PING]


def test_a_ping_cut_in_two_is_still_a_ping() -> None:
    """RFC 5626 section 3.5.1."""
    parser = StreamParser()
    assert parser.feed(b"\r\n\r") == [KeepAlive.PONG]
    assert parser.feed(b"\n") == [KeepAlive.PING]


def test_two_pings_are_two_pings() -> None:
    frames = StreamParser().feed(b"\r\n\r\n\r\n\r\n")
    assert frames.count(KeepAlive.PING) == 2


def test_an_unfinished_message_is_pending() -> None:
    parser = StreamParser()
    assert parser.feed(FRAMED[0][:-1]) == []
    assert parser.pending == len(FRAMED[0]) - 1
    assert parser.feed(FRAMED[0][-1:]) == [FRAMED[0]]
    assert parser.pending == 0


@pytest.mark.parametrize(
    "line", [b"", b"l: -1\r\n", b"l: five\r\n", b"l: 1\r\nl: 2\r\n", b"l:\r\n", b"l: 1 2\r\n", b"l: \xb2\r\n"]
)
def test_a_message_without_one_content_length_ends_the_stream(line: bytes) -> None:
    """RFC 3261 section 20.14: a stream needs it."""
    with pytest.raises(ParseError):
        StreamParser().feed(b"OPTIONS sip:a@b SIP/2.0\r\n" + line + b"\r\n")


def test_the_same_content_length_twice_is_no_contradiction() -> None:
    whole = b"OPTIONS sip:a@b SIP/2.0\r\nl: 0\r\nContent-Length: 0\r\n\r\n"
    assert StreamParser().feed(whole) == [whole]


def test_what_came_before_an_unreadable_message_is_still_delivered() -> None:
    parser = StreamParser()
    assert parser.feed(FRAMED[0] + b"OPTIONS sip:a@b SIP/2.0\r\n\r\n") == [FRAMED[0]]
    with pytest.raises(ParseError):
        parser.feed(b"")


def test_headers_without_end_are_refused_before_they_fill_the_memory() -> None:
    parser = StreamParser()
    with pytest.raises(ParseError) as caught:
        for _ in range(MAX_HEADER_BYTES):
            parser.feed(b"X: yyyyyyyyyyyyyyyyyyyy\r\n")
            assert parser.pending <= 2 * MAX_HEADER_BYTES
    assert caught.value.status == 513


def test_a_body_over_the_limit_is_refused_before_it_arrives() -> None:
    with pytest.raises(ParseError) as caught:
        StreamParser(max_message_bytes=1000).feed(b"OPTIONS sip:a@b SIP/2.0\r\nl: 1000\r\n\r\n")
    assert caught.value.status == 513
