"""What real phones do within a call: transfers, keys, and sound before the answer, found by its frequency.

Alice (1001) has a Linphone, Bruno (1002) and the État civil (2010) have a baresip each.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from tests.interop.baresip import Baresip
from tests.interop.beffroi import OPERATORS, Beffroi
from tests.interop.linphone import Linphone
from tests.interop.namespaces import Town
from tests.interop.sipp import Account, Sipp
from tests.interop.tone import write_alaw_tone

pytestmark = [
    pytest.mark.peer,
    pytest.mark.xdist_group("other phones"),
    pytest.mark.asyncio(loop_scope="module"),
]

ALICE_HZ, BRUNO_HZ, OFFICE_HZ, OPERATOR_HZ = 640, 850, 1020, 1230


@dataclass
class Phones:
    """Three of them, registered over UDP."""

    alice: Linphone
    bruno: Baresip
    office: Baresip


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def phones(
    standing_pbx: Beffroi, standing_town: Town, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Phones]:
    """The three phones, for all tests here."""
    folder = tmp_path_factory.mktemp("phones")
    plug, server = standing_town.plug, standing_pbx.address
    async with (
        Linphone(plug("10.54.1.51"), folder, "1001", "pw1001", server, "udp", ALICE_HZ) as alice,
        Baresip(plug("10.54.3.52"), folder, "1002", "pw1002", server, "udp", BRUNO_HZ) as bruno,
        Baresip(plug("10.54.1.53"), folder, "2010", "pw2010", server, "udp", OFFICE_HZ) as office,
    ):
        for phone in (alice, bruno, office):
            await phone.registered()
        yield Phones(alice, bruno, office)


async def talk(caller: Linphone | Baresip, callee: Linphone | Baresip) -> None:
    """One calls the other and is answered."""
    await caller.dial(callee.user)
    await callee.rung()
    await callee.answer()
    await caller.answered()


async def hear_each_other(one: Linphone | Baresip, other: Linphone | Baresip) -> None:
    await one.hears(other.tone_hz)
    await other.hears(one.tone_hz)


# --- Transfers ---------------------------------------------------------------------------------------------


async def test_linphone_sends_a_caller_on(phones: Phones) -> None:
    """RFC 3515."""
    await talk(phones.bruno, phones.alice)
    # baresip 1.0.0 drops all of a second stream that comes before it has played any of the first.
    await hear_each_other(phones.bruno, phones.alice)
    await phones.alice.transfer("2010")
    await phones.office.rung()
    await phones.office.answer()
    await hear_each_other(phones.bruno, phones.office)
    await phones.alice.closed()
    await phones.bruno.hang_up()
    await phones.office.closed()


async def test_baresip_sends_a_caller_on(phones: Phones) -> None:
    """RFC 3515."""
    await talk(phones.alice, phones.bruno)
    await phones.bruno.transfer("2010")
    await phones.office.rung()
    await phones.office.answer()
    await hear_each_other(phones.alice, phones.office)
    await phones.bruno.closed()
    await phones.office.hang_up()
    await phones.alice.closed()


async def test_linphone_joins_the_two_that_it_talked_with(phones: Phones) -> None:
    """RFC 3891: REFER with Replaces, resolved to our own legs."""
    first = await phones.alice.dial("1002")
    await phones.bruno.rung()
    await phones.bruno.answer()
    await phones.alice.answered()
    await phones.alice.hold()
    second = await phones.alice.dial("2010")
    await phones.office.rung()
    await phones.office.answer()
    await phones.alice.answered()
    await hear_each_other(phones.alice, phones.office)
    await phones.alice.transfer_to_call(first, second)
    await hear_each_other(phones.bruno, phones.office)
    await phones.alice.closed()
    await phones.bruno.hang_up()
    await phones.office.closed()


# --- Three ---


async def test_linphone_mixes_its_two_calls_and_three_hear_each_other(phones: Phones) -> None:
    """Each call stays one of two parties for us: nothing tells that a third one listens."""
    first = await phones.alice.dial("1002")
    await phones.bruno.rung()
    await phones.bruno.answer()
    await phones.alice.answered()
    await phones.alice.hold()
    second = await phones.alice.dial("2010")
    await phones.office.rung()
    await phones.office.answer()
    await phones.alice.answered()
    await phones.alice.mix(first, second)
    await phones.bruno.hears_together({OFFICE_HZ}, but_hz=BRUNO_HZ)
    await phones.office.hears_together({BRUNO_HZ}, but_hz=OFFICE_HZ)
    await phones.alice.hang_up()
    await phones.bruno.closed()
    await phones.office.closed()


# --- Hold --------------------------------------------------------------------------------------------------


async def test_baresip_holds_baresip_and_takes_up_again(phones: Phones) -> None:
    """RFC 3264 section 8.4."""
    await talk(phones.bruno, phones.office)
    await hear_each_other(phones.bruno, phones.office)
    await phones.bruno.hold()
    await phones.office.hears_sound(but_hz=BRUNO_HZ)  # our music
    await phones.bruno.hears_nothing()
    await phones.bruno.resume()
    await hear_each_other(phones.bruno, phones.office)
    await phones.office.hang_up()
    await phones.bruno.closed()


# --- Keys --------------------------------------------------------------------------------------------------


async def test_keys_pressed_on_linphone_are_heard_by_baresip(phones: Phones) -> None:
    """RFC 4733."""
    await talk(phones.alice, phones.bruno)
    await phones.bruno.hears(ALICE_HZ)
    await phones.alice.press("15#")
    assert await phones.bruno.digits(3) == "15#"
    await phones.alice.hang_up()
    await phones.bruno.closed()
    await phones.alice.closed()


async def test_keys_pressed_on_baresip_are_heard_by_baresip(phones: Phones) -> None:
    """RFC 4733."""
    await talk(phones.bruno, phones.office)
    await phones.office.hears(BRUNO_HZ)
    await phones.bruno.press("079*")
    assert await phones.office.digits(4) == "079*"
    await phones.bruno.hang_up()
    await phones.office.closed()


async def test_keys_sent_by_info_are_heard_as_events(
    phones: Phones, standing_pbx: Beffroi, standing_town: Town, tmp_path: Path
) -> None:
    """RFC 6086 in, RFC 4733 out."""
    caller = standing_town.plug("10.54.1.54")
    async with Sipp(
        caller, tmp_path, "keys_by_info", standing_pbx.address, [Account("2020", "pw2020")], dialled="1002"
    ):
        await phones.bruno.rung()
        await phones.bruno.answer()
        assert await phones.bruno.digits(2) == "42"
        await phones.bruno.closed()


# --- Before the answer -------------------------------------------------------------------------------------


async def test_what_an_operator_plays_before_the_answer_is_heard_by_the_caller(
    phones: Phones, standing_pbx: Beffroi, standing_town: Town, tmp_path: Path
) -> None:
    """RFC 3960: the only target's 183 with SDP."""
    operator = standing_town.plug(OPERATORS["operateur-b"])
    write_alaw_tone(tmp_path / "tone.alaw", OPERATOR_HZ, seconds=5)
    async with Sipp(operator, tmp_path, "early_media", standing_pbx.address, [Account("operator", "")]):
        await phones.bruno.dial("00612345678")
        await phones.bruno.progress()
        await phones.bruno.hears(OPERATOR_HZ, seconds=3)
        await phones.bruno.answered()
        await phones.bruno.hears(OPERATOR_HZ)
        await phones.bruno.hang_up()
