"""Sound that says when it was said: a tone after silence, in Opus and in G.711, and where it is heard again.

A packet that is transcoded keeps no mark, so the delay is measured on what is heard: from when the packet in
which a tone begins was sent until that tone begins in what arrived, each counted at its sample. Both ends are
decoded in the same way, so what an encoder holds back at the browser is in neither.
"""

import struct
from collections import defaultdict
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from media import g711, opus

TIMED, OPUS, PCMA = -1, 0, 1
RATE, FRAME_SAMPLES, FRAME_MS = 8000, 160, 20.0
PERIOD_FRAMES, TONE_FRAMES = 50, 10
TONE_HZ, LOUDNESS = 700, 9000
HEARD: Final = 2500
"""Beyond what silence and concealment make, well below the tone."""
_RECORD: Final = struct.Struct("<qIHHII")


class Noted(NamedTuple):
    """A packet in rtcload's log. payload: empty for one that was sent."""

    at_ns: int
    sequence: int
    received: bool
    payload: bytes


def write_frames(folder: Path) -> tuple[Path, Path]:
    """Write a period of the sound in Opus and in G.711; returns the files, in the order OPUS, PCMA."""
    made = folder / "opus", folder / "pcma"
    for path, frames in zip(made, (_opus_frames(), _pcma_frames()), strict=True):
        path.write_bytes(b"".join(len(frame).to_bytes(2) + frame for frame in frames))
    return made


def delays_ms(log: Path) -> list[float]:
    """The delays of all tones in rtcload's log, both ways. Parties 2 N and 2 N + 1 hear each other."""
    parties: dict[int, list[Noted]] = defaultdict(list)
    data = log.read_bytes()
    at = 0
    while at + _RECORD.size <= len(data):
        at_ns, party, sequence, received, length, _ = _RECORD.unpack_from(data, at)
        at += _RECORD.size
        parties[party].append(Noted(at_ns, sequence, bool(received), data[at : at + length]))
        at += length
    found = []
    for party, noted in parties.items():
        said = _said(noted, _onset_of(OPUS if party % 2 == 0 else PCMA))
        heard = _heard(parties.get(party ^ 1, []), OPUS if party % 2 else PCMA)
        for at_ms in said[2:]:  # the first ones find buffers that settle
            later = [other - at_ms for other in heard if 0 <= other - at_ms < FRAME_MS * PERIOD_FRAMES / 2]
            found += later[:1]
    return found


def _tone() -> npt.NDArray[np.int16]:
    """A second: silence, then the tone from the first sample of a frame on."""
    silent = np.zeros((PERIOD_FRAMES - TONE_FRAMES) * FRAME_SAMPLES, np.int16)
    at = np.arange(TONE_FRAMES * FRAME_SAMPLES)
    return np.concatenate([silent, (LOUDNESS * np.sin(2 * np.pi * TONE_HZ * at / RATE)).astype(np.int16)])


def _pcma_frames() -> list[bytes]:
    sound = _tone()
    return [g711.encode("PCMA", sound[at : at + FRAME_SAMPLES]) for at in range(0, len(sound), FRAME_SAMPLES)]


def _opus_frames() -> list[bytes]:
    """One period as a browser would send it: wide, with error correction, encoded after one of warming up."""
    encoder = opus.Encoder(48_000)
    sound = np.repeat(_tone(), 6)  # a browser's encoder works at 48,000 samples a second
    frames = [encoder.encode(sound[at : at + 960]) for _ in range(2) for at in range(0, len(sound), 960)]
    return frames[PERIOD_FRAMES:]


def _onset_of(kind: int) -> tuple[int, float]:
    """In which frame of a period the tone begins when it is decoded, and how many ms into it."""
    sound = _decoded(
        [frame for _ in range(2) for frame in (_opus_frames() if kind == OPUS else _pcma_frames())], kind
    )
    loud = (
        int(np.argmax(np.abs(sound[PERIOD_FRAMES * FRAME_SAMPLES // 2 :]) > HEARD))
        + PERIOD_FRAMES * FRAME_SAMPLES // 2
    )
    return loud // FRAME_SAMPLES % PERIOD_FRAMES, loud % FRAME_SAMPLES / RATE * 1000


def _decoded(payloads: list[bytes], kind: int) -> npt.NDArray[np.int16]:
    if kind == PCMA:
        return np.concatenate([g711.decode("PCMA", payload) for payload in payloads])
    decoder = opus.Decoder(RATE)
    return np.concatenate([decoder.decode(payload) for payload in payloads])


def _said(noted: list[Noted], onset: tuple[int, float]) -> list[float]:
    """When each tone was said, in ms."""
    sent = [one for one in noted if not one.received]
    frame, into_ms = onset
    return [sent[at].at_ns / 1e6 + into_ms for at in range(frame, len(sent), PERIOD_FRAMES)]


def _heard(noted: list[Noted], kind: int) -> list[float]:
    """When each tone begins in what arrived, in ms."""
    arrived = [one for one in noted if one.received and one.payload]
    decoder = opus.Decoder(RATE)
    found: list[float] = []
    silent = 0
    for one in arrived:
        samples = np.abs(g711.decode("PCMA", one.payload) if kind == PCMA else decoder.decode(one.payload))
        loud = samples > HEARD
        if loud.any() and silent > PERIOD_FRAMES // 4:
            found.append(one.at_ns / 1e6 + int(np.argmax(loud)) / RATE * 1000)
        silent = 0 if loud.any() else silent + 1
    return found
