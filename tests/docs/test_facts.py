"""What the pages say of the program is what it does: words, numbers, what is there and what isn't."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import pytest

from dialplan.country import load_country
from dialplan.decision import (
    ANONYMOUS,
    NEXT_TRUNK_SECONDS,
    NOT_ALLOWED,
    UNKNOWN,
    Decision,
    Target,
    ToFeature,
    ToService,
)
from dialplan.finding import PlanError
from dialplan.loading import load_plan, parse_plan
from pbx.apps import dial, outside
from pbx.apps.announce import NOT_BUILT, announce
from pbx.calls import reasons
from pbx.calls.router import PICK_UP_CODES, app_of
from pbx.configuration import parse_configuration
from pbx.exchange import METHODS
from pbx.settings.media import Media
from pbx.settings.sip import Sip
from pbx.signalling import DRAIN_SECONDS
from tests.cli.conftest import Town
from tests.docs.markdown import blocks, text_of
from tests.tools.places import ROOT

README = text_of(Path("README.md"))
AGENTS = (Path("docs/users/agents.md"), Path("docs/utilisateurs/agents.md"))
IT = (Path("docs/users/it.md"), Path("docs/utilisateurs/informatique.md"))
EMERGENCY_LINES = (Path("docs/users/emergency-lines.md"), Path("docs/utilisateurs/secours.md"))


def row(name: str) -> tuple[str, str]:
    """What works and what doesn't yet, in one row of the README's table."""
    (found,) = [line for line in README.splitlines() if line.startswith(f"| {name} |")]
    _, _, works, not_yet, _ = found.split("|")
    return works, not_yet


def types_in(cell: str) -> set[str]:
    return set(re.findall(r"`(\w+)`", cell))


def is_built(target: Target) -> bool:
    """Whether a decision starts an app of its own, rather than the announcement that there is none."""
    app = app_of(Decision(target, "1", "", None, None, ()))
    assert isinstance(app, partial)
    run = app.keywords["app"]
    return not (isinstance(run, partial) and run.func is announce)


def known_types() -> set[str]:
    """The types of service that a plan may have, as its own error tells them."""
    with pytest.raises(PlanError) as raised:
        parse_plan("plan: 1\norganization: X\ncountry: FR\nservices: {x: {type: none}}\n", "plan.yaml")
    (said,) = [str(finding) for finding in raised.value.findings]
    return set(re.findall(r"\w+", said.partition("known:")[2]))


def test_the_services_that_work_are_those_with_an_app() -> None:
    works, not_yet = row("services")
    built = {kind for kind in known_types() if is_built(ToService("x", kind))}
    assert types_in(works) == built
    assert types_in(not_yet) == known_types() - built


def test_the_code_of_the_mailbox_works_as_the_page_says() -> None:
    assert is_built(ToFeature("voicemail", ""))
    assert "`*98`" in row("calls")[0]


def test_the_codes_of_the_pages_are_those_of_the_sample_plan_and_work() -> None:
    plan = load_plan(ROOT / "examples" / "valmont.yaml")
    codes = {feature.before.strip("*#"): feature.name for feature in plan.features}
    for page in AGENTS:
        shown = set(re.findall(r"`[*#]+(\d+)[*#0-9]*`", text_of(page)))
        assert {"21", "67", "61", "62", "78", "98"} <= shown
        names = {codes[code] for code in shown & codes.keys()} - PICK_UP_CODES
        assert {name for name in names if not is_built(ToFeature(name, ""))} == set()


def test_transfer_works_as_the_pages_say() -> None:
    assert "REFER" in METHODS
    assert "transfer" in row("calls")[0]


@pytest.mark.parametrize(
    ("page", "language"), [(AGENTS[0], "en"), (AGENTS[1], "fr")], ids=["English", "French"]
)
def test_the_announcements_are_told_word_by_word(page: Path, language: str) -> None:
    quoted = {
        words.strip("\u00a0 ")
        for words in re.findall(r'^\| (?:"|«)(.*?)(?:"|») \|', text_of(page), re.MULTILINE)
    }
    said = {NOT_ALLOWED.text[language], UNKNOWN.text[language], NOT_BUILT[language]}
    said |= {reasons.said(cause)[language] for cause in ("no answer", "unreachable")}
    said |= {reasons.said_outside(404, 0)[language], first_sentence(ANONYMOUS.text[language])}
    assert quoted - said == {first_sentence(outside._NO_TRUNK[language])}
    assert said <= quoted


def first_sentence(text: str) -> str:
    return text.partition(".")[0] + "."


@pytest.mark.parametrize("page", EMERGENCY_LINES, ids=str)
def test_every_emergency_number_is_named(page: Path) -> None:
    (line,) = [line for line in text_of(page).splitlines() if "115, 116000" in line]
    numbers = line.split("|")[2].partition(" et ")[0].partition(" and ")[0]
    assert re.findall(r"\d+", numbers) == list(load_country("FR").emergency)
    assert NEXT_TRUNK_SECONDS == 3
    assert "3 s" in text_of(page)


def test_the_numbers_of_the_pages_are_those_of_the_program() -> None:
    guide = text_of(Path("docs/users/it.md"))
    assert dial.RING_SECONDS == 60  # "for a minute", "pendant une minute"
    assert f"up to {DRAIN_SECONDS:.0f} s" in guide
    assert f"| {Media().first_port} to {Media().last_port} UDP |" in guide
    assert {listen.port for listen in (*Sip().udp, *Sip().tcp)} == {5060}


@pytest.mark.parametrize("page", IT, ids=str)
def test_the_configuration_that_is_shown_is_one(page: Path) -> None:
    sections = (
        "click_to_call:",
        "external_address:",
        "defence:",
        "mail:",
        "media:",
        "recordings:",
        "sip:",
        "turn:",
        "web:",
    )
    shown = [block for block in blocks(text_of(page)) if block.body.startswith(sections)]
    read = [parse_configuration(block.body, ROOT / "beffroi.yaml") for block in shown]
    assert len(read) == 12
    assert [note for one in read for note in one.notes] == []


def test_the_account_that_the_readme_names_is_in_the_sample_plan() -> None:
    plan = load_plan(ROOT / "examples" / "valmont.yaml")
    shown = re.findall(r"`(10\d\d)`, `(pw\d+)`", README)
    assert shown == [(extension, plan.people[extension].password) for extension in ("1001", "1002")]
    assert f"dial `{plan.services['echo'].number}`" in README
    assert f"dial `1002` | {plan.people['1002'].name}" in README


@pytest.mark.parametrize("page", EMERGENCY_LINES, ids=str)
def test_the_plan_test_of_a_page_holds_in_the_sample_plan(page: Path, tmp_path: Path) -> None:
    (shown,) = re.findall(r"`(\{from: .*?\}\})`", text_of(page))
    town = Town(tmp_path)
    before = town.run("plan", "test", "--json").json
    with town.plan_file.open("a", encoding="utf-8") as plan:
        plan.write(f"  - {shown}\n")
    after = town.run("plan", "test", "--json")
    assert after.status == 0
    assert len(after.json) == len(before) + 1
