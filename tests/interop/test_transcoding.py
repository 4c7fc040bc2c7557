"""Phones that share no codec hear each other, and keys reach a phone whichever way they were pressed.

The État civil (2010) has a phone with G.722 alone, the Urbanisme (2020) one with Opus alone, Bruno (1002)
one with A-law alone. All are Debian's baresip.
"""

from __future__ import annotations

from array import array
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from media.codecs import encode
from media.tones import key_presses
from media.tones import samples as samples_of
from tests.interop.baresip import Baresip
from tests.interop.beffroi import Beffroi
from tests.interop.namespaces import Town
from tests.interop.sipp import Account, Sipp

pytestmark = [
    pytest.mark.peer,
    pytest.mark.xdist_group("transcoding"),
    pytest.mark.asyncio(loop_scope="module"),
]

WIDE_HZ, OPUS_HZ, NARROW_HZ = 640, 850, 1020


@dataclass
class Phones:
    """Each with its one codec, registered over UDP."""

    wide: Baresip
    opus: Baresip
    narrow: Baresip


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def phones(
    standing_pbx: Beffroi, standing_town: Town, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Phones]:
    """The three phones, for all tests here."""
    folder = tmp_path_factory.mktemp("phones")
    plug, server = standing_town.plug, standing_pbx.address
    async with (
        Baresip(plug("10.54.1.61"), folder, "2010", "pw2010", server, "udp", WIDE_HZ, "G722") as wide,
        Baresip(plug("10.54.1.62"), folder, "2020", "pw2020", server, "udp", OPUS_HZ, "opus") as opus,
        Baresip(plug("10.54.3.63"), folder, "1002", "pw1002", server, "udp", NARROW_HZ, "PCMA") as narrow,
    ):
        for phone in (wide, opus, narrow):
            await phone.registered()
        yield Phones(wide, opus, narrow)


async def speak_together(caller: Baresip, callee: Baresip) -> None:
    """One calls the other, each hears the other's tone, the caller hangs up."""
    await caller.dial(callee.user)
    await callee.rung()
    await callee.answer()
    await caller.answered()
    await caller.hears(callee.tone_hz)
    await callee.hears(caller.tone_hz)
    await caller.hang_up()
    await callee.closed()


async def test_a_phone_with_g722_alone_speaks_with_one_with_a_law_alone(phones: Phones) -> None:
    await speak_together(phones.wide, phones.narrow)


async def test_a_phone_with_a_law_alone_calls_one_with_g722_alone(phones: Phones) -> None:
    await speak_together(phones.narrow, phones.wide)


async def test_a_phone_with_opus_alone_speaks_with_one_with_a_law_alone(phones: Phones) -> None:
    """RFC 7587 section 4.1: its clock is of 48 kHz, whatever it carries."""
    await speak_together(phones.opus, phones.narrow)


async def test_a_phone_with_g722_alone_calls_one_with_opus_alone(phones: Phones) -> None:
    await speak_together(phones.wide, phones.opus)


async def test_the_record_tells_the_codec_of_each_leg(phones: Phones, standing_pbx: Beffroi) -> None:
    before = len([call for call in await standing_pbx.call_list() if call["ended"] is not None])
    await speak_together(phones.opus, phones.wide)
    call = (await standing_pbx.ended_calls(before + 1))[-1]
    assert {leg["device"]: leg["codec"] for leg in call["legs"]} == {"2010": "G722", "2020": "opus"}


async def test_keys_of_a_phone_with_another_codec_are_heard_as_events(phones: Phones) -> None:
    """RFC 4733 section 2.5: the events go on although the sound is made anew."""
    await phones.wide.dial("1002")
    await phones.narrow.rung()
    await phones.narrow.answer()
    await phones.wide.answered()
    await phones.narrow.hears(WIDE_HZ)
    await phones.wide.press("18*")
    assert await phones.narrow.digits(3) == "18*"
    await phones.wide.hang_up()
    await phones.narrow.closed()


async def test_keys_in_the_sound_of_a_phone_without_events_are_heard_as_events(
    phones: Phones, standing_pbx: Beffroi, standing_town: Town, tmp_path: Path
) -> None:
    """RFC 4733 out; in, nothing but two tones at once."""
    silence = encode("PCMA", array("h", bytes(16_000)))  # a second
    keys = encode("PCMA", samples_of(key_presses("42")))
    (tmp_path / "keys.alaw").write_bytes(silence + keys + silence)
    caller = standing_town.plug("10.54.2.64")
    async with Sipp(
        caller, tmp_path, "keys_in_sound", standing_pbx.address, [Account("2201", "pw2201")], dialled="1002"
    ):
        await phones.narrow.rung()
        await phones.narrow.answer()
        assert await phones.narrow.digits(2) == "42"
        await phones.narrow.closed()


async def test_pictures_pass_between_two_phones_that_share_no_codec_of_sound(
    standing_pbx: Beffroi, standing_town: Town, tmp_path: Path
) -> None:
    """RFC 3264 section 6: each m-line is agreed on by itself."""
    left, right, server = (
        standing_town.plug("10.54.2.65"),
        standing_town.plug("10.54.3.66"),
        standing_pbx.address,
    )
    async with (
        Baresip(left, tmp_path, "2202", "pw2202", server, "udp", WIDE_HZ, "opus", video=True) as camera,
        Baresip(right, tmp_path, "2301", "pw2301", server, "udp", NARROW_HZ, "PCMA", video=True) as screen,
    ):
        await camera.registered()
        await screen.registered()
        await camera.dial("2301")
        await screen.rung()
        await screen.answer()
        await camera.answered()
        await camera.sees_video()
        await screen.sees_video()
        await camera.hears(NARROW_HZ)
        await screen.hears(WIDE_HZ)
        await screen.hang_up()
        await camera.closed()
