"""`beffroi trace`: the calls that somebody reported as malicious, and where they came from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from pbx.cli.application import ConfigurationOption, JsonOption, application
from pbx.cli.printing import clean, print_json, print_table, shown_time
from pbx.cli.reading import configured, fail

if TYPE_CHECKING:
    from pathlib import Path

    from pbx.records import TraceRecord

traces = typer.Typer(
    help="Malicious calls that people reported by code, and where they came from.", no_args_is_help=True
)
application.add_typer(traces, name="trace")


@traces.command("list")
def list_traces(configuration: ConfigurationOption = None, as_json: JsonOption = False) -> None:
    """List the reported calls, newest first, in UTC. It works without a running node."""
    found = _traces(configuration)
    if as_json:
        print_json([_printable(one) for one in found])
    elif not found:
        typer.echo("no call was reported")
    else:
        rows = [
            (one.call, shown_time(one.started), one.by, one.number or "unknown", _hidden(one), one.device)
            for one in found
        ]
        print_table(("call", "began", "reported by", "caller", "", "came by"), rows)


@traces.command()
def show(
    call: Annotated[str, typer.Argument(metavar="CALL", help="As `trace list` names it.")],
    configuration: ConfigurationOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show all that is known of where a reported call came from."""
    found = [one for one in _traces(configuration) if one.call == call]
    if not found:
        fail(f"no call {clean(call)} was reported; `beffroi trace list` names those that were")
    if as_json:
        print_json([_printable(one) for one in found])
        return
    for one in found:
        for name, value in _printable(one).items():
            for line in value if isinstance(value, list) else [value]:
                typer.echo(clean(f"{name.replace('_', ' ')}: {line}"))


def _traces(configuration: Path | None) -> list[TraceRecord]:
    from pbx.journal import read_state
    from pbx.records import TraceRecord

    directory = configured(configuration).journal_dir
    try:
        kept = read_state(directory).personal.values()
    except OSError as error:
        fail(f"{directory}: the journal can't be read: {error.strerror or error}")
    found = [one for one in kept if isinstance(one, TraceRecord)]
    return sorted(found, key=lambda one: one.at, reverse=True)


def _hidden(trace: TraceRecord) -> str:
    return "hidden" if trace.hidden else ""


def _printable(trace: TraceRecord) -> dict[str, Any]:
    from pbx.records import rfc3339

    return {
        "call": trace.call,
        "reported_by": trace.by,
        "reported": rfc3339(trace.at),
        "began": rfc3339(trace.started),
        "direction": trace.direction,
        "caller": trace.number,
        "caller_name": trace.name,
        "hidden": trace.hidden,
        "came_by": trace.device,
        "address": trace.address,
        "call_id": trace.call_id,
        "said": list(trace.said),
    }
