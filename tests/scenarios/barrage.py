"""A barrage: a seeded stream of damaged messages, from everywhere, at the whole exchange.

The corpus is the torture tests' and what telephones and operators say. Sites and trunks are among the
sources, since what they send goes deepest: emergency calls and calls from operators need no credentials.
Everything that the exchange sends back must be a whole message, on the address that the barrage spoke from.
"""

from __future__ import annotations

import random
import re
from collections import Counter

from sip.core.errors import ParseError
from sip.core.flow import Flow
from sip.core.parser import parse_message
from tests.scenarios.town import BEFFROI, DOMAIN, Town
from tests.sip.test_fuzz import CORPUS, SCRAPS, damaged

BATCH = 50
SECONDS_A_BATCH = 0.2
CALM_SECONDS = 200.0  # what rings, rings out, what is announced, gives up, and every transaction ends
# What is over by then. Bindings, subscriptions and presence last as long as was asked.
ENDS = (
    "server transactions",
    "client transactions",
    "merged requests",
    "large requests",
    "sessions",
    "calls",
    "tasks",
    "outbox",
)
SDP = (
    "v=0\r\no=- 1 1 IN IP4 10.54.1.9\r\ns=-\r\nc=IN IP4 10.54.1.9\r\nt=0 0\r\n"
    "m=audio 4000 RTP/AVP 8 101\r\na=rtpmap:101 telephone-event/8000\r\n"
)
_NUMBERED = re.compile(rb"@@")


def _said(method: str, uri: str, *lines: str, body: str = "") -> bytes:
    head = "".join(f"{line}\r\n" for line in lines)
    kind = f"Content-Type: application/sdp\r\nContent-Length: {len(body)}\r\n" if body else "l: 0\r\n"
    return (
        f"{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP 10.54.1.9:5060;branch=z9hG4bK@@;rport\r\n"
        f'From: "Barrage" <sip:2010@{DOMAIN}>;tag=f@@\r\nTo: <{uri}>\r\nCall-ID: c@@\r\n'
        f"CSeq: 1 {method}\r\nMax-Forwards: 70\r\nContact: <sip:2010@10.54.1.9:5060>\r\n"
        f"{head}{kind}\r\n{body}"
    ).encode()


SPOKEN = [
    _said("INVITE", f"sip:18@{DOMAIN}", body=SDP),
    _said("INVITE", "sip:+33383000100@valmont.example", "P-Asserted-Identity: <tel:+33699999999>", body=SDP),
    _said("INVITE", "sip:+33383001010@valmont.example", "Privacy: id", "Supported: 100rel, timer", body=SDP),
    _said("INVITE", f"sip:1002@{DOMAIN}", "Replaces: c1;to-tag=1;from-tag=2", "Require: replaces", body=SDP),
    _said("REGISTER", f"sip:{DOMAIN}", "Expires: 600", "Supported: path, outbound, gruu"),
    _said("OPTIONS", f"sip:{DOMAIN}", "Accept: application/sdp"),
    _said("MESSAGE", f"sip:1002@{DOMAIN}"),
    _said("SUBSCRIBE", f"sip:1002@{DOMAIN}", "Event: dialog", "Expires: 60"),
    _said("PUBLISH", f"sip:1002@{DOMAIN}", "Event: presence", "SIP-If-Match: x"),
    _said("REFER", f"sip:1002@{DOMAIN}", "Refer-To: <sip:18@valmont.example?Replaces=a%3Bto-tag%3Db>"),
    _said("CANCEL", f"sip:18@{DOMAIN}"),
    _said("ACK", f"sip:18@{DOMAIN}"),
    _said("BYE", f"sip:18@{DOMAIN}", "Reason: Q.850;cause=16"),
    _said("UPDATE", f"sip:18@{DOMAIN}", "Session-Expires: 90;refresher=uas", body=SDP),
    _said("PRACK", f"sip:18@{DOMAIN}", "RAck: 1 1 INVITE"),
    _said("INFO", f"sip:18@{DOMAIN}"),
    _said("NOTIFY", f"sip:18@{DOMAIN}", "Event: refer", "Subscription-State: active"),
]
SOURCES = ("10.54.1", "10.54.2", "10.54.3", "203.0.113", "198.51.100", "2001:db8:5:6:")
TRUNKS = ("203.0.113.1", "203.0.113.2")


class Sink(Flow):
    """Where answers to one source go: counted, and held against what an answer must be."""

    def __init__(self, barrage: Barrage, transport: str, remote: tuple[str, int], source: str = "") -> None:
        super().__init__(transport, BEFFROI, remote)
        self._barrage = barrage
        self._source = source or remote[0]

    def toward(self, remote: tuple[str, int]) -> Flow:
        return Sink(self._barrage, self.transport, remote, self._source)

    def send(self, data: bytes) -> None:
        # RFC 3261 section 12.2.1.1: requests within a dialog go to its Contact, wherever that is.
        if data.startswith(b"SIP/2.0 "):
            assert self.remote[0] == self._source, f"reflected from {self._source} to {self.remote}"
        self._barrage.take(data)


class Barrage:
    """Feeds a town's exchange; `counts` says what came of it. The same seed makes the same messages."""

    def __init__(self, town: Town, seed: int) -> None:
        self.seed = seed
        self._town = town
        self._chance = random.Random(seed)
        self._corpus = [*CORPUS, *SPOKEN * 6]
        self._number = 0
        self.counts: Counter[str] = Counter()

    async def run(self, messages: int) -> None:
        """Send so many messages, and let the time of a busy network pass between them."""
        driver = self._town.exchange.driver
        while messages > 0:
            batch = min(BATCH, messages)
            for data in damaged(self._chance, self._corpus, batch):
                if self._chance.random() < 0.5:
                    data = self._bruised()
                self._number += 1
                numbered = _NUMBERED.sub(b"%d" % self._number, data)
                driver.receive(numbered, self._flow(), driver.now)
            driver.flush()
            messages -= batch
            self.counts["messages"] = self._number
            await self._town.world.sleep(SECONDS_A_BATCH)

    async def calm(self) -> None:
        """Let what was begun come to its end.

        AssertionError where something doesn't, with the seed that makes it again and the requests that nobody
        has answered.
        """
        await self._town.world.sleep(CALM_SECONDS)
        counts = self._town.exchange.inventory()
        left = {name: counts[name] for name in ENDS if counts[name]}
        if left:
            requests = b"\n".join(self._town.exchange.core.stack.unanswered())
            raise AssertionError(
                f"seed {self.seed}: after {self._number} messages and {CALM_SECONDS:g} s {left} is left\n"
                + requests.decode("utf-8", "backslashreplace")
            )

    def take(self, data: bytes) -> None:
        """One message that the exchange sent to a source of the barrage."""
        try:
            parse_message(data)
        except ParseError as error:
            raise AssertionError(f"what we sent is malformed: {error}: {data!r}") from error
        self.counts[data.split(b" ", 2)[1].decode() if data.startswith(b"SIP/2.0 ") else "requests"] += 1

    def _bruised(self) -> bytes:
        """A good message with a scrap in one of its values, or with nothing wrong: most of these are read."""
        chance = self._chance
        lines = chance.choice(SPOKEN).split(b"\r\n")
        if chance.random() < 0.8:
            place = chance.randrange(1, len(lines))
            name, colon, value = lines[place].partition(b":")
            cut = chance.randrange(len(value) + 1)
            scrap = chance.choice(SCRAPS).replace(b"\r\n", b" ")
            lines[place] = name + colon + value[:cut] + scrap + value[cut + chance.randint(0, 3) :]
        return b"\r\n".join(lines)

    def _flow(self) -> Flow:
        chance = self._chance
        if chance.random() < 0.2:
            host = chance.choice(TRUNKS)
        else:
            start = chance.choice(SOURCES)
            host = f"{start}{':' if ':' in start else '.'}{chance.randint(3, 250)}"
        transport = chance.choice(("UDP", "UDP", "UDP", "TCP", "TLS", "WS"))
        return Sink(self, transport, (host, chance.choice((5060, 5060, 31_000))))
