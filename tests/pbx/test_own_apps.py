"""Apps of one's own as files: which ones are taken, and what is said of the others."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dialplan.finding import PlanError
from dialplan.loading import parse_plan
from dialplan.plan import Plan
from pbx.own_apps import check_apps, load_apps

EXAMPLE = (Path(__file__).parents[2] / "examples" / "apps.yaml").read_text(encoding="utf-8")
GOOD = "async def answer(caller):\n    pass\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder where all three apps of the example are."""
    made = tmp_path / "apps"
    made.mkdir(mode=0o700)
    for name in ("opening_hours.py", "callback_list.py", "door_opener.py"):
        write(made / name, GOOD)
    return made


def write(file: Path, text: str) -> None:
    file.write_text(text)
    file.chmod(0o600)


def example() -> Plan:
    return parse_plan(EXAMPLE, "apps.yaml")


def told(folder: Path) -> str:
    """What is wrong with one of them, by the check that runs nothing and by the loading alike."""
    programs, loaded = load_apps(example(), folder)
    (found,) = check_apps(example(), folder)
    assert [str(finding) for finding in loaded] == [str(found)]
    assert len(programs) == 2
    assert (found.code, found.severity) == ("own_app", "error")
    return f"{found.message}; {found.hint}"


def test_each_file_that_the_plan_names_is_loaded(folder: Path):
    programs, findings = load_apps(example(), folder)
    assert sorted(programs) == ["callback_list.py", "door_opener.py", "opening_hours.py"]
    assert findings == check_apps(example(), folder) == []


def test_a_file_that_is_not_there_is_told_with_its_place(folder: Path):
    (folder / "door_opener.py").unlink()
    assert told(folder) == (
        f"service porte: {folder}/door_opener.py: No such file or directory; put door_opener.py there"
    )


def test_what_is_not_python_is_told_with_its_line(folder: Path):
    write(folder / "door_opener.py", GOOD + "\nif:\n")
    assert told(folder).startswith("service porte: door_opener.py:4 isn't Python: ")


def test_bytes_that_are_no_text_are_told(folder: Path):
    (folder / "door_opener.py").write_bytes(b"\0\xff")
    assert told(folder).startswith("service porte: door_opener.py")


def test_a_file_without_the_coroutine_is_told(folder: Path):
    write(folder / "door_opener.py", "def answer(caller):\n    pass\n")
    assert told(folder) == (
        "service porte: door_opener.py has no coroutine `answer`; "
        "write `async def answer(caller: Caller) -> None:`"
    )


def test_a_file_that_others_may_write_is_not_taken(folder: Path):
    (folder / "door_opener.py").chmod(0o666)
    assert "door_opener.py may be written by others; take that from them: chmod go-w" in told(folder)


def test_a_folder_that_others_may_write_is_not_taken(folder: Path):
    folder.chmod(0o770)
    programs, findings = load_apps(example(), folder)
    assert programs == {}
    assert len(findings) == 3
    assert f"the folder {folder} may be written by others" in findings[0].message


def test_a_file_of_somebody_else_is_not_taken_unless_it_is_said_so(folder: Path):
    os.chown(folder / "door_opener.py", 12345, -1)
    assert "belongs to somebody else (user 12345); let it belong to root" in told(folder)
    assert check_apps(example(), folder, frozenset({12345})) == []


def test_a_link_is_not_followed(folder: Path, tmp_path: Path):
    write(tmp_path / "elsewhere.py", GOOD)
    (folder / "door_opener.py").unlink()
    (folder / "door_opener.py").symlink_to(tmp_path / "elsewhere.py")
    assert "door_opener.py: " in told(folder)


def test_a_pipe_in_place_of_a_file_holds_up_nobody(folder: Path):
    (folder / "door_opener.py").unlink()
    os.mkfifo(folder / "door_opener.py", 0o600)
    assert "is no file of at most" in told(folder)


@pytest.mark.parametrize("first_line", ["1 / 0", "raise SystemExit(3)", "import no_such_module"])
def test_a_file_that_ends_at_its_first_lines_keeps_only_itself_out(folder: Path, first_line: str):
    write(folder / "door_opener.py", f"{first_line}\n{GOOD}")
    programs, findings = load_apps(example(), folder)
    assert len(programs) == 2
    assert findings[0].message.startswith("service porte: door_opener.py ends at its first lines: ")
    assert check_apps(example(), folder) == []  # which runs nothing


@pytest.mark.parametrize("name", ["../door.py", "/etc/door.py", "door", "door.py.txt", "dir/door.py", ".py"])
def test_a_file_elsewhere_is_an_error_of_the_plan(name: str):
    with pytest.raises(PlanError, match="is no Python file of the folder apps; write its name alone"):
        parse_plan(EXAMPLE.replace("door_opener.py", f'"{name}"'), "apps.yaml")


def test_an_app_without_a_file_is_an_error_of_the_plan():
    with pytest.raises(PlanError, match="file"):
        parse_plan(EXAMPLE.replace("    file: door_opener.py\n", ""), "apps.yaml")
