"""The engine over rtpengine: which daemon has a call, what it is told, and what happens when it dies."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import msgspec
import pytest

from media import tones
from media.engine import (
    DigitReceived,
    EngineLost,
    MediaEvent,
    MediaHeard,
    MediaMisuse,
    MediaRefused,
    MediaSilent,
    MediaUnavailable,
    PlayFinished,
    StreamLost,
    Wav,
)
from media.engines import rtpengine
from media.engines.daemon_counts import Counts, counts_of
from media.engines.rtpengine import RtpengineEngine
from media.sdes import Policy
from media.snapshot import CallMediaSnapshot
from tests.media.fake_rtpengine import FakeDaemon, FakeNetwork, audio_of
from tests.media.phone import target
from tests.sim.loop import VirtualLoop


class _Town:
    """An engine over fake daemons. told: its events, in order."""

    def __init__(self, *daemons: FakeDaemon) -> None:
        self.daemons = daemons
        self.network = FakeNetwork(*daemons)
        self.told: list[MediaEvent] = []
        self.engine = self.another_engine()

    def another_engine(self) -> RtpengineEngine:
        """Return the engine of another signalling process."""
        return RtpengineEngine(
            self.network.addresses,
            Path("/nowhere"),
            self.told.append,
            digits=None,
            connect=self.network.connect,
        )

    async def call(self, name: str = "c") -> None:
        """Join two legs."""
        await self.engine.offer(name, "a", "b", sdp(4000))
        await self.engine.answer(name, "b", "a", sdp(5000))


def sdp(port: int, direction: str = "sendrecv", formats: str = "8 101") -> bytes:
    return (
        f"v=0\r\no=phone 1 1 IN IP4 198.51.100.1\r\ns=-\r\nc=IN IP4 198.51.100.1\r\nt=0 0\r\n"
        f"m=audio {port} RTP/AVP {formats}\r\na=rtpmap:101 telephone-event/8000\r\na={direction}\r\n"
    ).encode()


class _Loop(VirtualLoop):
    """A world whose threads are done at once."""

    def run_in_executor(self, executor: Any, function: Any, *args: Any) -> Any:  # type: ignore[override]
        done = self.create_future()
        try:
            done.set_result(function(*args))
        except (ValueError, OSError) as error:
            done.set_exception(error)
        return done


def in_virtual_time(town: _Town, scenario: Callable[[_Town], Coroutine[Any, Any, None]]) -> None:
    """Run a scenario beside the engine's own work."""

    async def run() -> None:
        await town.engine.start()
        async with asyncio.TaskGroup() as group:
            serving = group.create_task(town.engine.serve())
            await scenario(town)
            serving.cancel()
        town.engine.close()

    loop = _Loop()
    try:
        loop.run_until_complete(run())
        loop.check_lost()
    finally:
        loop.finish()


# --- who is told what -------------------------------------------------------------------------------


def test_daemon_is_told_of_both_legs_what_they_agreed():
    async def scenario(town: _Town):
        await town.call()
        (daemon,) = town.daemons
        assert [audio_of(said) for said in daemon.said("offer")[-1:]] == [("198.51.100.1", 4000)]
        assert [audio_of(said) for said in daemon.said("answer")[-1:]] == [("198.51.100.1", 5000)]
        assert set(daemon.calls["c"]) == {"a", "b"}

    in_virtual_time(_Town(FakeDaemon()), scenario)


def test_offer_that_is_refused_is_nothing_to_the_daemon():
    async def scenario(town: _Town):
        await town.call()
        (daemon,) = town.daemons
        before = len(daemon.asked)
        await town.engine.offer("c", "a", "b", sdp(4002))
        with pytest.raises(MediaRefused):
            await town.engine.offer("c", "a", "b", b"garbage")
        assert len(daemon.asked) == before

    in_virtual_time(_Town(FakeDaemon()), scenario)


def test_address_of_a_leg_counts_alone_unless_it_is_behind_nat():
    async def scenario(town: _Town):
        await town.engine.offer("c", "a", "b", sdp(4000), nat=True)
        await town.engine.answer("c", "b", "a", sdp(5000))
        (daemon,) = town.daemons
        offered, answered = daemon.said("offer")[-1], daemon.said("answer")[-1]
        assert b"endpoint-learning-immediate" in offered["flags"]
        assert b"endpoint-learning-off" in answered["flags"]
        for said in (offered, answered):
            assert b"strict-source" in said["flags"]

    in_virtual_time(_Town(FakeDaemon()), scenario)


def test_codec_that_the_other_has_not_is_converted_by_the_daemon():
    async def scenario(town: _Town):
        await town.engine.offer("c", "a", "b", sdp(4000, formats="9"))
        await town.engine.answer("c", "b", "a", sdp(5000, formats="8"))
        assert town.daemons[0].said("offer")[-1]["codec"] == {"transcode": [b"PCMA"]}
        assert "codec" not in town.daemons[0].said("offer")[0]

    in_virtual_time(_Town(FakeDaemon()), scenario)


def crypto(said: dict[str, Any]) -> list[str]:
    """The keys in a request, as "TAG SUITE KEY"."""
    lines = said["sdp"].decode().splitlines()
    return [line.removeprefix("a=crypto:") for line in lines if line.startswith("a=crypto:")]


def test_daemon_is_given_our_key_for_a_leg_before_the_leg_is_joined():
    # RFC 4568 section 6.1
    async def scenario(town: _Town):
        town.engine.secure("c", "a", "required")
        theirs = "AES_CM_128_HMAC_SHA1_80 inline:" + "t" * 40
        body = sdp(4000).replace(b"RTP/AVP", b"RTP/SAVP") + f"a=crypto:7 {theirs}\r\n".encode()
        await town.engine.offer("c", "a", "b", body)
        answered = await town.engine.answer("c", "b", "a", sdp(5000))
        (ours,) = crypto({"sdp": answered})
        (daemon,) = town.daemons
        planting, joining = daemon.said("offer")[-2:]
        assert (planting["from-tag"], planting["to-tag"]) == (b"~a", b"a")
        assert crypto(planting) == [ours.replace("7 ", "1 ", 1)]
        assert (joining["from-tag"], joining["to-tag"]) == (b"a", b"b")
        assert (crypto(joining), joining["transport-protocol"]) == (["1 " + theirs], b"RTP/AVP")
        before = len(daemon.asked)
        await town.engine.offer("c", "a", "b", body)
        await town.engine.answer("c", "b", "a", sdp(5000))
        assert [name for name, _ in daemon.asked[before:]] == ["offer", "answer"]

    in_virtual_time(_Town(FakeDaemon()), scenario)


@pytest.mark.parametrize("policy", ["required", "preferred"])
def test_leg_that_gets_another_port_gets_other_keys(policy: Policy):
    # RFC 3711 section 9.1
    async def scenario(town: _Town):
        town.engine.secure("c", "b", policy)
        first = crypto({"sdp": await town.engine.offer("c", "a", "b", sdp(4000))})
        profile = b"RTP/SAVP" if policy == "required" else b"RTP/AVP"
        said = sdp(5000).replace(b"RTP/AVP", profile)
        await town.engine.answer("c", "b", "a", said + f"a=crypto:{first[0]}\r\n".encode())
        await town.engine.renew("c", "b")
        again = crypto({"sdp": await town.engine.offer("c", "a", "b", sdp(4000))})
        assert len(again) == 4
        assert not set(first) & set(again)

    in_virtual_time(_Town(FakeDaemon()), scenario)


VIDEO = b"m=video 6000 RTP/AVP 97\r\na=rtpmap:97 H264/90000\r\n"


def test_video_is_a_party_of_its_own_with_a_port_of_its_own():
    # RFC 3264 section 5
    async def scenario(town: _Town):
        told = await town.engine.offer("c", "a", "b", sdp(4000) + VIDEO)
        await town.engine.answer("c", "b", "a", sdp(5000) + VIDEO)
        (daemon,) = town.daemons
        assert set(daemon.calls["c"]) == {"a", "b", "a+1", "b+1"}
        assert f"m=video {daemon.calls['c']['b+1']} ".encode() in told
        assert town.engine.inventory()["media_ports"] == 4
        kept = msgspec.msgpack.encode(town.engine.snapshot("c"))
        another = town.another_engine()
        await another.start()
        another.restore(msgspec.msgpack.decode(kept, type=CallMediaSnapshot))
        assert another.inventory()["media_ports"] == 4
        another.close()

    in_virtual_time(_Town(FakeDaemon()), scenario)


def test_line_that_the_daemon_does_not_take_is_refused_alone():
    # RFC 3264 section 6
    async def scenario(town: _Town):
        (daemon,) = town.daemons
        daemon.strange = b"m=video"
        told = await town.engine.offer("c", "a", "b", sdp(4000) + VIDEO)
        assert b"m=video 0 " in told
        answered = await town.engine.answer("c", "b", "a", sdp(5000) + VIDEO.replace(b"6000", b"0"))
        assert b"m=video 0 " in answered
        assert town.engine.codec("c", "a") == "PCMA"

    in_virtual_time(_Town(FakeDaemon()), scenario)


def test_leg_that_holds_hears_nothing_and_its_peer_goes_on():
    async def scenario(town: _Town):
        # RFC 3264 section 8.4
        await town.call()
        await town.engine.offer("c", "a", "b", sdp(4000, "sendonly"))
        await town.engine.answer("c", "b", "a", sdp(5000))
        assert [said["from-tag"] for said in town.daemons[0].said("block media")] == [b"b"]
        await town.engine.offer("c", "a", "b", sdp(4000))
        await town.engine.answer("c", "b", "a", sdp(5000))
        assert [said["from-tag"] for said in town.daemons[0].said("unblock media")] == [b"b"]

    in_virtual_time(_Town(FakeDaemon()), scenario)


def test_peer_that_is_left_for_another_is_alone():
    async def scenario(town: _Town):
        await town.call()
        await town.engine.offer("c", "a", "d", sdp(4000))
        await town.engine.answer("c", "d", "a", sdp(6000))
        left = town.daemons[0].said("offer")[-1]
        assert (left["from-tag"], left["to-tag"]) == (b"b", b"~b")

    in_virtual_time(_Town(FakeDaemon()), scenario)


def test_echo_has_the_daemons_own_port_as_its_address():
    async def scenario(town: _Town):
        await town.engine.publish("c", "a", sdp(4000))
        await town.engine.echo("c", "a")
        (daemon,) = town.daemons
        assert audio_of(daemon.said("answer")[-1]) == (daemon.host, daemon.calls["c"]["~a"])
        await town.engine.stop("c", "a")
        assert audio_of(daemon.said("answer")[-1]) == ("0.0.0.0", 9)

    in_virtual_time(_Town(FakeDaemon()), scenario)


def test_rooms_are_refused_with_488():
    async def scenario(town: _Town):
        await town.call()
        for verb in (town.engine.join("c", "a", "room"), town.engine.whisper("c", "a", None)):
            with pytest.raises(MediaRefused) as refusal:
                await verb
            assert refusal.value.status == 488
        assert await town.engine.move("c", "a", "d", "a") is False

    in_virtual_time(_Town(FakeDaemon()), scenario)


# --- the pool ---------------------------------------------------------------------------------------


def test_new_call_goes_to_the_daemon_with_the_fewest_and_stays_there():
    async def scenario(town: _Town):
        for name in ("c", "d", "e"):
            await town.call(name)
        one, other = town.daemons
        assert sorted([*one.calls, *other.calls]) == ["c", "d", "e"]
        assert abs(len(one.calls) - len(other.calls)) == 1
        held = one if "c" in one.calls else other
        await town.engine.offer("c", "b", "a", sdp(5002))
        await town.engine.answer("c", "a", "b", sdp(4000))
        assert "c" in held.calls and "c" not in (other if held is one else one).calls

    in_virtual_time(_Town(FakeDaemon(), FakeDaemon("192.0.2.9")), scenario)


def test_daemon_that_is_draining_keeps_its_calls_and_gets_no_new_ones():
    async def scenario(town: _Town):
        await town.call()
        one, other = town.daemons
        held, free = (one, other) if one.calls else (other, one)
        (name,) = (status.name for status in town.engine.status() if status.calls)
        town.engine.drain(name)
        for number in range(4):
            await town.call(f"d{number}")
        assert len(held.calls) == 1 and len(free.calls) == 4
        await town.engine.offer("c", "a", "b", sdp(4002))
        town.engine.drain(name, draining=False)
        await town.call("e")
        assert len(held.calls) == 2

    in_virtual_time(_Town(FakeDaemon(), FakeDaemon("192.0.2.9")), scenario)


def test_emergency_call_goes_to_a_daemon_that_is_draining_when_there_is_no_other():
    async def scenario(town: _Town):
        town.engine.drain("10.0.0.1:2223")
        with pytest.raises(MediaUnavailable, match="every rtpengine is draining"):
            await town.call("c")
        town.engine.reserve("d")
        await town.call("d")
        assert "d" in town.daemons[0].calls

    in_virtual_time(_Town(FakeDaemon()), scenario)


def test_unknown_daemon_can_not_be_drained():
    async def scenario(town: _Town):
        with pytest.raises(KeyError):
            town.engine.drain("10.9.9.9:2223")

    in_virtual_time(_Town(FakeDaemon()), scenario)


def test_daemon_that_dies_loses_its_own_calls_only_and_new_ones_go_elsewhere():
    async def scenario(town: _Town):
        await town.call("c")
        await town.call("d")
        dead, alive = town.daemons if "c" in town.daemons[0].calls else reversed(town.daemons)
        dead.gone = True
        await asyncio.sleep(10)
        lost = [event for event in town.told if isinstance(event, StreamLost)]
        assert {(event.call, event.leg) for event in lost} == {("c", "a"), ("c", "b")}
        assert not any(isinstance(event, EngineLost) for event in town.told)
        await town.call("e")
        assert set(alive.calls) == {"d", "e"}
        assert [status.up for status in town.engine.status()].count(True) == 1

    in_virtual_time(_Town(FakeDaemon(), FakeDaemon("192.0.2.9")), scenario)


def test_call_of_a_dead_daemon_goes_on_at_another_once_its_legs_are_renewed():
    async def scenario(town: _Town):
        await town.call()
        dead, alive = town.daemons if town.daemons[0].calls else reversed(town.daemons)
        dead.gone = True
        await asyncio.sleep(10)
        for leg in ("a", "b"):
            await town.engine.renew("c", leg)
        offered = await town.engine.offer("c", "a", "b", sdp(4000))
        answered = await town.engine.answer("c", "b", "a", sdp(5000))
        assert target(offered) == (alive.host, alive.calls["c"]["b"])
        assert target(answered) == (alive.host, alive.calls["c"]["a"])

    in_virtual_time(_Town(FakeDaemon(), FakeDaemon("192.0.2.9")), scenario)


def test_last_daemon_that_dies_is_an_engine_lost_and_calls_are_refused_until_it_is_back():
    async def scenario(town: _Town):
        (daemon,) = town.daemons
        daemon.mute = True
        with pytest.raises(MediaUnavailable, match="no answer to offer"):
            await town.call("c")
        assert isinstance(town.told[-1], EngineLost)
        with pytest.raises(MediaUnavailable, match="no rtpengine answers"):
            await town.call("d")
        daemon.mute = False
        await asyncio.sleep(10)
        await town.call("e")

    in_virtual_time(_Town(FakeDaemon()), scenario)


def test_engine_does_not_start_without_a_daemon():
    async def scenario(town: _Town):
        raise AssertionError("it started")

    daemon = FakeDaemon()
    daemon.gone = True
    with pytest.raises(MediaUnavailable, match=r"10\.0\.0\.1:2223: Connection refused"):
        in_virtual_time(_Town(daemon), scenario)


def test_daemon_that_was_started_again_has_lost_its_calls():
    async def scenario(town: _Town):
        await town.call()
        town.daemons[0].restart()
        await asyncio.sleep(10)
        assert [event.leg for event in town.told if isinstance(event, StreamLost)] == ["a", "b"]

    in_virtual_time(_Town(FakeDaemon()), scenario)


def test_answer_at_a_daemon_that_was_started_again_names_its_new_port():
    async def scenario(town: _Town):
        (daemon,) = town.daemons
        await town.engine.offer("c", "a", "b", sdp(4000))
        daemon.restart()
        answered = await town.engine.answer("c", "b", "a", sdp(5000))
        assert target(answered) == (daemon.host, daemon.calls["c"]["a"])
        assert [event.leg for event in town.told if isinstance(event, StreamLost)] == ["b"]

    in_virtual_time(_Town(FakeDaemon()), scenario)


def test_ports_that_run_out_are_refused_with_480():
    async def scenario(town: _Town):
        await town.call()
        with pytest.raises(MediaRefused) as refusal:
            await town.call("d")
        assert refusal.value.status == 480
        await town.engine.delete("c")

    in_virtual_time(_Town(FakeDaemon(ports=4)), scenario)


def test_lost_datagrams_delay_a_call_and_nothing_else():
    async def scenario(town: _Town):
        town.daemons[0].lose = 3
        await town.call()
        assert set(town.daemons[0].calls["c"]) == {"a", "b"}

    in_virtual_time(_Town(FakeDaemon()), scenario)


def test_call_that_ended_is_deleted_at_once():
    async def scenario(town: _Town):
        await town.call()
        await town.engine.delete("c")
        await town.engine.delete("c")
        await asyncio.sleep(0.1)
        assert town.daemons[0].calls == {}
        assert town.daemons[0].said("delete")[-1]["delete delay"] == 0
        assert sum(town.engine.inventory().values()) == 0
        assert [status.calls for status in town.engine.status()] == [0]

    in_virtual_time(_Town(FakeDaemon()), scenario)


# --- another signalling process ---------------------------------------------------------------------


def test_snapshot_names_the_daemon_and_another_process_goes_on_there():
    async def scenario(town: _Town):
        await town.call("x")
        await town.call("c")
        kept = msgspec.msgpack.encode(town.engine.snapshot("c"))
        another = town.another_engine()
        await another.start()
        another.restore(msgspec.msgpack.decode(kept, type=CallMediaSnapshot))
        daemon = next(daemon for daemon in town.daemons if "c" in daemon.calls)
        offered = await another.offer("c", "a", "b", sdp(4002))
        await another.answer("c", "b", "a", sdp(5000))
        assert target(offered) == (daemon.host, daemon.calls["c"]["b"])
        assert audio_of(daemon.said("offer")[-1]) == ("198.51.100.1", 4002)
        another.close()

    in_virtual_time(_Town(FakeDaemon(), FakeDaemon("192.0.2.9")), scenario)


def test_call_of_a_daemon_that_left_the_pool_has_lost_its_streams():
    async def scenario(town: _Town):
        await town.call()
        snapshot = msgspec.structs.replace(town.engine.snapshot("c"), engine="10.9.9.9:2223")
        another = town.another_engine()
        await another.start()
        another.restore(snapshot)
        await asyncio.sleep(0)
        assert [event for event in town.told if isinstance(event, StreamLost)] == [
            StreamLost("c", leg, "10.9.9.9:2223 is not in the pool") for leg in ("a", "b")
        ]
        another.close()

    in_virtual_time(_Town(FakeDaemon()), scenario)


def test_restoring_what_is_there_already_is_our_own_mistake():
    async def scenario(town: _Town):
        await town.call()
        with pytest.raises(MediaMisuse):
            town.engine.restore(town.engine.snapshot("c"))

    in_virtual_time(_Town(FakeDaemon()), scenario)


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"tags": b"none"},
        {"tags": {"a": 1}},
        {"tags": {"a": {"medias": []}}},
        {"tags": {"a": {"medias": [{"streams": [b"x"]}]}}},
        {"tags": {"a": {"medias": [{"streams": [{"stats": {"packets": b"many"}, "endpoint": 5}]}]}}},
    ],
)
def test_counts_that_are_none_are_zero(answer):
    assert counts_of(answer, "a") == Counts(0, 0, 0, ("", 0), 0, 0.0)


# --- sound and silence --------------------------------------------------------------------------------


def test_leg_that_falls_silent_is_told_once_and_so_is_its_return():
    async def scenario(town: _Town):
        await town.call()
        for _ in range(4):
            town.daemons[0].packets["a"] += 50
            town.daemons[0].packets["b"] += 50
            await asyncio.sleep(5)
        assert town.told == []
        for _ in range(6):
            town.daemons[0].packets["a"] += 50
            await asyncio.sleep(5)
        (silent,) = town.told
        assert isinstance(silent, MediaSilent) and silent.leg == "b" and 10 <= silent.seconds < 17
        town.daemons[0].packets["b"] += 50
        await asyncio.sleep(7)
        assert MediaHeard("c", "b") in town.told

    in_virtual_time(_Town(FakeDaemon()), scenario)


def test_leg_on_hold_is_not_silent():
    async def scenario(town: _Town):
        await town.call()
        await town.engine.offer("c", "a", "b", sdp(4000, "inactive"))
        await town.engine.answer("c", "b", "a", sdp(5000))
        await asyncio.sleep(60)
        assert town.told == []

    in_virtual_time(_Town(FakeDaemon()), scenario)


def test_calls_are_looked_at_one_after_the_other_and_no_more_often_than_allowed():
    async def scenario(town: _Town):
        for number in range(100):
            await town.call(f"c{number}")
        before = len(town.daemons[0].said("query"))
        await asyncio.sleep(20)
        asked = len(town.daemons[0].said("query")) - before
        assert 100 <= asked <= 20 * rtpengine.POLLS_A_SECOND
        assert asked <= 100 * (20 / rtpengine.POLL_SECONDS + 1)

    in_virtual_time(_Town(FakeDaemon()), scenario)


def test_short_sound_is_one_piece_and_its_end_is_told():
    async def scenario(town: _Town):
        await town.engine.publish("c", "a", sdp(4000))
        await town.engine.play("c", "a", tones.sine(440, 2000))
        (said,) = town.daemons[0].said("play media") or await later(town, "play media")
        assert bytes(said["blob"])[8:12] == b"WAVE" and len(said["blob"]) > 16_000
        await asyncio.sleep(1.9)
        assert town.told == []
        await asyncio.sleep(0.2)
        assert town.told == [PlayFinished("c", "a")]

    in_virtual_time(_Town(FakeDaemon()), scenario)


async def later(town: _Town, command: str) -> list[Any]:
    """Let the loop turn, and return what was said with this kind of request."""
    for _ in range(5):
        await asyncio.sleep(0)
    return list(town.daemons[0].said(command))


def test_long_sound_is_played_in_pieces_that_follow_each_other():
    async def scenario(town: _Town):
        await town.engine.publish("c", "a", sdp(4000))
        await town.engine.play("c", "a", tones.sine(440, 20_000))
        await asyncio.sleep(20.5)
        pieces = town.daemons[0].said("play media")
        assert len(pieces) >= 3
        assert all(len(piece["blob"]) < 60_000 for piece in pieces)
        assert sum(len(piece["blob"]) for piece in pieces) - 160_000 < 100 * len(pieces)
        assert town.told.count(PlayFinished("c", "a")) == 1

    in_virtual_time(_Town(FakeDaemon()), scenario)


def test_cadence_goes_on_at_the_daemon_until_it_is_stopped():
    async def scenario(town: _Town):
        await town.engine.publish("c", "a", sdp(4000))
        await town.engine.play("c", "a", tones.RINGBACK, repeat=True)
        await asyncio.sleep(60)
        (said,) = town.daemons[0].said("play media")
        assert said["repeat-times"] == rtpengine.ALWAYS
        await town.engine.stop("c", "a")
        assert [one["from-tag"] for one in town.daemons[0].said("stop media")] == [b"a"]
        assert PlayFinished("c", "a") not in town.told

    in_virtual_time(_Town(FakeDaemon()), scenario)


def test_what_is_played_is_heard_in_place_of_the_peer():
    async def scenario(town: _Town):
        await town.call()
        await town.engine.play("c", "a", tones.sine(440, 1000))
        assert [said["from-tag"] for said in town.daemons[0].said("block media")] == [b"b"]
        await asyncio.sleep(2)
        assert [said["from-tag"] for said in town.daemons[0].said("unblock media")] == [b"b"]

    in_virtual_time(_Town(FakeDaemon()), scenario)


def test_sound_that_cannot_be_had_ends_at_once():
    async def scenario(town: _Town):
        await town.engine.publish("c", "a", sdp(4000))
        await town.engine.play("c", "a", Wav("/nowhere/at-all.wav"))
        await later(town, "play media")
        assert town.told == [PlayFinished("c", "a")]
        assert town.daemons[0].said("play media") == []

    in_virtual_time(_Town(FakeDaemon()), scenario)


def test_joining_ends_what_was_played():
    async def scenario(town: _Town):
        await town.engine.publish("c", "a", sdp(4000))
        await town.engine.play("c", "a", tones.RINGBACK, repeat=True)
        await town.call()
        assert len(town.daemons[0].said("stop media")) == 1
        assert town.engine.inventory()["media_playing"] == 0

    in_virtual_time(_Town(FakeDaemon()), scenario)


def test_digits_to_a_leg_are_events_of_its_peer():
    async def scenario(town: _Town):
        await town.call()
        await town.engine.dtmf("c", "a", "1#")
        said = town.daemons[0].said("play DTMF")
        assert [(one["from-tag"], one["code"]) for one in said] == [(b"b", b"1"), (b"b", b"#")]
        assert b"inject-DTMF" in town.daemons[0].said("offer")[-1]["flags"]

    in_virtual_time(_Town(FakeDaemon()), scenario)


def test_call_without_digits_of_ours_is_not_made_ready_for_them():
    async def scenario(town: _Town):
        await town.call()
        assert all(b"inject-DTMF" not in said.get("flags", []) for said in town.daemons[0].said("offer"))

    in_virtual_time(_Town(FakeDaemon()), scenario)


def test_digits_that_the_daemon_cannot_send_as_events_are_played_as_tones():
    async def scenario(town: _Town):
        await town.call()
        town.daemons[0].refusals["play DTMF"] = "No SSRC context present for DTMF injection"
        await town.engine.dtmf("c", "a", "12")
        assert len(await later(town, "play media")) == 1

    in_virtual_time(_Town(FakeDaemon()), scenario)


def test_key_that_a_daemon_tells_of_is_told():
    async def scenario(town: _Town):
        await town.call()
        town.engine.digit_noticed(
            b'{"callid":"c","source_tag":"b","tags":["a","b"],"type":"DTMF","timestamp":1,'
            b'"source_ip":"198.51.100.1","event":11,"duration":100,"volume":10}'
        )
        assert town.told == [DigitReceived("c", "b", "#")]

    in_virtual_time(_Town(FakeDaemon()), scenario)


@pytest.mark.parametrize(
    "notice",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"{}",
        b'{"callid":"c","source_tag":"b","event":16}',
        b'{"callid":"c","source_tag":"b","event":-1}',
        b'{"callid":"c","source_tag":"b","event":"1"}',
        b'{"callid":"c","source_tag":"~b","event":1}',
        b'{"callid":"nobody","source_tag":"b","event":1}',
        b"[" * 3000,
    ],
)
def test_notice_that_is_none_is_dropped(notice: bytes):
    async def scenario(town: _Town):
        await town.call()
        town.engine.digit_noticed(notice)
        assert town.told == []

    in_virtual_time(_Town(FakeDaemon()), scenario)
