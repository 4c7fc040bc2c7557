"""`beffroi serve` and `beffroi status`: running a node, and seeing what it does."""

from __future__ import annotations

import json
import os
from pathlib import Path

import typer

from pbx.cli.application import ConfigurationOption, JsonOption, application
from pbx.cli.printing import clean, print_json
from pbx.cli.reading import configured, fail, why_silent


@application.command()
def serve(configuration: ConfigurationOption = None) -> None:
    """Run the node until it is told to stop (SIGTERM, Ctrl-C); calls in progress may end first."""
    from pbx.supervisor import StartError, Supervisor

    settings = configured(configuration)
    for note in settings.notes:
        typer.echo(str(note), err=True)
    try:
        supervisor = Supervisor(settings)
    except StartError as error:
        fail(error)
    raise typer.Exit(supervisor.run())


@application.command()
def status(configuration: ConfigurationOption = None, as_json: JsonOption = False) -> None:
    """Show the running node's processes, calls and registrations."""
    from pbx.control import Counters, NotRunningError, Status, ask

    settings = configured(configuration)
    try:
        answer = ask(settings.data_dir, Status())
    except NotRunningError as error:
        fail(why_silent(error, settings.data_dir, f"start one with `beffroi serve -c {settings.path}`"))
    assert isinstance(answer, Counters)
    processes = running_processes(settings.data_dir)
    if as_json:
        told = {"processes": processes, "plan_version": answer.plan_version, **answer.counters}
        print_json({**told, "recordings": answer.recordings})
        return
    for process in processes:
        typer.echo(f"{process['role']:<14} pid {process['pid']}")
    typer.echo(f"{'plan':<14} {answer.plan_version}")
    for name, value in answer.counters.items():
        typer.echo(f"{name.replace('_', ' '):<14} {value}")
    for why in answer.recordings.values():
        typer.echo(clean(f"{'recordings':<14} {why}"))


def running_processes(data_dir: Path) -> list[dict[str, str | int]]:
    """The node's processes that are alive, as the supervisor wrote them down."""
    try:
        written = json.loads((data_dir / "processes.json").read_text())
        processes = [(str(process["role"]), int(process["pid"])) for process in written]
    except (OSError, ValueError, TypeError, KeyError):
        return []
    return [{"role": role, "pid": pid} for role, pid in processes if _alive(pid)]


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
