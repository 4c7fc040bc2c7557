"""Frames between the two processes, and packets that nobody should send."""

import random
import socket
from pathlib import Path

import msgspec
import pytest

from media import frames, rtp, tones
from media.engine import Wav
from media.engines import relay, wire
from media.engines.stream import PythonStream
from media.speech import Speech
from tests.media.process import port_range

ROUTE = wire.Route(
    21000, 0, "127.0.0.1", 9, 10, False, False, True, {8: 8, 101: 101}, (101,), "PCMA", 8, 8000, 101
)


def test_messages_come_back_as_they_were_however_the_stream_is_cut():
    messages: list[wire.Command] = [
        ROUTE,
        wire.Play(1, 2, True, tones.BUSY),
        wire.Play(1, 2, True, Wav("/x.wav")),
        wire.Play(1, 2, True, Speech("Bonjour.")),
        wire.Record(1, 2, "/x.wav", 60.0, 5.0, "#"),
        wire.Close((1, 2)),
    ]
    stream = frames.frame(messages) * 3
    reader = frames.FrameReader()
    bodies = [body for at in range(0, len(stream), 7) for body in reader.receive(stream[at : at + 7])]
    assert [wire.commands(body) for body in bodies] == [messages] * 3


def test_frame_that_is_too_long_is_refused_before_it_is_read():
    with pytest.raises(frames.WireError):
        frames.FrameReader().receive(b"\x7f\xff\xff\xff")
    with pytest.raises(frames.WireError):
        frames.frame([wire.Digits(1, "1" * (frames.MAX_FRAME_BYTES + 1))])


@pytest.mark.parametrize(
    "body", [b"", b"\xc1", b"\x90\x90", b"\x91\x92\xa5route\x01", b"\x91\x92\xa4stop\xa1x"]
)
def test_message_that_is_not_ours_is_refused(body: bytes):
    with pytest.raises(frames.WireError):
        wire.commands(body)
    with pytest.raises(frames.WireError):
        wire.reports(body)


class Datagrams:
    """What a socket gives: one datagram after the other, from the leg or from a stranger."""

    def __init__(self, chance: random.Random, leg: tuple[str, int]) -> None:
        self.chance = chance
        self.leg = leg

    def __call__(self, buffer: bytearray) -> tuple[int, tuple[str, int]]:
        chance = self.chance
        data = bytearray(
            rtp.build(rtp.Packet(chance.choice((8, 101)), 1, 1, 7, chance.randbytes(chance.choice((4, 160)))))
        )
        for _ in range(chance.randrange(4)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        if chance.random() < 0.3:
            del data[chance.randrange(len(data)) :]
        if chance.random() < 0.1:
            data = bytearray(chance.randbytes(chance.randrange(60)))
        buffer[: len(data)] = data
        return len(data), self.leg if chance.random() < 0.9 else ("192.0.2.66", 6666)


class Sent:
    """Takes what would be sent."""

    def __init__(self) -> None:
        self.packets = 0

    def __call__(self, data: bytes | memoryview, address: object) -> int:
        assert len(data) >= rtp.HEADER_BYTES
        self.packets += 1
        return len(data)


def test_100000_random_and_mutated_datagrams_are_survived_and_accounted_for(tmp_path: Path):
    ours, theirs = socket.socketpair()
    media = relay.Relay(theirs, ["127.0.0.1"], port_range(), prompts=tmp_path, plane="python")
    first, second = port_range()[0], port_range()[0] + 2
    for port, peer in ((first, second), (second, first)):
        route = msgspec.structs.replace(
            ROUTE, port=port, peer=peer, rtp_port=port + 9000, rtcp_port=port + 9001
        )
        media._do(route, 0.0)
    stream, peer_stream = media._busy[first], media._busy[second]
    assert isinstance(stream, PythonStream) and isinstance(peer_stream, PythonStream)
    sent = Sent()
    stream.receive_into = Datagrams(random.Random(4733), ("127.0.0.1", first + 9000))
    peer_stream.send_to = sent
    for number in range(100_000):
        stream.receive(number / 50)
    assert stream.incoming.packets == sent.packets > 10_000
    assert stream.third_party > 5_000
    assert stream.incoming.packets + stream.third_party + stream.invalid == 100_000
    media._close()
    ours.close()
