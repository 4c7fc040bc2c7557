"""One of the two processes dies: what the other one, and the next one, make of it. Time is a value."""

import os
import random
import socket
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from media import frames, rtp
from media.engines import relay, wire
from media.engines.inheritance import RECORD_BYTES, Inheritance, KeyState, NoRecord, Pair, StreamRecord
from media.engines.relay import PlaneName, Relay
from media.engines.stream import Address
from tests.media.line import LEG, Line
from tests.media.process import port_range

PORT = port_range()[0]
PEER = PORT + 2
ELSEWHERE: Address = ("127.0.0.1", 9444)
ROUTE = wire.Route(
    PORT, 0, "127.0.0.1", 9000, 9001, False, False, True, {8: 8, 101: 101}, (101,), "PCMA", 8, 8000, 101
)


class Lineage:
    """Media processes one after the other, on the sockets and records that a supervisor keeps."""

    def __init__(self, prompts: Path, plane: PlaneName, address: str = "127.0.0.1") -> None:
        self.inheritance = Inheritance()
        self._address = address
        self._plane = plane
        self._prompts = prompts
        self._ours: list[socket.socket] = []
        self.media = self._born()

    def _born(self) -> Relay:
        ours, theirs = socket.socketpair()
        self._ours.append(ours)
        return Relay(
            theirs,
            [self._address, "::1"],
            port_range(),
            prompts=self._prompts,
            inheritance=self.inheritance,
            plane=self._plane,
        )

    def die(self) -> Relay:
        """Kill the process and return the next one."""
        self.media._close()
        self.inheritance.receive()
        # The next process is forked: its descriptors are its own.
        kept = self.inheritance.pairs
        self.inheritance.pairs = {
            number: Pair(os.dup(pair.rtp), os.dup(pair.rtcp)) for number, pair in kept.items()
        }
        self.media = self._born()
        self.inheritance.pairs = kept
        return self.media

    def end(self) -> None:
        self.media._close()
        self.inheritance.renounce()
        for ours in self._ours:
            ours.close()


@pytest.fixture
def lineage(tmp_path: Path, plane: PlaneName) -> Iterator[Lineage]:
    made = Lineage(tmp_path, plane)
    yield made
    made.end()


def joined(
    media: Relay, lines: tuple[Line, Line], now: float, *, nat: bool = False, again: bool = False
) -> None:
    """Join the two streams, the first one behind NAT when `nat`, as signalling says it at first or again."""
    first = msgspec.structs.replace(ROUTE, peer=PEER, nat=nat, latch=nat, again=again)
    media._do(first, now)
    media._do(msgspec.structs.replace(ROUTE, port=PEER, peer=PORT, again=again), now)
    for line, port in zip(lines, (PORT, PEER), strict=True):
        line.at(media, port)


def steps(packets: list[rtp.Packet], field: Callable[[rtp.Packet], int], bits: int) -> list[int]:
    return [(field(late) - field(early)) % 2**bits for early, late in pairwise(packets)]


def test_listener_sees_no_death_when_the_same_phone_goes_on_speaking(lineage: Lineage):
    # RFC 3550 section 5.1: one SSRC, numbers that say what was lost, timestamps that say when.
    alice, bob = Line(), Line(ssrc=9)
    joined(lineage.media, (alice, bob), 10.0)
    alice.say(10.1, 50)
    lineage.media._each_second(11.1)
    alice.say(11.1, 40)  # after the last record
    alice.sequence, alice.timestamp = alice.sequence + 10, alice.timestamp + 1600  # said to nobody
    joined(lineage.die(), (alice, bob), 12.1, again=True)
    alice.say(12.1, 50)
    assert len({packet.ssrc for packet in bob.sent}) == 1
    assert steps(bob.sent, lambda packet: packet.sequence, 16) == [1] * 89 + [11] + [1] * 49
    assert steps(bob.sent, lambda packet: packet.timestamp, 32) == [160] * 89 + [11 * 160] + [160] * 49


@pytest.mark.parametrize("spoken", [0, 3, 49])
def test_numbers_and_time_grow_when_the_process_dies_in_a_calls_first_second(lineage: Lineage, spoken: int):
    alice, bob = Line(), Line(ssrc=9)
    joined(lineage.media, (alice, bob), 10.0)
    alice.say(10.01, spoken)
    ssrc = bob.our_ssrc()
    joined(lineage.die(), (alice, bob), 11.1, again=True)
    alice.say(11.1, 5)
    assert {packet.ssrc for packet in bob.sent} == {ssrc}
    assert all(0 < step < 500 for step in steps(bob.sent, lambda packet: packet.sequence, 16))
    assert all(0 < step < 16000 for step in steps(bob.sent, lambda packet: packet.timestamp, 32))


def test_numbers_and_time_grow_when_another_speaks_after_the_death(lineage: Lineage):
    for seed in range(200):
        chance = random.Random(seed)
        alice, bob = Line(chance.randrange(65536), chance.randrange(2**32), chance.randrange(2**32)), Line()
        joined(lineage.media, (alice, bob), 10.0)
        lineage.media._each_second(10.0)
        alice.say(10.0, chance.randrange(1, 60))
        lineage.media._each_second(11.2)
        alice.say(11.2, chance.randrange(0, 50))
        joined(lineage.die(), (alice, bob), 12.4, again=True)
        if chance.random() < 0.5:
            alice.ssrc ^= 5
            alice.sequence, alice.timestamp = chance.randrange(65536), chance.randrange(2**32)
        alice.say(12.4, 3)
        lineage.media._do(wire.Digits(PEER, "1"), 13.0)
        for tick in range(3):
            lineage.media._play(13.0 + tick * 0.02)
        assert len({packet.ssrc for packet in bob.sent}) == 1
        assert all(0 < step < 1000 for step in steps(bob.sent, lambda packet: packet.sequence, 16))
        voice = [packet for packet in bob.sent if packet.payload_type == 8]
        assert all(0 < step < 40000 for step in steps(voice, lambda packet: packet.timestamp, 32))
        lineage.media._do(wire.Close((PORT, PEER)), 14.0)


def test_latched_leg_stays_where_it_was_heard(lineage: Lineage):
    alice, bob = Line(), Line(ssrc=9)
    joined(lineage.media, (alice, bob), 10.0, nat=True)
    alice.say(10.1, source=ELSEWHERE)
    lineage.media._each_second(11.0)
    joined(lineage.die(), (alice, bob), 12.0, nat=True, again=True)
    alice.say(12.1, source=LEG)  # a thief, at the address that the phone only thinks it has
    assert alice.counts().third_party_packets == 1
    bob.say(12.2)
    assert alice.destinations == [ELSEWHERE]


def test_leg_behind_nat_that_was_not_heard_yet_may_still_show_where_it_is(lineage: Lineage):
    alice, bob = Line(), Line(ssrc=9)
    joined(lineage.media, (alice, bob), 10.0, nat=True)
    joined(lineage.die(), (alice, bob), 12.0, nat=True, again=True)
    alice.say(12.1, source=ELSEWHERE)
    assert (alice.counts().remote_host, alice.counts().remote_port) == ELSEWHERE


def test_counters_go_on(lineage: Lineage):
    alice, bob = Line(), Line(ssrc=9)
    joined(lineage.media, (alice, bob), 10.0)
    alice.say(10.1, 5)
    alice.sequence += 2
    alice.say(10.5, 5)
    lineage.media._each_second(11.0)
    joined(lineage.die(), (alice, bob), 12.0, again=True)
    alice.say(12.0, 5)
    assert (alice.counts().packets, alice.counts().lost) == (15, 2)
    assert bob.counts().packets_sent == 15


def test_port_is_bound_all_the_time_and_what_comes_meanwhile_waits(lineage: Lineage):
    joined(lineage.media, (Line(), Line()), 10.0)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
        phone.connect(("127.0.0.1", PORT))
        media = lineage.die()
        phone.send(b"hello")
        phone.send(b"still there?")  # ECONNREFUSED if the first one had met a closed port
    media._do(msgspec.structs.replace(ROUTE, again=True), 11.0)
    with socket.socket(fileno=os.dup(lineage.inheritance.pairs[PORT].rtp)) as port:
        assert [port.recv(100) for _ in range(2)] == [b"hello", b"still there?"]


def test_new_call_on_a_port_knows_nothing_of_the_one_before(lineage: Lineage):
    alice, bob = Line(), Line(ssrc=9)
    joined(lineage.media, (alice, bob), 10.0)
    alice.say(10.1, 5)
    lineage.media._each_second(11.0)
    ssrc = bob.our_ssrc()
    media = lineage.die()
    media._do(wire.Grow(2), 12.0)  # signalling has ended the call meanwhile
    assert [report.ports for report in media._reports if isinstance(report, wire.Ports)] == [(PORT, PEER)]
    joined(media, (alice, bob), 12.0)
    assert bob.our_ssrc() != ssrc
    assert alice.counts().packets == 0


def test_ports_left_are_announced_before_new_ones_are_bound(lineage: Lineage):
    lineage.media._do(wire.Grow(3), 10.0)
    media = lineage.die()
    media._do(msgspec.structs.replace(ROUTE, again=True), 11.0)
    media._do(wire.Grow(3), 11.0)
    (ports,) = (report.ports for report in media._reports if isinstance(report, wire.Ports))
    assert ports == (PORT + 2, PORT + 4)
    assert len(lineage.inheritance.pairs) == 3


def test_port_that_another_program_took_is_told_and_nothing_else_is_hurt(lineage: Lineage):
    media = lineage.media
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", PORT))
        frame = frames.frame(
            [
                msgspec.structs.replace(ROUTE, peer=PEER, again=True),
                msgspec.structs.replace(ROUTE, port=PEER, peer=PORT, again=True),
            ]
        )
        lineage._ours[-1].sendall(frame)
        assert media._commanded(10.0)
    assert [report.port for report in media._reports if isinstance(report, wire.Lost)] == [PORT]
    assert media._busy[PEER].peer is None


def test_torn_record_is_no_record():
    inheritance = Inheritance()
    record = StreamRecord(
        "192.0.2.1", 9, rtp.Outgoing(1, 2, 3).state(4.0), rtp.IncomingState(packets=1, octets=2, lost=3)
    )
    inheritance.write(20000, record)
    assert inheritance.read(20000) == record
    place = (20000 >> 1) * RECORD_BYTES
    whole = inheritance.memory[place]
    assert whole > 0
    for torn in range(whole):
        inheritance.memory[place] = torn
        with pytest.raises(NoRecord):
            inheritance.read(20000)
    inheritance.write(20000, record)
    inheritance.forget(20000)
    with pytest.raises(NoRecord):
        inheritance.read(20000)
    inheritance.renounce()


def test_longest_record_fits():
    inheritance = Inheritance()
    state = rtp.OutgoingState(
        2**32 - 1, 65535, 2**32 - 1, 2**32 - 1, -65536, -(2**32), 1e9, 1e9, 2**63, 2**63
    )
    host = "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255"
    keys = KeyState(2**64 - 1, 2**64 - 1, 2**48, 2**31, 2**32 - 1, 2**48)
    record = StreamRecord(host, 65535, state, rtp.IncomingState(2**63, 2**63, 2**63), keys)
    for number in (65534, wire.IPV6 + 65534):
        inheritance.write(number, record)
        assert inheritance.read(number) == record
    inheritance.renounce()


def test_streams_go_on_without_signalling(lineage: Lineage):
    alice, bob = Line(), Line(ssrc=9)
    media = lineage.media
    joined(media, (alice, bob), 10.0)
    lineage._ours[-1].close()
    assert not media._commanded(10.1)
    media._hang_up()
    alice.say(10.2, 5)
    media._each_second(11.0)
    media._report()
    alice.say(300.0, 5)
    assert len(bob.sent) == 10


@pytest.fixture
def orphaned(lineage: Lineage) -> Relay:
    """Two streams, and a signalling process that has just come."""
    media = lineage.media
    joined(media, (Line(), Line()), 10.0)
    ours, theirs = socket.socketpair()
    lineage._ours.append(ours)
    media._serve(theirs, 100.0)
    media._next_second_at = 100.0
    return media


def test_streams_that_nobody_claims_end_after_30_s(orphaned: Relay):
    orphaned._each_second(129.9)
    assert set(orphaned._busy) == {PORT, PEER}
    orphaned._each_second(130.0)
    assert orphaned._busy == {}
    orphaned._each_second(130.0 + relay.REST_SECONDS)
    assert [report.ports for report in orphaned._reports if isinstance(report, wire.Ports)] == [(PORT, PEER)]


def test_streams_that_are_claimed_go_on(orphaned: Relay):
    line = Line().at(orphaned, PORT)
    ssrc = line.our_ssrc()
    orphaned._do(msgspec.structs.replace(ROUTE, again=True), 110.0)
    orphaned._each_second(200.0)
    assert orphaned._busy.keys() == {PORT}
    assert line.our_ssrc() == ssrc


def test_ports_of_streams_that_go_on_are_not_announced(orphaned: Relay):
    orphaned._do(wire.Grow(1), 100.0)
    (ports,) = (report.ports for report in orphaned._reports if isinstance(report, wire.Ports))
    assert ports == (PORT + 4,)


def test_call_restored_after_its_ports_were_announced_is_where_it_was(lineage: Lineage):
    alice, bob = Line(), Line(ssrc=9)
    joined(lineage.media, (alice, bob), 10.0)
    alice.say(10.1, 5)
    media = lineage.die()  # and signalling with it: the next one asks for ports first
    media._do(wire.Grow(2), 12.0)
    joined(media, (alice, bob), 12.0, again=True)
    alice.say(12.0, 5)
    assert len({packet.ssrc for packet in bob.sent}) == 1


def test_ports_announced_to_the_dead_are_announced_again(lineage: Lineage):
    media = lineage.media
    media._do(wire.Grow(3), 10.0)
    media._reports.clear()
    ours, theirs = socket.socketpair()
    lineage._ours.append(ours)
    media._serve(theirs, 11.0)
    media._do(wire.Grow(3), 11.0)
    assert [report.ports for report in media._reports if isinstance(report, wire.Ports)] == [
        (PORT, PORT + 2, PORT + 4)
    ]
