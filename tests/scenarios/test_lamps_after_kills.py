"""Calls and kills at random while a desk watches over a line that loses: its lamp is soon right each time."""

from __future__ import annotations

import asyncio
import contextlib
import random
import xml.etree.ElementTree as ET

import pytest

from sip.user_agent import Account, UserAgent, Watch, WatchEnded
from tests.scenarios.town import BEFFROI, DOMAIN, Town, TownPhone, start
from tests.sim.network import Link
from tests.sim.node import Node
from tests.sim.world import World, run

DIALOG_INFO = "{urn:ietf:params:xml:ns:dialog-info}"
STEPS = 12
RIGHT_SECONDS = 40.0  # the longest gap of a NOTIFY that is lost again and again, and less than the minute
LOSSY = Link(loss=0.15, jitter_seconds=0.05)


class View:
    """What a desk makes of the documents: it throws away none, and misses none (RFC 4235 section 4.1.1)."""

    def __init__(self) -> None:
        self.version = -1
        self.dialogs: dict[str, str] = {}

    def take(self, document: bytes) -> None:
        root = ET.fromstring(document)
        version = int(root.attrib["version"])
        assert version > self.version, "an old document came after a newer one"
        if root.attrib["state"] == "full":
            self.dialogs.clear()
        else:
            assert version == self.version + 1, "a change is missing"
        self.version = version
        for dialog in root.findall(f"{DIALOG_INFO}dialog"):
            state = dialog.findtext(f"{DIALOG_INFO}state") or ""
            self.dialogs[dialog.attrib["id"]] = state
            if state == "terminated":
                del self.dialogs[dialog.attrib["id"]]

    async def follow(self, seen: Watch) -> None:
        with contextlib.suppress(WatchEnded):
            while True:
                self.take(await seen.next())


class Pair:
    """Alice and Bruno, whose call is nowhere, ringing or answered."""

    def __init__(self, town: Town, alice: TownPhone, bruno: TownPhone) -> None:
        self.town = town
        self.alice = alice
        self.bruno = bruno
        self.state: list[str] = []

    async def act(self, chance: random.Random) -> None:
        """One step further, or a kill."""
        if chance.random() < 0.4:
            await self.kill()
        elif not self.state:
            await self.alice.call("1002")
            self.invite = await self.bruno.expect("INVITE")
            self.bruno.reply(self.invite, 180)
            await self.alice.expect(180)
            self.state = ["early"]
        elif self.state == ["early"]:
            self.bruno.answer(self.invite)
            await self.bruno.expect("ACK")
            self.alice.ack(await self.alice.expect(200))
            self.state = ["confirmed"]
        else:
            await self.town.hang_up(self.alice, self.bruno)
            self.state = []

    async def kill(self) -> None:
        await self.town.restart()
        if self.state == ["early"]:
            self.state = []  # gone without a word
        elif self.state:
            for phone in (self.alice, self.bruno):
                phone.reply(await phone.expect("OPTIONS", within_seconds=10.1), 200)


@pytest.mark.parametrize("seed", range(8))
def test_a_lamp_is_right_within_a_minute_of_whatever_happens(seed: int) -> None:
    async def body(world: World) -> None:
        chance = random.Random(seed)
        town = await start(world)
        alice, bruno = await town.phones("1001", "1002")
        pair = Pair(town, alice, bruno)
        host = world.host("desk", "10.54.1.10")
        world.network.link(host, town.host, LOSSY)
        desk = UserAgent(Account("2010", "pw2010", DOMAIN), b"desk")
        node = Node(host, desk.driver)
        desk.outbound = node.flow(BEFFROI)
        world.closing.callback(node.close)
        seen = desk.watch("1002", "dialog", "application/dialog-info+xml")
        view = View()
        following = world.loop.create_task(view.follow(seen))
        await world.sleep(RIGHT_SECONDS)
        for _ in range(STEPS):
            await pair.act(chance)
            await world.sleep(RIGHT_SECONDS)
            assert list(view.dialogs.values()) == pair.state
        while pair.state:
            await pair.act(chance)
        await seen.end()
        await asyncio.wait([following])
        following.result()

    run(body, seed=seed)
