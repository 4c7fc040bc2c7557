"""`beffroi serve` and `beffroi status`."""

from __future__ import annotations

import json
import os
from pathlib import Path

import typer

from pbx.cli.application import ConfigurationOption, JsonOption, application
from pbx.cli.reading import configured, planned


@application.command()
def serve(configuration: ConfigurationOption = None) -> None:
    """Run the node until it is told to stop (SIGTERM, Ctrl-C); calls in progress may end first."""
    from pbx.supervisor import StartError, Supervisor

    settings = configured(configuration)
    for note in settings.notes:
        typer.echo(str(note), err=True)
    plan = planned(settings)
    try:
        supervisor = Supervisor(settings, plan)
    except StartError as error:
        typer.echo(f"beffroi: {error}", err=True)
        raise typer.Exit(1) from None
    raise typer.Exit(supervisor.run())


@application.command()
def status(configuration: ConfigurationOption = None, as_json: JsonOption = False) -> None:
    """Show the running node's processes, calls and registrations."""
    from pbx.control import Counters, NotRunningError, Status, ask

    settings = configured(configuration)
    processes = running_processes(settings.data_dir)
    try:
        answer = ask(settings.data_dir, Status())
    except NotRunningError as error:
        typer.echo(f"beffroi: {error}", err=True)
        raise typer.Exit(1) from None
    assert isinstance(answer, Counters)
    if as_json:
        report = {"processes": processes, "plan_version": answer.plan_version, **answer.counters}
        typer.echo(json.dumps(report))
        return
    for process in processes:
        typer.echo(f"{process['role']:<12} pid {process['pid']}")
    typer.echo(f"{'plan':<12} {answer.plan_version}")
    for name, value in answer.counters.items():
        typer.echo(f"{name.replace('_', ' '):<12} {value}")


def running_processes(data_dir: Path) -> list[dict[str, str | int]]:
    """The node's processes that are alive, as the supervisor wrote them down."""
    try:
        written: list[dict[str, str | int]] = json.loads((data_dir / "processes.json").read_text())
    except (OSError, ValueError):
        return []
    return [process for process in written if _alive(int(process["pid"]))]


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
