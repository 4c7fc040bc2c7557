"""Phones of other makers and Beffroi: Linphone over UDP, TCP and TLS, and a Python program's pyVoIP.

Alice (1001) has the other phone, Bruno (1002) a baresip, at another site; who hears whom is found by the
frequency of each one's tone. Linphone trusts nobody but Beffroi's own certificate.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from tests.interop.baresip import Baresip
from tests.interop.beffroi import Beffroi
from tests.interop.linphone import Linphone
from tests.interop.namespaces import Town
from tests.interop.pyvoip import Pyvoip

pytestmark = [
    pytest.mark.peer,
    pytest.mark.xdist_group("other phones"),
    pytest.mark.asyncio(loop_scope="module"),
]

ALICE_HZ, BRUNO_HZ = 640, 850


@dataclass
class Pair:
    """Alice's Linphone and Bruno's baresip, registered over the same transport."""

    alice: Linphone
    bruno: Baresip


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["udp", "tcp", "tls"])
async def pair(
    request: pytest.FixtureRequest,
    standing_pbx: Beffroi,
    standing_town: Town,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Pair]:
    """Both phones, for all tests of one transport."""
    folder = tmp_path_factory.mktemp(request.param)
    certificate = standing_pbx.configuration.parent / "data" / "tls.crt"
    number = ["udp", "tcp", "tls"].index(request.param)
    left, right = (standing_town.plug(f"10.54.{site}.{30 + number}") for site in (1, 3))
    server = standing_pbx.address
    async with (
        Linphone(left, folder, "1001", "pw1001", server, request.param, ALICE_HZ, certificate) as alice,
        Baresip(right, folder, "1002", "pw1002", server, request.param, BRUNO_HZ) as bruno,
    ):
        await alice.registered()
        await bruno.registered()
        yield Pair(alice, bruno)


async def hear_each_other(one: Linphone | Pyvoip, bruno: Baresip) -> None:
    await one.hears(BRUNO_HZ)
    await bruno.hears(one.tone_hz)


async def test_linphone_calls_and_both_are_heard(pair: Pair) -> None:
    await pair.alice.dial("1002")
    assert (await pair.bruno.rung()).startswith("sip:1001@")
    await pair.alice.ringing_back()
    await pair.bruno.answer()
    await pair.alice.answered()
    await hear_each_other(pair.alice, pair.bruno)
    await pair.alice.hang_up()
    await pair.bruno.closed()
    await pair.alice.closed()


async def test_linphone_is_called_and_both_are_heard(pair: Pair) -> None:
    await pair.bruno.dial("1001")
    assert await pair.alice.rung() == f'"Bruno Petit" <sip:1002@{"10.54.0.1"}>'
    await pair.bruno.ringing_back()
    await pair.alice.answer()
    await pair.bruno.answered()
    await hear_each_other(pair.alice, pair.bruno)
    await pair.bruno.hang_up()
    await pair.alice.closed()


async def test_linphone_holds_and_takes_up_again(pair: Pair) -> None:
    """RFC 3264 section 8.4."""
    await pair.alice.dial("1002")
    await pair.bruno.rung()
    await pair.bruno.answer()
    await pair.alice.answered()
    await hear_each_other(pair.alice, pair.bruno)
    await pair.alice.hold()
    await pair.alice.hears_nothing()
    await pair.bruno.hears_sound(
        but_hz=ALICE_HZ
    )  # our music, in place of what a phone that says sendonly plays
    await pair.alice.resume()
    await hear_each_other(pair.alice, pair.bruno)
    await pair.bruno.hang_up()
    await pair.alice.closed()


async def test_linphone_is_held_and_taken_up_again(pair: Pair) -> None:
    """RFC 3264 section 8.4."""
    await pair.bruno.dial("1001")
    await pair.alice.rung()
    await pair.alice.answer()
    await pair.bruno.answered()
    await hear_each_other(pair.alice, pair.bruno)
    await pair.bruno.hold()
    await pair.alice.hears_sound(but_hz=BRUNO_HZ)  # our music
    await pair.bruno.resume()
    await hear_each_other(pair.alice, pair.bruno)
    await pair.alice.hang_up()
    await pair.bruno.closed()
    await pair.alice.closed()


async def test_linphone_gives_up_while_it_rings(pair: Pair) -> None:
    await pair.alice.dial("1002")
    await pair.bruno.rung()
    await pair.alice.ringing_back()
    await pair.alice.hang_up()
    await pair.bruno.closed()
    await pair.alice.closed()


async def test_linphone_learns_that_a_callee_is_busy(pair: Pair) -> None:
    await pair.alice.dial("1002")
    await pair.bruno.rung()
    await pair.bruno.hang_up()
    assert (await pair.alice.closed()).endswith("error.")


async def test_pyvoip_calls_and_is_called_and_both_are_heard(
    standing_pbx: Beffroi, standing_town: Town, tmp_path: Path
) -> None:
    """One test for both ways: its registration takes longer than a call."""
    left, right = standing_town.plug("10.54.1.40"), standing_town.plug("10.54.3.40")
    async with (
        Pyvoip(left, tmp_path, "2010", "pw2010", standing_pbx.address, ALICE_HZ) as alice,
        Baresip(right, tmp_path, "2020", "pw2020", standing_pbx.address, "udp", BRUNO_HZ, "PCMU") as bruno,
    ):
        await alice.registered()
        await bruno.registered()
        await alice.dial("2020")
        await bruno.rung()
        await bruno.answer()
        await alice.answered()
        await hear_each_other(alice, bruno)
        await alice.hang_up()
        await bruno.closed()
        await alice.closed()
        await bruno.dial("2010")
        await alice.rung()
        await alice.answer()
        await bruno.answered()
        await hear_each_other(alice, bruno)
        await bruno.hang_up()
        await alice.closed()
