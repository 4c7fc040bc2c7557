"""Telephones of pages: their passwords and what becomes of them when their session ends."""

from __future__ import annotations

from pbx.control import ListDevices
from pbx.events import AddressWanted
from pbx.people.addresses import confirmed_here
from pbx.people.device_answers import answer_about_devices
from tests.scenarios.pages import SESSION, Page, close, open_page, reload
from tests.scenarios.town import DOMAIN, PLAN_TEXT, Town, start
from tests.sim.world import World, scenario


async def refused(page: Page) -> str:
    """Status and reason of the refusal of a REGISTER, its challenge answered."""
    page.ask_to_register()
    page.authenticate(await page.expect(401))
    return (await page.expect(403)).first_line.removeprefix("SIP/2.0 ")


@scenario()
async def test_a_page_registers_with_the_password_of_its_session(world: World) -> None:
    """Nobody has made the device 1002-web, and no database has it."""
    town = await start(world)
    page = await open_page(town, "1002", "a", signs_in=False)
    answer = await page.sign_in()
    # RFC 5627 section 5.3: the GRUU of this page.
    assert page.gruu == f"sip:1002-web@{DOMAIN};gr=urn:uuid:a"
    assert answer.header("Require") == "outbound"
    assert [binding.device for binding in town.exchange.devices.bindings_of("1002")] == ["1002-web"]


@scenario()
async def test_over_a_websocket_md5_is_offered_alone(world: World) -> None:
    """JsSIP answers the last challenge alone, others the first, and both know MD5 alone (RFC 8760 2.4)."""
    town = await start(world)
    page = await open_page(town, "1002", "a", signs_in=False)
    page.ask_to_register()
    challenge = await page.expect(401)
    algorithms = [
        line.partition("algorithm=")[2].partition(",")[0] for line in challenge.all("WWW-Authenticate")
    ]
    assert algorithms == ["MD5"]


@scenario()
async def test_a_password_that_is_over_is_refused_in_words_and_bans_nobody(world: World) -> None:
    town = await start(world)
    page = await open_page(town, "1002", "a", signs_in=False)
    page.take_password(lasting_seconds=-1.0)
    for _ in range(30):
        assert await refused(page) == "403 Password Expired"
    page.take_password()
    await page.sign_in()


@scenario()
async def test_a_guessed_password_is_refused_as_anybodys(world: World) -> None:
    town = await start(world)
    page = await open_page(town, "1002", "a", signs_in=False)
    page.password = "guessed"
    assert await refused(page) == "403 Forbidden"


@scenario()
async def test_a_browser_of_nobody_is_refused(world: World) -> None:
    town = await start(world)
    page = await open_page(town, "1002", "a", signs_in=False)
    page.user, page.extension = "6666-web", "6666"
    page.take_password()
    assert await refused(page) == "403 Forbidden"


@scenario()
async def test_no_password_opens_the_browser_of_somebody_else(world: World) -> None:
    town = await start(world)
    page = await open_page(town, "1002", "a", signs_in=False)
    page.user = "1001-web"
    assert await refused(page) == "403 Not Your Address"


@scenario()
async def test_nobody_signs_in_as_a_browser_without_the_key(world: World) -> None:
    """The device is there once a page has registered; it has no password, not even an empty one."""
    town = await start(world)
    await open_page(town, "1002", "a")
    page = await open_page(town, "1002", "bb", signs_in=False)
    page.username, page.password = "1002-web", ""
    assert await refused(page) == "403 Forbidden"


@scenario()
async def test_a_binding_lasts_no_longer_than_the_password(world: World) -> None:
    town = await start(world)
    page = await open_page(town, "1002", "a", signs_in=False)
    page.take_password(lasting_seconds=90.0)
    answer = await page.sign_in(seconds=600)
    assert 85 <= int(answer.header("Contact").partition("expires=")[2].partition(";")[0]) <= 90
    await world.sleep(91)
    assert town.exchange.status()["bindings"] == 0


@scenario()
async def test_a_session_that_ends_unregisters_its_pages_and_no_others(world: World) -> None:
    town = await start(world)
    await open_page(town, "1002", "a")
    await open_page(town, "1002", "bb", session="00000000000000ff")
    assert town.exchange.browsers.sessions() == {SESSION: "1002", "00000000000000ff": "1002"}
    assert town.exchange.browsers.sign_out([SESSION]) == 1
    assert [one.instance for one in town.exchange.devices.bindings_of("1002")] == ["urn:uuid:bb"]


@scenario()
async def test_a_page_whose_session_has_ended_neither_registers_nor_calls(world: World) -> None:
    town = await start(world)
    page = await open_page(town, "1002", "a")
    town.exchange.browsers.sign_out([SESSION])
    assert await refused(page) == "403 Signed Out"
    page.invite("2010")
    page.authenticate(await page.expect(401))
    assert (await page.expect(403)).first_line == "SIP/2.0 403 Signed Out"


@scenario()
async def test_a_call_goes_on_after_its_session_has_ended(world: World) -> None:
    town = await start(world)
    (desk,) = await town.phones("2010")
    page = await open_page(town, "1002", "a")
    await town.talk(page, desk)
    town.exchange.browsers.sign_out([SESSION])
    await world.sleep(5)
    await town.hang_up(page, desk)
    assert town.calls[-1].cause == "completed"


@scenario()
async def test_bindings_of_pages_are_kept_over_a_reload_of_the_plan(world: World) -> None:
    town = await start(world)
    await open_page(town, "1002", "a")
    town.reload(PLAN_TEXT)
    assert town.exchange.status()["bindings"] == 1


@scenario()
async def test_a_password_that_is_over_still_calls_for_help_from_a_site(world: World) -> None:
    """Design, promise 3: never challenged on a site's network."""
    town = await start(world)
    operator = town.operator("operateur-a")
    page = await open_page(town, "2010", "a")
    page.take_password(lasting_seconds=-1.0)
    page.invite("112")
    page_call = await operator.expect("INVITE", passing_over=["OPTIONS", "REGISTER"])
    operator.answer(page_call)
    await operator.expect("ACK")
    page.ack(await page.expect(200, passing_over=[180, 183]))
    await town.hang_up(page, operator)


# --- The device --------------------------------------------------------------------------------------------


def listed(town: Town) -> list[str]:
    """The devices of a person, as pages and commands list them."""
    return [one.device for one in answer_about_devices(town.exchange, ListDevices("", "1002")).devices]


@scenario()
async def test_a_page_is_listed_with_the_devices_of_its_person_while_it_is_there(world: World) -> None:
    town = await start(world)
    assert listed(town) == ["1002"]
    page = await open_page(town, "1002", "a")
    assert listed(town) == ["1002", "1002-web"]
    await page.sign_in(seconds=0)
    assert listed(town) == ["1002"]


@scenario()
async def test_a_page_at_home_is_asked_where_it_is_and_a_call_for_help_tells_so(world: World) -> None:
    """As any device outside of every site (pbx.people.addresses), before it registers or after."""
    town = await start(world)
    operator = town.operator("operateur-a")
    wanted: list[AddressWanted] = []
    town.exchange.events.subscribe(wanted.append, AddressWanted)
    page = await open_page(town, "1002", "a")
    assert [one.device for one in wanted] == ["1002-web"]
    town.exchange.addresses.say(
        "1002-web", {"street": "5 rue des Lilas", "city": "Nancy"}, "1002", confirm=True
    )
    await page.call("112")
    help_call = await operator.expect("INVITE", passing_over=["OPTIONS", "REGISTER"])
    operator.answer(help_call)
    await operator.expect("ACK")
    page.ack(await page.expect(200, passing_over=[180, 183]))
    await town.hang_up(page, operator)
    device = town.exchange.devices.find("1002-web")
    assert device is not None
    assert confirmed_here(device, page.host.address) == {"street": "5 rue des Lilas", "city": "Nancy"}


@scenario()
async def test_where_a_page_is_may_be_said_before_it_registers(world: World) -> None:
    town = await start(world)
    home = {"street": "5 rue des Lilas", "city": "Nancy"}
    town.exchange.addresses.say("1002-web", home, "1002", confirm=True, network="192.0.2.7")
    page = await open_page(town, "1002", "a")
    device = town.exchange.devices.find("1002-web")
    assert device is not None
    assert confirmed_here(device, page.host.address) == home


@scenario()
async def test_where_a_page_is_outlives_a_restart(world: World) -> None:
    town = await start(world)
    page = await open_page(town, "1002", "a")
    home = {"street": "5 rue des Lilas", "city": "Nancy"}
    town.exchange.addresses.say("1002-web", home, "1002", confirm=True)
    await close(page)
    await town.restart()
    again = await reload(page)
    device = town.exchange.devices.find("1002-web")
    assert device is not None
    assert confirmed_here(device, again.host.address) == home
