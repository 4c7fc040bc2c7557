"""`beffroi call`: the records of past calls, and why each went where it went."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from pbx.cli.application import ConfigurationOption, JsonOption, application
from pbx.cli.printing import clean, print_json, print_table, shown_time
from pbx.cli.reading import configured, database, fail, misused, now, people_of, planned

if TYPE_CHECKING:
    from pbx.cli.history import Wanted
    from pbx.configuration import Configuration
    from pbx.records import CallRecord, Interval

MOST_LISTED = 100_000
MOST_CHILDREN = 1000
MOST_EXPORTED = 1_000_000
_AGO = re.compile(r"([0-9]{1,5}) ?(m|h|d)")
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}

call = typer.Typer(
    help="The records of past calls, and what may be done with those in progress.", no_args_is_help=True
)
application.add_typer(call, name="call")


class Direction(StrEnum):
    """Which way a call went."""

    INTERNAL = "internal"
    INBOUND = "inbound"
    OUTBOUND = "outbound"


NameOption = Annotated[
    str, typer.Option(help="Only calls of a caller, or of somebody of ours, whose name has such words.")
]
PartyOption = Annotated[
    list[str] | None,
    typer.Option(help="Only calls in which this extension, service or trunk had a part; may be repeated."),
]
MissedOption = Annotated[bool, typer.Option("--missed", help="Only calls that nobody answered.")]
RecordedOption = Annotated[bool, typer.Option("--recorded", help="Only calls of which some was recorded.")]
QualityOption = Annotated[
    float | None, typer.Option(min=1, max=5, help="Only calls in which somebody was heard worse (MOS).")
]
NumberOption = Annotated[
    str | None, typer.Option(help="Only calls from this number, to it, or that dialled it, in any form.")
]
SinceOption = Annotated[
    str | None, typer.Option(help='Only calls that began then or later: "2026-12-25 10:00" (UTC), or 2h.')
]
UntilOption = Annotated[str | None, typer.Option(help="Only calls that began before then.")]
DirectionOption = Annotated[Direction | None, typer.Option(help="Only calls in this direction.")]
IdArgument = Annotated[str, typer.Argument(metavar="ID", help="The call's id, as `call list` shows it.")]


class _Asked(NamedTuple):
    """What the options ask of calls, as they were written."""

    number: str | None = None
    since: str | None = None
    until: str | None = None
    direction: Direction | None = None
    name: str = ""
    party: list[str] = []  # noqa: RUF012 (nobody changes it)
    missed: bool = False
    recorded: bool = False
    quality_below: float | None = None


@call.command("list")
def list_(
    configuration: ConfigurationOption = None,
    as_json: JsonOption = False,
    number: NumberOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    direction: DirectionOption = None,
    name: NameOption = "",
    party: PartyOption = None,
    missed: MissedOption = False,
    recorded: RecordedOption = False,
    quality_below: QualityOption = None,
    limit: Annotated[
        int, typer.Option(min=1, max=MOST_LISTED, help="At most this many, the newest ones.")
    ] = 100,
) -> None:
    """List calls that have ended, the newest first. Times are in UTC."""
    from pbx.records import printable

    settings = configured(configuration)
    asked = _Asked(number, since, until, direction, name, party or [], missed, recorded, quality_below)
    wanted = _wanted(settings, asked)
    records = _ended_calls(settings, wanted, limit)
    if as_json:
        print_json([printable(record) for record in records])
        return
    if not records:
        typer.echo("no ended call" if asked == _Asked() else "no ended call is like this")
        return
    print_table(("id", "started", "from", "dialled", "to", "seconds", "cause"), map(_row, records))


@call.command()
def show(
    call_id: IdArgument,
    configuration: ConfigurationOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one call: its legs, who heard whom, and why it went where it went. Times are in UTC."""
    from pbx.cli.history import Wanted
    from pbx.records import printable

    settings = configured(configuration)
    record = _recorded(settings, call_id)
    children = _ended_calls(settings, Wanted(parent=record.id), limit=MOST_CHILDREN)
    why = _why(settings, record)
    if as_json:
        print_json({**printable(record), "children": [child.id for child in children], "why": why})
        return
    _print_call(record, children)
    typer.echo("why")
    for line in why["lines"]:
        typer.echo(f"  {clean(line)}")
    if why["note"]:
        typer.echo(f"  {why['note']}")


@call.command()
def explain(
    call_id: IdArgument, configuration: ConfigurationOption = None, as_json: JsonOption = False
) -> None:
    """Say why a call went where it went, by the plan of its time."""
    settings = configured(configuration)
    why = _why(settings, _recorded(settings, call_id))
    if as_json:
        print_json(why)
        return
    for line in why["lines"]:
        typer.echo(clean(line))
    if why["note"]:
        typer.echo(why["note"])


@call.command()
def ladder(
    call_id: IdArgument,
    configuration: ConfigurationOption = None,
    as_json: JsonOption = False,
    texts: Annotated[bool, typer.Option("--texts", help="Print the messages whole, too.")] = False,
) -> None:
    """Draw a call's SIP messages, as they were sent. Passwords, keys and digits were never kept."""
    from msgspec import to_builtins

    from pbx.messages.drawing import drawing_of
    from pbx.messages.index import kept_since, messages_of
    from pbx.messages.ladder import call_ids_of, ladder_of, span_of

    settings = configured(configuration)
    record = _recorded(settings, call_id)
    folder = settings.messages_dir
    try:
        found = messages_of(folder, call_ids_of(record), *span_of(record))
        drawn = ladder_of(record, found, kept_since(folder))
    except OSError as error:
        fail(f"{error.filename or folder}: the messages can't be read: {error.strerror or error}")
    if as_json:
        rows = [{**to_builtins(row), "label": row.label} for row in drawn.rows]
        print_json({"columns": to_builtins(drawn.columns), "rows": rows, "is_whole": drawn.is_whole})
        return
    if not drawn.rows:
        fail("its messages aren't kept, or not any more: `messages:` in the configuration says how long")
    for line in drawing_of(drawn, times=True):
        typer.echo(clean(line))
    if not drawn.is_whole:
        typer.echo("the first messages of this call aren't kept any more")
    for row in drawn.rows if texts else ():
        typer.echo(f"\n{shown_time(row.at)} {row.transport} {clean(row.sender)} to {clean(row.receiver)}")
        for line in row.text.splitlines():
            typer.echo(f"  {clean(line)}")


@call.command()
def export(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where the table goes: FILE.csv.")],
    configuration: ConfigurationOption = None,
    number: NumberOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    direction: DirectionOption = None,
    name: NameOption = "",
    party: PartyOption = None,
    missed: MissedOption = False,
    recorded: RecordedOption = False,
    quality_below: QualityOption = None,
) -> None:
    """Write past calls as a table for spreadsheets (CSV), the newest first."""
    from pbx.call_table import heading, lines_of

    settings = configured(configuration)
    asked = _Asked(number, since, until, direction, name, party or [], missed, recorded, quality_below)
    records = _ended_calls(settings, _wanted(settings, asked), MOST_EXPORTED)
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with os.fdopen(os.open(file, flags, 0o600), "w", encoding="utf-8", newline="") as table:
            table.write(heading())
            table.write(lines_of(records))
    except OSError as error:
        fail(f"{file}: {error.strerror}")
    typer.echo(f"{file}: {len(records)} calls", err=True)


def read_since(text: str | None, option: str) -> float | None:
    """Unix seconds of an option, such as 2h or "2026-12-25 10:00"; None where it wasn't given."""
    if text is None:
        return None
    ago = _AGO.fullmatch(text)
    if ago is not None:
        return (now() - int(ago[1]) * _UNITS[ago[2]]).timestamp()
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        message = f'"{text[:60]}" is no time; write "2026-12-25 10:00", 2026-12-25, or 30m, 2h, 7d for ago'
        misused(option, message)
    return (instant if instant.tzinfo is not None else instant.replace(tzinfo=UTC)).timestamp()


def _wanted(settings: Configuration, asked: _Asked) -> Wanted:
    """What the options ask for. One that can't be ends the command."""
    from pbx.cli.history import Wanted
    from pbx.store.call_search import Search

    if asked.number is not None and not asked.number.isprintable():
        misused("--number", "this is no number, such as 1001 or +33612345678")
    if not "".join((asked.name, *asked.party)).isprintable():
        misused("--name, --party", "this is no name")
    groups: list[tuple[str, ...]] = [(one,) for one in asked.party]
    if asked.number is not None:
        groups.append(_forms_of(settings, asked.number))
    search = Search(
        terms=tuple(groups),
        name=asked.name,
        numbers_of_name=_numbers_of(settings, asked.name) if asked.name else (),
        since=read_since(asked.since, "--since"),
        until=read_since(asked.until, "--until"),
        direction=asked.direction.value if asked.direction is not None else "",
        outcome="missed" if asked.missed else None,
        recorded=asked.recorded,
        quality_below=asked.quality_below,
    )
    return Wanted(search=search)


def _forms_of(settings: Configuration, number: str) -> tuple[str, ...]:
    """A number as records may have it: as it is written, and in full where the plan can be read."""
    from pbx.cli.recordings import whole_number
    from pbx.store.call_search import LEAST_OUTSIDE_DIGITS

    digits = sum(one.isdecimal() for one in number)
    if digits < LEAST_OUTSIDE_DIGITS or not all(one.isdecimal() or one in "+ .-()/" for one in number):
        return (number,)
    return tuple(dict.fromkeys((number, whole_number(planned(settings), number))))


def _numbers_of(settings: Configuration, name: str) -> tuple[str, ...]:
    """The extensions of those of ours whose name has these words."""
    from pbx.store.calls import is_named

    directory, _ = people_of(settings)
    known = {person.extension: person.name for person in directory.people}
    known |= {one.extension: one.name for one in planned(settings).people.values()}
    return tuple(extension for extension, known_as in known.items() if is_named(known_as, name))


def _recorded(settings: Configuration, call_id: str) -> CallRecord:
    from pbx.cli.plan_past import recorded_call

    return recorded_call(settings, call_id)


def _ended_calls(settings: Configuration, wanted: Wanted, limit: int) -> list[CallRecord]:
    from pbx.cli.history import ended_calls

    with database(settings) as opened:
        try:
            return ended_calls(opened, settings.journal_dir, wanted, limit)
        except OSError as error:
            fail(f"{settings.journal_dir}: the journal can't be read: {error.strerror or error}")


def _row(record: CallRecord) -> tuple[str, ...]:
    seconds = f"{record.ended - record.answered:.0f}" if record.answered is not None else ""
    caller = f"{record.from_} {record.from_name}".strip()
    return record.id, shown_time(record.started), caller, record.dialled, record.to, seconds, record.cause


def _print_call(record: CallRecord, children: list[CallRecord]) -> None:
    lines = {
        "call": record.id,
        "direction": record.direction,
        "from": f"{record.from_} {record.from_name}".strip() or "-",
        "dialled": record.dialled,
        "to": record.to or "-",
        "started": shown_time(record.started),
        "answered": shown_time(record.answered),
        "ended": shown_time(record.ended),
        "cause": record.cause,
        "plan": record.plan_version,
    }
    if record.plan_lines:
        lines["plan lines"] = " ".join(str(line) for line in record.plan_lines if line)
    if record.parents:
        lines["made for"] = " ".join(record.parents)
    if children:
        lines["led to"] = " ".join(child.id for child in reversed(children))
    for name, value in lines.items():
        typer.echo(f"{name:<10} {clean(value)}")
    print_table(
        (
            *("party", "how", "device", "address", "transport", "codec", "media", "mos"),
            *("started", "answered", "ended", "cause"),
        ),
        (
            (
                leg.number or "-",
                f"{leg.reached} {leg.via}".strip() or "-",
                leg.device,
                leg.address,
                leg.transport,
                leg.codec or "-",
                leg.media or "-",
                f"{leg.quality.mos:.1f}" if leg.quality is not None else "-",
                shown_time(leg.started),
                shown_time(leg.answered),
                shown_time(leg.ended),
                leg.cause,
            )
            for leg in record.legs
        ),
    )
    if record.intervals:
        print_table(("from", "to", "seconds", "what"), (_interval(record, one) for one in record.intervals))


def _interval(record: CallRecord, one: Interval) -> tuple[str, ...]:
    """An interval as a row: `1001 and 1002 talked`."""
    numbers = {leg.name: leg.number or leg.device for leg in record.legs}
    who = " and ".join(numbers.get(name, name) for name in one.legs)
    match one.kind:
        case "talk":
            what = f"{who} talked"
        case "held":
            what = f"{who} on hold"
        case "transfer":
            what = f"{who} was being transferred"
        case _:
            what = f"{who}: {one.kind} {one.where}".strip()
    seconds = f"{one.ended - one.started:.0f}" if one.ended is not None else ""
    return shown_time(one.started), shown_time(one.ended), seconds, what


def _why(settings: Configuration, record: CallRecord) -> dict[str, Any]:
    """The way through the plan of that time, walked again.

    `steps` and `lines` are empty, and `note` says why, where that plan isn't kept any more.
    """
    from dialplan.explaining import explain
    from pbx.cli.plan_past import walked
    from pbx.plans.past_call import NotExplainedError

    why: dict[str, Any] = {"plan_version": record.plan_version, "steps": [], "lines": [], "note": ""}
    try:
        past = walked(settings, record)
    except NotExplainedError as error:
        return {**why, "note": str(error)}
    trace = past.decision.trace
    return {
        **why,
        "steps": [{"line": step.line, "rule": step.rule, "outcome": step.outcome} for step in trace],
        "lines": explain(past.plan, past.decision),
        "note": "walked again with the plan of that time and the people there are now",
    }
