"""`kill -9` of the signalling process amid texts: each that was acknowledged arrives (design, promise 5)."""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sip.net.udp import UdpTransport
from sip.user_agent import Account, UserAgent
from tests.cli.conftest import Town
from tests.cli.test_signalling_restart import kill_signalling

TEXTS = 24
KILLED_AT = (8, 16)


@asynccontextmanager
async def telephone(town: Town, user: str, password: str) -> AsyncIterator[UserAgent]:
    """A telephone of the town on loopback."""
    bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    bound.bind(("127.0.0.1", 0))
    agent = UserAgent(Account(user, password, "localhost"), secrets.token_bytes(16))
    transport = UdpTransport(agent.driver, bound)
    agent.outbound = transport.flow_to(("127.0.0.1", town.port))
    try:
        yield agent
    finally:
        agent.close()
        transport.close()


async def test_no_text_that_was_acknowledged_is_lost_by_kills(town: Town) -> None:
    passwords = {
        user: town.run("user", "add", user, name, "--json").json["password"]
        for user, name in (("2011", "Claire"), ("2012", "Denis"))
    }
    with town.serving() as log_until:
        async with (
            asyncio.timeout(90),
            telephone(town, "2011", passwords["2011"]) as claire,
            telephone(town, "2012", passwords["2012"]) as denis,
        ):
            lamp = claire.watch("2012", "dialog", "application/dialog-info+xml")
            assert b'version="0" state="full"' in await lamp.next()
            for number in range(TEXTS):
                sending = asyncio.ensure_future(claire.send_text("2012", f"texte {number}"))  # noqa: TID251
                if number in KILLED_AT:
                    await kill_signalling(town)
                assert await sending == 202
                if number in KILLED_AT:
                    assert b'state="full"' in await lamp.next()  # told anew by the next process, unasked
                    restored = await asyncio.to_thread(log_until, "texts=")
                    assert f"texts={number}" in restored or f"texts={number + 1}" in restored
            await denis.register()
            read: list[str] = []
            while f"texte {TEXTS - 1}" not in read:  # one may come twice: its 202 met the kill
                read.append((await denis.text()).page.body.decode())
            assert list(dict.fromkeys(read)) == [f"texte {number}" for number in range(TEXTS)]
            await denis.unregister()
            await lamp.end()
