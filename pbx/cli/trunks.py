"""`beffroi trunk`: the operators' lines of the running node, and how they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from pbx.cli.application import ConfigurationOption, JsonOption, application
from pbx.cli.printing import clean, print_json, print_table
from pbx.cli.reading import configured, fail, why_silent

if TYPE_CHECKING:
    from pathlib import Path

    from pbx.control import TrunkStatus

trunk = typer.Typer(help="The operators' lines of the running node.", no_args_is_help=True)
application.add_typer(trunk, name="trunk")


@trunk.command("list")
def list_(configuration: ConfigurationOption = None, as_json: JsonOption = False) -> None:
    """List the trunks: state, registration, channels in use, delay of the last OPTIONS."""
    statuses = _asked(configuration)
    if as_json:
        print_json([_printable(status) for status in statuses])
    elif not statuses:
        typer.echo("the plan has no trunk")
    else:
        columns = ("trunk", "state", "registered until", "channels", "delay", "server")
        print_table(columns, [_row(status) for status in statuses])


@trunk.command()
def show(
    name: Annotated[str, typer.Argument(help="The trunk's name in the plan.")],
    configuration: ConfigurationOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one trunk, with all its servers in the order of trial."""
    statuses = _asked(configuration)
    for status in statuses:
        if status.name == name:
            break
    else:
        known = ", ".join(one.name for one in statuses) or "none"
        fail(f'no trunk "{name[:60]}" in the plan in force; known: {known}')
    printable = _printable(status)
    if as_json:
        print_json(printable)
        return
    for key, value in printable.items():
        shown = ", ".join(value) if isinstance(value, list) else value
        typer.echo(f"{key.replace('_', ' '):<20} {clean(str('-' if shown in (None, '') else shown))}")


def _asked(given: Path | None) -> list[TrunkStatus]:
    from pbx.control import ListTrunks, NotRunningError, TrunkList, ask

    settings = configured(given)
    try:
        answer = ask(settings.data_dir, ListTrunks())
    except NotRunningError as error:
        fail(why_silent(error, settings.data_dir, f"start one with `beffroi serve -c {settings.path}`"))
    assert isinstance(answer, TrunkList)
    return answer.trunks


def _row(status: TrunkStatus) -> list[str]:
    if not status.registers:
        registered = "-"
    elif status.registered_until is None:
        registered = f"no ({status.registration_status})" if status.registration_status else "no"
    else:
        registered = str(_printable(status)["registered_until"])
    delay = "-" if status.options_delay_ms is None else f"{status.options_delay_ms:.0f} ms"
    channels = f"{status.channels_in_use} of {status.channels}"
    return [status.name, status.state, registered, channels, delay, (status.servers or ["not found"])[0]]


def _printable(status: TrunkStatus) -> dict[str, Any]:
    import msgspec

    from pbx.records import rfc3339

    told: dict[str, Any] = msgspec.to_builtins(status)
    if status.registered_until is not None:
        told["registered_until"] = rfc3339(status.registered_until)
    return told
