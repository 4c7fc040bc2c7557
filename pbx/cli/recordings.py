"""`beffroi recording`: the recordings that there are, and what becomes of them.

All of it is asked of the recorder's process, which journals it. Listening and exporting are in `listening`.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterable, Sequence
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from pbx.cli.application import ConfigurationOption, JsonOption, application
from pbx.cli.calls import read_since
from pbx.cli.printing import clean, print_json, print_table, shown_time
from pbx.cli.reading import configured, database, fail, misused, now, planned, read_instant, why_silent

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    from dialplan.plan import Plan
    from pbx.configuration import Configuration
    from pbx.records import CallRecord
    from pbx.store.call_notes import CallNote
    from recording.archive.requests import Answer, Found, HoldMade, Request

recording = typer.Typer(
    help="Recorded calls: find and hear them, hold them, account for them.", no_args_is_help=True
)
application.add_typer(recording, name="recording")

MOST_CALLS = 100_000
MOST_EXTENSION_DIGITS = 6
_TIMES = frozenset(
    {
        *("begun", "ended", "over", "held_until", "made", "until", "since", "at", "kept_from", "kept_to"),
        *("first", "last", "oldest", "next_purge"),
    }
)

_Answer = TypeVar("_Answer")

AsOption = Annotated[
    str,
    typer.Option("--as", metavar="EXTENSION", help="Who asks: a listener of the plan.", show_default=False),
]
WhyOption = Annotated[
    str,
    typer.Option("--why", metavar="REASON", help="Why. It is journalled, for ever: no telephone numbers."),
]
RecordingArgument = Annotated[
    str, typer.Argument(metavar="RECORDING", help="As `recording search` shows it.")
]
NumberOption = Annotated[
    str, typer.Option(help="Of this caller or called: +33612345678, 0612345678 or an extension.")
]
LineOption = Annotated[str, typer.Option(help="Of this service of the plan.")]
PolicyOption = Annotated[str, typer.Option(help="Of this policy of the plan.")]
SinceOption = Annotated[
    str | None, typer.Option(help='Begun then or later: "2026-12-25 10:00" (UTC), or 2h, 7d for ago.')
]
BeforeOption = Annotated[str | None, typer.Option("--before", help="Begun before then.")]


class Language(StrEnum):
    """Of a document."""

    FRENCH = "fr"
    ENGLISH = "en"


@recording.command()
def search(
    configuration: ConfigurationOption = None,
    as_json: JsonOption = False,
    person: AsOption = "",
    why: WhyOption = "",
    number: NumberOption = "",
    line: LineOption = "",
    user: Annotated[str, typer.Option(help="Recorded for this extension.")] = "",
    policy: PolicyOption = "",
    call: Annotated[str, typer.Option(help="Of this call, as `call list` shows it.")] = "",
    since: SinceOption = None,
    before: BeforeOption = None,
    longer: Annotated[float | None, typer.Option(metavar="SECONDS", help="At least so long.")] = None,
    shorter: Annotated[float | None, typer.Option(metavar="SECONDS", help="At most so long.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most this many, the newest ones.")] = 50,
    after: Annotated[str, typer.Option(help="Go on where the page before ended: its `next`.")] = "",
) -> None:
    """Find recordings that somebody may hear, the newest first. Times are in UTC."""
    from recording.archive.requests import Page, Query, Search

    settings = configured(configuration)
    query = Query(
        number=_number(settings, number),
        line=line,
        user=user,
        policy=policy,
        call=call,
        since=read_since(since, "--since"),
        until=read_since(before, "--before"),
        shortest_seconds=longer,
        longest_seconds=shorter,
        limit=limit,
        after=after,
    )
    page = asked(settings, Search(person=person, why=why, query=query), Page)
    if as_json:
        print_json({"found": [_printable(one) for one in page.found], "next": page.next})
        return
    _print_found(page.found, "no recording is like this")
    if page.next:
        typer.echo(f"more: --after {page.next}")


@recording.command()
def show(
    name: RecordingArgument,
    configuration: ConfigurationOption = None,
    as_json: JsonOption = False,
    person: AsOption = "",
    why: WhyOption = "",
) -> None:
    """Show what is known of a recording: its holds, and who had to do with it. Times are in UTC."""
    from recording.archive.requests import Show, Shown

    settings = configured(configuration)
    shown = asked(settings, Show(person=person, why=why, recording=name), Shown)
    if as_json:
        print_json(_printable(shown))
        return
    for key, value in _printable(shown.found).items():
        if value not in ("", None, 0):
            typer.echo(f"{key:<12}{clean(str(value))}")
    for one in shown.holds:
        typer.echo(f"hold {one.number:<7}until {shown_time(one.until)}, by {one.by}: {clean(one.why)}")
    rows = [(shown_time(one.at), one.by, one.what, str(one.about.get("why", ""))) for one in shown.history]
    if rows:
        print_table(("at", "by", "what", "why"), rows)


@recording.command()
def hold(
    until: Annotated[str, typer.Option(help='Until when: "2027-06-30" or "2027-06-30 12:00", plan time.')],
    names: Annotated[list[str] | None, typer.Argument(metavar="[RECORDING]...", help="Which.")] = None,
    configuration: ConfigurationOption = None,
    as_json: JsonOption = False,
    person: AsOption = "",
    why: WhyOption = "",
    number: NumberOption = "",
    line: LineOption = "",
    policy: PolicyOption = "",
    since: SinceOption = None,
    before: BeforeOption = None,
) -> None:
    """Hold recordings: whatever the plan says, they aren't purged before then.

    Those named, or all that are like the options say.
    """
    from recording.archive.requests import Hold, HoldList, Query

    settings = configured(configuration)
    like = any((number, line, policy, since, before))
    if like == bool(names):
        misused("RECORDING", "name recordings, or say by --number, --line, --policy, --since, --before which")
    query = None
    if like:
        query = Query(
            number=_number(settings, number),
            line=line,
            policy=policy,
            since=read_since(since, "--since"),
            until=read_since(before, "--before"),
        )
    instant = read_instant(planned(settings), until, "--until").timestamp()
    request = Hold(person=person, why=why, recordings=names or [], query=query, until=instant)
    made = asked(settings, request, HoldList)
    _print_holds(made.holds, as_json, "nothing is held: no recording is like this")
    _tell_refused(made.refused)


@recording.command("holds")
def list_holds(
    configuration: ConfigurationOption = None, as_json: JsonOption = False, person: AsOption = ""
) -> None:
    """List the holds that last. Times are in UTC."""
    from recording.archive.requests import HoldList, ListHolds

    listed = asked(configured(configuration), ListHolds(person=person), HoldList)
    _print_holds(listed.holds, as_json, "nothing is held")


@recording.command()
def release(
    names: Annotated[list[str] | None, typer.Argument(metavar="[RECORDING]...", help="Which.")] = None,
    configuration: ConfigurationOption = None,
    as_json: JsonOption = False,
    person: AsOption = "",
    why: WhyOption = "",
    holds: Annotated[
        list[int] | None, typer.Option("--hold", metavar="NUMBER", help="One hold, as `holds` shows it.")
    ] = None,
) -> None:
    """End holds: all those of recordings, or some by their number."""
    from recording.archive.requests import HoldList, Release

    request = Release(person=person, why=why, recordings=names or [], holds=holds or [])
    ended = asked(configured(configuration), request, HoldList)
    _print_holds(ended.holds, as_json, "no such hold")
    _tell_refused(ended.refused)


@recording.command()
def purge(
    configuration: ConfigurationOption = None,
    as_json: JsonOption = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what goes, and what is held.")] = False,
    until: Annotated[
        str, typer.Option(help="With --dry-run: what goes until then, plan time. Default: in a day.")
    ] = "",
    early: Annotated[
        str, typer.Option("--now", metavar="RECORDING", help="Erase this one, before its time is over.")
    ] = "",
    why: WhyOption = "",
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask before one is erased early.")] = False,
) -> None:
    """Purge what is due. The node does that by itself, each minute; this does it at once, and tells."""
    from recording.archive.requests import Purge, Purged, PurgeDue

    settings = configured(configuration)
    if dry_run:
        _foresee(settings, until, as_json)
        return
    if until:
        misused("--until", "it goes with --dry-run: nothing is purged before it is due")
    if early and not yes and (as_json or not typer.confirm(f"Erase {clean(early)} for good?")):
        fail("nothing was erased; with --yes nobody is asked")
    request: Request = Purge(why=why, recording=early) if early else PurgeDue(why=why)
    stones = asked(settings, request, Purged).tombstones
    if as_json:
        print_json([_printable(stone) for stone in stones])
        return
    typer.echo("nothing was due" if not stones else f"purged: {len(stones)}")
    for stone in stones:
        kept = f"kept from {shown_time(stone.kept_from)} to {shown_time(stone.kept_to)}"
        typer.echo(f"  {stone.recording}  {stone.policy}, {kept}, {stone.bytes} bytes")


def _foresee(settings: Configuration, until: str, as_json: bool) -> None:
    from recording.archive.requests import Foresee, Foreseen

    instant = read_instant(planned(settings), until, "--until") if until else now() + timedelta(days=1)
    seen = asked(settings, Foresee(until=instant.timestamp()), Foreseen)
    if as_json:
        print_json(_printable(seen))
        return
    if seen.clock:
        typer.echo(f"nothing goes while {seen.clock}: `beffroi recording vouch-for-clock`")
    typer.echo(f"until {shown_time(seen.until)} UTC")
    rows = [
        (
            one.policy,
            "not in the plan" if one.keep_days is None else f"{one.keep_days} days",
            str(one.due),
            str(one.due_bytes),
            shown_time(one.first),
            shown_time(one.last),
            str(one.held or one.unknown),
        )
        for one in seen.policies
    ]
    print_table(("policy", "kept for", "go", "bytes", "first", "last", "stay"), rows)
    if seen.going:
        print_table(
            ("recording", "policy", "line", "ended", "goes"),
            [
                (one.recording, one.policy, one.line, shown_time(one.ended), shown_time(one.over))
                for one in seen.going
            ],
        )
    for one in seen.held:
        typer.echo(f"held: {one.recording} until {shown_time(one.until)}, by {one.by}: {clean(one.why)}")


@recording.command()
def report(
    configuration: ConfigurationOption = None,
    as_json: JsonOption = False,
    since: Annotated[
        str, typer.Option(help='From when: "2026-12-01", or 30d for ago. Default: the last 30 days.')
    ] = "30d",
    before: Annotated[str | None, typer.Option("--before", help="Up to when. Default: now.")] = None,
    language: Annotated[Language, typer.Option(help="Of the document.")] = Language.FRENCH,
) -> None:
    """Write the account of a period for the data protection officer.

    What is kept and why, who searched, listened and exported, what is held, what was purged.
    """
    from zoneinfo import ZoneInfo

    from recording.archive.report import written
    from recording.archive.requests import Account, Accounted

    settings = configured(configuration)
    until = read_since(before, "--before")
    request = Account(
        since=read_since(since, "--since") or 0.0,
        until=now().timestamp() + 1 if until is None else until,
    )
    account = asked(settings, request, Accounted)
    if as_json:
        print_json(_printable(account))
        return
    typer.echo(written(account, language.value, ZoneInfo(planned(settings).timezone)), nl=False)


@recording.command()
def about(
    number: Annotated[str, typer.Argument(metavar="NUMBER", help="+33612345678 or 0612345678.")],
    configuration: ConfigurationOption = None,
    as_json: JsonOption = False,
    why: WhyOption = "",
    export: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the list: FILE.json or FILE.csv.")
    ] = None,
    erase: Annotated[bool, typer.Option("--erase", help="Erase what may be erased.")] = False,
    receipt: Annotated[
        Path | None, typer.Option(metavar="FILE", help="With --erase: where the signed receipt goes.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask before anything is erased.")] = False,
) -> None:
    """Find, export or erase the recordings and call records about somebody's number.

    What is held, or must be kept, stays, and is told with its reason. Erased calls keep their times, for the
    figures, and lose the number.
    """
    from pbx.records import printable
    from recording.archive.requests import AboutNumber, FindNumber

    settings = configured(configuration)
    if erase != (receipt is not None):
        misused("--receipt", "--erase writes a receipt: say where, by --receipt FILE")
    if receipt is not None and os.path.lexists(receipt):
        fail(f"{receipt} is there already; name another file for the receipt")
    whole = _number(settings, number)
    known = asked(settings, FindNumber(why=why, number=whole), AboutNumber)
    calls = _calls_about(settings, whole)
    notes = _notes_of(settings, calls)
    if export is not None:
        _write_list(export, known.found, calls, notes)
    if erase and receipt is not None:
        if not yes and (as_json or not typer.confirm(f"Erase what may be erased about {whole}?")):
            fail("nothing was erased; with --yes nobody is asked")
        _erase(settings, whole, why, receipt, as_json)
        return
    if as_json:
        print_json(
            {
                "number": whole,
                "recordings": [_printable(one) for one in known.found],
                "stays": known.stays,
                "searched": [_printable(one) for one in known.searched],
                "calls": [printable(one) for one in calls],
                "notes": [_note_said(one) for one in notes],
            }
        )
        return
    _print_found(known.found, "no recording")
    for name, reason in known.stays.items():
        typer.echo(f"{name} can't be erased now: {clean(reason)}")
    for one in known.searched:
        reason = clean(str(one.about.get("why", "")))
        typer.echo(f"searched for on {shown_time(one.at)} by {one.by}: {reason}")
    typer.echo(f"{len(calls)} call records: `beffroi call list --number {whole}`")


@recording.command("receipt")
def check_receipt(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `about --erase` wrote.")],
    configuration: ConfigurationOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check that this node gave a receipt, and that its journal bears it out."""
    from recording.archive.subject import NotSigned, hashed, read
    from recording.proof.journal import JournalDamage, entries

    settings = configured(configuration)
    try:
        key = node_public_key(settings)
        said = read(_read_text(file), key)
        journal = entries(settings.recordings_journal, key)
        entry = next((one for one in journal if one.number == said["entry"]), None)
    except NotSigned as error:
        fail(f"{file}: {error}")
    except JournalDamage as error:
        fail(error)
    except OSError as error:
        fail(f"{error.filename or settings.recordings_journal}: {error.strerror}")
    number_hash = hashed(bytes.fromhex(said["salt"]), said["number"])
    if entry is None or entry.digest != said["digest"] or entry.about.get("number_hash") != number_hash:
        fail(f"{file}: it is signed by this node, and its journal doesn't have the entry {said['entry']}")
    if as_json:
        print_json(said)
        return
    typer.echo(f"given on {said['at']} by {clean(said['by'])} about {clean(said['number'])}")
    typer.echo(f"recordings erased: {', '.join(said['erased']) or 'none'}")
    for name, reason in said["stay"].items():
        typer.echo(f"  {name} stays: {clean(reason)}")
    typer.echo(f"call records erased: {said['calls_erased']} of {said['calls_found']}")


@recording.command()
def vouch_for_clock(
    configuration: ConfigurationOption = None, as_json: JsonOption = False, why: WhyOption = ""
) -> None:
    """Trust the machine's clock as it is now, so that purges go on.

    Compare it with another clock first: a recording whose time seems over is gone for good.
    """
    from recording.archive.requests import ClockTrusted, VouchForClock

    settings = configured(configuration)
    trusted = asked(settings, VouchForClock(why=why), ClockTrusted)
    if as_json:
        print_json({"doubted": trusted.doubted})
        return
    typer.echo(f"it is {shown_time(now().timestamp())} UTC, and the clock is trusted")
    if trusted.doubted:
        typer.echo(f"it wasn't because: {trusted.doubted}")


def _erase(settings: Configuration, number: str, why: str, receipt: Path, as_json: bool) -> None:
    """Erase calls, then recordings, and write the receipt."""
    from pbx.messages.erasure import erase_messages
    from pbx.store.calls import dialogs_about, erase_number
    from recording.archive.requests import Erased, EraseNumber

    try:  # before anything is gone: a receipt that can't be written is none
        descriptor = os.open(receipt, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as error:
        fail(f"{receipt}: {error.strerror}; nothing was erased")
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        try:
            with database(settings) as opened:
                dialogs = opened.read(lambda connection: dialogs_about(connection, number))
                messages = erase_messages(settings.messages_dir, number, dialogs)
                count = opened.write(lambda connection: erase_number(connection, number), durable=True)
            request = EraseNumber(why=why, number=number, calls_found=count, calls_erased=count)
            done = asked(settings, request, Erased)
        except typer.Exit:
            receipt.unlink()
            raise
        except OSError as error:
            receipt.unlink()
            fail(f"{error.filename or settings.messages_dir}: {error.strerror}; not everything was erased")
        file.write(done.receipt + "\n")
    left = len(_calls_about(settings, number))
    if left:  # of the last minute, or of a worker that can't reach the database
        typer.echo(f"beffroi: {left} call records aren't in the database yet; do this again", err=True)
    if as_json:
        counts = {"calls_erased": count, "calls_left": left, "messages_erased": messages}
        print_json({"erased": done.erased, "stays": done.stays, **counts})
        return
    found = f"{len(done.erased)} recordings, and the number in {count} call records"
    typer.echo(f"erased: {found}, with {messages} SIP messages")
    for name, reason in done.stays.items():
        typer.echo(f"  {name} stays: {clean(reason)}")
    typer.echo(f"receipt: {receipt}")


def _calls_about(settings: Configuration, number: str) -> list[CallRecord]:
    from pbx.cli.history import Wanted, ended_calls
    from pbx.store.database import DatabaseUnavailableError

    with database(settings) as opened:
        try:
            return ended_calls(opened, settings.journal_dir, Wanted(number=number), MOST_CALLS)
        except (DatabaseUnavailableError, OSError) as error:
            fail(f"the call records can't be read: {error}")


def _notes_of(settings: Configuration, calls: Sequence[CallRecord]) -> list[CallNote]:
    from pbx.store.call_notes import notes_of
    from pbx.store.database import DatabaseUnavailableError

    with database(settings) as opened:
        try:
            return opened.read(lambda connection: notes_of(connection, [call.id for call in calls]))
        except DatabaseUnavailableError as error:
            fail(f"the notes about calls can't be read: {error}")


def _note_said(note: CallNote) -> dict[str, str | None]:
    from pbx.records import rfc3339

    return {"call": note.call, "by": note.account, "text": note.text, "at": rfc3339(note.written_at)}


def _write_list(
    path: Path, found: Sequence[Found], calls: Sequence[CallRecord], notes: Sequence[CallNote]
) -> None:
    """Write what is kept about somebody, for them: as JSON, or as a table."""
    from pbx.records import printable

    if path.suffix == ".json":
        said = {
            "recordings": [_printable(one) for one in found],
            "calls": [printable(one) for one in calls],
            "notes": [_note_said(one) for one in notes],
        }
        text = json.dumps(said, ensure_ascii=False, indent=1) + "\n"
    elif path.suffix == ".csv":
        text = _table(found, calls, notes)
    else:
        misused("--export", "name FILE.json or FILE.csv")
    try:
        with os.fdopen(
            os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8"
        ) as file:
            file.write(text)
    except OSError as error:
        fail(f"{path}: {error.strerror}")
    typer.echo(f"{path}: {len(found)} recordings, {len(calls)} calls", err=True)


def _table(found: Sequence[Found], calls: Sequence[CallRecord], notes: Sequence[CallNote]) -> str:
    from pbx.records import rfc3339

    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(("kind", "id", "from", "to", "begun", "ended", "line", "kept until"))
    for one in found:
        times = rfc3339(one.begun), rfc3339(one.ended), one.line, rfc3339(one.over)
        writer.writerow(_harmless(("recording", one.recording, one.caller, one.called, *times)))
    for call in calls:
        times = rfc3339(call.started), rfc3339(call.ended), "", ""
        writer.writerow(_harmless(("call", call.id, call.from_, call.to, *times)))
    for note in notes:
        times = rfc3339(note.written_at), "", "", ""
        writer.writerow(_harmless(("note", note.call, note.account, note.text, *times)))
    return text.getvalue()


def _harmless(cells: Iterable[str | None]) -> list[str]:
    """Cells that no spreadsheet takes for a formula: a caller may choose its name, and +33… is a number."""
    return [f"'{cell}" if cell and cell[0] in "=@-" else cell or "" for cell in cells]


def _number(settings: Configuration, text: str) -> str:
    """A number as recordings are found by it: E.164, or an extension as it is; "" stays ""."""
    if not text:
        return ""
    return whole_number(planned(settings), text)


def whole_number(plan: Plan, text: str) -> str:
    """A number that somebody writes, as E.164, or an extension as it is. What is none ends the command."""
    from dialplan.country import OutsideNumber

    digits = text.translate({ord(one): None for one in " .-()/\u00a0\u202f"})
    if digits.isascii() and digits.isdecimal() and len(digits) <= MOST_EXTENSION_DIGITS:
        return digits
    read = plan.country.read(digits)
    if not isinstance(read, OutsideNumber):
        misused(
            "NUMBER", f'"{clean(text[:40])}" is no number: {read.why}; write +33612345678 or an extension'
        )
    return read.number


def node_public_key(settings: Configuration) -> Ed25519PublicKey:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    path = settings.node_key_file.with_suffix(".pub")
    try:
        key = load_pem_public_key(path.read_bytes())
    except OSError as error:
        fail(f"{path}: {error.strerror}")
    except ValueError:
        fail(f"{path}: is no public key in PEM")
    if not isinstance(key, Ed25519PublicKey):
        fail(f"{path}: the node signs with an Ed25519 key")
    return key


def asked(settings: Configuration, request: Request, kind: type[_Answer]) -> _Answer:
    """What the recorder's process answers; a refusal, or no process, ends the command with a sentence."""
    from pbx.control import NotRunningError
    from recording.archive.requests import Refused, Unanswered, ask

    try:
        answer: Answer = ask(settings.data_dir, request)
    except Unanswered as error:
        if error.silent:
            fail(f"no node runs on {settings.data_dir}; recordings are asked of a running node")
        silence = NotRunningError(str(error))
        silence.__cause__ = error.__cause__
        fail(why_silent(silence, settings.data_dir, ""))
    if isinstance(answer, Refused):
        fail(clean(answer.why))
    assert isinstance(answer, kind)
    return answer


def _print_found(found: Sequence[Found], none: str) -> None:
    if not found:
        typer.echo(none)
        return
    rows = [
        (
            one.recording,
            shown_time(one.begun),
            "goes on" if one.ended is None else f"{one.ended - one.begun:.0f}",
            one.line or one.user,
            one.caller,
            one.called,
            one.policy,
            shown_time(max(one.over or 0.0, one.held_until) or None),
        )
        for one in found
    ]
    columns = ("recording", "begun", "seconds", "line", "from", "to", "policy", "kept until")
    print_table(columns, rows)


def _print_holds(holds: Sequence[HoldMade], as_json: bool, none: str) -> None:
    if as_json:
        print_json([_printable(one) for one in holds])
    elif not holds:
        typer.echo(none)
    else:
        rows = [
            (str(one.number), one.recording, shown_time(one.until), one.by, shown_time(one.made), one.why)
            for one in holds
        ]
        print_table(("hold", "recording", "until", "by", "made", "why"), rows)


def _tell_refused(refused: dict[str, str]) -> None:
    for name, reason in refused.items():
        typer.echo(f"beffroi: {clean(name)}: {clean(reason)}", err=True)
    if refused:
        raise typer.Exit(1)


def _printable(value: Any) -> Any:
    """An answer as `--json` prints it: times as RFC 3339 text."""
    import msgspec

    return _timed(msgspec.to_builtins(value))


def _timed(value: Any, name: str = "") -> Any:
    from pbx.records import rfc3339

    if isinstance(value, dict):
        return {key: _timed(one, key) for key, one in value.items() if key != "type"}
    if isinstance(value, list):
        return [_timed(one) for one in value]
    if name in _TIMES and isinstance(value, float):
        return rfc3339(value) if value else None
    return value


def _read_text(file: Path) -> str:
    with file.open(encoding="utf-8", errors="replace") as opened:
        return opened.read(1_000_000)
