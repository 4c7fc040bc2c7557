"""TFTP: what is sent for what comes."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioning.tftp import (
    MOST_RETRANSMISSIONS,
    MOST_UNANSWERED,
    ReadRequest,
    TftpError,
    Transfer,
    read_request,
)


def request(path: str = "805ec0123456.cfg", mode: str = "octet", **options: str) -> bytes:
    pairs = "".join(f"{name}\0{value}\0" for name, value in options.items())
    return struct.pack("!H", 1) + f"{path}\0{mode}\0{pairs}".encode()


def ack(block: int) -> bytes:
    return struct.pack("!HH", 4, block)


def taken(transfer: Transfer, size: int = 512) -> bytes:
    """What a telephone has that acknowledges each block."""
    packet, content, block = transfer.first(), b"", 0
    if packet[:2] == b"\0\x06":
        packet = transfer.receive(ack(0))
    while packet:
        block += 1
        assert packet[:4] == struct.pack("!HH", 3, block & 0xFFFF)
        content += packet[4:]
        assert len(packet) - 4 <= size
        packet = transfer.receive(ack(block & 0xFFFF))
    return content


@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, 1024, 5000, 512 * 70_000 // 100])
def test_a_file_arrives_whole(size: int):
    content = bytes(range(256)) * (size // 256 + 1)
    transfer = Transfer(content[:size], ReadRequest("a"))
    assert taken(transfer) == content[:size]
    assert transfer.done


def test_a_file_of_whole_blocks_ends_with_an_empty_one():
    transfer = Transfer(b"x" * 512, ReadRequest("a"))  # RFC 1350 section 6
    transfer.first()
    assert transfer.receive(ack(1)) == struct.pack("!HH", 3, 2)
    assert not transfer.done
    assert transfer.receive(ack(2)) == b""
    assert transfer.done


def test_options_are_answered_before_the_first_block():
    # RFC 2347: OACK; RFC 2348: blksize; RFC 2349: timeout and tsize.
    asked = read_request(request(blksize="1024", timeout="3", tsize="0", windowsize="4"))
    transfer = Transfer(b"y" * 3000, asked)
    assert transfer.first() == b"\0\x06blksize\x001024\0timeout\x003\0tsize\x003000\0"
    assert transfer.seconds == 3.0
    assert taken(Transfer(b"y" * 3000, asked), 1024) == b"y" * 3000


@pytest.mark.parametrize(("asked", "given"), [("65464", "1428"), ("8", "8"), ("1428", "1428")])
def test_a_block_fits_into_a_frame(asked: str, given: str):
    transfer = Transfer(b"", read_request(request(blksize=asked)))
    assert transfer.first() == f"\0\x06blksize\0{given}\0".encode()


@pytest.mark.parametrize("asked", ["7", "0", "-8", "many", "999999", ""])
def test_a_block_size_that_makes_no_sense_is_left_out(asked: str):
    transfer = Transfer(b"abc", read_request(request(blksize=asked)))
    assert transfer.first() == b"\0\x03\0\x01abc"


def test_an_acknowledgement_that_comes_twice_sends_nothing_twice():
    transfer = Transfer(b"z" * 2000, ReadRequest("a"))  # RFC 1123 section 4.2.3.1
    transfer.first()
    assert transfer.receive(ack(1))[:4] == b"\0\x03\0\x02"
    assert transfer.receive(ack(1)) == b""


def test_what_is_lost_is_sent_again_and_not_for_ever():
    transfer = Transfer(b"z" * 2000, ReadRequest("a"))
    transfer.first()
    second = transfer.receive(ack(1))
    assert [transfer.again() for _ in range(MOST_RETRANSMISSIONS)] == [second] * MOST_RETRANSMISSIONS
    assert transfer.again() == b""
    assert transfer.done


def test_an_address_that_acknowledges_nothing_is_sent_little_more_than_it_is_said_to_have_asked():
    transfer = Transfer(b"z" * 2000, ReadRequest("a"))
    first = transfer.first()
    assert [transfer.again() for _ in range(MOST_UNANSWERED + 1)] == [first] * MOST_UNANSWERED + [b""]
    assert transfer.done


def test_a_telephone_that_gives_up_ends_it():
    transfer = Transfer(b"z" * 2000, ReadRequest("a"))
    transfer.first()
    assert transfer.receive(b"\0\x05\0\0stop\0") == b""
    assert transfer.done


def test_writing_is_refused():
    with pytest.raises(TftpError, match="nothing is written here") as refused:
        read_request(struct.pack("!H", 2) + b"a\0octet\0")
    assert refused.value.packet == b"\0\x05\0\x02nothing is written here\0"


@pytest.mark.parametrize(
    "datagram",
    [
        b"",
        b"\0\x01",
        b"\0\x01a",
        b"\0\x01a\0octet",
        b"\0\x01a\0mail\0",
        b"\0\x09a\0octet\0",
        b"\0\x01\xff\0octet\0",
        b"\0\x01a\0octet\0blksize\0",
        b"\0\x01" + b"a" * 600 + b"\0octet\0",
    ],
)
def test_what_is_no_request_is_refused_in_words(datagram: bytes):
    with pytest.raises(TftpError) as refused:
        read_request(datagram)
    assert refused.value.packet.startswith(b"\0\x05")


@given(datagram=st.binary(max_size=600))
def test_any_datagram_is_a_request_or_refused(datagram: bytes):
    try:
        read_request(datagram)
    except TftpError as error:
        assert len(error.packet) < 100


@given(datagrams=st.lists(st.binary(max_size=40), max_size=20))
def test_nothing_that_comes_later_raises(datagrams: list[bytes]):
    transfer = Transfer(b"q" * 1500, ReadRequest("a"))
    transfer.first()
    for datagram in datagrams:
        assert len(transfer.receive(datagram)) <= 516
