"""What people set from their phones: forwards, do not disturb, services opened and closed; who hears what."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from pbx.events import SettingsChanged
from pbx.people.settings import SettingRefused
from pbx.services.availability import DO_NOT_DISTURB, FORWARDED
from tests.scenarios.offers import assert_speak
from tests.scenarios.test_blind_transfers import three
from tests.scenarios.test_watching import told, unwatch, watch
from tests.scenarios.town import PLAN_TEXT, SECRETS, Town, TownPhone, start
from tests.sim.ladder import assert_golden
from tests.sim.world import World, scenario

CHIEF = "national:      [internal, national, mobile, toll_free, shared_cost, short]"
PLAN = PLAN_TEXT.replace(CHIEF, CHIEF.replace("[", "[override, "), 1).replace(
    "name: Bruno Petit,", "name: Bruno Petit, language: en,", 1
)
MOBILE = "+33612345678"


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)


async def town_with(world: World, *users: str) -> tuple[Town, list[TownPhone]]:
    assert PLAN.count("[override,") == PLAN.count("language: en") == 1
    town = await start(world, PLAN)
    phones = await town.phones(*users)
    town.ladder.order(users[0], "Beffroi", *users[1:], "operateur-b", "operateur-a")
    return town, phones


async def dial(town: Town, phone: TownPhone, code: str) -> list[str]:
    """Dial a code and listen to the end; what was heard."""
    before = len(played(town))
    await phone.call(code.replace("#", "%23"))
    phone.ack(await phone.expect(200))
    while True:
        await town.world.sleep(0.3)
        if not town.engine.playing:
            break
        town.finish_playing()
    phone.reply(await phone.expect("BYE"), 200)
    return played(town)[before:]


def played(town: Town) -> list[str]:
    """What was played, in order: the words, or `tone`."""
    sources = [asked.detail for asked in town.engine.asked if asked.verb == "play"]
    return [
        source.partition("text=")[2][1:].partition(", language=")[0][:-1] if "text=" in source else "tone"
        for source in sources
    ]


async def refused_everywhere(caller: TownPhone, *phones: TownPhone, status: int = 486) -> None:
    for phone in phones:
        phone.reply(await phone.expect("INVITE"), status)
        await phone.expect("ACK")


async def answered_by(town: Town, caller: TownPhone, taken: TownPhone) -> None:
    """Whoever takes the call answers and is heard; the caller hangs up."""
    taken.answer(await taken.expect("INVITE"))
    await taken.expect("ACK")
    caller.ack(await caller.expect(200))
    await town.hang_up(caller, taken)


# Forwards


@scenario()
async def test_a_forward_is_set_by_code_and_followed(world: World) -> None:
    town, (office, alice, neighbour) = await town_with(world, "2010", "1001", "2020")
    assert await dial(town, office, "*21*2020") == ["Vos appels sont renvoyés vers le 20 20."]
    await alice.call("2010")
    await answered_by(town, alice, neighbour)
    await office.expect_silence(1)
    assert_golden("forward-by-code", town.ladder)


@scenario()
async def test_a_change_is_written_before_its_answer_leaves(world: World) -> None:
    town, (office,) = await town_with(world, "2010")
    await dial(town, office, "*21*2020")
    assert town.journal.between("write settings of 2010", "send 200 INVITE (sdp) to 2010")


@scenario()
async def test_a_code_that_sets_nothing_is_answered_by_a_tone_and_the_reason(world: World) -> None:
    town, (office,) = await town_with(world, "2202")
    assert await dial(town, office, f"*21*{MOBILE}") == [
        "tone",
        "Vous n'êtes pas autorisé à appeler ce numéro.",
    ]
    assert town.exchange.settings.everybody() == []
    assert "rejected: class" in await town.record()
    assert_golden("forward-by-code-refused", town.ladder)


@scenario()
async def test_a_forward_abroad_needs_the_right_to_call_there(world: World) -> None:
    town, (office,) = await town_with(world, "2010")
    assert (await dial(town, office, "*21*00442079460958"))[0] == "tone"
    assert town.exchange.settings.of("2010").forwards == ()


@scenario()
async def test_everybody_is_spoken_to_in_their_own_language(world: World) -> None:
    town, (bruno,) = await town_with(world, "1002")
    assert await dial(town, bruno, "*21*1001") == ["Your calls are forwarded to 1 0 0 1."]


@scenario()
async def test_forwarding_ends_by_code(world: World) -> None:
    town, (office, alice) = await town_with(world, "2010", "1001")
    await dial(town, office, "*21*2020")
    assert await dial(town, office, "#21#") == ["Vos appels ne sont plus renvoyés."]
    await alice.call("2010")
    await answered_by(town, alice, office)


@scenario()
async def test_busy_calls_go_out_with_their_diversion(world: World) -> None:
    """RFC 5806 section 4, RFC 7044 section 10: ours is shown, and whom the call was for is told."""
    town, (office, alice) = await town_with(world, "2010", "1001")
    b = town.operator("operateur-b")
    assert await dial(town, office, f"*67*{MOBILE}") == [
        "Quand vous êtes en ligne, vos appels sont renvoyés vers le 06 12 34 56 78."
    ]
    await alice.call("2010")
    await refused_everywhere(alice, office)
    invite = await b.expect("INVITE")
    assert invite.header("P-Asserted-Identity") == "<sip:+33383001010@sip.operateur-b.example>"
    assert invite.all("Diversion") == ["<sip:+33383001010@valmont.example>;reason=user-busy;privacy=off"]
    assert len(invite.all("History-Info")) == 2
    b.answer(invite)
    await b.expect("ACK")
    alice.ack(await alice.expect(200))
    await town.hang_up(alice, b)
    assert_golden("forward-busy-by-code", town.ladder)


@scenario()
async def test_calls_that_nobody_answers_go_on_after_the_seconds_of_the_code(world: World) -> None:
    town, (office, alice, neighbour) = await town_with(world, "2010", "1001", "2020")
    assert await dial(town, office, "*61*2020*12") == [
        "Sans réponse après 12 secondes, vos appels sont renvoyés vers le 20 20."
    ]
    await alice.call("2010")
    invite = await office.expect("INVITE")
    office.reply(invite, 180)
    await alice.expect(180)
    await neighbour.expect_silence(11.9)
    office.reply(await office.expect("CANCEL"), 200)
    office.reply(invite, 487)
    await office.expect("ACK")
    await answered_by(town, alice, neighbour)
    assert_golden("forward-no-answer-by-code", town.ladder)


@scenario()
async def test_calls_to_who_cannot_be_reached_go_on(world: World) -> None:
    town, (office, alice, neighbour) = await town_with(world, "2010", "1001", "2020")
    await dial(town, office, "*62*2020")
    await office.register(expires_seconds=0)
    town.ladder.clear()
    await alice.call("2010")
    await answered_by(town, alice, neighbour)
    assert_golden("forward-unreachable-by-code", town.ladder)


@scenario()
async def test_a_forward_that_would_close_a_circle_is_refused(world: World) -> None:
    town, (office, neighbour) = await town_with(world, "2010", "2020")
    await dial(town, office, "*21*2020")
    assert await dial(town, neighbour, "*21*2010") == ["tone", "Ce renvoi tournerait en rond."]


@scenario()
async def test_a_circle_of_busy_people_ends(world: World) -> None:
    town, (office, neighbour, alice) = await town_with(world, "2010", "2020", "1001")
    town.exchange.settings.forward("2010", "busy", "2020", "2010")
    town.exchange.settings.forward("2020", "no_answer", "2010", "2020")
    await alice.call("2010")
    await refused_everywhere(alice, office, neighbour)
    await alice.expect(486)
    await office.expect_silence(2)


@scenario()
async def test_what_is_set_is_told_by_code(world: World) -> None:
    town, (office,) = await town_with(world, "2010")
    assert await dial(town, office, "*#21#") == ["Vos appels ne sont pas renvoyés."]
    await dial(town, office, "*67*2020")
    await dial(town, office, "*78")
    assert await dial(town, office, "*#21#") == [
        "Ne pas déranger est activé. Quand vous êtes en ligne, vos appels sont renvoyés vers le 20 20."
    ]


@scenario()
async def test_a_code_without_an_offer_is_answered_with_ours(world: World) -> None:
    """RFC 3261 section 13.2.1: the answer comes with the ACK."""
    town, (office,) = await town_with(world, "2010")
    await office.call("*78", offer=False)
    office.ack(await office.expect(200), body=office.sdp())
    await town.world.sleep(1)
    town.finish_playing()
    office.reply(await office.expect("BYE"), 200)
    assert town.exchange.settings.of("2010").do_not_disturb is not None


@scenario()
async def test_who_hangs_up_during_the_words_has_set_it_all_the_same(world: World) -> None:
    town, (office,) = await town_with(world, "2010")
    await office.call("*78")
    office.ack(await office.expect(200))
    await world.sleep(0.5)
    office.bye()
    await office.expect("200 BYE")
    assert town.exchange.settings.of("2010").do_not_disturb is not None


@scenario()
async def test_a_phone_that_cannot_hear_us_has_set_nothing(world: World) -> None:
    town, (office,) = await town_with(world, "2010")
    town.engine.lose()
    await office.call("*78")
    await office.expect(480)
    assert town.exchange.settings.of("2010").do_not_disturb is None
    town.errors.expect("media engine unavailable", "media engine lost")


@scenario()
async def test_a_party_that_is_transferred_to_a_code_comes_back_and_nothing_is_set(world: World) -> None:
    """RFC 3515 section 2.4.4: what became of it is told by NOTIFY."""
    us = await three(world)
    us.alice.refer(us.alices, "sip:*78@valmont.example")
    await world.sleep(2)
    assert us.alices.fragments[-1] == "403"
    assert_speak(us.town, us.alice, us.bruno)
    assert us.town.exchange.settings.everybody() == []
    await us.end()


# Do not disturb


@scenario()
async def test_do_not_disturb_lets_nothing_ring_until_it_is_off(world: World) -> None:
    town, (office, alice) = await town_with(world, "2010", "1001")
    assert await dial(town, office, "*78") == ["Ne pas déranger est activé : votre téléphone ne sonne plus."]
    await alice.call("2010")
    await alice.expect(183)
    await world.sleep(1)
    town.finish_playing()
    await alice.expect(486)
    await office.expect_silence(1)
    assert_golden("do-not-disturb", town.ladder)
    assert await dial(town, office, "#78#") == ["Ne pas déranger est désactivé."]
    await alice.call("2010")
    await answered_by(town, alice, office)


@scenario()
async def test_do_not_disturb_sends_calls_where_busy_ones_go(world: World) -> None:
    town, (office, alice, neighbour) = await town_with(world, "2010", "1001", "2020")
    await dial(town, office, "*67*2020")
    await dial(town, office, "*78")
    await alice.call("2010")
    await answered_by(town, alice, neighbour)


@scenario()
async def test_an_emergency_call_back_rings_through_do_not_disturb_and_forwards(world: World) -> None:
    town, (office,) = await town_with(world, "2010")
    a = town.operator("operateur-a")
    await dial(town, office, "*21*2020")
    await dial(town, office, "*78")
    office.invite("18")
    a.answer(await a.expect("INVITE"))
    await a.expect("ACK")
    office.ack(await office.expect(200))
    await town.hang_up(office, a)
    town.ladder.clear()
    a.invite("+33383001010")
    await answered_by(town, a, office)
    assert_golden("do-not-disturb-called-back", town.ladder)


@scenario()
async def test_who_is_not_to_be_disturbed_still_calls_for_help(world: World) -> None:
    town, (office,) = await town_with(world, "2010")
    a = town.operator("operateur-a")
    await dial(town, office, "*78")
    office.invite("112")
    invite = await a.expect("INVITE")
    assert invite.uri == "sip:112@sip.operateur-a.example"
    a.answer(invite)
    await a.expect("ACK")
    office.ack(await office.expect(200))
    await town.hang_up(office, a)


@scenario()
async def test_a_group_still_rings_its_members(world: World) -> None:
    """Duty goes before quiet: whoever is on guard leaves the group, or the plan names others."""
    town, (fire, alice) = await town_with(world, "2201", "1001")
    await dial(town, fire, "*78")
    await alice.call("8200")
    await answered_by(town, alice, fire)


# Lamps


@scenario()
async def test_a_lamp_is_lit_for_do_not_disturb_and_for_a_forward(world: World) -> None:
    """RFC 4235 section 4.1.6.1: a dialog without a remote party, its local identity told by name."""
    town, (_office, alice) = await town_with(world, "2010", "1001")
    first = await watch(alice, "dialog", "2010")
    assert b"confirmed" not in first.body
    town.exchange.settings.do_not_disturb("2010", True, "2010")
    lit = (await told(alice)).body.decode()
    assert DO_NOT_DISTURB["fr"] in lit
    assert "<state>confirmed</state>" in lit
    assert "<remote>" not in lit
    assert_golden("do-not-disturb-lamp", town.ladder)
    town.exchange.settings.do_not_disturb("2010", False, "2010")
    out = (await told(alice)).body.decode()
    assert 'id="do-not-disturb"' in out
    assert "<state>terminated</state>" in out
    town.exchange.settings.forward("2010", "always", "2020", "2010")
    body = (await told(alice)).body.decode()
    assert FORWARDED["fr"] in body
    assert "2020" not in body
    await unwatch(alice, first, "dialog")


@scenario()
async def test_a_forward_for_some_callers_lights_no_lamp(world: World) -> None:
    town, (_office, alice) = await town_with(world, "2010", "1001")
    first = await watch(alice, "dialog", "2010")
    town.exchange.settings.forward("2010", "always", "2020", "2010", callers=("outside",))
    assert b"confirmed" not in (await told(alice)).body
    await unwatch(alice, first, "dialog")


@scenario()
async def test_presence_is_closed_while_nobody_may_disturb(world: World) -> None:
    """RFC 3863 section 4.1.4."""
    town, (_office, alice) = await town_with(world, "2010", "1001")
    first = await watch(alice, "presence", "2010")
    assert b"<basic>open</basic>" in first.body
    await world.sleep(6)
    town.exchange.settings.do_not_disturb("2010", True, "2010")
    body = (await told(alice)).body.decode()
    assert "<basic>closed</basic>" in body
    assert f"<note>{DO_NOT_DISTURB['fr']}</note>" in body
    await unwatch(alice, first, "presence")


# Services


@scenario()
async def test_a_service_is_sent_elsewhere_by_code_until_its_time(world: World) -> None:
    town, (alice, office) = await town_with(world, "1001", "2010")
    a = town.operator("operateur-a")
    zone = ZoneInfo(town.exchange.plan.timezone)
    at = (world.wall() + timedelta(hours=2)).astimezone(zone)
    said = await dial(town, alice, f"*51*9*2010*{at:%H%M}")
    assert said[0].startswith("Les appels du service 9 sont renvoyés vers le 20 10 jusqu'")
    a.invite("+33383000100")
    await answered_by(town, a, office)
    assert_golden("service-sent-by-code", town.ladder)
    await world.sleep(2 * 3600)
    assert town.exchange.settings.overrides() == []
    assert not town.exchange.conditions.at(town.exchange.clock()).services


@scenario()
async def test_a_service_is_as_planned_again_by_code(world: World) -> None:
    town, (alice,) = await town_with(world, "1001")
    await dial(town, alice, "*50*9*2359")
    assert [one.name for one in town.exchange.settings.overrides()] == ["standard"]
    assert await dial(town, alice, "#50*9") == ["Le service 9 suit de nouveau ses horaires."]
    assert town.exchange.settings.overrides() == []


@scenario()
async def test_only_a_class_with_the_right_closes_a_service(world: World) -> None:
    town, (guard,) = await town_with(world, "2202")
    assert await dial(town, guard, "*50*9*1400") == [
        "tone",
        "Vous n'avez pas le droit d'ouvrir ou de fermer un service.",
    ]
    assert town.exchange.settings.overrides() == []


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("*50*9999*1400", "Ce numéro n'est pas celui d'un service."),
        ("*50*9*9999", "Composez l'heure en quatre chiffres, par exemple 14 00."),
        ("*51*9*2999*1400", "Ce numéro n'existe pas."),
        ("*51*9*18*1400", "Un appel ne peut pas être renvoyé vers un numéro d'urgence."),
        ("*51*9*9*1400", "Ce renvoi tournerait en rond."),
    ],
)
@scenario()
async def test_what_no_service_can_do_is_told(world: World, code: str, said: str) -> None:
    town, (alice,) = await town_with(world, "1001")
    assert await dial(town, alice, code) == ["tone", said]
    assert town.exchange.settings.overrides() == []


# After a restart


@scenario()
async def test_another_process_goes_on_with_what_was_set(world: World) -> None:
    town, (office, alice, neighbour) = await town_with(world, "2010", "1001", "2020")
    await dial(town, office, "*21*2020")
    await dial(town, alice, "*50*9*2359")
    await town.restart()
    await alice.call("2010")
    await answered_by(town, alice, neighbour)
    assert [one.name for one in town.exchange.settings.overrides()] == ["standard"]


# For a while


@scenario()
async def test_what_is_set_for_a_while_ends_by_itself_and_is_told(world: World) -> None:
    town, (office,) = await town_with(world, "2010")
    settings = town.exchange.settings
    told_of: list[SettingsChanged] = []
    town.exchange.events.subscribe(told_of.append, SettingsChanged)
    now = town.exchange.clock()
    settings.do_not_disturb("2010", True, "2010", now + 600)
    settings.forward("2010", "busy", "2020", "2010", until=now + 1200)
    await world.sleep(601)
    assert settings.of("2010").do_not_disturb is None
    assert [one.to for one in settings.of("2010").forwards] == ["2020"]
    await world.sleep(600)
    assert settings.everybody() == []
    assert town.exchange.conditions.at(town.exchange.clock()).forwards == {}
    assert len(told_of) == 4  # set twice, ended twice
    await office.expect_silence(1)


@scenario()
async def test_what_has_ended_while_the_process_was_dead_does_not_begin_again(world: World) -> None:
    town, _ = await town_with(world, "2010")
    town.exchange.settings.do_not_disturb("2010", True, "2010", town.exchange.clock() + 600)
    kept = town.exchange.settings.everybody()
    await world.sleep(900)
    assert town.exchange.settings.restore(kept, []) == 0
    assert town.exchange.settings.everybody() == []


@scenario()
async def test_nothing_is_set_until_yesterday_or_for_longer_than_a_year(world: World) -> None:
    town, _ = await town_with(world, "2010")
    now = town.exchange.clock()
    for until in (now - 1, now + 400 * 86_400):
        with pytest.raises(SettingRefused, match="within a year"):
            town.exchange.settings.do_not_disturb("2010", True, "2010", until)
    assert town.exchange.settings.everybody() == []
