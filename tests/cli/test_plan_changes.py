"""`beffroi plan diff|apply|history|rollback`: what changes is said, and every plan in force is kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from dialplan.loading import load_plan
from tests.cli.conftest import Town, run_command

MOBILES = ("via: [operateur-b, operateur-a]", "via: [operateur-b]")
NAME = ("Alice Martin", "Alice Durand")


def changed(town: Town, *changes: tuple[str, str], name: str = "new.yaml") -> Path:
    """A copy of the town's plan with these changes, beside it."""
    text = town.plan_file.read_text("utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    file = town.folder / name
    file.write_text(text, "utf-8")
    return file


def version(file: Path) -> str:
    return load_plan(file).version


def test_diff_says_what_changes_for_whom(town: Town):
    new = changed(town, MOBILES)
    outcome = town.run("plan", "diff", str(new))
    assert outcome.status == 0
    what = "by operateur-b instead of by operateur-b, then operateur-a"
    assert outcome.out.splitlines() == [
        "calls from inside:",
        f"  7 users such as 1001 dialling mobile numbers: {what}",
        f"plan {version(new)} instead of {version(town.plan_file)}: 1 change",
    ]


def test_diff_as_json_has_a_call_that_shows_each_change(town: Town):
    (change,) = town.run("plan", "diff", str(changed(town, MOBILES)), "--json").json["changes"]
    assert change["after"] == "by operateur-b"
    assert "1001" in change["callers"]
    shown = town.run(
        "plan", "explain", change["dialled"], "--from", change["callers"][0], "--at", change["at"]
    )
    assert "by operateur-b, then operateur-a" in shown.out.splitlines()[-1]


def test_diff_of_a_comment_changes_nothing_for_anybody(town: Town):
    new = changed(town, ("plan: 1", "plan: 1  # ours"))
    assert town.run("plan", "diff", str(new)).out.endswith(": nothing changes for anybody\n")


def test_diff_with_the_plan_in_force_itself(town: Town):
    assert town.run("plan", "diff", str(town.plan_file)).out == f"both are plan {version(town.plan_file)}\n"


def test_diff_of_two_files_needs_no_configuration(
    town: Town, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    outcome = run_command("plan", "diff", str(town.plan_file), str(changed(town, NAME)))
    assert outcome.status == 0
    assert "  user 1001, name: Alice Durand instead of Alice Martin\n" in outcome.out


def test_diff_shows_the_first_changes_of_many_and_says_how_many_more(town: Town):
    extensions = range(3000, 3030)
    users = "".join(f'  - {{extension: "{extension}", name: Bureau}}\n' for extension in extensions)
    new = changed(town, ('  - {extension: "1002"', f'{users}  - {{extension: "1002"'))
    bounded = town.run("plan", "diff", str(town.plan_file), str(new)).out.splitlines()
    whole = town.run("plan", "diff", str(town.plan_file), str(new), "--all").out.splitlines()
    assert len(whole) > len(bounded)
    assert any(line.startswith("  ... and ") and line.endswith("; --all shows them") for line in bounded)
    assert bounded[-1] == whole[-1]


def test_diff_puts_emergency_calls_first(town: Town):
    new = changed(town, ("trunks: [operateur-a, operateur-b]", "trunks: [operateur-b]"), MOBILES)
    outcome = town.run("plan", "diff", str(new))
    assert outcome.out.startswith("emergency calls:\n")


def test_diff_of_three_plans_is_misuse(town: Town):
    outcome = town.run("plan", "diff", "a", "b", "c")
    assert (outcome.status, outcome.err) == (
        2,
        "beffroi: [OLD] NEW: 3 plans can't be compared, only two\n",
    )


def test_apply_shows_the_difference_asks_and_replaces_the_plan(town: Town):
    new = changed(town, MOBILES)
    outcome = town.run("plan", "apply", str(new), typed="y\n")
    assert outcome.status == 0
    assert "the plan's own tests pass: 14\n" in outcome.out
    assert "  7 users such as 1001 dialling mobile numbers: by operateur-b instead of" in outcome.out
    assert "Put it in force? [y/N]" in outcome.out
    assert outcome.out.endswith(f"plan {version(new)} is in force when a node starts; none runs now\n")
    assert town.plan_file.read_bytes() == new.read_bytes()


@pytest.mark.parametrize("typed", ["n\n", "\n"])
def test_apply_without_a_yes_changes_nothing(town: Town, typed: str):
    before = town.plan_file.read_bytes()
    outcome = town.run("plan", "apply", str(changed(town, MOBILES)), typed=typed)
    assert (outcome.status, outcome.err) == (1, "beffroi: the plan stays as it was\n")
    assert town.plan_file.read_bytes() == before
    assert town.run("plan", "history").out == "no plan was put in force yet\n"


def test_apply_where_nobody_can_answer_changes_nothing(town: Town):
    before = town.plan_file.read_bytes()
    assert town.run("plan", "apply", str(changed(town, MOBILES))).status == 1
    assert town.plan_file.read_bytes() == before


def test_apply_as_json_asks_nobody_and_wants_a_yes(town: Town):
    new = str(changed(town, MOBILES))
    asked = town.run("plan", "apply", new, "--json")
    assert (asked.status, asked.err) == (2, "beffroi: --json: nobody can be asked; add --yes\n")
    done = town.run("plan", "apply", new, "--json", "--yes")
    assert (done.json["plan_version"], done.json["in_force"]) == (version(Path(new)), False)
    assert len(done.json["changes"]) == 1


def test_apply_refuses_a_plan_whose_own_test_fails(town: Town):
    before = town.plan_file.read_bytes()
    new = changed(town, ('expect: {user: "2301"}', 'expect: {user: "2302"}'))
    outcome = town.run("plan", "apply", str(new), "--yes")
    assert outcome.status == 1
    assert outcome.err.startswith(f"{new}:")
    assert "error: test fails: 2010 dials 2301" in outcome.err
    assert outcome.err.splitlines()[-1] == "beffroi: the plan stays as it was (1 error in the new one)"
    assert town.plan_file.read_bytes() == before


def test_apply_refuses_a_plan_without_the_class_of_somebody_in_the_database(town: Town):
    town.run("user", "add", "2011", "Claire", "--class", "surtaxe")
    outcome = town.run("plan", "apply", str(changed(town, ("  surtaxe: ", "  autre: "))), "--yes")
    assert outcome.status == 1
    assert 'unknown class "surtaxe"' in outcome.err


def test_history_says_when_by_whom_and_why(town: Town):
    old, new = version(town.plan_file), changed(town, MOBILES)
    town.run("plan", "apply", str(new), "--yes", "--author", "claire", "--reason", "operator a leaves")
    latest, first = town.run("plan", "history", "--json").json
    assert (latest["plan_version"], latest["previous"]) == (version(new), old)
    assert (latest["author"], latest["reason"], latest["kept"]) == ("claire", "operator a leaves", True)
    assert (first["plan_version"], first["previous"], first["reason"]) == (old, "", "found in force")
    (row,) = [line for line in town.run("plan", "history").out.splitlines() if "claire" in line]
    assert row.split()[2:] == [version(new), old, "claire", "operator", "a", "leaves"]


def test_rollback_goes_to_the_plan_before_and_is_entered_itself(town: Town):
    before, old = town.plan_file.read_bytes(), version(town.plan_file)
    town.run("plan", "apply", str(changed(town, MOBILES)), "--yes")
    outcome = town.run("plan", "rollback", "--yes", "--reason", "mobiles are cut off")
    assert outcome.status == 0
    assert "by operateur-b, then operateur-a instead of by operateur-b\n" in outcome.out
    assert town.plan_file.read_bytes() == before
    entries = town.run("plan", "history", "--json").json
    assert entries[0]["plan_version"] == old
    assert [entry["reason"] for entry in entries] == ["mobiles are cut off", "", "found in force"]


def test_rollback_to_a_version_far_back(town: Town):
    old = version(town.plan_file)
    town.run("plan", "apply", str(changed(town, MOBILES)), "--yes")
    town.run("plan", "apply", str(changed(town, NAME)), "--yes")
    assert town.run("plan", "rollback", old, "--yes").status == 0
    assert version(town.plan_file) == old
    assert town.run("plan", "history", "--json").json[0]["reason"] == f"rollback to {old}"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "there is no plan before the one in force"),
        (("0123456789ab",), "the text of plan 0123456789ab isn't kept in"),
        (("../plan",), '"../plan" is no version of a plan'),
    ],
)
def test_a_rollback_that_cannot_be_is_one_sentence(town: Town, arguments: tuple[str, ...], sentence: str):
    outcome = town.run("plan", "rollback", *arguments)
    assert outcome.status == 1
    assert sentence in outcome.err
    assert outcome.err.count("\n") == 1


def test_a_version_can_be_compared_with_a_file(town: Town):
    old, new = version(town.plan_file), changed(town, MOBILES)
    town.run("plan", "apply", str(new), "--yes")
    assert town.run("plan", "diff", old, str(new)).out.splitlines()[-1].endswith(": 1 change")


def test_a_plan_edited_in_its_place_is_compared_with_the_one_applied_last(town: Town):
    town.run("plan", "apply", str(changed(town, NAME)), "--yes")
    town.change_plan(*MOBILES)
    outcome = town.run("plan", "apply", str(town.plan_file), "--yes")
    assert "dialling mobile numbers: by operateur-b instead of" in outcome.out
    assert town.run("plan", "history", "--json").json[0]["plan_version"] == version(town.plan_file)


def test_apply_in_a_running_node_is_in_force_at_once(town: Town):
    with town.serving():
        new = changed(town, MOBILES)
        outcome = town.run("plan", "apply", str(new), "--yes", "--author", "claire")
        in_force = town.run("status", "--json").json["plan_version"]
        again = town.run("plan", "apply", str(new), "--yes")
        entries = town.run("plan", "history", "--json").json
    assert outcome.out.endswith(f"plan {version(new)} is in force\n")
    assert in_force == version(new)
    assert again.out == f"plan {version(new)} is in force already\n"
    assert [(entry["author"], entry["reason"]) for entry in entries[:1]] == [("claire", "")]
    assert [entry["reason"] for entry in entries[1:]] == ["start"]


def test_an_edited_plan_that_is_reloaded_is_in_the_history(town: Town, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SUDO_USER", "dominique")
    with town.serving():
        town.change_plan(*MOBILES)
        shown = town.run("plan", "diff", str(town.plan_file)).out  # with what the node has, not with the file
        town.run("plan", "reload")
        entries = town.run("plan", "history", "--json").json
        back = town.run("plan", "rollback", "--yes")
        in_force = town.run("status", "--json").json["plan_version"]
    assert shown.endswith(": 1 change\n")
    assert [entry["reason"] for entry in entries] == ["reload", "start"]
    assert entries[0]["author"] == "dominique"
    assert back.out.endswith(f"plan {entries[1]['plan_version']} is in force\n")
    assert in_force == entries[1]["plan_version"]


def test_changes_that_were_never_in_force_are_told_and_kept(town: Town):
    with town.serving():
        new = changed(town, MOBILES)
        town.change_plan(*NAME)
        edited = version(town.plan_file)
        outcome = town.run("plan", "apply", str(new), "--yes")
    assert f"holds changes that were never in force; they are kept as {edited}\n" in outcome.err
    assert town.run("plan", "diff", edited, str(new)).status == 0


def test_a_history_that_cannot_be_written_never_holds_up_a_reload(town: Town):
    town.settings.data_dir.mkdir(mode=0o700)
    (town.settings.data_dir / "plans").write_text("no folder\n")
    with town.serving():
        town.change_plan(*MOBILES)
        outcome = town.run("plan", "reload")
        in_force = town.run("status", "--json").json["plan_version"]
    assert outcome.status == 0
    assert outcome.out.endswith(f"plan {in_force} is in force\n")
    assert in_force == version(town.plan_file)
    assert f"beffroi: not in the history: {town.settings.data_dir / 'plans'}" in outcome.err


def test_a_history_that_cannot_be_written_refuses_an_apply(town: Town):
    before = town.plan_file.read_bytes()
    town.settings.data_dir.mkdir(mode=0o700)
    (town.settings.data_dir / "plans").write_text("no folder\n")
    outcome = town.run("plan", "apply", str(changed(town, MOBILES)), "--yes")
    assert outcome.status == 1
    assert outcome.err.count("\n") == 1
    assert town.plan_file.read_bytes() == before
