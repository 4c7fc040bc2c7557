"""`beffroi backup`: what was there comes back, and nothing is overwritten by accident."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Town, run_command


def test_what_was_backed_up_is_restored_elsewhere(town: Town, tmp_path: Path):
    town.run("user", "add", "2011", "Claire")
    archive = tmp_path / "town.tar.gz"
    made = town.run("backup", "create", str(archive))
    assert made.status == 0
    assert made.out.startswith(f"{archive}: ")
    assert "note: recordings are not in a backup: export them, or" in made.out
    into = tmp_path / "elsewhere"
    restored = run_command("backup", "restore", str(archive), "--into", str(into))
    assert restored.status == 0
    assert restored.out.splitlines()[-1] == f"next: beffroi doctor -c {into / 'beffroi.yaml'}"
    people = run_command("user", "list", "--json", "-c", str(into / "beffroi.yaml")).json
    assert "Claire" in [person["name"] for person in people]


def test_an_archive_is_replaced_only_with_force(town: Town, tmp_path: Path):
    town.run("user", "add", "2011", "Claire")
    archive = tmp_path / "town.tar.gz"
    archive.write_text("precious")
    outcome = town.run("backup", "create", str(archive))
    assert outcome.status == 1
    assert outcome.err == (
        f"beffroi: {archive} is there already; name another archive, or replace it with --force\n"
    )
    assert archive.read_text() == "precious"
    assert town.run("backup", "create", str(archive), "--force").status == 0
    assert archive.stat().st_mode & 0o777 == 0o600


def test_there_is_nothing_to_back_up_before_the_first_start(town: Town, tmp_path: Path):
    outcome = town.run("backup", "create", str(tmp_path / "a.tar.gz"))
    assert outcome.status == 1
    assert "isn't there: nothing has run with" in outcome.err


def test_a_folder_is_no_archive(town: Town, tmp_path: Path):
    town.run("user", "add", "2011", "Claire")
    outcome = town.run("backup", "create", str(tmp_path))
    assert outcome.status == 1
    assert outcome.err.startswith(f"beffroi: {tmp_path} is a folder; name the archive in it")


def test_restoring_over_a_node_is_refused_without_force(town: Town, tmp_path: Path):
    town.run("user", "add", "2011", "Claire")
    archive = tmp_path / "town.tar.gz"
    town.run("backup", "create", str(archive))
    outcome = run_command("backup", "restore", str(archive), "--into", str(town.folder))
    assert outcome.status == 1
    assert "is there already: restore elsewhere, or use --force to move it aside" in outcome.err
    forced = run_command("backup", "restore", str(archive), "--into", str(town.folder), "--force", "--json")
    assert forced.json["data_dir"] == str(town.settings.data_dir)


def test_what_is_no_archive_is_one_sentence(tmp_path: Path):
    archive = tmp_path / "a.tar.gz"
    archive.write_text("no archive")
    outcome = run_command("backup", "restore", str(archive), "--into", str(tmp_path / "new"))
    assert outcome.status == 1
    assert outcome.err.startswith(f"beffroi: {archive}: ")
    assert outcome.err.count("\n") == 1


def test_an_archive_or_a_folder_that_is_not_there_is_said_so(town: Town, tmp_path: Path):
    town.run("user", "add", "2011", "Claire")
    made = town.run("backup", "create", str(tmp_path / "none" / "a.tar.gz"))
    assert made.err.startswith(f"beffroi: {tmp_path / 'none'} isn't there; make it first")
    restored = run_command("backup", "restore", str(tmp_path / "b"), "--into", str(tmp_path / "new"))
    assert restored.err == f"beffroi: {tmp_path / 'b'}: there is no such archive\n"
    assert (made.status, restored.status) == (1, 1)


def test_an_archive_is_verified_and_a_damaged_one_found_out(town: Town, tmp_path: Path):
    town.run("user", "add", "2011", "Claire")
    archive = tmp_path / "town.tar.gz"
    town.run("backup", "create", str(archive))
    whole = run_command("backup", "verify", str(archive))
    assert (whole.status, whole.out.startswith(f"{archive}: whole, ")) == (0, True)
    archive.write_bytes(archive.read_bytes()[:-200])
    damaged = run_command("backup", "verify", str(archive))
    assert (damaged.status, damaged.err.startswith(f"beffroi: {archive}: ")) == (1, True)


def test_the_backups_of_the_pages_are_listed(town: Town):
    assert town.run("backup", "list").out == "no backup lies on this node\n"
    town.run("user", "add", "2011", "Claire")
    folder = town.settings.data_dir / "backups"
    folder.mkdir()
    (folder / "beffroi-20261122-190000.tar.gz").write_bytes(b"x" * 10)
    (folder / "notes.txt").write_text("mine")
    assert town.run("backup", "list", "--json").json == [
        {"name": "beffroi-20261122-190000.tar.gz", "at": "2026-11-22T19:00:00.000Z", "bytes": 10}
    ]
