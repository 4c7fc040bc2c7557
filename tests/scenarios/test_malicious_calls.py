"""Malicious calls: `*39` keeps where one came from, also what the caller didn't want to be shown."""

from __future__ import annotations

import pytest

from pbx.events import MaliciousCallTraced
from pbx.records import TraceRecord
from tests.scenarios.offers import assert_speak, connected, operator_party, party
from tests.scenarios.test_settings import answered_by, dial, town_with
from tests.scenarios.town import SECRETS, Town, start
from tests.sim.ladder import assert_golden
from tests.sim.world import World, scenario

DONE = "Appel malveillant signalé. Son origine est conservée."
HIDES = {"P-Asserted-Identity": "<sip:+33601020304@sip.operateur-a.example>", "Privacy": "id"}
OFFICE = "+33383001010"


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)


def kept(town: Town) -> list[TraceRecord]:
    return [one for one in town.journal.written if isinstance(one, TraceRecord)]


def events(town: Town) -> list[MaliciousCallTraced]:
    heard: list[MaliciousCallTraced] = []
    town.exchange.events.subscribe(heard.append, MaliciousCallTraced)
    return heard


@scenario()
async def test_after_the_call_its_hidden_number_is_kept(world: World) -> None:
    """RFC 3325 section 9.1: an operator tells us who calls, and that it isn't to be shown."""
    town, (office,) = await town_with(world, "2010")
    a = town.operator("operateur-a")
    heard = events(town)
    a.headers.update(HIDES)
    a.invite(OFFICE)
    invite = await office.expect("INVITE")
    assert "+33601020304" not in str(invite)
    office.answer(invite)
    await office.expect("ACK")
    a.ack(await a.expect(200))
    await town.hang_up(a, office)
    town.ladder.clear()
    assert await dial(town, office, "*39") == [DONE]
    (trace,) = kept(town)
    assert (trace.by, trace.call, trace.number, trace.hidden) == (
        "2010", town.calls[0].id, "+33601020304", True,
    )  # fmt: skip
    assert (trace.device, trace.address) == ("operateur-a", "203.0.113.1:5060")
    assert trace.call_id == a.last_invite.call_id
    assert "P-Asserted-Identity: <sip:+33601020304@sip.operateur-a.example>" in trace.said
    assert "Privacy: id" in trace.said
    assert [(one.call, one.by, one.number) for one in heard] == [(trace.call, "2010", trace.number)]
    assert_golden("malicious-call", town.ladder)


@scenario()
async def test_the_caller_is_traced_before_the_confirmation_is_heard(world: World) -> None:
    town, (office, alice) = await town_with(world, "2010", "1001")
    await alice.call("2010")
    await answered_by(town, alice, office)
    await dial(town, office, "*39")
    written = f"write trace of {kept(town)[0].by}"
    answered = len(town.journal.timeline) - town.journal.timeline[::-1].index("send BYE to 2010")
    assert written in town.journal.timeline[:answered]


@scenario()
async def test_during_the_call_it_is_traced_from_another_line(world: World) -> None:
    town = await start(world)
    operator, office = operator_party(town, "operateur-a"), await party(town, "2010")
    second = town.phone("2010", address="10.54.1.11")
    await second.register()
    operator.headers.update(HIDES)
    talk = operator.dial(f"sip:{OFFICE}@10.54.0.10")
    invite = await second.expect("INVITE")
    second.reply(invite, 486)
    await second.expect("ACK")
    await world.sleep(1)
    assert await dial(town, second, "*39") == [DONE]
    (trace,) = kept(town)
    assert (trace.number, trace.hidden) == ("+33601020304", True)
    assert_speak(town, operator, office)
    operator.leave(talk)
    await world.sleep(0.5)


@scenario()
async def test_a_caller_transferred_to_the_code_comes_back_and_hears_nothing(world: World) -> None:
    """RFC 3515 section 2.4.4."""
    town = await start(world)
    operator, office = operator_party(town, "operateur-a"), await party(town, "2010")
    operator.headers.update(HIDES)
    talk = operator.dial(f"sip:{OFFICE}@10.54.0.10")
    await world.sleep(1)
    (heard,) = office.talking
    town.ladder.clear()
    office.refer(heard, "sip:*39@valmont.example")
    await world.sleep(0.5)
    assert heard.fragments[-1] == "480"
    (trace,) = kept(town)
    assert (trace.by, trace.number, trace.hidden) == ("2010", "+33601020304", True)
    assert town.spoken()[-1] == DONE
    ((_, listener),) = town.engine.playing
    assert listener == "b1"  # who transferred, not the caller
    town.finish_playing()
    await world.sleep(0.5)
    assert_speak(town, operator, office)
    assert_golden("malicious-call-transferred", town.ladder)
    operator.leave(talk)
    await world.sleep(0.5)


@scenario()
async def test_a_caller_that_came_by_a_transfer_is_traced_as_well(world: World) -> None:
    """Who reports it was given the call by a colleague: what the operator told goes with it."""
    town = await start(world)
    operator, office, chief = [
        operator_party(town, "operateur-a"), await party(town, "2010"), await party(town, "2020"),
    ]  # fmt: skip
    operator.headers.update(HIDES)
    talk = operator.dial(f"sip:{OFFICE}@10.54.0.10")
    await world.sleep(1)
    office.refer(office.talking[0], "sip:2020@valmont.example")
    await world.sleep(3)
    chief.refer(chief.talking[0], "sip:*39@valmont.example")
    await world.sleep(0.5)
    (trace,) = kept(town)
    assert (trace.by, trace.number) == ("2020", "+33601020304")
    town.finish_playing()
    operator.leave(talk)
    await world.sleep(0.5)


@scenario()
async def test_a_colleague_is_traced_by_extension_and_device(world: World) -> None:
    town = await start(world)
    alice, office = await party(town, "1001"), await party(town, "2010")
    talk, heard = await connected(town, alice, office)
    office.refer(heard, "sip:*39@valmont.example")
    await world.sleep(0.5)
    (trace,) = kept(town)
    assert (trace.number, trace.name, trace.device, trace.hidden) == ("1001", "Alice Martin", "1001", False)
    town.finish_playing()
    alice.leave(talk)
    await world.sleep(0.5)


@scenario()
async def test_without_a_call_there_is_nothing_to_report(world: World) -> None:
    town, (office,) = await town_with(world, "2010")
    assert await dial(town, office, "*39") == ["tone", "Il n'y a pas d'appel à signaler."]
    assert kept(town) == []


@scenario()
async def test_a_full_disk_reports_nothing(world: World) -> None:
    town, (office, alice) = await town_with(world, "2010", "1001")
    await alice.call("2010")
    await answered_by(town, alice, office)
    town.journal.exhausted = True
    assert await dial(town, office, "*39") == ["tone", "L'appel n'a pas pu être signalé."]


@scenario()
async def test_an_operator_that_tells_a_book_is_kept_in_part(world: World) -> None:
    town, (office,) = await town_with(world, "2010")
    a = town.operator("operateur-a")
    a.headers.update(HIDES | {"Diversion": ", ".join(["<sip:+33601020304@op.example>;reason=unknown"] * 20)})
    a.invite(OFFICE)
    office.reply(await office.expect("INVITE"), 486)
    await office.expect("ACK")
    await a.expect(486)
    await dial(town, office, "*39")
    (trace,) = kept(town)
    assert max(len(line) for line in trace.said) == 300
