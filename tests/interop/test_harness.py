"""The harness by itself: when these fail, the others say nothing about Beffroi."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.interop import namespaces
from tests.interop.baresip import Baresip
from tests.interop.namespaces import Town
from tests.interop.patience import PeerError
from tests.interop.sipp import Account, Sipp

pytestmark = [pytest.mark.peer, pytest.mark.xdist_group("peers")]


def test_a_namespace_reaches_another_through_the_hub(town: Town) -> None:
    left, right = town.plug("10.54.1.11"), town.plug("10.54.3.12")
    with left.socket(socket.SOCK_DGRAM) as sender, right.socket(socket.SOCK_DGRAM) as receiver:
        sender.bind(("10.54.1.11", 5000))
        receiver.bind(("10.54.3.12", 5000))
        receiver.settimeout(5)
        sender.sendto(b"bonjour", ("10.54.3.12", 5000))
        assert receiver.recvfrom(100) == (b"bonjour", ("10.54.1.11", 5000))


def test_a_namespace_takes_its_processes_along(tmp_path: Path) -> None:
    with namespaces.town() as town:
        phone = town.plug("10.54.1.11")
        phone.run("sh", "-c", "sleep 60 >&- 2>&- &")
        (left,) = phone.processes()
    assert not (Path("/proc") / str(left) / "exe").exists()


def test_a_failed_command_says_what_went_wrong(town: Town) -> None:
    with pytest.raises(namespaces.NamespaceError, match="nowhere"):
        town.hub.run("ip", "link", "show", "nowhere")


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_two_phones_hear_each_other_without_a_pbx(town: Town, tmp_path: Path, transport: str) -> None:
    left, right = town.plug("10.54.1.11"), town.plug("10.54.3.12")
    async with (
        Baresip(left, tmp_path, "1001", "", "10.54.1.11", transport, 440, register=False) as alice,
        Baresip(right, tmp_path, "1002", "", "10.54.3.12", transport, 850, register=False) as bruno,
    ):
        await alice.dial("sip:1002@10.54.3.12")
        assert await bruno.rung() == "sip:1001@10.54.1.11"
        await alice.ringing_back()
        await bruno.answer()
        await alice.answered()
        await alice.hears(850)
        await bruno.hears(440)
        await bruno.hang_up()
        assert await alice.closed() == "Connection reset by peer"
        assert (alice.heard_frequency(), bruno.heard_frequency()) == (850, 440)


async def test_a_phone_does_not_hear_a_tone_that_nobody_plays(town: Town, tmp_path: Path) -> None:
    left, right = town.plug("10.54.1.11"), town.plug("10.54.3.12")
    async with (
        Baresip(left, tmp_path, "1001", "", "10.54.1.11", "udp", 440, register=False) as alice,
        Baresip(right, tmp_path, "1002", "", "10.54.3.12", "udp", 850, register=False) as bruno,
    ):
        await alice.dial("sip:1002@10.54.3.12")
        await bruno.rung()
        await bruno.answer()
        with pytest.raises(PeerError, match="1001 to hear 440 Hz"):
            await alice.hears(440, seconds=3)


async def test_a_scenario_that_goes_wrong_is_an_error(town: Town, tmp_path: Path) -> None:
    left, right = town.plug("10.54.1.11"), town.plug("10.54.3.12")
    async with Baresip(left, tmp_path, "1001", "", "10.54.1.11", register=False):
        with pytest.raises(PeerError, match="SIPp ended with status 1"):
            # A phone is no registrar: it answers 405 or worse, where the scenario waits for a challenge.
            async with Sipp(right, tmp_path, "register", "10.54.1.11", [Account("1002", "pw1002")]):
                pass


async def test_the_late_answer_can_be_played_against_a_phone(town: Town, tmp_path: Path) -> None:
    left, right = town.plug("10.54.1.11"), town.plug("10.54.3.12")
    async with (
        Baresip(left, tmp_path, "1001", "", "10.54.1.11", register=False) as phone,
        Sipp(right, tmp_path, "late_answer", "10.54.1.11", [Account("1002", "pw1002")]),
    ):
        await phone.dial("sip:1002@10.54.3.12")
        await phone.ringing_back()
        await phone.hang_up()
