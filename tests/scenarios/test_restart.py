"""The signalling process is killed and comes back: conversations go on (design, "Processes")."""

from __future__ import annotations

from functools import partial

import pytest
from msgspec import structs

from pbx.tasks import Tasks
from tests.scenarios.hearing import streams
from tests.scenarios.offers import connected, party
from tests.scenarios.party import place_of
from tests.scenarios.test_budgets import with_budget
from tests.scenarios.test_media_changes import other_codecs
from tests.scenarios.test_transfers import notified, refer
from tests.scenarios.test_trunk_operators import ENCRYPTED_TRUNK, watched
from tests.scenarios.town import SECRETS, Town, TownPhone, start, tell
from tests.sim.ladder import assert_golden
from tests.sim.network import Link
from tests.sim.operator import ENCRYPTED
from tests.sim.world import World, run, scenario

OUTSIDE = "0612345678"


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)


async def restarted(world: World, *further: str) -> tuple[Town, list[TownPhone]]:
    """1001 and 1002 talk, Beffroi is killed and comes back; the ladder begins after that."""
    town = await start(world)
    phones = await town.phones("1001", "1002", *further)
    await town.talk(phones[0], phones[1])
    await town.restart()
    town.ladder.clear()
    town.ladder.order("1001", "Beffroi", "1002")
    return town, phones


async def are_there(*phones: TownPhone) -> None:
    """Each phone is asked whether it is still in the call, and says so."""
    for phone in phones:
        phone.reply(await phone.expect("OPTIONS", within_seconds=10.1), 200)


@scenario()
async def test_a_conversation_goes_on_and_is_hung_up_as_ever(world: World) -> None:
    town, (alice, bruno) = await restarted(world)
    await are_there(alice, bruno)
    await town.hang_up(alice, bruno)
    assert_golden("restart", town.ladder)


@pytest.mark.parametrize("who", ["caller", "callee"])
@scenario()
async def test_either_side_hangs_up_after_a_restart_and_the_record_has_the_times_of_before(
    world: World, who: str
) -> None:
    town, (alice, bruno) = await restarted(world)
    before = town.ongoing[0]
    await world.sleep(0.5)
    await (town.hang_up(alice, bruno) if who == "caller" else town.hang_up(bruno, alice))
    await world.sleep(0.1)
    (call,) = town.calls
    ender = "1001" if who == "caller" else "1002"
    assert [leg.device for leg in call.legs if leg.cause == "hung up"] == [ender]
    assert (call.id, call.started, call.plan_version) == (before.id, before.started, before.plan_version)
    assert call.answered == before.legs[0].answered
    first, *legs = tell(call).splitlines()
    assert first == "internal 1001 (Alice Martin) dialled 1002 to 1002: completed, 0.0 0.6"
    assert [leg.split(":5060 ")[0].strip() for leg in legs] == ["1001 192.0.2.1", "1002 192.0.2.2"]
    assert all("udp PCMA: " in leg for leg in legs)


@scenario()
async def test_sound_isnt_touched_by_a_restart(world: World) -> None:
    town, (alice, bruno) = await restarted(world)
    assert town.asked() == ["restore"]
    await town.hang_up(alice, bruno)
    await world.sleep(0.1)
    assert town.asked() == ["restore", "delete"]


@pytest.mark.parametrize("who", ["caller", "callee"])
@scenario()
async def test_hold_and_resume_after_a_restart(world: World, who: str) -> None:
    town, (alice, bruno) = await restarted(world)
    phone = alice if who == "caller" else bruno
    for version, direction in enumerate(("sendonly", "sendrecv"), 2):
        phone.send("INVITE", body=phone.sdp(direction=direction, version=version))
        answer = await phone.expect(200)
        assert (b"a=recvonly" in answer.body) is (direction == "sendonly")
        phone.ack(answer)
    await are_there(alice, bruno)
    await town.hang_up(alice, bruno)


@scenario()
async def test_a_blind_transfer_after_a_restart(world: World) -> None:
    """RFC 3515."""
    town, (alice, bruno, chloe) = await restarted(world, "2010")
    await are_there(alice, bruno)
    await refer(alice, "sip:2010@valmont.example")
    chloe.answer(await chloe.expect("INVITE"))
    await chloe.expect("ACK")
    await notified(alice, 200)
    alice.bye()
    await alice.expect(200)
    await town.hang_up(bruno, chloe)
    assert [call.cause for call in town.calls] == ["transferred", "completed"]


@scenario()
async def test_a_transferred_call_goes_on_after_a_restart(world: World) -> None:
    """The party's dialog has moved from call to call, and is in the last one only."""
    town = await start(world)
    alice, bruno, chloe = await town.phones("1001", "1002", "2010")
    await town.talk(alice, bruno)
    await refer(alice, "sip:2010@valmont.example")
    chloe.answer(await chloe.expect("INVITE"))
    await chloe.expect("ACK")
    await notified(alice, 200)
    alice.bye()
    await alice.expect(200)
    await world.sleep(0.1)
    await town.restart()
    assert town.exchange.status()["calls"] == 1
    await are_there(bruno, chloe)
    await town.hang_up(chloe, bruno)
    assert [call.cause for call in town.calls] == ["transferred", "completed"]


@scenario()
async def test_a_kill_between_a_transfers_two_calls_keeps_the_party_in_the_later_one(world: World) -> None:
    town = await start(world)
    alice, bruno, chloe = await town.phones("1001", "1002", "2010")
    await town.talk(alice, bruno)
    await refer(alice, "sip:2010@valmont.example")
    chloe.answer(await chloe.expect("INVITE"))
    await chloe.expect("ACK")
    await notified(alice, 200)
    await town.restart()
    alice.reply(await alice.expect("BYE"), 200)  # its call has no other party any more
    await are_there(bruno, chloe)
    await town.hang_up(bruno, chloe)
    assert sorted(call.cause for call in town.calls) == ["completed", "transferred"]


@scenario()
async def test_a_party_that_doesnt_know_the_call_any_more_ends_it(world: World) -> None:
    """RFC 5057 section 5.1: it hung up while nobody listened."""
    town, (alice, bruno) = await restarted(world)
    alice.reply(await alice.expect("OPTIONS", within_seconds=10.1), 481)
    alice.reply(await alice.expect("BYE"), 481)
    bruno.reply(await bruno.expect("BYE", passing_over=["OPTIONS"]), 200)
    assert "lost" in (await town.record()).splitlines()[0]


@scenario()
async def test_a_call_whose_telephones_are_both_gone_is_over_within_30_seconds(world: World) -> None:
    town = await start(world)
    alice, bruno = await town.phones("1001", "1002")
    await town.talk(alice, bruno)
    await alice.close()
    await bruno.close()
    await town.restart()
    began = world.seconds
    while town.exchange.status()["calls"]:
        await world.sleep(0.5)
    assert world.seconds - began < 30
    assert "lost" in (await town.record()).splitlines()[0]


@scenario()
async def test_a_party_that_is_heard_stays_even_if_it_doesnt_answer_yet(world: World) -> None:
    town, (alice, bruno) = await restarted(world)
    town.engine.speaking.add((town.ongoing[0].id, "a"))
    bruno.reply(await bruno.expect("OPTIONS", within_seconds=10.1), 200)
    first = await alice.expect("OPTIONS", within_seconds=10.1)
    second = await alice.expect("OPTIONS", within_seconds=33)
    assert second.cseq > first.cseq
    alice.reply(second, 200)
    await town.hang_up(bruno, alice)


@scenario()
async def test_the_echo_goes_on(world: World) -> None:
    town = await start(world)
    (alice,) = await town.phones("1001")
    await alice.call("9196")
    alice.ack(await alice.expect(200))
    await town.restart()
    await are_there(alice)
    alice.send("INVITE", body=alice.sdp(direction="sendonly", version=2))
    alice.ack(await alice.expect(200))
    alice.bye()
    await alice.expect(200)
    assert "dialled 9196 to echo: completed" in (await town.record()).splitlines()[0]


@scenario()
async def test_a_call_outside_keeps_its_channel_and_answers_challenges(world: World) -> None:
    """RFC 3261 section 22.3."""
    town = await start(world)
    (alice,) = await town.phones("1001")
    operator = town.operator("operateur-a")
    await town.talk_outside(alice, OUTSIDE, operator)
    assert town.exchange.inventory()["trunk channels"] == 1
    await town.restart()
    await town.exchange.trunks.resolve()
    assert town.exchange.inventory()["trunk channels"] == 1
    await are_there(alice, operator)
    alice.bye()
    challenge = 'Digest realm="op", nonce="n", algorithm=MD5, qop="auth"'
    bye = await operator.expect("BYE")
    await alice.expect(200)
    operator.reply(bye, 401, headers=[("WWW-Authenticate", challenge)])
    again = await operator.expect("BYE")
    assert "username=" in again.header("Authorization")
    operator.reply(again, 200)
    await world.sleep(0.1)
    assert town.exchange.inventory()["trunk channels"] == 0
    assert "outbound" in await town.record()


@scenario()
async def test_a_call_that_rings_is_gone_after_a_restart(world: World) -> None:
    town = await start(world)
    alice, bruno = await town.phones("1001", "1002")
    call = await alice.call("1002")
    bruno.reply(await bruno.expect("INVITE"), 180)
    await alice.expect(180)
    await town.restart()
    assert town.exchange.status()["calls"] == 0
    alice.cancel(call)
    await alice.expect("481 CANCEL")


@scenario()
async def test_a_kill_between_answer_and_ack_keeps_the_call(world: World) -> None:
    """RFC 3261 section 13.3.1.4: the ACK finds nobody who waits for it, and that is all."""
    town = await start(world)
    alice, bruno = await town.phones("1001", "1002")
    await alice.call("1002")
    bruno.answer(await bruno.expect("INVITE"))
    await bruno.expect("ACK")
    answer = await alice.expect(200)
    await town.restart()
    alice.ack(answer)
    await are_there(alice, bruno)
    await town.hang_up(alice, bruno)
    assert "completed" in (await town.record()).splitlines()[0]


@scenario()
async def test_a_kill_before_the_200_arrived_ends_the_call_when_the_caller_is_asked(world: World) -> None:
    """What was written down never reached the caller: it has no such dialog."""
    town = await start(world)
    alice, bruno = await town.phones("1001", "1002")
    await alice.call("1002")
    invite = await bruno.expect("INVITE")
    world.network.link_one_way(town.host, alice.host, Link(loss=1.0))
    bruno.answer(invite)
    await bruno.expect("ACK")
    await town.restart()
    world.network.link_one_way(town.host, alice.host, Link())
    alice.reply(await alice.expect("OPTIONS", within_seconds=10.1), 481)
    alice.reply(await alice.expect("BYE"), 481)
    bruno.reply(await bruno.expect("BYE", passing_over=["OPTIONS"]), 200)
    assert "lost" in (await town.record()).splitlines()[0]


@scenario()
async def test_a_kill_during_a_re_invite_leaves_the_call_as_it_was_and_its_repetition_is_answered(
    world: World,
) -> None:
    town = await start(world)
    alice, bruno = await town.phones("1001", "1002")
    await town.talk(alice, bruno)
    reinvite = alice.send("INVITE", body=other_codecs(alice))
    offered = await bruno.expect("INVITE")
    await town.restart()
    bruno.reply(offered, 200, body=bruno.sdp(version=2))  # nobody asked, as far as anybody knows now
    alice.again(reinvite)
    bruno.answer(await bruno.expect("INVITE"))
    await bruno.expect("ACK")
    alice.ack(await alice.expect(200))
    await are_there(alice, bruno)
    await town.hang_up(bruno, alice)


@scenario()
async def test_a_second_restart_sends_requests_newer_than_those_of_the_first(world: World) -> None:
    """RFC 3261 section 12.2.1.1."""
    town, (alice, bruno) = await restarted(world)
    first = await alice.expect("OPTIONS", within_seconds=10.1)
    alice.reply(first, 200)
    bruno.reply(await bruno.expect("OPTIONS", within_seconds=10.1), 200)
    await town.restart()
    second = await alice.expect("OPTIONS", within_seconds=10.1)
    assert second.cseq > first.cseq
    alice.reply(second, 200)
    bruno.reply(await bruno.expect("OPTIONS", within_seconds=10.1), 200)
    await town.hang_up(alice, bruno)


@scenario()
async def test_a_moved_contact_is_known_after_a_restart(world: World) -> None:
    """RFC 3261 section 12.2: a target refresh moves the remote target."""
    town = await start(world)
    alice, bruno = await town.phones("1001", "1002")
    await town.talk(alice, bruno)
    alice.headers["Contact"] = "<sip:elsewhere@192.0.2.1:5060>"
    alice.send("UPDATE")
    await alice.expect(200)
    await town.restart()
    options = await alice.expect("OPTIONS", within_seconds=10.1)
    assert options.uri == "sip:elsewhere@192.0.2.1:5060"
    alice.reply(options, 200)
    bruno.reply(await bruno.expect("OPTIONS", within_seconds=10.1), 200)
    await town.hang_up(alice, bruno)


@scenario()
async def test_a_lamp_shows_a_call_of_before_the_restart(world: World) -> None:
    """RFC 4235."""
    town, (alice, bruno, chloe) = await restarted(world, "2010")
    await are_there(alice, bruno)
    chloe.send("SUBSCRIBE", "1002", headers=[("Event", "dialog"), ("Expires", "60")])
    await chloe.expect_authenticated(200)
    notify = await chloe.expect("NOTIFY")
    assert b"confirmed" in notify.body
    chloe.reply(notify, 200)
    await town.hang_up(alice, bruno)
    chloe.reply(await chloe.expect("NOTIFY"), 481)


@scenario()
async def test_what_a_session_timer_agreed_goes_on(world: World) -> None:
    """RFC 4028 section 10: who doesn't refresh the session is lost in the end."""
    town = await start(world)
    alice, bruno = await town.phones("1001", "1002")
    timer = [("Supported", "timer"), ("Session-Expires", "90;refresher=uac")]
    alice.invite("1002", headers=timer)
    alice.headers = dict(timer)
    alice.authenticate(await alice.expect(401))
    bruno.answer(await bruno.expect("INVITE"))
    await bruno.expect("ACK")
    alice.ack(await alice.expect(200))
    alice.headers = {}
    await town.restart()
    await are_there(alice, bruno)
    bye = await alice.expect("BYE", within_seconds=61)
    alice.reply(bye, 200)
    bruno.reply(await bruno.expect("BYE"), 200)
    assert "lost" in (await town.record()).splitlines()[0]


@scenario()
async def test_minutes_of_a_budget_count_on_over_a_restart(world: World) -> None:
    town, phone, operator, _ = await with_budget(world, "{each: user, minutes: 2, per: day}")
    await town.talk_outside(phone, OUTSIDE, operator)
    await world.sleep(60)
    await town.restart()
    await are_there(phone, operator)
    town.exchange.cut_off()
    assert town.exchange.status()["calls"] == 1
    await world.sleep(61)
    town.exchange.cut_off()
    phone.reply(await phone.expect("BYE"), 200)
    operator.reply(await operator.expect("BYE"), 200)
    assert "budget spent" in (await town.record()).splitlines()[0]


@scenario()
async def test_a_telephone_that_connects_anew_is_reached_over_its_new_connection(world: World) -> None:
    """RFC 5626 section 5.3."""
    town = await start(world)
    alice, bruno = town.phone("1001"), town.phone("1002")
    await bruno.connect()
    await bruno.register()
    await alice.register()
    await town.talk(alice, bruno)
    await town.restart()
    alice.reply(await alice.expect("OPTIONS", within_seconds=10.1), 200)
    await bruno.connect()
    await bruno.register()
    bruno.reply(await bruno.expect("OPTIONS", within_seconds=10.1), 200)
    await town.hang_up(alice, bruno)
    assert "completed" in (await town.record()).splitlines()[0]


@scenario()
async def test_a_telephone_that_never_connects_again_is_out_of_the_call_within_30_seconds(
    world: World,
) -> None:
    town = await start(world)
    alice, bruno = town.phone("1001"), town.phone("1002")
    await bruno.connect()
    await bruno.register()
    await alice.register()
    await town.talk(alice, bruno)
    await town.restart()
    alice.reply(await alice.expect("OPTIONS", within_seconds=10.1), 200)
    alice.reply(await alice.expect("BYE", within_seconds=29), 200)
    assert "lost" in (await town.record()).splitlines()[0]


@scenario()
async def test_a_call_whose_ports_are_taken_ends_with_a_record(world: World) -> None:
    town, (alice, bruno) = await restarted(world)
    await are_there(alice, bruno)
    (kept,) = town.ongoing
    town.exchange.restore([structs.replace(kept, id="0another", legs=[kept.legs[0]])])
    town.errors.expect("has lost its sound")
    await world.sleep(0.1)
    assert [call.cause for call in town.calls] == ["lost"]
    await town.hang_up(alice, bruno)


@pytest.mark.parametrize("seed", range(1, 21))
def test_a_kill_at_any_written_point_leaves_each_call_whole_or_ended(seed: int) -> None:
    """`kill -9` after any number of records: both are in the call, or both hear of its end."""
    run(partial(killed_after, records=seed), seed=seed)


async def killed_after(world: World, records: int) -> None:
    """A conversation with hold, resume and new codecs, killed once so much was written."""
    town = await start(world)
    alice, bruno = await town.phones("1001", "1002")
    already = len(town.journal.written)
    talking = Tasks().start(converse(town, alice, bruno), "talking")
    while len(town.journal.written) < already + records and not talking.done():
        await world.sleep(0.001)
    talking.cancel()
    await town.restart()
    living = town.exchange.status()["calls"]
    await world.sleep(0.01)  # what was on its way arrives
    for phone in (alice, bruno):
        phone.overlook()
    if not living:
        return
    assert living == 1
    await are_there(alice, bruno)
    await town.hang_up(alice, bruno)
    assert "completed" in (await town.record()).splitlines()[0]


async def converse(town: Town, alice: TownPhone, bruno: TownPhone) -> None:
    """Talk, hold, resume, other codecs from either side, hang up."""
    await town.talk(alice, bruno)
    for phone, other, changed in ((alice, bruno, other_codecs), (bruno, alice, back_to_a_law)):
        for version, direction in enumerate(("sendonly", "sendrecv"), 2):
            phone.send("INVITE", body=phone.sdp(direction=direction, version=version))
            phone.ack(await phone.expect(200))
        phone.send("INVITE", body=changed(phone, version=4))
        other.answer(await other.expect("INVITE"))
        await other.expect("ACK")
        phone.ack(await phone.expect(200))
        await town.world.sleep(0.1)
    await town.hang_up(alice, bruno)


def back_to_a_law(phone: TownPhone, version: int) -> bytes:
    """An offer of what the other one has given up."""
    return phone.sdp(version=version).replace(b"RTP/AVP 8 0 101", b"RTP/AVP 8 101")


@pytest.mark.parametrize("seed", range(1, 13))
def test_a_kill_at_any_written_point_of_a_transfer_leaves_nobody_in_two_calls(seed: int) -> None:
    """Before it is done the first two are in a call, afterwards the party that stays and its new one."""
    run(partial(killed_in_a_transfer, records=seed), seed=seed)


async def killed_in_a_transfer(world: World, records: int) -> None:
    """A blind transfer, killed once so much was written."""
    town = await start(world)
    phones = await town.phones("1001", "1002", "2010")
    already = len(town.journal.written)
    transferring = Tasks().start(transfer(town, *phones), "transferring")
    while len(town.journal.written) < already + records and not transferring.done():
        await world.sleep(0.001)
    transferring.cancel()
    await town.restart()
    await world.sleep(0.01)
    for phone in phones:
        phone.overlook()
    parties = sorted(leg.device for leg in town.exchange.legs())
    assert parties in ([], ["1001", "1002"], ["1002", "2010"])
    there = [phone for phone in phones if phone.user in parties]
    if there:
        one, other = there
        asked = await one.expect("OPTIONS", within_seconds=10.1)
        one.reply(asked, 200)
        await are_there(other)
        one.bye(within=asked)
        other.reply(await other.expect("BYE"), 200)
        await one.expect("200 BYE")
    await world.sleep(1)
    assert town.ongoing == []


async def transfer(town: Town, alice: TownPhone, bruno: TownPhone, chloe: TownPhone) -> None:
    """Alice gives Bruno to 2010, who hangs up in the end."""
    await town.talk(alice, bruno)
    await refer(alice, "sip:2010@valmont.example")
    chloe.answer(await chloe.expect("INVITE"))
    await chloe.expect("ACK")
    await notified(alice, 200)
    alice.bye()
    await alice.expect(200)
    await town.world.sleep(0.1)
    await town.hang_up(chloe, bruno)


@scenario()
async def test_a_call_over_an_encrypted_trunk_goes_on_over_a_new_connection_to_its_server(
    world: World,
) -> None:
    """RFC 5922 section 7.2: whose certificate has the right name."""
    town, office, operator = await watched(world, ENCRYPTED_TRUNK, ENCRYPTED)
    await office.call("00612345678")
    operator.answer(await operator.expect("INVITE"))
    await operator.expect("ACK")
    office.ack(await office.expect(200))
    await town.restart()
    await town.exchange.trunks.start()
    operator.seen.clear()
    await are_there(office)
    await world.sleep(12)
    assert town.exchange.status()["calls"] == 1
    await town.hang_up(office, operator)
    assert operator.seen[-1].header("Via").startswith("SIP/2.0/TLS ")
    await town.exchange.trunks.stop()


@scenario()
async def test_a_party_that_was_about_to_hear_of_its_new_place_is_told_after_all(
    world: World,
) -> None:
    """Killed 2 ms after the REFER that parks it: the port is written down, the re-INVITE isn't sent."""
    town = await start(world)
    alice, bruno = await party(town, "1001"), await party(town, "1002")
    talk, heard = await connected(town, alice, bruno)
    bruno.refer(heard, "sip:705@valmont.example")
    await world.sleep(0.002)
    await town.restart()
    await world.sleep(30)
    ports = [stream.leg.port for stream in streams(town.engine) if stream.place[0] == alice.host.address]
    assert ports == [place_of(talk.heard)]
    alice.leave(talk)
    await world.sleep(1)
