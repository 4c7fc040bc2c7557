"""`beffroi events`: what happens on the running node, as it happens."""

from __future__ import annotations

from typing import Annotated

import typer

from pbx.cli.application import ConfigurationOption, application
from pbx.cli.printing import print_json
from pbx.cli.reading import configured, fail, misused, why_silent


@application.command()
def events(
    kinds: Annotated[
        list[str] | None, typer.Argument(metavar="[KIND]...", help="Only these kinds, such as CallAnswered.")
    ] = None,
    configuration: ConfigurationOption = None,
) -> None:
    """Print what happens on the running node, one line of JSON each, until Ctrl-C or the node's end."""
    from pbx.control import NotRunningError, follow
    from pbx.events import KINDS

    settings = configured(configuration)
    for kind in kinds or ():
        if kind not in KINDS:
            misused("KIND", f'"{kind[:40]}" is no kind of event; known: {", ".join(KINDS)}')
    try:
        with follow(settings.data_dir, kinds or ()) as happening:
            typer.echo("waiting for events; Ctrl-C ends this", err=True)
            for event in happening:
                print_json(event)
    except NotRunningError as error:
        fail(why_silent(error, settings.data_dir, f"start one with `beffroi serve -c {settings.path}`"))
    except KeyboardInterrupt:
        raise typer.Exit from None
