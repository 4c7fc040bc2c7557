"""A recorded line with real phones (Debian's baresip) and the whole program: what is in the file."""

from __future__ import annotations

from array import array
from pathlib import Path

import pytest

from pbx.node.keys import private_of
from recording.export.outline import opened, outline
from recording.export.sound import Unplaced, blocks
from recording.keys import KeyStore, read_private, unwrap
from recording.proof.entries import Ended, Part
from recording.proof.verifier import SUFFIX
from tests.interop import beffroi
from tests.interop.baresip import Baresip
from tests.interop.namespaces import Town
from tests.interop.patience import until
from tests.interop.tone import Recording, heard_frequency

pytestmark = [pytest.mark.peer, pytest.mark.xdist_group("other phones")]

ALICE_HZ, GUARD_HZ = 440, 640
RATE = 8000
A_SECOND_BYTES = 2 * 50 * 172  # two parties, of G.711


async def test_a_call_to_the_fire_line_is_kept_each_side_apart_also_when_signalling_is_killed(
    town: Town, tmp_path: Path
) -> None:
    """Alice calls 8200, a guard answers; both tones lie in the sealed file, in a channel each."""
    left, right = town.plug("10.54.1.27"), town.plug("10.54.2.27")
    async with (
        beffroi.running(town.hub, tmp_path) as pbx,
        Baresip(left, tmp_path, "1001", "pw1001", pbx.address, tone_hz=ALICE_HZ) as alice,
        Baresip(right, tmp_path, "2201", "pw2201", pbx.address, tone_hz=GUARD_HZ) as guard,
    ):
        await alice.registered()
        await guard.registered()
        await alice.dial("8200")
        await guard.rung()
        await guard.answer()
        await alice.hears(GUARD_HZ)
        data = pbx.configuration.parent / "data"
        (file,) = (data / "recordings").glob(f"*/*{SUFFIX}")
        await pbx.kill_signalling()
        before = file.stat().st_size

        async def goes_on() -> bool:
            return file.stat().st_size > before + 2 * A_SECOND_BYTES

        await until(goes_on, "two more seconds in the recording", 20.0)
        await alice.hang_up()

        async def ended() -> bool:
            return _is_over(file, data)

        await until(ended, "a recording that has ended", 20.0)
        seen = outline(opened(file, _key(file, data)))
        assert seen.parties == ["1001", "2201"]
        assert [one.said.what for one in seen.said if isinstance(one.said, Part)] == ["ringing", "talk"]
        sound = {party: array("h") for party in seen.parties}
        unplaced = Unplaced()
        for block in blocks(opened(file, _key(file, data)), seen, RATE, unplaced):
            for channel, party in enumerate(seen.parties):
                sound[party].extend(block[:, channel].tolist())
        assert heard_frequency(Recording(RATE, sound["1001"])) == ALICE_HZ
        assert heard_frequency(Recording(RATE, sound["2201"])) == GUARD_HZ
        for track in seen.tracks.values():
            assert not track.packets or track.last - track.first > 3_000_000, "and after the kill"


def _key(file: Path, data: Path) -> bytes:
    """A recording's own key."""
    name = file.name.removesuffix(SUFFIX)
    private = read_private(private_of(data / "recording.pub"))
    return unwrap(KeyStore(data / "recording-keys").get(name), name, private)


def _is_over(file: Path, data: Path) -> bool:
    return any(isinstance(one.said, Ended) for one in outline(opened(file, _key(file, data))).said)
