"""How scripts/bench webrtc finds what a gateway adds: a tone is said in one codec and heard in the other."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from media import g711
from tests.tools.places import ROOT

sys.path.insert(0, str(ROOT / "scripts"))

from benches import webrtc, webrtc_sound
from benches.webrtc_sound import FRAME_SAMPLES, OPUS, PERIOD_FRAMES

BROWSER, PHONE = 0, 1
FRAME_NS, PERIODS = 20_000_000, 6


def record(at_ns: int, party: int, number: int, *, heard: bytes = b"") -> bytes:
    """A packet as rtcload.c logs it."""
    return webrtc_sound._RECORD.pack(at_ns, party, number, bool(heard), len(heard), 0) + heard


def log_of_a_browser_that_speaks(added_ns: int) -> bytes:
    """A browser sends Opus, and a telephone hears it in G.711 so much later."""
    frames = webrtc_sound._opus_frames() * PERIODS
    sound = webrtc_sound._decoded(frames, OPUS)
    lines = []
    for number in range(len(frames)):
        at = number * FRAME_NS
        heard = g711.encode("PCMA", sound[number * FRAME_SAMPLES : (number + 1) * FRAME_SAMPLES])
        lines += [record(at, BROWSER, number), record(at + added_ns, PHONE, number, heard=heard)]
    return b"".join(lines)


def test_the_delay_of_transcoded_sound_is_that_of_the_tone(tmp_path: Path):
    log = tmp_path / "log"
    log.write_bytes(log_of_a_browser_that_speaks(7_000_000))
    delays = webrtc_sound.delays_ms(log)
    assert len(delays) == PERIODS - 2  # the first two find buffers that settle
    assert delays == pytest.approx([7.0] * len(delays), abs=0.3)


def test_what_is_not_heard_has_no_delay(tmp_path: Path):
    log = tmp_path / "log"
    log.write_bytes(b"".join(record(n * FRAME_NS, BROWSER, n) for n in range(PERIODS * PERIOD_FRAMES)))
    assert webrtc_sound.delays_ms(log) == []


def test_shares_of_nothing_are_told_apart_from_no_delay():
    assert webrtc._shares([]) == [-1.0, -1.0]
    assert webrtc._shares([float(value) for value in range(101)]) == [50.0, 95.0]


def test_a_call_weighs_what_all_processes_have_run_for_it():
    report = {"sent": 1000.0}
    talked = webrtc.Talk({"rtc": 150_000.0, "media": 50_000.0}, 10, report, None, None, 0)
    assert talked.cpu_of(2) == pytest.approx(1.0)
    assert "not heard" in talked.in_words(2)
