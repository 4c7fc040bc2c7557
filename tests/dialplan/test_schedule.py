from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialplan.schedule import Schedule, boundaries, opening, parse_closing, parse_opening_date, parse_weekly
from tests.dialplan.plans import PARIS, SAMPLE

BUREAU = SAMPLE.schedules["bureau"]


def schedule(*weekly: str, closed=(), dated=(), holidays=""):
    return Schedule(
        name="s",
        zone=PARIS,
        weekly=tuple(parse_weekly(text, 1, 1) for text in weekly),
        dated=tuple(parse_opening_date(text, 2, 1) for text in dated),
        closed=tuple(parse_closing(text, 3, 1) for text in closed),
        holidays=holidays,
        holidays_line=4,
        line=5,
        column=1,
    )


def is_open(plan_schedule, text):
    return opening(plan_schedule, datetime.fromisoformat(text).replace(tzinfo=PARIS)).is_open


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("2026-11-23 08:29:59", False),
        ("2026-11-23 08:30:00", True),
        ("2026-11-23 11:59:59", True),
        ("2026-11-23 12:00:00", False),
        ("2026-11-23 17:29:59", True),
        ("2026-11-23 17:30:00", False),
        ("2026-11-22 10:00:00", False),
    ],
)
def test_an_interval_holds_from_its_first_second_to_before_its_end(moment, expected):
    assert is_open(BUREAU, moment) is expected


def test_a_closing_wins_over_the_week():
    assert is_open(BUREAU, "2026-12-24 11:59:59")
    assert not is_open(BUREAU, "2026-12-24 13:30:00")


def test_a_closing_that_ends_with_a_day_holds_that_whole_day():
    always = schedule("daily 00:00-24:00", closed=["2026-12-24 12:00 .. 2026-12-26"])
    assert not is_open(always, "2026-12-26 23:59:59")
    assert is_open(always, "2026-12-27 00:00:00")


def test_a_public_holiday_is_closed():
    assert not is_open(BUREAU, "2026-07-14 10:00:00")
    assert is_open(BUREAU, "2026-07-15 10:00:00")


def test_alsace_moselle_has_its_own_holidays():
    assert not is_open(schedule("daily 00:00-24:00", holidays="FR-57"), "2026-12-26 10:00:00")
    assert is_open(schedule("daily 00:00-24:00", holidays="FR"), "2026-12-26 10:00:00")


def test_a_date_that_opens_holds_on_a_closed_day():
    saturday = schedule("mon-fri 08:00-12:00", dated=["2026-11-28 09:00-11:00"])
    assert is_open(saturday, "2026-11-28 10:00:00")
    assert not is_open(saturday, "2026-11-28 11:00:00")


def test_a_night_interval_ends_on_the_next_day():
    night = schedule("fri 22:00-06:00")
    assert is_open(night, "2026-11-27 23:00:00")
    assert is_open(night, "2026-11-28 05:59:59")
    assert not is_open(night, "2026-11-28 22:30:00")


def test_days_may_go_around_the_week():
    weekend = schedule("sat-mon 10:00-11:00")
    assert [is_open(weekend, f"2026-11-{day} 10:30:00") for day in range(23, 30)] == [
        True, False, False, False, False, True, True,
    ]  # fmt: skip


def test_the_zone_decides_not_the_instant_given():
    winter = datetime(2026, 11, 23, 7, 30, tzinfo=UTC)
    summer = datetime(2026, 7, 6, 6, 30, tzinfo=UTC)
    assert opening(BUREAU, winter).is_open
    assert opening(BUREAU, summer).is_open
    assert not opening(BUREAU, summer - timedelta(seconds=1)).is_open


@pytest.mark.parametrize(
    ("parse", "text", "sentence"),
    [
        (parse_weekly, "mon-fri", "write mon-fri 08:30-12:00"),
        (parse_weekly, "lun 08:00-12:00", '"lun" is no day'),
        (parse_weekly, "mon 8:00-12:00", "are no hours"),
        (parse_weekly, "mon 08:00-25:00", "past 24:00"),
        (parse_weekly, "mon 08:00-08:00", "lasts no time"),
        (parse_closing, "2026-02-30", "there is no day 2026-02-30"),
        (parse_closing, "2026-12-26 .. 2026-12-24", "ends before it begins"),
        (parse_closing, "24/12/2026", "is no date"),
        (parse_opening_date, "2026-12-26", "no date with hours"),
        (parse_closing, "9999-12-31", "out of reach"),
    ],
)
def test_a_bad_interval_is_told_in_words(parse, text, sentence):
    with pytest.raises(ValueError, match=sentence):
        parse(text, 1, 1)


@settings(max_examples=100, deadline=None)
@given(st.datetimes(timezones=st.just(UTC)))
def test_every_instant_is_open_or_closed_with_a_reason(now):
    assert opening(BUREAU, now).why


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 7 * 24 * 60 - 1))
def test_between_two_boundaries_nothing_changes(minute):
    start = datetime(2026, 12, 21, 0, 0, tzinfo=PARIS)
    edges = sorted(boundaries(BUREAU, start))
    instant = start + timedelta(minutes=minute)
    before = max((edge for edge in edges if edge <= instant), default=None)
    if before is not None:
        assert opening(BUREAU, instant).is_open == opening(BUREAU, before).is_open
