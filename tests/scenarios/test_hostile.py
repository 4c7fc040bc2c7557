"""Hostile input, one kind a test: nothing is reflected, nothing of a peer's ends a line of ours."""

from __future__ import annotations

import logging

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pbx.records import CallRecord
from sip.core.flow import Flow
from sip.core.identifiers import Identifiers
from sip.core.message import Request, Response
from sip.core.parser import MAX_HEADER_LINES, parse_message
from sip.core.stack import ServerTransaction, Stack
from tests.scenarios.test_defence import Stranger
from tests.scenarios.town import DOMAIN, start
from tests.sim.world import World, scenario

SDP = b"v=0\r\no=- 1 1 IN IP4 10.54.1.10\r\ns=-\r\nc=IN IP4 10.54.1.10\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n"


def request(method: str = "OPTIONS", *lines: bytes, body: bytes = b"", length: int | None = None) -> bytes:
    head = b"".join(line + b"\r\n" for line in lines)
    return (
        f"{method} sip:{DOMAIN} SIP/2.0\r\nVia: SIP/2.0/UDP 203.0.113.66:5099;branch=z9hG4bKh;rport\r\n"
        f"From: <sip:a@{DOMAIN}>;tag=1\r\nTo: <sip:{DOMAIN}>\r\nCall-ID: h\r\nCSeq: 1 {method}\r\n"
        f"Max-Forwards: 70\r\n".encode()
        + head
        + f"Content-Length: {len(body) if length is None else length}\r\n\r\n".encode()
        + body
    )


async def status(world: World, data: bytes) -> int:
    """What a stranger's message is answered with; 0 for silence. The exchange is unhurt, and says so."""
    town = await start(world)
    stranger = Stranger(world)
    stranger.raw(data)
    await world.sleep(1)
    assert town.exchange.core.stack.counts["internal error"] == 0
    return int(stranger.answers[0].split()[1]) if stranger.answers else 0


@scenario()
async def test_a_flood_of_headers_is_too_large(world: World) -> None:
    """RFC 3261 section 21.5.7."""
    flood = [b"X-%d: 1" % number for number in range(MAX_HEADER_LINES + 1)]
    assert await status(world, request("OPTIONS", *flood)) in (0, 513)


@scenario()
async def test_as_many_headers_as_we_take_are_taken(world: World) -> None:
    some = [b"X-%d: 1" % number for number in range(MAX_HEADER_LINES - 8)]
    assert await status(world, request("OPTIONS", *some)) == 200


@pytest.mark.parametrize("length", [1, 60_000, -1, 2**63])
@scenario()
async def test_a_body_shorter_than_it_says_is_refused(world: World, length: int) -> None:
    """RFC 3261 section 18.3."""
    assert await status(world, request("OPTIONS", length=length)) == 400


@scenario()
async def test_two_lengths_are_refused(world: World) -> None:
    assert await status(world, request("OPTIONS", b"Content-Length: 5", body=b"12345", length=4)) == 400


@scenario()
async def test_a_multipart_nested_a_thousand_deep_is_not_read(world: World) -> None:
    """RFC 5621: what isn't SDP is opaque to us."""
    body = b"".join(
        b"--b%d\r\nContent-Type: multipart/mixed;boundary=b%d\r\n\r\n" % (depth, depth + 1)
        for depth in range(900)
    )
    data = request("INVITE", b'Content-Type: multipart/mixed;boundary="b0"', body=body)
    assert await status(world, data) in (401, 415, 488)


@scenario()
async def test_a_body_of_the_size_of_a_datagram_does_no_harm(world: World) -> None:
    assert await status(world, request("OPTIONS", body=b"a" * 60_000)) in (200, 513)


@pytest.mark.parametrize(
    "line",
    [
        b"Subject: a\rX-Injected: 1",
        b"Subject: a\nX-Injected: 1",
        b"Subject: a\x00b",
        b"Subject: a\n\r\nX-Injected: 1",
    ],
)
@scenario()
async def test_a_bare_end_of_line_is_dropped_without_an_answer(world: World, line: bytes) -> None:
    """An answer would carry it back."""
    assert await status(world, request("OPTIONS", line)) == 0


@pytest.mark.parametrize(
    "via",
    [
        "SIP/2.0/UDP 192.0.2.200:53;branch=z9hG4bKv",
        "SIP/2.0/UDP 192.0.2.200;branch=z9hG4bKv;rport",
        "SIP/2.0/UDP 203.0.113.66:5099;branch=z9hG4bKv;received=192.0.2.200;rport=53",
        "SIP/2.0/UDP 203.0.113.66:5099;branch=z9hG4bKv;maddr=192.0.2.200",
        "SIP/2.0/UDP victim.example;branch=z9hG4bKv, SIP/2.0/UDP 192.0.2.200;branch=z9hG4bKw",
    ],
)
@scenario()
async def test_an_answer_goes_to_no_address_but_the_one_it_came_from(world: World, via: str) -> None:
    """RFC 3261 section 18.2.2 without maddr: nobody is hit by reflection."""
    await start(world)
    victim = world.host("victim", "192.0.2.200")
    hit: list[bytes] = []
    endpoints = [victim.bind(port, lambda data, flow: hit.append(data)) for port in (53, 5060)]
    stranger = Stranger(world)
    own = "SIP/2.0/UDP 203.0.113.66:5099;branch=z9hG4bKh;rport"
    stranger.raw(request("OPTIONS").replace(own.encode(), via.encode()))
    await world.sleep(40)
    for endpoint in endpoints:
        endpoint.close()
    assert hit == []


@scenario()
async def test_a_contact_of_somebody_else_is_sent_nothing_by_a_refusal(world: World) -> None:
    await start(world)
    victim = world.host("victim", "192.0.2.200")
    hit: list[bytes] = []
    endpoint = victim.bind(5060, lambda data, flow: hit.append(data))
    stranger = Stranger(world)
    for method in ("REGISTER", "INVITE", "OPTIONS", "SUBSCRIBE"):
        stranger.raw(request(method, b"Contact: <sip:a@192.0.2.200:5060>", b"Route: <sip:192.0.2.200;lr>"))
    await world.sleep(40)
    endpoint.close()
    assert hit == []


HOSTILE_NAMES = [
    '"Eve\\" <sip:x@y>;tag=z"',
    '"a\\\r\\\nVia: b"',
    '"\\\x1b[2J"',
    '"Ève  %0d%0aX: 1"',
    "%0d%0aX",
]


@pytest.mark.parametrize("name", HOSTILE_NAMES, ids=range(len(HOSTILE_NAMES)))
@scenario()
async def test_a_callers_display_name_ends_no_line_anywhere(world: World, name: str) -> None:
    """Towards the called telephone, in the log and in the record; RFC 3261 section 25.1 quoted-pair."""
    town = await start(world)
    (bruno,) = await town.phones("1002")
    lines: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger("pbx").addHandler(handler)
    operator = town.operator("operateur-a")
    operator.server = ("10.54.0.10", 5060)
    operator.headers["From"] = f"{name} <sip:+33699999999@sip.operateur-a.example>;tag=1"
    operator.headers["User-Agent"] = "x\x1b[2J"
    operator.headers["Reason"] = 'SIP;cause=200;text="a%0d%0ab"'
    operator.uri = f"sip:+33383000100@{DOMAIN}"
    operator.invite("+33383000100")
    await world.sleep(5)
    logging.getLogger("pbx").removeHandler(handler)
    bruno._inbox.clear()
    operator._inbox.clear()
    assert not [line for line in lines if "\n" in line or "\r" in line]
    assert not [
        record
        for record in town.journal.written
        if isinstance(record, CallRecord) and not (record.from_name + record.from_).isprintable()
    ]
    await world.sleep(200)
    operator._inbox.clear()


# A grammar that makes mostly good messages of mostly bad values.

TOKENS = st.text(st.sampled_from("abcXYZ019-.!%*_+`'~"), min_size=1, max_size=20)
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\x00"), max_size=40)
QUOTED = TEXTS.map(lambda text: '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"')
HOSTS = st.sampled_from(
    ["valmont.example", "192.0.2.1", "[2001:db8::1]", "[::ffff:1.2.3.4]", "a", "-", "1.2.3"]
)
PARAMETERS = st.lists(
    st.builds(lambda name, value: f";{name}={value}", TOKENS, TOKENS | QUOTED), max_size=3
).map("".join)
URIS = st.builds(
    lambda scheme, user, host, port, tail: f"{scheme}:{user}@{host}{port}{tail}",
    st.sampled_from(["sip", "sips", "tel", "SIP", "x"]),
    TOKENS | TEXTS,
    HOSTS,
    st.sampled_from(["", ":5060", ":0", ":99999", ":"]),
    PARAMETERS,
)
ADDRESSES = st.builds(
    lambda name, uri, tail: f"{name} <{uri}>{tail}", QUOTED | TOKENS | st.just(""), URIS, PARAMETERS
)
NUMBERS = st.integers(-1, 2**40).map(str) | TOKENS
HEADERS = st.one_of(
    st.builds(
        lambda name, value: f"{name}: {value}",
        st.sampled_from(["Contact", "m", "Route", "Refer-To"]),
        ADDRESSES,
    ),
    st.builds(
        lambda name, value: f"{name}: {value}", st.sampled_from(["Expires", "RSeq", "l", "Min-SE"]), NUMBERS
    ),
    st.builds(lambda name, value: f"{name}: {value}", TOKENS, TEXTS),
    st.builds(
        lambda value: f"Authorization: Digest {value}",
        st.lists(st.builds(lambda name, value: f"{name}={value}", TOKENS, TOKENS | QUOTED), max_size=6).map(
            ",".join
        ),
    ),
)
MESSAGES = st.builds(
    lambda method, uri, sender, to, cseq, headers, body: (
        (
            f"{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.77;branch=z9hG4bK1;rport\r\n"
            f"From: {sender}\r\n"
            f"To: {to}\r\nCall-ID: c\r\nCSeq: {cseq} {method}\r\n"
            + "".join(f"{line}\r\n" for line in headers)
        ).encode("utf-8", "surrogatepass")
        + b"\r\n"
        + body
    ),
    st.sampled_from(["INVITE", "REGISTER", "OPTIONS", "BYE", "MESSAGE"]) | TOKENS,
    URIS,
    ADDRESSES,
    ADDRESSES,
    NUMBERS,
    st.lists(HEADERS, max_size=8),
    st.binary(max_size=60),
)


class Accepting:
    """A transaction user that answers whatever it gets."""

    def __init__(self) -> None:
        self.stack = Stack(self, Identifiers(b"hypothesis"))

    def request_received(self, request: Request, transaction: ServerTransaction, now: float) -> None:
        self.stack.respond(transaction, 200, now)

    def ack_received(self, ack: Request, now: float) -> None:
        """Nothing to do."""


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(MESSAGES)
def test_whatever_the_grammar_makes_is_answered_well_or_not_at_all(data: bytes) -> None:
    """No header that the request hasn't, and no line that we didn't write, is in the answer."""
    accepting = Accepting()
    accepting.stack.receive(data, Flow("UDP", ("192.0.2.1", 5060), ("192.0.2.77", 5060)), 0.0)
    for _, answer in accepting.stack.outbox:
        parsed = parse_message(answer)
        assert isinstance(parsed, Response)
        assert set(parsed.headers) <= {
            "via",
            "from",
            "to",
            "call-id",
            "cseq",
            "content-length",
            "timestamp",
            "record-route",
        }
        assert all(
            len(parsed.headers[name]) == 1
            for name in ("from", "to", "call-id", "cseq")
            if name in parsed.headers
        )
