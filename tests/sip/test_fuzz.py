"""Damaged messages, thousands and always the same: nothing but an answer or silence comes of them."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from sip.core.digest import Authenticator, Credentials, Verdict, authorization
from sip.core.errors import RemoteProtocolError
from sip.core.flow import Flow
from sip.core.identifiers import Identifiers
from sip.core.inspection import inspect
from sip.core.message import Request, Response
from sip.core.parser import StreamParser, parse_message
from sip.core.registrar import Binding, bind, contact_lines
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
def test_a_stack_answers_damaged_requests_with_good_responses_and_never_raises(transport: str) -> None:
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


def test_a_stack_that_awaits_responses_takes_damaged_ones_and_never_raises() -> None:
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


def test_a_stream_of_damaged_messages_gives_frames_or_ends_and_never_raises_anything_else() -> None:
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


LOGIN = Credentials.of("1001", "valmont.example", "pw1001")


def credentials_of(authenticator: Authenticator) -> list[bytes]:
    """Good Authorization values for both algorithms."""
    challenges = authenticator.challenge(0.0)
    values = [line.partition(": ")[2] for line in challenges.split("\r\n") if line]
    lines = [
        authorization([value], "1001", "pw1001", "REGISTER", "sip:valmont.example", "c1") for value in values
    ]
    return [line.partition(": ")[2].rstrip("\r\n").encode() for line in lines]


def test_damaged_credentials_get_a_verdict_or_a_refusal_and_only_good_ones_are_accepted() -> None:
    """RFC 7616 section 3.4."""
    chance = random.Random(7616)
    authenticator = Authenticator("valmont.example", b"secret")
    verdicts: set[Verdict] = set()
    for _ in range(MESSAGES // 200):
        good = credentials_of(authenticator)
        for data in damaged(chance, good, 20):
            value = data.decode("utf-8", "surrogateescape")
            try:
                verdict, username = authenticator.verify(
                    [value],
                    "REGISTER",
                    "sip:valmont.example",
                    lambda name: LOGIN if name == "1001" else None,
                    1.0,
                )
            except RemoteProtocolError as error:
                assert 400 <= error.status < 500
                continue
            verdicts.add(verdict)
            assert verdict is not Verdict.ACCEPTED or username == "1001"
    assert verdicts == set(Verdict)


def test_damaged_challenges_are_answered_or_refused() -> None:
    """RFC 3261 section 22.2; a trunk's challenge is as hostile as anything."""
    chance = random.Random(8760)
    challenge = [
        b'Digest realm="r",nonce="n",qop="auth,auth-int",algorithm=SHA-256,opaque="o"',
        b"Digest realm=r",
    ]
    lines = 0
    for data in damaged(chance, challenge, MESSAGES // 10):
        value = data.decode("utf-8", "surrogateescape")
        try:
            line = authorization([value], "u", "p", "INVITE", "sip:trunk.example", "c1")
        except RemoteProtocolError:
            continue
        assert line.endswith("\r\n")
        assert line.count("\r\n") == 1
        lines += 1
    assert lines > MESSAGES // 200


REGISTERS = [
    f"REGISTER sip:valmont.example SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.77;branch=z9hG4bK1\r\n"
    f"From: <sip:1001@valmont.example>;tag=1\r\nTo: <sip:1001@valmont.example>\r\n"
    f"Call-ID: c1\r\nCSeq: 1 REGISTER\r\n"
    f"{contact}\r\n\r\n".encode()
    for contact in (
        "Contact: <sip:1001@192.0.2.77:5060;transport=udp>;expires=600;q=0.5",
        "Contact: *\r\nExpires: 0",
        "m: sip:1001@192.0.2.77, <sip:1001@[2001:db8::1]>;q=1.0\r\nExpires: 3600",
        "Contact: <sip:%00@host5.example.com>\r\nContact: <sip:%00%00@host5.example.com>",
    )
]


def test_damaged_registers_bind_or_are_refused_and_what_is_bound_can_be_written_back() -> None:
    """RFC 3261 section 10.3."""
    chance = random.Random(10)
    flow = Flow("UDP", ("192.0.2.1", 5060), ("192.0.2.77", 5060))
    bindings: tuple[Binding, ...] = ()
    bound = refused = 0
    for data in damaged(chance, REGISTERS, MESSAGES // 4):
        try:
            register = parse_message(data)
            if not isinstance(register, Request):
                continue
            register.flow = flow
            bindings = bind(bindings, register, "1001", 0.0)
        except RemoteProtocolError as error:
            assert 400 <= error.status < 600
            refused += 1
            bindings = () if len(bindings) >= 10 else bindings
            continue
        lines = contact_lines(bindings, 0.0)
        ok = parse_message(f"SIP/2.0 200 OK\r\n{lines}\r\n".encode("utf-8", "surrogateescape"))
        assert [contact.uri for contact in ok.contacts] == [binding.contact for binding in bindings]
        bound += 1
    assert bound > MESSAGES // 80
    assert refused > MESSAGES // 80
