"""Encrypted sound: what the plan says of classes and trunks, and what no emergency call is refused for."""

from __future__ import annotations

import pytest

from tests.scenarios.town import PLAN_TEXT, SECRETS, Town, TownPhone, start
from tests.sim.world import World, scenario

KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwd"  # a counting one, of no use to anybody
CRYPTO = f"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}\r\n".encode()
NATIONAL = "national:      [internal, national, mobile, toll_free, shared_cost, short]"
INTERNE = "interne:       [internal]"


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)


def with_class(rule: str) -> str:
    """The plan with a rule for the class of 1001, 1002, 2010, 2201, …; 2202 and 2401 are of another."""
    rights = NATIONAL.partition(":")[2].strip()
    assert NATIONAL in PLAN_TEXT
    return PLAN_TEXT.replace(NATIONAL, f"national: {{rights: {rights}, srtp: {rule}}}")


def with_trunk(name: str, rule: str) -> str:
    """The plan with a rule for a trunk."""
    line = f"    host: sip.{name}.example\n"
    assert line in PLAN_TEXT
    return PLAN_TEXT.replace(line, f"{line}    srtp: {rule}\n")


def secure_sdp(phone: TownPhone, profile: str = "RTP/SAVP", crypto: bytes = CRYPTO) -> bytes:
    """A description with a key."""
    return phone.sdp().replace(b"RTP/AVP", profile.encode()) + crypto


async def call_with(phone: TownPhone, number: str, body: bytes) -> None:
    """Call with this offer; the challenge is answered."""
    phone.send("INVITE", number, body=body)
    phone.authenticate(await phone.expect(401))


def secured(town: Town) -> list[str]:
    """What the engine was told of SRTP: `a required`."""
    return [f"{asked.leg} {asked.detail}" for asked in town.engine.asked if asked.verb == "secure"]


# Who has which rule


@scenario()
async def test_over_udp_nothing_is_said_where_the_plan_says_nothing(world: World) -> None:
    town = await start(world)
    alice, bruno = await town.phones("1001", "1002")
    await town.talk(alice, bruno)
    assert secured(town) == []
    await town.hang_up(alice, bruno)


@scenario()
async def test_over_tls_keys_are_preferred_where_the_plan_says_nothing(world: World) -> None:
    """RFC 4568 section 7: there they are a secret. 1002 is reached over UDP."""
    town = await start(world)
    listener = town.host.listen(5061, town.node._accept, "TLS")
    world.closing.callback(listener.close)
    alice = town.phone("1001")
    alice.server = (alice.server[0], 5061)
    await alice.connect("TLS")
    (bruno,) = await town.phones("1002")
    await town.talk(alice, bruno)
    assert secured(town) == ["a preferred"]
    await town.hang_up(alice, bruno)


@scenario()
async def test_a_class_says_it_for_both_ends(world: World) -> None:
    town = await start(world, with_class("preferred"))
    alice, bruno = await town.phones("1001", "1002")
    await town.talk(alice, bruno)
    assert secured(town) == ["a preferred", "b1 preferred"]
    await town.hang_up(alice, bruno)


@scenario()
async def test_a_trunk_says_it_for_itself(world: World) -> None:
    town = await start(world, with_trunk("operateur-b", "preferred"))
    (alice,) = await town.phones("1001")
    b = town.operator("operateur-b")
    await alice.call("00612345678")
    b.reply(await b.expect("INVITE"), 486)
    await b.expect("ACK")
    await alice.expect(486)
    assert secured(town) == ["b1 preferred"]
