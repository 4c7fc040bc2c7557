"""Rotas: who is on call at an instant, and that no file is believed too far or takes long. RFC 5545."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

import pytest

from dialplan.loading import parse_plan
from dialplan.plan import Plan
from pbx.plans.rota import MOST_BYTES, RotaError, Rotas, read_shifts, rotas_of

PARIS = ZoneInfo("Europe/Paris")
NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)  # a Monday, 10 o'clock in Paris
PLAN = """
plan: 1
country: FR
numbers: {local: "2201..2299"}
services:
  garde:
    number: "8"
    type: hotline
    steps: [{rota: garde.ics, confirm: true}, {rota: garde.ics}, {to: "2201"}]
users:
  - {extension: "2201", name: Alice Martin}
  - {extension: "2202", name: Bruno Petit}
"""


def plan() -> Plan:
    return parse_plan(PLAN, "plan.yaml")


def calendar(*events: str) -> bytes:
    """A calendar of these events, each given as its lines."""
    parts = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//test//"]
    for number, event in enumerate(events):
        parts += ["BEGIN:VEVENT", f"UID:{number}", *event.strip().split("\n"), "END:VEVENT"]
    return "\r\n".join([*parts, "END:VCALENDAR", ""]).encode()


# Every other week from Monday 18:00 to the next one, 8:00: RFC 5545 section 3.3.10.
WEEKLY = """DTSTART;TZID=Europe/Paris:20260105T180000
DTEND;TZID=Europe/Paris:20260112T080000
RRULE:FREQ=WEEKLY;INTERVAL=2
SUMMARY:Garde : Alice Martin"""
DAY = "DTSTART;VALUE=DATE:20261123\nDTEND;VALUE=DATE:20261124\nSUMMARY:2202 puis +33612345678"


def on_call(folder: Path, data: bytes, at: datetime = NOW) -> tuple[str, ...]:
    (folder / "garde.ics").write_bytes(data)
    rotas = Rotas(folder)
    assert rotas.refresh(plan(), NOW.timestamp()) == {}
    return rotas.on_call("garde.ics", plan(), at.timestamp())


def test_whose_shift_it_is_rings(tmp_path: Path) -> None:
    assert on_call(tmp_path, calendar(WEEKLY)) == ()
    evening = datetime(2026, 11, 23, 18, 0, tzinfo=PARIS)
    assert on_call(tmp_path, calendar(WEEKLY), evening - timedelta(seconds=1)) == ()
    assert on_call(tmp_path, calendar(WEEKLY), evening) == ("2201",)
    assert on_call(tmp_path, calendar(WEEKLY), evening + timedelta(days=7)) == ()


def test_a_shift_of_a_whole_day_is_the_plans_day_and_names_numbers(tmp_path: Path) -> None:
    assert on_call(tmp_path, calendar(DAY)) == ("2202", "+33612345678")
    assert on_call(tmp_path, calendar(DAY), datetime(2026, 11, 23, 23, 59, tzinfo=PARIS)) != ()
    assert on_call(tmp_path, calendar(DAY), datetime(2026, 11, 24, 0, 0, tzinfo=PARIS)) == ()


def test_attendees_go_before_the_summary(tmp_path: Path) -> None:
    invited = f"{DAY}\nATTENDEE:tel:+33612345601\nATTENDEE:sip:2201@valmont.example\nATTENDEE:mailto:a@b.fr"
    assert on_call(tmp_path, calendar(invited)) == ("+33612345601", "2201")


def test_shifts_at_the_same_time_ring_together_and_each_once(tmp_path: Path) -> None:
    assert on_call(tmp_path, calendar(DAY, DAY.replace("2202 puis", "2201 avec"))) == (
        "2201", "+33612345678", "2202",
    )  # fmt: skip


def test_a_shift_that_is_taken_out_or_moved_is_nobodys(tmp_path: Path) -> None:
    """RFC 5545 sections 3.8.5.1 and 3.8.4.4."""
    daily = "DTSTART:20261120T080000Z\nDTEND:20261120T120000Z\nRRULE:FREQ=DAILY\nSUMMARY:2201"
    assert on_call(tmp_path, calendar(daily)) == ("2201",)
    assert on_call(tmp_path, calendar(f"{daily}\nEXDATE:20261123T080000Z")) == ()


def test_numbers_that_nobody_has_ring_nobody(tmp_path: Path) -> None:
    assert on_call(tmp_path, calendar(DAY.replace("2202 puis +33612345678", "9999, salle 12"))) == ()


def test_a_file_that_changes_is_read_again_and_one_that_breaks_leaves_what_was(tmp_path: Path) -> None:
    file, rotas = tmp_path / "garde.ics", Rotas(tmp_path)
    now = NOW.timestamp()
    assert "No such file" in rotas.refresh(plan(), now)["garde.ics"]
    file.write_bytes(calendar(DAY))
    assert rotas.refresh(plan(), now) == {}
    file.write_bytes(b"nonsense")
    os.utime(file, (now, now + 5))
    assert "can't be read" in rotas.refresh(plan(), now)["garde.ics"]
    assert rotas.on_call("garde.ics", plan(), now) == ("2202", "+33612345678")
    file.write_bytes(calendar(DAY.replace("2202 puis +33612345678", "2201")))
    os.utime(file, (now, now + 9))
    assert rotas.refresh(plan(), now) == {}
    assert rotas.on_call("garde.ics", plan(), now) == ("2201",)


def test_the_first_hour_without_anybody_is_told(tmp_path: Path) -> None:
    (tmp_path / "garde.ics").write_bytes(calendar(DAY))
    rotas = Rotas(tmp_path)
    rotas.refresh(plan(), NOW.timestamp())
    midnight = datetime(2026, 11, 24, 0, 0, tzinfo=PARIS).timestamp()
    assert rotas.uncovered("garde.ics", plan(), NOW.timestamp(), days=7) == midnight
    assert rotas.uncovered("garde.ics", plan(), NOW.timestamp(), days=0) is None


def test_the_rotas_of_a_plan_are_named_once() -> None:
    assert rotas_of(plan()) == ("garde.ics",)


@pytest.mark.parametrize(
    ("event", "why"),
    [
        (f"{DAY}\nRRULE:FREQ=SECONDLY", "don't repeat by SECONDLY"),
        (f"{DAY}\nRRULE:FREQ=DAILY;BYSECOND=1,2,3", "don't repeat by BYSECOND"),
        ("DTSTART:18000101T000000Z\nDTEND:18000102T000000Z\nRRULE:FREQ=DAILY\nSUMMARY:2201", "in 1800"),
        ("DTSTART:20261123T000000Z\nDTEND:20271123T000000Z\nSUMMARY:2201", "longer than 31 days"),
        ("DTSTART:20261124T000000Z\nSUMMARY:2201", "lasts no time"),
        ("DTSTART:tomorrow\nSUMMARY:2201", "can't be read"),
        ("SUMMARY:2201", "can't be read"),
        (DAY + "\nRDATE:" + ",".join(["20261123T000000Z"] * 500), "too many exceptions"),
    ],
)
def test_what_is_no_shift_or_would_take_long_is_refused_in_words(event: str, why: str) -> None:
    with pytest.raises(RotaError, match=why):
        read_shifts(calendar(event), PARIS, NOW)


def test_a_file_that_is_too_long_or_repeats_too_often_is_refused() -> None:
    with pytest.raises(RotaError, match="longer than"):
        read_shifts(b" " * (MOST_BYTES + 1), PARIS, NOW)
    with pytest.raises(RotaError, match="repeat more than"):
        daily = "DTSTART:20010101T000000Z\nDTEND:20010102T000000Z\nRRULE:FREQ=DAILY\nSUMMARY:2201"
        read_shifts(calendar(*[daily] * 5), PARIS, NOW)


def test_300_damaged_files_are_read_or_refused_and_never_more() -> None:
    chance, whole = Random(1), calendar(WEEKLY, DAY)
    outcomes = set()
    for _ in range(300):
        damaged = bytearray(whole)
        for _ in range(chance.randrange(1, 6)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        try:
            outcomes.add(len(read_shifts(bytes(damaged), PARIS, NOW)) > 0)
        except RotaError:
            outcomes.add(None)
    assert {True, None} <= outcomes
