"""The sample plan's services with real phones: who hears whom, and who hears music or a voice.

Alice (1001) is the switchboard's only agent at her phone, the État civil (2010) is in no group, both guards
(2201, 2202) are at the fire station. All are Debian's baresip; who is heard is found by each one's tone.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio

from tests.interop import beffroi
from tests.interop.baresip import Baresip
from tests.interop.beffroi import Beffroi
from tests.interop.loudspeaker import Loudspeaker
from tests.interop.namespaces import Town

pytestmark = [
    pytest.mark.peer,
    pytest.mark.xdist_group("services"),
    pytest.mark.asyncio(loop_scope="module"),
]

ALICE_HZ, OFFICE_HZ, GUARD_HZ, OTHER_GUARD_HZ = 440, 640, 850, 1020
ALWAYS_OPEN = {"    schedule: bureau\n": "", "    when_closed: {to: repondeur-mairie}\n": ""}
SCHOOL_GATE = "10.54.4.254"  # of the machine: the school's network is behind it
BY_THE_GATE = {'"239.54.4.1:5004"}': f'"239.54.4.1:5004", interface: "{SCHOOL_GATE}", ttl: 2}}'}
BACK_SOON = {"  parc:  ": '  parc-court: {number: "710..711", type: park, return_seconds: 2}\n  parc:  '}
ROOM_SECONDS = 8.0


@dataclass
class Phones:
    """Four of them, registered over UDP."""

    alice: Baresip
    office: Baresip
    guard: Baresip
    other_guard: Baresip


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def open_pbx(standing_town: Town, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Beffroi]:
    """Beffroi with a switchboard that is open whenever the tests run."""
    folder = tmp_path_factory.mktemp("services")
    replaced = ALWAYS_OPEN | BY_THE_GATE | BACK_SOON
    async with beffroi.running(standing_town.hub, folder, replaced=replaced) as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def phones(
    open_pbx: Beffroi, standing_town: Town, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Phones]:
    """The four phones, for all tests here."""
    folder = tmp_path_factory.mktemp("phones")
    plug, server = standing_town.plug, open_pbx.address
    async with (
        Baresip(plug("10.54.1.81"), folder, "1001", "pw1001", server, "udp", ALICE_HZ) as alice,
        Baresip(plug("10.54.1.82"), folder, "2010", "pw2010", server, "udp", OFFICE_HZ) as office,
        Baresip(plug("10.54.2.83"), folder, "2201", "pw2201", server, "udp", GUARD_HZ) as guard,
        Baresip(plug("10.54.2.84"), folder, "2202", "pw2202", server, "udp", OTHER_GUARD_HZ) as other_guard,
    ):
        for phone in (alice, office, guard, other_guard):
            await phone.registered()
        yield Phones(alice, office, guard, other_guard)


async def hear_each_other(one: Baresip, other: Baresip) -> None:
    await one.hears(other.tone_hz)
    await other.hears(one.tone_hz)


async def end(one: Baresip, *others: Baresip) -> None:
    """One hangs up, and that ends the others' calls too."""
    await one.hang_up()
    for other in others:
        await other.closed()


async def test_the_switchboard_plays_music_until_its_agent_answers(phones: Phones) -> None:
    await phones.office.dial("9")
    await phones.office.answered()
    await phones.alice.rung()
    await phones.office.hears_sound()
    await phones.alice.answer()
    await hear_each_other(phones.office, phones.alice)
    await end(phones.alice, phones.office)


async def test_a_key_in_the_menu_leads_to_its_phone(phones: Phones) -> None:
    await phones.guard.dial("8000")
    await phones.guard.answered()
    await phones.guard.hears_sound()  # what can be chosen
    await phones.guard.press("1")
    await phones.office.rung()
    await phones.office.answer()
    await hear_each_other(phones.guard, phones.office)
    await end(phones.guard, phones.office)


async def test_a_group_rings_all_and_whoever_answers_first_has_the_call(phones: Phones) -> None:
    await phones.office.dial("8200")
    await phones.guard.rung()
    await phones.other_guard.rung()
    await phones.other_guard.answer()
    await phones.guard.closed()
    await phones.office.answered()
    await hear_each_other(phones.office, phones.other_guard)
    await end(phones.other_guard, phones.office)


async def test_a_caller_sent_to_a_place_hears_music_and_is_taken_elsewhere(phones: Phones) -> None:
    await phones.office.dial("1001")
    await phones.alice.rung()
    await phones.alice.answer()
    await phones.office.answered()
    await hear_each_other(phones.office, phones.alice)
    await phones.alice.transfer("705")
    await phones.alice.closed()
    await phones.office.hears_sound(but_hz=ALICE_HZ)
    await phones.guard.dial("705")
    await phones.guard.answered()
    await hear_each_other(phones.office, phones.guard)
    await end(phones.guard, phones.office)


async def test_a_caller_whom_nobody_takes_comes_back_to_who_parked_it(phones: Phones) -> None:
    await phones.office.dial("1001")
    await phones.alice.rung()
    await phones.alice.answer()
    await phones.office.answered()
    await phones.alice.transfer("710")
    await phones.alice.closed()
    await phones.alice.rung()
    await phones.alice.answer()
    await hear_each_other(phones.office, phones.alice)
    await end(phones.alice, phones.office)


async def test_three_in_a_room_hear_each_other_and_not_themselves(phones: Phones) -> None:
    three = (phones.alice, phones.office, phones.guard)
    for phone in three:
        await phone.dial("8301")
        await phone.answered()
    for phone in three:
        others = {other.tone_hz for other in three if other is not phone}
        await phone.hears_together(others, but_hz=phone.tone_hz, seconds=ROOM_SECONDS)
    for phone in three:
        await phone.hang_up()


async def test_one_who_is_called_into_a_room_hears_who_is_there(phones: Phones) -> None:
    await phones.guard.dial("*30")
    await phones.guard.answered()
    await phones.guard.press("*3")
    await phones.guard.hears_sound()  # what is to be done
    await phones.guard.press("2010#")
    await phones.office.rung()
    await phones.office.answer()
    await phones.office.hears_sound(but_hz=GUARD_HZ)  # for what it is called
    await phones.office.press("1")
    await hear_each_other(phones.guard, phones.office)
    await phones.office.hang_up()
    await phones.guard.hang_up()


async def test_an_announcement_is_heard_by_multicast(phones: Phones, standing_town: Town) -> None:
    """RFC 1112: it leaves by the interface that the plan names, and reaches whoever listens behind it."""
    school = standing_town.plug("10.54.4.85")
    hub, link = standing_town.hub, f"p{standing_town.links}"
    hub.run("ip", "address", "add", f"{SCHOOL_GATE}/32", "dev", link)
    with Loudspeaker(school, "239.54.4.1", 5004) as loudspeaker:
        await phones.office.dial("8400")
        await phones.office.answered()
        await loudspeaker.hears(OFFICE_HZ)
        await phones.office.hang_up()


async def test_a_colleague_of_the_group_picks_up_what_rings(phones: Phones) -> None:
    await phones.office.dial("2201")
    await phones.guard.rung()
    await phones.other_guard.dial("*8")
    await phones.other_guard.answered()
    await phones.office.answered()
    await phones.guard.closed()
    await hear_each_other(phones.office, phones.other_guard)
    await end(phones.office, phones.other_guard)


async def test_who_is_held_hears_music_until_taken_up_again(phones: Phones) -> None:
    """RFC 3264 section 8.4."""
    await phones.office.dial("2201")
    await phones.guard.rung()
    await phones.guard.answer()
    await phones.office.answered()
    await hear_each_other(phones.office, phones.guard)
    await phones.guard.hold()
    await phones.office.hears_sound(but_hz=GUARD_HZ)
    await phones.guard.resume()
    await hear_each_other(phones.office, phones.guard)
    await end(phones.office, phones.guard)


async def test_a_forward_by_code_holds_until_its_other_code(phones: Phones) -> None:
    await phones.office.dial("*21*1001")
    await phones.office.answered()
    await phones.office.hears_sound()  # what was set is said
    await phones.office.closed()
    await phones.guard.dial("2010")
    await phones.alice.rung()
    await phones.guard.hang_up()
    await phones.alice.closed()
    await phones.office.dial("#21#")
    await phones.office.answered()
    await phones.office.hears_sound()
    await phones.office.closed()
    await phones.guard.dial("2010")
    await phones.office.rung()
    await phones.guard.hang_up()
    await phones.office.closed()
