"""One leg's packets in its peer's codec, where the plane can't just send them on.

```
    leg ──(plane: taken)──> in order ──┬─ voice ──> transcoder ──> frames of 20 ms ──┐
                                       ├─ event (RFC 4733) ──> by the peer's number ─┼──> peer.speak
                                       └─ comfort noise (RFC 3389) ──> a pause ──────┘
```
A leg may change its codec in mid-stream: each of its numbers has a transcoder of its own, made when its
first packet comes. While the peer is played something else, the leg's packets are let go. Comfort noise
isn't made into sound: that would take a clock of the converter's and an encoder every 20 ms for a leg that is
silent. The peer's own comfort noise fills the pause.

A converter keeps nothing that must outlive the process. A new one begins with the next packet, on the
SSRC and behind the numbers that the peer has heard.
"""

from typing import NamedTuple

from media.engines.stream import Stream
from media.g711 import CodecError
from media.reordering import Reordering
from media.rtp import BY_THE_CLOCK, Frame, Packet
from media.sdp import Codec
from media.transcoder import Transcoder


class Ear(NamedTuple):
    """How a leg is spoken to. codec: by the leg's own number; fmtp: what it said of it.

    events: its number for telephone-events, -1 for none.
    """

    codec: Codec
    fmtp: str = ""
    events: int = -1


class Converter:
    """One direction between two legs. sources: all that the leg may send with, by its own numbers.

    broken: payloads that their codec couldn't read.
    """

    __slots__ = (
        "_ear",
        "_events",
        "_expected_loss",
        "_fresh",
        "_number",
        "_order",
        "_peer",
        "_transcoders",
        "_voices",
        "broken",
    )

    def __init__(self, sources: tuple[Codec, ...], peer: Stream, ear: Ear) -> None:
        self.broken = 0
        self._peer = peer
        self._ear = ear
        self._voices = {one.payload_type: one for one in sources if not one.is_auxiliary}
        self._events = {one.payload_type: one for one in sources if one.is_event}
        self._order = Reordering()
        self._transcoders: dict[int, Transcoder] = {}
        self._expected_loss = 0  # per cent, as the peer has reported of late (RFC 3550 section 6.4.1)
        self._number = -1  # of the voice that was heard last
        self._fresh = True  # what comes next follows something that this converter hasn't said

    def receive(self, packet: Packet, now: float) -> None:
        """Take a packet of the leg; the peer hears what it completes. now: monotonic seconds."""
        for ready in self._order.put(packet):
            if self._peer.player is not None:
                self._fresh = True
                continue
            try:
                self._convert(ready, now)
            except CodecError:
                self.broken += 1

    def _convert(self, packet: Packet, now: float) -> None:
        number, timestamp = packet.payload_type, packet.timestamp
        if number in self._voices:
            if number != self._number:
                self._number, self._fresh = number, True
            for frame in self._transcoder().voice(packet.payload, timestamp):
                self._speak(frame, self._ear.codec.payload_type, now)
        elif number in self._events and self._ear.events >= 0 and self._voices:
            rate = self._events[number].clock_rate
            frame = self._transcoder().event(packet.payload, timestamp, rate, marker=packet.marker)
            self._speak(frame, self._ear.events, now)

    def _transcoder(self) -> Transcoder:
        """Return the transcoder of the voice heard last; before any, of the leg's first codec."""
        if self._number < 0:
            self._number = next(iter(self._voices))
        kept = self._transcoders.get(self._number)
        if kept is None:
            kept = Transcoder(self._voices[self._number], self._ear.codec, self._ear.fmtp)
            kept.expect_loss(self._expected_loss)
            self._transcoders[self._number] = kept
        if self._peer.reception.loss_percent != self._expected_loss:
            self._expected_loss = self._peer.reception.loss_percent
            for each in self._transcoders.values():
                each.expect_loss(self._expected_loss)
        return kept

    def _speak(self, frame: Frame, payload_type: int, now: float) -> None:
        if self._fresh:
            # RFC 3551 section 4.1: a talk spurt begins; its time is what has passed since the last one.
            self._fresh = False
            frame = Frame(frame.payload, True, BY_THE_CLOCK)
        self._peer.speak(frame, payload_type, now)
