"""Visitors of the town's site: one call, to their button's service, and nothing else whatever they try."""

from __future__ import annotations

from pbx.click_to_call import Button
from pbx.node.sealing import Sealing
from pbx.people.visitor_passwords import LASTING_SECONDS, VisitorPassword, VisitorPasswords
from tests.scenarios.town import BEFFROI, DOMAIN, PLAN_TEXT, Town, TownPhone, start
from tests.sim.wire import Message
from tests.sim.world import World, scenario

PASSWORDS = VisitorPasswords(Sealing(b"the node's key"), DOMAIN)
SCHOOL = Button("ecole", "accueil-ecole", ("https://www.valmont.example",), most_calls=1)
TOWN_HALL = Button("mairie", "standard", ("https://www.valmont.example",))
HOME = "198.51.100.99"


async def town_with_buttons(world: World, plan: str = PLAN_TEXT) -> Town:
    town = await start(world, plan)
    town.exchange.visitors.allow([SCHOOL, TOWN_HALL], PASSWORDS)
    await world.sleep(2)  # what was issued before this process is refused
    return town


def issued(town: Town, button: Button = SCHOOL) -> VisitorPassword:
    return PASSWORDS.issue(button.name, button.service, town.exchange.clock())


async def visitor(town: Town, address: str = HOME) -> TownPhone:
    """A visitor's page, whose WebSocket is open."""
    listener = town.host.listen(8080, town.node._accept, "WS")
    town.world.closing.callback(listener.close)
    page = town.phone("visitor", address=address)
    page.server = (BEFFROI[0], 8080)
    await page.connect("WS")
    return page


async def calls(page: TownPhone, to: str, with_: VisitorPassword) -> Message:
    """Call, and answer the challenge; the INVITE that has the password."""
    page.user = "visitor"
    page.invite(to)
    challenge = await page.expect(401)
    page.user = with_.username
    return page.authenticate(challenge, password=with_.password)


@scenario()
async def test_a_visitor_reaches_the_service_and_is_shown_as_what_they_are(world: World) -> None:
    town = await town_with_buttons(world)
    (desk,) = await town.phones("2401")
    page = await visitor(town)
    await calls(page, "accueil-ecole", issued(town))
    invite = await desk.expect("INVITE")
    assert invite.header("From").startswith('"click ecole" <sip:anonymous@')
    desk.answer(invite)
    await desk.expect("ACK")
    page.ack(await page.expect(200))
    await town.hang_up(page, desk)
    await world.sleep(0.1)
    first = town.calls[-1] if len(town.calls) == 1 else town.calls[0]
    assert first.direction == "inbound"
    assert any(leg.device == "click ecole" for record in town.calls for leg in record.legs)
    assert HOME not in repr(town.calls)


@scenario()
async def test_a_password_works_once(world: World) -> None:
    town = await town_with_buttons(world)
    (desk,) = await town.phones("2401")
    page, once = await visitor(town), issued(town)
    await calls(page, "accueil-ecole", once)
    desk.answer(await desk.expect("INVITE"))
    await desk.expect("ACK")
    page.ack(await page.expect(200))
    await town.hang_up(page, desk)
    await calls(page, "accueil-ecole", once)
    refused = await page.expect(403)
    assert "Password Used" in refused.first_line
    await desk.expect_silence(1)


@scenario()
async def test_another_service_is_refused_whatever_the_page_does(world: World) -> None:
    town = await town_with_buttons(world)
    page = await visitor(town)
    for number in ("standard", "9", "1001", "0033612345678", "*61", "accueil-ecole2"):
        await calls(page, number, issued(town))
        await page.expect(403)
    await calls(page, "accueil-ecole", PASSWORDS.issue("ecole", "standard", town.exchange.clock()))
    await page.expect(403)
    assert town.calls == []


@scenario()
async def test_a_password_that_is_over_or_older_than_the_process_is_refused(world: World) -> None:
    town = await town_with_buttons(world)
    page, kept = await visitor(town), issued(town)
    await world.sleep(LASTING_SECONDS + 1)
    await calls(page, "accueil-ecole", kept)
    assert "Password Expired" in (await page.expect(403)).first_line
    early = PASSWORDS.issue("ecole", "accueil-ecole", town.exchange.clock() - LASTING_SECONDS - 60)
    await calls(page, "accueil-ecole", early)
    await page.expect(403)
    late = PASSWORDS.issue("ecole", "accueil-ecole", town.exchange.clock() + 3600)
    await calls(page, "accueil-ecole", late)
    await page.expect(403)


@scenario()
async def test_a_wrong_password_and_an_unknown_button_get_nothing(world: World) -> None:
    town = await town_with_buttons(world)
    page = await visitor(town)
    good = issued(town)
    await calls(page, "accueil-ecole", VisitorPassword(good.username, "guessed", good.ends_at))
    await page.expect(403)
    stranger = VisitorPasswords(Sealing(b"another node's key"), DOMAIN)
    await calls(page, "accueil-ecole", stranger.issue("ecole", "accueil-ecole", town.exchange.clock()))
    await page.expect(403)
    await calls(page, "accueil-ecole", PASSWORDS.issue("nobody", "accueil-ecole", town.exchange.clock()))
    await page.expect(403)


@scenario()
async def test_more_visitors_than_may_call_at_once_are_refused(world: World) -> None:
    town = await town_with_buttons(world)
    (desk,) = await town.phones("2401")
    first = await visitor(town)
    await calls(first, "accueil-ecole", issued(town))
    desk.answer(await desk.expect("INVITE"))
    await desk.expect("ACK")
    first.ack(await first.expect(200))
    page = first
    await calls(page, "accueil-ecole", issued(town))
    assert "All Lines Busy" in (await page.expect(486)).first_line
    doorway = town.exchange.visitors.doorway("ecole")
    assert doorway is not None
    assert (doorway.in_progress, doorway.answers, doorway.is_open) == (1, True, True)
    desk.bye()
    page.reply(await page.expect("BYE"), 200)
    await desk.expect("200 BYE")
    await world.sleep(0.1)
    assert town.exchange.visitors.doorway("ecole") == doorway._replace(in_progress=0)


@scenario()
async def test_a_visitor_is_no_telephone(world: World) -> None:
    """No registration, no text, no watching: only its one call."""
    town = await town_with_buttons(world)
    page, password = await visitor(town), issued(town)
    for method in ("REGISTER", "MESSAGE", "SUBSCRIBE", "PUBLISH"):
        page.user = "visitor"
        headers = {"SUBSCRIBE": [("Event", "presence")], "PUBLISH": [("Event", "presence")]}.get(method, [])
        page.send(method, to=f"sip:1001@{DOMAIN}", headers=headers)
        challenge = await page.expect(401)
        page.user = password.username
        page.authenticate(challenge, password=password.password)
        await page.expect(403)


@scenario()
async def test_a_visitor_far_away_calls_no_emergency_number(world: World) -> None:
    town = await town_with_buttons(world)
    page = await visitor(town)
    for number in ("112", "15", "+33112"):
        await calls(page, number, issued(town))
        await page.expect(403)


@scenario()
async def test_a_visitor_transfers_nobody(world: World) -> None:
    town = await town_with_buttons(world)
    (desk,) = await town.phones("2401")
    page = await visitor(town)
    await calls(page, "accueil-ecole", issued(town))
    desk.answer(await desk.expect("INVITE"))
    await desk.expect("ACK")
    answer = await page.expect(200)
    page.ack(answer)
    page.send("REFER", within=answer, headers=[("Refer-To", f"<sip:0033612345678@{DOMAIN}>")])
    await page.expect(403)
    await town.hang_up(page, desk)


@scenario()
async def test_a_service_that_calls_back_keeps_a_number_that_costs_little(world: World) -> None:
    before = "    when_full: {after_seconds: 120, to: repondeur-mairie}\n"
    assert before in PLAN_TEXT
    plan = PLAN_TEXT.replace(before, f"{before}    callback: {{key: 1, after_seconds: 30}}\n")
    town = await town_with_buttons(world, plan)
    visitors = town.exchange.visitors
    doorway = visitors.doorway("mairie")
    assert doorway is not None
    assert doorway.calls_back
    assert visitors.call_back("mairie", "06 12 34 56 78") == ""
    (kept,) = town.exchange.queues.call_backs.of("standard")
    assert (kept.number, kept.call.startswith("click-mairie-")) == ("+33612345678", True)
    for number in ("112", "1001", "+4412345", "0899123456", "+882161234567", "bonjour", "3615", ""):
        assert visitors.call_back("mairie", number) != "", number
    assert visitors.call_back("ecole", "0612345678") == "nobody calls back here"
    town.exchange.queues.call_backs.forget(kept)


@scenario()
async def test_without_buttons_a_visitor_is_a_stranger(world: World) -> None:
    town = await start(world)
    page = await visitor(town)
    await calls(page, "accueil-ecole", issued(town))
    await page.expect(403)
