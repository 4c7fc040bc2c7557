"""All commands, and what they share: finding the configuration, saying what is wrong."""

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
)

ConfigurationOption = Annotated[
    Path | None,
    typer.Option(
        "-c", "--configuration", help="Configuration file. Default: beffroi.yaml here, then /etc/beffroi/."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


from pbx.cli import calls, node  # noqa: E402, F401 (registers its commands)
