"""Paging: annonce-ecole of the sample plan (8400) speaks to all telephones of the school."""

from __future__ import annotations

from tests.scenarios.offers import party
from tests.scenarios.test_attended_transfers import replaces
from tests.scenarios.test_menus import records
from tests.scenarios.town import PLAN_TEXT, Town, TownPhone, start
from tests.sim.ladder import assert_golden
from tests.sim.wire import Message
from tests.sim.world import World, scenario

# The school has two telephones here.
PLAN = PLAN_TEXT.replace("members: {site: ecole}, multicast", 'members: ["2401", "2010"], multicast')


async def paging(world: World) -> tuple[Town, list[TownPhone], list[Message]]:
    """1001 pages; both telephones were asked to answer."""
    town = await start(world, PLAN)
    phones = await town.phones("1001", "2401", "2010")
    await phones[0].call("8400")
    phones[0].ack(await phones[0].expect(200))
    return town, phones, [await phone.expect("INVITE") for phone in phones[1:]]


async def listens(phone: TownPhone, invite: Message) -> None:
    phone.answer(invite)
    await phone.expect("ACK")


@scenario()
async def test_the_telephones_of_a_zone_answer_by_themselves_and_hear_the_caller(world: World) -> None:
    """RFC 5373 section 4.1: Answer-Mode asks for it; Call-Info and Alert-Info are what phones know."""
    town, (alice, one, other), invites = await paging(world)
    for invite in invites:
        assert invite.header("Answer-Mode") == "Auto"
        assert "answer-after=0" in invite.header("Call-Info")
    await listens(one, invites[0])
    await listens(other, invites[1])
    await world.sleep(1)
    call = town.engine.asked[-1].call
    speaker, *hearers = [town.engine.room_of(call, leg) for leg in ("a", "b1", "b2")]
    assert speaker is not None
    assert (speaker.speaks, speaker.hears) == (True, False)
    assert [(one.speaks, one.hears) for one in hearers if one is not None] == [(False, True)] * 2
    town.ladder.media("1001", "2401", "an announcement")
    await town.hang_up(alice, one, other)
    assert_golden("page", town.ladder)
    assert "dialled 8400 to annonce-ecole: completed" in await records(town)


@scenario()
async def test_one_that_is_busy_is_not_disturbed(world: World) -> None:
    town, (alice, one, other), invites = await paging(world)
    one.reply(invites[0], 486)
    await one.expect("ACK")
    await listens(other, invites[1])
    await world.sleep(12)
    other.send("INVITE", body=other.sdp(direction="sendonly", version=2))
    await other.expect(488)  # it may hang up, and hears on
    await town.hang_up(alice, other)


@scenario()
async def test_one_that_only_rings_is_let_be(world: World) -> None:
    town, (alice, one, other), invites = await paging(world)
    one.reply(invites[0], 180)
    await listens(other, invites[1])
    cancel = await one.expect("CANCEL", within_seconds=11)
    one.reply(cancel, 200)
    one.reply(invites[0], 487)
    await one.expect("ACK")
    await town.hang_up(alice, other)


@scenario()
async def test_a_telephone_that_listens_has_nobody_to_transfer(world: World) -> None:
    """RFC 3515 section 2.4.1: 403, and the page goes on."""
    town, (alice, one, other), invites = await paging(world)
    await listens(one, invites[0])
    await listens(other, invites[1])
    one.send("REFER", within=invites[0], headers=[("Refer-To", "<sip:1002@valmont.example>")])
    await one.expect(403)
    await world.sleep(1)
    await town.hang_up(alice, one, other)


@scenario()
async def test_a_telephone_that_sends_a_caller_to_its_page_leaves_the_page(world: World) -> None:
    """RFC 3891: its call of the page is named by Replaces; nobody else is taken out of the page."""
    town = await start(world, PLAN)
    director = await party(town, "2401")
    (alice, office, bruno) = await town.phones("1001", "2010", "1002")
    await alice.call("8400")
    alice.ack(await alice.expect(200))
    await listens(office, await office.expect("INVITE"))
    await bruno.call("2401")
    bruno.ack(await bruno.expect(200, passing_over=[180]))
    paged, called = director.talks.values()
    director.refer(called, replaces(director, paged))
    await world.sleep(5)
    assert paged.over
    assert called.over
    await alice.expect_silence(1)
    await office.expect("INVITE")  # the page that the caller makes now
    await town.hang_up(alice, office)
    town.finish_playing()
    for phone in (bruno, office):
        phone.overlook()
    await world.sleep(40)
    bruno.bye()
    await world.sleep(1)
    for phone in (bruno, office):
        phone.overlook()


@scenario()
async def test_when_nobody_listens_any_more_the_call_ends(world: World) -> None:
    town, (alice, one, other), invites = await paging(world)
    await listens(one, invites[0])
    other.reply(invites[1], 486)
    await other.expect("ACK")
    await world.sleep(2)
    one.bye()
    await one.expect("200 BYE")
    alice.reply(await alice.expect("BYE"), 200)
    assert "annonce-ecole: nobody listens" in await records(town)


@scenario()
async def test_a_zone_without_a_telephone_says_so(world: World) -> None:
    town = await start(world, PLAN)
    (alice,) = await town.phones("1001")
    await alice.call("8400")
    await alice.expect(183)
    assert town.spoken() == ["Personne ne répond."]
    town.finish_playing()
    await alice.expect(480)
