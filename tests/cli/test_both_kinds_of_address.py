"""A node on IPv4 and IPv6 at once: a telephone of each kind, and they hear each other."""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from sip.net.addresses import family_of
from sip.net.udp import UdpTransport
from sip.user_agent import Account, UserAgent
from tests.cli.conftest import Town
from tests.cli.line import Line


@contextmanager
def telephone(town: Town, host: str, extension: str, password: str) -> Iterator[tuple[UserAgent, Line]]:
    """A telephone that reaches the town at `host`, and its sound."""
    bound = socket.socket(family_of(host), socket.SOCK_DGRAM)
    bound.bind((host, 0))
    agent = UserAgent(Account(extension, password, "localhost"), secrets.token_bytes(16))
    transport = UdpTransport(agent.driver, bound)
    agent.outbound = transport.flow_to((host, town.port))
    line = Line(host)
    try:
        yield agent, line
    finally:
        line.socket.close()
        agent.close()
        transport.close()


async def heard(speaker: Line, listener: Line) -> None:
    """Speak until the other one hears it."""
    while not listener.heard:
        speaker.say()
        await asyncio.sleep(0.02)
        listener.readable()


async def test_telephones_on_ipv4_and_ipv6_hear_each_other(town: Town):
    town.configuration_file.write_text(
        f"domain: localhost\nsip: {{udp: ['127.0.0.1:{town.port}', '[::1]:{town.port}'], tcp: [], "
        "tls: [], ws: []}\n"
        f"media: {{ports: {town.media_ports}}}\n"
    )
    passwords = [
        town.run("user", "add", extension, "Claire", "--json").json["password"]
        for extension in ("2011", "2012")
    ]
    with (
        town.serving(),
        telephone(town, "::1", "2011", passwords[0]) as (caller, caller_line),
        telephone(town, "127.0.0.1", "2012", passwords[1]) as (callee, callee_line),
    ):
        async with asyncio.timeout(45):
            await caller.register()
            await callee.register()
            going = caller.invite("2012", caller_line.offer())
            coming = await callee.incoming()
            assert b"c=IN IP4 127.0.0.1" in coming.offer
            callee_line.take_answer(coming.offer)
            coming.answer(callee_line.offer())
            caller_line.take_answer(await going.answered())
            assert caller_line.remote[0] == "::1"
            await heard(caller_line, callee_line)
            await heard(callee_line, caller_line)
            going.hang_up()
            await coming.ended()
