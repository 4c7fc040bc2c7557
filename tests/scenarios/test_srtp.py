"""Encrypted sound: what the plan says of classes and trunks, and what no emergency call is refused for."""

from __future__ import annotations

import pytest

from tests.scenarios.town import PLAN_TEXT, SECRETS, Town, TownPhone, start
from tests.sim.wire import Message
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


def secure_answer(phone: TownPhone, offer: bytes) -> bytes:
    """The answer that takes this suite; its line has the offer's tag (RFC 4568 section 5.1.2)."""
    (line,) = [line for line in crypto_of(offer) if b" AES_CM_128_HMAC_SHA1_80 " in line]
    return secure_sdp(phone, crypto=CRYPTO.replace(b"a=crypto:1 ", line.partition(b" ")[0] + b" "))


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


# What comes of it


@scenario()
async def test_who_has_no_srtp_is_refused_where_its_class_requires_it(world: World) -> None:
    """RFC 4568 section 7.1; nothing is ever silently downgraded."""
    town = await start(world, with_class("required"))
    alice, bruno = await town.phones("1001", "1002")
    await alice.call("1002")
    await alice.expect(488)
    await bruno.expect_silence(1)


@scenario()
async def test_two_whose_class_requires_it_have_a_key_each(world: World) -> None:
    town = await start(world, with_class("required"))
    alice, bruno = await town.phones("1001", "1002")
    await call_with(alice, "1002", secure_sdp(alice))
    invite = await bruno.expect("INVITE")
    assert b"RTP/SAVP" in invite.body
    assert KEY.encode() not in invite.body
    bruno.reply(invite, 200, body=secure_answer(bruno, invite.body))
    await bruno.expect("ACK")
    answer = await alice.expect(200)
    assert b"RTP/SAVP" in answer.body
    assert KEY.encode() not in answer.body
    alice.ack(answer)
    await town.hang_up(alice, bruno)


@scenario()
async def test_one_that_requires_it_speaks_with_one_that_has_none(world: World) -> None:
    """2202's class says nothing, and it is reached over UDP."""
    town = await start(world, with_class("required"))
    alice, guard = await town.phones("1001", "2202")
    await call_with(alice, "2202", secure_sdp(alice))
    invite = await guard.expect("INVITE")
    assert b"RTP/AVP" in invite.body
    assert b"a=crypto" not in invite.body
    guard.answer(invite)
    await guard.expect("ACK")
    answer = await alice.expect(200)
    assert b"RTP/SAVP" in answer.body
    alice.ack(answer)
    await town.hang_up(alice, guard)


@scenario()
async def test_who_stumbles_over_keys_that_are_only_preferred_is_asked_without(world: World) -> None:
    """RFC 8643: keys in RTP/AVP."""
    town = await start(world, with_class("preferred"))
    alice, bruno = await town.phones("1001", "1002")
    await alice.call("1002")
    first = await bruno.expect("INVITE")
    assert b"a=crypto" in first.body
    bruno.reply(first, 488)
    await bruno.expect("ACK")
    second = await bruno.expect("INVITE")
    assert b"RTP/SAVP" in second.body
    bruno.reply(second, 488)
    await bruno.expect("ACK")
    third = await bruno.expect("INVITE")
    assert b"RTP/AVP" in third.body
    assert b"a=crypto" not in third.body
    bruno.answer(third)
    await bruno.expect("ACK")
    alice.ack(await alice.expect(200))
    await town.hang_up(alice, bruno)


@scenario()
async def test_a_telephone_that_takes_nothing_but_srtp_is_asked_by_its_profile(world: World) -> None:
    """RFC 8643 section 3.1: keys in RTP/AVP are for those who know them there."""
    town = await start(world, with_class("preferred"))
    alice, bruno = await town.phones("1001", "1002")
    await alice.call("1002")
    bruno.reply(await bruno.expect("INVITE"), 488)
    await bruno.expect("ACK")
    invite = await bruno.expect("INVITE")
    assert b"RTP/SAVP" in invite.body
    bruno.reply(invite, 200, body=secure_answer(bruno, invite.body))
    await bruno.expect("ACK")
    alice.ack(await alice.expect(200))
    await town.hang_up(alice, bruno)


# Several telephones of one person


async def ringing(world: World) -> tuple[Town, TownPhone, TownPhone, TownPhone]:
    """The town, 1002, 1001's desk phone over TLS (`preferred`), and its app over UDP (`off`)."""
    town = await start(world)
    listener = town.host.listen(5061, town.node._accept, "TLS")
    world.closing.callback(listener.close)
    desk = town.phone("1001")
    desk.server = (desk.server[0], 5061)
    await desk.connect("TLS")
    await desk.register()
    bruno, app = await town.phones("1002", "1001-app")
    return town, bruno, desk, app


async def answer_and_end(town: Town, caller: TownPhone, invite: Message, winner: TownPhone) -> None:
    """The winner answers as it was asked, and the caller hears it and no key; then it hangs up."""
    keys = b"a=crypto" in invite.body
    winner.reply(invite, 200, body=secure_answer(winner, invite.body) if keys else winner.sdp())
    await winner.expect("ACK")
    answer = await caller.expect(200)
    assert b"a=crypto" not in answer.body
    caller.ack(answer)
    await town.hang_up(caller, winner)


@pytest.mark.parametrize("desk_answers", [True, False])
@scenario()
async def test_each_telephone_that_rings_is_offered_what_its_own_transport_allows(
    world: World, desk_answers: bool
) -> None:
    """RFC 4568 section 7: a key goes to the one over TLS only; each has an offer of its own."""
    town, bruno, desk, app = await ringing(world)
    await bruno.call("1001")
    to_desk, to_app = await desk.expect("INVITE"), await app.expect("INVITE")
    assert b"a=crypto" in to_desk.body
    assert b"a=crypto" not in to_app.body
    winner, late, invite, left = (
        (desk, app, to_desk, to_app) if desk_answers else (app, desk, to_app, to_desk)
    )
    late.reply(left, 180)
    await bruno.expect(180)
    await answer_and_end(town, bruno, invite, winner)
    late.reply(await late.expect("CANCEL"), 200)
    late.reply(left, 487)
    await late.expect("ACK")


@pytest.mark.parametrize("desk_answers", [True, False])
@scenario()
async def test_telephones_that_refuse_what_each_was_offered_share_a_simpler_offer_without_keys(
    world: World, desk_answers: bool
) -> None:
    """RFC 8643; RFC 3261 section 21.4.26."""
    town, bruno, desk, app = await ringing(world)
    await bruno.call("1001")
    for phone in (desk, app, desk):  # the desk phone is asked by the profile of SRTP as well
        phone.reply(await phone.expect("INVITE"), 488)
        await phone.expect("ACK")
    to_desk, to_app = await desk.expect("INVITE"), await app.expect("INVITE")
    assert to_desk.body == to_app.body
    assert b"a=crypto" not in to_desk.body
    winner, late, invite, left = (
        (desk, app, to_desk, to_app) if desk_answers else (app, desk, to_app, to_desk)
    )
    late.reply(left, 180)
    await bruno.expect(180)
    await answer_and_end(town, bruno, invite, winner)
    late.reply(await late.expect("CANCEL"), 200)
    late.reply(left, 487)
    await late.expect("ACK")


# Emergency calls


@pytest.mark.parametrize("secure", [False, True])
@scenario()
async def test_no_call_for_help_is_refused_for_want_of_srtp(world: World, secure: bool) -> None:
    """2201's class requires it, and so does the trunk; the operator takes neither key nor profile."""
    plan = with_class("required")
    trunk = "    host: sip.operateur-b.example\n"
    town = await start(world, plan.replace(trunk, f"{trunk}    srtp: required\n"))
    phone, b = town.phone("2201"), town.operator("operateur-b")
    phone.send("INVITE", "18", body=secure_sdp(phone) if secure else phone.sdp())
    invite = await b.expect("INVITE")
    assert b"RTP/AVP" in invite.body
    b.answer(invite)
    await b.expect("ACK")
    answer = await phone.expect(200)
    assert (b"RTP/SAVP" in answer.body) == secure
    phone.ack(answer)
    await town.hang_up(phone, b)


@scenario()
async def test_a_call_for_help_with_a_key_is_taken_where_none_is_wanted(world: World) -> None:
    town = await start(world, with_class("off"))
    phone, b = town.phone("2201"), town.operator("operateur-b")
    phone.send("INVITE", "18", body=secure_sdp(phone))
    b.answer(await b.expect("INVITE"))
    await b.expect("ACK")
    answer = await phone.expect(200)
    assert b"RTP/SAVP" in answer.body
    phone.ack(answer)
    await town.hang_up(phone, b)


@scenario()
async def test_keys_are_kept_over_a_restart(world: World) -> None:
    town = await start(world, with_class("required"))
    alice, bruno = await town.phones("1001", "1002")
    await call_with(alice, "1002", secure_sdp(alice))
    invite = await bruno.expect("INVITE")
    bruno.reply(invite, 200, body=secure_answer(bruno, invite.body))
    await bruno.expect("ACK")
    answer = await alice.expect(200)
    alice.ack(answer)
    await town.restart()
    for phone in (alice, bruno):
        phone.reply(await phone.expect("OPTIONS", within_seconds=10.1), 200)
    hold = secure_sdp(alice).replace(b"o=- 1 1", b"o=- 1 2").replace(b"sendrecv", b"sendonly")
    alice.send("INVITE", body=hold)
    again = await alice.expect(200)
    assert crypto_of(again.body) == crypto_of(answer.body)
    alice.ack(again)
    await town.hang_up(alice, bruno)


def crypto_of(body: bytes) -> list[bytes]:
    """The lines with keys; AssertionError for none."""
    found = [line for line in body.splitlines() if line.startswith(b"a=crypto:")]
    assert found
    return found
