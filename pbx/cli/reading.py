"""What commands read: configuration, plan, people, database. What is wrong ends a command with a sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer

# What a command needs is imported when it runs: `beffroi --version` needs none of it.
if TYPE_CHECKING:
    from collections.abc import Sequence

    from dialplan.finding import Finding
    from dialplan.plan import Plan
    from pbx.configuration import Configuration
    from pbx.control import NotRunningError, SettingsInForce
    from pbx.people.directory import Directory
    from pbx.store.database import Database


def fail(message: object) -> NoReturn:
    """End the command with this sentence."""
    typer.echo(f"beffroi: {message}", err=True)
    raise typer.Exit(1)


def misused(option: str, message: str) -> NoReturn:
    """End the command because of how an option was written."""
    typer.echo(f"beffroi: {option}: {message}", err=True)
    raise typer.Exit(2)


def complain(findings: Sequence[Finding]) -> NoReturn:
    """End the command with these findings, one a line."""
    for finding in findings:
        typer.echo(str(finding), err=True)
    raise typer.Exit(1)


def now() -> datetime:
    """The instant of the command: nothing below the command line reads a clock."""
    return datetime.now(UTC)  # noqa: TID251


def read_instant(plan: Plan, text: str, option: str) -> datetime:
    """The instant that an option names, in the plan's time zone: `2026-12-25 10:00`, or the next `sun 03:00`
    or `14:00`. What is none of these ends the command."""
    from pbx.plans.question import QuestionError, instant_of

    try:
        return instant_of(plan, text, now())
    except QuestionError as error:
        misused(option, str(error))


def settings_in_force(settings: Configuration) -> SettingsInForce:
    """What people and operators have set by hand: as the node says, or its journal where none runs."""
    from pbx.control import ListSettings, NotRunningError, SettingsInForce, ask
    from pbx.journal import read_state

    try:
        answer = ask(settings.data_dir, ListSettings())
        assert isinstance(answer, SettingsInForce)
        return answer
    except NotRunningError as error:
        if not isinstance(error.__cause__, FileNotFoundError | ConnectionRefusedError):
            fail(why_silent(error, settings.data_dir, ""))
    try:
        kept = read_state(settings.journal_dir)
    except OSError as error:
        fail(f"{settings.journal_dir}: the journal can't be read: {error.strerror or error}")
    instant = now().timestamp()
    people = [kept.settings[extension] for extension in sorted(kept.settings)]
    return SettingsInForce(people, [one for one in kept.overrides.values() if one.until > instant])


def why_silent(error: NotRunningError, data_dir: Path, mend: str) -> str:
    """What to tell when no node answers. mend: what to do when none runs."""
    match error.__cause__:
        case FileNotFoundError() | ConnectionRefusedError():
            return f"no node runs on {data_dir}; {mend}"
        case PermissionError():
            return f"{data_dir} is another user's; run this as the user that runs the node"
        case _:
            return str(error)


def read_configuration(given: Path | None) -> Configuration:
    """The configuration that a command works on. Raises PlanError."""
    from pbx.configuration import find_configuration, load_configuration

    return load_configuration(find_configuration(given))


def configured(given: Path | None) -> Configuration:
    """The configuration that a command works on; what is wrong with it ends the command."""
    from dialplan.finding import PlanError

    try:
        return read_configuration(given)
    except PlanError as error:
        complain(error.findings)


def planned(configuration: Configuration) -> Plan:
    """The plan that a configuration names, without the people of the database."""
    from dialplan.finding import PlanError
    from dialplan.loading import load_plan

    try:
        return load_plan(configuration.plan)
    except PlanError as error:
        complain(error.findings)


def plan_to_check(file: Path | None, configuration: Path | None) -> tuple[Plan, list[Finding]]:
    """A plan as it would be in force, and what is worth telling besides its own findings.

    file: the plan, None for the configuration's. The people of the database are in it unless a file is given
    without a configuration. Raises PlanError.
    """
    from dialplan.loading import load_plan
    from pbx.people.devices import with_directory

    if file is not None and configuration is None:
        return load_plan(file), []
    settings = read_configuration(configuration)
    plan = load_plan(file or settings.plan)
    directory, findings = people_of(settings)
    return with_directory(plan, directory), findings


def plan_or_complain(file: Path | None, configuration: Path | None) -> Plan:
    """The plan of `plan_to_check`; what is wrong with its files ends the command."""
    from dialplan.finding import PlanError

    try:
        plan, findings = plan_to_check(file, configuration)
    except PlanError as error:
        complain(error.findings)
    for finding in findings:
        typer.echo(str(finding), err=True)
    return plan


def people_of(settings: Configuration) -> tuple[Directory, list[Finding]]:
    """The people of the database; where it is away, those that were exported last, and a warning.

    Raises PlanError when neither can be read.
    """
    from dialplan.finding import Finding, PlanError
    from pbx.node.doctor import is_missing
    from pbx.people.directory import Directory, DirectoryError, read_directory

    if settings.sqlite_file is not None and is_missing(settings.sqlite_file):
        return Directory(), []
    trouble = ""
    try:
        with _opened(settings) as opened:
            from pbx.store.people import list_people

            return Directory(people=opened.read(list_people)), []
    except DatabaseTroubleError as error:
        trouble = str(error)
    message = f"{trouble}: the people of the last export are taken instead"
    found = Finding("database_unavailable", "warning", str(settings.path), 0, 0, message, "beffroi doctor")
    try:
        return read_directory(settings.directory_file), [found]
    except DirectoryError as error:
        file = str(settings.directory_file)
        message = str(error).removeprefix(f"{file}: ")
        unreadable = Finding("directory_unreadable", "error", file, 0, 0, message)
        raise PlanError([found, unreadable]) from None


class DatabaseTroubleError(Exception):
    """The database can't be used; the message says why."""


@contextmanager
def _opened(settings: Configuration) -> Iterator[Database]:
    """The node's database, its schema up to date. Raises DatabaseTroubleError, from inside the block too."""
    from sqlalchemy.exc import DBAPIError

    from pbx.store.database import DatabaseUnavailableError, open_database
    from pbx.store.revision import SchemaTooNewError, upgrade

    try:
        opened = open_database(settings.database)
        try:
            upgrade(opened)
            yield opened
        finally:
            opened.close()
    except (DatabaseUnavailableError, SchemaTooNewError) as error:
        raise DatabaseTroubleError(error) from None
    except DBAPIError as error:
        # A server that refuses: no right to a table, a table of somebody else.
        raise DatabaseTroubleError(f"database: {str(error.orig).partition(chr(10))[0]}") from None


@contextmanager
def database(settings: Configuration) -> Iterator[Database]:
    """The node's database, its schema up to date; what is wrong with it ends the command with a sentence."""
    try:
        with _opened(settings) as opened:
            yield opened
    except DatabaseTroubleError as error:
        fail(f"{error}; `beffroi doctor` says more")
