"""Damaged messages, thousands and always the same: nothing but an answer or silence comes of them."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from sip.core.errors import RemoteProtocolError
from sip.core.flow import Flow
from sip.core.identifiers import Identifiers
from sip.core.inspection import inspect
from sip.core.message import Request, Response
from sip.core.parser import StreamParser, parse_message
from sip.core.stack import ServerTransaction, Stack
from tests.sip.test_parser import touch
from tests.sip.torture.notation import message, names

MESSAGES = 20_000
CORPUS = [message(name) for name in names()]
SCRAPS = [
    *[b"\r\n", b"\r\n\r\n", b"\n", b"\r", b"\x00", b"\xff", b" ", b"\t", b",", b";", b":", b"=", b'"', b"\\"],
    *[
        b"<",
        b">",
        b"*",
        b"%",
        b"%00",
        b"[",
        b"]",
        b"@",
        b"?",
        b"-1",
        b"0",
        b"4294967296",
        b"9" * 40,
        b"\xd9\xa3",
    ],
    *[b"SIP/2.0", b"SIP/3.0", b"sip:", b"tel:+33", b"z9hG4bK", b";tag=x", b";branch=", b";rport", b"\r\n "],
    *[
        b"ACK",
        b"CANCEL",
        b"INVITE",
        b"REGISTER",
        b"\r\nVia: ",
        b"\r\nl: ",
        b"\r\nCSeq: 1 INVITE",
        b"\r\nTo: <sip:a@b>",
    ],
]


def damaged(chance: random.Random, corpus: list[bytes], count: int) -> Iterator[bytes]:
    """`count` messages of the corpus, each with one to four injuries."""
    for _ in range(count):
        data = bytearray(chance.choice(corpus))
        for _ in range(chance.randint(1, 4)):
            place = chance.randrange(len(data) + 1)
            extent = chance.choice((1, 1, 2, 8, 40))
            match chance.randrange(7):
                case 0 if data:
                    data[place % len(data)] ^= 1 << chance.randrange(8)
                case 1:
                    del data[place : place + extent]
                case 2:
                    data[place:place] = data[place : place + extent] * chance.randint(1, 20)
                case 3 | 4:
                    data[place:place] = chance.choice(SCRAPS)
                case 5:
                    lines = data.split(b"\r\n")
                    chance.shuffle(lines)
                    data = bytearray(b"\r\n".join(lines))
                case _:
                    other = chance.choice(corpus)
                    data[place:] = other[chance.randrange(len(other)) :]
        yield bytes(data)


class Reader:
    """A transaction user that reads everything, then answers."""

    def __init__(self) -> None:
        self.stack = Stack(self, Identifiers(b"fuzz"))
        self.requests = 0
        self.responses = 0

    def request_received(self, request: Request, transaction: ServerTransaction, now: float) -> None:
        touch(request)
        inspect(request)
        self.requests += 1
        self.stack.respond(transaction, 200, now)

    def ack_received(self, ack: Request, now: float) -> None:
        touch(ack)

    def response_received(self, response: Response, now: float) -> None:
        touch(response)
        assert response.to.uri
        self.responses += 1

    def no_response(self, reason: str, now: float) -> None:
        raise AssertionError(f"no time passes: {reason}")

    def take(self) -> list[bytes]:
        sent = [data for _, data in self.stack.outbox]
        self.stack.outbox.clear()
        return sent


@pytest.mark.parametrize("transport", ["UDP", "TCP"])
def test_a_stack_answers_damaged_requests_with_good_responses_and_never_raises(transport):
    chance = random.Random(4475)
    flow = Flow(transport, ("192.0.2.1", 5060), ("192.0.2.77", 5060))
    answers = requests = 0
    for batch in range(MESSAGES // 400):
        reader = Reader()
        for data in damaged(chance, CORPUS, 200):
            reader.stack.receive(data, flow, float(batch))
            for answer in reader.take():
                assert isinstance(parse_message(answer), Response)
                answers += 1
        requests += reader.requests
    assert answers > MESSAGES // 8  # or the fuzz would be testing nothing but the first line
    assert requests > MESSAGES // 80


RESPONSES = [
    f"SIP/2.0 {status} Whatever\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKfuzz\r\n"
    f'From: "A" <sip:a@example.com>;tag=1\r\nTo: <sip:b@example.com>;tag=2\r\nCall-ID: c@192.0.2.1\r\n'
    f"CSeq: 1 {method}\r\nContact: <sip:b@192.0.2.77>\r\nContent-Length: 0\r\n\r\n".encode()
    for status in (100, 180, 200, 302, 401, 486, 500, 603)
    for method in ("INVITE", "OPTIONS")
]


def test_a_stack_that_awaits_responses_takes_damaged_ones_and_never_raises():
    chance = random.Random(3261)
    flow = Flow("UDP", ("192.0.2.1", 5060), ("192.0.2.77", 5060))
    responses = 0
    for batch in range(MESSAGES // 40):
        reader = Reader()
        for method in ("INVITE", "OPTIONS"):
            data = RESPONSES[0].replace(
                b"SIP/2.0 100 Whatever", method.encode() + b" sip:b@example.com SIP/2.0"
            )
            data = data.replace(b"CSeq: 1 INVITE", b"CSeq: 1 " + method.encode())
            reader.stack.send_request(method, "z9hG4bKfuzz", data, flow, reader, 0.0)
        reader.take()
        for data in damaged(chance, RESPONSES, 20):
            reader.stack.receive(data, flow, float(batch))
            for sent in reader.take():
                assert isinstance(parse_message(sent), Request | Response)
        responses += reader.responses
    assert responses > MESSAGES // 80


def test_a_stream_of_damaged_messages_gives_frames_or_ends_and_never_raises_anything_else():
    chance = random.Random(5118)
    frames = ends = 0
    parser = StreamParser()
    for data in damaged(chance, CORPUS, MESSAGES // 4):
        try:
            frames += len(parser.feed(data))
        except RemoteProtocolError:
            ends += 1
            parser = StreamParser()
    assert frames > 0
    assert ends > 0
