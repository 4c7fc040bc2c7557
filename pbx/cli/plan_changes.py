"""`beffroi plan diff|apply|history|rollback`: what a change does is said first, and kept after."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pbx.cli.application import ConfigurationOption, JsonOption
from pbx.cli.entering import entered
from pbx.cli.plans import author_or_user, plan, refuse
from pbx.cli.printing import clean, print_findings, print_json, print_table, printable_findings, shown_time
from pbx.cli.reading import complain, configured, fail, misused, now, people_of, why_silent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dialplan.difference import Change
    from dialplan.finding import Finding
    from dialplan.plan import Plan
    from pbx.configuration import Configuration
    from pbx.people.directory import Directory
    from pbx.plans.history import Entry, PlanHistory
    from pbx.plans.proposal import Examined, InForce

NOT_RUNNING = "is in force when a node starts; none runs now"
TITLES = {
    "emergency": "emergency calls",
    "inside": "calls from inside",
    "in": "calls from outside",
    "part": "parts of the plan",
}
MOST_SHOWN = 15
"""Changes of each kind on the screen; --all shows the others."""

_VERSION = re.compile(r"[0-9a-f]{12}")

AllOption = Annotated[bool, typer.Option("--all", help="Show every change, however many there are.")]
AuthorOption = Annotated[
    str | None, typer.Option(metavar="NAME", help="Who changes the plan. Default: the user of this command.")
]
ReasonOption = Annotated[str, typer.Option(metavar="TEXT", help="Why, for the history.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Don't ask before it is put in force.")]


@dataclass(frozen=True, slots=True)
class Asked:
    """How a plan is to be put in force: the options of `apply` and `rollback`."""

    author: str | None
    reason: str
    yes: bool
    show_all: bool
    as_json: bool


# Commands


@plan.command()
def diff(
    plans: Annotated[
        list[str], typer.Argument(metavar="[OLD] NEW", help="Files or versions. OLD: the plan in force.")
    ],
    configuration: ConfigurationOption = None,
    show_all: AllOption = False,
    as_json: JsonOption = False,
) -> None:
    """Say in words what changes from one plan to another, and for whom.

    The people of the database are seen where a configuration is used.
    """
    if len(plans) > 2:
        misused("[OLD] NEW", f"{len(plans)} plans can't be compared, only two")
    from pbx.plans.history import PlanHistory

    if len(plans) == 2 and configuration is None and all(Path(name).is_file() for name in plans):
        old, new = (_read(_text_of_file(Path(name)), name) for name in plans)
    else:
        settings = configured(configuration)
        kept = PlanHistory(settings.data_dir, settings.plan)
        texts = [_text_of(name, kept) for name in plans]
        if len(plans) == 1:
            in_force = in_force_or_fail(settings, kept)
            if not in_force.text:
                fail("there is no plan in force to compare with; name two plans")
            plans, texts = [f"plan {in_force.version}", *plans], [in_force.text, *texts]
        old, new = (_joined(_read(text, name), settings) for name, text in zip(plans, texts, strict=True))
    changes = _changes(old, new)
    if as_json:
        printed = _printable_changes(changes)
        print_json({"plan_version": new.version, "previous": old.version, "changes": printed})
        return
    _print_changes(old, new, changes, show_all=show_all)


@plan.command()
def apply(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The new plan.")],
    configuration: ConfigurationOption = None,
    author: AuthorOption = None,
    reason: ReasonOption = "",
    yes: YesOption = False,
    show_all: AllOption = False,
    as_json: JsonOption = False,
) -> None:
    """Check a plan, show what it changes, and put it in force; calls in progress keep the former one.

    A plan with an error, or whose own tests fail, is refused. FILE replaces the configuration's plan, and is
    kept in the history.
    """
    settings = configured(configuration)
    text = _text_of_file(file)
    asked = Asked(author, reason, yes, show_all, as_json)
    put_in_force(settings, text, str(file), asked, "plan.apply")


@plan.command()
def history(configuration: ConfigurationOption = None, as_json: JsonOption = False) -> None:
    """List the plans that were put in force, the newest first. Times are in UTC."""
    from pbx.plans.history import HistoryError, PlanHistory
    from pbx.records import rfc3339

    settings = configured(configuration)
    kept = PlanHistory(settings.data_dir, settings.plan)
    try:
        entries = kept.entries()[::-1]
        texts = set(kept.versions())
    except HistoryError as error:
        fail(error)
    if as_json:
        print_json(
            [
                {
                    "at": rfc3339(entry.at),
                    "plan_version": entry.version,
                    "previous": entry.previous,
                    "author": entry.author,
                    "reason": entry.reason,
                    "kept": entry.version in texts,
                }
                for entry in entries
            ]
        )
    elif not entries:
        typer.echo("no plan was put in force yet")
    else:
        print_table(("in force since", "version", "before", "author", "reason"), map(_row, entries))


@plan.command()
def rollback(
    version: Annotated[
        str | None,
        typer.Argument(metavar="VERSION", help="As `plan history` shows it. Default: the one before."),
    ] = None,
    configuration: ConfigurationOption = None,
    author: AuthorOption = None,
    reason: ReasonOption = "",
    yes: YesOption = False,
    show_all: AllOption = False,
    as_json: JsonOption = False,
) -> None:
    """Put an older plan in force again, with the same checks as a new one.

    It is entered in the history in its turn: nothing is taken out of there.
    """
    from pbx.plans.history import HistoryError, PlanHistory

    settings = configured(configuration)
    kept = PlanHistory(settings.data_dir, settings.plan)
    try:
        wanted = version or _one_before(kept)
        text = kept.text(wanted)
    except HistoryError as error:
        fail(error)
    why = reason or f"rollback to {wanted}"
    asked = Asked(author, why, yes, show_all, as_json)
    put_in_force(settings, text, f"plan {wanted}", asked, "plan.rollback")


def _one_before(kept: PlanHistory) -> str:
    entries = kept.entries()
    if not entries or not entries[-1].previous:
        fail("there is no plan before the one in force; `beffroi plan history` shows what there is")
    return entries[-1].previous


def _row(entry: Entry) -> tuple[str, ...]:
    at = shown_time(entry.at)
    return at, entry.version, entry.previous or "-", entry.author, entry.reason


# Putting in force


def put_in_force(
    settings: Configuration, text: str, name: str, asked: Asked, what: str, /, **about: str
) -> None:
    """Check, show, ask, keep and replace, tell the node, enter it in the audit journal.

    name: what the text is called in findings. what, about: for the audit journal.
    """
    from pbx.plans.history import HistoryError, PlanHistory
    from pbx.plans.proposal import NotTakenError, replaced

    if asked.as_json and not asked.yes:
        misused("--json", "nobody can be asked; add --yes")
    directory, notes = _people(settings, as_json=asked.as_json)
    found = _examined(settings, text, name, directory, notes, as_json=asked.as_json)
    new, findings = found.plan, [*notes, *found.findings]
    kept = PlanHistory(settings.data_dir, settings.plan)
    former = in_force_or_fail(settings, kept)
    if former.running and former.version == new.version == former.in_file:
        _print_done(new.version, former, (), findings, "is in force already", as_json=asked.as_json)
        return
    changes = _show(former, new, directory, findings, asked)
    if former.in_file not in ("", former.version, new.version):
        message = f"{settings.plan} holds changes that were never in force; they are kept as {former.in_file}"
        typer.echo(message, err=True)
    if not asked.yes and not typer.confirm("Put it in force?"):
        fail("the plan stays as it was")
    author, at = author_or_user(asked.author), now().timestamp()
    said = {"version": new.version, "previous": former.version, "reason": asked.reason, "author": author}
    with entered(settings, what, **said, **about):
        try:
            _, running = replaced(settings, kept, former, text, at=at, author=author, reason=asked.reason)
        except HistoryError as error:
            fail(f"the plan stays as it was: {error}")
        except NotTakenError as error:
            fail(clean(str(error)))
    words = "is in force" if running else NOT_RUNNING
    _print_done(new.version, former, changes, findings, words, as_json=asked.as_json)


def _people(settings: Configuration, *, as_json: bool) -> tuple[Directory, list[Finding]]:
    """The people of the database and what is worth telling of it; where they can't be read, the end."""
    from dialplan.finding import PlanError

    try:
        return people_of(settings)
    except PlanError as error:
        refuse(list(error.findings), as_json)


def _examined(
    settings: Configuration,
    text: str,
    name: str,
    directory: Directory,
    notes: Sequence[Finding],
    *,
    as_json: bool,
) -> Examined:
    """The plan of a text with the people of the database, and its findings; an error ends the command."""
    from dialplan.finding import PlanError
    from pbx.plans.proposal import examined

    try:
        found = examined(text, name, settings, directory, now())
    except PlanError as error:
        refuse(list(error.findings), as_json)
    if found.refused:
        refuse([one for one in (*notes, *found.findings) if one.severity != "note"], as_json)
    return found


def _show(
    former: InForce, new: Plan, directory: Directory, findings: list[Finding], asked: Asked
) -> tuple[Change, ...]:
    """Show what is worth knowing before the plan is in force, and return its changes."""
    from dialplan.finding import PlanError
    from pbx.plans.proposal import comparison, unreadable

    if not asked.as_json:
        print_findings([finding for finding in findings if finding.severity != "note"], err=True)
        if new.tests:
            typer.echo(f"the plan's own tests pass: {len(new.tests)}")
    if not former.text:
        typer.echo("no plan is in force yet: there is nothing to compare with", err=True)
        return ()
    try:
        old, changes = comparison(former, new, directory, now())
    except PlanError as error:
        what = unreadable(error)
        typer.echo(f"plan {former.version}, now in force, can't be compared: {what}", err=True)
        return ()
    if not asked.as_json:
        _print_changes(old, new, changes, show_all=asked.show_all)
    return changes


def _print_done(
    version: str,
    former: InForce,
    changes: Sequence[Change],
    findings: list[Finding],
    words: str,
    *,
    as_json: bool,
) -> None:
    if not as_json:
        typer.echo(f"plan {version} {words}")
        return
    print_json(
        {
            "plan_version": version,
            "previous": former.version,
            "in_force": words != NOT_RUNNING,
            "changes": _printable_changes(changes),
            "findings": printable_findings(findings),
        }
    )


# Which plans


def in_force_or_fail(settings: Configuration, kept: PlanHistory) -> InForce:
    """The plan in force; what keeps us from knowing it ends the command."""
    from pbx.control import NotRunningError
    from pbx.plans.history import HistoryError
    from pbx.plans.proposal import in_force

    try:
        found = in_force(settings, kept)
    except NotRunningError as error:
        fail(why_silent(error, settings.data_dir, ""))
    except HistoryError as error:
        fail(error)
    if found.trouble:
        typer.echo(f"beffroi: plan {found.version} is in force, and {found.trouble}", err=True)
    return found


def _text_of_file(file: Path) -> str:
    from dialplan.document import read_text
    from dialplan.finding import PlanError

    try:
        return read_text(file)
    except PlanError as error:
        complain(error.findings)


def _text_of(name: str, kept: PlanHistory) -> str:
    """The text of a file, or of a version."""
    from pbx.plans.history import HistoryError

    if Path(name).exists() or not _VERSION.fullmatch(name):
        return _text_of_file(Path(name))
    try:
        return kept.text(name)
    except HistoryError as error:
        fail(error)


def _parsed(text: str, name: str) -> Plan:
    """The plan of a text. Raises PlanError."""
    from dialplan.loading import parse_plan

    return parse_plan(text, name)


def _read(text: str, name: str) -> Plan:
    """The plan of a text; its errors end the command."""
    from dialplan.finding import PlanError

    try:
        return _parsed(text, name)
    except PlanError as error:
        complain(error.findings)


def _joined(read: Plan, settings: Configuration) -> Plan:
    """A plan with the people of the database. Raises PlanError where they can't be read."""
    from pbx.people.devices import with_directory

    directory, _ = people_of(settings)
    return with_directory(read, directory)


# Changes


def _changes(old: Plan, new: Plan) -> tuple[Change, ...]:
    from dialplan.difference import difference

    return difference(old, new, now())


def _print_changes(old: Plan, new: Plan, changes: Sequence[Change], *, show_all: bool) -> None:
    """Changes under what they are about, emergency calls first, and how many there are."""
    if old.version == new.version:
        typer.echo(f"both are plan {new.version}")
        return
    if not changes:
        typer.echo(f"plan {new.version} instead of {old.version}: nothing changes for anybody")
        return
    from pbx.plans.proposal import by_kind

    for kind, members in by_kind(changes, old, new).items():
        if not members:
            continue
        typer.echo(f"{TITLES[kind]}:")
        most = len(members) if show_all else MOST_SHOWN
        for change in members[:most]:
            typer.echo(f"  {clean(str(change))}")
        if len(members) > most:
            typer.echo(f"  ... and {len(members) - most} more; --all shows them")
    counted = f"{len(changes)} change{'' if len(changes) == 1 else 's'}"
    typer.echo(f"plan {new.version} instead of {old.version}: {counted}")


def _printable_changes(changes: Sequence[Change]) -> list[dict[str, Any]]:
    from pbx.records import rfc3339

    return [
        {
            "who": change.who,
            "before": change.before,
            "after": change.after,
            "callers": list(change.callers),
            "dialled": change.facts.dialled if change.facts is not None else None,
            "at": rfc3339(change.instant.timestamp()) if change.instant is not None else None,
        }
        for change in changes
    ]
