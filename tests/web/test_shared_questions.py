"""What several requests ask of signalling at the same moment is asked once, and belongs to none of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from pbx import control
from pbx.control import ListTrunks, TrunkList
from pbx.plans.in_force import PlanInForce
from pbx.web.node import Node
from pbx.web.problems import Problem
from tests.web.office import NOW, office


class Signalling:
    """It answers questions about trunks when it is let to, or hangs up. asked: how often it was."""

    def __init__(self) -> None:
        self.asked = 0
        self.reached = asyncio.Event()
        self.let = asyncio.Event()
        self.hangs_up = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if b"ListTrunks" in await reader.readline():
            self.asked += 1
            self.reached.set()
            await self.let.wait()
            if not self.hangs_up:
                writer.write(msgspec.json.encode(TrunkList([])) + b"\n")
        writer.close()


@pytest.fixture
async def signalling() -> Signalling:
    return Signalling()


@pytest.fixture
async def node(tmp_path: Path, signalling: Signalling) -> AsyncIterator[Node]:
    settings = office(tmp_path).configuration
    path = control.control_path(settings.data_dir)
    path.parent.mkdir(parents=True, exist_ok=True)
    server = await asyncio.start_unix_server(signalling.serve, str(path))
    made = Node(settings, PlanInForce(settings.plan), lambda: NOW)
    await made.start()
    yield made
    signalling.let.set()
    await made.stop()
    server.close()


async def test_whoever_asked_first_may_go_away(node: Node, signalling: Signalling):
    async with asyncio.TaskGroup() as group:
        first = group.create_task(node.ask(ListTrunks()))
        await signalling.reached.wait()
        second = group.create_task(node.ask(ListTrunks()))
        await asyncio.sleep(0)  # it waits for the same answer now
        first.cancel()
        signalling.let.set()
    assert (second.result(), signalling.asked) == (TrunkList([]), 1)


async def test_all_who_wait_are_told_that_nobody_answers(node: Node, signalling: Signalling):
    signalling.hangs_up = True
    signalling.let.set()
    told = await asyncio.gather(*(node.ask(ListTrunks()) for _ in range(3)), return_exceptions=True)
    assert [one.code for one in told if isinstance(one, Problem)] == ["signalling_away"] * 3
    assert signalling.asked == 1


async def test_what_is_asked_later_is_asked_anew(node: Node, signalling: Signalling):
    signalling.let.set()
    await node.ask(ListTrunks())
    await node.ask(ListTrunks())
    assert signalling.asked == 2
