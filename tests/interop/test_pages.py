"""Pages with a telephone and desk phones: WebRTC made into RTP by the RTC worker, and who hears whom.

The pages are aiortc, which shares no code of ICE, DTLS or RTP with us; the desk phones are Debian's baresip.
"""

from __future__ import annotations

import os
import signal
from array import array
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
import yaml

from recording.export.outline import opened, outline
from recording.export.sound import Unplaced, blocks
from recording.proof.verifier import SUFFIX
from tests.interop import beffroi
from tests.interop.baresip import Baresip
from tests.interop.beffroi import Beffroi
from tests.interop.namespaces import Town
from tests.interop.page import Page
from tests.interop.patience import PeerError, until
from tests.interop.test_recordings import _is_over, _key
from tests.interop.test_services import ALWAYS_OPEN
from tests.interop.tone import Recording, heard_frequency

pytestmark = [
    pytest.mark.peer,
    pytest.mark.xdist_group("pages"),
    pytest.mark.asyncio(loop_scope="module"),
]

WEBSOCKET = 5062
ALICE_HZ, GUARD_HZ, OFFICE_HZ, OTHER_HZ, PLANNING_HZ = 440, 640, 850, 1020, 1230
RATE, WIDE_RATE = 8000, 16_000
ROOM_SECONDS = 20.0


@dataclass
class Office:
    """Two pages and three desk phones, registered. planning: one that has G.722 alone."""

    pbx: Beffroi
    alice: Page
    guard: Page
    office: Baresip
    other: Baresip
    planning: Baresip


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pbx(standing_town: Town, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Beffroi]:
    """Beffroi with the sample town, SIP over WebSocket, and so with browsers."""
    folder = tmp_path_factory.mktemp("pages")
    address = str(standing_town.hub.address)
    file = beffroi.write_configuration(folder, address, replaced=ALWAYS_OPEN)
    settings = yaml.safe_load(file.read_text())
    settings["sip"]["ws"] = f"{address}:{WEBSOCKET}"
    file.write_text(yaml.safe_dump(settings))
    made = Beffroi(standing_town.hub, file)
    try:
        await made.start()
        yield made
        await made.stop()
    finally:
        await made.kill()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def office(pbx: Beffroi, standing_town: Town) -> AsyncIterator[Office]:
    folder, server, plug = pbx.configuration.parent, pbx.address, standing_town.plug
    async with (
        Page(plug("10.54.1.41"), folder, "1001", "pw1001", server, WEBSOCKET, ALICE_HZ) as alice,
        Page(plug("10.54.2.42"), folder, "2201", "pw2201", server, WEBSOCKET, GUARD_HZ) as guard,
        Baresip(plug("10.54.1.43"), folder, "2010", "pw2010", server, tone_hz=OFFICE_HZ) as desk,
        Baresip(plug("10.54.2.45"), folder, "2202", "pw2202", server, tone_hz=OTHER_HZ) as other,
        Baresip(
            plug("10.54.1.44"), folder, "2020", "pw2020", server, tone_hz=PLANNING_HZ, codec="G722"
        ) as planning,
    ):
        for phone in (alice, guard, desk, other, planning):
            await phone.registered()
        yield Office(pbx, alice, guard, desk, other, planning)


async def talk(caller: Page | Baresip, callee: Page | Baresip) -> None:
    """One calls the other, and each hears the other's tone."""
    await caller.dial(callee.user)
    await callee.rung()
    await callee.answer()
    await caller.answered()
    await hear_each_other(caller, callee)


async def hear_each_other(one: Page | Baresip, other: Page | Baresip) -> None:
    await one.hears(other.tone_hz)
    await other.hears(one.tone_hz)


async def last_call(pbx: Beffroi) -> set[str | None]:
    """The codecs of the call that ended last."""

    async def ended() -> set[str | None]:
        calls = sorted(await pbx.call_list(), key=lambda call: call["started"])
        if not calls or calls[-1]["ended"] is None:
            return set()
        return {leg["codec"] for leg in calls[-1]["legs"]}

    return await until(ended, "the call in the list", 10.0)


async def test_a_page_calls_a_desk_phone_and_nothing_is_converted(office: Office) -> None:
    await talk(office.alice, office.office)
    await office.alice.hang_up()
    await office.office.closed()
    assert await last_call(office.pbx) == {"PCMA"}


async def test_a_desk_phone_calls_a_page_in_wideband(office: Office) -> None:
    await talk(office.planning, office.alice)
    await office.planning.hang_up()
    await office.alice.closed()
    assert await last_call(office.pbx) == {"G722"}


async def test_two_pages_speak_opus(office: Office) -> None:
    await talk(office.alice, office.guard)
    await office.alice.hang_up()
    await office.guard.closed()
    assert await last_call(office.pbx) == {"opus"}


async def test_a_page_holds_and_takes_up_again(office: Office) -> None:
    await talk(office.alice, office.office)
    await office.alice.hold()
    await office.office.hears_sound(but_hz=ALICE_HZ)
    await office.alice.resume()
    await hear_each_other(office.alice, office.office)
    await office.alice.hang_up()
    await office.office.closed()


async def test_a_desk_phone_holds_a_page_which_hears_music(office: Office) -> None:
    await talk(office.alice, office.office)
    await office.office.hold()
    await office.alice.hears_sound(but_hz=OFFICE_HZ)
    await office.office.resume()
    await hear_each_other(office.alice, office.office)
    await office.alice.hang_up()
    await office.office.closed()


async def test_a_page_is_sent_on_from_one_desk_phone_to_another(office: Office) -> None:
    await talk(office.alice, office.office)
    await office.office.transfer("2202")
    await office.other.rung()
    await office.other.answer()
    await office.office.closed()
    await hear_each_other(office.alice, office.other)
    await office.alice.hang_up()
    await office.other.closed()


async def test_a_page_and_a_desk_phone_and_another_page_meet_in_a_room(office: Office) -> None:
    three = (office.alice, office.office, office.guard)
    for phone in three:
        await phone.dial("8301")
        await phone.answered()
    for phone in three:
        others = {other.tone_hz for other in three if other is not phone}
        await phone.hears_together(others, but_hz=phone.tone_hz, seconds=ROOM_SECONDS)
    for phone in three:
        await phone.hang_up()
    for page in (office.alice, office.guard):
        await page.closed()


async def test_a_page_waits_at_the_switchboard_with_music_and_another_answers(office: Office) -> None:
    await office.guard.dial("9")
    await office.guard.answered()
    await office.alice.rung()
    await office.guard.hears_sound()
    await office.alice.answer()
    await hear_each_other(office.guard, office.alice)
    await office.alice.hang_up()
    await office.guard.closed()


async def test_a_page_leaves_a_message(office: Office) -> None:
    await office.guard.dial("8001")
    await office.guard.answered()
    folder = office.pbx.configuration.parent / "data" / "voicemail" / "mairie"

    async def sound() -> Path | None:
        return next((path for path in folder.glob("*.wav") if path.stat().st_size > 3 * 16_000), None)

    file = await until(sound, "three seconds of the page on the disk", 40.0)
    assert file is not None
    samples = array("h", file.read_bytes()[44:][: 2 * WIDE_RATE * 3])
    await office.guard.hang_up()
    assert heard_frequency(Recording(WIDE_RATE, samples)) == GUARD_HZ


async def test_a_page_at_the_fire_station_is_recorded_with_each_side_apart(office: Office) -> None:
    await office.office.dial("8200")
    await office.guard.rung()
    await office.guard.answer()
    await office.office.answered()
    await hear_each_other(office.guard, office.office)
    data = office.pbx.configuration.parent / "data"
    (file,) = (data / "recordings").glob(f"*/*{SUFFIX}")
    await office.office.hang_up()
    await office.guard.closed()

    async def ended() -> bool:
        return _is_over(file, data)

    await until(ended, "a recording that has ended", 20.0)
    seen = outline(opened(file, _key(file, data)))
    sound = {party: array("h") for party in seen.parties}
    for block in blocks(opened(file, _key(file, data)), seen, RATE, Unplaced()):
        for channel, party in enumerate(seen.parties):
            sound[party].extend(block[:, channel].tolist())
    assert heard_frequency(Recording(RATE, sound["2201"])) == GUARD_HZ
    assert heard_frequency(Recording(RATE, sound["2010"])) == OFFICE_HZ


async def test_another_rtc_process_serves_the_next_call_when_one_is_killed(office: Office) -> None:
    rtc = await office.pbx.process_id("rtc")
    os.kill(rtc, signal.SIGKILL)

    async def another() -> bool:
        try:
            return await office.pbx.process_id("rtc") != rtc
        except PeerError:  # there is none yet
            return False

    await until(another, "another RTC process", 10.0)
    await talk(office.guard, office.office)
    await office.guard.hang_up()
    await office.office.closed()


async def test_sound_goes_on_when_signalling_is_killed_and_the_call_can_be_ended(office: Office) -> None:
    """The last one: these pages don't open their WebSocket again."""
    await talk(office.alice, office.office)
    rtc = await office.pbx.process_id("rtc")
    await office.pbx.kill_signalling()
    await hear_each_other(office.alice, office.office)
    assert await office.pbx.process_id("rtc") == rtc
    await office.office.hang_up()
    assert {"PCMA"} == await last_call(office.pbx)
