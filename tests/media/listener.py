"""A stream whose leg is a list: what it is sent is kept, and nothing is moved."""

import numpy as np

from media import rtp
from media.engines import wire
from media.engines.stream import Hearing, Range, Stream
from media.g711 import Samples
from media.rtp import Frame, Outgoing, Packet
from media.sdp import Codec
from media.voice import decoder_of, encoder_of

PCMU = Codec(0, "PCMU", 8000, 1, "pcmu/8000/1")
PCMA = Codec(8, "PCMA", 8000, 1, "pcma/8000/1")
G722 = Codec(9, "G722", 8000, 1, "g722/8000/1")
OPUS = Codec(96, "opus", 48000, 2, "opus/48000/2")
EVENTS = Codec(101, "telephone-event", 8000, 1, "telephone-event/8000/1")
NOISE = Codec(13, "CN", 8000, 1, "cn/8000/1")


class Listener(Stream):
    """sent: the packets that the leg was sent; hearing: what the plane was told.

    silent, counted: what it says of what came from the leg.
    """

    def __init__(self, port: int = 20000, clock_rate: int = 8000) -> None:
        super().__init__(port, Range("127.0.0.1", (20000, 20099)))
        self.sent: list[Packet] = []
        self.hearing = Hearing.NOTHING
        self.silent = -1.0
        self.counted = wire.StreamCounts(port, "", 0, 0, 0, 0, 0, 0.0, -1.0, 0, 0, 0)
        self._clock_rate = clock_rate
        self._outgoing = Outgoing(port)

    def claim(self, *, again: bool) -> None:
        """Nothing to be begun."""

    def tape(self, slot: int, by_leg: int, to_leg: int) -> None:
        """Nothing is recorded here."""

    def echo(self, on: bool) -> None:
        """Nothing is relayed here."""

    def hear(self, hearing: Hearing) -> None:
        self.hearing = hearing

    def speak(self, frame: Frame, payload_type: int, now: float) -> None:
        if packet := self._outgoing.speak(frame, payload_type, now, self._clock_rate):
            self.sent.append(rtp.parse(packet))

    def each_second(self, now: float, silence_seconds: float, *, report: bool) -> None:
        """Nothing is watched here."""

    def ask_for_picture(self, now: float) -> None:
        """It shows none."""

    def silent_seconds(self, now: float) -> float:
        return self.silent

    def counts(self, now: float) -> wire.StreamCounts:
        return self.counted

    def sound(self, codec: Codec) -> Samples:
        """Return what the leg hears, one packet after the other."""
        decoder = decoder_of(codec)
        return np.concatenate([np.zeros(0, np.int16)] + [decoder.decode(one.payload) for one in self.sent])


class Speaker:
    """A leg's mouth: its sound as packets of a codec, 20 ms each."""

    def __init__(self, codec: Codec, ssrc: int = 7, sequence: int = 65530) -> None:
        self.codec = codec
        self._encoder = encoder_of(codec)
        self.rate = self._encoder.rate
        self._ssrc, self._sequence, self._timestamp = ssrc, sequence, 0xFFFFFF00

    def say(self, sound: Samples) -> list[Packet]:
        """Return whole packets of this sound."""
        count = self.rate // 50
        return [
            self.packet(self._encoder.encode(sound[start : start + count]))
            for start in range(0, len(sound) - count + 1, count)
        ]

    def packet(self, payload: bytes, payload_type: int = -1, *, marker: bool = False) -> Packet:
        """Return the next packet."""
        number = payload_type if payload_type >= 0 else self.codec.payload_type
        made = Packet(number, self._sequence, self._timestamp, self._ssrc, payload, marker)
        self._sequence = self._sequence + 1 & 0xFFFF
        self._timestamp = self._timestamp + self._encoder.clock_rate // 50 & 0xFFFFFFFF
        return made
