"""`beffroi audit`: who did what to this node, for an auditor: list it, export it, verify it.

The journal is read where it lies; the node need not run.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pbx.cli.application import ConfigurationOption, JsonOption, application
from pbx.cli.calls import read_since
from pbx.cli.entering import enter_command
from pbx.cli.printing import clean, print_json, print_table, shown_time
from pbx.cli.reading import configured, fail, misused

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    from pbx.audit.entry import Entry
    from pbx.audit.reading import Verified
    from pbx.configuration import Configuration

audit = typer.Typer(help="Who did what to this node: a journal that proves itself.", no_args_is_help=True)
application.add_typer(audit, name="audit")


@audit.command("list")
def list_entries(
    configuration: ConfigurationOption = None,
    as_json: JsonOption = False,
    by: Annotated[str, typer.Option(help="Done by this account.")] = "",
    what: Annotated[
        str, typer.Option(help="What: people.add, or people for all that was done to people.")
    ] = "",
    whom: Annotated[str, typer.Option(help="Done to this extension or account.")] = "",
    text: Annotated[str, typer.Option(help="With this anywhere in it.")] = "",
    since: Annotated[
        str | None, typer.Option(help='Then or later: "2026-12-25 10:00" (UTC), or 2h, 7d for ago.')
    ] = None,
    until: Annotated[str | None, typer.Option("--before", help="Before then.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=500, help="At most this many, the newest ones.")] = 50,
    after: Annotated[str, typer.Option(help="Go on where the page before ended: its `next`.")] = "",
) -> None:
    """List what was done, the newest first. Times are in UTC."""
    from pbx.audit.reading import Query, WrongPlace, read_page

    settings = configured(configuration)
    query = Query(
        by, what, whom, text, read_since(since, "--since"), read_since(until, "--before"), limit, after
    )
    try:
        page = read_page(settings.audit_journal, _key(settings), query)
    except WrongPlace:
        misused("--after", "no page has told this")
    except OSError as error:
        fail(f"{settings.audit_journal}: {error.strerror}")
    if as_json:
        items = [{**seen.entry.printable(), "sound": seen.sound} for seen in page.entries]
        print_json({"items": items, "next": page.next})
        return
    if not page.entries:
        typer.echo("nothing is like this" if not page.next else "nothing like this so far")
    else:
        rows = [(*_row(seen.entry), "" if seen.sound else "not what was signed") for seen in page.entries]
        print_table(("number", "at", "by", "how", "what", "about", ""), rows)
    if page.next:
        typer.echo(f"more: --after {page.next}")


def _row(entry: Entry) -> tuple[str, ...]:
    about = ", ".join(f"{name} {value}" for name, value in entry.about.items())
    who = f"{entry.by or '-'} {entry.address}".strip()
    return str(entry.number), shown_time(entry.at), who, entry.how, entry.what, about


@audit.command()
def export(
    target: Annotated[Path, typer.Argument(metavar="FILE", help="The .zip to write.")],
    configuration: ConfigurationOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the whole journal, with the node's public key, to a file that anybody can verify."""
    from pbx.audit.export import write
    from recording.proof.journal import JournalDamage

    settings = configured(configuration)
    try:
        enter_command(settings, "audit.export", file=target.name)
        held = write(target, settings.audit_journal, _key(settings))
    except FileExistsError:
        fail(f"{target} is there already; name another file")
    except OSError as error:
        fail(f"{target}: {error.strerror}")
    except JournalDamage as damage:
        fail(f"{damage}; `beffroi audit verify` says more")
    if as_json:
        print_json({"file": str(target), "entries": held.entries, "head": held.head})
        return
    typer.echo(f"{target}: {held.entries} entries, the last one has the hash {held.head}")


@audit.command()
def verify(
    source: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="An export. Default: this node's journal.")
    ] = None,
    configuration: ConfigurationOption = None,
    as_json: JsonOption = False,
    known: Annotated[
        str, typer.Option(metavar="NUMBER:HASH", help="An entry that must be there, as an export told it.")
    ] = "",
) -> None:
    """Verify every entry, and that none is missing; the status is 1 where it isn't as it was written."""
    from tempfile import TemporaryDirectory

    from pbx.audit.export import NoExport, check
    from pbx.audit.reading import verify as verify_journal

    settings = configured(configuration)
    try:
        if source is None:
            found = verify_journal(settings.audit_journal, _key(settings), _known(known))
        else:
            with TemporaryDirectory() as folder:
                found = check(source, _key(settings), Path(folder))
    except NoExport as error:
        fail(error)
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}")
    _tell(found, as_json)
    if found.faults:
        raise typer.Exit(1)


def _tell(found: Verified, as_json: bool) -> None:
    if as_json:
        faults = [fault._asdict() for fault in found.faults]
        print_json({"entries": found.entries, "head": found.head, "faults": faults})
        return
    for fault in found.faults:
        place = f":{fault.line} (byte {fault.offset})" if fault.line > 0 else ""
        typer.echo(clean(f"{fault.file}{place}: {fault.what}"))
    if found.entries:
        times = f"{shown_time(found.first_at)} to {shown_time(found.last_at)}"
        typer.echo(f"{found.entries} entries hold, {times}; the last: {found.entries - 1}:{found.head}")
    else:
        typer.echo("no entry")


def _known(text: str) -> tuple[int, str] | None:
    if not text:
        return None
    number, _, digest = text.partition(":")
    if not number.isdecimal() or len(digest) != 64:
        misused("--known", "write NUMBER:HASH, as `audit verify` tells the last entry")
    return int(number), digest.lower()


def _key(settings: Configuration) -> Ed25519PublicKey:
    """The node's public key; the private one isn't needed to read."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    from pbx.node.keys import node_key

    path = settings.node_key_file.with_suffix(".pub")
    try:
        key = load_pem_public_key(path.read_bytes())
    except FileNotFoundError:
        return node_key(settings.node_key_file).public_key()
    except (OSError, ValueError) as error:
        fail(f"{path}: can't be read: {error}")
    if not isinstance(key, Ed25519PublicKey):
        fail(f"{path}: is no Ed25519 key")
    return key
