"""What the pages are told that people are doing, as their telephones ring, talk and leave."""

from __future__ import annotations

from pbx.control import ListColleagues
from pbx.services.colleagues import answer_about_colleagues
from sip.core.presence_document import Presence, presence_document
from tests.scenarios.test_watching import publish
from tests.scenarios.town import Town, start
from tests.sim.world import World, scenario


def doing(town: Town, *extensions: str, devices: tuple[str, ...] = ()) -> dict[str, str]:
    """What people are doing, by extension."""
    answer = answer_about_colleagues(town.exchange, ListColleagues(extensions, devices))
    return {one.extension: one.state for one in answer.colleagues}


@scenario()
async def test_a_call_is_seen_from_its_ringing_to_its_end(world: World) -> None:
    town = await start(world)
    alice, bruno = await town.phones("1001", "1002")
    assert doing(town, "1001", "1002") == {"1001": "free", "1002": "free"}
    await alice.call("1002")
    invite = await bruno.expect("INVITE")
    assert doing(town, "1002") == {"1002": "free"}
    bruno.reply(invite, 180)
    await alice.expect(180)
    assert doing(town, "1001", "1002") == {"1001": "in_call", "1002": "ringing"}
    bruno.answer(invite)
    await bruno.expect("ACK")
    alice.ack(await alice.expect(200))
    assert doing(town, "1001", "1002") == {"1001": "in_call", "1002": "in_call"}
    await town.hang_up(alice, bruno)
    assert doing(town, "1001", "1002") == {"1001": "free", "1002": "free"}


@scenario()
async def test_who_has_no_telephone_is_not_there_and_who_wants_no_calls_says_so(world: World) -> None:
    town = await start(world)
    await town.phones("1001")
    town.exchange.settings.do_not_disturb("1001", True, "1001")
    assert doing(town, "1001", "1002", "9999") == {"1001": "do_not_disturb", "1002": "not_there"}
    town.exchange.settings.do_not_disturb("1001", False, "1001")


@scenario()
async def test_who_says_to_be_away_is_away(world: World) -> None:
    town = await start(world)
    (bruno,) = await town.phones("1002")
    await publish(bruno, presence_document("sip:1002@x", Presence(True, "Réunion", ("meeting",))))
    assert doing(town, "1002") == {"1002": "away"}
    await world.sleep(3600)


@scenario()
async def test_a_device_is_its_user_and_a_trunk_is_nobody(world: World) -> None:
    town = await start(world)
    await town.phones("1002")
    assert doing(town, devices=("1002", "operateur-a")) == {"1002": "free"}
