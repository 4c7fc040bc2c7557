"""G.711 by tables."""

from array import array

import pytest

from media import codecs
from media.codecs import Law

LAWS: list[Law] = ["PCMU", "PCMA"]


@pytest.mark.parametrize("law", LAWS)
def test_every_code_comes_back_as_it_was(law: Law):
    every = bytes(range(256))
    back = codecs.encode(law, codecs.decode(law, every))
    # The two zeros of µ-law are one sample.
    assert back == (every.replace(b"\x7f", b"\xff") if law == "PCMU" else every)


@pytest.mark.parametrize("law", LAWS)
def test_every_sample_comes_back_within_its_step(law: Law):
    pcm = array("h", range(-32768, 32768))
    for sample, back in zip(pcm, codecs.decode(law, codecs.encode(law, pcm)), strict=True):
        assert abs(sample - back) <= max(16, abs(sample) // 16)


@pytest.mark.parametrize(
    ("law", "samples", "codes"),
    [
        ("PCMU", [0, 32767, -32768, 1000, -1000], [0xFF, 0x80, 0x00, 0xCE, 0x4E]),
        ("PCMA", [0, 32767, -32768, 1000, -1000], [0xD5, 0xAA, 0x2A, 0xFA, 0x7A]),
    ],
)
def test_known_samples_have_the_codes_of_the_recommendation(law: Law, samples: list[int], codes: list[int]):
    assert list(codecs.encode(law, array("h", samples))) == codes


@pytest.mark.parametrize("law", LAWS)
def test_silence_is_the_code_of_zero(law: Law):
    assert codecs.encode(law, array("h", [0])) == bytes((codecs.SILENCE[law],))
