"""`beffroi init`: a few answers make a configuration and a plan that check, and that serve at once."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dialplan.loading import parse_plan
from pbx.node.installation import Answers, InstallationError, plan_text, read_answer, site_word
from tests.cli.conftest import free_port, run_command, serving


def errors_and_warnings(folder: Path) -> list[str]:
    findings = run_command("plan", "check", "--json", "-c", str(folder / "beffroi.yaml")).json
    return [finding["code"] for finding in findings if finding["severity"] != "note"]


def test_the_defaults_check_but_for_the_trunk_that_is_to_come(tmp_path: Path):
    outcome = run_command("init", "--directory", str(tmp_path), "--yes")
    assert outcome.status == 0
    assert errors_and_warnings(tmp_path) == ["no_trunk"]
    assert "NOT EVEN AN EMERGENCY CALL" in outcome.out


def test_with_an_operator_there_is_nothing_to_say_against_it(tmp_path: Path):
    options = ("--operator", "sip.op.example", "--main-number", "03 83 00 01 00", "--user", "2000 Alice")
    outcome = run_command("init", "--directory", str(tmp_path), "--yes", *options)
    assert errors_and_warnings(tmp_path) == []
    assert "EMERGENCY" not in outcome.out
    explained = run_command(
        "plan", "explain", "18", "--from", "2000", "--json", "-c", str(tmp_path / "beffroi.yaml")
    ).json
    assert explained["target"]["trunks"] == ["operator"]
    assert explained["caller_id"] == "+33383000100"


def test_what_it_wrote_serves_at_once(tmp_path: Path):
    listen = f"127.0.0.1:{free_port()}"
    outcome = run_command(
        "init", "--directory", str(tmp_path), "--yes", "--listen", listen, "--user", "2000 Alice"
    )
    assert outcome.status == 0
    configuration = tmp_path / "beffroi.yaml"
    configuration.write_text(f"{configuration.read_text('utf-8')}\nweb: []\n", "utf-8")
    with serving(configuration):
        status = run_command("status", "--json", "-c", str(configuration)).json
    assert status["devices"] == 1
    # The worker comes a moment later: telephones wait for no other process.
    assert {process["role"] for process in status["processes"]} >= {"supervisor", "signalling"}


def test_questions_are_asked_again_until_the_answer_can_be_taken(tmp_path: Path):
    typed = [
        "Ville de Valmont",
        "DE",
        "FR",
        "Hôtel de ville",
        "1500-1599",
        "300-399",
        "123",
        "03 83 00 01 00",
        "",
        "",
        "127.0.0.1",
        "9 Nobody",
        "300 Alice Martin",
        "",
    ]
    outcome = run_command("init", "--directory", str(tmp_path), typed="\n".join(typed) + "\n")
    assert outcome.status == 0
    said = outcome.err.splitlines()
    assert said[0] == '  the numbering of "DE" isn\'t known; known: BE, FR'
    assert said[1].startswith("  range 1500..1599 begins like the emergency number 15; ")
    assert said[2] == '  "123" is no public number; write it like +33383000100'
    assert said[3] == "  9 is not one of the extensions 300..399"
    plan = (tmp_path / "plan.yaml").read_text("utf-8")
    assert 'organization: "Ville de Valmont"' in plan
    assert "hotel-de-ville:" in plan
    assert 'range: "300..399"' in plan
    assert 'udp: "127.0.0.1:5060"' in (tmp_path / "beffroi.yaml").read_text("utf-8")
    people = run_command("user", "list", "--json", "-c", str(tmp_path / "beffroi.yaml")).json
    assert [(person["extension"], person["class"]) for person in people] == [("300", "national")]
    assert "password  " in outcome.out


@pytest.mark.parametrize("there", ["beffroi.yaml", "plan.yaml"])
def test_nothing_is_overwritten(tmp_path: Path, there: str):
    (tmp_path / there).write_text("mine")
    outcome = run_command("init", "--directory", str(tmp_path), "--yes")
    assert outcome.status == 1
    assert "is there already, and init never overwrites" in outcome.err
    assert [path.name for path in tmp_path.iterdir()] == [there]
    assert (tmp_path / there).read_text() == "mine"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--internal-range", "1500-1599"), "--internal-range: range 1500..1599 begins like the emergency"),
        (("--internal-range", "2199-2000"), "--internal-range: "),
        (("--main-number", "12"), '--main-number: "12" is no public number; write it like +33383000100'),
        (("--country", "ZZ"), '--country: the numbering of "ZZ" isn\'t known; known: BE, FR'),
        (("--listen", "example.org"), '--listen: "example.org:5060" is no address with a port'),
        (("--outside-prefix", "abc"), '--outside-prefix: "abc" is no outside prefix'),
        (("--operator", "no host"), "--operator: "),
        (("--organization", ""), "--organization: this can't be empty"),
        (("--domain", "a b"), '--domain: "a b" is no domain'),
        (("--user", "Alice"), '--user: "Alice" is no extension and name; write "2000 Alice Martin"'),
        (("--user", "2000 A", "--user", "2000 B"), "--user: 2000 is given twice"),
    ],
)
def test_an_option_that_cannot_be_taken_is_one_sentence_and_nothing_is_written(
    tmp_path: Path, options: tuple[str, ...], sentence: str
):
    outcome = run_command("init", "--directory", str(tmp_path), "--yes", *options)
    assert outcome.status == 1
    assert outcome.err.startswith(f"beffroi: {sentence}")
    assert outcome.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "listen"),
    [
        ("192.0.2.1", "192.0.2.1:5060"),
        ("192.0.2.1:5062", "192.0.2.1:5062"),
        ("::1", "[::1]:5060"),
        ("[::1]", "[::1]:5060"),
        ("[::1]:5062", "[::1]:5062"),
    ],
)
def test_the_port_of_sip_is_added_where_none_is_given(text: str, listen: str):
    assert read_answer("listen", text, "FR") == listen


@example("0", "NULL")
@given(st.text(max_size=120), st.text(max_size=120))
def test_any_names_are_refused_or_make_a_plan_with_these_names(organization: str, site: str):
    try:
        names = read_answer("organization", organization, "FR"), read_answer("site", site, "FR")
    except InstallationError:
        return
    plan = parse_plan(plan_text(Answers(organization=names[0], site=names[1])), "plan.yaml")
    (written,) = plan.sites.values()
    assert (plan.organization, written.title, written.name) == (*names, site_word(site))
