"""Digits in a leg's sound, whatever its codec."""

import numpy as np
import pytest

from media import tones
from media.engines.ears import Ears
from media.g711 import Samples
from media.resampling import whole
from media.sdp import Codec
from tests.media.listener import G722, OPUS, PCMA, PCMU, Speaker
from tests.media.listening import voice


def keys(digits: str, rate: int) -> Samples:
    """The tones of keys, as a telephone makes them."""
    return whole(np.array(tones.samples(tones.key_presses(digits)), np.int16), 8000, rate)


def found(codec: Codec, digits: str) -> str:
    speaker, ears = Speaker(codec), Ears({codec.payload_type: codec})
    return "".join(ears.receive(packet) for packet in speaker.say(keys(digits, speaker.rate)))


@pytest.mark.parametrize("codec", [PCMU, PCMA, G722, OPUS], ids=lambda codec: codec.name)
def test_each_key_is_found_once_in_every_codec(codec: Codec):
    assert found(codec, "0123456789*#") == "0123456789*#"


def test_key_that_is_down_is_named_until_it_is_up():
    speaker, ears = Speaker(PCMA), Ears({8: PCMA})
    down = []
    for packet in speaker.say(np.concatenate((keys("5", 8000), np.zeros(1600, np.int16)))):
        ears.receive(packet)
        down.append(ears.digit)
    assert down.count("5") in range(4, 8)
    assert down[-1] == ""


def test_voice_is_no_key():
    speaker, ears = Speaker(PCMU), Ears({0: PCMU})
    assert "".join(ears.receive(packet) for packet in speaker.say(voice(8))) == ""


def test_packets_that_overtook_each_other_hold_the_same_keys():
    speaker, ears = Speaker(PCMA), Ears({8: PCMA})
    packets = speaker.say(keys("159", 8000))
    for place in range(3, len(packets) - 2, 5):
        packets[place], packets[place + 1] = packets[place + 1], packets[place]
    assert "".join(ears.receive(packet) for packet in packets) == "159"


def test_payload_that_is_none_is_counted():
    ears = Ears({96: OPUS, 8: PCMA})
    speaker = Speaker(OPUS)
    assert ears.receive(speaker.packet(b"")) == ""
    assert ears.receive(speaker.packet(b"\xd5" * 4000, 8)) == ""
    assert ears.broken == 2


def test_what_is_no_voice_of_the_legs_is_left_out():
    ears = Ears({8: PCMA})
    assert ears.receive(Speaker(PCMA).packet(b"\1\2\3\4", 101)) == ""
    assert ears.broken == 0
