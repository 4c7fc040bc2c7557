"""A node whose sound goes through Debian's rtpengine: calls, `beffroi media`, and `kill -9` of signalling.

Needs Debian's rtpengine-daemon, which `scripts/setup test` installs.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from pbx.node.keys import private_of
from recording.export.outline import Outline, opened, outline
from recording.keys import KeyStore, read_private, unwrap
from recording.proof.verifier import SUFFIX
from sip.net.udp import UdpTransport
from sip.user_agent import Account, OutgoingCall, UserAgent
from tests.cli.conftest import Town
from tests.cli.line import Line
from tests.media.rtpengine_daemon import RtpengineDaemon, rtpengine

pytestmark = [pytest.mark.peer, pytest.mark.xdist_group("rtpengine")]

ECHO = "9196"
PACKET_SECONDS = 0.02


@contextmanager
def over_rtpengine(town: Town, folder: Path) -> Iterator[RtpengineDaemon]:
    """A daemon, and the configuration of a node that uses it."""
    with rtpengine(folder / "rtpengine.log", place=2) as daemon:
        town.configuration_file.write_text(
            f"domain: localhost\nsip: {{udp: 127.0.0.1:{town.port}, tcp: [], tls: [], ws: []}}\nweb: []\n"
            f'media: {{engine: rtpengine, rtpengine: "127.0.0.1:{daemon.address[1]}", '
            f'rtpengine_digits: "127.0.0.1:{daemon.digits[1]}"}}\n'
        )
        yield daemon


@asynccontextmanager
async def phone_of(town: Town, password: str) -> AsyncIterator[UserAgent]:
    bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    bound.bind(("127.0.0.1", 0))
    agent = UserAgent(Account("2011", password, "localhost"), secrets.token_bytes(16))
    transport = UdpTransport(agent.driver, bound)
    agent.outbound = transport.flow_to(("127.0.0.1", town.port))
    try:
        await agent.register()
        yield agent
        await agent.unregister()
    finally:
        agent.close()
        transport.close()


async def echoed(agent: UserAgent, line: Line) -> OutgoingCall:
    call = agent.invite(ECHO, line.offer())
    line.take_answer(await call.answered())
    asyncio.get_running_loop().add_reader(line.socket.fileno(), line.readable)
    return call


async def speak(line: Line, seconds: float) -> None:
    for _ in range(round(seconds / PACKET_SECONDS)):
        line.say()
        await asyncio.sleep(PACKET_SECONDS)


def daemons(town: Town) -> list[dict[str, object]]:
    listed: list[dict[str, object]] = town.run("media", "list", "--json").json
    return listed


async def test_call_outlives_signalling_and_is_recorded_on_and_its_end_frees_the_daemon(
    town: Town, tmp_path: Path
):
    town.change_plan('number: "9196", type: echo', 'number: "9196", type: echo, record: police')
    with over_rtpengine(town, tmp_path) as daemon:
        password = town.run("user", "add", "2011", "Claire", "--json").json["password"]
        name = f"127.0.0.1:{daemon.address[1]}"
        line = Line()
        with town.serving() as log_until:
            async with asyncio.timeout(60), phone_of(town, password) as agent:
                call = await echoed(agent, line)
                await speak(line, 0.5)
                assert daemons(town) == [
                    {"name": name, "state": "up", "calls": 1, "addresses": ["127.0.0.1"]}
                ]
                processes = town.run("status", "--json").json["processes"]
                assert "media" not in {one["role"] for one in processes}
                os.kill(next(one["pid"] for one in processes if one["role"] == "signalling"), signal.SIGKILL)
                await speak(line, 2.0)
                log_until("calls=1 parties=1 restored")
                said = line.sent
                await speak(line, 0.5)
                assert line.missing(said) <= 5
                assert not call.over
                call.hang_up()
                await agent.register()  # it is answered after the BYE
            assert [one["calls"] for one in daemons(town)] == [0]
        asyncio.get_running_loop().remove_reader(line.socket.fileno())
        line.socket.close()
    (caller,) = (track for track in recorded(town).tracks.values() if track.party == "2011")
    # What was said while nobody was there to take it is missing, and no more.
    (packets,) = caller.packets.values()
    assert 30 < packets <= line.sent
    assert caller.last - caller.first > 2_000_000


def recorded(town: Town) -> Outline:
    """What is in the one recording of a town whose node has ended."""
    data = town.settings.data_dir
    (file,) = (data / "recordings").glob(f"*/*{SUFFIX}")
    name, private = file.name.removesuffix(SUFFIX), read_private(private_of(data / "recording.pub"))
    return outline(opened(file, unwrap(KeyStore(data / "recording-keys").get(name), name, private)))


def test_daemon_that_is_draining_is_listed_so(town: Town, tmp_path: Path):
    with over_rtpengine(town, tmp_path) as daemon, town.serving():
        name = f"127.0.0.1:{daemon.address[1]}"
        assert town.run("media", "drain", name, "--json").json[0]["state"] == "draining"
        assert town.run("media", "undrain", name, "--json").json[0]["state"] == "up"
        refused = town.run("media", "drain", "192.0.2.8:2223")
        assert refused.status == 1
        assert f'no rtpengine "192.0.2.8:2223" in the configuration; known: {name}' in refused.err
        assert [name, "up", "0"] == town.run("media", "list").out.split()[-4:-1]


def test_node_without_rtpengine_has_no_daemons(town: Town):
    with town.serving():
        refused = town.run("media", "list")
    assert refused.status == 1
    assert "the media engine of this node isn't rtpengine" in refused.err


def test_node_starts_without_its_daemon_and_tells(town: Town, tmp_path: Path):
    with over_rtpengine(town, tmp_path):
        pass  # it has ended before the node starts
    with town.serving():
        assert daemons(town)[0]["state"] == "down"
