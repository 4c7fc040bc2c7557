"""Calls completed later: `*37` after a call inside that failed, `#37#` to wait no longer.

1001 asks, 2010 is whom they want, 2020 is somebody else.
"""

from __future__ import annotations

import random

import pytest

from pbx.events import CompletionChanged
from tests.scenarios.offers import party
from tests.scenarios.party import Party
from tests.scenarios.test_calling_again import busy
from tests.scenarios.test_settings import dial, town_with
from tests.scenarios.town import Town, TownPhone, start
from tests.sim.ladder import assert_golden
from tests.sim.world import World, run, scenario

FREE = "État civil est libre. Nous l'appelons."
MINUTES = 60.0


async def waiting(world: World, *others: str) -> tuple[Town, TownPhone, TownPhone, list[TownPhone]]:
    """2010 speaks with 2020, so that 1001 has found them busy, and has asked to be called back."""
    town, (alice, office, neighbour, *rest) = await town_with(world, "1001", "2010", "2020", *others)
    await town.talk(neighbour, office)
    await busy(alice, office)
    town.ladder.clear()
    assert await dial(town, alice, "*37") == ["Vous serez rappelé dès que État civil sera libre."]
    return town, alice, office, [neighbour, *rest]


async def called_back(town: Town, alice: TownPhone) -> None:
    """1001 is rung, sees for whom, answers, and hears so."""
    invite = await alice.expect("INVITE")
    assert invite.header("From").startswith('"Rappel : État civil" <sip:2010@valmont.example>')
    alice.reply(invite, 180)
    alice.answer(invite)
    await alice.expect("ACK")
    await town.world.sleep(0.2)
    assert town.spoken()[-1] == FREE
    town.finish_playing()


async def speak(town: Town, alice: TownPhone, office: TownPhone) -> None:
    """2010 answers; 1001 hangs up after a while."""
    invite = await office.expect("INVITE")
    assert f"<sip:{alice.user.removesuffix('-app')}@valmont.example>" in invite.header("From")
    office.answer(invite)
    await office.expect("ACK")
    await town.world.sleep(1)
    await town.hang_up(alice, office)


def told(town: Town) -> list[str]:
    """The states that the requests go through from now on."""
    states: list[str] = []
    town.exchange.events.subscribe(lambda event: states.append(event.state), CompletionChanged)
    return states


def left(town: Town) -> int:
    return len(town.exchange.completions.of("1001"))


@scenario()
async def test_who_was_busy_is_called_when_they_have_hung_up(world: World) -> None:
    town, alice, office, (neighbour,) = await waiting(world)
    states = told(town)
    await alice.expect_silence(60)
    await town.hang_up(neighbour, office)
    await alice.expect_silence(4.5)
    await called_back(town, alice)
    await speak(town, alice, office)
    assert_golden("call-back-on-busy", town.ladder)
    assert states == ["ringing", "completed"]
    assert left(town) == 0


@scenario()
async def test_the_records_tell_who_was_called_back_for_whom(world: World) -> None:
    town, alice, office, (neighbour,) = await waiting(world)
    await town.hang_up(neighbour, office)
    await called_back(town, alice)
    await speak(town, alice, office)
    await world.sleep(0.5)
    back, onward = town.calls[-2:]
    assert (back.from_, back.dialled, back.cause, back.legs[0].reached) == (
        "1001", "2010", "transferred", "originated",
    )  # fmt: skip
    assert (onward.from_, onward.to, onward.cause) == ("1001", "2010", "completed")
    assert onward.parents == (back.id,)


@scenario()
async def test_who_does_not_answer_is_called_once_they_have_used_their_telephone(world: World) -> None:
    town, (alice, office, neighbour) = await town_with(world, "1001", "2010", "2020")
    await alice.call("2010")
    ringing = await office.expect("INVITE")
    office.reply(ringing, 180)
    await alice.expect(180)
    await world.sleep(20)
    alice.cancel(alice.last_invite)
    await alice.expect("200 CANCEL")
    await alice.expect(487)
    office.reply(await office.expect("CANCEL"), 200)
    office.reply(ringing, 487)
    await office.expect("ACK")
    assert await dial(town, alice, "*37") == [
        "Vous serez rappelé dès que État civil aura utilisé son téléphone."
    ]
    town.ladder.clear()
    await alice.expect_silence(5 * MINUTES)
    await busy(neighbour, office)  # that isn't using it
    await alice.expect_silence(10)
    await town.talk(office, neighbour)
    await town.hang_up(office, neighbour)
    await called_back(town, alice)
    await speak(town, alice, office)
    assert_golden("call-back-on-no-answer", town.ladder)
    assert left(town) == 0


@scenario()
async def test_who_had_no_telephone_connected_is_called_when_one_is(world: World) -> None:
    town, (alice, office) = await town_with(world, "1001", "2010")
    await office.register(expires_seconds=0)
    await alice.call("2010")
    await town.refused(alice, 480)
    assert await dial(town, alice, "*37") == ["Vous serez rappelé dès que État civil sera joignable."]
    await alice.expect_silence(5 * MINUTES)
    await office.register()
    await called_back(town, alice)
    await speak(town, alice, office)


@scenario()
async def test_do_not_disturb_that_ends_completes_the_call(world: World) -> None:
    town, (alice, office) = await town_with(world, "1001", "2010")
    await dial(town, office, "*78")
    await alice.call("2010")
    await alice.expect(183)
    await world.sleep(0.2)
    town.finish_playing()
    await alice.expect(486)
    await dial(town, alice, "*37")
    await alice.expect_silence(5 * MINUTES)
    await dial(town, office, "#78#")
    await called_back(town, alice)
    await speak(town, alice, office)


@scenario()
async def test_both_busy_again_wait_on(world: World) -> None:
    """2010 is in another call by the time that 1001 has answered."""
    town, alice, office, (neighbour, bruno) = await waiting(world, "1002")
    await town.hang_up(neighbour, office)
    await called_back(town, alice)
    await busy_again(town, alice, office)
    assert left(town) == 1
    await alice.expect_silence(60)  # nothing has changed at 2010
    await town.talk(bruno, office)
    await town.hang_up(bruno, office)
    await called_back(town, alice)
    await speak(town, alice, office)
    assert_golden("call-back-busy-again", town.ladder)


async def busy_again(town: Town, alice: TownPhone, office: TownPhone) -> None:
    office.reply(await office.expect("INVITE"), 486)
    await office.expect("ACK")
    await town.world.sleep(0.2)
    assert town.spoken()[-1] == "État civil est de nouveau occupé. Vous serez rappelé."
    town.finish_playing()
    alice.reply(await alice.expect("BYE"), 200)


@scenario()
async def test_who_asked_and_speaks_is_rung_after_it(world: World) -> None:
    town, alice, office, (neighbour, bruno) = await waiting(world, "1002")
    await town.talk(alice, bruno)
    await town.hang_up(neighbour, office)
    await alice.expect_silence(60)
    await town.hang_up(alice, bruno)
    await called_back(town, alice)
    await speak(town, alice, office)


@scenario()
async def test_who_asked_and_is_busy_to_the_ring_waits_on(world: World) -> None:
    town, alice, office, (neighbour, bruno) = await waiting(world, "1002")
    await town.hang_up(neighbour, office)
    alice.reply(await alice.expect("INVITE"), 486)
    await alice.expect("ACK")
    await alice.expect_silence(60)
    assert left(town) == 1
    await town.talk(bruno, office)
    await town.hang_up(bruno, office)
    await called_back(town, alice)
    await speak(town, alice, office)


@scenario()
async def test_who_asked_and_does_not_answer_is_not_rung_again(world: World) -> None:
    town, alice, office, (neighbour,) = await waiting(world)
    await town.hang_up(neighbour, office)
    invite = await alice.expect("INVITE")
    alice.reply(invite, 180)
    alice.reply(await alice.expect("CANCEL", within_seconds=25), 200)
    alice.reply(invite, 487)
    await alice.expect("ACK")
    assert left(town) == 0
    await office.expect_silence(1)


@scenario()
async def test_who_asked_and_hangs_up_before_the_other_answers_is_done(world: World) -> None:
    town, alice, office, (neighbour,) = await waiting(world)
    await town.hang_up(neighbour, office)
    await called_back(town, alice)
    ringing = await office.expect("INVITE")
    office.reply(ringing, 180)
    await world.sleep(1)
    alice.bye()
    await alice.expect("200 BYE")
    office.reply(await office.expect("CANCEL"), 200)
    office.reply(ringing, 487)
    await office.expect("ACK")
    assert left(town) == 0


@scenario()
async def test_after_45_minutes_nobody_is_called_back(world: World) -> None:
    town, alice, office, (neighbour,) = await waiting(world)
    states = told(town)
    await world.sleep(45 * MINUTES + 1)
    assert states == ["expired"]
    await town.hang_up(neighbour, office)
    await alice.expect_silence(60)


@scenario()
async def test_a_call_back_is_cancelled_by_code(world: World) -> None:
    town, alice, office, (neighbour,) = await waiting(world)
    assert await dial(town, alice, "#37#") == ["Le rappel est annulé."]
    await town.hang_up(neighbour, office)
    await alice.expect_silence(60)
    assert await dial(town, alice, "#37#") == ["tone", "Aucun rappel n'est demandé."]


@scenario()
async def test_without_a_call_that_failed_there_is_nothing_to_complete(world: World) -> None:
    town, (alice, office) = await town_with(world, "1001", "2010")
    await town.talk(alice, office)
    await town.hang_up(alice, office)
    assert await dial(town, alice, "*37") == ["tone", "Aucun de vos appels internes n'a échoué."]


@scenario()
async def test_five_at_most_wait_for_one_person(world: World) -> None:
    others = ("1001", "1002", "2020", "2201", "2202", "2301")
    town, (office, *phones) = await town_with(world, "2010", *others)
    for phone in phones[:-1]:
        await busy(phone, office)
        assert (await dial(town, phone, "*37"))[0] != "tone"
        await phone.register(expires_seconds=0)  # away: nobody is rung in between
    await busy(phones[-1], office)
    assert await dial(town, phones[-1], "*37") == ["tone", "Trop de rappels sont déjà demandés."]
    await world.sleep(46 * MINUTES)


@scenario()
async def test_several_are_served_in_their_order(world: World) -> None:
    town, alice, office, (neighbour, bruno) = await waiting(world, "1002")
    await busy(bruno, office)
    await dial(town, bruno, "*37")
    await town.hang_up(neighbour, office)
    await called_back(town, alice)
    await bruno.expect_silence(1)
    await speak(town, alice, office)
    invite = await bruno.expect("INVITE")
    bruno.reply(invite, 180)
    bruno.reply(await bruno.expect("CANCEL", within_seconds=25), 200)
    bruno.reply(invite, 487)
    await bruno.expect("ACK")


@scenario()
async def test_all_telephones_of_who_asked_ring_and_one_has_the_call(world: World) -> None:
    town, alice, office, (neighbour, app) = await waiting(world, "1001-app")
    await town.hang_up(neighbour, office)
    first, second = await alice.expect("INVITE"), await app.expect("INVITE")
    alice.reply(first, 180)
    app.reply(second, 180)
    app.answer(second)
    await app.expect("ACK")
    alice.reply(await alice.expect("CANCEL"), 200)
    alice.reply(first, 487)
    await alice.expect("ACK")
    await world.sleep(0.2)
    assert town.spoken()[-1] == FREE
    town.finish_playing()
    await speak(town, app, office)


@scenario()
async def test_who_asked_is_spoken_to_in_their_own_language(world: World) -> None:
    town, (bruno, office) = await town_with(world, "1002", "2010")
    await busy(bruno, office)
    await dial(town, bruno, "*37")
    invite = await bruno.expect("INVITE")
    assert invite.header("From").startswith('"Call back: État civil" <sip:2010@valmont.example>')
    bruno.answer(invite)
    await bruno.expect("ACK")
    await world.sleep(0.2)
    assert town.spoken()[-1] == "État civil is free. We are calling now."
    town.finish_playing()
    await speak(town, bruno, office)


@scenario()
async def test_who_hid_in_the_call_that_failed_hides_in_the_one_that_completes_it(world: World) -> None:
    """RFC 3323 section 4.2."""
    town, (alice, office) = await town_with(world, "1001", "2010")
    alice.headers["Privacy"] = "id"
    await busy(alice, office)
    alice.headers.clear()
    await dial(town, alice, "*37")
    await called_back(town, alice)
    invite = await office.expect("INVITE")
    assert "1001" not in invite.header("From")
    office.answer(invite)
    await office.expect("ACK")
    await world.sleep(1)
    await town.hang_up(alice, office)


@pytest.mark.parametrize("away", [False, True])
@scenario()
async def test_another_process_goes_on_with_it(world: World, away: bool) -> None:
    town, (alice, office) = await town_with(world, "1001", "2010")
    await busy(alice, office)
    await dial(town, alice, "*37")
    if away:
        await alice.register(expires_seconds=0)  # so that it isn't rung before
    await town.restart()
    await alice.register()
    await called_back(town, alice)
    await speak(town, alice, office)
    await world.sleep(1)
    await town.restart()
    await alice.expect_silence(60)


@scenario()
async def test_who_was_being_called_back_when_the_process_was_killed_is_called_back_again(
    world: World,
) -> None:
    town, alice, office, (neighbour,) = await waiting(world)
    await town.hang_up(neighbour, office)
    invite = await alice.expect("INVITE")
    alice.reply(invite, 180)
    await town.restart()
    await called_back(town, alice)
    await speak(town, alice, office)


class Day:
    """Five people call each other, hang up, and ask to be called back, at random."""

    def __init__(self, town: Town, parties: list[Party], seed: int) -> None:
        self.town = town
        self.parties = parties
        self.chance = random.Random(seed)
        self.rung = 0
        town.exchange.events.subscribe(self._changed, CompletionChanged)

    def _changed(self, event: CompletionChanged) -> None:
        """Nobody is rung who speaks, or for somebody who does."""
        if event.state == "ringing":
            self.rung += 1
            engaged = {party.user for party in self.parties if party.talking}
            assert not engaged & {event.asker, event.wanted}

    async def step(self) -> None:
        one = self.chance.choice(self.parties)
        one.final = self.chance.choice((200, 200, 486))
        if one.talking and self.chance.random() < 0.7:
            one.leave(self.chance.choice(one.talking))
        else:
            others = [other.user for other in self.parties if other is not one]
            one.dial(self.chance.choice(("*37", "*37", "#37#", *others)))
        await self.town.world.sleep(self.chance.choice((0.001, 1.0, 3.0, 6.0, 25.0)))
        while self.town.engine.playing:
            self.town.finish_playing()
            await self.town.world.sleep(0.1)


@pytest.mark.parametrize("seed", range(12))
def test_whatever_five_people_do_each_request_ends_and_rings_nobody_who_speaks(seed: int) -> None:
    async def day(world: World) -> None:
        town = await start(world)
        users = ("1001", "1002", "2010", "2020", "2301")
        people = Day(town, [await party(town, user) for user in users], seed)
        for _ in range(60):
            await people.step()
        for one in people.parties:
            for talk in one.talking:
                one.leave(talk)
            one.final = 486
        await world.sleep(46 * MINUTES)
        assert people.rung
        assert [town.exchange.completions.of(user) for user in users] == [[]] * 5

    run(day, seed=seed)


@scenario()
async def test_a_full_disk_promises_nothing(world: World) -> None:
    town, (alice, office) = await town_with(world, "1001", "2010")
    await busy(alice, office)
    town.journal.exhausted = True
    assert await dial(town, alice, "*37") == ["tone", "Le rappel n'a pas pu être enregistré."]
