"""`kill -9` of the signalling process in the middle of 50 real calls: nobody notices (issue: Restart)."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import socket
import subprocess
from typing import Any

from sip.core.session import IGNORED
from sip.net.udp import UdpTransport
from sip.user_agent import Account, Call, UserAgent
from tests.cli.conftest import Town, serve_command
from tests.cli.line import Line

CALLS = 50
PACKET_SECONDS = 0.04  # half as often as a telephone: a hundred of them share this process
# What full buffers of a busy machine may take from a line. A sound that stops loses 25 a second.
FEW_PACKETS = 8
PATIENCE_SECONDS = 45.0


class Party:
    """A telephone with many lines, each of which has a call and its sound."""

    def __init__(self, user: str, password: str, port: int, calls: int = CALLS) -> None:
        bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        bound.bind(("127.0.0.1", 0))
        self.agent = UserAgent(Account(user, password, "localhost"), secrets.token_bytes(16))
        self.transport = UdpTransport(self.agent.driver, bound)
        self.agent.outbound = self.transport.flow_to(("127.0.0.1", port))
        self.lines = [Line() for _ in range(calls)]
        self.calls: list[Call] = []

    def listen(self) -> None:
        loop = asyncio.get_running_loop()
        for line in self.lines:
            loop.add_reader(line.socket.fileno(), line.readable)

    def refer(self, call: int, to: str) -> None:
        """Transfer a call, blind."""
        session = self.calls[call]._facts.session  # the awaitable face has no transfers
        session.send_request("REFER", IGNORED, self.agent.driver.now, headers=f"Refer-To: <{to}>\r\n")
        self.agent.driver.wake()

    def close(self) -> None:
        loop = asyncio.get_running_loop()
        for line in self.lines:
            loop.remove_reader(line.socket.fileno())
            line.socket.close()
        self.agent.close()
        self.transport.close()


async def converse(caller: Party, callee: Party) -> None:
    """Make all the calls, one after the other."""
    for mine, theirs in zip(caller.lines, callee.lines, strict=True):
        call = caller.agent.invite(callee.agent.account.user, mine.offer())
        incoming = await callee.agent.incoming()
        theirs.take_answer(incoming.offer)
        incoming.answer(theirs.offer())
        mine.take_answer(await call.answered())
        caller.calls.append(call)
        callee.calls.append(incoming)
    caller.listen()
    callee.listen()


async def speak(parties: tuple[Party, ...], seconds: float) -> None:
    """Say what is due on every line, for so long."""
    loop = asyncio.get_running_loop()
    due = loop.time()
    for _ in range(round(seconds / PACKET_SECONDS)):
        for party in parties:
            for line in party.lines:
                line.say()
        due += PACKET_SECONDS
        await asyncio.sleep(max(0.0, due - loop.time()))


def prepare(town: Town, ports: str) -> dict[str, str]:
    """The town's configuration, and the passwords of two people."""
    town.configuration_file.write_text(
        f"domain: localhost\nsip: {{udp: 127.0.0.1:{town.port}, tcp: [], tls: [], ws: []}}\nweb: []\n"
        f"media: {{address: 127.0.0.1, ports: {ports}}}\n"
    )
    return {
        user: town.run("user", "add", user, name, "--json").json["password"]
        for user, name in (("2011", "Claire"), ("2012", "Denis"))
    }


async def kill_signalling(town: Town) -> None:
    status = (await asyncio.to_thread(town.run, "status", "--json")).json
    os.kill(next(one["pid"] for one in status["processes"] if one["role"] == "signalling"), signal.SIGKILL)


async def test_signalling_killed_under_50_calls_that_go_on_and_are_hung_up_transferred_and_recorded(
    town: Town,
) -> None:
    passwords = prepare(town, "28400-28899")
    with town.serving() as log_until:
        caller, callee = (Party(user, password, town.port) for user, password in passwords.items())
        try:
            async with asyncio.timeout(90):
                await caller.agent.register()
                await callee.agent.register()
                await converse(caller, callee)
                await speak((caller, callee), 0.5)
                speaking = asyncio.create_task(speak((caller, callee), 4.0))  # noqa: TID251 (amid the sound)
                await asyncio.sleep(0.5)
                await kill_signalling(town)
                assert f"calls={CALLS} " in await asyncio.to_thread(log_until, "restored")
                await speaking
                heard_as_before(caller, callee)
                await transfer_the_last(caller, callee)
                await hang_up_the_others(caller, callee)
                await callee.agent.unregister()
        finally:
            caller.close()
            callee.close()
        recorded(await asyncio.to_thread(ended_calls, town))


def start_node(town: Town) -> subprocess.Popen[str]:
    """`beffroi serve`, for a test that kills it."""
    return subprocess.Popen(
        serve_command(town.configuration_file), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )


async def test_the_supervisor_is_killed_and_started_again_and_conversations_go_on(town: Town) -> None:
    passwords = prepare(town, "28900-28999")
    killed = start_node(town)
    caller, callee = (Party(user, password, town.port, 2) for user, password in passwords.items())
    try:
        async with asyncio.timeout(90):
            with killed:
                try:
                    assert killed.stderr is not None
                    while "ready plan=" not in await asyncio.to_thread(killed.stderr.readline):
                        assert killed.poll() is None
                    await caller.agent.register()
                    await callee.agent.register()
                    await converse(caller, callee)
                finally:
                    killed.kill()
            with town.serving():
                for line in (*caller.lines, *callee.lines):
                    line.heard.clear()
                while not all(line.heard for line in (*caller.lines, *callee.lines)):
                    await speak((caller, callee), 0.2)
                for call in caller.calls:
                    call.hang_up()
                for call in callee.calls:
                    await call.ended()
                await callee.agent.unregister()
    finally:
        caller.close()
        callee.close()
    assert [call["cause"] for call in ended_calls(town)] == ["completed"] * 2


def heard_as_before(*parties: Party) -> None:
    for party in parties:
        for line in party.lines:
            packets = [packet for _, _, packet in line.heard]
            assert line.missing(line.sent) <= FEW_PACKETS
            assert line.refused == 0  # no datagram ever met a closed port
            assert len({packet.ssrc for packet in packets}) == 1


async def transfer_the_last(caller: Party, callee: Party) -> None:
    """To the echo: the callee's own voice comes back."""
    line = callee.lines[-1]
    moved: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def answer(offer: bytes) -> bytes:
        if not moved.done():
            moved.set_result(offer)
        return line.offer().replace(b"o=- 1 1", b"o=- 1 2")

    callee.calls[-1].on_offer(answer)
    caller.refer(CALLS - 1, "sip:9196@localhost")
    async with asyncio.timeout(PATIENCE_SECONDS):
        line.take_answer(await moved)
        await caller.calls[-1].ended()
    before = len(line.heard)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(line.heard) <= before:
            await speak((callee,), 0.2)
    callee.calls[-1].hang_up()


async def hang_up_the_others(caller: Party, callee: Party) -> None:
    """Half of the calls from either side; the other one hears of each."""
    pairs = list(zip(caller.calls, callee.calls, strict=True))[:-1]
    for number, (mine, theirs) in enumerate(pairs):
        (mine if number % 2 else theirs).hang_up()
    async with asyncio.timeout(PATIENCE_SECONDS):
        for number, (mine, theirs) in enumerate(pairs):
            await (theirs if number % 2 else mine).ended()


def ended_calls(town: Town) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = town.run("call", "list", "--json", "--limit", "200").json
    return listed


def recorded(calls: list[dict[str, Any]]) -> None:
    """Each call once, with the times of before and after."""
    to_denis = [call for call in calls if call["to"] == "2012"]
    assert len(to_denis) == CALLS
    assert len({call["id"] for call in calls}) == len(calls) == CALLS + 1
    assert sorted(call["cause"] for call in to_denis) == ["completed"] * (CALLS - 1) + ["transferred"]
    for call in to_denis:
        assert call["started"] <= call["answered"] < call["ended"]
        assert [leg["device"] for leg in call["legs"]] == ["2011", "2012"]
        assert [leg["codec"] for leg in call["legs"]] == ["PCMA", "PCMA"]
    (echoed,) = [call for call in calls if call["to"] == "echo"]
    assert echoed["answered"] is not None
