"""A leg that is a multicast address: whoever listens there hears what the leg is to hear."""

import asyncio
import itertools
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from media import rtp
from media.engine import MediaRefused, Multicast
from media.engines.fake import FakeEngine
from media.engines.passthrough import PassthroughEngine
from media.g711 import Samples
from media.rtp import Packet, build
from media.tones import sine
from media.voice import decoder_of
from tests.media.listener import PCMA, PCMU, Speaker
from tests.media.listening import heard, tone
from tests.media.phone import Phone, target
from tests.media.process import MediaProcess

Phones = Callable[..., Phone]
GROUP = "239.54.4.1"
IP_RECVTTL = 12  # Linux; Python has no name for it
CODECS = {8: PCMA, 0: PCMU}


class Receiver:
    """Who listens to the address on loopback, and sees how far each packet may go."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((GROUP, 0))
        member = socket.inet_aton(GROUP) + socket.inet_aton("127.0.0.1")
        self.socket.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
        self.socket.setsockopt(socket.IPPROTO_IP, IP_RECVTTL, 1)
        self.socket.settimeout(10)
        self.port = self.socket.getsockname()[1]
        self.ttls: set[int] = set()

    def _packet(self) -> Packet:
        data, ancillary, _, _ = self.socket.recvmsg(2048, 64)
        self.ttls |= {
            int.from_bytes(value, "little") for _, kind, value in ancillary if kind == socket.IP_TTL
        }
        return rtp.parse(data)

    async def hears(self, packets: int) -> tuple[list[Packet], Samples]:
        """The next packets, and their sound."""
        came = [await asyncio.to_thread(self._packet) for _ in range(packets)]
        decoder = decoder_of(CODECS[came[0].payload_type])
        return came, np.concatenate([decoder.decode(packet.payload) for packet in came])


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.socket.close()


async def test_a_tone_is_heard_by_whoever_listens_as_far_as_it_may_go(
    media: MediaProcess, receiver: Receiver
):
    """RFC 1112 section 6.1: the number of hops is the sender's to say."""
    await media.engine.multicast("c", "m", Multicast(GROUP, receiver.port, ttl=9, interface="127.0.0.1"))
    await media.engine.play("c", "m", sine(700, 1000))
    came, samples = await receiver.hears(40)
    assert heard(samples, 700)[0] > 4000
    assert {packet.payload_type for packet in came} == {8}
    assert receiver.ttls == {9}


async def test_who_speaks_in_a_room_is_heard_by_multicast(
    media: MediaProcess, receiver: Receiver, phones: Phones
):
    """RFC 3550 section 5.1: one source, whose numbers grow by one."""
    alice = phones()
    said = await media.engine.publish("c", "a", alice.sdp("8"))
    await media.engine.join("c", "a", "page", hears=False)
    await media.engine.multicast("c", "m", Multicast(GROUP, receiver.port, "PCMU"))
    await media.engine.join("c", "m", "page", speaks=False)
    await media.engine.query("c")
    for packet in Speaker(PCMA).say(tone(900, 1.0)):
        alice.rtp.sendto(build(packet), target(said))
        await asyncio.sleep(0.02)
    came, samples = await receiver.hears(40)
    assert heard(samples[1600:], 900)[0] > 3000
    numbers = [packet.sequence for packet in came]
    assert [(after - before) & 0xFFFF for before, after in itertools.pairwise(numbers)] == [1] * 39
    assert {packet.payload_type for packet in came} == {0}
    assert receiver.ttls == {1}


async def test_a_port_that_was_used_for_multicast_goes_no_farther_afterwards(
    media: MediaProcess, receiver: Receiver
):
    """The next leg of the port has the usual number of hops, also for a multicast address of its own."""
    first = Multicast(GROUP, receiver.port, ttl=9)
    for call, to in (("c", first), ("d", Multicast(GROUP, receiver.port))):
        await media.engine.multicast(call, "m", to)
        await media.engine.play(call, "m", sine(700, 200))
        await receiver.hears(9)
        await media.engine.delete(call)
    assert receiver.ttls == {9, 1}


async def test_a_media_process_that_comes_back_sends_on_as_before(
    lasting_media: MediaProcess, receiver: Receiver
):
    media = lasting_media
    await media.engine.multicast("c", "m", Multicast(GROUP, receiver.port, ttl=9))
    await media.engine.reconnect(media.connect())
    await media.engine.play("c", "m", sine(700, 400))
    _, samples = await receiver.hears(15)
    assert heard(samples, 700)[0] > 4000
    assert receiver.ttls == {9}


async def test_an_address_of_a_kind_that_we_have_not_is_refused(media: MediaProcess):
    with pytest.raises(MediaRefused, match="480"):
        await media.engine.multicast("c", "m", Multicast("ff15::1", 5004))


async def test_an_engine_without_sound_refuses(tmp_path: Path):
    with pytest.raises(MediaRefused, match="488"):
        await PassthroughEngine().multicast("c", "m", Multicast(GROUP, 5004))


async def test_the_fake_engine_keeps_what_it_was_asked():
    engine = FakeEngine()
    await engine.multicast("c", "m", Multicast(GROUP, 5004, ttl=16))
    assert engine.asked[-1].detail == f"{GROUP}:5004 PCMA ttl 16"
    await engine.delete("c")
    assert set(engine.inventory().values()) == {0}
