"""`beffroi recording keys`: a backup of the recordings' keys, which follows how long recordings are kept."""

from __future__ import annotations

import os
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pbx.cli.application import ConfigurationOption, JsonOption
from pbx.cli.printing import print_json
from pbx.cli.reading import configured, fail, now
from pbx.cli.recordings import recording

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from pbx.configuration import Configuration
    from recording.safekeeping.key_backup import Life

keys = typer.Typer(help="Back up the keys of recordings, and restore them.", no_args_is_help=True)
recording.add_typer(keys, name="keys")


@keys.command()
def backup(
    target: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write.")],
    force: Annotated[bool, typer.Option("--force", help="Replace FILE if it is there.")] = False,
    configuration: ConfigurationOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the wrapped keys of all recordings to one file. The node may run meanwhile.

    They open nothing without the private key. Yet a recording that was purged could be heard again by
    whoever has this file, that key and a copy: delete the file by the date that is told.
    """
    from recording.keys import KeyStore
    from recording.safekeeping.key_backup import make

    settings = configured(configuration)
    if os.path.lexists(target) and not force:
        fail(f"{target} is there already; name another file, or replace it with --force")
    signing, known = _known(settings)
    try:
        made = make(target, KeyStore(settings.recording_keys_dir), known, signing, now().timestamp())
    except OSError as error:
        fail(f"{target}: {error.strerror}")
    if as_json:
        dates = {"delete_by": made.delete_by, "first_over": made.first_over}
        told = {name: at if at < inf else None for name, at in dates.items()}
        print_json({"file": str(target), "keys": made.keys, **told})
        return
    typer.echo(f"{target}: {_counted(made.keys)}")
    if made.delete_by < inf:
        typer.echo(
            f"delete it by {_day(made.delete_by)}: the first key in it is of a recording that goes on "
            f"{_day(made.first_over)}, and must not outlive it for long"
        )


@keys.command()
def restore(
    source: Annotated[Path, typer.Argument(metavar="FILE", help="What `keys backup` wrote on this node.")],
    why: Annotated[str, typer.Option(help="The reason; it is journalled.")],
    configuration: ConfigurationOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put the keys of a backup into the key store, while the node is stopped.

    Keys of recordings that were purged, or whose time is over, stay out.
    """
    from pbx.node.doctor import is_running
    from recording.keys import KeyStore
    from recording.proof.journal import Journal, JournalDamage
    from recording.safekeeping.key_backup import KeyBackupError
    from recording.safekeeping.key_backup import restore as restore_keys

    settings = configured(configuration)
    if not why.strip():
        fail("say why: it is journalled with what you do")
    if is_running(settings):
        fail(f"Beffroi is running on {settings.data_dir}: stop it first")
    signing, known = _known(settings)
    at = now().timestamp()
    store = KeyStore(settings.recording_keys_dir)
    try:
        settings.recordings.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        journal = Journal(settings.recordings_journal, signing)
        # Said before it is done: no key comes back that the journal doesn't tell of.
        journal.append(at, "keys_restored", "", _account(), why=why.strip(), file=source.name)
        done = restore_keys(source, store, known, signing.public_key(), at)
        journal.close()
    except (KeyBackupError, JournalDamage) as error:
        fail(error)
    except OSError as error:
        fail(f"{error.filename or source}: {error.strerror}")
    if as_json:
        print_json(done._asdict())
        return
    left_out = {"there already": done.there, "purged": done.purged, "over": done.over}
    told = ", ".join(f"{count} {what}" for what, count in left_out.items() if count)
    typer.echo(f"{_counted(done.restored)} restored" + (f"; left out: {told}" if told else ""))


def _known(settings: Configuration) -> tuple[Ed25519PrivateKey, dict[str, Life]]:
    """What the node signs with, and how long each recording is kept."""
    from pbx.node.keys import node_key
    from recording.keys import KeyUnusable
    from recording.proof.journal import JournalDamage, entries
    from recording.safekeeping.key_backup import lives

    if not settings.node_key_file.exists():
        fail(f"{settings.node_key_file} isn't there: nothing has been recorded with {settings.path} yet")
    try:
        signing = node_key(settings.node_key_file)
        if not settings.recordings_journal.exists():
            return signing, {}
        return signing, lives(entries(settings.recordings_journal, signing.public_key()))
    except (KeyUnusable, JournalDamage) as error:
        fail(error)
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}")


def _account() -> str:
    from recording.live.process import account_name

    return account_name(os.getuid())


def _counted(keys: int) -> str:
    return f"{keys} {'key' if keys == 1 else 'keys'}"


def _day(at: float) -> str:
    from datetime import UTC, datetime

    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d}"
