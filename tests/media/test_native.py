"""The C data plane beside the one of Python: the same packets, counts, keys and reports, whatever comes.

Needs gcc, libc6-dev and python3-dev when Beffroi is set up, which `scripts/setup test` installs.
"""

import hashlib
import random
import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest

from media import dtmf, rtp
from media.engines import native, wire
from media.engines.native import NativePlane, NativeStream
from media.engines.reel import Reel
from media.engines.relay import PlaneName, Relay
from media.engines.stream import Address, PythonPlane, PythonStream
from media.engines.tape import NO_TRACK, Tape, Taped
from tests.media.line import LEG, PLANES, Line
from tests.media.process import REPOSITORY, port_range

PORT = port_range()[0]
PEER = PORT + 2
ROUTE = wire.Route(
    PORT, PEER, "127.0.0.1", 9000, 9001, False, False, True,
    {8: 8, 96: 97, 101: 102}, (101,), "PCMA", 8, 8000, 101,
)  # fmt: skip
BACK = msgspec.structs.replace(ROUTE, port=PEER, peer=PORT, payload_types={8: 8, 97: 96, 102: 101})
SOURCES: list[Address] = [LEG, LEG, LEG, LEG, ("127.0.0.1", 9002), ("192.0.2.7", 9000)]


@pytest.mark.peer
def test_c_plane_is_compiled_where_the_test_command_set_up():
    assert native.is_built()


@pytest.mark.parametrize("left", [SimpleNamespace(PLANE_ABI=native.ABI + 1), SimpleNamespace()])
def test_a_module_of_another_version_is_passed_over_and_python_moves_packets(
    left: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    # The second one is older than the number itself.
    monkeypatch.setattr(native, "lib", left)
    assert (native.is_built(), native.is_of_another_version()) == (False, True)
    assert native.suites() == frozenset()
    ours, theirs = socket.socketpair()
    media = Relay(theirs, ["127.0.0.1"], port_range(), prompts=tmp_path, plane="native")
    assert isinstance(media._plane, PythonPlane)
    assert "compiled for another version" in caplog.text
    media._close()
    ours.close()


def test_a_change_of_the_header_has_a_new_number():
    # What Python has to know of: all but comments. On a failure add one to PLANE_ABI and `native.ABI`.
    header = (REPOSITORY / "media/native/plane.h").read_text()
    said = " ".join(re.sub(r"/\*.*?\*/", "", header, flags=re.DOTALL).split())
    digest = hashlib.blake2b(said.encode(), digest_size=8).hexdigest()
    assert (native.ABI, digest) == (6, "be568e7a23cd4fdc")


class Call:
    """Two legs on a relay of one plane, which has an address of its own. a, b: the legs, both recorded."""

    def __init__(self, prompts: Path, plane: PlaneName) -> None:
        self.ours, theirs = socket.socketpair()
        self._address = "127.0.0.1" if plane == "python" else "127.0.0.2"
        self.media = Relay(
            theirs, [self._address], port_range(), prompts=prompts, silence_seconds=2.0, plane=plane
        )
        self.a, self.b = (Line().at(self.media, port) for port in (PORT, PEER))
        self.reel = Reel()
        self.media._wind(self.reel)
        self.tape = Tape(self.reel)

    def begin(self, numbers: tuple[int, int, int]) -> None:
        """Say how both streams are numbered, which is left to chance otherwise."""
        for line in (self.a, self.b):
            if isinstance(line.stream, PythonStream):
                line.stream.outgoing = rtp.Outgoing(*numbers)
            else:
                assert isinstance(line.stream, NativeStream)
                line.stream.generation = native.lib.plane_claim(line.stream.made, False, *numbers)
        for said in ((PORT, 1, 0, 1), (PORT, 2, 5, NO_TRACK), (PEER, 1, 2, 3)):
            self.media._do(wire.Tape(*said), 0.0)

    def taped(self) -> list[Taped]:
        """Return what has come to the tape since it was read last."""
        if self.media._plane.tapes is not None:
            self.media._plane.tapes.flush(0.0)
        return sorted(self.tape.read(0))

    def outcome(self, now: float) -> tuple[object, ...]:
        """Return all that can be seen from outside, and forget what was sent."""
        seen = []
        for line in (self.a, self.b):
            seen += [line.sent[:], line.destinations[:], line.counts(now)]
            seen += [(report.replace(self._address.encode(), b""), to) for report, to in line.reports]
            for kept in (line.sent, line.destinations, line.reports):
                kept.clear()
        told = [report for report in self.media._reports if not isinstance(report, wire.Ports)]
        self.media._reports.clear()
        return (*seen, told)

    def end(self) -> None:
        self.media._close()
        self.ours.close()
        self.tape.close()
        self.reel.renounce()


@pytest.fixture
def calls(tmp_path: Path) -> Iterator[list[Call]]:
    made = [Call(tmp_path, plane) for plane in PLANES]
    yield made
    for call in made:
        call.end()


def a_datagram(chance: random.Random, sequence: int) -> bytes:
    """Return something between a good packet and noise."""
    payload_type = chance.choice((8, 8, 8, 96, 101, 101, 13, chance.randrange(128)))
    payload = chance.randbytes(chance.choice((0, 3, 4, 4, 160)))
    if payload_type == 101 and payload:
        payload = bytes((chance.randrange(20),)) + payload[1:]
    ssrc = chance.choice((7, 7, 7, 7, 7, 7, 7, 7, 0, 0xFFFFFFFF))
    jump = chance.choice((0, 0, 0, 0, 0, 1, -3, 300, 40000))
    packet = rtp.Packet(
        payload_type,
        (sequence + jump) & 0xFFFF,
        (160 * sequence + chance.choice((0, 0, 0, 160, 0x80000000))) & 0xFFFFFFFF,
        ssrc,
        payload,
        chance.random() < 0.1,
    )
    datagram = bytearray(rtp.build(packet))
    match chance.randrange(12):
        case 0:
            datagram[0] = chance.randrange(256)
        case 1:
            datagram[0] |= 0x10 | chance.randrange(4)
            datagram[12:12] = bytes((0, 0, 0, chance.randrange(4)))
        case 2:
            datagram[0] |= 0x20
            datagram[-1] = chance.randrange(256)
        case 3:
            del datagram[chance.randrange(len(datagram)) :]
        case 4:
            datagram += chance.randbytes(chance.choice((1, 1300, 4000)))
        case 5:
            return chance.randbytes(chance.randrange(80))
    return bytes(datagram)


def test_100000_strange_packets_make_the_same_of_both_planes(calls: list[Call]):
    chance = random.Random(20261122)
    now, on_tape = 1000.0, 0
    for call in calls:
        call.begin((0x12345678, 65000, 0xFFFFF000))
    for number in range(100_000):
        now += chance.choice((0.001, 0.02, 0.02))
        datagram, source = a_datagram(chance, number), chance.choice(SOURCES)
        leg, changes = chance.randrange(2), number % 97 == 0
        latch, nat, again = chance.random() < 0.5, chance.random() < 0.5, chance.random() < 0.2
        host = chance.choice(("127.0.0.1", "127.0.0.1", "192.0.2.7", ""))
        peered, speaks = chance.random() < 0.9, number % 89 == 0
        for call in calls:
            if changes:
                for route in (ROUTE, BACK):
                    said = msgspec.structs.replace(
                        route, host=host, nat=nat, latch=latch, again=again,
                        peer=route.peer if peered else 0, watch=latch,
                    )  # fmt: skip
                    call.media._do(said, now)
            if speaks:
                call.media._do(wire.Digits(PORT, "1"), now)
                call.media._play(now)
                call.media._do(wire.Stop(PORT), now)
            (call.a, call.b)[leg].give(datagram, source, now)
            if number % 50 == 0:
                for line in (call.a, call.b):
                    line.stream.each_second(now, 2.0, report=True)
        if len(calls) > 1 and number % 10 == 0:
            by_python, by_c = (call.outcome(now) for call in calls)
            assert by_python == by_c, number
        if len(calls) > 1 and number % 100 == 99:
            tapes = [call.taped() for call in calls]
            assert tapes[0] == tapes[1], number
            on_tape += sum(taped.packets for taped in tapes[0])
    assert len(calls) == 1 or on_tape > 10_000


def test_keys_told_by_c_are_those_told_by_python(calls: list[Call]):
    for call in calls:
        call.media._do(ROUTE, 0.0)
        timestamp = 0
        for number, frame in enumerate(dtmf.packets("0123456789*#ABCD" * 3)):
            timestamp += frame.advance_ticks
            if frame.payload:
                packet = rtp.Packet(101, number, timestamp, 7, frame.payload, frame.marker)
                call.a.give(rtp.build(packet), LEG, number * 0.02)
        told = [report.digit for report in call.media._reports if isinstance(report, wire.Digit)]
        assert "".join(told) == "0123456789*#ABCD" * 3


def test_a_key_of_a_leg_that_has_gone_is_nobodys(calls: list[Call]):
    for call in calls[1:]:  # in Python there is no time between hearing and telling
        call.media._do(ROUTE, 0.0)
        event = rtp.build(rtp.Packet(101, 1, 160, 7, bytes((5, 10, 0, 160)), True))
        call.media._reports.clear()
        assert isinstance(call.a.stream, NativeStream)
        native.lib.plane_receive(
            call.a.stream.made,
            event,
            len(event),
            native.ffi.new("plane_address *", native._plain(*LEG[:2])),
            0.1,
            0,
            native.ffi.new("plane_packet *"),
        )
        call.media._do(wire.Close((PORT,)), 0.2)
        call.media._do(ROUTE, 0.3)
        assert isinstance(call.media._plane, NativePlane)
        call.media._plane._told(0.4)
        assert call.media._reports == []


def test_a_leg_is_not_joined_to_whoever_has_its_peers_port_next(calls: list[Call]):
    for call in calls[1:]:
        call.media._do(ROUTE, 0.0)
        call.media._do(BACK, 0.0)
        call.media._do(msgspec.structs.replace(BACK, peer=0), 0.1)
        call.media._do(wire.Close((PEER,)), 0.2)
        stranger = Line().at(call.media, PEER)
        call.media._do(msgspec.structs.replace(BACK, peer=0), 0.3)
        call.a.say(0.4)
        assert stranger.sent == []


@pytest.mark.parametrize("threads", [1, 4])
def test_calls_begin_and_end_while_threads_move_their_packets(tmp_path: Path, threads: int):
    # Needs the C plane; without it there are no threads, and the same is done by the loop of Python.
    ours, theirs = socket.socketpair()
    media = Relay(theirs, ["127.0.0.1"], port_range(), prompts=tmp_path, threads=threads)
    media._plane.start()
    media._do(wire.Grow(32), 0.0)
    (ports,) = (report.ports for report in media._reports if isinstance(report, wire.Ports))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
        phone.bind(("127.0.0.1", 0))
        done = threading.Event()
        packet = rtp.build(rtp.Packet(8, 1, 160, 7, bytes(160)))

        def talk() -> None:
            while not done.is_set():
                for port in ports:
                    phone.sendto(packet, ("127.0.0.1", port))

        talking = threading.Thread(target=talk)
        talking.start()
        host, port = phone.getsockname()
        route = msgspec.structs.replace(ROUTE, host=host, rtp_port=port, rtcp_port=port)
        for turn in range(300):
            for one, other in zip(ports[::2], ports[1::2], strict=True):
                media._do(msgspec.structs.replace(route, port=one, peer=other), float(turn))
                media._do(msgspec.structs.replace(route, port=other, peer=one), float(turn))
            media._do(wire.Query(turn, ports), float(turn))
            media._do(wire.Close(ports), float(turn))
        done.set()
        talking.join()
        media._close()
    ours.close()
    answers = [report for report in media._reports if isinstance(report, wire.Statistics)]
    assert len(answers) == 300
    assert all(counts.invalid_packets == 0 for answer in answers for counts in answer.streams)
