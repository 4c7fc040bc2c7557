"""G.711: the two laws of the telephone, as tables (ITU-T G.711).

Sound in the process is linear PCM: signed 16-bit samples in an `array("h")` at 8,000 a second. On the
wire it is one byte a sample. Both directions are look-ups; an encoding table (65,536 bytes) is built
when it is first needed, which only the media process does.
"""

from array import array
from functools import cache
from typing import Final, Literal, TypeAlias

SAMPLE_RATE: Final = 8000
Law = Literal["PCMU", "PCMA"]
Pcm: TypeAlias = "array[int]"  # signed 16-bit samples

SILENCE: Final[dict[Law, int]] = {"PCMU": 0xFF, "PCMA": 0xD5}
STATIC_PAYLOAD_TYPES: Final[dict[Law, int]] = {"PCMU": 0, "PCMA": 8}  # RFC 3551 table 4


def encode(law: Law, pcm: Pcm) -> bytes:
    """Return one G.711 byte for each 16-bit sample."""
    table = _encoding_table(law)
    # A negative sample is an index from the end, where the table holds the negative half.
    return bytes([table[sample] for sample in pcm])


def decode(law: Law, payload: bytes) -> Pcm:
    """Return one signed 16-bit sample for each G.711 byte."""
    return array("h", [_DECODING_TABLES[law][byte] for byte in payload])


def _decode_mu(byte: int) -> int:
    byte = ~byte & 0xFF
    magnitude = (((byte & 0x0F) << 3) + 0x84) << ((byte & 0x70) >> 4)
    return 0x84 - magnitude if byte & 0x80 else magnitude - 0x84


def _decode_a(byte: int) -> int:
    byte ^= 0x55
    magnitude = (byte & 0x0F) << 4
    segment = (byte & 0x70) >> 4
    if segment == 0:
        magnitude += 0x08
    else:
        magnitude = (magnitude + 0x108) << (segment - 1)
    return magnitude if byte & 0x80 else -magnitude


def _encode_mu(value: int) -> int:
    """value: the sample's upper 14 bits."""
    mask = 0xFF
    if value < 0:
        value, mask = -value, 0x7F
    value = min(value, 8158) + 33
    segment = value.bit_length() - 6
    return (segment << 4 | (value >> (segment + 1)) & 0x0F) ^ mask


def _encode_a(value: int) -> int:
    """value: the sample's upper 13 bits."""
    mask = 0xD5
    if value < 0:
        value, mask = ~value, 0x55
    segment = max(0, value.bit_length() - 5)
    return (segment << 4 | (value >> max(1, segment)) & 0x0F) ^ mask


@cache
def _encoding_table(law: Law) -> bytes:
    """Return the code of samples 0 to 32767, then of -32768 to -1."""
    if law == "PCMU":
        code, run = _encode_mu, 4
    else:
        code, run = _encode_a, 8
    half = 32768 // run
    return b"".join(bytes((code(value),)) * run for value in (*range(half), *range(-half, 0)))


_DECODING_TABLES: Final[dict[Law, tuple[int, ...]]] = {
    "PCMU": tuple(_decode_mu(byte) for byte in range(256)),
    "PCMA": tuple(_decode_a(byte) for byte in range(256)),
}
