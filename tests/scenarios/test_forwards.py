"""Forwards of the plan: busy, no answer, unreachable; what operators are told of them; circles that end."""

from __future__ import annotations

import pytest

from tests.scenarios.town import PLAN_TEXT, SECRETS, Town, TownPhone, start
from tests.sim.ladder import assert_golden
from tests.sim.world import World, scenario

OFFICE = "name: État civil,   password: pw2010, site: mairie,  class: national"
NEIGHBOUR = "name: Urbanisme,    password: pw2020, site: mairie,  class: national"
MOBILE = "+33612345678"


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)


def forwarding(office: str, neighbour: str = "") -> str:
    """The plan with the `forward:` of 2010, and that of 2020 where there is one."""
    text = PLAN_TEXT.replace(OFFICE, f"{OFFICE}, forward: {office}")
    if neighbour:
        text = text.replace(NEIGHBOUR, f"{NEIGHBOUR}, forward: {neighbour}")
    assert text.count("forward: {") == (2 if neighbour else 1)
    return text


async def town_with(world: World, plan: str, *users: str) -> tuple[Town, list[TownPhone]]:
    town = await start(world, plan)
    phones = await town.phones(*users)
    town.ladder.order(users[0], "Beffroi", *users[1:], "operateur-b", "operateur-a")
    return town, phones


async def talk_through(town: Town, caller: TownPhone, taken: TownPhone) -> None:
    taken.answer(await taken.expect("INVITE"))
    await taken.expect("ACK")
    caller.ack(await caller.expect(200))
    await town.hang_up(caller, taken)


@scenario()
async def test_a_busy_person_s_calls_go_on(world: World) -> None:
    town, (alice, office, neighbour) = await town_with(
        world, forwarding('{busy: "2020"}'), "1001", "2010", "2020"
    )
    await alice.call("2010")
    office.reply(await office.expect("INVITE"), 486)
    await office.expect("ACK")
    await talk_through(town, alice, neighbour)
    assert_golden("forward-busy", town.ladder)
    assert (await town.record()).startswith("internal 1001 (Alice Martin) dialled 2010 to 2020: completed")


@scenario()
async def test_declining_is_being_busy(world: World) -> None:
    town, (alice, office, neighbour) = await town_with(
        world, forwarding('{busy: "2020"}'), "1001", "2010", "2020"
    )
    await alice.call("2010")
    office.reply(await office.expect("INVITE"), 603)
    await office.expect("ACK")
    await talk_through(town, alice, neighbour)


@scenario()
async def test_a_call_that_nobody_answers_goes_on_after_its_seconds(world: World) -> None:
    town, (alice, office, neighbour) = await town_with(
        world, forwarding('{no_answer: "2020", after_seconds: 12}'), "1001", "2010", "2020"
    )
    await alice.call("2010")
    invite = await office.expect("INVITE")
    office.reply(invite, 180)
    await alice.expect(180)
    await neighbour.expect_silence(11.9)
    office.reply(await office.expect("CANCEL"), 200)
    office.reply(invite, 487)
    await office.expect("ACK")
    await talk_through(town, alice, neighbour)


@scenario()
async def test_an_unreachable_person_s_calls_go_out_with_their_diversion(world: World) -> None:
    """RFC 5806 section 4, RFC 7044 section 10: ours is shown, and whom the call was for is told."""
    town, (alice,) = await town_with(world, forwarding(f'{{no_answer: "{MOBILE}"}}'), "1001")
    b = town.operator("operateur-b")
    await alice.call("2010")
    invite = await b.expect("INVITE")
    assert invite.uri == f"sip:{MOBILE}@sip.operateur-b.example"
    assert invite.header("From").startswith('"Alice Martin" <sip:+33383001010@valmont.example>')
    assert invite.header("P-Asserted-Identity") == "<sip:+33383001010@sip.operateur-b.example>"
    assert invite.all("Diversion") == ["<sip:+33383001010@valmont.example>;reason=unavailable;privacy=off"]
    assert invite.all("History-Info") == [
        "<sip:+33383001010@valmont.example?Reason=SIP%3Bcause%3D480>;index=1",
        f"<sip:{MOBILE}@sip.operateur-b.example>;index=1.1;mp=1",
    ]
    b.answer(invite)
    await b.expect("ACK")
    alice.ack(await alice.expect(200))
    await town.hang_up(alice, b)
    assert_golden("forward-unreachable", town.ladder)


@scenario()
async def test_a_call_from_outside_goes_back_out_with_our_number(world: World) -> None:
    """The operators' rule: ours is shown; who called stands in the name (RFC 5806 section 4)."""
    town, (office,) = await town_with(world, forwarding(f'{{busy: "{MOBILE}"}}'), "2010")
    a, b = town.operator("operateur-a"), town.operator("operateur-b")
    a.invite("+33383001010")
    office.reply(await office.expect("INVITE"), 486)
    await office.expect("ACK")
    invite = await b.expect("INVITE")
    assert invite.header("From").startswith('"+33699999999" <sip:+33383001010@valmont.example>')
    assert invite.all("Diversion") == ["<sip:+33383001010@valmont.example>;reason=user-busy;privacy=off"]
    b.answer(invite)
    await b.expect("ACK")
    a.ack(await a.expect(200))
    await town.hang_up(a, b)
    assert (await town.record()).startswith("inbound +33699999999 dialled +33383001010 to +33612345678:")


@scenario()
async def test_two_forwards_are_told_last_first(world: World) -> None:
    """RFC 5806 section 4: the last diversion stands first; RFC 7044 section 10.3: the first index is 1."""
    plan = forwarding('{busy: "2020"}', f'{{no_answer: "{MOBILE}"}}')
    town, (alice, office) = await town_with(world, plan, "1001", "2010")
    b = town.operator("operateur-b")
    await alice.call("2010")
    office.reply(await office.expect("INVITE"), 486)
    await office.expect("ACK")
    invite = await b.expect("INVITE")
    assert invite.all("Diversion") == [
        "<sip:+33383001020@valmont.example>;reason=unavailable;privacy=off",
        "<sip:+33383001010@valmont.example>;reason=user-busy;privacy=off",
    ]
    assert [value.partition("index=")[2] for value in invite.all("History-Info")] == [
        "1",
        "1.1;mp=1",
        "1.1.1;mp=1.1",
    ]
    b.reply(invite, 486)
    await b.expect("ACK")
    await alice.expect(486)


@scenario()
async def test_a_circle_of_forwards_ends_with_what_the_last_phone_said(world: World) -> None:
    plan = forwarding('{busy: "2020"}', '{busy: "2010"}')
    town, (alice, office, neighbour) = await town_with(world, plan, "1001", "2010", "2020")
    await alice.call("2010")
    for phone in (office, neighbour):
        phone.reply(await phone.expect("INVITE"), 486)
        await phone.expect("ACK")
    await alice.expect(486)
    await office.expect_silence(2)
    assert_golden("forward-circle", town.ladder)
    assert "to 2020: busy" in await town.record()


@scenario()
async def test_a_circle_over_an_operator_ends(world: World) -> None:
    """RFC 5806 section 4: what the operator tells of earlier diversions counts."""
    town, (office,) = await town_with(world, forwarding(f'{{busy: "{MOBILE}"}}'), "2010")
    a, b = town.operator("operateur-a"), town.operator("operateur-b")
    a.headers["Diversion"] = "<sip:+33383001010@valmont.example>;reason=user-busy"
    a.invite("+33383001010")
    office.reply(await office.expect("INVITE"), 486)
    await office.expect("ACK")
    await a.expect(486)
    await b.expect_silence(2)


@scenario()
async def test_a_counted_diversion_that_is_long_enough_ends_it_too(world: World) -> None:
    """RFC 5806 section 4, counter."""
    town, (office,) = await town_with(world, forwarding(f'{{busy: "{MOBILE}"}}'), "2010")
    a, b = town.operator("operateur-a"), town.operator("operateur-b")
    a.headers["Diversion"] = "<sip:+33145000000@elsewhere.example>;reason=user-busy;counter=8"
    a.invite("+33383001010")
    office.reply(await office.expect("INVITE"), 486)
    await office.expect("ACK")
    await a.expect(486)
    await b.expect_silence(2)


@pytest.mark.parametrize(
    "said",
    [
        "<sip:%0D%0AEvil:%201@elsewhere.example>;reason=user-busy",
        "<tel:not-a-number;x=y>;reason=no-answer",
        "<sip:>;reason=user-busy",
        "<sip:" + "9" * 2000 + "@elsewhere.example>",
    ],
)
@scenario()
async def test_a_hostile_diversion_is_carried_as_harmless_text(world: World, said: str) -> None:
    """RFC 5806 section 4: it only informs, and no call is lost for it."""
    town, (office,) = await town_with(world, forwarding(f'{{busy: "{MOBILE}"}}'), "2010")
    a, b = town.operator("operateur-a"), town.operator("operateur-b")
    a.headers["Diversion"] = said
    a.invite("+33383001010")
    office.reply(await office.expect("INVITE"), 486)
    await office.expect("ACK")
    invite = await b.expect("INVITE")
    assert invite.all("Evil") == []
    assert invite.all("Diversion")[0] == "<sip:+33383001010@valmont.example>;reason=user-busy;privacy=off"
    assert all(len(value) < 400 for value in invite.all("Diversion"))
    b.reply(invite, 486)
    await b.expect("ACK")
    a.headers.clear()
    await a.expect(486)


@scenario()
async def test_history_of_an_operator_counts_as_well(world: World) -> None:
    """RFC 7044 section 10.3: as many targets as forwards, and one more."""
    town, (office,) = await town_with(world, forwarding(f'{{busy: "{MOBILE}"}}'), "2010")
    a = town.operator("operateur-a")
    a.headers["History-Info"] = ", ".join(
        [
            "<sip:+33383001010@valmont.example>;index=1",
            "<sip:+33612345678@sip.operateur-b.example>;index=1.1;mp=1",
        ]
    )
    a.invite("+33383001010")
    office.reply(await office.expect("INVITE"), 486)
    await office.expect("ACK")
    await a.expect(486)


@scenario()
async def test_without_a_forward_for_it_the_caller_hears_what_the_phone_said(world: World) -> None:
    town, (alice, office) = await town_with(world, forwarding('{no_answer: "2020"}'), "1001", "2010")
    await alice.call("2010")
    office.reply(await office.expect("INVITE"), 486)
    await office.expect("ACK")
    await alice.expect(486)
    assert "to 2010: busy" in await town.record()


@scenario()
async def test_who_gives_up_while_it_goes_on_rings_nobody(world: World) -> None:
    town, (alice, office, neighbour) = await town_with(
        world, forwarding('{busy: "2020"}'), "1001", "2010", "2020"
    )
    invite = await alice.call("2010")
    office.reply(await office.expect("INVITE"), 486)
    await office.expect("ACK")
    ringing = await neighbour.expect("INVITE")
    neighbour.reply(ringing, 180)
    await alice.expect(180)
    alice.cancel(invite)
    await alice.expect("200 CANCEL")
    await alice.expect(487)
    neighbour.reply(await neighbour.expect("CANCEL"), 200)
    neighbour.reply(ringing, 487)
    await neighbour.expect("ACK")
    assert "to 2020: cancelled" in await town.record()
