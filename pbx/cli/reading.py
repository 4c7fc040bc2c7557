"""Reading the configuration and the plan for a command; what is wrong ends it with a sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer

from dialplan.finding import PlanError
from dialplan.loading import load_plan
from dialplan.plan import Plan
from pbx.configuration import Configuration, find_configuration, load_configuration

if TYPE_CHECKING:
    from pbx.store.database import Database


def configured(given: Path | None) -> Configuration:
    """The configuration that a command works on."""
    try:
        return load_configuration(find_configuration(given))
    except PlanError as error:
        _complain(error)


def planned(configuration: Configuration) -> Plan:
    """The plan that a configuration names."""
    try:
        return load_plan(configuration.plan)
    except PlanError as error:
        _complain(error)
    except OSError as error:
        typer.echo(f"{configuration.plan}: {error.strerror}", err=True)
        raise typer.Exit(1) from None


def _complain(error: PlanError) -> NoReturn:
    for finding in error.findings:
        typer.echo(str(finding), err=True)
    raise typer.Exit(1) from None


@contextmanager
def database(configuration: Configuration) -> Iterator[Database]:
    """The node's database, its schema up to date; what is wrong with it ends the command with a sentence."""
    from pbx.store.database import DatabaseUnavailableError, open_database
    from pbx.store.revision import SchemaTooNewError, upgrade

    try:
        opened = open_database(configuration.database)
        try:
            upgrade(opened)
            yield opened
        finally:
            opened.close()
    except (DatabaseUnavailableError, SchemaTooNewError) as error:
        typer.echo(f"beffroi: {error}", err=True)
        raise typer.Exit(1) from None
