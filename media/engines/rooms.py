"""Rooms of the media process: legs of any codec that hear each other, mixed every 20 ms.

```
    leg ──(plane: taken)──> jitter buffer ──> gate ──> mixer ──> encoder ──> stream.speak
                                               └ who says nothing hears the whole room,
                                                 which is encoded once for all of them
```
A room is mixed at 8,000 samples a second while all its legs are of the telephone's band, and at 16,000
from the first that isn't. What a leg says is left out after 400 ms of near silence: a hundred rooms'
noise is no sound that anybody wants, and who is left out hears what all such legs hear. 400 ms later the leg
is asleep: the plane itself leaves out its quiet packets (`Hearing.LOUD`), so that in a conference of
hundreds those who only listen cost this loop nothing but to be spoken to.

The first leg of a room makes it, the last one ends it. Rooms keep nothing that must outlive the process:
signalling says each `Join` again, and sound goes on with the next packets.
"""

from functools import lru_cache
from typing import Final

from media import loudness
from media.engines import wire
from media.engines.players import WIDE_RATE, NotVoice, is_comfort_noise, player_of
from media.engines.stream import Hearing, Stream
from media.engines.stream import Player as Played
from media.g711 import Samples
from media.jitter_buffer import Player
from media.mixer import Mixer, Party
from media.resampling import Resampler
from media.rtp import BY_THE_CLOCK, Frame, Packet
from media.sdp import Codec
from media.voice import VoiceEncoder, encoder_of, natural_rate

NARROW_RATE: Final = 8000
_GATE_TICKS: Final = 20  # of near silence before a leg is left out, and as many before it sleeps
_SPEAKER_EACH_TICKS: Final = 4  # as often as the mixer measures
IN_ROOM: Final = Played(0, 0, iter(()))  # what keeps a leg's peer from being heard

_MOST_VOICES: Final = 16  # of one room
# Encoders of these can go on where another one is, so that a leg may change to the room's and back.
_SHARED: Final = frozenset({"PCMU", "PCMA", "L16", "OPUS"})


class Voice:
    """What makes packets of a mix. rate: of the mix."""

    __slots__ = ("_encoder", "_resampler", "_ticks")

    def __init__(self, codec: Codec, fmtp: str, rate: int) -> None:
        self._encoder: VoiceEncoder = encoder_of(codec, rate, fmtp)
        self._resampler = Resampler(rate, self._encoder.rate) if self._encoder.rate != rate else None
        self._ticks = codec.clock_rate // 50

    def frame(self, mix: Samples) -> Frame:
        """Return the packet of the next 20 ms."""
        sound = mix if self._resampler is None else self._resampler.process(mix)
        return Frame(self._encoder.encode(sound), False, self._ticks)

    def follow(self, other: "Voice") -> None:
        """Go on where another one of the same codec and rate is."""
        self._encoder.follow(other._encoder)
        if self._resampler is not None and other._resampler is not None:
            self._resampler.follow(other._resampler)


@lru_cache(maxsize=64)
def _voice_key(codec: str, fmtp: str) -> tuple[str, str]:
    """Return what names a voice, the same object for the same one, as long as few are in use."""
    return codec, fmtp


class Seat:
    """One leg in a room. codecs: all that it may send with, by its numbers; codec: what it is sent.

    speaks, hears, whisper: as its `wire.Join` says. attentive: every packet of it is wanted, by others too.
    """

    __slots__ = (
        "_codecs", "_number", "_player", "_rate", "_resampler", "_silent_ticks", "attentive", "awake",
        "codec", "fmtp", "fresh", "hears", "party", "quiet", "shares", "speaks", "stream", "voice",
        "voice_key", "whisper",
    )  # fmt: skip

    def __init__(self, stream: Stream, codecs: dict[int, Codec], codec: Codec, fmtp: str) -> None:
        self.stream = stream
        self.speaks = self.hears = True
        self.whisper = 0
        self.party: Party
        self.attentive = False
        self.awake = False  # packets of it may wait to be heard
        self.quiet = True  # it said nothing in this tick
        self.fresh = True  # what it hears next follows something that wasn't the room
        self._silent_ticks = _GATE_TICKS
        self._player: Player | None = None
        self._resampler: Resampler | None = None
        self._number = -1
        self._rate = 0
        self.voice: Voice | None = None
        self._codecs: dict[int, Codec] = {}
        self.codec, self.fmtp = codec, ""
        self.voice_key = _voice_key(codec.key, "")
        self.shares = False
        self.route(codecs, codec, fmtp)

    def route(self, codecs: dict[int, Codec], codec: Codec, fmtp: str) -> None:
        """Take what the leg has agreed to, anew in mid-call where it has changed."""
        if (codecs, codec, fmtp) == (self._codecs, self.codec, self.fmtp):
            return
        self._codecs, self.codec, self.fmtp = codecs, codec, fmtp
        self.voice_key = _voice_key(codec.key, fmtp)
        self.shares = codec.name.upper() in _SHARED
        self.voice = None
        if self._number not in codecs:
            self._number, self._player = -1, None

    @property
    def wide(self) -> bool:
        """Whether the leg hears or says more than a telephone's band."""
        return natural_rate(self.codec) > NARROW_RATE

    @property
    def hearing(self) -> Hearing:
        """Which of the leg's packets are wanted."""
        return Hearing.TAKE if self.awake or self.attentive else Hearing.LOUD

    def sit(self, party: Party, rate: int) -> None:
        """Be this party of a mixer of this rate."""
        self.party, self._rate = party, rate
        self.voice = None
        self._resampler = self._resampler_for(self._player_rate())

    def receive(self, packet: Packet, now: float) -> None:
        """Take a packet of the leg: voice or comfort noise; events aren't sound. now: monotonic seconds."""
        number = packet.payload_type
        if number != self._number and not self._change(number):
            return
        if self._player is not None:
            self._player.put(packet, now)
            if not self.awake:
                self.awake = True
                self.stream.hear(self.hearing)

    def _change(self, number: int) -> bool:
        """Be ready for another of the leg's codecs; False for what is left out."""
        codec = self._codecs.get(number)
        if codec is not None and is_comfort_noise(codec):
            return True
        try:
            self._player = player_of(self._codecs, number, noise_seed=self.stream.port)
        except NotVoice:
            return False
        self._number = number
        self._resampler = self._resampler_for(self._player.rate)
        return True

    def _player_rate(self) -> int:
        return self._player.rate if self._player is not None else self._rate

    def _resampler_for(self, rate: int) -> Resampler | None:
        return Resampler(rate, self._rate) if rate != self._rate else None

    def listen(self, now: float) -> Samples | None:
        """Return the leg's next 20 ms at the room's rate, None while it says nothing."""
        player = self._player
        if player is None:
            return None
        frame = player.frame(now)
        self._silent_ticks = self._silent_ticks + 1 if player.quiet else 0
        if self._silent_ticks > _GATE_TICKS:
            if self._silent_ticks > 2 * _GATE_TICKS and loudness.is_weighed(self._number):
                self._sleep(player)
            return None
        return frame if self._resampler is None else self._resampler.process(frame)

    def _sleep(self, player: Player) -> None:
        """Do nothing until a packet comes in which something is said, or may be."""
        player.rest()
        self._silent_ticks = _GATE_TICKS
        self.awake = False
        self.stream.hear(self.hearing)

    def say(self, frame: Frame, now: float) -> None:
        """Let the leg hear a packet of the room, unless it is played something."""
        if self.stream.player is not IN_ROOM:
            self.fresh = True
            return
        if self.fresh:
            self.fresh = False
            frame = Frame(frame.payload, True, BY_THE_CLOCK)
        self.stream.speak(frame, self.codec.payload_type, now)


class _Room:
    """One room. speaker: the port told last, 0 for none."""

    __slots__ = ("name", "rate", "seats", "speaker", "voices", "whispered")

    def __init__(self, name: str) -> None:
        self.name = name
        self.rate = NARROW_RATE
        self.seats: dict[int, Seat] = {}
        self.voices: dict[tuple[str, str], Voice] = {}  # what silent legs hear, by codec
        self.whispered: frozenset[int] = frozenset()  # ports that hear more than the others
        self.speaker = 0


class Rooms:
    """All rooms. reports: where a change of speaker is added."""

    def __init__(self, reports: list[wire.Report]) -> None:
        self._reports = reports
        self._mixers = {rate: Mixer(rate) for rate in (NARROW_RATE, WIDE_RATE)}
        self._rooms: dict[str, _Room] = {}
        self._of: dict[int, _Room] = {}  # by port
        self._ticks = 0

    def __len__(self) -> int:
        """Return how many legs are in rooms."""
        return len(self._of)

    def __contains__(self, port: int) -> bool:
        return port in self._of

    def seat(self, port: int) -> Seat:
        """Return what a stream has in its room. Raises KeyError when it is in none."""
        return self._of[port].seats[port]

    # -- who is there ------------------------------------------------------------------------------

    def join(self, said: wire.Join, seat: Seat) -> None:
        """Put a leg into a room; it hears its peer no more. It must not be in one."""
        room = self._rooms.get(said.room)
        if room is None:
            room = self._rooms[said.room] = _Room(said.room)
        port = said.port
        room.seats[port] = seat
        self._of[port] = room
        seat.sit(self._mixers[room.rate].join(said.room), room.rate)
        if seat.stream.player is None:
            seat.stream.play(IN_ROOM)
        self.change(said)
        self.widen(port)

    def change(self, said: wire.Join) -> None:
        """Do what a leg that is in its room is to do there from here on."""
        room = self._of[said.port]
        seat = room.seats[said.port]
        seat.speaks, seat.hears, seat.whisper = said.speaks, said.hears, said.whisper
        seat.fresh = seat.fresh or not said.hears
        self._whispers(room)

    def widen(self, port: int) -> None:
        """Mix the leg's room at 16,000 samples a second from here on, if it has use for that."""
        room = self._of[port]
        if room.rate == WIDE_RATE or not room.seats[port].wide:
            return
        before, after = self._mixers[NARROW_RATE], self._mixers[WIDE_RATE]
        room.rate = WIDE_RATE
        room.voices.clear()
        for seat in room.seats.values():
            before.leave(seat.party)
            seat.sit(after.join(room.name), WIDE_RATE)
        self._whispers(room)

    def leave(self, port: int) -> None:
        """Take a leg out of its room; it hears its peer again. In none is no error."""
        room = self._of.pop(port, None)
        if room is None:
            return
        seat = room.seats.pop(port)
        self._mixers[room.rate].leave(seat.party)
        if seat.stream.player is IN_ROOM:
            seat.stream.play(None)
        if room.speaker == port:
            room.speaker = 0
            self._reports.append(wire.Speaker(room.name, 0))
        if room.seats:
            self._whispers(room)
        else:
            del self._rooms[room.name]

    def _whispers(self, room: _Room) -> None:
        """Let each leg be heard by those it speaks to: whoever whispers to nobody here isn't heard."""
        mixer, whispered = self._mixers[room.rate], set()
        for seat in room.seats.values():
            to = room.seats.get(seat.whisper)
            alone = seat.whisper != 0 and (to is None or to is seat)
            mixer.mute(seat.party, muted=alone or not seat.speaks)
            if to is None or to is seat:
                mixer.whisper(seat.party, None)
            else:
                mixer.whisper(seat.party, to.party)
                whispered.add(to.stream.port)
        room.whispered = frozenset(whispered)

    # -- each 20 ms --------------------------------------------------------------------------------

    def tick(self, now: float) -> None:
        """Let every leg hear the next 20 ms of its room. now: monotonic seconds."""
        self._ticks += 1
        for room in self._rooms.values():
            mixer = self._mixers[room.rate]
            for seat in room.seats.values():
                if not seat.awake:
                    continue
                sound = seat.listen(now)
                seat.quiet = sound is None
                if sound is not None:
                    mixer.put(seat.party, sound)
        for mixer in self._mixers.values():
            mixer.tick()
        for room in self._rooms.values():
            self._speak(room, now)
            if self._ticks % _SPEAKER_EACH_TICKS == 0:
                self._tell_speaker(room)

    def _speak(self, room: _Room, now: float) -> None:
        """Send each leg what it hears; one packet for all who hear the same in the same codec."""
        mixer, whispered = self._mixers[room.rate], room.whispered
        same: dict[tuple[str, str], list[Seat]] = {}
        key, seats = ("", ""), []  # of the leg before: most have the same
        for seat in room.seats.values():
            if not seat.hears:
                continue
            if seat.shares and (seat.quiet or not seat.party.is_heard) and seat.stream.port not in whispered:
                seat.voice = None
                if seat.voice_key is not key:
                    key = seat.voice_key
                    seats = same.setdefault(key, [])
                seats.append(seat)
                continue
            if seat.voice is None:
                seat.voice = Voice(seat.codec, seat.fmtp, room.rate)
                if seat.voice_key in room.voices:
                    seat.voice.follow(room.voices[seat.voice_key])
            seat.say(seat.voice.frame(mixer.heard(seat.party)), now)
        for seats in same.values():
            voice = self._shared_voice(room, seats[0])
            _say(voice.frame(mixer.heard(seats[0].party)), seats, now)

    def _shared_voice(self, room: _Room, seat: Seat) -> Voice:
        """Return what speaks to all who hear the whole room in this leg's codec."""
        voice = room.voices.get(seat.voice_key)
        if voice is None:
            if len(room.voices) >= _MOST_VOICES:  # fmtp lines come from the network
                room.voices.clear()
            voice = room.voices[seat.voice_key] = Voice(seat.codec, seat.fmtp, room.rate)
        return voice

    def _tell_speaker(self, room: _Room) -> None:
        party = self._mixers[room.rate].speaker(room.name)
        if party is None or (room.speaker in room.seats and room.seats[room.speaker].party is party):
            return
        for port, seat in room.seats.items():
            if seat.party is party:
                room.speaker = port
                self._reports.append(wire.Speaker(room.name, port))


def _say(frame: Frame, seats: list[Seat], now: float) -> None:
    """Let several legs hear one packet: in one call those who hear the room already, by the same number."""
    number = seats[0].codec.payload_type
    together = []
    for seat in seats:
        if seat.fresh or seat.stream.player is not IN_ROOM or seat.codec.payload_type != number:
            seat.say(frame, now)
        else:
            together.append(seat.stream)
    if together:
        together[0].speak_with(together[1:], frame, number, now)
