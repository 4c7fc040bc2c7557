"""Photos of people: small pictures that are what they say, checked without being drawn.

No library decodes them here: the pages make a photo small on a canvas, which leaves out where and with what
it was taken, and what arrives is taken only as PNG, JPEG or WebP, still, whole, and at most MOST_PIXELS wide
and high. Browsers get it with its own media type, which they may not guess anew.
"""

import zlib
from dataclasses import dataclass

MOST_BYTES = 2 << 20
MOST_PIXELS = 512
_PNG = b"\x89PNG\r\n\x1a\n"
# ITU-T T.81 table B.1: the frames that have a size; C4, C8 and CC are no frames.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_ALONE = frozenset({0x01, *range(0xD0, 0xD8)})  # markers without a length


class PhotoError(Exception):
    """These bytes are no photo that is taken; the message says why."""


@dataclass(frozen=True, slots=True)
class Picture:
    """What a photo is. Sizes in pixels."""

    media_type: str
    width: int
    height: int


def picture_of(data: bytes) -> Picture:
    """Return what a photo is. Raises PhotoError for one that is too large, or none."""
    if len(data) > MOST_BYTES:
        raise PhotoError(f"a photo has at most {MOST_BYTES >> 20} MB")
    try:
        if data.startswith(_PNG):
            picture = _png(data)
        elif data.startswith(b"\xff\xd8\xff"):
            picture = _jpeg(data)
        elif data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            picture = _webp(data)
        else:
            raise PhotoError("a photo is a PNG, a JPEG or a WebP")
    except IndexError:
        raise PhotoError("this photo isn't whole") from None
    if not (0 < picture.width <= MOST_PIXELS and 0 < picture.height <= MOST_PIXELS):
        size = f"{picture.width}×{picture.height}"
        raise PhotoError(f"this photo is {size}; one has at most {MOST_PIXELS}×{MOST_PIXELS} pixels")
    return picture


def _png(data: bytes) -> Picture:
    # PNG, third edition, section 11.2.1: IHDR is first, 13 bytes, with its checksum.
    header = data[8:33]
    if header[:8] != b"\0\0\0\rIHDR" or zlib.crc32(header[4:21]) != int.from_bytes(header[21:25], "big"):
        raise PhotoError("this PNG is damaged")
    if not data.endswith(b"\0\0\0\0IEND\xaeB`\x82"):
        raise PhotoError("this photo isn't whole")
    if b"acTL" in data[33:1024]:
        raise PhotoError("a photo doesn't move")
    return Picture("image/png", int.from_bytes(header[8:12], "big"), int.from_bytes(header[12:16], "big"))


def _jpeg(data: bytes) -> Picture:
    if not data.endswith(b"\xff\xd9"):
        raise PhotoError("this photo isn't whole")
    place = 2
    while data[place] == 0xFF:
        marker = data[place + 1]
        if marker == 0xFF:  # fill
            place += 1
        elif marker in _ALONE:
            place += 2
        elif marker in _FRAMES:
            height = int.from_bytes(data[place + 5 : place + 7], "big")
            return Picture("image/jpeg", int.from_bytes(data[place + 7 : place + 9], "big"), height)
        elif marker in (0xD9, 0xDA):  # the picture begins, or ends, without a frame
            break
        else:
            length = int.from_bytes(data[place + 2 : place + 4], "big")
            if length < 2:
                break
            place += 2 + length
    raise PhotoError("this JPEG is damaged")


def _webp(data: bytes) -> Picture:
    # RFC 9649 section 2.4 and 2.7: the size of all that follows, then VP8, VP8L or VP8X.
    if int.from_bytes(data[4:8], "little") + 8 != len(data) or len(data) < 30:
        raise PhotoError("this photo isn't whole")
    kind = data[12:16]
    if kind == b"VP8X":
        if data[20] & 0x02:
            raise PhotoError("a photo doesn't move")
        width = int.from_bytes(data[24:27], "little") + 1
        return Picture("image/webp", width, int.from_bytes(data[27:30], "little") + 1)
    if kind == b"VP8L" and data[20] == 0x2F:
        bits = int.from_bytes(data[21:25], "little")
        return Picture("image/webp", (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
    if kind == b"VP8 " and data[23:26] == b"\x9d\x01\x2a":
        width = int.from_bytes(data[26:28], "little") & 0x3FFF
        return Picture("image/webp", width, int.from_bytes(data[28:30], "little") & 0x3FFF)
    raise PhotoError("this WebP is damaged")
