"""Regions of hours: finitely many instants that see all that a schedule can do."""

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from dialplan.hours import over_hours, regions
from dialplan.schedule import opening
from tests.dialplan.plans import OPEN, SAMPLE, village

BUREAU = SAMPLE.schedules["bureau"]


def schedules_of(*lines: str):
    return tuple(village("schedules:\n" + "".join(f"  {line}\n" for line in lines)).schedules.values())


def test_a_schedule_is_open_in_one_region_and_closed_in_another():
    found = regions((BUREAU,), OPEN)
    assert sorted(sorted(region.open) for region in found) == [[], ["bureau"]]
    assert all(opening(BUREAU, region.instant).is_open == bool(region.open) for region in found)


def test_without_schedules_all_instants_are_one_region():
    assert [region.open for region in regions((), OPEN)] == [frozenset()]


def test_a_second_of_overlap_is_a_region():
    one, other = schedules_of('a: {open: ["mon 08:00-12:01"]}', 'b: {open: ["mon 12:00-18:00"]}')
    assert {region.open for region in regions((one, other), OPEN)} == {
        frozenset(), frozenset("a"), frozenset("b"), frozenset("ab"),
    }  # fmt: skip


def test_an_exception_years_ahead_is_a_region():
    found = regions(schedules_of('a: {open: ["2044-07-14 10:00-11:00"]}'), OPEN)
    assert [region.instant.year for region in found if region.open] == [2044]


def test_a_public_holiday_that_one_schedule_keeps_is_a_region():
    found = regions(
        schedules_of('a: {open: ["daily 00:00-24:00"], holidays: FR}', 'b: {open: ["daily 00:00-24:00"]}'),
        OPEN,
    )
    assert frozenset("b") in {region.open for region in found}


def test_an_hour_that_the_clock_jumps_over_is_seen():
    found = regions(schedules_of('a: {open: ["sun 02:10-02:50"]}'), datetime(2027, 3, 27, tzinfo=UTC))
    assert {region.open for region in found} == {frozenset(), frozenset("a")}


PIECES = [
    "mon-fri 08:00-12:00",
    "mon 12:00-12:01",
    "fri,sat 22:00-06:00",
    "sun 00:00-24:00",
    "daily 07:30-19:00",
]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from(PIECES), max_size=3),
    st.lists(st.sampled_from(PIECES), max_size=3),
    st.sampled_from(["", ", holidays: FR"]),
    st.sampled_from(["", ', closed: ["2026-12-24 12:00 .. 2026-12-26"]']),
    st.lists(st.integers(0, 366 * 24 * 60), min_size=50, max_size=50),
)
def test_no_minute_of_the_year_is_in_a_region_that_was_not_seen(first, second, holidays, closed, minutes):
    def line(name, pieces, more):
        return f"{name}: {{open: [{', '.join(f'{chr(34)}{piece}{chr(34)}' for piece in pieces)}]{more}}}"

    told = schedules_of(line("a", first, holidays), line("b", second, closed))
    seen = {region.open for region in regions(told, OPEN)}
    for minute in minutes:
        instant = OPEN + timedelta(minutes=minute)
        assert frozenset(item.name for item in told if opening(item, instant).is_open) in seen


def test_hours_are_split_only_by_what_is_looked_at():
    asked = []

    def answer(instant):
        asked.append(instant)
        return "always the same", ()

    assert [value for _, value in over_hours([BUREAU], OPEN, answer)] == ["always the same"]
    assert len(asked) == 1


def test_a_schedule_that_is_looked_at_behind_another_splits_too():
    one, other = schedules_of('a: {open: ["mon 08:00-12:00"]}', 'b: {open: ["mon 10:00-11:00"]}')

    def answer(instant):
        if not opening(one, instant).is_open:
            return "closed", ["a"]
        return opening(other, instant).is_open, ["a", "b"]

    assert {value for _, value in over_hours([one, other], OPEN, answer)} == {"closed", True, False}
