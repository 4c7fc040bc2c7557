"""The ladder that is drawn from stored messages is the one that was seen on the network."""

from __future__ import annotations

import re
from pathlib import Path

from pbx.messages.drawing import drawing_of
from pbx.messages.index import kept_since, messages_of
from pbx.messages.ladder import Ladder, call_ids_of, ladder_of, span_of
from pbx.messages.scribe import Scribe
from pbx.messages.segments import Segments
from pbx.messages.tap import Tap
from pbx.records import CallRecord
from tests.scenarios.test_transfers import notified, refer
from tests.scenarios.town import Town, start
from tests.sim.ladder import GOLDEN_FOLDER
from tests.sim.world import World, scenario

PLENTY = 1 << 40


class Store:
    """A town whose messages are kept in a folder."""

    def __init__(self, town: Town, folder: Path) -> None:
        self._folder = folder
        self._scribe = Scribe(Segments(folder, 86_400.0, PLENTY, free_bytes=lambda _: PLENTY))
        driver = town.exchange.driver
        self._tap = Tap(self, town.exchange.clock, lambda: driver.now)
        self._tap.attach(driver)

    def send(self, batch: bytes) -> int:
        self._scribe.take(batch)
        return len(batch)

    def ladder(self, call: CallRecord) -> Ladder:
        self._tap.pass_on()
        found = messages_of(self._folder, call_ids_of(call), *span_of(call))
        return ladder_of(call, found, kept_since(self._folder))


def without_media(name: str) -> list[str]:
    """A golden ladder's lines, but for the sound, which is no message."""
    lines = (GOLDEN_FOLDER / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if " RTP " not in line]


@scenario()
async def test_a_call_is_drawn_as_it_was_seen(world: World, tmp_path: Path) -> None:
    """The golden ladder of RFC 3665 section 3.1, through us."""
    town = await start(world)
    store = Store(town, tmp_path)
    alice, bruno = await town.phones("1001", "1002")
    await alice.call("1002")
    invite = await bruno.expect("INVITE")
    bruno.reply(invite, 180)
    await alice.expect(180)
    await world.sleep(2)
    bruno.answer(invite)
    await bruno.expect("ACK")
    alice.ack(await alice.expect(200))
    await world.sleep(10)
    alice.bye()
    bruno.reply(await bruno.expect("BYE"), 200)
    await alice.expect("200 BYE")
    await world.sleep(1)
    (call,) = town.calls
    ladder = store.ladder(call)
    assert drawing_of(ladder) == without_media("internal-call")
    assert ladder.is_whole
    assert [(column.name, column.number, column.is_trunk) for column in ladder.columns] == [
        ("1001", "1001", False),
        ("Beffroi", "", False),
        ("1002", "1002", False),
    ]
    assert "PCMA" in ladder.rows[3].codecs
    assert not any("response=" in row.text for row in ladder.rows)
    assert "(blanked)" in ladder.rows[3].text


@scenario()
async def test_a_retransmission_is_said_to_be_one(world: World, tmp_path: Path) -> None:
    """RFC 3261 section 17.1.1.2."""
    town = await start(world)
    store = Store(town, tmp_path)
    alice, bruno = await town.phones("1001", "1002")
    await alice.call("1002")
    invite = await bruno.expect("INVITE")
    await world.sleep(0.7)
    bruno.reply(invite, 486)
    await bruno.expect("ACK")
    await alice.expect(486)
    await world.sleep(1)
    (call,) = town.calls
    labels = [row.label for row in store.ladder(call).rows if row.receiver == "1002"]
    assert labels == ["INVITE (sdp)", "INVITE (sdp) again", "ACK"]


@scenario()
async def test_a_call_over_an_operator_has_the_trunk_in_its_column(world: World, tmp_path: Path) -> None:
    town = await start(world)
    store = Store(town, tmp_path)
    (phone,) = await town.phones("2010")
    operator = town.operator("operateur-b")
    await phone.call("00612345678")
    invite = await operator.expect("INVITE")
    operator.reply(invite, 603)
    await operator.expect("ACK")
    await phone.expect(603)
    await world.sleep(1)
    (call,) = town.calls
    ladder = store.ladder(call)
    trunk = ladder.columns[2]
    assert (trunk.name, trunk.number, trunk.is_trunk) == ("operateur-b", "+33612345678", True)
    refused = [row for row in ladder.rows if row.status == 603 and row.sender == "operateur-b"]
    assert [(row.label, row.phrase) for row in refused] == [("603 INVITE", "Decline")]


@scenario()
async def test_a_hold_and_a_transfer_are_marked(world: World, tmp_path: Path) -> None:
    """RFC 3264 section 8.4, RFC 3515: the REFER with where it leads, and what is told of it."""
    town = await start(world)
    store = Store(town, tmp_path)
    alice, bruno, chloe = await town.phones("1001", "1002", "2010")
    await town.talk(alice, bruno)
    for version, direction in enumerate(("sendonly", "sendrecv"), 2):
        alice.send("INVITE", body=alice.sdp(direction=direction, version=version))
        alice.ack(await alice.expect(200))
    await refer(alice, "sip:2010@valmont.example")
    chloe.answer(await chloe.expect("INVITE"))
    await chloe.expect("ACK")
    await notified(alice, 200)
    alice.bye()
    await alice.expect(200)
    await town.hang_up(bruno, chloe)
    await world.sleep(1)
    marked = [row for call in town.calls for row in store.ladder(call).rows if row.mark]
    assert [(row.mark, row.about) for row in marked] == [("held", ""), ("resumed", ""), ("transfer", "2010")]
    assert {row.method for row in store.ladder(town.calls[0]).rows} >= {"REFER", "NOTIFY"}
    assert all(leg.call_id for call in town.calls for leg in call.legs)


@scenario()
async def test_the_parts_of_a_call_that_outlived_a_process_keep_their_call_ids(world: World) -> None:
    town = await start(world)
    alice, bruno = await town.phones("1001", "1002")
    await town.talk(alice, bruno)
    before = [leg.session.call_id for leg in town.ongoing[0].legs]
    await town.restart()
    await world.sleep(0.5)
    await town.hang_up(alice, bruno)
    await world.sleep(0.1)
    (call,) = town.calls
    assert [leg.call_id for leg in call.legs] == before


@scenario()
async def test_a_call_of_whose_messages_nothing_is_kept_has_no_rows(world: World, tmp_path: Path) -> None:
    town = await start(world)
    alice, bruno = await town.phones("1001", "1002")
    await alice.call("1002")
    bruno.reply(await bruno.expect("INVITE"), 486)
    await bruno.expect("ACK")
    await alice.expect(486)
    await world.sleep(1)
    store = Store(town, tmp_path)
    (call,) = town.calls
    ladder = store.ladder(call)
    assert (ladder.rows, ladder.is_whole) == ((), False)
    assert re.match(r" 1001 +Beffroi +1002", drawing_of(ladder)[0])
