"""Blind transfers (RFC 3515): to whom, by whose rights, and what becomes of the party when nobody takes it.

Parties go on by themselves (tests.scenarios.party): 1001 transfers, 1002 stays, 2010 is the target.
"""

from __future__ import annotations

import pytest

from media import tones
from tests.scenarios.hearing import streams
from tests.scenarios.offers import assert_speak, connected, operator_party, party
from tests.scenarios.party import MU_LAW, Party, Talk
from tests.scenarios.town import SECRETS, Town, start, tell
from tests.sim.ladder import assert_golden
from tests.sim.world import World, scenario

CHLOE = "sip:2010@valmont.example"


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)


class Three:
    """1001 and 1002 talk; 2010 is registered. alices, brunos: their talks."""

    def __init__(self, town: Town, parties: list[Party], alices: Talk, brunos: Talk) -> None:
        self.town = town
        self.alice, self.bruno, self.chloe = parties
        self.alices, self.brunos = alices, brunos

    @property
    def causes(self) -> list[str]:
        """How the calls ended, in their order."""
        return [call.cause for call in self.town.calls]

    def hears_ringback(self) -> bool:
        """Whether somebody is played the ringback tone."""
        return tones.RINGBACK in self.town.engine.playing.values()

    async def end(self) -> None:
        """Everybody hangs up."""
        for one in (self.alice, self.bruno, self.chloe):
            for talk in one.talking:
                one.leave(talk)
            await self.town.world.sleep(0.2)


async def three(world: World) -> Three:
    town = await start(world)
    parties = [await party(town, user) for user in ("1001", "1002", "2010")]
    alices, brunos = await connected(town, parties[0], parties[1])
    town.ladder.clear()
    town.ladder.order("1002", "1001", "Beffroi", "2010")
    return Three(town, parties, alices, brunos)


@scenario()
async def test_the_party_that_stays_hears_ringback_and_then_who_answers(world: World) -> None:
    us = await three(world)
    us.chloe.answers_after = 5.0
    us.alice.refer(us.alices, CHLOE)
    await world.sleep(1)
    assert us.hears_ringback()
    assert us.alices.fragments == ["100", "180"]
    await world.sleep(5)
    assert not us.hears_ringback()
    assert us.alices.fragments == ["100", "180", "200"]
    assert_speak(us.town, us.bruno, us.chloe)
    await world.sleep(3)
    assert us.alices.over
    await us.end()
    first, onward = [tell(call) for call in us.town.calls]
    assert first == (
        "internal 1001 (Alice Martin) dialled 1002 to 1002: transferred, 0.2 7.5\n"
        "  1001 192.0.2.1:5060 udp PCMA: transferred, 0.0 0.2 7.5\n"
        "  1002 192.0.2.2:5060 udp PCMA: transferred, 0.0 0.2 5.5"
    )
    assert onward == (
        "internal 1002 (Bruno Petit) dialled 2010 to 2010: completed, 5.0 9.2\n"
        "  1002 192.0.2.2:5060 udp PCMA: hung up, 0.0 5.0 9.2\n"
        "  2010 10.54.1.10:5060 udp PCMA: released, 0.0 5.0 9.2"
    )


@scenario()
async def test_who_was_called_transfers_the_caller(world: World) -> None:
    us = await three(world)
    us.bruno.refer(us.brunos, CHLOE)
    await world.sleep(4)
    assert_speak(us.town, us.alice, us.chloe)
    await us.end()
    assert us.causes == ["transferred", "completed"]


@scenario()
async def test_a_busy_target_gives_the_party_back(world: World) -> None:
    us = await three(world)
    us.chloe.final = 486
    us.alice.refer(us.alices, CHLOE)
    await world.sleep(2)
    assert us.alices.fragments == ["100", "180", "486"]
    assert not us.hears_ringback()
    assert_speak(us.town, us.alice, us.bruno)
    assert_golden("transfer-busy", us.town.ladder)
    await us.end()
    assert us.causes == ["busy", "completed"]


@scenario()
async def test_a_target_that_does_not_answer_gives_the_party_back(world: World) -> None:
    us = await three(world)
    us.chloe.answers_after = None
    us.alice.refer(us.alices, CHLOE)
    await world.sleep(62)
    assert us.alices.fragments == ["100", "180", "480"]
    assert not us.hears_ringback()
    assert_speak(us.town, us.alice, us.bruno)
    await us.end()
    assert us.causes == ["no answer", "completed"]


@pytest.mark.parametrize(
    ("to", "status"), [("2999", "404"), ("2020", "480"), ("8001", "480"), ("1002", "480")]
)
@scenario()
async def test_a_transfer_to_nobody_changes_nothing(world: World, to: str, status: str) -> None:
    """An unknown number, a person without a telephone, a service that isn't built, the party itself."""
    us = await three(world)
    us.alice.refer(us.alices, f"sip:{to}@valmont.example")
    await world.sleep(2)
    assert us.alices.fragments[-1] == status
    assert_speak(us.town, us.alice, us.bruno)
    await us.end()


@scenario()
async def test_a_transfer_to_the_echo(world: World) -> None:
    us = await three(world)
    us.alice.refer(us.alices, "sip:9196@valmont.example")
    await world.sleep(4)
    assert us.alices.fragments[-1] == "200"
    assert us.alices.over
    assert us.town.engine.echoing
    (talk,) = us.bruno.talking
    us.bruno.port = 4200
    us.bruno.change(talk, us.bruno.describe())
    await world.sleep(1)
    us.bruno.change(talk, b"")
    await world.sleep(1)
    assert talk.finals == ["200 INVITE"] * 2
    assert us.town.engine.echoing
    await us.end()
    assert us.causes == ["transferred", "completed"]


@scenario()
async def test_the_echo_offers_again_to_a_party_that_offered_at_the_same_time(world: World) -> None:
    """RFC 3261 section 14.1."""
    us = await three(world)
    us.chloe.codecs = MU_LAW
    us.bruno.refusals.append((491, ()))
    us.alice.refer(us.alices, "sip:9196@valmont.example")
    await world.sleep(6)
    (talk,) = us.bruno.talking
    assert talk.got.count("INVITE") == 2
    await us.end()


@scenario()
async def test_a_party_that_refuses_the_sound_of_the_echo_is_released(world: World) -> None:
    us = await three(world)
    us.bruno.refusals.append((488, ()))
    us.alice.refer(us.alices, "sip:9196@valmont.example")
    await world.sleep(4)
    assert us.brunos.over
    assert us.causes == ["media refused", "transferred"]


@scenario()
async def test_the_rights_of_the_one_who_transfers_count(world: World) -> None:
    """2202 may call inside only; whom it talks to may call outside, and so may 1001."""
    town = await start(world)
    inner, alice = await party(town, "2202"), await party(town, "1001")
    operator = operator_party(town, "operateur-b")
    talk, alices = await connected(town, inner, alice)
    inner.refer(talk, "sip:00612345678@valmont.example")
    await world.sleep(1)
    assert talk.fragments[-1] == "403"
    assert not operator.talks
    alice.refer(alices, "sip:00612345678@valmont.example")
    await world.sleep(4)
    assert alices.fragments[-1] == "200"
    assert_speak(town, inner, operator)
    inner.leave(talk)
    await world.sleep(0.5)
    assert [tell(call).splitlines()[0] for call in town.calls] == [
        "internal 2202 (Garde 2) dialled 1001 to 1001: transferred, 0.2 3.7",
        "outbound 2202 (Garde 2) dialled 00612345678 to +33612345678: completed, 0.2 4.0",
    ]


@scenario()
async def test_early_media_of_the_target_is_not_mixed_into_the_call(world: World) -> None:
    us = await three(world)
    operator = operator_party(us.town, "operateur-b")
    operator.answers_after = None
    us.alice.refer(us.alices, "sip:00612345678@valmont.example")
    await world.sleep(0.1)
    (ringing,) = operator.talks.values()
    operator.reply(ringing.invite, 183, body=operator.answer_to(ringing.invite.body))
    await world.sleep(1)
    assert us.hears_ringback()
    onward = us.town.engine.asked[-1]
    assert (onward.verb, onward.leg) == ("play", "b1")
    operator.pick_up(ringing)
    await world.sleep(3)
    assert_speak(us.town, us.bruno, operator)
    await us.end()


@scenario()
async def test_an_operator_cannot_transfer(world: World) -> None:
    us = await three(world)
    operator = operator_party(us.town, "operateur-b")
    us.alice.leave(us.alices)
    await world.sleep(0.5)
    talk = us.alice.dial("00612345678")
    await world.sleep(1)
    (theirs,) = operator.talking
    operator.refer(theirs, CHLOE)
    await world.sleep(1)
    assert theirs.finals == ["403 REFER"]
    assert not theirs.fragments
    us.alice.leave(talk)


@scenario()
async def test_an_outside_caller_keeps_its_one_channel(world: World) -> None:
    us = await three(world)
    us.alice.leave(us.alices)
    await world.sleep(0.5)
    operator = operator_party(us.town, "operateur-a")
    us.chloe.answers_after = 2.0
    channels = set()
    office = await party(us.town, "2020")
    outside = operator.dial("sip:+33383001020@10.54.0.10")  # its direct number
    await world.sleep(0.5)
    (answered,) = office.talking
    office.refer(answered, CHLOE)
    for _ in range(60):
        await world.sleep(0.1)
        channels.add(us.town.exchange.trunks.inventory()["trunk channels"])
    assert channels == {1}
    assert_speak(us.town, operator, us.chloe)
    operator.leave(outside)
    await world.sleep(0.5)
    assert us.town.exchange.trunks.inventory()["trunk channels"] == 0
    assert [tell(call).splitlines()[0].rpartition(",")[0] for call in us.town.calls[-2:]] == [
        "inbound +33699999999 dialled +33383001020 to 2020: transferred",
        "inbound +33699999999 dialled 2010 to 2010: completed",
    ]


@pytest.mark.parametrize("seconds", [0.0, 0.002, 0.5, 1.999, 2.0, 2.003])
@scenario()
async def test_who_transferred_may_hang_up_at_any_moment(world: World, seconds: float) -> None:
    """Before anything rings, while it rings, at the answer, and after it."""
    us = await three(world)
    us.chloe.answers_after = 2.0
    us.alice.refer(us.alices, CHLOE)
    await world.sleep(seconds)
    us.alice.leave(us.alices)
    await world.sleep(5)
    assert us.alices.finals[-1] == "200 BYE"
    assert_speak(us.town, us.bruno, us.chloe)
    await us.end()
    assert us.causes == ["transferred", "completed"]


CANCELLED = ["completed", "cancelled"]
TAKEN = ["completed", "transferred"]


@pytest.mark.parametrize(
    ("seconds", "causes"),
    [
        (0.0, ["completed"]),  # before the transfer began
        (0.002, CANCELLED),
        (1.0, CANCELLED),
        (1.999, CANCELLED),
        (2.0, CANCELLED),
        (2.001, CANCELLED),
        (2.003, TAKEN),
        (2.005, TAKEN),
    ],
)
@scenario()
async def test_the_party_that_stays_may_hang_up_at_any_moment(
    world: World, seconds: float, causes: list[str]
) -> None:
    us = await three(world)
    us.chloe.answers_after = 2.0
    us.alice.refer(us.alices, CHLOE)
    await world.sleep(seconds)
    us.bruno.leave(us.brunos)
    await world.sleep(5)
    assert us.brunos.finals[-1] == "200 BYE"
    assert not us.chloe.talking
    assert not us.alice.talking
    assert us.causes == causes


@scenario()
async def test_a_failed_transfer_rings_who_transferred_and_hung_up(world: World) -> None:
    us = await three(world)
    us.chloe.final, us.chloe.answers_after = 486, 1.0
    us.alice.refer(us.alices, CHLOE)
    await world.sleep(0.5)
    us.alice.leave(us.alices)
    await world.sleep(4)
    assert_speak(us.town, us.alice, us.bruno)
    assert_golden("transfer-recall", us.town.ladder)
    await us.end()
    assert us.causes == ["busy", "transferred", "completed"]


async def comes_back(us: Three, shown: str) -> None:
    """1001 is rung, sees why, answers, and speaks with the party."""
    await us.town.world.sleep(4)
    assert_speak(us.town, us.alice, us.bruno)
    back = list(us.alice.talks.values())[-1]
    assert back.invite.header("From").startswith(f'"{shown} : Bruno Petit" <sip:1002@valmont.example>')
    await us.end()


@scenario()
async def test_the_telephone_that_rings_again_shows_that_the_target_was_busy(world: World) -> None:
    us = await three(world)
    us.chloe.final, us.chloe.answers_after = 486, 1.0
    us.alice.refer(us.alices, CHLOE)
    await world.sleep(0.5)
    us.alice.leave(us.alices)
    await comes_back(us, "Retour, occupé")


@scenario()
async def test_the_telephone_that_rings_again_shows_that_nobody_answered(world: World) -> None:
    us = await three(world)
    us.chloe.answers_after = None
    us.alice.refer(us.alices, CHLOE)
    await world.sleep(0.5)
    us.alice.leave(us.alices)
    await world.sleep(58)
    assert us.hears_ringback()
    await comes_back(us, "Retour, sans réponse")


@pytest.mark.parametrize("to", ["2999", "2020", "8001"])
@pytest.mark.parametrize("seconds", [0.0, 0.003, 0.5])
@scenario()
async def test_who_hangs_up_without_waiting_is_rung_when_the_target_is_nobody(
    world: World, to: str, seconds: float
) -> None:
    """An unknown number, a person without a telephone, a service that isn't built; many telephones say BYE
    as soon as the REFER is accepted."""
    us = await three(world)
    us.alice.refer(us.alices, f"sip:{to}@valmont.example")
    await world.sleep(seconds)
    us.alice.leave(us.alices)
    await comes_back(us, "Retour, non joint")


@scenario()
async def test_a_party_that_nobody_takes_comes_back_through_do_not_disturb(world: World) -> None:
    us = await three(world)
    us.chloe.final, us.chloe.answers_after = 486, 1.0
    us.alice.refer(us.alices, CHLOE)
    us.town.exchange.settings.do_not_disturb("1001", True, "1001")
    await world.sleep(0.5)
    us.alice.leave(us.alices)
    await comes_back(us, "Retour, occupé")


@scenario()
async def test_after_a_transfer_to_nobody_another_one_is_made_at_once(world: World) -> None:
    us = await three(world)
    us.alice.refer(us.alices, "sip:2999@valmont.example")
    await world.sleep(0.2)
    us.alice.refer(us.alices, CHLOE)
    await world.sleep(4)
    assert us.alices.fragments[:2] == ["100", "404"]
    assert us.alices.fragments[-1] == "200"
    assert_speak(us.town, us.bruno, us.chloe)
    await us.end()


@scenario()
async def test_a_party_that_nobody_takes_is_released(world: World) -> None:
    us = await three(world)
    us.chloe.final, us.chloe.answers_after = 486, 1.0
    us.alice.refer(us.alices, CHLOE)
    await world.sleep(0.5)
    us.alice.leave(us.alices)
    us.alice.answers_after = None
    await world.sleep(64)
    assert us.brunos.over
    assert us.causes == ["busy", "no answer", "transfer failed"]


@scenario()
async def test_who_waits_alone_may_hold_and_change(world: World) -> None:
    """Its peer has gone: the engine answers it."""
    us = await three(world)
    us.chloe.answers_after = 4.0
    us.alice.refer(us.alices, CHLOE)
    await world.sleep(0.5)
    us.alice.leave(us.alices)
    await world.sleep(0.5)
    us.bruno.port = 4300
    us.bruno.change(us.brunos, us.bruno.describe())
    await world.sleep(0.5)
    assert us.brunos.finals == ["200 INVITE"]
    assert us.hears_ringback()
    await world.sleep(5)
    assert_speak(us.town, us.bruno, us.chloe)
    await us.end()


@scenario()
async def test_no_notify_for_who_wants_none(world: World) -> None:
    """RFC 4488 section 4."""
    us = await three(world)
    us.alice.refer(us.alices, CHLOE, headers=[("Refer-Sub", "false"), ("Supported", "norefersub")])
    await world.sleep(4)
    assert us.alices.fragments == []
    assert us.alices.over
    assert_speak(us.town, us.bruno, us.chloe)
    await us.end()


@scenario()
async def test_of_two_transfers_the_second_is_told_that_it_came_to_nothing(world: World) -> None:
    us = await three(world)
    us.chloe.answers_after = 2.0
    us.alice.refer(us.alices, CHLOE)
    await world.sleep(0.5)
    us.bruno.refer(us.brunos, "sip:2020@valmont.example")
    await world.sleep(4)
    assert us.alices.fragments == ["100", "180", "200"]
    assert us.brunos.fragments == ["100", "503"]
    assert_speak(us.town, us.bruno, us.chloe)
    await us.end()


@scenario()
async def test_nobody_is_transferred_out_of_an_echo(world: World) -> None:
    us = await three(world)
    us.alice.leave(us.alices)
    await world.sleep(0.5)
    talk = us.alice.dial("9196")
    await world.sleep(0.5)
    us.alice.refer(talk, CHLOE)
    await world.sleep(0.5)
    assert talk.finals == ["200 INVITE", "403 REFER"]
    us.alice.leave(talk)


@pytest.mark.parametrize(
    ("to", "final"),
    [("<sip:2010@valmont.example;method=BYE>", "501"), ("<sip:%zz>", "400"), ("<mailto:a@b.example>", "416")],
)
@scenario()
async def test_what_cannot_be_called_is_refused_at_once(world: World, to: str, final: str) -> None:
    us = await three(world)
    us.alice.send("REFER", within=us.alices.invite, headers=[("Refer-To", to)])
    await world.sleep(0.5)
    assert us.alices.finals[-1] == f"{final} REFER"
    assert not us.alices.fragments
    assert_speak(us.town, us.alice, us.bruno)
    await us.end()


@pytest.mark.parametrize("status", [488, 603])
@scenario()
async def test_a_party_that_refuses_its_new_sound_is_released(world: World, status: int) -> None:
    """It couldn't hear the other one; the record says why."""
    us = await three(world)
    us.chloe.codecs = MU_LAW
    us.bruno.refusals.append((status, ()))
    us.alice.refer(us.alices, CHLOE)
    await world.sleep(4)
    assert us.brunos.over
    assert not us.chloe.talking
    assert us.causes == ["media refused", "transferred"]


@scenario()
async def test_a_party_that_offers_at_the_same_time_is_offered_its_sound_again(world: World) -> None:
    """RFC 3261 section 14.1."""
    us = await three(world)
    us.chloe.codecs = MU_LAW
    us.bruno.refusals.append((491, ()))
    us.alice.refer(us.alices, CHLOE)
    await world.sleep(6)
    assert_speak(us.town, us.bruno, us.chloe)
    await us.end()


@scenario()
async def test_a_change_that_waits_for_an_answer_is_to_be_made_again_after_the_transfer(world: World) -> None:
    us = await three(world)
    us.alice.silent = True
    us.chloe.answers_after = 1.0
    us.alice.refer(us.alices, CHLOE)
    await world.sleep(0.5)
    us.bruno.change(us.brunos, us.bruno.describe(("0", "101")))
    await world.sleep(2)
    assert us.brunos.finals == ["491 INVITE"]
    assert_speak(us.town, us.bruno, us.chloe)
    await us.end()
    await world.sleep(33)


@scenario()
async def test_who_is_connected_now_is_shown_where_a_telephone_takes_update(world: World) -> None:
    """RFC 4916, RFC 3325 section 9.1: by UPDATE, and in the 200 to the first call."""
    us = await three(world)
    us.alice.refer(us.alices, CHLOE)
    await world.sleep(4)
    assert us.brunos.got.count("UPDATE") == 1
    assert us.bruno.shown == ['"État civil" <sip:2010@valmont.example>']
    assert us.alice.shown == ['"Bruno Petit" <sip:1002@valmont.example>']
    await us.end()


@scenario()
async def test_a_telephone_without_update_gets_none(world: World) -> None:
    town = await start(world)
    alice, bruno, chloe = [await party(town, user) for user in ("1001", "1002", "2010")]
    bruno.allow = ("Allow", "INVITE, ACK, BYE, CANCEL, NOTIFY, REFER")
    alices, brunos = await connected(town, alice, bruno)
    alice.refer(alices, CHLOE)
    await world.sleep(4)
    assert "UPDATE" not in brunos.got
    assert_speak(town, bruno, chloe)
    bruno.leave(brunos)


@scenario()
async def test_who_transferred_and_hung_up_is_sent_no_sound_while_the_other_is_rung(world: World) -> None:
    us = await three(world)
    us.chloe.answers_after = None
    us.alice.refer(us.alices, CHLOE)
    await world.sleep(0.1)
    us.alice.leave(us.alices)
    await world.sleep(0.1)
    hosts = {stream.place[0] for stream in streams(us.town.engine)}
    assert us.alice.host.address not in hosts
    assert us.bruno.host.address in hosts
    us.bruno.leave(us.brunos)
    await world.sleep(0.5)
    codecs = [leg.codec for call in us.town.calls for leg in call.legs if leg.device == "1001"]
    assert codecs == ["PCMA"]
