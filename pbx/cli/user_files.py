"""`beffroi user export` and `beffroi user import`: people as a spreadsheet, looked at before it counts."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pbx.cli.application import ConfigurationOption, JsonOption
from pbx.cli.printing import clean, print_json
from pbx.cli.reading import configured, database, fail, misused, now, planned
from pbx.cli.users import sealed_by, user, write_people

if TYPE_CHECKING:
    from pbx.people.credentials import Issued
    from pbx.people.spreadsheet import Preview

MOST_SHOWN = 40


@user.command("export")
def export_(
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="Where to. Default: to the output.")
    ] = None,
    configuration: ConfigurationOption = None,
    comma: Annotated[bool, typer.Option("--comma", help="Separate by commas, not semicolons.")] = False,
    mark: Annotated[
        bool, typer.Option("--mark/--no-mark", help="Begin with the sign by which spreadsheets know UTF-8.")
    ] = True,
) -> None:
    """Write all people as CSV, which a spreadsheet opens and `beffroi user import` reads back."""
    from pbx.people.spreadsheet import of_plan, written
    from pbx.store.people import list_people

    settings = configured(configuration)
    plan = planned(settings)
    with database(settings) as opened:
        stored = opened.read(list_people)
    there = {person.extension for person in stored}
    people = [*stored, *(of_plan(one) for one in plan.people.values() if one.extension not in there)]
    people.sort(key=lambda person: person.extension)
    data = written(people, separator="," if comma else ";", mark=mark)
    if file is None:
        sys.stdout.buffer.write(data)
        return
    try:
        file.write_bytes(data)
    except OSError as error:
        fail(f"{file}: {error.strerror}")
    typer.echo(f"{len(people)} people in {file}")


@user.command("import")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A CSV file, as `user export` writes it.")],
    configuration: ConfigurationOption = None,
    only_preview: Annotated[
        bool, typer.Option("--preview", help="Show what would change, and change nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Change it without asking.")] = False,
    removing: Annotated[
        bool, typer.Option("--remove", help="Whoever of the database isn't in the file goes.")
    ] = False,
    sheet: Annotated[
        Path | None, typer.Option(help="Where the new devices' passwords go. Default: to the output.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Add, change and, where asked, remove people as a CSV file says: what changes is shown first."""
    from pbx.people.credentials import server_of
    from pbx.people.imports import carry_out, directory_now, issue_first_devices
    from pbx.people.spreadsheet import MOST_BYTES, SpreadsheetError, preview

    if only_preview and yes:
        misused("--preview", "a preview changes nothing; leave --yes out")
    if as_json and not (only_preview or yes):
        misused("--json", "say --preview or --yes besides")
    settings = configured(configuration)
    plan = planned(settings)
    try:
        with file.open("rb") as opened_file:
            data = opened_file.read(MOST_BYTES + 1)
    except OSError as error:
        fail(f"{file}: {error.strerror}")
    with database(settings) as opened:
        there = opened.read(directory_now)
        try:
            found = preview(data, plan, there, now(), removing=removing)
        except SpreadsheetError as error:
            fail(f"{file}: {error}" + (f"; {error.mend}" if error.mend else ""))
        if not as_json:
            _show(file, found)
        if found.errors or only_preview:
            if as_json:
                print_json(_printable(found, []))
            raise typer.Exit(1 if found.errors else 0)
        if not yes and not typer.confirm("Change this?"):
            raise typer.Exit(1)
        issued = issue_first_devices(found, sealed_by(settings), settings.domain)
        _refuse_sheet_that_is_there(sheet)
        about = {
            "added": [person.extension for person in found.added],
            "changed": [change.person.extension for change in found.changed],
            "removed": [person.extension for person in found.removed],
        }
        write_people(
            opened,
            settings,
            lambda connection: carry_out(connection, found, there.revision, issued),
            "people.import",
            [about],
        )
    if as_json:
        print_json(_printable(found, issued))
    elif issued:
        _give_out(sheet, server_of(settings), found, issued)


def _show(file: Path, found: Preview) -> None:
    """Print what would change, or what is wrong."""
    for error in found.errors[:MOST_SHOWN]:
        mend = f"; {error.mend}" if error.mend else ""
        typer.echo(clean(f"{file}:{error.line}: {error.message}{mend}"), err=True)
    if found.errors:
        typer.echo(f"beffroi: {len(found.errors)} lines can't be taken: nothing is changed", err=True)
        return
    lines = [f"+ {one.extension} {one.name}, class {one.class_name}" for one in found.added]
    for change in found.changed:
        fields = ", ".join(f"{one.field}: {one.before or '-'} -> {one.after or '-'}" for one in change.fields)
        lines.append(f"~ {change.person.extension} {fields}")
    lines += [f"- {one.extension} {one.name}" for one in found.removed]
    for line in lines[:MOST_SHOWN]:
        typer.echo(clean(line))
    if len(lines) > MOST_SHOWN:
        typer.echo(f"… and {len(lines) - MOST_SHOWN} more")
    for told in found.told[:MOST_SHOWN]:
        typer.echo(clean(f"  note: {told}"))
    typer.echo(
        f"{len(found.added)} added, {len(found.changed)} changed, {len(found.removed)} removed, "
        f"{found.unchanged} unchanged"
    )


def _refuse_sheet_that_is_there(sheet: Path | None) -> None:
    if sheet is not None and sheet.exists():
        fail(f"{sheet} is there already, and passwords never overwrite a file")


def _give_out(sheet: Path | None, server: str, found: Preview, issued: list[Issued]) -> None:
    """Print what the new devices sign in with, or write it into a file that its owner alone reads."""
    lines = [f"server {server}; shown now, and never again"]
    lines += [
        f"{made.device.sign_in:<16} {made.password}  {clean(person.name)}"
        for made, person in zip(issued, found.added, strict=True)
    ]
    if sheet is None:
        typer.echo("\n".join(lines))
        return
    try:
        descriptor = os.open(sheet, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
    except OSError as error:
        typer.echo("\n".join(lines))
        fail(f"{sheet}: {error.strerror}: the passwords are printed here instead")
    typer.echo(f"passwords of {len(issued)} devices are in {sheet}")


def _printable(found: Preview, issued: list[Issued]) -> dict[str, Any]:
    return {
        "added": [person.extension for person in found.added],
        "changed": {
            change.person.extension: {one.field: [one.before, one.after] for one in change.fields}
            for change in found.changed
        },
        "removed": [person.extension for person in found.removed],
        "unchanged": found.unchanged,
        "errors": [
            {"line": one.line, "column": one.column, "message": one.message, "mend": one.mend}
            for one in found.errors
        ],
        "told": list(found.told),
        "devices": [{"sign_in": made.device.sign_in, "password": made.password} for made in issued],
    }
