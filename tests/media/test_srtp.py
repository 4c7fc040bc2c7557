"""SRTP packets, against a second writing of the RFCs on another library's AES."""

import random
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.sdes import KEY_BYTES, SUITES, Crypto, Suite
from media.srtp import MAX_SOURCES, RTCP_MARGIN, Receiver, Sender, SrtpError, SrtpState
from tests.media.reference_srtp import Reference, session_key


def crypto(suite: Suite, seed: int = 1, mki: bytes = b"") -> Crypto:
    return Crypto(1, suite, random.Random(seed).randbytes(KEY_BYTES[suite]), mki)


def packet(sequence: int, payload: bytes = b"x" * 160, ssrc: int = 0x1234) -> bytes:
    return struct.pack(">BBHII", 0x80, 8, sequence & 0xFFFF, sequence * 160 & 0xFFFFFFFF, ssrc) + payload


def report(ssrc: int = 0x1234) -> bytes:
    return struct.pack(">BBHIIIIII", 0x80, 200, 6, ssrc, 1, 2, 3, 4, 5)


def test_reference_derives_the_keys_of_the_rfc():
    # RFC 3711 appendix B.3
    master = bytes.fromhex("E1F97A0D3E018BE0D64FA32C06DE4139")
    salt = bytes.fromhex("0EC675AD498AFEEBB6960B3AABE6")
    assert session_key(master, salt, 0, 16).hex().upper() == "C61E7A93744F39EE10734AFE3FF7A087"
    assert session_key(master, salt, 2, 14).hex().upper() == "30CBBC08863D8C85D49DB34A9AE1"
    assert session_key(master, salt, 1, 20).hex().upper() == "CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4"


@pytest.mark.parametrize("suite", SUITES)
def test_sent_packet_is_what_the_rfc_says(suite: Suite):
    # RFC 3711 section 3.3, RFC 7714 section 8
    key = crypto(suite)
    assert Sender(key).protect(packet(5)) == Reference(suite, key.key).protect(packet(5), 0)


@pytest.mark.parametrize("suite", SUITES)
def test_sent_report_is_what_the_rfc_says(suite: Suite):
    # RFC 3711 section 3.4, RFC 7714 section 9; RFC 4568 section 6.2.2: a long tag, whatever RTP has
    key = crypto(suite)
    sender, reference = Sender(key), Reference(suite, key.key)
    sent = [sender.protect_rtcp(report()) for _ in range(2)]
    assert sent == [reference.protect_rtcp(report(), index) for index in (1, 2)]


@pytest.mark.parametrize("suite", SUITES)
def test_received_packet_and_report_are_read(suite: Suite):
    key = crypto(suite)
    receiver, reference = Receiver(key), Reference(suite, key.key)
    assert receiver.unprotect(reference.protect(packet(7), 0)) == packet(7)
    assert receiver.unprotect_rtcp(reference.protect_rtcp(report(), 1)) == report()


@pytest.mark.parametrize("suite", SUITES)
def test_stream_goes_on_over_the_rollover_of_its_numbers(suite: Suite):
    # RFC 3711 section 3.3.1
    key = crypto(suite)
    sender, receiver, reference = Sender(key), Receiver(key), Reference(suite, key.key)
    for number in range(65_530, 65_546):
        sent = sender.protect(packet(number))
        assert sent == reference.protect(packet(number), number >> 16)
        assert receiver.unprotect(sent) == packet(number)
    assert sender.state() == receiver.state() == SrtpState({0x1234: 65_545}, {})


@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize("rollovers", [0, 1, 70])
def test_sender_that_resumes_goes_on_with_the_rollover_counter(suite: Suite, rollovers: int):
    key = crypto(suite)
    index = rollovers * 65536 + 40_000
    resumed = Sender(key, SrtpState({0x1234: index}, {0x1234: 9}))
    expected = Reference(suite, key.key).protect(packet(40_256), rollovers)
    assert resumed.protect(packet(40_256)) == expected
    # No report's index comes twice, whatever was sent since the state was recorded.
    late = Reference(suite, key.key).protect_rtcp(report(), 9 + RTCP_MARGIN + 1)
    assert resumed.protect_rtcp(report()) == late


@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize("rollovers", [0, 1, 70])
def test_receiver_that_resumes_goes_on_with_the_rollover_counter(suite: Suite, rollovers: int):
    key = crypto(suite)
    index = rollovers * 65536 + 65_500
    receiver, reference = Receiver(key, SrtpState({0x1234: index}, {})), Reference(suite, key.key)
    assert receiver.unprotect(reference.protect(packet(65_535), rollovers)) == packet(65_535)
    assert receiver.unprotect(reference.protect(packet(2), rollovers + 1)) == packet(2)


def test_receiver_that_resumes_takes_nothing_twice():
    key = crypto("AES_CM_128_HMAC_SHA1_80")
    sender, receiver = Sender(key), Receiver(key)
    sent = [sender.protect(packet(number)) for number in range(100, 110)]
    reports = [sender.protect_rtcp(report()) for _ in range(3)]
    for one in sent:
        receiver.unprotect(one)
    for one in reports:
        receiver.unprotect_rtcp(one)
    resumed = Receiver(key, receiver.state())
    for one in sent:
        with pytest.raises(SrtpError):
            resumed.unprotect(one)
    with pytest.raises(SrtpError):
        resumed.unprotect_rtcp(reports[-1])
    assert resumed.unprotect(sender.protect(packet(110))) == packet(110)


def test_packet_passes_once():
    # RFC 3711 section 3.3.2
    key = crypto("AEAD_AES_128_GCM")
    sent, receiver = Sender(key).protect(packet(1)), Receiver(key)
    receiver.unprotect(sent)
    with pytest.raises(SrtpError, match="replay"):
        receiver.unprotect(sent)


def test_sequence_number_is_never_encrypted_twice():
    sender = Sender(crypto("AES_CM_128_HMAC_SHA1_80"))
    sender.protect(packet(1, b"one"))
    with pytest.raises(SrtpError, match="replay"):
        sender.protect(packet(1, b"two"))


@pytest.mark.parametrize("suite", SUITES)
def test_packet_changed_on_its_way_is_refused(suite: Suite):
    key = crypto(suite)
    sent = bytearray(Sender(key).protect(packet(1)))
    sent[20] ^= 1
    with pytest.raises(SrtpError):
        Receiver(key).unprotect(bytes(sent))


def test_refused_packet_changes_no_state():
    receiver = Receiver(crypto("AES_CM_128_HMAC_SHA1_80"))
    with pytest.raises(SrtpError):
        receiver.unprotect(Sender(crypto("AES_CM_128_HMAC_SHA1_80", seed=2)).protect(packet(9)))
    assert receiver.state() == SrtpState({}, {})


@pytest.mark.parametrize("suite", SUITES)
def test_announced_key_identifier_is_expected_and_taken_off(suite: Suite):
    # RFC 3711 section 3.1, RFC 7714 section 8.2: where it stands
    key = crypto(suite, mki=b"\0\x07")
    receiver, reference = Receiver(key), Reference(suite, key.key)
    tag_bytes = {"80": 10, "32": 4}.get(suite[-2:], 0)
    sent = reference.protect(packet(1), 0)
    end = len(sent) - tag_bytes
    with pytest.raises(SrtpError, match="MKI"):
        receiver.unprotect(sent)
    assert receiver.unprotect(sent[:end] + b"\0\x07" + sent[end:]) == packet(1)
    assert Receiver(key).unprotect(Sender(key).protect(packet(2))) == packet(2)
    assert Receiver(key).unprotect_rtcp(Sender(key).protect_rtcp(report())) == report()


def test_packet_of_an_ethernet_frame_passes():
    key = crypto("AES_CM_128_HMAC_SHA1_80")
    longest = packet(1, bytes(1460))
    assert Receiver(key).unprotect(Sender(key).protect(longest)) == longest


def test_packet_longer_than_any_is_refused():
    with pytest.raises(SrtpError, match="longer"):
        Sender(crypto("AES_CM_128_HMAC_SHA1_80")).protect(packet(1, bytes(3000)))


def test_sources_of_one_key_are_bounded():
    key = crypto("AES_CM_128_HMAC_SHA1_80")
    sender, receiver = Sender(key), Receiver(key)
    for ssrc in range(MAX_SOURCES):
        receiver.unprotect(sender.protect(packet(1, ssrc=ssrc)))
    with pytest.raises(SrtpError, match="sources"):
        receiver.unprotect(sender.protect(packet(1, ssrc=MAX_SOURCES)))
    assert receiver.unprotect(sender.protect(packet(2, ssrc=0))) == packet(2, ssrc=0)


def test_state_that_cannot_be_is_refused_at_once():
    with pytest.raises(SrtpError, match="no state"):
        Sender(crypto("AES_CM_128_HMAC_SHA1_80"), SrtpState({1: 1 << 48}, {}))


@pytest.mark.parametrize("suite", SUITES)
def test_damaged_packets_never_pass(suite: Suite):
    # 25,000 for each suite: a few bits turned, cut short, or longer than it was.
    chance, key = random.Random(5), crypto(suite)
    sender, receiver, refused = Sender(key), Receiver(key), 0
    sent = [sender.protect(packet(number)) for number in range(100)]
    for number in range(25_000):
        damaged = bytearray(sent[number % 100])
        if chance.random() < 0.2:
            damaged = damaged[: chance.randrange(len(damaged))]
        elif chance.random() < 0.2:
            damaged += chance.randbytes(chance.randrange(1, 40))
        else:
            damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
        try:
            receiver.unprotect(bytes(damaged))
        except SrtpError:
            refused += 1
    assert refused == 25_000
    assert receiver.unprotect(sent[0]) == packet(0)


@settings(max_examples=300, deadline=None)
@given(suite=st.sampled_from(SUITES), data=st.binary(max_size=200), rtcp=st.booleans(), mki=st.booleans())
def test_anything_else_is_refused_with_one_error(suite: Suite, data: bytes, rtcp: bool, mki: bool):
    receiver = Receiver(crypto(suite, mki=b"\1" if mki else b""))
    with pytest.raises(SrtpError):
        receiver.unprotect_rtcp(data) if rtcp else receiver.unprotect(data)
