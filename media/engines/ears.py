"""Digits in the sound of a leg that has no telephone-events (RFC 4733).

```
    leg ──> in order ──> decoded at 8,000 a second ──> InbandDetector ──> digits that begin
```
Only such a leg is listened to: it costs 40 to 90 CPU microseconds a packet. A digit is told once, when
its tone is 25 ms old; as long as the key is down, `digit` names it, so that whoever hears the leg can be
sent an event in place of the tone. A key that is heard twice because of an echo isn't told again while
it is down.
"""

from collections.abc import Mapping

from media.g711 import CodecError
from media.inband import InbandDetector
from media.reordering import Reordering
from media.resampling import Resampler
from media.rtp import Packet
from media.sdp import Codec
from media.voice import VoiceDecoder, decoder_of

_RATE = 8000


class Ears:
    """One leg that is listened to. codecs: those that it may send with, by its numbers.

    broken: payloads that their codec couldn't read.
    """

    __slots__ = ("_codecs", "_decoders", "_detector", "_order", "broken")

    def __init__(self, codecs: Mapping[int, Codec]) -> None:
        self.broken = 0
        self._codecs = codecs
        self._decoders: dict[int, tuple[VoiceDecoder, Resampler | None]] = {}
        self._detector = InbandDetector()
        self._order = Reordering()

    @property
    def digit(self) -> str:
        """The key that is down now, "" for none."""
        return self._detector.digit

    def receive(self, packet: Packet) -> str:
        """Take a packet; return the digits that begin in it, "" mostly."""
        digits = ""
        for ready in self._order.put(packet):
            if ready.payload_type not in self._codecs:
                continue
            try:
                digits += self._heard(ready)
            except CodecError:
                self.broken += 1
        return digits

    def _heard(self, packet: Packet) -> str:
        decoder, resampler = self._decoder(packet.payload_type)
        samples = decoder.decode(packet.payload)
        if resampler is not None:
            samples = resampler.process(samples[: len(samples) - len(samples) % (decoder.rate // 1000)])
        return self._detector.receive(samples) if len(samples) else ""

    def _decoder(self, number: int) -> tuple[VoiceDecoder, Resampler | None]:
        """Return what makes sound of packets with this number. Raises CodecError for a codec not ours."""
        kept = self._decoders.get(number)
        if kept is None:
            decoder = decoder_of(self._codecs[number], _RATE)
            resampler = Resampler(decoder.rate, _RATE) if decoder.rate != _RATE else None
            kept = self._decoders[number] = decoder, resampler
        return kept
