"""Whoever sees a picture asks for a whole one (a key frame); and how each party is asked for its own.

    pli     in RTCP (RFC 4585 section 6.3.1): its SDP says `nack pli`, or has a profile with feedback
    fir     in RTCP (RFC 5104 section 4.3.1): its SDP says `ccm fir` alone
    info    by SIP (RFC 5168): its SDP says neither

The two of a call needn't have the same: what one of them asks for is said to the other in its own way.
"""

import struct
from typing import Final, Literal, TypeAlias

from media.sdp import MediaDescription

Way: TypeAlias = Literal["pli", "fir", "info"]

SPACING_SECONDS: Final = 0.02  # between two reports of a party that are read: one of them may ask
AGAIN_SECONDS: Final = 0.5  # a camera isn't asked more often: a whole picture is ten times the size
FEEDBACK: Final = ("nack pli", "ccm fir")
"""What a party is told that we take of it, as in a=rtcp-fb (RFC 4585 section 4.2, RFC 5104 section 7.1)."""

_PAYLOAD_FEEDBACK: Final = 206
_PLI: Final = 1
_FIR: Final = 4
_PLI_PACKET: Final = struct.Struct(">BBHII")
_FIR_PACKET: Final = struct.Struct(">BBHIIIB3x")


def way_of(media: MediaDescription) -> Way:
    """Return how a party is asked for a whole picture, by what it says of its video."""
    said = {line.partition(" ")[2] for line in media.lines if line.startswith("a=rtcp-fb:")}
    # RFC 5939: whoever has feedback to offer as a capability knows it, whatever profile is agreed on.
    may = any(line.startswith("a=tcap:") and "AVPF" in line for line in media.lines)
    if "nack pli" in said:
        return "pli"
    if "ccm fir" in said:
        return "fir"
    return "pli" if may or media.protocol.endswith("AVPF") else "info"


def told(offered: MediaDescription | None) -> list[str]:
    """Return the a=rtcp-fb lines of an answer to this offer; of an offer of ours for None."""
    lines = offered.lines if offered is not None else []
    said = {line.partition(" ")[2] for line in lines if line.startswith("a=rtcp-fb:")}
    return [f"a=rtcp-fb:* {word}" for word in FEEDBACK if offered is None or word in said]


def is_asked_for(report: bytes) -> bool:
    """Say whether a compound of RTCP asks for a whole picture. What isn't RTCP asks for nothing.

    Whose picture it names isn't looked at: a party has one from us in each line.
    """
    at, asks = 0, False
    while at < len(report):
        if len(report) - at < 8 or report[at] & 0xC0 != 0x80:
            return False
        length = 4 + 4 * int.from_bytes(report[at + 2 : at + 4])
        if at + length > len(report):
            return False
        if report[at + 1] == _PAYLOAD_FEEDBACK:
            form = report[at] & 0x1F
            asks = asks or (form == _PLI and length >= 12) or (form == _FIR and length >= 20)
        at += length
    return asks


def request(way: Way, sender: int, ssrc: int, number: int) -> bytes:
    """Return the packet that asks for a whole picture of a party, for the end of a compound.

    sender: our SSRC there; ssrc: its own; number: of the request, which grows (RFC 5104 section 4.3.1.1).
    """
    if way == "fir":
        return _FIR_PACKET.pack(0x80 | _FIR, _PAYLOAD_FEEDBACK, 4, sender, 0, ssrc, number & 0xFF)
    return _PLI_PACKET.pack(0x80 | _PLI, _PAYLOAD_FEEDBACK, 2, sender, ssrc)
