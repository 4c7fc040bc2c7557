"""A telephone that is looked after by a real node: told by NOTIFY, back when it has fetched, blocked."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from sip.core.message import Request
from sip.core.stack import ServerTransaction
from sip.net.udp import UdpTransport
from sip.user_agent import Account, RegistrationRefused, UserAgent
from tests.browser.test_phones import MAC, PRINTED, fetch
from tests.browser.town import HOST, Town, running_town

pytestmark = [pytest.mark.peer, pytest.mark.xdist_group("phones-care")]


class Desk(UserAgent):
    """A desk telephone: it says yes to NOTIFY, and keeps what it was told."""

    def __init__(self, account: Account) -> None:
        super().__init__(account, b"desk" * 4)
        self.core.methods = (*self.core.methods, "NOTIFY")
        self.told: asyncio.Queue[str] = asyncio.Queue()

    def request_received(self, request: Request, transaction: ServerTransaction, now: float) -> None:
        if request.method != "NOTIFY":
            super().request_received(request, transaction, now)
            return
        self.core.stack.respond(transaction, 200, now)
        self.told.put_nowait(request.headers["event"][0])


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with running_town(tmp_path_factory.mktemp("care")) as made:
        yield made


@contextmanager
def desk(town: Town, line: str, password: str) -> Iterator[Desk]:
    """A telephone on loopback that signs in with this."""
    bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    bound.bind((HOST, 0))
    telephone = Desk(Account(line, password, town.configuration.domain))
    transport = UdpTransport(telephone.driver, bound)
    telephone.outbound = transport.flow_to(town.sip)
    try:
        yield telephone
    finally:
        telephone.close()
        transport.close()


async def registered(telephone: Desk) -> None:
    """Register as a telephone does: again, where the exchange doesn't know a new password yet."""
    async with asyncio.timeout(20.0):
        while True:
            with suppress(RegistrationRefused):
                await telephone.register(60)
                return
            await asyncio.sleep(0.2)


def settings(address: str) -> dict[str, str]:
    status, content = fetch(address)
    assert status == 200, content
    pairs = (
        (line.partition(" = ")[0], line.partition(" = ")[2])
        for line in content.decode().splitlines()
        if " = " in line
    )
    return dict(pairs)


async def test_a_telephone_is_told_gets_another_password_and_is_blocked(town: Town) -> None:
    town.command("user", "add", "2071", "Zoé Faure")
    town.command("phone", "add", PRINTED, "--brand", "yealink", "--model", "T54W", "--extension", "2071")
    link = town.command("phone", "invite", PRINTED).split()[0]
    first = settings(f"{link}{MAC}.cfg")
    line, password = first["account.1.user_name"], first["account.1.password"]
    address = f"{first['static.auto_provision.server.url']}{MAC}.cfg"
    with desk(town, line, password) as telephone:
        await registered(telephone)
        async with asyncio.TaskGroup() as group:
            wave = group.create_task(asyncio.to_thread(town.command, "phone", "wave", "resync", "--wait"))
            assert (await telephone.told.get()).startswith("check-sync")
            await asyncio.to_thread(settings, address)
        assert "1 telephones" in wave.result()

        await asyncio.to_thread(town.command, "phone", "passwords", PRINTED)
        await telephone.told.get()  # nobody had to ask for that
        await telephone.register(60)  # the password before works still
        renewed = (await asyncio.to_thread(settings, address))["account.1.password"]
        assert renewed != password
    with desk(town, line, renewed) as telephone:
        await registered(telephone)
        await asyncio.to_thread(town.command, "phone", "block", PRINTED)
        with pytest.raises(RegistrationRefused):
            await telephone.register(60)
    assert (await asyncio.to_thread(fetch, address))[0] != 200
