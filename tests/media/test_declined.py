"""Answers that take nothing, where there must be one (RFC 3264 section 6)."""

from __future__ import annotations

from media.declined import declined, renewed
from media.sdp import parse

OURS = (
    b"v=0\r\no=- 7 3 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
    b"m=audio 20000 RTP/AVP 8\r\na=sendrecv\r\n"
)
OFFER = (
    b"v=0\no=- 1 1 IN IP4 192.0.2.77\ns=-\nc=IN IP4 192.0.2.77\nt=0 0\n"
    b"m=audio 4000/2 RTP/AVP 0 101\na=rtpmap:101 telephone-event/8000\nm=video 5000 RTP/SAVP 99\n"
)


def test_every_stream_of_the_offer_is_switched_off_in_its_place() -> None:
    """RFC 3264 section 6: as many m= lines as the offer has, port zero for those that aren't taken."""
    answer = parse(declined(OFFER, OURS))
    assert [(one.kind, one.port, one.protocol) for one in answer.media] == [
        ("audio", 0, "RTP/AVP"),
        ("video", 0, "RTP/SAVP"),
    ]


def test_it_is_the_next_version_of_what_we_said() -> None:
    """RFC 3264 section 8."""
    assert parse(declined(OFFER, OURS)).origin == ["-", "7", "4", "IN", "IP4", "192.0.2.1"]
    again = renewed(OURS, versions=2)
    assert parse(again).origin[2] == "5"
    assert parse(again).media == parse(OURS).media


def test_an_offer_without_streams_has_an_answer_without_streams() -> None:
    assert parse(declined(b"v=0\r\ns=-\r\n", OURS)).media == []
