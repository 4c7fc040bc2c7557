"""`beffroi backup`: one archive with everything that a node needs to be itself again."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from pbx.cli.application import ConfigurationOption, JsonOption, application
from pbx.cli.printing import print_json
from pbx.cli.reading import configured, fail

backup = typer.Typer(help="Back up this node, and restore it.", no_args_is_help=True)
application.add_typer(backup, name="backup")


@backup.command()
def create(
    target: Annotated[Path, typer.Argument(metavar="TARGET.tar.gz", help="The archive to write.")],
    configuration: ConfigurationOption = None,
    force: Annotated[bool, typer.Option("--force", help="Replace TARGET if it is there.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Write configuration, plan, people, registrations and call records to one archive.

    The node may run meanwhile. The archive is as secret as the data directory: its mode is 0600.
    """
    from pbx.node.backup import BackupError
    from pbx.node.backup import create as create_backup

    settings = configured(configuration)
    if not os.path.isdir(settings.data_dir):
        fail(f"{settings.data_dir} isn't there: nothing has run with {settings.path} yet")
    if os.path.isdir(target):
        fail(f"{target} is a folder; name the archive in it, such as {target / 'beffroi.tar.gz'}")
    if not os.path.isdir(target.parent):
        fail(f"{target.parent} isn't there; make it first, or name another place for the archive")
    if os.path.lexists(target) and not force:
        fail(f"{target} is there already; name another archive, or replace it with --force")
    try:
        made = create_backup(settings, target)
    except BackupError as error:
        fail(error)
    size = sum(member.size for member in made.members)
    if as_json:
        print_json(
            {
                "archive": str(made.archive),
                "files": len(made.members),
                "bytes": size,
                "notes": list(made.notes),
            }
        )
        return
    typer.echo(f"{made.archive}: {len(made.members)} files, {size / 1e6:.1f} MB before compression")
    for note in made.notes:
        typer.echo(f"note: {note}")


@backup.command()
def restore(
    archive: Annotated[
        Path, typer.Argument(metavar="ARCHIVE", help="An archive that `beffroi backup create` wrote.")
    ],
    into: Annotated[Path, typer.Option("--into", metavar="DIR", help="The folder to restore into.")],
    force: Annotated[
        bool, typer.Option("--force", help="Move aside what is there, instead of refusing.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Restore an archive: DIR/beffroi.yaml, the plan and the data directory that it names."""
    from pbx.node.backup import BackupError
    from pbx.node.backup import restore as restore_backup

    if not os.path.isfile(archive):
        fail(f"{archive}: there is no such archive")
    try:
        restored = restore_backup(archive, into, force=force)
    except BackupError as error:
        fail(error)
    if as_json:
        print_json(
            {
                "configuration": str(restored.configuration),
                "data_dir": str(restored.data_dir),
                "notes": list(restored.notes),
            }
        )
        return
    typer.echo(f"restored {restored.configuration} and {restored.data_dir}")
    for note in restored.notes:
        typer.echo(f"note: {note}")
    typer.echo(f"next: beffroi doctor -c {restored.configuration}")
