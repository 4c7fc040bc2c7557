"""Real phones behind real NATs, and Beffroi behind one of its own (nftables).

Alice (1001) and Bruno (1002) are behind one box, the État civil (2010) behind another with the very same
private address as Alice; Urbanisme (2020) is in the town hall, on Beffroi's side. Nobody uses STUN.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
import yaml

from tests.interop.baresip import Baresip
from tests.interop.beffroi import Beffroi, write_configuration
from tests.interop.internet import UDP_MEMORY_SECONDS, internet
from tests.interop.patience import until

pytestmark = [pytest.mark.peer, pytest.mark.xdist_group("other phones"), pytest.mark.timeout(180)]

BEFFROI, EXTERNAL = "10.54.0.1", "203.0.113.7"
PORTS = "5060, 20000-20999"
KEEP_ALIVE_SECONDS = 10
HZ = {"1001": 440, "1002": 850, "2010": 640, "2020": 1020}


@dataclass
class Phones:
    """All four, registered."""

    alice: Baresip
    bruno: Baresip
    far: Baresip
    inside: Baresip
    pbx: Beffroi


def configuration(folder: Path) -> Path:
    """Beffroi's, with what its own NAT needs."""
    path = write_configuration(folder, BEFFROI)
    settings = yaml.safe_load(path.read_text())
    settings["external_address"] = EXTERNAL
    settings["local_networks"] = ["10.54.0.0/16", "127.0.0.0/8"]
    settings["sip"]["keep_alive_seconds"] = KEEP_ALIVE_SECONDS
    path.write_text(yaml.safe_dump(settings))
    return path


@pytest_asyncio.fixture(params=["udp", "tcp"])
async def phones(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Phones]:
    """The four phones; the parameter is the transport of those outside."""
    transport = request.param
    with internet(tmp_path) as net:
        ours = net.box(EXTERNAL, "10.54.0.254", forward=PORTS, to=BEFFROI)
        home, other_home = net.box("198.51.100.1", "192.168.1.1"), net.box("198.51.100.2", "192.168.1.1")
        pbx = Beffroi(net.behind(ours, BEFFROI), configuration(tmp_path))
        places = {
            "1001": net.behind(home, "192.168.1.11"),
            "1002": net.behind(home, "192.168.1.12"),
            "2010": net.behind(other_home, "192.168.1.11"),
        }
        town_hall = net.behind(ours, "10.54.1.20")
        try:
            await pbx.start()
            async with AsyncExitStack() as stack:
                made = [
                    await stack.enter_async_context(
                        Baresip(place, tmp_path, user, f"pw{user}", EXTERNAL, transport, HZ[user])
                    )
                    for user, place in places.items()
                ]
                made.append(
                    await stack.enter_async_context(
                        Baresip(town_hall, tmp_path, "2020", "pw2020", BEFFROI, "udp", HZ["2020"])
                    )
                )
                for phone in made:
                    await phone.registered()
                alice, bruno, far, inside = made
                yield Phones(alice, bruno, far, inside, pbx)
            await pbx.stop()
        finally:
            await pbx.kill()


async def talk(caller: Baresip, callee: Baresip) -> None:
    """One calls the other, each hears the other's tone, the callee hangs up."""
    await caller.dial(callee.user)
    await callee.rung()
    await callee.answer()
    await caller.answered()
    await caller.hears(callee.tone_hz)
    await callee.hears(caller.tone_hz)
    await callee.hang_up()
    await caller.closed()


async def test_two_phones_behind_one_nat_hear_each_other(phones: Phones) -> None:
    await talk(phones.alice, phones.bruno)


async def test_two_phones_with_the_same_private_address_behind_two_nats_hear_each_other(
    phones: Phones,
) -> None:
    await talk(phones.alice, phones.far)
    await talk(phones.far, phones.alice)


async def test_a_phone_inside_and_one_behind_a_nat_hear_each_other(phones: Phones) -> None:
    await talk(phones.inside, phones.bruno)
    await talk(phones.bruno, phones.inside)


@pytest.mark.parametrize("phones", ["udp"], indirect=True)
async def test_a_phone_is_called_after_its_nat_would_have_forgotten_it(phones: Phones) -> None:
    """RFC 5626 section 4.4; the box forgets a flow of UDP after UDP_MEMORY_SECONDS."""
    await asyncio.sleep(UDP_MEMORY_SECONDS + 4)
    await talk(phones.far, phones.bruno)


@pytest.mark.parametrize("phones", ["udp"], indirect=True)
async def test_each_peer_is_told_the_address_that_it_can_reach(phones: Phones, tmp_path: Path) -> None:
    """Via, Contact and SDP, as `serve.log` shows what left."""
    await talk(phones.inside, phones.bruno)

    async def told() -> dict[str, set[str]]:
        return addresses_told(tmp_path / "serve.log")

    seen = await until(told, "the trace of the call", 5)
    assert seen["inside"] == {BEFFROI}
    assert seen["outside"] == {EXTERNAL}


def addresses_told(log: Path) -> dict[str, set[str]]:
    """Our addresses in the Contact and c= lines that were sent, by the side that they were sent to."""
    seen: dict[str, set[str]] = {}
    side = ""
    for line in log.read_text(errors="replace").splitlines():
        if " -> " in line and ("sent" in line or "received" in line):
            peer = line.partition(" -> ")[2].split(":")[0]
            side = ("inside" if peer.startswith("10.54.") else "outside") if "sent" in line else ""
        elif side and line.startswith("c=IN IP4 "):
            seen.setdefault(side, set()).add(line.split()[-1])
        elif side and line.startswith("Contact: <sip:") and "@" not in line:
            seen.setdefault(side, set()).add(line.partition("sip:")[2].split(":")[0])
    return seen
