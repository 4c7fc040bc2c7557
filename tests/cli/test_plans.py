"""`beffroi plan`: what is wrong is told with its place, and a wrong plan is never put in force."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Town, run_command


def test_the_sample_has_neither_error_nor_warning(town: Town):
    outcome = town.run("plan", "check", "--json")
    assert outcome.status == 0
    assert {finding["severity"] for finding in outcome.json} == {"note"}


def test_a_finding_has_the_agreed_keys(town: Town):
    finding = town.run("plan", "check", "--json").json[0]
    assert list(finding) == ["code", "severity", "file", "line", "column", "message", "hint"]


def test_an_error_is_told_with_its_place_and_the_mend(town: Town):
    town.change_plan("class: national, groups: [accueil]}", "class: natoinal, groups: [accueil]}")
    line = town.line_of("natoinal")
    outcome = run_command("plan", "check", str(town.plan_file))
    assert outcome.status == 1
    first = outcome.out.splitlines()[0]
    assert first.startswith(f"{town.plan_file}:{line}:")
    assert 'error: unknown class "natoinal"' in first
    assert first.endswith('did you mean "national"?')
    assert outcome.out.splitlines()[-1] == "1 error"


def test_every_error_is_in_the_json_and_the_status_is_1(town: Town):
    town.change_plan("country: FR", "country: XX")
    outcome = run_command("plan", "check", str(town.plan_file), "--json")
    assert outcome.status == 1
    assert [finding["code"] for finding in outcome.json] == ["unknown_country"]


def test_a_file_that_is_not_there_is_a_finding(tmp_path: Path):
    outcome = run_command("plan", "check", str(tmp_path / "no.yaml"), "--json")
    assert outcome.status == 1
    (finding,) = outcome.json
    assert (finding["code"], finding["line"]) == ("unreadable", 0)


def test_without_file_and_configuration_the_mend_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    outcome = run_command("plan", "check")
    assert outcome.status == 1
    assert "name one with -c FILE, or write one with `beffroi init`" in outcome.out


def test_the_people_of_the_database_are_seen_with_a_configuration(town: Town):
    assert town.run("user", "add", "2011", "Claire").status == 0
    town.change_plan('dial: "2301",        expect: {user: "2301"}', 'dial: "2011", expect: {user: "2011"}')
    assert run_command("plan", "check", str(town.plan_file)).status == 1
    assert town.run("plan", "check", str(town.plan_file)).status == 0
    assert town.run("plan", "check").status == 0


def test_somebody_of_the_database_whose_class_is_gone_is_an_error(town: Town):
    town.run("user", "add", "2011", "Claire", "--class", "surtaxe")
    town.change_plan("  surtaxe: ", "  autre: ")
    errors = [
        finding for finding in town.run("plan", "check", "--json").json if finding["severity"] == "error"
    ]
    assert [(finding["code"], finding["line"]) for finding in errors] == [("unknown_class", 0)]
    assert "2011 (Claire) of the database" in errors[0]["message"]


def test_a_database_that_is_away_is_a_warning_and_the_last_export_is_taken(town: Town):
    town.run("user", "add", "2011", "Claire")
    (town.settings.data_dir / "beffroi.sqlite3").write_bytes(b"broken" * 1000)
    for leftover in town.settings.data_dir.glob("beffroi.sqlite3-*"):
        leftover.unlink()
    outcome = town.run("plan", "check", "--json")
    assert outcome.status == 0
    assert [one["code"] for one in outcome.json if one["severity"] == "warning"] == ["database_unavailable"]
    assert "=> user 2011 (Claire)" in town.run("plan", "explain", "2011", "--from", "1001").out


def test_checking_makes_no_database(town: Town):
    town.run("plan", "check")
    assert not town.settings.data_dir.exists()


def test_a_secret_that_is_set_is_no_note(town: Town, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OPERATEUR_A_SECRET", "x")
    messages = [finding["message"] for finding in town.run("plan", "check", "--json").json]
    assert not any("operateur-a" in message for message in messages)
    assert (
        "the secret of trunk operateur-b is not set: OPERATEUR_B_SECRET is not in this environment"
        in messages
    )


def test_the_plans_own_tests_are_a_table(town: Town):
    outcome = town.run("plan", "test")
    assert outcome.status == 0
    assert outcome.out.splitlines()[-1] == "14 passed, 0 failed"


def test_a_test_that_fails_is_shown_with_what_came_instead(town: Town):
    town.change_plan('dial: "2301",        expect: {user: "2301"}', 'dial: "2302", expect: {user: "2301"}')
    outcome = town.run("plan", "test", "--json")
    assert outcome.status == 1
    (failed,) = [result for result in outcome.json if not result["passed"]]
    assert (failed["from"], failed["dial"], failed["line"]) == ("2010", "2302", town.line_of('dial: "2302"'))
    assert (failed["expected"], failed["got"]) == ("user 2301", "user 2302 (Patrouille 2)")
    assert "FAILED" in town.run("plan", "test").out


def test_explain_shows_each_rule_with_its_line(town: Town):
    outcome = town.run("plan", "explain", "0612345678", "--from", "2010")
    assert outcome.status == 0
    assert f"plan.yaml:{town.line_of('to: mobile')}  route to mobile" in outcome.out
    last = outcome.out.splitlines()[-1]
    assert last == "=> +33612345678 by operateur-b, then operateur-a, showing +33383001010"


def test_explain_reads_a_date_in_the_plans_time_zone(town: Town):
    arguments = ("plan", "explain", "+33383000100", "--from", "+33699999999", "--json")
    open_ = town.run(*arguments, "--at", "2026-11-23 08:30").json
    closed = town.run(*arguments, "--at", "2026-11-23 08:29").json
    assert (open_["target"]["name"], closed["target"]["name"]) == ("standard", "repondeur-mairie")
    assert open_["at"] == "2026-11-23T07:30:00.000Z"


def test_explain_reads_a_day_of_the_week(town: Town):
    arguments = ("plan", "explain", "+33383000100", "--from", "+33699999999", "--json")
    assert town.run(*arguments, "--at", "sun 10:00").json["target"]["name"] == "repondeur-mairie"


def test_explain_at_another_site_takes_its_emergency_trunk(town: Town):
    answer = town.run("plan", "explain", "18", "--from", "2010", "--at-site", "caserne", "--json").json
    assert answer["target"] == {
        "kind": "trunks",
        "number": "18",
        "trunks": ["operateur-b", "operateur-a"],
        "emergency": True,
    }


def test_explain_asks_another_plan(town: Town, tmp_path: Path):
    other = tmp_path / "other.yaml"
    other.write_text(
        town.plan_file.read_text("utf-8").replace("via: [operateur-b, operateur-a]", "via: [operateur-a]"),
        "utf-8",
    )
    outcome = run_command("plan", "explain", "0612345678", "--from", "2010", "--plan", str(other))
    assert "=> +33612345678 by operateur-a, showing" in outcome.out


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        (("--from", "2011"), 1, 'nobody has extension "2011" in'),
        (("--from", "2010", "--at-site", "marie"), 1, 'has no site "marie"; did you mean "mairie"?'),
        (("--from", "2010", "--at", "25:00"), 2, '--at: "25:00" is no time; write "2026-12-25 10:00"'),
        (("--from", "2010", "--at", "mon 25:00"), 2, '--at: "mon 25:00" is no time'),
    ],
)
def test_a_question_that_cannot_be_asked_is_one_sentence(
    town: Town, arguments: tuple[str, ...], status: int, sentence: str
):
    outcome = town.run("plan", "explain", "18", *arguments)
    assert outcome.status == status
    assert sentence in outcome.err
    assert outcome.err.count("\n") == 1


def test_reload_without_a_node_says_so(town: Town):
    outcome = town.run("plan", "reload")
    assert outcome.status == 1
    assert outcome.err == (
        f"beffroi: no node runs on {town.settings.data_dir}; "
        "the plan has no error, and is read when one starts\n"
    )


def test_reload_refuses_a_plan_whose_test_fails(town: Town):
    town.change_plan('expect: {user: "2301"}', 'expect: {user: "2302"}')
    outcome = town.run("plan", "reload")
    assert outcome.status == 1
    assert "error: test fails: 2010 dials 2301" in outcome.err
    assert outcome.err.splitlines()[-1] == "beffroi: the plan stays as it was (1 error in the new one)"
