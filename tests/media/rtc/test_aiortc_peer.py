"""The worker between the media plane and aiortc's peer connection, by frequency."""

import asyncio
import struct
from contextlib import AsyncExitStack

import pytest

from media import g711, rtp
from media.goertzel import heard_frequency_hz, share
from media.rtc.protocol import Agree, Connected, Gone, Open, Opened, PlainStream
from tests.media.rtc.aiortc_peer import Peer, Road, every, first, is_dtls, is_media, nothing, tone
from tests.media.rtc.desk import PASSWORD, udp
from tests.media.rtc.process import RtcProcess

pytestmark = pytest.mark.peer
PLANE_HZ = 1000


@pytest.fixture(scope="module")
def process():
    one = RtcProcess("127.0.0.1", "::1")
    yield one
    one.stop()


@pytest.fixture
async def ready(process):
    yield await process.connect()
    await process.disconnect()


@pytest.fixture
async def ends():
    """Whatever a test has begun, ended also where it fails."""
    async with AsyncExitStack() as stack:
        yield stack


class Plane:
    """The media plane of one stream: it says PLANE_HZ, a packet for each that it hears."""

    def __init__(self, host: str) -> None:
        self.socket = udp(host)
        self.socket.setblocking(False)
        self.samples: list[int] = []
        self._sequence = 0
        self._enough = asyncio.Event()
        self._target: tuple[str, int] | None = None

    def stream(self) -> PlainStream:
        host, port = self.socket.getsockname()[:2]
        return PlainStream(0, host, port, port, {8: 8}, False)

    def speak_with(self, target: tuple[str, int]) -> None:
        """Begin; the worker's plain socket is there."""
        self._target = target
        asyncio.get_running_loop().add_reader(self.socket, self._hear)

    async def heard(self, samples: int) -> list[int]:
        """So many samples, as they were heard. Raises TimeoutError after 10 s."""
        async with asyncio.timeout(45):
            while len(self.samples) < samples:
                self._enough.clear()
                await self._enough.wait()
        return self.samples[-samples:]

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self.socket)
        self.socket.close()

    def _hear(self) -> None:
        datagram, source = self.socket.recvfrom(4096)
        assert source[:2] == self._target
        if 192 <= datagram[1] <= 223:
            return
        packet = rtp.parse(datagram)
        self.samples += [int(one) for one in g711.decode("PCMA", packet.payload)]
        self._enough.set()
        sound = g711.encode("PCMA", tone(PLANE_HZ, self._sequence * 160, 160))
        header = struct.pack(">BBHII", 0x80, 8, self._sequence & 0xFFFF, self._sequence * 160, 0xB0B)
        self.socket.sendto(header + sound, source)
        self._sequence += 1


def both(ends, host, monkeypatch):
    """A peer and a plane."""
    peer, plane = Peer(host, monkeypatch), Plane(host)
    ends.push_async_callback(peer.connection.close)
    ends.callback(plane.close)
    return peer, plane


async def talk(process, ready, peer, plane, leg, host, road=None):
    """Connect the peer by an offer of its own."""
    process.say(Open(leg, leg, PASSWORD, ":" in host, 1))
    opened = await process.next()
    assert isinstance(opened, Opened)
    prints, ufrag = await peer.offer()
    process.say(Agree(leg, "server", prints, ufrag, (plane.stream(),)))
    plane.speak_with(opened.sockets[0])
    at = next(one for one in ready.addresses if (":" in one[0]) == (":" in host))
    await peer.answered(ready, road.near.getsockname() if road else at, leg, PASSWORD)
    assert isinstance(await process.next(), Connected)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_both_sides_hear_each_other_s_tone(process, ready, ends, host, monkeypatch):
    peer, plane = both(ends, host, monkeypatch)
    await talk(process, ready, peer, plane, f"both{len(host)}", host)
    assert heard_frequency_hz(await plane.heard(8000)) == pytest.approx(440, abs=5)
    assert heard_frequency_hz(await peer.heard(50)) == pytest.approx(PLANE_HZ, abs=5)
    await peer.connection.close()
    assert await process.next() == Gone(f"both{len(host)}", "closed")


async def test_the_worker_begins_dtls_where_the_answer_says_so(process, ready, ends, monkeypatch):
    # RFC 5763 section 5: the answerer that says "passive" has us begin
    peer, plane = both(ends, "127.0.0.1", monkeypatch)
    process.say(Open("active", "active", PASSWORD, False, 1))
    opened = await process.next()
    prints, ufrag = await peer.answer(ready, ready.addresses[0], "active", PASSWORD)
    process.say(Agree("active", "client", prints, ufrag, (plane.stream(),)))
    plane.speak_with(opened.sockets[0])
    assert isinstance(await process.next(), Connected)
    assert heard_frequency_hz(await plane.heard(4000)) == pytest.approx(440, abs=5)


@pytest.mark.parametrize(
    ("from_peer", "to_peer"),
    [(1, 1), (0, 2)],
    ids=["both", "to the browser"],
)
async def test_a_handshake_survives_lost_flights(process, ready, ends, from_peer, to_peer, monkeypatch):
    # RFC 6347 section 4.2.4: flights that were lost are sent again
    peer, plane = both(ends, "127.0.0.1", monkeypatch)
    road = Road(ready.addresses[0], first(from_peer, is_dtls), first(to_peer, is_dtls))
    ends.callback(road.close)
    leg = f"lost{from_peer}{to_peer}"
    await talk(process, ready, peer, plane, leg, "127.0.0.1", road)
    assert heard_frequency_hz(await plane.heard(3200)) == pytest.approx(440, abs=5)


async def test_with_every_tenth_packet_lost_they_hear_each_other(process, ready, ends, monkeypatch):
    peer, plane = both(ends, "127.0.0.1", monkeypatch)
    road = Road(ready.addresses[0], every(10, is_media), every(10, is_media))
    ends.callback(road.close)
    await talk(process, ready, peer, plane, "tenth", "127.0.0.1", road)
    assert len(await plane.heard(8000)) == 8000
    assert level_of(await peer.heard(50), PLANE_HZ) > 0.3
    assert level_of(plane.samples[-8000:], 440) > 0.3


def level_of(samples, frequency_hz):
    """The greatest share of a frequency in any tenth of a second: between gaps, the tone is whole."""
    return max(share(samples[at : at + 800], frequency_hz) for at in range(0, len(samples) - 800, 800))


async def test_a_peer_with_another_certificate_is_not_heard(process, ready, ends, monkeypatch):
    peer, plane = both(ends, "127.0.0.1", monkeypatch)
    process.say(Open("other", "other", PASSWORD, False, 1))
    opened = await process.next()
    _, ufrag = await peer.offer()
    process.say(Agree("other", "server", (("sha-256", "00:11"),), ufrag, (plane.stream(),)))
    plane.speak_with(opened.sockets[0])
    await peer.answered(ready, ready.addresses[0], "other", PASSWORD)
    assert await process.next() == Gone("other", "failed")
    assert plane.samples == []


async def test_what_is_lost_on_the_way_is_lost_here_alone():
    assert not nothing(b"")
    drop = every(3, lambda datagram: True)
    assert [drop(b"x") for _ in range(6)] == [False, False, True] * 2
