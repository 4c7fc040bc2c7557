"""A telephone takes the call that rings at another one: INVITE with Replaces (RFC 3891)."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import dataclass

import pytest

from tests.scenarios.offers import assert_speak, operator_party, party
from tests.scenarios.party import Party, Talk
from tests.scenarios.test_attended_transfers import dialog_of
from tests.scenarios.test_watching import DIALOG_INFO, told, unwatch, watch
from tests.scenarios.town import SECRETS, Town, start, tell
from tests.sim.ladder import assert_golden
from tests.sim.world import World, scenario


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)


@dataclass
class Ringing:
    """2301 calls 1002, whose telephone rings; 1001 is of the same group."""

    town: Town
    caller: Party
    rings: Party
    near: Party
    theirs: Talk
    rung: Talk

    async def take(self, who: Party, *, more: str = "", number: str = "1002") -> Talk:
        """Somebody picks the call up; returns their talk after a second."""
        call_id, ours, theirs = dialog_of(self.rings, self.rung)
        who.headers["Replaces"] = f"{call_id};to-tag={ours};from-tag={theirs}{more}"
        taken = who.dial(number)
        await self.town.world.sleep(1.0)
        del who.headers["Replaces"]
        return taken

    async def end(self) -> None:
        """Everybody hangs up."""
        for one in (self.caller, self.rings, self.near):
            for talk in one.talking:
                one.leave(talk)
            await self.town.world.sleep(0.2)


async def ringing(world: World) -> Ringing:
    town = await start(world)
    caller, rings, near = [await party(town, user) for user in ("2301", "1002", "1001")]
    rings.answers_after = None
    theirs = caller.dial("1002")
    await world.sleep(0.5)
    (rung,) = rings.talks.values()
    town.ladder.clear()
    town.ladder.order("2301", "Beffroi", "1001", "1002")
    return Ringing(town, caller, rings, near, theirs, rung)


@scenario()
async def test_a_call_that_rings_at_a_colleague_is_picked_up(world: World) -> None:
    """RFC 3891 section 3: the new INVITE is accepted, and the one that rings is cancelled."""
    us = await ringing(world)
    taken = await us.take(us.near)
    assert us.rung.over
    assert taken.established
    assert us.theirs.established
    assert_speak(us.town, us.caller, us.near)
    assert_golden("picked-up", us.town.ladder)
    await us.end()
    (record,) = us.town.calls
    lines = tell(record).splitlines()
    assert lines[0].startswith("internal 2301 (Patrouille 1) dialled 1002 to 1002: completed")
    assert [line.split(":")[0].split()[0] for line in lines[1:]] == ["2301", "1002", "1001"]
    assert "answered elsewhere" in lines[2]


@scenario()
async def test_the_lamp_shows_all_that_picking_up_needs(world: World) -> None:
    """RFC 4235 section 4.1: Call-ID and both tags of the early dialog."""
    us = await ringing(world)
    watching = us.town.phone("2020", address="10.54.1.20")
    near = us.near
    near.automatic = False
    first = await watch(near, "dialog", "1002")
    (dialog,) = ET.fromstring(first.body).findall(f"{DIALOG_INFO}dialog")
    call_id, ours, theirs = dialog_of(us.rings, us.rung)
    assert dialog.findtext(f"{DIALOG_INFO}state") == "early"
    assert dialog.attrib["call-id"] == call_id
    assert (dialog.attrib["local-tag"], dialog.attrib["remote-tag"]) == (theirs, ours)
    us.caller.cancel(us.theirs.invite)
    await world.sleep(0.5)
    await told(near)
    await unwatch(near, first, "dialog")
    watching.overlook()


@scenario()
async def test_another_device_of_the_person_picks_its_own_call_up(world: World) -> None:
    us = await ringing(world)
    await us.end()
    us.caller.cancel(us.theirs.invite)
    await world.sleep(0.5)
    app = await party(us.town, "1001-app")
    app.answers_after = us.near.answers_after = None
    us.theirs = us.caller.dial("1001")
    await world.sleep(0.5)
    us.rings, (us.rung,) = us.near, us.near.talks.values()
    await us.take(app, number="1001")
    assert_speak(us.town, us.caller, app)
    for talk in app.talking:
        app.leave(talk)
    await us.end()


@pytest.mark.parametrize(
    ("kind", "status"), [("a stranger", 403), ("cancelled", 481), ("unknown", 481), ("no codec", 488)]
)
@scenario()
async def test_who_may_not_or_cannot_pick_up_lets_it_ring(world: World, kind: str, status: int) -> None:
    """RFC 3891 sections 3, 4 and 7.1."""
    us = await ringing(world)
    who = await party(us.town, "2010") if kind == "a stranger" else us.near
    if kind == "cancelled":
        us.caller.cancel(us.theirs.invite)
        await world.sleep(0.5)
    if kind == "no codec":
        who.port = 0
    taken = await us.take(who, more="x" if kind == "unknown" else "")
    assert taken.finals == [f"{status} INVITE"]
    if kind != "cancelled":
        assert not us.rung.over
        us.rings.pick_up(us.rung)
        await world.sleep(0.5)
        assert_speak(us.town, us.caller, us.rings)
    await us.end()


@scenario()
async def test_who_asks_for_an_early_dialog_only_gets_what_rings(world: World) -> None:
    """RFC 3891 section 7.2."""
    us = await ringing(world)
    await us.take(us.near, more=";early-only")
    assert_speak(us.town, us.caller, us.near)
    await us.end()


@pytest.mark.parametrize("seconds", [0.0, 0.0005, 0.001, 0.0015, 0.002, 0.0025, 0.003, 0.004, 0.006])
@pytest.mark.parametrize("who", ["answers", "takes back", "gives up"])
@scenario()
async def test_whatever_crosses_a_pick_up_leaves_nobody_waiting(
    world: World, seconds: float, who: str
) -> None:
    """RFC 3891 section 3: of an answer and a pick-up at the same time one has the call, the other an end."""
    us = await ringing(world)
    call_id, ours, theirs = dialog_of(us.rings, us.rung)
    us.near.headers["Replaces"] = f"{call_id};to-tag={ours};from-tag={theirs}"
    taken = us.near.dial("1002")
    await world.sleep(0.0021)  # challenged by now
    del us.near.headers["Replaces"]
    await world.sleep(seconds)
    match who:
        case "answers":
            us.rings.pick_up(us.rung)
        case "takes back":
            us.near.cancel(us.near.last_invite)
        case _:
            us.caller.cancel(us.theirs.invite)
    await world.sleep(3)
    for talk in us.near.talking:
        assert taken.established
        us.near.leave(talk)
    us.rings.pick_up(us.rung)
    await world.sleep(3)
    await us.end()
    await world.sleep(0.5)
    assert not us.near.talking + us.caller.talking + us.rings.talking
    assert us.town.exchange.core.stack.counts["internal error"] == 0


@scenario()
async def test_a_call_from_outside_that_rings_is_picked_up(world: World) -> None:
    town = await start(world)
    operator = operator_party(town, "operateur-b")
    rings, near = await party(town, "2201"), await party(town, "2202")
    rings.answers_after = None
    theirs = operator.dial("sip:+33383001201@10.54.0.10")
    await world.sleep(0.5)
    (rung,) = rings.talks.values()
    us = Ringing(town, operator, rings, near, theirs, rung)
    await us.take(near, number="2201")
    assert_speak(town, operator, near)
    await us.end()
    assert town.exchange.trunks.inventory()["trunk channels"] == 0


@scenario()
async def test_a_call_for_help_replaces_nothing(world: World) -> None:
    """Design, promise 3: it has proved nothing of who makes it, and is never refused."""
    us = await ringing(world)
    operator = operator_party(us.town, "operateur-a")
    talk = await us.take(us.caller, number="18")
    assert talk.established
    assert operator.talking
    assert not us.rung.over
    us.caller.leave(talk)
    us.caller.cancel(us.theirs.invite)
    await world.sleep(0.5)
    await us.end()


@pytest.mark.parametrize("code", ["*8", "**1002", "%2A8"])
@scenario()
async def test_a_code_picks_up_what_rings_in_the_group(world: World, code: str) -> None:
    us = await ringing(world)
    taken = us.near.dial(code)
    await world.sleep(1)
    assert us.rung.over
    assert taken.established
    assert_speak(us.town, us.caller, us.near)
    if code == "*8":
        assert_golden("picked-up-by-code", us.town.ladder)
    await us.end()


@pytest.mark.parametrize(("who", "code"), [("2010", "*8"), ("2010", "**1002"), ("1001", "**2020")])
@scenario()
async def test_a_code_that_finds_nothing_says_so_and_lets_it_ring(world: World, who: str, code: str) -> None:
    """Of another group, or where nobody calls."""
    us = await ringing(world)
    other = us.near if who == "1001" else await party(us.town, who)
    other.dial(code)
    await world.sleep(1)
    assert us.town.spoken() == ["Aucun téléphone que vous pouvez intercepter ne sonne."]
    us.town.finish_playing()
    await world.sleep(0.5)
    assert not us.rung.over
    us.rings.pick_up(us.rung)
    await world.sleep(0.5)
    await us.end()
