"""`beffroi recording`: recordings of calls, from a terminal."""

from __future__ import annotations

import typer

from pbx.cli.application import application

recording = typer.Typer(help="Recordings of calls.", no_args_is_help=True)
application.add_typer(recording, name="recording")
