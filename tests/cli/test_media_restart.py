"""`kill -9` of the media process and of signalling under 100 calls, with a real node and real sound."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest

from sip.core.flow import Flow
from sip.net.udp import UdpTransport
from sip.user_agent import Account, OutgoingCall, UserAgent
from tests.cli.conftest import Town, free_media_ports
from tests.cli.line import Line
from tests.interop.patience import until

CALLS = 100
PACKET_SECONDS = 0.04  # half as often as a telephone: they share this process and its core
GOAL_SECONDS = 1.0
# What a test may say for certain on a machine that is busy with other things.
BOUND_SECONDS = 3.0
ECHO = "9196"


class Party:
    """A phone with many calls to the echo, and the sound of all of them."""

    def __init__(self, port: int, password: str) -> None:
        bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        bound.bind(("127.0.0.1", 0))
        self.agent = UserAgent(Account("2011", password, "localhost"), secrets.token_bytes(16))
        self.transport = UdpTransport(self.agent.driver, bound)
        self.agent.outbound = self._flow(port)
        self.lines = [Line() for _ in range(CALLS)]
        self.calls: list[OutgoingCall] = []

    def _flow(self, port: int) -> Flow:
        return self.transport.flow_to(("127.0.0.1", port))

    async def call(self) -> None:
        await self.agent.register()
        loop = asyncio.get_running_loop()
        for line in self.lines:
            call = self.agent.invite(ECHO, line.offer())
            line.take_answer(await call.answered())
            loop.add_reader(line.socket.fileno(), line.readable)
            self.calls.append(call)

    async def speak(self, seconds: float) -> None:
        """Say what is due on every line, for so long."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        for _ in range(round(seconds / PACKET_SECONDS)):
            for line in self.lines:
                line.say()
            due += PACKET_SECONDS
            await asyncio.sleep(max(0.0, due - loop.time()))

    async def hang_up(self) -> None:
        """End the calls; the town has heard of it when it has answered what comes after."""
        for call in self.calls:
            call.hang_up()
        await self.agent.unregister()

    def close(self) -> None:
        loop = asyncio.get_running_loop()
        for line in self.lines:
            loop.remove_reader(line.socket.fileno())
            line.socket.close()
        self.agent.close()
        self.transport.close()


@asynccontextmanager
async def in_conversation(town: Town) -> AsyncIterator[Party]:
    """100 calls to the echo, each with sound for a second."""
    town.configuration_file.write_text(
        f"domain: localhost\nsip: {{udp: 127.0.0.1:{town.port}, tcp: [], tls: [], ws: []}}\nweb: []\n"
        f"media: {{address: 127.0.0.1, ports: {free_media_ports(400)}}}\n"
    )
    password = town.run("user", "add", "2011", "Claire", "--json").json["password"]
    with town.serving():
        party = Party(town.port, password)
        try:
            async with asyncio.timeout(60):
                await party.call()
                await party.speak(1.0)
                yield party
                await party.hang_up()
        finally:
            party.close()


def kill(town: Town, role: str) -> None:
    processes = town.run("status", "--json").json["processes"]
    os.kill(next(one["pid"] for one in processes if one["role"] == role), signal.SIGKILL)


async def test_media_killed_under_100_calls_and_sound_is_back_on_the_same_ports(
    town: Town, capsys: pytest.CaptureFixture[str]
):
    async with in_conversation(town) as party:
        begun = party.lines[0].sent
        speaking = asyncio.create_task(party.speak(4.0))  # noqa: TID251 (the kill comes in the middle)

        async def is_in_the_middle() -> bool:
            return party.lines[0].sent > begun + 1.0 / PACKET_SECONDS and all(
                line.heard for line in party.lines
            )

        await until(is_in_the_middle, "a second of sound", 45.0)
        kill(town, "media")
        await speaking
        said = party.lines[0].sent
        await party.speak(0.5)
        gaps = [line.gap_seconds() for line in party.lines]
        missing = [line.missing(said) for line in party.lines]
        with capsys.disabled():
            sys.stdout.write(
                f"\nmedia killed under {CALLS} calls: longest silence {max(gaps):.2f} s "
                f"(goal {GOAL_SECONDS}), at most {max(missing)} of {said} packets lost\n"
            )
        assert max(gaps) < BOUND_SECONDS
        assert max(missing) < BOUND_SECONDS / PACKET_SECONDS
        for line in party.lines:
            packets = [packet for _, _, packet in line.heard]
            assert line.refused == 0  # no datagram ever met a closed port
            assert len({packet.ssrc for packet in packets}) == 1
            assert {late.sequence - early.sequence & 0xFFFF for early, late in pairwise(packets)} <= set(
                range(1, 256)
            )
            assert all(
                0 < late.timestamp - early.timestamp & 0xFFFFFFFF < 32000 for early, late in pairwise(packets)
            )
        assert not any(call.over for call in party.calls)


async def test_signalling_killed_under_100_calls_and_sound_never_stops(town: Town):
    async with in_conversation(town) as party:
        speaking = asyncio.create_task(party.speak(3.0))  # noqa: TID251 (the kill comes in the middle)
        await asyncio.sleep(0.5)
        kill(town, "signalling")
        await speaking
        said = party.lines[0].sent
        await party.speak(0.5)
        for line in party.lines:
            packets = [packet for _, _, packet in line.heard]
            assert line.missing(said) <= 5  # what a full buffer of a busy machine may take
            assert len({packet.ssrc for packet in packets}) == 1
            assert line.refused == 0
