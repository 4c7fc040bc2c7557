"""The plan's policies as the recorder knows them."""

from __future__ import annotations

from pathlib import Path

from dialplan.loading import parse_plan
from dialplan.plan import Plan
from pbx.recordings.policies import policies_of

SAMPLE = (Path(__file__).parents[3] / "examples" / "valmont.yaml").read_text(encoding="utf-8")


def sample(old: str = "", new: str = "") -> Plan:
    assert old in SAMPLE
    return parse_plan(SAMPLE.replace(old, new) if old else SAMPLE, "valmont.yaml")


def test_a_policy_names_its_listeners_by_extension() -> None:
    fire, police = policies_of(sample())
    assert (fire.name, fire.keep_days, fire.start, fire.listeners) == (
        "pompiers",
        60,
        "ringing",
        ("2201", "2202"),
    )
    assert (police.name, police.start, police.listeners) == ("police", "answer", ("2301",))


def test_a_number_outside_listens_to_nothing() -> None:
    plan = sample("listeners: {group: chef-police}", 'listeners: ["2301", "+33612345678"]')
    assert policies_of(plan)[1].listeners == ("2301",)


def test_a_policy_without_listeners_has_none() -> None:
    assert policies_of(sample("    listeners: {group: chef-police}\n"))[1].listeners == ()


def test_a_policy_says_where_it_stands_in_the_register_and_what_becomes_of_failures() -> None:
    plan = sample(
        "    keep: 30 days\n", '    keep: 30 days\n    register: "n° 7"\n    keep_at_least: 10 days\n'
    )
    police = policies_of(plan)[1]
    assert (police.register, police.least_days, police.on_failure) == ("n° 7", 10, "connect_and_alarm")
