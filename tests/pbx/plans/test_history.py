"""The history of plans: what was put in force, and what a writer killed at any step leaves."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dialplan.loading import parse_plan
from pbx.plans.history import Entry, HistoryError, PlanHistory, owner_of, user_name, version_of

OLD = "plan: 1\ncountry: FR\norganization: Mairie\n"
NEW = "plan: 1\ncountry: FR\norganization: Hôtel de ville\n"
HAND_MADE = "plan: 1\ncountry: FR\norganization: Annexe\n"


@pytest.fixture
def history(tmp_path: Path) -> PlanHistory:
    """That of a node whose plan's file holds OLD, which has never run."""
    plan = tmp_path / "plan.yaml"
    plan.write_text(OLD, "utf-8")
    plan.chmod(0o640)
    return PlanHistory(tmp_path / "data", plan)


def put(history: PlanHistory, text: str = NEW, former: str = OLD, reason: str = "new sign") -> Entry:
    return history.put(
        text,
        expected=history.version_in_file(),
        former=former,
        at=1000.5,
        author="claire",
        reason=reason,
    )


def reasons(history: PlanHistory) -> list[str]:
    return [entry.reason for entry in history.entries()]


def test_a_version_is_the_one_that_the_plan_has() -> None:
    assert version_of(NEW) == parse_plan(NEW, "plan.yaml").version


def test_before_anything_the_history_is_empty(history: PlanHistory) -> None:
    assert history.entries() == []
    assert history.versions() == []


def test_a_plan_put_in_force_is_in_the_file_and_in_the_history(history: PlanHistory) -> None:
    entry = put(history)
    assert history.plan_file.read_text("utf-8") == NEW
    assert entry == Entry(1000.5, version_of(NEW), version_of(OLD), "claire", "new sign")
    assert history.entries()[-1] == entry
    assert history.text(entry.version) == NEW


def test_the_first_plan_that_is_replaced_is_entered_as_found(history: PlanHistory) -> None:
    put(history)
    first = history.entries()[0]
    assert (first.version, first.previous, first.reason) == (version_of(OLD), "", "found in force")
    assert first.author == user_name(os.getuid())
    assert history.text(first.version) == OLD


def test_what_was_in_force_already_is_entered_once(history: PlanHistory) -> None:
    for at in (1.0, 2.0):
        history.enter(OLD, at=at, author="root", reason="start")
    assert [entry.at for entry in history.entries()] == [1.0]


def test_changes_that_were_never_in_force_are_kept_without_an_entry(history: PlanHistory) -> None:
    history.plan_file.write_text(HAND_MADE, "utf-8")
    put(history)
    assert history.text(version_of(HAND_MADE)) == HAND_MADE
    assert reasons(history) == ["found in force", "new sign"]


def test_only_the_nodes_user_reads_the_history(history: PlanHistory) -> None:
    put(history)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in history.folder.iterdir()}
    assert modes == {"history": 0o600, f"{version_of(OLD)}.yaml": 0o600, f"{version_of(NEW)}.yaml": 0o600}
    assert stat.S_IMODE(history.folder.stat().st_mode) == 0o700


def test_the_plans_file_keeps_its_mode(history: PlanHistory) -> None:
    put(history)
    assert stat.S_IMODE(history.plan_file.stat().st_mode) == 0o640


def test_a_plan_behind_a_link_is_replaced_where_it_lies(history: PlanHistory, tmp_path: Path) -> None:
    real = tmp_path / "git" / "plan.yaml"
    real.parent.mkdir()
    history.plan_file.rename(real)
    history.plan_file.symlink_to(real)
    put(history)
    assert history.plan_file.is_symlink()
    assert real.read_text("utf-8") == NEW


def test_a_file_changed_since_its_difference_was_shown_is_left_alone(history: PlanHistory) -> None:
    with pytest.raises(HistoryError, match="was changed meanwhile"):
        history.put(NEW, expected=version_of(HAND_MADE), former=OLD, at=1.0, author="", reason="")
    assert history.plan_file.read_text("utf-8") == OLD
    assert history.entries() == []


def test_two_commands_at_once_and_the_second_is_told_to_try_again(history: PlanHistory) -> None:
    put(history)
    descriptor = os.open(history.folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        with pytest.raises(HistoryError, match="another command is putting a plan in force; try again"):
            put(history, OLD, NEW)
    finally:
        os.close(descriptor)
    assert history.plan_file.read_text("utf-8") == NEW


def test_a_damaged_line_is_told_with_its_number(history: PlanHistory) -> None:
    put(history)
    lines = (history.folder / "history").read_bytes()
    (history.folder / "history").write_bytes(b'{"at": "yesterday"}\n' + lines)
    with pytest.raises(HistoryError, match=r"history:1: this line of the history is damaged; remove it"):
        history.entries()


def test_a_kept_text_that_was_changed_is_not_taken(history: PlanHistory) -> None:
    put(history)
    (history.folder / f"{version_of(OLD)}.yaml").write_text(HAND_MADE, "utf-8")
    with pytest.raises(HistoryError, match="this is no longer the text of plan"):
        history.text(version_of(OLD))


@pytest.mark.parametrize("version", ["../plan", "", "ABCDEFABCDEF", "0123456789abc", "0" * 11 + "/"])
def test_what_is_no_version_never_names_a_file(history: PlanHistory, version: str) -> None:
    with pytest.raises(HistoryError, match="is no version of a plan"):
        history.text(version)


def test_a_version_that_is_not_kept_is_told(history: PlanHistory) -> None:
    with pytest.raises(HistoryError, match="the text of plan 0123456789ab isn't kept in"):
        history.text("0123456789ab")


def test_a_disk_that_is_full_leaves_the_former_plan(
    history: PlanHistory, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int, _data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(HistoryError, match="can't be written: No space left on device"):
        put(history)
    assert history.plan_file.read_text("utf-8") == OLD


# Killed on the way


class Killed(BaseException):
    """The process died here: from now on it does nothing more to the disk."""


STEPS = ("open", "write", "ftruncate", "fchmod", "fsync", "replace", "unlink", "mkdir")


def die_at(step: int, monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """Kill whoever asks the system for something for the `step`th time; a write is half done by then.

    Returns how often it was asked.
    """
    asked = 0

    def dying(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            nonlocal asked
            asked += 1
            if asked > step:
                raise Killed
            if asked == step:
                if name == "write":
                    real(arguments[0], arguments[1][: len(arguments[1]) // 2])
                raise Killed
            return real(*arguments, **options)

        return call

    for name in STEPS:
        monkeypatch.setattr(os, name, dying(name, getattr(os, name)))
    return lambda: asked


def steps_of_a_put(folder: Path) -> int:
    """How often putting a plan in force asks the system for something."""
    (folder / "counted").mkdir()
    plan = folder / "counted" / "plan.yaml"
    plan.write_text(OLD, "utf-8")
    with pytest.MonkeyPatch.context() as monkeypatch:
        asked = die_at(1_000_000, monkeypatch)
        put(PlanHistory(folder / "counted" / "data", plan))
        return asked()


def test_killed_at_any_step_the_file_is_a_whole_plan_and_the_history_is_true(tmp_path: Path) -> None:
    steps = steps_of_a_put(tmp_path)
    assert steps > 20
    outcomes = set()
    for step in range(1, steps + 1):
        folder = tmp_path / str(step)
        folder.mkdir()
        plan = folder / "plan.yaml"
        plan.write_text(OLD, "utf-8")
        history = PlanHistory(folder / "data", plan)
        with pytest.MonkeyPatch.context() as monkeypatch, pytest.raises(Killed):
            die_at(step, monkeypatch)
            put(history)
        text = plan.read_text("utf-8")
        assert text in (OLD, NEW), f"step {step}"
        outcomes.add(text)
        told = [(entry.version, entry.author) for entry in history.entries()]
        assert ((version_of(NEW), "claire") in told) == (text == NEW), f"step {step}"
        assert len(told) == len(set(told))

        put(history, HAND_MADE, former=text, reason="the next one")
        assert plan.read_text("utf-8") == HAND_MADE
        versions = [entry.version for entry in history.entries()]
        assert versions == [version_of(one) for one in dict.fromkeys((OLD, text, HAND_MADE))], f"step {step}"
        assert [entry.previous for entry in history.entries()] == ["", *versions[:-1]]
        assert all(version_of(history.text(version)) == version for version in versions)
    assert outcomes == {OLD, NEW}


def test_a_line_whose_writer_was_killed_is_cut_off_before_the_next(history: PlanHistory) -> None:
    put(history)
    with (history.folder / "history").open("ab") as file:
        file.write(b'{"at": 5, "vers')
    assert reasons(history) == ["found in force", "new sign"]
    put(history, HAND_MADE, former=NEW, reason="annex")
    assert reasons(history) == ["found in force", "new sign", "annex"]


def test_the_owner_of_a_file_that_is_not_there_is_nobody(tmp_path: Path) -> None:
    assert owner_of(tmp_path / "no.yaml") == ""
