"""Where a teleworker is: asked for, said, confirmed, and told to those who come to help."""

from __future__ import annotations

import pytest

from pbx.control import ForgetAddress, ListDevices, SayAddress
from pbx.events import AddressChanged, AddressWanted, EmergencyCallMade, Event
from pbx.people.addresses import network_of
from pbx.people.device_answers import answer_about_devices
from pbx.people.settings import SettingRefused
from tests.scenarios.test_help import LOCATING, TOLD
from tests.scenarios.test_hot_desk import enter
from tests.scenarios.town import BEFFROI, DOMAIN, PLAN_TEXT, SECRETS, Town, TownPhone, start
from tests.sim.ladder import assert_golden
from tests.sim.wire import Message
from tests.sim.world import World, scenario

HOME = {"street": "5 rue des Lilas", "postcode": "54000", "city": "Nancy"}
ASKED = (
    "En cas d'urgence, les secours viennent ici : 5 rue des Lilas, 54000 Nancy. "
    "Si c'est juste, tapez 1. Sinon, tapez 2."
)
NETWORK = "192.0.2.0/24"


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)


async def at_home(world: World, plan: str = PLAN_TEXT) -> tuple[Town, TownPhone, list[Event]]:
    """The town, Alice's telephone at home, and what is told about addresses."""
    town = await start(world, plan)
    events: list[Event] = []
    town.exchange.events.subscribe(events.append, AddressWanted, AddressChanged, EmergencyCallMade)
    (alice,) = await town.phones("1001")
    town.ladder.order("1001", "Beffroi", "operateur-a")
    return town, alice, events


async def call_for_help(town: Town, phone: TownPhone, operator: TownPhone) -> Message:
    """The INVITE that an operator is sent for 15; the call is answered and over."""
    await phone.call("15")
    invite = await operator.expect("INVITE")
    operator.answer(invite)
    await operator.expect("ACK")
    phone.ack(await phone.expect(200))
    await town.hang_up(phone, operator)
    return invite


@scenario()
async def test_a_device_that_registers_from_outside_is_asked_for_once(world: World) -> None:
    town, alice, events = await at_home(world)
    await alice.register()
    await alice.register()
    assert [(one.device, one.extension, one.network) for one in events if isinstance(one, AddressWanted)] == [
        ("1001", "1001", NETWORK)
    ]
    await town.phones("2010")  # at the town hall
    assert len(events) == 1


@scenario()
async def test_a_confirmed_address_goes_with_the_call_for_help(world: World) -> None:
    """RFC 6442 section 4.1, RFC 5139: the teleworker's street, and nothing of the town hall."""
    town, alice, events = await at_home(world, LOCATING)
    operator = town.operator("operateur-a")
    before = await call_for_help(town, alice, operator)
    assert b"1 place de la Mairie" not in before.body  # HNO and RD of the default site, marked as assumed
    assert b"assumed" in before.body
    town.ladder.clear()
    town.exchange.addresses.say("1001", HOME, "1001", confirm=True)
    invite = await call_for_help(town, alice, operator)
    assert b"<ca:RD>rue des Lilas</ca:RD><ca:HNO>5</ca:HNO>" in invite.body
    assert b"<ca:A3>Nancy</ca:A3>" in invite.body
    assert b"assumed" not in invite.body
    assert b"place de la Mairie" not in invite.body
    assert b"tel de ville" not in invite.body
    assert [one.source for one in events if isinstance(one, EmergencyCallMade)] == ["assumed", "confirmed"]
    assert_golden("emergency-from-home", town.ladder)


@scenario()
async def test_the_notice_says_the_teleworkers_address_and_not_the_sites(world: World) -> None:
    town, alice, _ = await at_home(world, TOLD)
    town.exchange.addresses.say("1001", HOME, "1001", confirm=True)
    (bruno,) = await town.phones("1002")
    operator = town.operator("operateur-a")
    await alice.call("15")
    operator.answer(await operator.expect("INVITE"))
    await operator.expect("ACK")
    notice = await bruno.expect("MESSAGE")
    bruno.reply(notice, 200)
    text = notice.body.decode()
    assert "5 rue des Lilas, 54000 Nancy." in text
    assert "supposé" not in text
    assert "Hôtel de ville" not in text
    message, answer = await alice.expect_in_any_order("MESSAGE", 200)
    alice.reply(message, 200)
    alice.ack(answer)
    await town.hang_up(alice, operator)


@scenario()
async def test_an_address_that_nobody_confirmed_is_not_told(world: World) -> None:
    town, alice, events = await at_home(world, LOCATING)
    operator = town.operator("operateur-a")
    town.exchange.addresses.say("1001", HOME, "rh", confirm=False)
    invite = await call_for_help(town, alice, operator)
    assert b"Lilas" not in invite.body
    assert b"assumed" in invite.body
    assert [one.source for one in events if isinstance(one, EmergencyCallMade)] == ["assumed"]


@scenario()
async def test_in_another_network_it_is_asked_again_and_back_home_it_holds(world: World) -> None:
    town, alice, events = await at_home(world)
    operator = town.operator("operateur-a")
    town.exchange.addresses.say("1001", HOME, "1001", confirm=True)
    elsewhere = TownPhone(
        world.host("elsewhere", "203.0.113.77"), user="1001", password="pw1001", server=BEFFROI, domain=DOMAIN
    )
    world.closing.push_async_callback(elsewhere.close)
    await elsewhere.register()
    wanted = [one.network for one in events if isinstance(one, AddressWanted)]
    assert wanted == [NETWORK, "203.0.113.0/24"]
    await call_for_help(town, elsewhere, operator)
    await alice.register()
    assert len([one for one in events if isinstance(one, AddressWanted)]) == 2
    await call_for_help(town, alice, operator)
    sources = [one.source for one in events if isinstance(one, EmergencyCallMade)]
    assert sources == ["assumed", "confirmed"]


@scenario()
async def test_a_forgotten_address_is_asked_for_again(world: World) -> None:
    town, alice, events = await at_home(world)
    operator = town.operator("operateur-a")
    town.exchange.addresses.say("1001", HOME, "1001", confirm=True)
    town.exchange.addresses.forget("1001", "root")
    await alice.register()
    told = [type(one).__name__ for one in events]
    assert told == ["AddressWanted", "AddressChanged", "AddressChanged", "AddressWanted"]
    await call_for_help(town, alice, operator)
    assert isinstance(events[-1], EmergencyCallMade)
    assert events[-1].source == "assumed"


@scenario()
async def test_an_address_outlives_a_kill(world: World) -> None:
    town, alice, _ = await at_home(world, LOCATING)
    operator = town.operator("operateur-a")
    town.exchange.addresses.say("1001", HOME, "1001", confirm=True)
    await town.restart()
    await town.exchange.trunks.resolve()
    assert b"rue des Lilas" in (await call_for_help(town, alice, operator)).body


@scenario()
async def test_by_code_one_hears_the_address_and_confirms_it(world: World) -> None:
    town, alice, _ = await at_home(world)
    assert "n'est pas connue" in (await enter(town, alice, "*24"))[0]
    town.exchange.addresses.say("1001", HOME, "rh", confirm=False)
    heard = await enter(town, alice, "*24", "1")
    assert heard == [
        ASKED,
        "C'est noté, merci.",
    ]
    (said,) = town.exchange.addresses.of("1001")
    assert said.set_by.by == "rh"
    assert said.confirmed is not None
    assert said.confirmed.by == "1001"
    await enter(town, alice, "*24", "2")
    assert town.exchange.addresses.of("1001") == []
    assert_golden("address-by-code", town.ladder)


@scenario()
async def test_at_a_site_the_code_says_the_sites_address(world: World) -> None:
    town = await start(world)
    (office,) = await town.phones("2010")
    assert await enter(town, office, "*24") == [
        "En cas d'urgence, les secours viennent ici : Hôtel de ville, 1 place de la Mairie, 54999 Valmont."
    ]


@scenario()
async def test_what_is_no_address_is_refused_in_words(world: World) -> None:
    town, _, _ = await at_home(world)
    for address, network, why in (
        ({"street": "5 rue des Lilas"}, "", "an address needs street and city"),
        ({**HOME, "planet": "Mars"}, "", '"planet" is none of'),
        ({**HOME, "street": "a" * 200}, "", "1 to 120 characters"),
        ({**HOME, "street": "a\nb"}, "", "1 to 120 characters"),
        (HOME, "home", "is no network of a home"),
        (HOME, "10.0.0.0/8", "is no network of a home"),
        ({}, "", "nobody said where 1001 is on 192.0.2.0/24"),
    ):
        answer = answer_about_devices(town.exchange, SayAddress("1001", dict(address), "root", True, network))
        assert why in answer.problem
    assert (
        "no device signs in as"
        in answer_about_devices(town.exchange, SayAddress("nobody", HOME, "root", True)).problem
    )
    assert "isn't connected" in answer_about_devices(town.exchange, ForgetAddress("2010", "root")).problem
    assert town.exchange.addresses.everywhere() == []


@scenario()
async def test_a_device_remembers_eight_networks_and_no_more(world: World) -> None:
    town, _, _ = await at_home(world)
    for number in range(9):
        town.exchange.addresses.say("1001", HOME, "1001", confirm=True, network=f"198.51.{number}.1")
    networks = [said.network for said in town.exchange.addresses.of("1001")]
    assert networks == [f"198.51.{number}.0/24" for number in range(1, 9)]


@scenario()
async def test_devices_are_listed_with_who_uses_them_and_what_is_wanted(world: World) -> None:
    town, _, _ = await at_home(world)
    town.exchange.seats.take("1001", "1002", "root")
    (alice, *_) = [one for one in answer_about_devices(town.exchange, ListDevices()).devices if one.contacts]
    assert (alice.device, alice.owner, alice.user, alice.network) == ("1001", "1001", "1002", NETWORK)
    after = answer_about_devices(town.exchange, ListDevices("2202")).devices
    assert [one.device for one in after] == ["2301", "2302", "2401"]
    town.exchange.seats.give_back("1001", "root")
    with pytest.raises(SettingRefused, match="nobody uses 1001"):
        town.exchange.seats.give_back("1001", "root")


def test_a_home_has_a_24_of_ipv4_and_a_56_of_ipv6() -> None:
    """RFC 6177 section 2, and RFC 4291 section 2.5.5.2 for an IPv4 peer of a dual-stack socket."""
    assert network_of("192.0.2.77") == "192.0.2.0/24"
    assert network_of("::ffff:192.0.2.77") == "192.0.2.0/24"
    assert network_of("2001:db8:1:2345::1") == "2001:db8:1:2300::/56"
    assert network_of("fe80::1%eth0") == "fe80::/56"
