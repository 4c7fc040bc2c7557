"""What one leg says, written into a WAV file as it comes.

```
    leg ──> jitter buffer ──(each 20 ms)──> samples ──(each second)──> a thread that writes ──> file
                                                      key, silence, length, `stop` ──> Recorded
```
The clock decides how long a recording is: where nothing comes, or a packet is missing, there is silence (or
what conceals it). The rate is the codec's own, of Opus 16,000 a second. The file's header is true after each
second of sound, so that whatever ends this process leaves a file that can be played; `Recorded` is told once
all of it is on the disk.

Files are written by a thread of their own, one after the other: packets never wait for a disk.
"""

import logging
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Final

import numpy as np

from media import wav
from media.engine import RecordEnd
from media.engines import wire
from media.engines.players import WIDE_RATE, NotVoice, is_comfort_noise, player_of
from media.g711 import CodecError, Samples
from media.jitter_buffer import FRAME_MS, Player
from media.resampling import Resampler
from media.rtp import Packet
from media.sdp import Codec
from media.voice import natural_rate

_log = logging.getLogger(__name__)

_FRAMES_A_WRITE: Final = 1000 // FRAME_MS
_NO_PLAYER: Final = -1


class _File:
    """The WAV in the making; every method is called by the one thread that writes."""

    __slots__ = ("_bytes", "_failed", "_file", "_path", "_rate")

    def __init__(self, path: str, rate: int) -> None:
        self._path, self._rate = path, rate
        self._bytes = 0
        self._failed = False
        self._file = -1

    def open(self) -> None:
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
            self._file = os.open(self._path, flags, 0o600)
            os.pwrite(self._file, wav.header(0, self._rate), 0)
        except OSError as error:
            self._fail(error)

    def write(self, sound: bytes) -> None:
        """Add samples, then say in the header that they are there."""
        if self._failed:
            return
        try:
            while sound:
                written = os.pwrite(self._file, sound, wav.HEADER_BYTES + self._bytes)
                self._bytes += written
                sound = sound[written:]
            os.pwrite(self._file, wav.header(self._bytes, self._rate), 0)
        except OSError as error:
            self._fail(error)

    def cut(self, sound_bytes: int) -> None:
        """Leave out so much of the end."""
        if self._failed:
            return
        try:
            self._bytes = max(0, self._bytes - sound_bytes)
            os.ftruncate(self._file, wav.HEADER_BYTES + self._bytes)
            os.pwrite(self._file, wav.header(self._bytes, self._rate), 0)
        except OSError as error:
            self._fail(error)

    def close(self) -> bool:
        """Let all of it be on the disk; return whether it is."""
        if self._file < 0:
            return False
        try:
            os.fsync(self._file)
            _sync_folder(Path(self._path).parent)
        except OSError as error:
            self._fail(error)
        with suppress(OSError):
            os.close(self._file)
        return not self._failed

    @property
    def seconds(self) -> float:
        return self._bytes / 2 / self._rate

    def _fail(self, error: OSError) -> None:
        self._failed = True
        _log.error("not recorded: %s: %s", self._path, error.strerror)


class _Recording:
    """One leg that is recorded. keys: those that end it; codecs: what it may send with, by its numbers.

    quiet_bytes: of sound at its end in which nothing is said.
    """

    __slots__ = (
        "_codecs", "_frames", "_left", "_number", "_player", "_quiet_frames", "_quiet_left", "_rate",
        "_resampler", "file", "keys", "quiet_bytes", "said",
    )  # fmt: skip

    def __init__(self, said: wire.Record, codecs: Mapping[int, Codec], codec: Codec) -> None:
        """Raises CodecError for a codec that isn't ours."""
        self.said = said
        self.keys = said.keys
        self._rate = min(natural_rate(codec), WIDE_RATE)
        self._left = max(1, round(said.seconds * 1000) // FRAME_MS)
        self._quiet_frames = round(said.silence_seconds * 1000) // FRAME_MS
        self._quiet_left = self._quiet_frames
        self._frames: list[bytes] = []
        self._codecs = codecs
        self._number = _NO_PLAYER
        self._player: Player | None = None
        self._resampler: Resampler | None = None
        self.file = _File(said.path, self._rate)
        self.quiet_bytes = 0

    def route(self, codecs: Mapping[int, Codec]) -> None:
        """Take what the leg has agreed to, anew in mid-call."""
        if codecs != self._codecs:
            self._codecs = codecs
            self._number, self._player = _NO_PLAYER, None

    def receive(self, packet: Packet, now: float) -> None:
        """Take a packet of the leg: voice or comfort noise; keys aren't sound."""
        if packet.payload_type != self._number and not self._change(packet.payload_type):
            return
        if self._player is not None:
            self._player.put(packet, now)

    def _change(self, number: int) -> bool:
        """Be ready for another of the leg's codecs; False for what is left out."""
        codec = self._codecs.get(number)
        if codec is not None and is_comfort_noise(codec):
            return True
        try:
            self._player = player_of(self._codecs, number)
        except NotVoice:
            return False
        self._number = number
        self._resampler = (
            Resampler(self._player.rate, self._rate) if self._player.rate != self._rate else None
        )
        return True

    def tick(self, now: float) -> RecordEnd | None:
        """Take the next 20 ms; returns why the recording is over, None while it goes on."""
        sound, quiet = self._listen(now)
        self._frames.append(sound.astype("<i2").tobytes())
        self._left -= 1
        self._quiet_left = self._quiet_left - 1 if quiet else self._quiet_frames
        self.quiet_bytes = self.quiet_bytes + len(self._frames[-1]) if quiet else 0
        if self._left <= 0:
            return "length"
        return "silence" if self._quiet_frames and self._quiet_left <= 0 else None

    def _listen(self, now: float) -> tuple[Samples, bool]:
        player = self._player
        if player is None:
            return np.zeros(self._rate * FRAME_MS // 1000, np.int16), True
        frame = player.frame(now)
        return frame if self._resampler is None else self._resampler.process(frame), player.quiet

    @property
    def is_full(self) -> bool:
        """Whether there is a second of sound to be written."""
        return len(self._frames) >= _FRAMES_A_WRITE

    def taken(self) -> bytes:
        """Return what is to be written, and forget it."""
        sound = b"".join(self._frames)
        self._frames.clear()
        return sound


class Recorders:
    """All legs that are recorded, by port. tell: given each `Recorded`, by a thread of ours."""

    def __init__(self, tell: Callable[[wire.Report], None]) -> None:
        self._tell = tell
        self._recordings: dict[int, _Recording] = {}
        self._writer: ThreadPoolExecutor | None = None

    def __len__(self) -> int:
        """Return how many legs are recorded."""
        return len(self._recordings)

    def __contains__(self, port: int) -> bool:
        return port in self._recordings

    def begin(self, said: wire.Record, codecs: Mapping[int, Codec], codec: Codec) -> None:
        """Record a leg from here on, into another file where it is recorded already."""
        self.end(said.port, "stopped")
        try:
            recording = _Recording(said, codecs, codec)
        except CodecError as error:
            _log.warning("port=%d not recorded: %s", said.port & 0xFFFF, error)
            self._tell(wire.Recorded(said.port, said.turn, "failed", 0.0))
            return
        if self._writer is None:
            self._writer = ThreadPoolExecutor(1, "recordings")
        self._recordings[said.port] = recording
        self._writer.submit(recording.file.open)

    def route(self, port: int, codecs: Mapping[int, Codec]) -> None:
        """A leg that is recorded may have agreed to something else."""
        self._recordings[port].route(codecs)

    def receive(self, port: int, packet: Packet, now: float) -> None:
        """Take a packet of a leg; of one that isn't recorded it means nothing."""
        recording = self._recordings.get(port)
        if recording is not None:
            recording.receive(packet, now)

    def pressed(self, port: int, digit: str) -> None:
        """A leg pressed a key: some recordings end with that."""
        recording = self._recordings.get(port)
        if recording is not None and digit in recording.keys:
            self.end(port, "key")

    def tick(self, now: float) -> list[int]:
        """Take the next 20 ms of all; returns the ports that aren't recorded any more."""
        over = []
        for port, recording in list(self._recordings.items()):
            why = recording.tick(now)
            if why is not None:
                self.end(port, why)
                over.append(port)
            elif recording.is_full and self._writer is not None:
                self._writer.submit(recording.file.write, recording.taken())
        return over

    def end(self, port: int, why: RecordEnd) -> None:
        """End a leg's recording, if there is one; it is told when the disk has it."""
        recording = self._recordings.pop(port, None)
        if recording is None or self._writer is None:
            return
        file, said, sound = recording.file, recording.said, recording.taken()
        silent = recording.quiet_bytes if said.silence_seconds else 0

        def finish() -> None:
            file.write(sound)
            if silent:
                file.cut(silent)
            ended: RecordEnd = why if file.close() else "failed"
            self._tell(wire.Recorded(said.port, said.turn, ended, file.seconds))

        self._writer.submit(finish)

    def close(self) -> None:
        """End all recordings, and wait until the disk has them."""
        for port in list(self._recordings):
            self.end(port, "lost")
        if self._writer is not None:
            self._writer.shutdown(wait=True)


def _sync_folder(folder: Path) -> None:
    """Let the name of a new file be on the disk too. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
