"""The tape with real media processes and an engine, over both planes: what outlives whom."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import msgspec
import pytest

from media.engine import NO_TRACK
from media.engines.python import PythonEngine
from media.engines.reel import Reel
from media.engines.relay import PlaneName
from media.engines.tape import Tape, Taped
from media.goertzel import share
from media.snapshot import CallMediaSnapshot
from tests.media.phone import Phone, sound
from tests.media.process import MediaProcess
from tests.media.test_relay import Pair, another_process, joined
from tests.media.test_tape import on_track

Phones = Callable[..., Phone]


class Taping:
    """A media process with a tape, and what was read of it."""

    def __init__(self, media: MediaProcess, reel: Reel) -> None:
        self.media, self.engine = media, media.engine
        self.tape = Tape(reel)
        self.read: list[Taped] = []

    async def speak(self, pair: Pair, packets: int = 10) -> None:
        """Let both phones say their tone, and wait until all of it is on the tape. Raises TimeoutError."""
        before = self.packets
        for said in zip(pair.alice.tone(packets), pair.bob.tone(packets), strict=True):
            pair.alice.send(pair.alice_sends_to, said[0])
            pair.bob.send(pair.bob_sends_to, said[1])
        async with asyncio.timeout(45):
            while self.packets < before + 2 * packets:
                await asyncio.sleep(0.02)
                self.read += self.tape.read(0)

    @property
    def packets(self) -> int:
        return sum(taped.packets for taped in self.read)

    def share_of(self, track: int, frequency_hz: int) -> float:
        return share(sound([one for taped in self.read for one in on_track(taped, track)]), frequency_hz)


@pytest.fixture
async def taping(tmp_path: Path, plane: PlaneName) -> AsyncIterator[Taping]:
    reel = Reel()
    media = MediaProcess(tmp_path / "prompts", plane=plane, lasting=True, reel=reel)
    made = Taping(media, reel)
    try:
        await media.engine.start()
        yield made
    finally:
        assert media.stop() == -signal.SIGTERM
        made.tape.close()
        reel.renounce()


async def test_each_party_of_a_call_is_heard_on_its_own_track(taping: Taping, phones: Phones):
    pair = await joined(taping.media, phones)
    await taping.engine.tape("c", "a", 7, 0, NO_TRACK)
    await taping.engine.tape("c", "b", 7, 1, NO_TRACK)
    await taping.engine.query("c")  # the media process has done all that was said
    await taping.speak(pair)
    assert {taped.recording for taped in taping.read} == {7}
    assert taping.share_of(0, 697) > 0.9
    assert taping.share_of(1, 1477) > 0.9


async def test_legs_stay_on_the_tape_with_another_media_process(taping: Taping, phones: Phones):
    pair = await joined(taping.media, phones)
    await taping.engine.tape("c", "a", 7, 0, NO_TRACK)
    await taping.engine.tape("c", "b", 7, 1, NO_TRACK)
    await taping.engine.query("c")
    await taping.speak(pair)
    await another_process(taping.media)
    await taping.speak(pair)
    assert {taped.recording for taped in taping.read} == {7}
    assert [one.sequence for taped in taping.read for one in on_track(taped, 0)] == [*range(100, 120)]


async def test_legs_stay_on_the_tape_while_signalling_is_away_and_with_the_next_one(
    taping: Taping, phones: Phones
):
    media = taping.media
    pair = await joined(media, phones)
    await taping.engine.tape("c", "a", 7, 0, NO_TRACK)
    await taping.engine.tape("c", "b", 7, 1, NO_TRACK)
    await taping.engine.query("c")
    kept = msgspec.msgpack.encode(taping.engine.snapshot("c"))
    media.engine.close()
    await taping.speak(pair)
    media.engine = PythonEngine(media.connect(), ("127.0.0.1",), media.events.append)
    media.engine.restore(msgspec.msgpack.decode(kept, type=CallMediaSnapshot))
    await media.engine.start()
    await taping.speak(pair)
    await media.engine.tape("c", "a", 7, NO_TRACK, NO_TRACK)  # it is still known by its slot
    await media.engine.tape("c", "b", 7, NO_TRACK, NO_TRACK)
    await media.engine.query("c")
    pair.alice.send(pair.alice_sends_to)
    await pair.bob.hear(21)
    assert taping.tape.read(0) == []
    assert {taped.recording for taped in taping.read} == {7}
    await media.engine.delete("c")
