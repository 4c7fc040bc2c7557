"""Attended transfers and taken calls: REFER and INVITE with Replaces (RFC 3891, RFC 5589 section 7).

1001 talks with 1002, asks 2010 and connects the two; or 1001's second device takes its call.
"""

from __future__ import annotations

import pytest

from tests.scenarios.offers import assert_speak, connected, operator_party, party
from tests.scenarios.party import MU_LAW, Party, Talk
from tests.scenarios.town import SECRETS, Town, start, tell
from tests.sim.ladder import assert_golden
from tests.sim.wire import tag_of
from tests.sim.world import World, scenario


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)


def dialog_of(phone: Party, talk: Talk) -> tuple[str, str, str]:
    """A dialog as we know it: Call-ID, our tag, the phone's."""
    dialog = phone._dialog(talk.invite)
    return dialog.call_id, tag_of(dialog.remote), tag_of(dialog.local)


def replaces(phone: Party, talk: Talk) -> str:
    """A Refer-To URI that names the other call of the one who transfers."""
    call_id, ours, theirs = dialog_of(phone, talk)
    return f"sip:x@valmont.example?Replaces={call_id}%3Bto-tag%3D{ours}%3Bfrom-tag%3D{theirs}"


class Consulting:
    """1001 has 1002 on hold and talks with 2010."""

    def __init__(self, town: Town, parties: list[Party], first: Talk, second: Talk) -> None:
        self.town = town
        self.alice, self.bruno, self.chloe = parties
        self.first, self.second = first, second

    @property
    def causes(self) -> list[str]:
        """How the calls ended, in their order."""
        return [call.cause for call in self.town.calls]

    async def end(self) -> None:
        """Everybody hangs up."""
        for one in (self.alice, self.bruno, self.chloe):
            for talk in one.talking:
                one.leave(talk)
            await self.town.world.sleep(0.2)


async def consulting(
    world: World, *, wait_seconds: float = 0.5, number: str = "2010", mu_law: str = ""
) -> Consulting:
    """mu_law: who (`bruno` or `chloe`) has nothing else, so that the other one is to be told."""
    town = await start(world)
    parties = [await party(town, user) for user in ("1001", "1002", "2010")]
    alice = parties[0]
    if mu_law:
        parties[1 if mu_law == "bruno" else 2].codecs = MU_LAW
    first, _ = await connected(town, alice, parties[1])
    alice.holds = True
    alice.change(first, alice.describe())
    await world.sleep(0.2)
    alice.holds = False
    second = alice.dial(number)
    await world.sleep(wait_seconds)
    town.ladder.clear()
    town.ladder.order("1002", "1001", "Beffroi", "2010")
    return Consulting(town, parties, first, second)


@scenario()
async def test_the_two_others_are_connected_and_all_calls_are_recorded(world: World) -> None:
    us = await consulting(world)
    us.alice.refer(us.first, replaces(us.alice, us.second))
    await world.sleep(4)
    assert us.first.fragments == ["100", "200"]
    assert us.first.over
    assert us.second.over
    assert_speak(us.town, us.bruno, us.chloe)
    # Nothing changes for either: RFC 3264 section 8 has no need of an offer.
    assert [talk.got for one in (us.bruno, us.chloe) for talk in one.talking] == [["UPDATE"], ["UPDATE"]]
    assert us.bruno.shown == ['"État civil" <sip:2010@valmont.example>']
    assert us.chloe.shown == ['"Bruno Petit" <sip:1002@valmont.example>']
    await us.end()
    assert [tell(call).splitlines()[0].rpartition(",")[0] for call in us.town.calls] == [
        "internal 1001 (Alice Martin) dialled 2010 to 2010: transferred",
        "internal 1001 (Alice Martin) dialled 1002 to 1002: transferred",
        "internal 1002 (Bruno Petit) dialled 2010 to 2010: completed",
    ]
    assert [leg.codec for call in us.town.calls for leg in call.legs] == ["PCMA"] * 6


@scenario()
async def test_who_was_called_second_may_have_called_first(world: World) -> None:
    town = await start(world)
    alice, bruno, chloe = [await party(town, user) for user in ("1001", "1002", "2010")]
    first, _ = await connected(town, alice, bruno)
    second = await _called(town, chloe, alice, first)
    alice.refer(first, replaces(alice, second))
    await world.sleep(4)
    assert_speak(town, bruno, chloe)
    for one in (bruno, chloe):
        for talk in one.talking:
            one.leave(talk)
        await world.sleep(0.2)
    assert [call.cause for call in town.calls] == ["transferred", "transferred", "completed"]


async def _called(town: Town, caller: Party, callee: Party, first: Talk) -> Talk:
    """A second call reaches who is in a first one."""
    caller.dial(callee.user)
    await town.world.sleep(0.5)
    (second,) = [other for other in callee.talking if other is not first]
    return second


@scenario()
async def test_the_first_call_may_be_named_in_the_second(world: World) -> None:
    """Some telephones send their REFER to the one they asked, not to the one who waits."""
    us = await consulting(world)
    us.alice.refer(us.second, replaces(us.alice, us.first))
    await world.sleep(4)
    assert_speak(us.town, us.bruno, us.chloe)
    await us.end()
    assert us.causes == ["transferred", "transferred", "completed"]


@scenario()
async def test_where_it_only_rings_the_target_is_called_anew(world: World) -> None:
    us = await consulting(world, wait_seconds=0.1)
    assert not us.second.established
    us.alice.refer(us.first, replaces(us.alice, us.second))
    await world.sleep(4)
    assert us.second.over
    assert us.first.fragments[-1] == "200"
    assert_speak(us.town, us.bruno, us.chloe)
    assert_golden("transfer-while-ringing", us.town.ladder)
    await us.end()
    assert us.causes == ["transferred", "transferred", "completed"]


@scenario()
async def test_a_party_is_handed_to_the_echo_that_was_asked(world: World) -> None:
    us = await consulting(world, number="9196")
    us.alice.refer(us.first, replaces(us.alice, us.second))
    await world.sleep(4)
    assert us.second.over
    assert us.town.engine.echoing
    (talk,) = us.bruno.talking
    us.bruno.leave(talk)
    await world.sleep(0.5)
    assert us.causes == ["transferred", "transferred", "completed"]


@scenario()
async def test_an_outside_party_keeps_its_one_channel(world: World) -> None:
    us = await consulting(world)
    us.alice.leave(us.second)
    await world.sleep(0.2)
    operator = operator_party(us.town, "operateur-b")
    second = us.alice.dial("00612345678")
    await world.sleep(0.5)
    us.alice.refer(us.first, replaces(us.alice, second))
    channels = set()
    for _ in range(40):
        await world.sleep(0.1)
        channels.add(us.town.exchange.trunks.inventory()["trunk channels"])
    assert channels == {1}
    assert_speak(us.town, us.bruno, operator)
    assert not operator.shown
    (theirs,) = operator.talking
    operator.leave(theirs)
    await world.sleep(0.5)
    assert us.town.exchange.trunks.inventory()["trunk channels"] == 0
    last = us.town.calls[-1]
    assert (last.direction, last.to, last.cause) == ("outbound", "00612345678", "completed")


@pytest.mark.parametrize("kind", ["unknown", "the same call", "ended"])
@scenario()
async def test_what_cannot_be_replaced_is_told_as_481(world: World, kind: str) -> None:
    us = await consulting(world)
    uri = {
        "unknown": "sip:x@valmont.example?Replaces=a%40b%3Bto-tag%3D1%3Bfrom-tag%3D2",
        "the same call": replaces(us.alice, us.first),
        "ended": replaces(us.alice, us.second),
    }[kind]
    if kind == "ended":
        us.alice.leave(us.second)
        await world.sleep(0.5)
    us.alice.refer(us.first, uri)
    await world.sleep(1)
    assert us.first.fragments == ["100", "481"]
    assert not us.first.over
    await us.end()


@scenario()
async def test_nobody_is_connected_with_a_stranger(world: World) -> None:
    """RFC 3891 section 4: 1002 names a call of 1001's."""
    us = await consulting(world)
    (waits,) = us.bruno.talking
    us.bruno.refer(waits, replaces(us.alice, us.second))
    await world.sleep(1)
    assert waits.fragments == ["100", "403"]
    assert_speak_of(us.town, us.second, us.chloe)
    await us.end()
    assert us.causes == ["completed", "completed"]


def assert_speak_of(town: Town, talk: Talk, other: Party) -> None:
    """The talk goes on, and so does the other's."""
    assert talk.established
    assert not talk.over
    assert other.talking


@scenario()
async def test_both_may_be_on_hold(world: World) -> None:
    us = await consulting(world)
    us.alice.holds = True
    us.alice.change(us.second, us.alice.describe())
    await world.sleep(0.2)
    us.alice.refer(us.first, replaces(us.alice, us.second))
    await world.sleep(4)
    assert_speak(us.town, us.bruno, us.chloe)
    await us.end()


@pytest.mark.parametrize("who", ["bruno", "chloe"])
@scenario()
async def test_whoever_refuses_the_new_sound_ends_the_call(world: World, who: str) -> None:
    us = await consulting(world, mu_law="chloe" if who == "bruno" else "bruno")
    getattr(us, who).refusals.append((488, ()))
    us.alice.refer(us.first, replaces(us.alice, us.second))
    await world.sleep(4)
    assert not us.bruno.talking
    assert not us.chloe.talking
    assert sorted(us.causes) == ["media refused", "transferred", "transferred"]


@pytest.mark.parametrize("who", ["bruno", "chloe"])
@scenario()
async def test_whoever_offers_at_the_same_time_is_offered_again(world: World, who: str) -> None:
    """RFC 3261 section 14.1."""
    us = await consulting(world, mu_law="chloe" if who == "bruno" else "bruno")
    getattr(us, who).refusals.append((491, ()))
    us.alice.refer(us.first, replaces(us.alice, us.second))
    await world.sleep(6)
    assert_speak(us.town, us.bruno, us.chloe)
    await us.end()


@pytest.mark.parametrize("who", ["bruno", "chloe"])
@scenario()
async def test_a_narrower_answer_is_told_to_the_other(world: World, who: str) -> None:
    us = await consulting(world)
    getattr(us, who).codecs = ("0", "101")
    us.alice.refer(us.first, replaces(us.alice, us.second))
    await world.sleep(6)
    assert_speak(us.town, us.bruno, us.chloe)
    await us.end()


@pytest.mark.parametrize("who", ["alice", "bruno", "chloe"])
@pytest.mark.parametrize("seconds", [0.0, 0.0005, 0.001, 0.0021, 0.003, 0.0042, 0.005, 0.0061, 0.5])
@scenario()
async def test_anybody_may_hang_up_at_any_moment(world: World, who: str, seconds: float) -> None:
    us = await consulting(world)
    us.alice.refer(us.first, replaces(us.alice, us.second))
    await world.sleep(seconds)
    one: Party = getattr(us, who)
    for talk in one.talking:
        one.leave(talk)
    await world.sleep(5)
    if seconds:  # who hangs up just before is called anew
        assert not one.talking
    if seconds >= 0.002:  # the transfer was under way
        assert not us.alice.talking
        assert len(us.bruno.talking) == len(us.chloe.talking) == (who == "alice")
    await us.end()
    assert not any(each.talking for each in (us.alice, us.bruno, us.chloe))
    assert us.town.exchange.core.stack.counts["internal error"] == 0
    if seconds >= 0.002:
        assert len(us.causes) == 3


# INVITE with Replaces


async def take(us: Consulting, phone: Party, talk: Talk, *, of: Party, more: str = "") -> Talk:
    """A device takes the place of another one in a call; returns its own talk after a second."""
    call_id, ours, theirs = dialog_of(of, talk)
    phone.headers["Replaces"] = f"{call_id};to-tag={ours};from-tag={theirs}{more}"
    taken = phone.dial("1001")
    await us.town.world.sleep(1.0)
    del phone.headers["Replaces"]
    return taken


async def taking(world: World) -> tuple[Consulting, Party]:
    us = await consulting(world)
    us.alice.leave(us.second)
    await world.sleep(0.2)
    app = await party(us.town, "1001-app")
    us.town.ladder.clear()
    us.town.ladder.order("1001-app", "1001", "Beffroi", "1002")
    return us, app


@scenario()
async def test_a_device_takes_the_call_of_another_of_the_same_person(world: World) -> None:
    us, app = await taking(world)
    talk = await take(us, app, us.first, of=us.alice)
    await world.sleep(3)
    assert us.first.over
    assert_speak(us.town, app, us.bruno)
    assert_golden("taken", us.town.ladder)
    app.leave(talk)
    await world.sleep(0.5)
    assert us.causes == ["completed", "replaced", "completed"]
    assert us.town.calls[-1].to == "1002"


@scenario()
async def test_the_device_of_who_was_called_takes_the_call(world: World) -> None:
    us, app = await taking(world)
    us.alice.leave(us.first)
    await world.sleep(0.5)
    app.answers_after = None
    theirs = us.bruno.dial("1001")
    await world.sleep(1)
    (answered,) = us.alice.talking
    await take(us, app, answered, of=us.alice)
    await world.sleep(3)
    assert_speak(us.town, app, us.bruno)
    us.bruno.leave(theirs)
    await world.sleep(0.5)
    assert us.town.calls[-1].to == "1002"
    assert us.causes[-2:] == ["replaced", "completed"]


@pytest.mark.parametrize(
    ("kind", "status"), [("early only", 486), ("ended", 481), ("a stranger", 403), ("unknown", 481)]
)
@scenario()
async def test_a_call_that_may_not_be_taken_stays_where_it_is(world: World, kind: str, status: int) -> None:
    """RFC 3891 sections 3, 4 and 7.1."""
    us, app = await taking(world)
    if kind == "ended":
        us.alice.leave(us.first)
        await world.sleep(0.5)
    taken = await take(
        us,
        us.chloe if kind == "a stranger" else app,
        us.first,
        of=us.alice,
        more={"early only": ";early-only", "unknown": "x"}.get(kind, ""),
    )
    assert taken.over
    assert taken.finals == [f"{status} INVITE"]
    if kind != "ended":
        assert_speak(us.town, us.alice, us.bruno)
    await us.end()


@scenario()
async def test_who_is_taken_over_and_refuses_the_new_sound_is_released(world: World) -> None:
    us, app = await taking(world)
    app.codecs = MU_LAW
    us.bruno.refusals.append((488, ()))
    await take(us, app, us.first, of=us.alice)
    await world.sleep(3)
    assert not app.talking
    assert not us.bruno.talking
    assert us.causes[1:] == ["replaced", "media refused"]


@scenario()
async def test_a_call_that_is_being_transferred_can_be_taken(world: World) -> None:
    us, app = await taking(world)
    us.chloe.answers_after = None
    us.alice.refer(us.first, "sip:2010@valmont.example")
    await world.sleep(0.5)
    await take(us, app, us.first, of=us.alice)
    await world.sleep(3)
    assert_speak(us.town, app, us.bruno)
    assert us.first.over
    assert all(talk.over for talk in us.chloe.talks.values())
    for talk in app.talking:
        app.leave(talk)
    await world.sleep(0.5)
    assert sorted(us.causes) == ["cancelled", "completed", "completed", "replaced"]
