"""The store of what is set by hand: what it takes, what it refuses, and who hears of it."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pbx import control
from pbx.apps.service_override import until_of
from pbx.apps.spoken import spoken_number, spoken_until
from pbx.events import OverrideChanged, SettingsChanged
from pbx.people.settings import MOST_FORWARDS, SettingRefused
from pbx.people.settings_answers import answer_about_settings
from pbx.records import ForwardSetting, OverrideRecord, PersonSettings, SetBy
from tests.dialplan.plans import SAMPLE
from tests.scenarios.town import PLAN_TEXT, SECRETS, Town, start
from tests.sim.world import World, run, scenario

PLAN_FORWARD = PLAN_TEXT.replace(
    "name: État civil,", 'name: État civil, forward: {busy: "2401", no_answer: "2401", after_seconds: 15},'
)


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)


def heard(town: Town) -> list[SettingsChanged | OverrideChanged]:
    events: list[SettingsChanged | OverrideChanged] = []
    town.exchange.events.subscribe(events.append, SettingsChanged, OverrideChanged)
    return events


def asked(town: Town, question: control.SettingsQuestion) -> control.SettingsInForce:
    return answer_about_settings(town.exchange.settings, question)


@scenario()
async def test_what_is_set_is_written_before_it_is_told(world: World) -> None:
    town = await start(world)
    town.exchange.settings.forward("2010", "busy", "2020", "root")
    assert town.journal.timeline == ["write settings of 2010"]
    assert town.journal.pending == []


@scenario()
async def test_a_change_is_an_event_with_who_made_it(world: World) -> None:
    town = await start(world)
    events = heard(town)
    town.exchange.settings.do_not_disturb("2010", True, "2010")
    town.exchange.settings.override("standard", "root", is_open=False, until=town.exchange.clock() + 60)
    town.exchange.settings.end_override("standard", "root")
    assert [(type(event).__name__, event.by) for event in events] == [
        ("SettingsChanged", "2010"),
        ("OverrideChanged", "root"),
        ("OverrideChanged", "root"),
    ]
    states = [event.state for event in events if isinstance(event, OverrideChanged)]
    assert states == ["closed", "as planned"]


@scenario()
async def test_the_same_kind_of_forward_is_replaced_and_another_stays(world: World) -> None:
    town = await start(world)
    store = town.exchange.settings
    store.forward("2010", "busy", "2020", "2010")
    store.forward("2010", "busy", "2401", "2010", callers=("outside",))
    store.forward("2010", "busy", "1001", "2010")
    store.forward("2010", "no_answer", "1001", "2010", seconds=9)
    assert [(one.when, one.to, one.callers) for one in store.of("2010").forwards] == [
        ("busy", "2401", ("outside",)),  # the narrowest first
        ("no_answer", "1001", ()),
        ("busy", "1001", ()),
    ]


@scenario()
async def test_forwarding_that_is_stopped_cancels_what_the_plan_says(world: World) -> None:
    town = await start(world, PLAN_FORWARD)
    store = town.exchange.settings
    store.stop_forwarding("2010", "2010", "busy")
    (forwards,) = store.forwards().values()
    assert [(rule.when, rule.to) for rule in forwards.rules] == [("busy", "")]
    assert forwards.no_answer == "2401"


@scenario()
async def test_clearing_lets_the_plan_s_own_forwards_hold_again(world: World) -> None:
    town = await start(world, PLAN_FORWARD)
    store = town.exchange.settings
    store.stop_forwarding("2010", "2010")
    store.clear("2010", "root")
    assert store.everybody() == []
    assert store.forwards() == {}


@scenario()
async def test_clearing_one_kind_keeps_the_others_and_do_not_disturb(world: World) -> None:
    town = await start(world)
    store = town.exchange.settings
    store.forward("2010", "busy", "2020", "2010")
    store.forward("2010", "no_answer", "2020", "2010")
    store.do_not_disturb("2010", True, "2010")
    store.clear("2010", "root", "busy")
    assert [one.when for one in store.of("2010").forwards] == ["no_answer"]
    assert store.of("2010").do_not_disturb is not None


@scenario()
async def test_calls_cost_nothing_while_nothing_is_set(world: World) -> None:
    town = await start(world)
    store, conditions = town.exchange.settings, town.exchange.conditions
    before = conditions.at(town.exchange.clock())
    store.do_not_disturb("2010", True, "2010")
    assert conditions.at(town.exchange.clock()) is not before
    store.do_not_disturb("2010", False, "2010")
    assert conditions.at(town.exchange.clock()) is before


@scenario()
async def test_another_plan_changes_what_holds_of_the_plan_s_own(world: World) -> None:
    town = await start(world)
    town.exchange.settings.do_not_disturb("2010", True, "2010")
    town.reload(PLAN_FORWARD)
    (forwards,) = town.exchange.conditions.at(town.exchange.clock()).forwards.values()
    assert (forwards.busy, forwards.do_not_disturb) == ("2401", True)


@scenario()
async def test_settings_of_somebody_who_left_the_plan_are_kept_and_do_nothing(world: World) -> None:
    town = await start(world)
    town.exchange.settings.do_not_disturb("2401", True, "2401")
    gone = "\n".join(line for line in PLAN_TEXT.splitlines() if "Directrice" not in line)
    gone = gone.replace('members: ["2401"]', 'members: ["2010"]')
    town.reload(gone)
    assert town.exchange.conditions.at(town.exchange.clock()).forwards == {}
    town.reload(PLAN_TEXT)
    assert "2401" in town.exchange.conditions.at(town.exchange.clock()).forwards


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"extension": "2999"}, "nobody has 2999"),
        ({"when": "sometimes"}, '"sometimes" is none of always'),
        ({"seconds": 301, "when": "no_answer"}, "devices ring for 1 to 300 s"),
        ({"seconds": -1, "when": "no_answer"}, "devices ring for 1 to 300 s"),
        ({"seconds": 9, "when": "busy"}, "only a forward on no answer waits"),
        ({"callers": ("everybody",)}, '"everybody" is no extension'),
        ({"callers": ("²",)}, '"²" is no extension'),
        ({"callers": ("inside",) * 17}, "at most 16 callers"),
        ({"hours": ("noon",)}, '"noon" is no interval'),
        ({"to": "18"}, "18 is an emergency number"),
        ({"to": "x" * 5000}, "is no number"),
    ],
)
@scenario()
async def test_what_no_forward_can_say_is_refused_with_a_sentence(world: World, fields, why: str) -> None:
    town = await start(world)
    given = {"extension": "2010", "when": "always", "to": "2020", **fields}
    answer = asked(town, control.SetForward(by="root", **given))
    assert why in answer.problem
    assert town.exchange.settings.everybody() == []
    assert town.journal.written == []


@scenario()
async def test_nobody_has_more_forwards_than_there_is_room_for(world: World) -> None:
    town = await start(world)
    for number in range(MOST_FORWARDS):
        town.exchange.settings.forward("2010", "busy", "2020", "root", callers=(f"{1000 + number}",))
    with pytest.raises(SettingRefused, match="clear some first"):
        town.exchange.settings.forward("2010", "always", "2020", "root")


@scenario()
async def test_a_full_disk_sets_nothing(world: World) -> None:
    town = await start(world)
    town.journal.exhausted = True
    answer = asked(town, control.SetDoNotDisturb("2010", True, "root"))
    assert answer.problem == "the disk is full: nothing more can be kept"
    assert town.exchange.settings.everybody() == []


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"name": "standart"}, 'did you mean "standard"?'),
        ({"until": -1.0}, "ends in the future"),
        ({"until": 367 * 86_400.0}, "within a year"),
        ({"until": float("inf")}, "within a year"),
        ({"until": float("nan")}, "within a year"),
        ({"is_open": True, "to": "2020"}, "only the calls of a closed service"),
        ({"name": "bureau", "to": "2020"}, "only the calls of a closed service"),
        ({"to": "2999"}, "nobody has 2999"),
        ({"to": "standard"}, "go in a circle"),
    ],
)
@scenario()
async def test_what_no_override_can_be_is_refused_with_a_sentence(world: World, fields, why: str) -> None:
    town = await start(world)
    given = {"name": "standard", "is_open": False, "until": 3600.0, **fields}
    until = town.exchange.clock() + given.pop("until")
    answer = asked(town, control.AddOverride(until=until, by="root", **given))
    assert why in answer.problem
    assert town.exchange.settings.overrides() == []


@scenario()
async def test_an_override_of_a_schedule_ends_by_itself(world: World) -> None:
    town = await start(world)
    until = town.exchange.clock() + 600
    asked(town, control.AddOverride("bureau", True, until, "root"))
    conditions = town.exchange.conditions.at(town.exchange.clock())
    assert conditions.schedules["bureau"].is_open
    await world.sleep(601)
    assert town.exchange.conditions.at(town.exchange.clock()).schedules == {}
    assert asked(town, control.ListSettings()).overrides == []


@scenario()
async def test_what_is_as_planned_already_is_told(world: World) -> None:
    town = await start(world)
    assert "as planned already" in asked(town, control.RemoveOverride("standard", "root")).problem
    assert "has set nothing" in asked(town, control.ClearSettings("2010", "root")).problem


@scenario()
async def test_a_listing_may_be_of_one_person(world: World) -> None:
    town = await start(world)
    for extension in ("2010", "2020"):
        town.exchange.settings.do_not_disturb(extension, True, "root")
    assert [one.extension for one in asked(town, control.ListSettings("2020")).people] == ["2020"]
    assert [one.extension for one in asked(town, control.ListSettings()).people] == ["2010", "2020"]


@scenario()
async def test_what_another_version_wrote_and_nobody_can_mean_is_left_out(world: World) -> None:
    town = await start(world)
    who = SetBy("root", 0.0)
    strange = PersonSettings("2010", (ForwardSetting("always", "2020", who, hours=("never",)),))
    late = OverrideRecord("service", "standard", False, 1e300, "", who)
    assert town.exchange.settings.restore([strange, PersonSettings("2020", (), who)], [late]) == 1
    town.errors.expect("settings can't be used")


ACTIONS = (
    ("forward", "always", "2020"),
    ("forward", "busy", "+33612345678"),
    ("forward", "no_answer", "2010"),
    ("forward", "unreachable", "18"),
    ("stop", "busy", ""),
    ("stop", "", ""),
    ("undisturbed", "on", ""),
    ("undisturbed", "", ""),
    ("clear", "", ""),
    ("clear", "busy", ""),
    ("close", "", "2020"),
    ("open", "", ""),
    ("end", "", ""),
)


def carry_out(town: Town, extension: str, action: tuple[str, str, str], seconds: int) -> None:
    """One change, whether it is refused or not."""
    store, (verb, what, to) = town.exchange.settings, action
    until = town.exchange.clock() + seconds
    with suppress(SettingRefused):
        match verb:
            case "forward":
                store.forward(extension, what, to, extension)
            case "stop":
                store.stop_forwarding(extension, extension, what)
            case "undisturbed":
                store.do_not_disturb(extension, bool(what), extension)
            case "clear":
                store.clear(extension, extension, what)
            case "end":
                store.end_override("standard", extension)
            case _:
                store.override("standard", extension, is_open=verb == "open", until=until, to=to)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["2010", "2020", "2401"]), st.sampled_from(ACTIONS), st.sampled_from([60, 3600])
        ),
        max_size=25,
    )
)
def test_whatever_is_set_another_process_knows_the_same(
    changes: list[tuple[str, tuple[str, str, str], int]],
) -> None:
    """What was written is all that was set: a process that dies at any moment has told nothing else."""

    async def body(world: World) -> None:
        town = await start(world, PLAN_FORWARD)
        for extension, action, seconds in changes:
            carry_out(town, extension, action, seconds)
            await world.sleep(30)
        before = town.exchange.conditions.at(town.exchange.clock())
        people, overrides = town.exchange.settings.everybody(), town.exchange.settings.overrides()
        await town.restart()
        assert town.exchange.settings.everybody() == people
        assert town.exchange.settings.overrides() == overrides
        assert town.exchange.conditions.at(town.exchange.clock()) == before

    run(body)


# Times and numbers


@pytest.mark.parametrize(
    ("keys", "until"),
    [
        ([], "2026-11-24 00:00"),
        (["1400"], "2026-11-23 14:00"),
        (["0800"], "2026-11-24 08:00"),
        (["30110800"], "2026-11-30 08:00"),
        (["01020830"], "2027-02-01 08:30"),
    ],
)
def test_keys_tell_the_next_such_time(keys: list[str], until: str) -> None:
    now = datetime(2026, 11, 23, 10, 0, tzinfo=ZoneInfo("Europe/Paris"))
    assert f"{until_of(keys, now):%Y-%m-%d %H:%M}" == until


@pytest.mark.parametrize("keys", ["2400", "1", "14000", "31020800", "99999999", "0" * 5000])
def test_keys_that_are_no_time_are_refused(keys: str) -> None:
    with pytest.raises(SettingRefused):
        until_of([keys], datetime(2026, 11, 23, 10, 0, tzinfo=UTC))


def test_numbers_and_times_are_spoken_as_people_say_them() -> None:
    country = SAMPLE.country
    assert spoken_number("+33612345678", country, "fr") == "06 12 34 56 78"
    assert spoken_number("9", country, "fr") == "9"
    assert spoken_number("201", country, "fr") == "2 01"
    assert spoken_number("2010", country, "en") == "2 0 1 0"
    now = datetime(2026, 11, 23, 10, 0)
    assert spoken_until(now + timedelta(hours=4), now, "fr") == "à 14 heures"
    assert spoken_until(now + timedelta(minutes=245), now, "en") == "14:05"
    assert spoken_until(now + timedelta(hours=14), now, "fr") == "à minuit"
    assert spoken_until(now + timedelta(hours=14), now, "en") == "midnight"
    assert spoken_until(datetime(2026, 12, 1, 1, 30), now, "fr") == "au 1er décembre à 1 heure 30"
    assert spoken_until(datetime(2026, 12, 1, 8, 0), now, "en") == "8:00 on 1 December"
