"""RTCP of a browser (RFC 3550 section 6, RFC 4585): cut into its packets, and what asks for a picture.

A browser asks whoever sends it video for a key frame (PLI, FIR) or for less of it (REMB). Between two
browsers that is for the other one's camera, as it is; the media plane ends RTCP, and passes on to a telephone
that a key frame is asked for (`media.pictures`).
"""

from typing import Final

TRANSPORT_FEEDBACK: Final = 205
PAYLOAD_FEEDBACK: Final = 206
NACK: Final = 1
PLI: Final = 1
FIR: Final = 4  # RFC 5104
AFB: Final = 15  # REMB is an application's own message
_SENDER_REPORT: Final = 200
_RECEIVER_REPORT: Final = 201
_REMB: Final = b"REMB"


def packets(datagram: bytes) -> list[bytes]:
    """Return the packets of a compound datagram, none when its lengths don't add up (RFC 3550 A.2)."""
    found: list[bytes] = []
    at = 0
    while at < len(datagram):
        if len(datagram) - at < 8 or datagram[at] & 0xC0 != 0x80:
            return []
        end = at + 4 + 4 * int.from_bytes(datagram[at + 2 : at + 4])
        if end > len(datagram) or end - at < 8:
            return []
        found.append(datagram[at:end])
        at = end
    return found


def is_nack(packet: bytes) -> bool:
    """Say whether the packet asks for packets again."""
    return packet[1] == TRANSPORT_FEEDBACK and packet[0] & 31 == NACK and len(packet) >= 16


def is_request(packet: bytes) -> bool:
    """Say whether the packet asks for a key frame, or for less."""
    if packet[1] != PAYLOAD_FEEDBACK or len(packet) < 12:
        return False
    form = packet[0] & 31
    return (
        form == PLI
        or (form == FIR and len(packet) >= 20)
        or (form == AFB and packet[12:16] == _REMB and len(packet) >= 24)
    )


def about(packet: bytes) -> tuple[bytes, ...]:
    """Return the SSRCs of ours that the packet speaks of."""
    kind = packet[1]
    if kind in (_RECEIVER_REPORT, _SENDER_REPORT):
        start = 8 if kind == _RECEIVER_REPORT else 28
        return tuple(packet[at : at + 4] for at in range(start, len(packet) - 23, 24))
    if kind in (TRANSPORT_FEEDBACK, PAYLOAD_FEEDBACK):
        if not is_request(packet) or packet[0] & 31 == PLI:
            return (packet[8:12],)
        start, step = (12, 8) if packet[0] & 31 == FIR else (20, 4)
        return tuple(packet[at : at + 4] for at in range(start, len(packet) - 3, step))
    return ()


def readdressed(packet: bytes, sender: int, ssrc: bytes) -> bytes:
    """Return a request (`is_request`) as one of ours, about this SSRC."""
    ours = sender.to_bytes(4)
    match packet[0] & 31:
        case 1:
            return bytes((0x80 | PLI, PAYLOAD_FEEDBACK, 0, 2)) + ours + ssrc
        case 4:
            head = bytes((0x80 | FIR, PAYLOAD_FEEDBACK, 0, 4)) + ours + bytes(4)
            return head + ssrc + packet[16:17] + bytes(3)
        case _:
            head = bytes((0x80 | AFB, PAYLOAD_FEEDBACK, 0, 5)) + ours + bytes(4)
            return head + _REMB + b"\x01" + packet[17:20] + ssrc
