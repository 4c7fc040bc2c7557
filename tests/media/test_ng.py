"""rtpengine's ng protocol: bencoding, and a conversation over a network that loses, repeats and lies."""

import asyncio
import socket
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.engines import ng
from media.engines.ng import Client, Link, NgError, NgRefused, NgSilent
from tests.media.fake_rtpengine import FakeDaemon, Road
from tests.sim.loop import VirtualLoop

values = st.recursive(
    st.integers(-(10**18), 10**18) | st.binary(max_size=40),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(max_codepoint=126), max_size=8), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(values)
def test_what_is_encoded_is_decoded(value):
    assert ng.decode(ng.encode(value)) == value


@given(st.binary(max_size=200))
def test_no_bytes_do_more_than_be_refused(data):
    try:
        ng.decode(data)
    except NgError:
        return
    assert ng.encode(ng.decode(data)) != b""


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "no number at byte 0"),
        (b"i12", "no number at byte 1"),
        (b"i-e", "no number at byte 1"),
        (b"i01e", "a needless zero"),
        (b"i-0e", "a needless zero"),
        (b"i" + b"9" * 30 + b"e", "no number"),
        (b"5:abc", "a string of 5 bytes where 3 are left"),
        (b"-1:a", "a string of -1 bytes"),
        (b"d1:ai1e1:ai2ee", "key 'a' comes twice"),
        (b"di1ei2ee", "no number at byte 1"),
        (b"d1:a", "no number at byte 4"),
        (b"l" * 40 + b"e" * 40, "inside each other"),
        (b"i1ei2e", "3 bytes behind the value"),
        (b"0:" * 40_000, "more than 65507 bytes"),
    ],
)
def test_what_is_not_bencoded_is_refused_with_a_reason(data, why):
    with pytest.raises(NgError, match=why):
        ng.decode(data)


def in_virtual_time(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a scenario in a world where waiting takes no time."""
    loop = VirtualLoop()
    try:
        loop.run_until_complete(scenario())
        loop.check_lost()
    finally:
        loop.finish()


def client_of(daemon: FakeDaemon) -> Client:
    client = Client(lambda _datagram: None)
    client.send = Road(daemon, client.receive, client.lose).send
    return client


def test_answer_is_given_to_who_asked():
    async def scenario():
        client = client_of(FakeDaemon())
        assert await client.ask("ping") == {"result": b"pong"}
        assert client.waiting == 0

    in_virtual_time(scenario)


def test_request_whose_answers_are_lost_is_sent_again_and_carried_out_once():
    async def scenario():
        daemon = FakeDaemon()
        daemon.lose = 2
        client = client_of(daemon)
        await client.ask("delete", {"call-id": "c"})
        assert len(daemon.said("delete")) == 1
        assert client.counts.sent_again == 2
        assert asyncio.get_running_loop().time() == pytest.approx(1000.6)

    in_virtual_time(scenario)


def test_daemon_that_never_answers_is_silent_after_three_seconds():
    async def scenario():
        daemon = FakeDaemon()
        daemon.mute = True
        client = client_of(daemon)
        with pytest.raises(NgSilent, match="no answer to ping"):
            await client.ask("ping")
        assert asyncio.get_running_loop().time() == pytest.approx(1003.0)
        assert (client.waiting, client.counts.unanswered) == (0, 1)

    in_virtual_time(scenario)


def test_port_where_nothing_listens_is_silent_at_once():
    async def scenario():
        daemon = FakeDaemon()
        daemon.gone = True
        with pytest.raises(NgSilent, match="refused"):
            await client_of(daemon).ask("ping")
        assert asyncio.get_running_loop().time() == 1000.0

    in_virtual_time(scenario)


def test_error_is_told_in_the_daemons_words():
    async def scenario():
        with pytest.raises(NgRefused, match="query: Unknown call-id") as refusal:
            await client_of(FakeDaemon()).ask("query", {"call-id": "nobody"})
        assert refusal.value.reason == "Unknown call-id"

    in_virtual_time(scenario)


def test_answers_that_come_twice_late_or_garbled_are_counted_and_dropped():
    async def scenario():
        sent: list[bytes] = []
        client = Client(sent.append)
        asking = client.begin("ping")
        cookie = sent[0].split()[0]
        strange = [b"", b"x", cookie, cookie + b" ", cookie + b" i1e", cookie + b" d6:result", b"other de"]
        for datagram in strange:
            client.receive(datagram)
        assert not asking.done()
        for _ in range(2):
            client.receive(cookie + b" d6:result4:ponge")
        assert await asking == {"result": b"pong"}
        client.receive(cookie + b" d6:result4:ponge")
        assert client.counts.strange == len(strange) + 2

    in_virtual_time(scenario)


def test_a_cookie_cannot_be_guessed_from_another_clients():
    async def scenario():
        sent: list[bytes] = []
        first, second = Client(sent.append), Client(sent.append)
        waiting = first.begin("ping"), second.begin("ping")
        assert len({datagram.split()[0] for datagram in sent}) == 2
        first.lose("the test is over")
        second.lose("the test is over")
        for one in waiting:
            with pytest.raises(NgSilent):
                await one

    in_virtual_time(scenario)


def test_request_larger_than_a_datagram_is_refused_before_it_is_sent():
    async def scenario():
        client = client_of(FakeDaemon())
        with pytest.raises(NgError, match="a datagram holds 65507"):
            client.begin("play media", {"blob": bytes(65_500)})
        assert client.waiting == 0

    in_virtual_time(scenario)


async def test_link_hears_its_daemon_and_nobody_else():
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as daemon,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger,
    ):
        daemon.bind(("127.0.0.1", 0))
        heard: asyncio.Queue[bytes] = asyncio.Queue()
        link = Link(daemon.getsockname(), heard.put_nowait, lambda reason: heard.put_nowait(reason.encode()))
        link.send(b"hello")
        _, ours = daemon.recvfrom(100)
        stranger.sendto(b"lie", ours)
        daemon.sendto(b"answer", ours)
        assert await heard.get() == b"answer"
        assert heard.empty()
        link.close()


async def test_link_says_when_nothing_listens():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as nobody:
        nobody.bind(("127.0.0.1", 0))
        address = nobody.getsockname()
    client = Client(lambda _datagram: None)
    link = Link(address, client.receive, client.lose)
    client.send = link.send
    with pytest.raises(NgSilent, match="Connection refused"):
        await client.ask("ping")
    link.close()
