"""All commands, and the options that they share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

application = typer.Typer(
    name="beffroi",
    help="Self-hosted telephone system for local governments.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

ConfigurationOption = Annotated[
    Path | None,
    typer.Option(
        "-c", "--configuration", help="Configuration file. Default: beffroi.yaml here, then /etc/beffroi/."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def _print_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"beffroi {version('beffroi')}")
        raise typer.Exit


@application.callback()
def _beffroi(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Self-hosted telephone system for local governments."""
