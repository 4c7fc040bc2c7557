"""`beffroi backup`: one archive with everything that a node needs to be itself again."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from pbx.cli.application import ConfigurationOption, JsonOption, application
from pbx.cli.entering import enter_command, entered
from pbx.cli.printing import print_json, print_table, shown_time
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
    with entered(settings, "backup.make", archive=str(target)):
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


@backup.command("list")
def list_(configuration: ConfigurationOption = None, as_json: JsonOption = False) -> None:
    """List the backups that were made from the pages and still lie on this node, the newest first."""
    from pbx.node.backup import BackupError
    from pbx.node.backups import Backups
    from pbx.records import rfc3339

    try:
        kept = Backups(configured(configuration)).kept()
    except BackupError as error:
        fail(error)
    if as_json:
        print_json([{"name": one.name, "at": rfc3339(one.at), "bytes": one.size} for one in kept])
    elif not kept:
        typer.echo("no backup lies on this node")
    else:
        rows = ((shown_time(one.at), one.name, f"{one.size / 1e6:.1f} MB") for one in kept)
        print_table(("made", "archive", "size"), rows)


@backup.command()
def verify(
    archive: Annotated[
        Path, typer.Argument(metavar="ARCHIVE", help="An archive that `beffroi backup create` wrote.")
    ],
    as_json: JsonOption = False,
) -> None:
    """Read an archive whole, as restoring it would; nothing is written. A damaged one is refused."""
    from pbx.node.backup import BackupError
    from pbx.node.backup import verify as verify_backup

    if not os.path.isfile(archive):
        fail(f"{archive}: there is no such archive")
    try:
        manifest = verify_backup(archive)
    except BackupError as error:
        fail(error)
    size = sum(member.size for member in manifest.members)
    if as_json:
        print_json({"archive": str(archive), "files": len(manifest.members), "bytes": size})
        return
    typer.echo(f"{archive}: whole, {len(manifest.members)} files, {size / 1e6:.1f} MB before compression")


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
    from pbx.configuration import load_configuration
    from pbx.node.backup import BackupError
    from pbx.node.backup import restore as restore_backup

    if not os.path.isfile(archive):
        fail(f"{archive}: there is no such archive")
    try:
        restored = restore_backup(archive, into, force=force)
    except BackupError as error:
        fail(error)
    settings = load_configuration(restored.configuration)
    # The journal is restored too: what is entered before would be gone.
    if settings.data_dir == restored.data_dir:  # otherwise it has still to be moved there
        enter_command(settings, "backup.restore", archive=str(archive))
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
