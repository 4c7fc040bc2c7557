"""Commands beside a running node: its status, a new plan, a new user."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.cli.conftest import Town, run_command, serve_command


def test_the_version_is_printed():
    assert run_command("--version").out == f"beffroi {version('beffroi')}\n"


def test_status_without_a_node_says_how_to_start_one(town: Town):
    outcome = town.run("status")
    assert outcome.status == 1
    assert outcome.err == (
        f"beffroi: no node runs on {town.settings.data_dir}; "
        f"start one with `beffroi serve -c {town.configuration_file}`\n"
    )


def test_status_shows_every_process(town: Town):
    with town.serving():
        status = town.run("status", "--json").json
        shown = town.run("status").out
    roles = {process["role"] for process in status["processes"]}
    assert {"supervisor", "signalling", "media", "recorder", "worker"} <= roles
    assert all(f"pid {process['pid']}" in shown for process in status["processes"])
    assert set(status["recordings"]) <= {"clock", "disk"}  # of the machine that the tests are on


def test_phones_wait_for_no_other_process_when_a_node_starts(town: Town):
    """The worker begins once signalling serves, which has taken more than this to import."""
    with town.serving():
        processes = town.run("status", "--json").json["processes"]
        began = {process["role"]: start_ticks(process["pid"]) for process in processes}
    assert began["worker"] > began["signalling"] + 5 >= max(began["media"], began["recorder"])


def start_ticks(pid: int) -> int:
    """When a process began, in hundredths of a second (proc(5), starttime)."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])


def test_the_doctor_knows_the_ports_of_our_own_node(town: Town):
    with town.serving():
        outcome = town.run("doctor")
    assert outcome.status == 0
    assert f"SIP udp 127.0.0.1:{town.port} is taken, and a node of ours runs" in outcome.out
    assert "ok       node            running, 0 calls, plan " in outcome.out


def test_a_plan_that_changed_is_noted_then_put_in_force(town: Town):
    with town.serving():
        town.change_plan("Hôtel de ville", "Mairie")
        before = [finding["code"] for finding in town.run("doctor", "--json").json]
        reloaded = town.run("plan", "reload", "--json")
        after = [finding["code"] for finding in town.run("doctor", "--json").json]
        in_force = town.run("status", "--json").json["plan_version"]
    assert "plan_changed" in before
    assert "plan_changed" not in after
    assert reloaded.json == {"plan_version": in_force, "findings": []}


def test_a_plan_with_an_error_never_reaches_the_node(town: Town):
    with town.serving():
        version_before = town.run("status", "--json").json["plan_version"]
        town.change_plan('expect: {user: "2301"}', 'expect: {user: "2302"}')
        refused = town.run("plan", "reload", "--json")
        version_after = town.run("status", "--json").json["plan_version"]
    assert refused.status == 1
    assert [finding["code"] for finding in refused.json["findings"]] == ["test_failed"]
    assert version_after == version_before


def test_the_plan_put_in_force_outlives_the_process_that_did(town: Town):
    with town.serving() as log_until:
        town.change_plan("Hôtel de ville", "Mairie")
        reloaded = town.run("plan", "reload", "--json").json["plan_version"]
        town.change_plan("Mairie", "Mairie annexe")  # nobody has put this in force
        processes = town.run("status", "--json").json["processes"]
        os.kill(next(one["pid"] for one in processes if one["role"] == "signalling"), signal.SIGKILL)
        log_until("process=signalling ended status=-9")
        log_until("ready plan=")
        in_force = town.run("status", "--json").json["plan_version"]
    assert in_force == reloaded


def test_serve_tells_what_does_nothing(town: Town):
    text = "sip: {udp: 192.0.2.1:5060}\nmedia: {rtpengine: 192.0.2.8:2223}\n"
    town.configuration_file.write_text(text)
    outcome = subprocess.run(
        serve_command(town.configuration_file), capture_output=True, text=True, timeout=60
    )
    told, *_, refused = outcome.stderr.splitlines()
    assert "`rtpengine:` does nothing with this media engine" in told
    assert "cannot listen on 192.0.2.1:5060" in refused


def test_a_full_disk_does_not_end_the_node(town: Town):
    with town.serving() as log_until:
        processes = town.run("status", "--json").json["processes"]
        (town.settings.data_dir / "processes.new").mkdir()  # as good as a disk that takes nothing
        os.kill(next(one["pid"] for one in processes if one["role"] == "worker"), signal.SIGKILL)
        log_until("process=worker ended status=-9")
        assert "Is a directory" in log_until("processes.json can't be written")
        assert town.run("status").status == 0
        (town.settings.data_dir / "processes.new").rmdir()
        log_until("processes.json is written again")
        roles = [process["role"] for process in town.run("status", "--json").json["processes"]]
    assert "worker" in roles


def test_a_user_who_is_added_can_sign_in_without_a_restart(town: Town):
    with town.serving() as log_until:
        town.run("user", "add", "2011", "Claire")
        log_until("directory devices=10")
        assert town.run("status", "--json").json["devices"] == 10


def test_an_address_that_is_taken_ends_serve_with_one_sentence(town: Town, tmp_path: Path):
    other = tmp_path / "other"
    other.mkdir()
    second = Town(other)
    second.configuration_file.write_text(town.configuration_file.read_text())
    with town.serving():
        outcome = subprocess.run(
            serve_command(second.configuration_file), capture_output=True, text=True, timeout=60
        )
    assert outcome.returncode == 1
    assert outcome.stderr == (
        f"beffroi: cannot listen on 127.0.0.1:{town.port}: Address already in use; "
        "is another program running there?\n"
    )


def test_a_path_too_long_for_a_socket_ends_serve_with_one_sentence(town: Town):
    town.configuration_file.write_text(f"data_dir: {'d' * 100}\n")
    outcome = subprocess.run(
        serve_command(town.configuration_file), capture_output=True, text=True, timeout=60
    )
    assert outcome.returncode == 1
    assert "media.sock: AF_UNIX path too long; give another `data_dir`" in outcome.stderr
    assert outcome.stderr.count("\n") == 1


def test_a_terminal_without_accents_is_no_error(town: Town):
    environment = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    said = []
    for option in ((), ("--json",)):
        command = [sys.executable, "-c", "from pbx.cli import main; main()", "user", "list", *option]
        outcome = subprocess.run(
            [*command, "-c", str(town.configuration_file)], capture_output=True, env=environment, timeout=60
        )
        assert outcome.returncode == 0
        said.append(outcome.stdout.decode("ascii"))
    assert "tat civil" in said[0]
    assert "État civil" in [person["name"] for person in json.loads(said[1])]


@pytest.mark.parametrize(
    "command", [("status",), ("doctor",), ("plan", "check"), ("call", "list"), ("user", "list"), ("serve",)]
)
def test_a_configuration_that_cannot_be_looked_at_is_one_sentence(command: tuple[str, ...]):
    outcome = run_command(*command, "-c", "x" * 300)
    assert outcome.status == 1
    assert "can't be read: File name too long" in outcome.out + outcome.err


@pytest.mark.parametrize(
    "command",
    [
        ("status",),
        ("doctor",),
        ("plan", "check"),
        ("call", "list"),
        ("user", "list"),
        ("user", "add", "2011", "X"),
        ("backup", "create", "/nowhere/a.tar.gz"),
    ],
)
def test_a_data_dir_that_cannot_be_looked_at_is_told(town: Town, command: tuple[str, ...]):
    town.configuration_file.write_text(f"data_dir: {'d' * 300}\n")
    outcome = town.run(*command)
    assert outcome.status == 1
    assert "Traceback" not in outcome.err
    assert outcome.out + outcome.err
