"""Two real phones and Beffroi: who hears whom, how a call ends, and what is written down about it.

Alice Martin (1001) is at the town hall and speaks at 440 Hz, Bruno Petit (1002) at the police station and
at 850 Hz. Their phones are Debian's baresip.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from tests.interop.baresip import Baresip
from tests.interop.beffroi import Beffroi, CallRecord
from tests.interop.namespaces import Town
from tests.interop.patience import PeerError

pytestmark = [pytest.mark.peer, pytest.mark.xdist_group("peers")]

ALICE_ADDRESS, ALICE_HZ = "10.54.1.11", 440
BRUNO_ADDRESS, BRUNO_HZ = "10.54.3.12", 850

UDP = ("udp", "udp")
TCP = ("tcp", "tcp")
MIXED = ("udp", "tcp")
TLS = ("tls", "tls")


@dataclass
class Phones:
    """Two registered phones, and the transport of each."""

    alice: Baresip
    bruno: Baresip
    transports: dict[str, str]


@pytest_asyncio.fixture(params=[UDP, TCP], ids="-".join)
async def phones(
    request: pytest.FixtureRequest, pbx: Beffroi, town: Town, tmp_path: Path
) -> AsyncIterator[Phones]:
    """Both registered, over the transports of the parameter."""
    hers, his = request.param
    left, right = town.plug(ALICE_ADDRESS), town.plug(BRUNO_ADDRESS)
    async with (
        Baresip(left, tmp_path, "1001", "pw1001", pbx.address, hers, ALICE_HZ) as alice,
        Baresip(right, tmp_path, "1002", "pw1002", pbx.address, his, BRUNO_HZ) as bruno,
    ):
        await alice.registered()
        await bruno.registered()
        yield Phones(alice, bruno, {"1001": hers, "1002": his})


async def _talk(phones: Phones) -> None:
    """Alice calls Bruno, he answers."""
    await phones.alice.dial("1002")
    await phones.bruno.rung()
    await phones.bruno.answer()
    await phones.alice.answered()


def _assert_between_the_two(call: CallRecord) -> None:
    assert (call["direction"], call["from"], call["from_name"]) == ("internal", "1001", "Alice Martin")
    assert (call["dialled"], call["to"]) == ("1002", "1002")
    assert {leg["device"] for leg in call["legs"]} == {"1001", "1002"}


@pytest.mark.parametrize("phones", [UDP, TCP, MIXED, TLS], ids="-".join, indirect=True)
async def test_each_hears_the_tone_of_the_other(phones: Phones) -> None:
    await _talk(phones)
    await phones.alice.hears(BRUNO_HZ)
    await phones.bruno.hears(ALICE_HZ)
    await phones.alice.hang_up()
    await phones.bruno.closed()
    assert (phones.alice.heard_frequency(), phones.bruno.heard_frequency()) == (BRUNO_HZ, ALICE_HZ)


async def test_the_callee_sees_who_calls_and_the_caller_hears_it_ring(phones: Phones) -> None:
    await phones.alice.dial("1002")
    assert (await phones.bruno.rung()).startswith("sip:1001@")
    await phones.alice.ringing_back()


async def test_the_caller_hangs_up(phones: Phones, pbx: Beffroi) -> None:
    await _talk(phones)
    await phones.alice.hang_up()
    assert await phones.bruno.closed() == "Connection reset by peer"
    (call,) = await pbx.ended_calls(1)
    _assert_between_the_two(call)
    assert call["answered"] is not None


async def test_the_callee_hangs_up(phones: Phones, pbx: Beffroi) -> None:
    await _talk(phones)
    await phones.bruno.hang_up()
    assert await phones.alice.closed() == "Connection reset by peer"
    (call,) = await pbx.ended_calls(1)
    _assert_between_the_two(call)
    assert call["answered"] is not None


@pytest.mark.parametrize("phones", [UDP, TCP, MIXED, TLS], ids="-".join, indirect=True)
async def test_the_record_of_a_call_tells_both_legs_and_every_instant(phones: Phones, pbx: Beffroi) -> None:
    await _talk(phones)
    await phones.bruno.hang_up()
    await phones.alice.closed()
    (call,) = await pbx.ended_calls(1)
    assert {leg["device"]: leg["transport"] for leg in call["legs"]} == phones.transports
    assert {leg["device"]: leg["address"].partition(":")[0] for leg in call["legs"]} == {
        "1001": ALICE_ADDRESS,
        "1002": BRUNO_ADDRESS,
    }
    for part in (call, *call["legs"]):
        instants = [part["started"], part["answered"], part["ended"]]
        assert None not in instants
        assert all(instant.endswith("Z") for instant in instants if instant)
        assert instants == sorted(instant for instant in instants if instant)
    assert {leg["codec"] for leg in call["legs"]} == {"PCMA"}


async def test_the_caller_gives_up_while_it_rings(phones: Phones, pbx: Beffroi) -> None:
    await phones.alice.dial("1002")
    await phones.bruno.rung()
    await phones.alice.ringing_back()
    await phones.alice.hang_up()
    await phones.bruno.closed()
    (call,) = await pbx.ended_calls(1)
    _assert_between_the_two(call)
    assert (call["answered"], {leg["answered"] for leg in call["legs"]}) == (None, {None})


async def test_the_callee_is_busy(phones: Phones, pbx: Beffroi) -> None:
    await phones.alice.dial("1002")
    await phones.bruno.rung()
    await phones.bruno.hang_up()
    assert (await phones.alice.closed()).startswith("486 ")
    (call,) = await pbx.ended_calls(1)
    _assert_between_the_two(call)
    assert call["answered"] is None


async def test_a_second_call_is_as_good_as_the_first(phones: Phones, pbx: Beffroi) -> None:
    await _talk(phones)
    await phones.bruno.hang_up()
    await phones.alice.closed()
    await phones.bruno.dial("1001")
    await phones.alice.rung()
    await phones.alice.answer()
    await phones.bruno.answered()
    await phones.alice.hears(BRUNO_HZ)
    await phones.bruno.hears(ALICE_HZ)
    await phones.alice.hang_up()
    await phones.bruno.closed()
    first, second = await pbx.ended_calls(2)
    assert [(call["from"], call["to"]) for call in (first, second)] == [("1001", "1002"), ("1002", "1001")]


async def test_the_echo_gives_the_caller_its_own_tone_back(phones: Phones, pbx: Beffroi) -> None:
    await phones.alice.dial("9196")
    await phones.alice.answered()
    await phones.alice.hears(ALICE_HZ)
    await phones.alice.hang_up()
    (call,) = await pbx.ended_calls(1)
    assert (call["from"], call["dialled"], len(call["legs"])) == ("1001", "9196", 1)
    assert call["answered"] is not None


async def test_a_person_without_a_phone_cannot_be_reached(phones: Phones, pbx: Beffroi) -> None:
    await phones.alice.dial("2020")
    assert (await phones.alice.closed()).startswith("480 ")
    (call,) = await pbx.ended_calls(1)
    assert (call["dialled"], call["answered"]) == ("2020", None)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_wrong_password_is_refused(pbx: Beffroi, town: Town, tmp_path: Path, transport: str) -> None:
    namespace = town.plug(ALICE_ADDRESS)
    async with Baresip(namespace, tmp_path, "1001", "wrong", pbx.address, transport) as phone:
        with pytest.raises(PeerError, match=r"1001 isn't registered: 40[13]"):
            await phone.registered()


async def test_a_phone_that_left_is_no_longer_rung(phones: Phones, pbx: Beffroi) -> None:
    await phones.bruno.leave()
    await phones.alice.dial("1002")
    assert (await phones.alice.closed()).startswith("480 ")
