"""Every pair of different parties that docs/interworking.md has: who gets what, or 488."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest

from tests.scenarios.town import PLAN_TEXT, SECRETS, Town, TownPhone, start
from tests.sim.phone import RTP_PORT
from tests.sim.wire import Message
from tests.sim.world import World, run
from tests.tables import assert_table

PAYLOAD_TYPES = {"G.711": (8, "PCMA/8000"), "G.722": (9, "G722/8000"), "Opus": (96, "opus/48000/2")}
SUITE = "AES_CM_128_HMAC_SHA1_80"
EVENTS = (101, "telephone-event/8000")


@dataclass(frozen=True)
class Sound:
    """What a party can do: codecs by name, events beside them, encrypted or not."""

    codecs: tuple[str, ...]
    events: bool = True
    secure: bool = False

    def body(self, phone: TownPhone, tag: str = "1") -> bytes:
        """The session description that says so. tag: of its key."""
        numbers = [PAYLOAD_TYPES[name] for name in self.codecs] + [EVENTS] * self.events
        profile = "RTP/SAVP" if self.secure else "RTP/AVP"
        crypto = f"a=crypto:{tag} {SUITE} inline:" + "A" * 40 + "\r\n"
        maps = "".join(f"a=rtpmap:{number} {name}\r\n" for number, name in numbers)
        return (
            f"v=0\r\no=- 1 1 IN IP4 {phone.host.address}\r\ns=-\r\nc=IN IP4 {phone.host.address}\r\nt=0 0\r\n"
            f"m=audio {RTP_PORT} {profile} {' '.join(str(number) for number, _ in numbers)}\r\n{maps}"
            f"{crypto if self.secure else ''}a=ptime:20\r\na=sendrecv\r\n"
        ).encode()

    def answer(self, phone: TownPhone, offer: bytes) -> bytes:
        """The answer to an offer: its first codec that is known here; empty when there is none."""
        text = offer.decode()
        if ("RTP/SAVP" in text) != self.secure:
            return b""
        offered = [
            line.split(" ", 1)[1].strip() for line in text.splitlines() if line.startswith("a=rtpmap:")
        ]
        known = {PAYLOAD_TYPES[name][1]: name for name in self.codecs}
        chosen = [known[line] for line in offered if line in known]
        events = self.events and EVENTS[1] in offered
        suites = [line.split()[:2] for line in text.splitlines() if line.startswith("a=crypto:")]
        # RFC 4568 section 5.1.2: the tag of the line that was taken.
        tags = [tag.removeprefix("a=crypto:") for tag, suite in suites if suite == SUITE]
        return Sound((chosen[0],), events, self.secure).body(phone, *tags) if chosen else b""


DESK = Sound(("G.711",))
NATIONAL = "national:      [internal, national, mobile, toll_free, shared_cost, short]"
INTERNE = "interne:       [internal]"


def plan_for(hers: Sound, his: Sound) -> str:
    """The plan with SRTP required of the class of 1001, of that of 2202, or of both."""
    text = PLAN_TEXT
    for line, sound in ((NATIONAL, hers), (INTERNE, his)):
        assert line in text
        if sound.secure:
            name, _, rights = line.partition(":")
            text = text.replace(line, f"{name}: {{rights: {rights.strip()}, srtp: required}}")
    return text


async def invite(phone: TownPhone, sound: Sound) -> None:
    """Call 2202, the challenge answered."""
    phone.send("INVITE", "2202", body=sound.body(phone))
    phone.authenticate(await phone.expect(401))


async def refused_or_asked(world: World, alice: TownPhone, bruno: TownPhone) -> Message:
    """The INVITE that bruno gets, or the 488 that alice gets."""
    await world.sleep(0.1)
    return await (bruno.expect("INVITE") if bruno.inventory() else alice.expect(488))


async def connect(
    world: World, alice: TownPhone, bruno: TownPhone, hers: Sound, his: Sound
) -> tuple[bytes, bytes]:
    """A call as far as it comes; returns the offer that arrived and the answer that came back, or nothing.

    What bruno can't take he refuses with 488, as often as he is asked.
    """
    await invite(alice, hers)
    asked = await refused_or_asked(world, alice, bruno)
    while not asked.status:
        body = his.answer(bruno, asked.body)
        if body:
            bruno.reply(asked, 200, body=body)
            await bruno.expect("ACK")
            answer = await alice.expect(200)
            alice.ack(answer)
            return asked.body, answer.body
        bruno.reply(asked, 488)
        await bruno.expect("ACK")
        asked = await refused_or_asked(world, alice, bruno)
    return b"", b""


def in_a_town(
    play: Callable[[World, Town, TownPhone, TownPhone], Awaitable[str]], plan_text: str = PLAN_TEXT
) -> str:
    """A cell: what `play` finds with Alice's and Bruno's phones registered, and nothing left after it."""

    async def body(world: World) -> str:
        town = await start(world, plan_text)
        alice, bruno = await town.phones("1001", "2202")
        return await play(world, town, alice, bruno)

    return run(body)


# --- Ringing -----------------------------------------------------------------------------------------------

CALLERS = {
    "doesn't know it": {},
    "knows it": {"Supported": "100rel"},
    "requires it": {"Require": "100rel"},
}


def ringing(headers: dict[str, str], reliably: bool) -> str:
    async def play(world: World, town: Town, alice: TownPhone, bruno: TownPhone) -> str:
        alice.headers.update(headers)
        await invite(alice, DESK)
        alice.headers.clear()
        asked = await bruno.expect("INVITE")
        if reliably:
            bruno.progress(asked, 1, 180)
            bruno.reply(await bruno.expect("PRACK"), 200)
        else:
            bruno.reply(asked, 180)
        rings = await alice.expect(180)
        acknowledged = bool(rings.all("RSeq"))
        if acknowledged:
            alice.prack(rings)
            await alice.expect("200 PRACK")
        bruno.answer(asked)
        await bruno.expect("ACK")
        alice.ack(await alice.expect("200 INVITE"))
        await town.hang_up(alice, bruno)
        return "180, acknowledged" if acknowledged else "180"

    return in_a_town(play)


def test_ringing_that_must_arrive_meets_ringing_that_may_be_lost() -> None:
    """RFC 3262 sections 3 and 4: whether it must arrive is each leg's own affair."""
    cells = {
        name: {
            "called: doesn't know it": ringing(headers, reliably=False),
            "called: rings so": ringing(headers, reliably=True),
        }
        for name, headers in CALLERS.items()
    }
    assert_table("ringing", cells)


# --- Sound -------------------------------------------------------------------------------------------------

OFFERS = {
    "G.711": Sound(("G.711",)),
    "G.722": Sound(("G.722",)),
    "Opus": Sound(("Opus",)),
    "Opus, G.722, G.711": Sound(("Opus", "G.722", "G.711")),
    "SRTP, G.711": Sound(("G.711",), secure=True),
}
ABILITIES = {
    "G.711": Sound(("G.711",)),
    "G.722": Sound(("G.722",)),
    "Opus": Sound(("Opus",)),
    "SRTP alone": Sound(("G.711",), secure=True),
}


def sound(hers: Sound, his: Sound) -> str:
    async def play(world: World, town: Town, alice: TownPhone, bruno: TownPhone) -> str:
        _, answer = await connect(world, alice, bruno, hers, his)
        if not answer:
            return "488"
        await town.hang_up(alice, bruno)
        (heard,) = [name for name, (_, mapped) in PAYLOAD_TYPES.items() if mapped.encode() in answer]
        codecs = [NAMES[leg.codec or ""] for call in town.calls for leg in call.legs]
        assert codecs[0] == heard
        assert (b"RTP/SAVP" in answer and b"a=crypto:" in answer) == hers.secure
        return heard if codecs == [heard] * 2 else " into ".join(codecs)

    return in_a_town(play, plan_for(hers, his))


NAMES = {mapped.split("/")[0]: name for name, (_, mapped) in PAYLOAD_TYPES.items()}


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """The passwords that the plan takes from the environment."""
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)


def test_what_both_know_passes_and_everything_else_is_converted(secrets: None) -> None:
    """RFC 3264 section 6, RFC 4568 section 5.1: keys are each party's own."""
    assert_table(
        "sound",
        {
            offer: {able: sound(hers, his) for able, his in ABILITIES.items()}
            for offer, hers in OFFERS.items()
        },
    )


# --- Keys --------------------------------------------------------------------------------------------------


def keys(hers: Sound, his: Sound, by_info: bool) -> str:
    async def play(world: World, town: Town, alice: TownPhone, bruno: TownPhone) -> str:
        offer, answer = await connect(world, alice, bruno, hers, his)
        if by_info:
            alice.headers["Content-Type"] = "application/dtmf-relay"
            alice.send("INFO", body=b"Signal=5\r\nDuration=160\r\n")
            alice.headers.clear()
            await alice.expect("200 INFO")
            await world.sleep(0.1)
        await town.hang_up(alice, bruno)
        understood = EVENTS[1].encode() in offer and his.events
        sent = [asked.detail for asked in town.engine.asked if asked.verb == "dtmf"]
        if by_info:
            assert sent == ["5"]  # the engine sends events, or the tone where there are none
            return "events" if understood else "tones"
        assert (EVENTS[1].encode() in answer) == hers.events  # hers are taken, whatever he has
        if hers.events:
            return "events" if understood else "tones"
        return "events, from the tones" if understood else "stay tones"

    return in_a_town(play)


def test_keys_become_what_the_other_party_understands() -> None:
    """RFC 4733, RFC 6086. What the media process does with them is in tests/media."""
    silent = Sound(("G.711",), events=False)
    ways = {"events": (DESK, False), "INFO": (DESK, True), "tones": (silent, False)}
    cells = {
        way: {
            "called: events": keys(hers, DESK, by_info),
            "called: tones alone": keys(hers, silent, by_info),
        }
        for way, (hers, by_info) in ways.items()
    }
    assert_table("keys", cells)
