"""`beffroi media`: the rtpengine daemons that carry the sound, where a node uses them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pbx.cli.application import ConfigurationOption, JsonOption, application
from pbx.cli.entering import ask_entered
from pbx.cli.printing import print_json, print_table
from pbx.cli.reading import configured

if TYPE_CHECKING:
    from pathlib import Path

    from pbx.control import DrainDaemon, ListDaemons

media = typer.Typer(help="The rtpengine daemons that carry the sound.", no_args_is_help=True)
application.add_typer(media, name="media")

NameArgument = Annotated[
    str, typer.Argument(metavar="HOST:PORT", help="The daemon, as the configuration names it.")
]


@media.command("list")
def list_(configuration: ConfigurationOption = None, as_json: JsonOption = False) -> None:
    """List the daemons: whether they answer, the calls that they have, and the addresses of their sound."""
    from pbx.control import ListDaemons

    _print(configuration, ListDaemons(), as_json=as_json)


@media.command()
def drain(name: NameArgument, configuration: ConfigurationOption = None, as_json: JsonOption = False) -> None:
    """Give a daemon no new calls, so that it can be stopped once it has none. A restart forgets it."""
    from pbx.control import DrainDaemon

    _print(configuration, DrainDaemon(name, draining=True), as_json=as_json)


@media.command()
def undrain(
    name: NameArgument, configuration: ConfigurationOption = None, as_json: JsonOption = False
) -> None:
    """Give a daemon new calls again."""
    from pbx.control import DrainDaemon

    _print(configuration, DrainDaemon(name, draining=False), as_json=as_json)


def _print(given: Path | None, question: ListDaemons | DrainDaemon, *, as_json: bool) -> None:
    from pbx.control import DaemonList

    settings = configured(given)
    answer = ask_entered(settings, question, f"start one with `beffroi serve -c {settings.path}`")
    assert isinstance(answer, DaemonList)
    rows = [
        (one.name, ("draining" if one.draining else "up") if one.up else "down", one.calls, one.addresses)
        for one in answer.daemons
    ]
    if as_json:
        print_json(
            [
                {"name": name, "state": state, "calls": calls, "addresses": list(addresses)}
                for name, state, calls, addresses in rows
            ]
        )
        return
    columns = ("daemon", "state", "calls", "addresses")
    print_table(columns, [[name, state, str(calls), ", ".join(where)] for name, state, calls, where in rows])
