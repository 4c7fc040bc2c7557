"""A photo is what it says: still, whole, small, in one of three formats."""

from __future__ import annotations

import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as some

from pbx.people.photos import MOST_BYTES, PhotoError, Picture, picture_of


def png(width: int, height: int, between: bytes = b"") -> bytes:
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    crc = struct.pack(">I", zlib.crc32(header))
    return b"\x89PNG\r\n\x1a\n\0\0\0\r" + header + crc + between + b"\0\0\0\0IEND\xaeB`\x82"


def jpeg(width: int, height: int) -> bytes:
    comment = b"\xff\xfe\x00\x05abc"
    frame = b"\xff\xc2\x00\x11\x08" + struct.pack(">HH", height, width) + b"\x03" + b"\0" * 9
    return b"\xff\xd8" + comment + b"\xff" + frame + b"\xff\xda\x00\x02\xff\xd9"


def webp(chunk: bytes) -> bytes:
    body = b"WEBP" + chunk
    return b"RIFF" + struct.pack("<I", len(body)) + body


def extended(width: int, height: int, flags: int = 0) -> bytes:
    size = struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
    return webp(b"VP8X" + struct.pack("<I", 10) + bytes([flags, 0, 0, 0]) + size)


def lossless(width: int, height: int) -> bytes:
    bits = (width - 1) | (height - 1) << 14
    return webp(b"VP8L" + struct.pack("<I", 5) + b"\x2f" + struct.pack("<I", bits) + b"\0" * 8)


def lossy(width: int, height: int) -> bytes:
    return webp(b"VP8 " + struct.pack("<I", 10) + b"\0\0\0\x9d\x01\x2a" + struct.pack("<HH", width, height))


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (png(300, 200), "image/png"),
        (jpeg(300, 200), "image/jpeg"),
        (extended(300, 200), "image/webp"),
        (lossless(300, 200), "image/webp"),
        (lossy(300, 200), "image/webp"),
    ],
)
def test_the_three_formats_tell_their_size(data: bytes, media_type: str):
    assert picture_of(data) == Picture(media_type, 300, 200)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "a photo is a PNG, a JPEG or a WebP"),
        (b"GIF89a", "a photo is a PNG, a JPEG or a WebP"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "a photo is a PNG, a JPEG or a WebP"),
        (png(513, 10), "513×10"),
        (jpeg(10, 513), "10×513"),
        (png(0, 10), "0×10"),
        (png(10, 10)[:-1], "isn't whole"),
        (jpeg(10, 10)[:-1], "isn't whole"),
        (lossy(10, 10) + b"x", "isn't whole"),
        (png(10, 10).replace(b"IHDR", b"IHDX"), "damaged"),
        (png(10, 10, b"\0\0\0\x08acTL"), "doesn't move"),
        (extended(10, 10, flags=2), "doesn't move"),
        (b"\xff\xd8\xff\xd9", "damaged"),
        (b"\xff\xd8\xff\xe0\x00\x00\xff\xd9", "damaged"),
        (webp(b"ABCD" + b"\0" * 30), "damaged"),
        (b"\xff\xd8\xff" + b"x" * MOST_BYTES, "at most 2 MB"),
    ],
)
def test_what_is_no_photo_is_refused_in_words(data: bytes, why: str):
    with pytest.raises(PhotoError, match=why):
        picture_of(data)


@given(some.sampled_from([png(9, 9), jpeg(9, 9), lossy(9, 9), extended(9, 9)]), some.data())
def test_damage_is_refused_or_leaves_a_photo_that_is_small(whole: bytes, data: some.DataObject):
    damaged = bytearray(whole)
    place = data.draw(some.integers(0, len(whole) - 1))
    damaged[place] = data.draw(some.integers(0, 255))
    try:
        picture = picture_of(bytes(damaged))
    except PhotoError:
        return
    assert 0 < picture.width <= 512
    assert 0 < picture.height <= 512
