"""STUN Binding requests on the SIP port (RFC 5389, RFC 5626 section 4.4.2)."""

from __future__ import annotations

import asyncio
import socket
import struct
import zlib

import pytest

from sip.net.stun import MAX_ANSWERS_PER_SECOND, StunServer, binding_answer
from tests.net.test_udp import listening, options, peer, receive

COOKIE = 0x2112A442
TRANSACTION = bytes(range(12))
SOURCE = ("192.0.2.1", 32853)


def binding_request(attributes: bytes = b"", *, kind: int = 1, cookie: int = COOKIE) -> bytes:
    return struct.pack("!HHI", kind, len(attributes), cookie) + TRANSACTION + attributes


def attribute(kind: int, value: bytes = b"") -> bytes:
    return struct.pack("!HH", kind, len(value)) + value + bytes(-len(value) % 4)


def with_fingerprint(message: bytes) -> bytes:
    (length,) = struct.unpack_from("!H", message, 2)
    message = message[:2] + struct.pack("!H", length + 8) + message[4:]
    return message + attribute(0x8028, struct.pack("!I", zlib.crc32(message) ^ 0x5354554E))


def test_a_binding_request_is_told_the_address_that_it_came_from() -> None:
    """RFC 5769 section 2.2: 192.0.2.1 port 32853 is written a147 e112a643."""
    answer = binding_answer(binding_request(), SOURCE)
    assert answer == (
        struct.pack("!HHI", 0x0101, 12, COOKIE) + TRANSACTION + bytes.fromhex("002000080001a147e112a643")
    )


def test_an_ipv6_address_is_hidden_by_the_transaction_id_too() -> None:
    """RFC 5769 section 2.3."""
    transaction = bytes.fromhex("b7e7a701bc34d686fa87dfae")
    request = struct.pack("!HHI", 1, 0, COOKIE) + transaction
    answer = binding_answer(request, ("2001:db8:1234:5678:11:2233:4455:6677", 32853))
    assert answer[20:].hex() == "002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9"


def test_a_request_with_a_fingerprint_is_answered_with_one() -> None:
    """RFC 5389 section 15.5."""
    answer = binding_answer(with_fingerprint(binding_request()), SOURCE)
    assert with_fingerprint(struct.pack("!HH", 0x0101, 12) + answer[4:-8]) == answer


def test_an_attribute_that_must_be_understood_and_is_not_is_420() -> None:
    """RFC 5389 section 7.3.1."""
    answer = binding_answer(
        binding_request(attribute(0x0024, b"\0\0\0\1") + attribute(0x8022, b"baresip")), SOURCE
    )
    assert answer[:2] == b"\x01\x11"
    assert b"\x04\x14Unknown Attribute" in answer
    assert answer.endswith(attribute(0x000A, b"\x00\x24"))
    assert len(answer) % 4 == 0


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0" * 19,
        binding_request(cookie=1),  # RFC 3489, which SIP's port never had
        binding_request(kind=0x0011),  # an indication
        binding_request(kind=0x0101),  # an answer: two servers would write to each other for ever
        binding_request(kind=0x0003),
        binding_request() + b"\0\0\0\0",
        binding_request(b"\x80\x22\x00\x09abcd"),
        binding_request(b"\x80\x22"),
        binding_request(attribute(0x8022, bytes(600))),
    ],
)
def test_anything_else_is_not_answered(data: bytes) -> None:
    assert binding_answer(data, SOURCE) == b""


def test_answers_are_bounded_in_each_second() -> None:
    server = StunServer()
    answers = [server.answer(binding_request(), SOURCE, 7.1) for _ in range(MAX_ANSWERS_PER_SECOND + 5)]
    assert sum(map(bool, answers)) == MAX_ANSWERS_PER_SECOND
    assert server.answer(binding_request(), SOURCE, 8.0)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_it_is_answered_on_the_sip_port_and_sip_goes_on(host: str):
    with listening(host) as (transport, _, _), peer(host) as phone:
        phone.sendto(binding_request(), transport.local)
        answer = await receive(phone)
        sent_by = f"[{host}]" if ":" in host else host
        phone.sendto(options(1, 1, sent_by), transport.local)
        sip = await receive(phone)
        assert answer == binding_answer(binding_request(), phone.getsockname()[:2])
    assert sip.startswith(b"SIP/2.0 200 ")


async def test_a_stun_message_that_is_not_answered_does_not_reach_sip():
    with listening() as (transport, _, driver), peer() as phone:
        phone.sendto(binding_request(kind=0x0101), transport.local)
        phone.sendto(options(1, 1), transport.local)
        assert (await receive(phone)).startswith(b"SIP/2.0 200 ")
        assert not driver.core.stack.counts["malformed"]
        with pytest.raises(BlockingIOError):
            phone.recv(100, socket.MSG_DONTWAIT)
        await asyncio.sleep(0)
