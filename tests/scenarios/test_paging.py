"""Paging: annonce-ecole of the sample plan (8400) speaks to all telephones of the school."""

from __future__ import annotations

from tests.scenarios.hearing import streams
from tests.scenarios.offers import party
from tests.scenarios.test_attended_transfers import replaces
from tests.scenarios.test_menus import records
from tests.scenarios.town import PLAN_TEXT, Town, TownPhone, start
from tests.sim.ladder import assert_golden
from tests.sim.wire import Message
from tests.sim.world import World, scenario

SAMPLE = 'members: {site: ecole}, multicast: "239.54.4.1:5004"'


def zone(settings: str) -> str:
    """The sample plan, whose page 8400 has these settings."""
    assert SAMPLE in PLAN_TEXT
    return PLAN_TEXT.replace(SAMPLE, settings)


# The school has two telephones here.
PLAN = zone('members: ["2401", "2010"]')


async def paging(world: World, plan: str = PLAN) -> tuple[Town, list[TownPhone], list[Message]]:
    """1001 pages; both telephones were asked to answer."""
    town = await start(world, plan)
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
async def test_a_telephone_that_hangs_up_is_sent_nothing_more(world: World) -> None:
    town, (alice, one, other), invites = await paging(world)
    await listens(one, invites[0])
    await listens(other, invites[1])
    await world.sleep(1)
    one.bye()
    await one.expect("200 BYE")
    call = town.engine.asked[-1].call
    assert [town.engine.room_of(call, leg) is None for leg in ("b1", "b2")] == [True, False]
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
async def test_whoever_listens_when_the_process_is_killed_listens_again_and_speaks_with_nobody(
    world: World,
) -> None:
    town, (alice, one, other), invites = await paging(world)
    await listens(one, invites[0])
    await listens(other, invites[1])
    await world.sleep(1)
    await town.restart()
    for phone in (one, other):
        phone.reply(await phone.expect("BYE"), 200)
        await listens(phone, await phone.expect("INVITE"))
    asked = await alice.expect("OPTIONS", within_seconds=15)
    alice.reply(asked, 200)
    rooms = [stream.leg.room for stream in streams(town.engine)]
    assert [(room.speaks, room.hears) for room in rooms if room is not None] == [
        (True, False),
        (False, True),
        (False, True),
    ]
    await town.hang_up(alice, one, other)


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


def spread(town: Town) -> list[str]:
    """To which multicast addresses the engine was asked to send."""
    return [asked.detail for asked in town.engine.asked if asked.verb == "multicast"]


async def called(town: Town, phone: TownPhone, number: str = "8400") -> str:
    """The phone calls and is answered; returns the call as the engine knows it."""
    before = {asked.call for asked in town.engine.asked}
    await phone.call(number)
    phone.ack(await phone.expect(200))
    await town.world.sleep(0.1)
    (call,) = {asked.call for asked in town.engine.asked} - before
    return call


@scenario()
async def test_a_multicast_address_hears_the_caller_without_a_telephone_being_rung(world: World) -> None:
    town = await start(world, zone('members: {site: ecole}, multicast: "239.54.4.1:5004", unicast: false'))
    alice, school = await town.phones("1001", "2401")
    call = await called(town, alice)
    assert spread(town) == ["239.54.4.1:5004 PCMA ttl 16"]
    speaker, group = town.engine.room_of(call, "a"), town.engine.room_of(call, "m1")
    assert speaker is not None
    assert group is not None
    assert (speaker.speaks, speaker.hears, group.speaks, group.hears) == (True, False, False, True)
    town.ladder.media("1001", "Beffroi", "an announcement, by multicast")
    await school.expect_silence(11)
    await town.hang_up(alice)
    assert_golden("page-multicast", town.ladder)


@scenario()
async def test_each_zone_has_its_address_and_the_plan_says_how_far_and_by_which_way(world: World) -> None:
    addresses = 'multicast: ["239.54.4.1:5004", "239.54.1.1:5006"]'
    plan = zone(
        f'members: {{site: [ecole, mairie]}}, {addresses}, ttl: 3, interface: "10.54.0.10", codec: PCMU'
    )
    town = await start(world, plan)
    (alice,) = await town.phones("1001")
    await called(town, alice)
    assert spread(town) == [
        "239.54.4.1:5004 PCMU ttl 3 10.54.0.10",
        "239.54.1.1:5006 PCMU ttl 3 10.54.0.10",
    ]
    await town.hang_up(alice)


@scenario()
async def test_a_page_ends_after_the_time_that_the_plan_gives(world: World) -> None:
    town = await start(world, zone('members: ["2401"], multicast: "239.54.4.1:5004", seconds: 30'))
    (alice,) = await town.phones("1001")
    await called(town, alice)
    alice.reply(await alice.expect("BYE", within_seconds=31), 200)
    assert "annonce-ecole: too long" in await records(town)


@scenario()
async def test_one_page_reaches_several_groups_and_sites(world: World) -> None:
    town = await start(world, zone("members: {group: [garde, patrouille], site: ecole}"))
    alice, *others = await town.phones("1001", "2201", "2202", "2301", "2302", "2401")
    await called(town, alice)
    for phone in others:
        phone.reply(await phone.expect("INVITE"), 486)
        await phone.expect("ACK")
    alice.reply(await alice.expect("BYE"), 200)


@scenario()
async def test_who_may_not_page_hears_so(world: World) -> None:
    town = await start(world, zone('members: ["2401"], allowed: {class: interne, group: [garde]}'))
    alice, garde, directrice = await town.phones("1001", "2201", "2401")
    await alice.call("8400")
    await alice.expect(183)
    assert town.spoken() == ["Vous n'avez pas le droit de faire cette annonce."]
    town.finish_playing()
    await alice.expect(403)
    await called(town, garde)
    directrice.reply(await directrice.expect("INVITE"), 486)
    await directrice.expect("ACK")
    garde.reply(await garde.expect("BYE"), 200)


@scenario()
async def test_an_announcement_by_multicast_goes_on_after_a_restart(world: World) -> None:
    town = await start(world, zone('members: ["2401"], multicast: "239.54.4.1:5004", unicast: false'))
    (alice,) = await town.phones("1001")
    call = await called(town, alice)
    await town.restart()
    await world.sleep(0.1)
    assert spread(town) == ["239.54.4.1:5004 PCMA ttl 16"]
    speaker, group = town.engine.room_of(call, "a"), town.engine.room_of(call, "m1")
    assert speaker is not None
    assert group is not None
    assert (speaker.speaks, group.hears) == (True, True)
    alice.reply(await alice.expect("OPTIONS", within_seconds=10.1), 200)
    await town.hang_up(alice)


# Priority over calls


@scenario()
async def test_a_telephone_in_a_call_hears_a_page_of_priority_and_then_its_party_again(world: World) -> None:
    town = await start(world, zone('members: ["2401"], priority: true'))
    alice, school, office = await town.phones("1001", "2401", "2010")
    await town.talk(office, school)
    (talk,) = {asked.call for asked in town.engine.asked}
    page = await called(town, alice)
    hears, party = town.engine.room_of(talk, "b1"), town.engine.room_of(talk, "a")
    assert hears is not None
    assert (hears.room, hears.speaks, hears.hears) == (page, False, True)
    assert party is None
    town.ladder.media("1001", "2401", "an announcement")
    await town.hang_up(alice)
    await world.sleep(0.1)
    assert town.engine.room_of(talk, "b1") is None
    await town.hang_up(office, school)
    assert_golden("page-priority", town.ladder)


@scenario()
async def test_without_priority_a_telephone_in_a_call_is_asked_and_says_that_it_is_busy(world: World) -> None:
    town = await start(world, zone('members: ["2401"]'))
    alice, school, office = await town.phones("1001", "2401", "2010")
    await town.talk(office, school)
    (talk,) = {asked.call for asked in town.engine.asked}
    await called(town, alice)
    asked = await school.expect("INVITE")
    assert town.engine.room_of(talk, "b1") is None
    school.reply(asked, 486)
    await school.expect("ACK")
    alice.reply(await alice.expect("BYE"), 200)
    await town.hang_up(office, school)


@scenario()
async def test_a_call_for_help_is_never_interrupted(world: World) -> None:
    town = await start(world, zone('members: ["2401"], priority: true'))
    operator = town.operator("operateur-a")
    alice, school = await town.phones("1001", "2401")
    school.invite("15")  # unchallenged
    operator.answer(await operator.expect("INVITE"))
    await operator.expect("ACK")
    school.ack(await school.expect(200))
    (talk,) = {asked.call for asked in town.engine.asked}
    await called(town, alice)
    asked = await school.expect("INVITE")  # its own line decides
    assert town.engine.room_of(talk, "a") is None
    school.reply(asked, 486)
    await school.expect("ACK")
    alice.reply(await alice.expect("BYE"), 200)
    await town.hang_up(operator, school)
