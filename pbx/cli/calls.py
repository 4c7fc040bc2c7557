"""`beffroi call`: the records of past calls."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from pbx.cli.application import ConfigurationOption, JsonOption, application
from pbx.cli.reading import configured, database

call = typer.Typer(help="The records of past calls.", no_args_is_help=True)
application.add_typer(call, name="call")


@call.command("list")
def list_(
    configuration: ConfigurationOption = None,
    as_json: JsonOption = False,
    number: Annotated[str | None, typer.Option(help="Only calls from, to or dialled as this number.")] = None,
    limit: Annotated[int, typer.Option(help="At most this many, the newest first.")] = 100,
) -> None:
    """List calls that have ended, newest first. Times are in UTC."""
    from pbx.records import printable
    from pbx.store.calls import list_calls

    settings = configured(configuration)
    with database(settings) as opened:
        records = opened.read(lambda connection: list_calls(connection, number=number, limit=limit))
    printed = [printable(record) for record in records]
    if as_json:
        typer.echo(json.dumps(printed, ensure_ascii=False))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("started", "from", "dialled", "to", "seconds", "cause")
    for record in records:
        seconds = f"{record.ended - record.answered:.0f}" if record.answered is not None else ""
        started = str(printable(record)["started"]).partition(".")[0].replace("T", " ")
        caller = f"{record.from_} {record.from_name}".strip()
        table.add_row(started, caller, record.dialled, record.to, seconds, record.cause)
    Console().print(table)
