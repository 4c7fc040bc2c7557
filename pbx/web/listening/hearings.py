"""What is being listened to: the sound of recordings in memory, for as long as somebody listens.

```
POST listenings ──> Hearing ── workshop ──> samples, one channel after the other, in a file in memory
GET sound       <── WAV of two channels: which parties are in the left and which in the right ear
```
A browser asks for any part of a sound whose end is still being made: its length is known from the begin, and
whoever asks for what isn't there yet waits for it. Nothing of it is ever on a disk. A hearing is its
account's alone, and is over when nobody has asked for it for a while, or when too many are there.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from array import array
from collections.abc import AsyncIterator, Sequence
from typing import Final

from pbx.tasks import Tasks
from pbx.web.listening.workshop import Workshop
from pbx.web.problems import Problem
from recording.archive.requests import Found, PolicyTold
from recording.export.orders import Failed, Finished, Hear, Made, Outlined

MOST_HEARINGS: Final = 12
MOST_OF_AN_ACCOUNT: Final = 2
MOST_BYTES: Final = 256 << 20  # of one's samples: more than two hours of two telephones
MOST_BYTES_OF_ALL: Final = 768 << 20
MOST_RATE: Final = 16_000  # samples a second: all of a voice; an export has all of the sound
IDLE_SECONDS: Final = 1800.0
PIECE_SAMPLES: Final = 8_000
HEADER_BYTES: Final = 44
BYTES_A_SAMPLE: Final = 2
_EARS: Final = 2


class Hearing:
    """One recording, opened for one account. Made by `Hearings.begin`.

    peaks: of the waveform as far as it is made; made: samples of each channel; failed: why there are no more.
    """

    def __init__(self, account: str, found: Found, policy: PolicyTold) -> None:
        self.id = secrets.token_urlsafe(18)
        self.account = account
        self.found = found
        self.policy = policy
        self.outlined: Outlined | None = None
        self.made = 0
        self.peaks: list[list[int]] = []
        self.quiet: list[tuple[float, float]] = []
        self.finished = False
        self.failed: Failed | None = None
        self.used_at = 0.0  # of the loop's clock
        self.file = os.memfd_create("hearing", os.MFD_CLOEXEC)
        self._changed = asyncio.Event()
        self._workshop: Workshop | None = None

    async def make(self, order: Hear) -> None:
        """Have its sound made; returns when all is, or can't be."""
        try:
            self._workshop = await Workshop.begin(order, (order.file,))
        except OSError as error:
            self._take(Failed("died", error.strerror or str(error)))
            return
        async for told in self._workshop.told():
            self._take(told)
        if not self.finished and self.failed is None:
            self._take(Failed("died", "the program that opens recordings said nothing"))

    def _take(self, told: object) -> None:
        match told:
            case Outlined():
                self.outlined = told
            case Made(samples, peaks):
                self.made = samples
                self.peaks += peaks
            case Finished(quiet):
                self.quiet, self.finished = quiet, True
            case Failed():
                self.failed = told
        self._changed.set()
        self._changed = asyncio.Event()

    async def close(self) -> None:
        """Let go of its memory."""
        if self._workshop is not None:
            await self._workshop.end()
        if self.file >= 0:
            os.close(self.file)
            self.file = -1
        self._take(Failed("over", "this listening is over"))

    async def outline(self) -> Outlined:
        """Return what there is to hear, when that is known. Raises Problem."""
        while self.outlined is None:
            if self.failed is not None:
                raise problem_of(self.failed)
            await self._changed.wait()
        return self.outlined

    @property
    def memory_bytes(self) -> int:
        """How much memory it takes, or will take."""
        known = self.outlined
        return known.samples * len(known.parties) * BYTES_A_SAMPLE if known is not None else MOST_BYTES

    @property
    def size(self) -> int:
        """How many bytes the WAV has. To be asked for when the outline is known."""
        assert self.outlined is not None
        return HEADER_BYTES + self.outlined.samples * _EARS * BYTES_A_SAMPLE

    async def sound(
        self, left: Sequence[int], right: Sequence[int], first: int, end: int
    ) -> AsyncIterator[bytes]:
        """Yield bytes `first` to `end` (excluded) of the WAV. left, right: channels in each ear.

        It ends early where the sound can't be made any further: the connection says so.
        """
        outlined = await self.outline()
        if first < HEADER_BYTES:
            yield wav_header(outlined.rate, outlined.samples)[first:end]
            first = min(HEADER_BYTES, end)
        block = _EARS * BYTES_A_SAMPLE
        while first < end:
            begin = (first - HEADER_BYTES) // block
            count = min(PIECE_SAMPLES, outlined.samples - begin)
            await self._wait_for(begin + count)
            if self.file < 0:
                return
            self.used_at = asyncio.get_running_loop().time()
            piece = self._piece(begin, count, left, right)
            offset = first - HEADER_BYTES - begin * block
            piece = piece[offset : offset + end - first]
            first += len(piece)
            yield piece

    async def _wait_for(self, samples: int) -> None:
        """Return when so many are made, or none will be any more."""
        while self.made < samples and not self.finished and self.failed is None:
            await self._changed.wait()

    def _piece(self, begin: int, count: int, left: Sequence[int], right: Sequence[int]) -> bytes:
        ears = array("h", bytes(count * _EARS * BYTES_A_SAMPLE))
        ears[0::2] = self._ear(left, begin, count)
        ears[1::2] = self._ear(right, begin, count)
        return ears.tobytes()

    def _ear(self, channels: Sequence[int], begin: int, count: int) -> array[int]:
        """Some samples of these channels together."""
        assert self.outlined is not None
        size = count * BYTES_A_SAMPLE
        heard = array("h", bytes(size))
        for place, channel in enumerate(channels):
            at = (channel * self.outlined.samples + begin) * BYTES_A_SAMPLE
            one = array("h", os.pread(self.file, size, at).ljust(size, b"\0"))
            heard = one if not place else _together(heard, one)
        return heard


class Hearings:
    """Those of the web process."""

    def __init__(self) -> None:
        self._hearings: dict[str, Hearing] = {}
        self._tasks = Tasks()
        self._loop = asyncio.get_running_loop()

    async def begin(
        self, account: str, found: Found, policy: PolicyTold, path: str, key: bytes, last_seconds: float
    ) -> Hearing:
        """Have a recording made into sound; returns when it is known what there is to hear.

        Raises Problem (409) where it can't be opened.
        """
        now = self._loop.time()
        for one in self._over(account, now):
            await self.end(one)
        made = Hearing(account, found, policy)
        made.used_at = now
        self._hearings[made.id] = made
        order = Hear(
            path=path,
            key=key,
            file=made.file,
            most_rate=MOST_RATE,
            most_bytes=MOST_BYTES,
            last_seconds=last_seconds,
        )
        self._tasks.start(made.make(order), f"hearing {found.recording}")
        try:
            await made.outline()
        except Problem:
            await self.end(made)
            raise
        self._loop.call_later(IDLE_SECONDS, self._look)
        return made

    def of(self, account: str, name: str) -> Hearing:
        """Return an account's hearing. Raises Problem (404) for one that is over, or is another's."""
        made = self._hearings.get(name)
        if made is None or made.account != account:
            raise Problem(404, "listening_over", "this listening is over", mend="open the recording again")
        made.used_at = self._loop.time()
        return made

    async def end(self, made: Hearing) -> None:
        """Let go of one."""
        self._hearings.pop(made.id, None)
        await made.close()

    async def close(self) -> None:
        """Let go of all."""
        for one in list(self._hearings.values()):
            await self.end(one)
        await self._tasks.cancel()

    def _over(self, account: str, now: float) -> list[Hearing]:
        """Those that make room for another one of this account, the longest unused first."""
        there = sorted(self._hearings.values(), key=lambda one: one.used_at)
        over = [one for one in there if now - one.used_at >= IDLE_SECONDS]
        there = [one for one in there if one not in over]
        own = [one for one in there if one.account == account]
        over += own[: max(0, len(own) - MOST_OF_AN_ACCOUNT + 1)]
        there = [one for one in there if one not in over]
        while there and (
            len(there) >= MOST_HEARINGS
            or sum(one.memory_bytes for one in there) > MOST_BYTES_OF_ALL - MOST_BYTES
        ):
            over.append(there.pop(0))
        return over

    def _look(self) -> None:
        now = self._loop.time()
        for one in list(self._hearings.values()):
            if now - one.used_at >= IDLE_SECONDS:
                self._tasks.start(self.end(one), f"end of hearing {one.found.recording}")
        if self._hearings:
            self._loop.call_later(IDLE_SECONDS, self._look)


def problem_of(failed: Failed) -> Problem:
    """Return what is told of a recording that can't be opened."""
    mends = {
        "too_long": "hear its last minutes alone, or export it",
        "damaged": "verify the recording, and tell who runs the machine",
        "disk": "tell who runs the machine",
        "over": "open the recording again",
        "died": "try again; the log says more",
    }
    return Problem(409, f"recording_{failed.word}", failed.why, mend=mends.get(failed.word, ""))


def wav_header(rate: int, samples: int) -> bytes:
    """Return the HEADER_BYTES before the samples of a WAV of two channels of 16 bits."""
    size, block = samples * _EARS * BYTES_A_SAMPLE, _EARS * BYTES_A_SAMPLE
    fmt = b"".join(
        value.to_bytes(width, "little")
        for value, width in ((1, 2), (_EARS, 2), (rate, 4), (rate * block, 4), (block, 2), (16, 2))
    )
    return b"".join(
        (
            b"RIFF", (HEADER_BYTES - 8 + size).to_bytes(4, "little"), b"WAVE",
            b"fmt ", len(fmt).to_bytes(4, "little"), fmt,
            b"data", size.to_bytes(4, "little"),
        )
    )  # fmt: skip


def _together(one: array[int], other: array[int]) -> array[int]:
    """Two sounds at once; what is too loud is cut."""
    return array("h", [max(-32768, min(32767, a + b)) for a, b in zip(one, other, strict=True)])
