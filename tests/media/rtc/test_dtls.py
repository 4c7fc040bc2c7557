"""DTLS of one association, against itself: flights, records, and what a peer may not do."""

import math
import random

import pytest

from media.rtc import dtls
from media.rtc.dtls import MAX_DATAGRAMS, MTU_BYTES, Certificate, Dtls


@pytest.fixture(scope="module")
def ours():
    return Certificate()


@pytest.fixture(scope="module")
def theirs():
    return Certificate()


def pair(ours, theirs, server_knows=None):
    """A server of ours and a client that is the browser."""
    return (
        Dtls(ours, "server", server_knows or (theirs.fingerprint,)),
        Dtls(theirs, "client", (ours.fingerprint,)),
    )


def shake_hands(server, client):
    """Let them speak until neither has anything to say; return all datagrams of the server."""
    said = []
    to_server = client.start()
    to_client: list[bytes] = []
    while to_server or to_client:
        to_client = [answer for datagram in to_server for answer in server.receive(datagram)]
        said += to_client
        to_server = [answer for datagram in to_client for answer in client.receive(datagram)]
    return said


def test_each_side_sends_with_the_key_that_the_other_receives_with(ours, theirs):
    # RFC 5764 section 4.2: which key is whose
    server, client = pair(ours, theirs)
    shake_hands(server, client)
    assert (server.state, client.state) == ("connected", "connected")
    assert server.keys.ours == client.keys.theirs
    assert server.keys.theirs == client.keys.ours
    assert server.keys.ours != server.keys.theirs


def test_datagrams_hold_whole_records_and_pass_the_mtu(ours, theirs):
    # RFC 6347 section 4.1.1: a record lies in one datagram
    server, client = pair(ours, theirs)
    said = shake_hands(server, client)
    assert said
    for datagram in said:
        assert len(datagram) <= MTU_BYTES
        at = 0
        while at < len(datagram):
            assert 20 <= datagram[at] < 64
            assert datagram[at + 1 : at + 3] == b"\xfe\xfd" or datagram[at + 1] == 0xFE
            at += 13 + int.from_bytes(datagram[at + 11 : at + 13])
        assert at == len(datagram)


def test_a_flight_longer_than_a_datagram_is_cut_between_records(ours, theirs, monkeypatch):
    # RFC 6347 section 4.2.3: a message longer than a datagram is fragmented
    monkeypatch.setattr(dtls, "MTU_BYTES", 300)
    server, client = pair(ours, theirs)
    said = shake_hands(server, client)
    assert (server.state, client.state) == ("connected", "connected")
    assert len(said) >= 4
    assert max(len(datagram) for datagram in said) <= 300


def test_no_key_is_derived_for_another_certificate(ours, theirs):
    server, client = pair(ours, theirs, (("sha-256", ours.fingerprint[1]),))
    shake_hands(server, client)
    assert server.state == "failed"
    assert server.keys is None


@pytest.mark.parametrize("algorithm", ["sha-256", "sha-384", "sha-512"])
def test_a_fingerprint_of_each_hash_is_taken(ours, theirs, algorithm):
    made = theirs.digests[algorithm]
    server, client = pair(ours, theirs, (("sha-256", "of another"), (algorithm, made)))
    shake_hands(server, client)
    assert server.state == "connected"


def test_a_server_has_no_timer_before_it_was_spoken_to_and_none_afterwards(ours, theirs):
    server, client = pair(ours, theirs)
    assert server.timeout_seconds() == math.inf
    server.receive(client.start()[0])
    assert 0 < server.timeout_seconds() <= 1
    shake_hands(*pair(ours, theirs))
    server, client = pair(ours, theirs)
    shake_hands(server, client)
    assert server.timeout_seconds() == math.inf


def test_the_last_flight_is_sent_again_when_the_client_s_comes_again(ours, theirs):
    # RFC 6347 section 4.2.4: the server's last flight was lost, and the client asks for it
    server, client = pair(ours, theirs)
    to_server = client.start()
    to_client = [answer for datagram in to_server for answer in server.receive(datagram)]
    last = [answer for datagram in to_client for answer in client.receive(datagram)]
    assert [answer for datagram in last for answer in server.receive(datagram)]
    assert server.state == "connected"
    assert client.state == "handshaking"
    again = client.resend()
    assert again == last
    assert server.state == "connected"


def test_a_handshake_that_takes_too_much_is_over(ours, theirs):
    server, _ = pair(ours, theirs)
    hello = Dtls(theirs, "client", (ours.fingerprint,)).start()[0]
    for _ in range(MAX_DATAGRAMS):
        server.receive(hello)
    assert server.state == "handshaking"
    server.receive(hello)
    assert server.state == "failed"
    assert server.receive(hello) == []


def test_who_ends_dtls_is_heard(ours, theirs):
    server, client = pair(ours, theirs)
    shake_hands(server, client)
    for datagram in client.close():
        assert server.receive(datagram) == []
    assert server.state == "closed"
    assert server.close() == []


def test_mutated_flights_never_raise(ours, theirs):
    chance = random.Random(6347)
    for _ in range(60):
        server, client = pair(ours, theirs)
        to_server, to_client = client.start(), []
        for _ in range(4):
            to_client = [
                answer
                for one in to_server
                for answer in server.receive(mutated(one, chance)) + server.receive(one)
            ]
            to_server = [
                answer
                for one in to_client
                for answer in client.receive(mutated(one, chance)) + client.receive(one)
            ]
        assert server.keys is None or client.keys is None or server.keys.ours == client.keys.theirs


def mutated(datagram, chance):
    whole = bytearray(datagram)
    for _ in range(chance.randint(1, 4)):
        whole[chance.randrange(len(whole))] = chance.randrange(256)
    return bytes(whole[: chance.randint(13, len(whole))]) if chance.random() < 0.2 else bytes(whole)
