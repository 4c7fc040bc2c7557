"""`beffroi call`: the records of past calls, and why each went where it went."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pbx.cli.application import ConfigurationOption, JsonOption, application
from pbx.cli.printing import clean, print_json, print_table, shown_time
from pbx.cli.reading import configured, database, fail, misused, now

if TYPE_CHECKING:
    from pbx.cli.history import Wanted
    from pbx.configuration import Configuration
    from pbx.records import CallRecord, Interval

MOST_LISTED = 100_000
MOST_CHILDREN = 1000
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


@call.command("list")
def list_(
    configuration: ConfigurationOption = None,
    as_json: JsonOption = False,
    number: Annotated[
        str | None, typer.Option(help="Only calls from this number, to it, or that dialled it.")
    ] = None,
    since: Annotated[
        str | None, typer.Option(help='Only calls that began then or later: "2026-12-25 10:00" (UTC), or 2h.')
    ] = None,
    until: Annotated[str | None, typer.Option(help="Only calls that began before then.")] = None,
    direction: Annotated[Direction | None, typer.Option(help="Only calls in this direction.")] = None,
    limit: Annotated[
        int, typer.Option(min=1, max=MOST_LISTED, help="At most this many, the newest ones.")
    ] = 100,
) -> None:
    """List calls that have ended, the newest first. Times are in UTC."""
    from pbx.cli.history import Wanted
    from pbx.records import printable

    settings = configured(configuration)
    if number is not None and not number.isprintable():
        misused("--number", "this is no number, such as 1001 or +33612345678")
    wanted = Wanted(
        since=read_since(since, "--since"),
        until=read_since(until, "--until"),
        number=number,
        direction=direction.value if direction is not None else None,
    )
    records = _ended_calls(settings, wanted, limit)
    if as_json:
        print_json([printable(record) for record in records])
        return
    if not records:
        typer.echo("no ended call" if wanted == Wanted() else "no ended call is like this")
        return
    print_table(("id", "started", "from", "dialled", "to", "seconds", "cause"), map(_row, records))


@call.command()
def show(
    call_id: Annotated[str, typer.Argument(metavar="ID", help="The call's id, as `call list` shows it.")],
    configuration: ConfigurationOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one call: its legs, who heard whom, and why it went where it went. Times are in UTC."""
    from pbx.cli.history import Wanted
    from pbx.records import printable

    settings = configured(configuration)
    # Ids are ASCII; what isn't even text (bytes of a shell) is not a thing to ask a database.
    records = _ended_calls(settings, Wanted(call_id=call_id), limit=1) if call_id.isascii() else []
    if not records:
        fail(f'no ended call has the id "{clean(call_id[:60])}"; `beffroi call list` shows the ids')
    record = records[0]
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
    from pbx.cli.plan_past import NotExplainedError, walked_again

    why: dict[str, Any] = {"plan_version": record.plan_version, "steps": [], "lines": [], "note": ""}
    try:
        past = walked_again(settings, record)
    except NotExplainedError as error:
        return {**why, "note": str(error)}
    trace = past.decision.trace
    return {
        **why,
        "steps": [{"line": step.line, "rule": step.rule, "outcome": step.outcome} for step in trace],
        "lines": explain(past.plan, past.decision),
        "note": "walked again with the plan of that time and the people there are now",
    }
