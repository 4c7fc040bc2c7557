"""Ladders: labels, drawing, and the comparison with golden files."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.sim.ladder import assert_golden, describe, split
from tests.sim.network import CUT, Link
from tests.sim.world import World, run, scenario

OWN_LADDERS = Path(__file__).parent / "ladders"
BRUNO = "sip:bruno@192.0.2.2"

INVITE = b"INVITE sip:a@b SIP/2.0\r\nCSeq: 1 INVITE\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n"


@pytest.mark.parametrize(
    ("message", "label"),
    [
        (INVITE, "INVITE (sdp)"),
        (b"INVITE sip:a@b SIP/2.0\r\nc: application/sdp\r\n\r\nv=0\r\n", "INVITE (sdp)"),
        (b"INVITE sip:a@b SIP/2.0\r\nCSeq: 1 INVITE\r\n\r\n", "INVITE"),
        (b"SIP/2.0 401 Unauthorized\r\nCSeq: 7 INVITE\r\n\r\n", "401 INVITE"),
        (b"SIP/2.0 200 OK\r\ncseq : 7  BYE\r\n\r\n", "200 BYE"),
        (b"SIP/2.0 200 OK\r\n\r\n", "200 ?"),
    ],
)
def test_a_message_is_labelled_by_its_start_line_cseq_and_body(message: bytes, label: str) -> None:
    assert describe(message) == label


def test_several_messages_in_one_write_are_told_apart() -> None:
    bye = b"BYE sip:a SIP/2.0\r\nContent-Length: 2\r\n\r\nhi"
    assert split(bye + bye) == [bye, bye]


def test_what_is_not_sip_is_left_out() -> None:
    assert split(b"\x80\x00\x00\x01") == []
    assert split(b"\r\n\r\n") == []


async def small_call(world: World) -> None:
    alice, bruno = world.phone("Alice", "192.0.2.1"), world.phone("Bruno", "192.0.2.2", user="bruno")
    alice.invite(BRUNO)
    request = await bruno.expect("INVITE")
    bruno.reply(request, 180)
    await alice.expect(180)
    await world.sleep(3)
    bruno.answer(request)
    alice.ack(await alice.expect(200))
    await bruno.expect("ACK")
    world.ladder.media("Alice", "Bruno")
    world.ladder.note("they talk for a minute")
    await world.sleep(60)
    bruno.bye()
    alice.reply(await alice.expect("BYE"), 200)
    await bruno.expect(200)


@scenario()
async def test_a_call_is_drawn_as_the_golden_ladder(world: World) -> None:
    await small_call(world)
    assert_golden("small-call", world.ladder, folder=OWN_LADDERS)


@scenario()
async def test_a_call_is_drawn_with_its_times(world: World) -> None:
    await small_call(world)
    assert_golden("small-call-times", world.ladder, times=True, folder=OWN_LADDERS)


@scenario()
async def test_loss_repetition_and_three_parties_are_drawn(world: World) -> None:
    alice, carla = world.phone("Alice", "192.0.2.1"), world.phone("Carla", "192.0.2.3")
    bruno = world.phone("Bruno", "192.0.2.2")
    world.ladder.order("Alice", "Bruno", "Carla")
    world.network.link(alice.host, carla.host, CUT)
    invite = alice.invite("sip:Carla@192.0.2.3")
    await world.sleep(0.5)
    world.network.link(alice.host, carla.host, Link())
    alice.again(invite)
    request = await carla.expect("INVITE")
    world.network.link(alice.host, carla.host, CUT)
    carla.reply(request, 486)
    await world.sleep(1)
    alice.send("OPTIONS", "sip:bruno@192.0.2.2")
    bruno.reply(await bruno.expect("OPTIONS"), 200)
    await alice.expect(200)
    assert_golden("loss", world.ladder, folder=OWN_LADDERS)


@scenario()
async def test_labels_tell_the_messages_without_a_drawing(world: World) -> None:
    alice, bruno = world.phone("alice", "192.0.2.1"), world.phone("bruno", "192.0.2.2")
    alice.send("OPTIONS", BRUNO)
    bruno.reply(await bruno.expect("OPTIONS"), 200)
    await alice.expect(200)
    assert world.ladder.labels() == ["alice > bruno: OPTIONS", "bruno > alice: 200 OPTIONS"]


@scenario()
async def test_a_ladder_that_changed_shows_the_lines_that_differ(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BEFFROI_WRITE_LADDERS", raising=False)
    alice, bruno = world.phone("Alice", "192.0.2.1"), world.phone("Bruno", "192.0.2.2")
    alice.send("OPTIONS", "sip:Bruno@192.0.2.2")
    bruno.reply(await bruno.expect("OPTIONS"), 200)
    await alice.expect(200)
    with pytest.raises(AssertionError) as caught:
        assert_golden("small-call", world.ladder, folder=OWN_LADDERS)
    lines = str(caught.value).splitlines()
    assert any(line.startswith("-") and "INVITE (sdp)" in line for line in lines)
    assert any(line.startswith("+") and "OPTIONS" in line for line in lines)


def test_a_missing_ladder_is_shown_and_not_accepted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BEFFROI_WRITE_LADDERS", raising=False)

    async def body(world: World) -> None:
        await small_call(world)
        with pytest.raises(AssertionError, match=r"there is no golden ladder new\.txt"):
            assert_golden("new", world.ladder, folder=tmp_path)

    run(body)
    assert list(tmp_path.iterdir()) == []


def test_a_ladder_is_written_when_the_environment_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BEFFROI_WRITE_LADDERS", "1")

    async def body(world: World) -> None:
        await small_call(world)
        assert_golden("new", world.ladder, folder=tmp_path)

    run(body)
    assert (tmp_path / "new.txt").read_text().startswith("Alice")
