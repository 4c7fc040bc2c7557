"""100,000 damaged messages against the whole exchange: it answers, stays alive and keeps nothing."""

from __future__ import annotations

import gc
import logging

import pytest

from sip.core.message import Request
from sip.core.stack import ServerTransaction
from tests.scenarios.barrage import SPOKEN, Barrage, Sink
from tests.scenarios.town import start
from tests.sim.world import World, scenario

MESSAGES = 100_000
PARTS = 4
PIECES = 5
SETTLED_SECONDS = 2000.0  # what rings, rings out; what is announced, gives up


@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(PARTS))
@scenario(max_rounds=50_000_000)
async def test_damaged_messages_end_in_answers_or_silence_and_never_in_an_error(
    world: World, seed: int
) -> None:
    """In parts, which run beside each other; the world's last look finds whatever is left of them."""
    town = await start(world)
    barrage = Barrage(town, 4475 + seed)
    for _ in range(PIECES):
        await barrage.run(MESSAGES // PARTS // PIECES)
        await barrage.calm()
    stack = town.exchange.core.stack
    assert stack.counts["internal error"] == 0
    assert barrage.counts["messages"] == MESSAGES // PARTS
    assert {"100", "200", "400", "401", "404", "481"} <= barrage.counts.keys()  # it goes deep
    assert town.exchange.status()["ended_calls"] > 50
    await world.sleep(SETTLED_SECONDS)
    town.ladder.clear()
    town.errors.expect("without media relay")  # of calls that offer no sound that could be relayed


class _Lines(logging.Handler):
    """What is logged, as it would be written."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@scenario(max_rounds=50_000_000)
async def test_no_line_of_the_log_holds_what_steers_a_terminal_or_ends_a_line(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    town = await start(world)
    log = _Lines()
    for name in ("sip", "pbx"):
        caplog.set_level(logging.INFO, name)
        logging.getLogger(name).addHandler(log)
        world.closing.callback(logging.getLogger(name).removeHandler, log)
    await Barrage(town, 17).run(5000)
    await world.sleep(SETTLED_SECONDS)
    town.errors.expect("without media relay")
    assert len(log.lines) > 1000
    assert [
        line for line in log.lines if any(letter < " " or "\x7f" <= letter < "\xa0" for letter in line)
    ] == []
    "".join(log.lines).encode()  # nothing that can't be written


@scenario(max_rounds=50_000_000)
async def test_what_a_barrage_leaves_in_memory_doesnt_grow(world: World) -> None:
    town = await start(world)
    barrage = Barrage(town, 9)
    sizes = []
    for _ in range(4):
        await barrage.run(1500)
        await world.sleep(SETTLED_SECONDS)
        town.ladder.clear()
        town.journal.written.clear()
        town.journal.timeline.clear()
        town.engine.asked.clear()
        gc.collect()
        sizes.append(len(gc.get_objects()))
    town.errors.expect("without media relay")
    assert max(sizes[1:]) < sizes[0] * 1.05


@scenario()
async def test_a_caller_that_gives_a_contact_elsewhere_is_served_and_leaves_nothing(world: World) -> None:
    """RFC 3261 section 12.2.1.1. A way that couldn't be made once left such an INVITE without an answer."""
    town = await start(world)
    barrage = Barrage(town, 0)
    driver = town.exchange.driver
    invite = (
        SPOKEN[0]
        .replace(b"@@", b"1")
        .replace(b"Contact: <sip:2010@10.54.1.9", b"Contact: <sip:2010@10.54.9.9")
    )
    driver.receive(invite, Sink(barrage, "UDP", ("10.54.1.9", 5060)), driver.now)
    driver.flush()
    await barrage.calm()
    assert town.exchange.core.stack.counts["internal error"] == 0
    assert town.exchange.status()["ended_calls"] == 1
    town.ladder.clear()


@scenario()
async def test_what_is_left_over_is_told_with_the_seed_that_makes_it_again(world: World) -> None:
    town = await start(world)
    barrage = Barrage(town, 7)
    stack = town.exchange.core.stack
    stack.user = Forgetful()
    driver = town.exchange.driver
    driver.receive(SPOKEN[0].replace(b"@@", b"1"), Sink(barrage, "UDP", ("10.54.1.9", 5060)), driver.now)
    with pytest.raises(AssertionError, match=r"seed 7: (?s:.*)INVITE sip:18@valmont.example SIP/2.0"):
        await barrage.calm()
    for transaction in list(stack._servers.values()):
        stack.ignore(transaction)
    town.ladder.clear()


class Forgetful:
    """A transaction user that answers nothing."""

    def request_received(self, request: Request, transaction: ServerTransaction, now: float) -> None:
        pass

    def ack_received(self, ack: Request, now: float) -> None:
        pass
