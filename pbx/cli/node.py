"""`beffroi serve` and `beffroi status`: running a node, and seeing what it does."""

from __future__ import annotations

from typing import Annotated

import typer

from pbx.cli.application import ConfigurationOption, JsonOption, application
from pbx.cli.first_run import is_first_run, serve_first_run
from pbx.cli.printing import clean, print_json
from pbx.cli.reading import configured, fail, why_silent
from pbx.node.processes import running_processes


@application.command()
def serve(
    configuration: ConfigurationOption = None,
    web: Annotated[str, typer.Option(help="First run: address and port of the pages.")] = "",
    sip: Annotated[str, typer.Option(help="First run: address and port of SIP.")] = "",
) -> None:
    """Run the node until it is told to stop (SIGTERM, Ctrl-C); calls in progress may end first.

    Where there is no configuration yet, a link is printed to a page that makes one.
    """
    if is_first_run(configuration):
        serve_first_run(configuration, web, sip)
    from pbx.supervisor import serve as serve_node

    raise typer.Exit(serve_node(configuration))


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
