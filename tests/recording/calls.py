"""Recordings of calls for the tests of listening: tones as packets, in files as the recorder writes them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from media import rtp
from media.g711 import Samples
from media.sdp import Codec
from media.voice import encoder_of
from recording.export.outline import codec_of
from recording.proof.entries import NO_TRACK, Clock, Ended, Statement, Track, packet, statement
from recording.proof.sealed_file import SealedFile
from recording.proof.verifier import SUFFIX
from tests.recording.sealed import BEGUN, KEY, header

PCMA = "PCMA/8000/1"
G722 = "G722/8000/1"
OPUS = "opus/48000/2"
NUMBERS = {PCMA: 8, G722: 9, OPUS: 96}


def tone(hz: float, seconds: float, rate: int, level: int = 8000) -> Samples:
    """A tone, from its zero on."""
    places = np.arange(round(seconds * rate))
    return (np.sin(places * 2 * np.pi * hz / rate) * level).astype(np.int16)


class Sender:
    """A telephone: what it sends is entries of its track."""

    def __init__(self, track: int, kind: str = PCMA, ssrc: int = 7, timestamp: int = 4_294_967_000) -> None:
        self.track = track
        self.ssrc = ssrc
        self.sequence = 65_530
        self.timestamp = timestamp
        self.use(kind)

    def use(self, kind: str) -> None:
        """Go on in another codec."""
        codec: Codec = codec_of(kind, NUMBERS[kind])
        self.payload_type = NUMBERS[kind]
        self.encoder = encoder_of(codec)

    def says(self, sound: Samples, at: float, late: float = 0.0) -> list[tuple[int, bytes]]:
        """Packets of 20 ms from `at` (seconds since the recording's begin) on; each comes `late`."""
        count = self.encoder.rate // 50
        made = []
        for place in range(0, len(sound) - count + 1, count):
            payload = self.encoder.encode(sound[place : place + count])
            made.append(self._packet(payload, at + late + place / self.encoder.rate))
        return made

    def waits(self, seconds: float) -> None:
        """Send nothing, and let the timestamps go on."""
        self.timestamp += round(seconds * self.encoder.clock_rate)

    def _packet(self, payload: bytes, at: float) -> tuple[int, bytes]:
        arrival = BEGUN + round(at * 1e6)
        made = rtp.Packet(
            self.payload_type, self.sequence & 0xFFFF, self.timestamp & 0xFFFF_FFFF, self.ssrc, payload
        )
        self.sequence += 1
        self.timestamp += self.encoder.clock_rate // 50
        return arrival, packet(self.track, arrival, rtp.build(made))


def track(number: int, party: str, kind: str = PCMA, at: float = 0.0) -> tuple[int, bytes]:
    """The statement of a track."""
    return said(Track(party, f"leg-{number}", {str(NUMBERS[kind]): kind}), at, number)


def said(statement_: Statement, at: float, number: int = NO_TRACK) -> tuple[int, bytes]:
    """A statement at so many seconds."""
    arrival = BEGUN + round(at * 1e6)
    return arrival, statement(number, arrival, statement_)


def recorded(
    directory: Path,
    made: Iterable[tuple[int, bytes]],
    recording: str = "20261122-1",
    key: bytes = KEY,
    wrapped_for: str = "0011223344556677",
) -> Path:
    """A recording's file with these entries in the order of their arrival, in segments of a second."""
    path = directory / f"{recording}{SUFFIX}"
    file = SealedFile(path, header(recording)._replace(wrapped_for=wrapped_for), key)
    entries = sorted([said(Clock("ntp", 500), 0.0), *made], key=lambda one: one[0])
    begun, plain = entries[0][0], b""
    for at, entry in entries:
        if at - begun >= 1_000_000:
            file.write(plain, begun)
            begun, plain = at, b""
        plain += entry
    count = sum(entry[0] == 1 for _, entry in entries)
    file.write(plain + statement(NO_TRACK, entries[-1][0], Ended("ended", count, 0)), begun)
    file.close()
    return path
