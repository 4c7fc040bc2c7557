"""`beffroi plan diff|apply|history|rollback`: what a change does is said first, and kept after."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pbx.cli.application import ConfigurationOption, JsonOption
from pbx.cli.plans import author_or_user, findings_of, has_error, plan, refuse
from pbx.cli.printing import clean, print_findings, print_json, print_table, printable_findings, shown_time
from pbx.cli.reading import complain, configured, fail, misused, now, people_of, why_silent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dialplan.difference import Change
    from dialplan.finding import Finding
    from dialplan.plan import Plan
    from pbx.configuration import Configuration
    from pbx.plans.history import Entry, PlanHistory

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
class _Asked:
    """How a plan is to be put in force: the options of `apply` and `rollback`."""

    author: str | None
    reason: str
    yes: bool
    show_all: bool
    as_json: bool


@dataclass(frozen=True, slots=True)
class _InForce:
    """The plan in force. version: "" for none; text: "" where it isn't kept. running: a node has it now."""

    version: str
    text: str
    running: bool


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
            in_force = _in_force(settings, kept)
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
    _put_in_force(settings, text, str(file), _Asked(author, reason, yes, show_all, as_json))


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
    _put_in_force(settings, text, f"plan {wanted}", _Asked(author, why, yes, show_all, as_json))


def _one_before(kept: PlanHistory) -> str:
    entries = kept.entries()
    if not entries or not entries[-1].previous:
        fail("there is no plan before the one in force; `beffroi plan history` shows what there is")
    return entries[-1].previous


def _row(entry: Entry) -> tuple[str, ...]:
    at = shown_time(entry.at)
    return at, entry.version, entry.previous or "-", entry.author, entry.reason


# Putting in force


def _put_in_force(settings: Configuration, text: str, name: str, asked: _Asked) -> None:
    """Check, show, ask, keep and replace, tell the node. name: what the text is called in findings."""
    from pbx.plans.history import HistoryError, PlanHistory

    if asked.as_json and not asked.yes:
        misused("--json", "nobody can be asked; add --yes")
    new, findings = _checked(settings, text, name, as_json=asked.as_json)
    kept = PlanHistory(settings.data_dir, settings.plan)
    in_file = kept.version_in_file()
    former = _in_force(settings, kept)
    if former.running and former.version == new.version == in_file:
        _print_done(new.version, former, (), findings, "is in force already", as_json=asked.as_json)
        return
    changes = _show(settings, former, new, findings, asked)
    if in_file not in ("", former.version, new.version):
        message = f"{settings.plan} holds changes that were never in force; they are kept as {in_file}"
        typer.echo(message, err=True)
    if not asked.yes and not typer.confirm("Put it in force?"):
        fail("the plan stays as it was")
    author, at = author_or_user(asked.author), now().timestamp()
    try:
        kept.put(text, expected=in_file, former=former.text, at=at, author=author, reason=asked.reason)
    except HistoryError as error:
        fail(f"the plan stays as it was: {error}")
    words = _reload(settings, new.version, author, running=former.running)
    _print_done(new.version, former, changes, findings, words, as_json=asked.as_json)


def _checked(settings: Configuration, text: str, name: str, *, as_json: bool) -> tuple[Plan, list[Finding]]:
    """The plan of a text with the people of the database, and its findings; an error ends the command."""
    from dialplan.finding import PlanError
    from dialplan.loading import parse_plan
    from pbx.people.devices import with_directory

    try:
        directory, findings = people_of(settings)
        new = with_directory(parse_plan(text, name), directory)
    except PlanError as error:
        refuse(list(error.findings), as_json)
    findings = [*findings, *findings_of(new, settings.plan)]
    if has_error(findings):
        refuse([finding for finding in findings if finding.severity != "note"], as_json)
    return new, findings


def _show(
    settings: Configuration, former: _InForce, new: Plan, findings: list[Finding], asked: _Asked
) -> tuple[Change, ...]:
    """Show what is worth knowing before the plan is in force, and return its changes."""
    from dialplan.finding import PlanError

    if not asked.as_json:
        print_findings([finding for finding in findings if finding.severity != "note"], err=True)
        if new.tests:
            typer.echo(f"the plan's own tests pass: {len(new.tests)}")
    if not former.text:
        typer.echo("no plan is in force yet: there is nothing to compare with", err=True)
        return ()
    try:
        old = _joined(_parsed(former.text, f"plan {former.version}"), settings)
    except PlanError as error:
        # Of an older version of Beffroi, or of people who aren't in the database any more.
        what = error.findings[0].message
        typer.echo(f"plan {former.version}, now in force, can't be compared: {what}", err=True)
        return ()
    changes = _changes(old, new)
    if not asked.as_json:
        _print_changes(old, new, changes, show_all=asked.show_all)
    return changes


def _reload(settings: Configuration, version: str, author: str, *, running: bool) -> str:
    """Have a running node take the plan in its file, and return how that went, in words."""
    from pbx.control import NotRunningError, Reloaded, ReloadPlan, ask

    try:
        answer = ask(settings.data_dir, ReloadPlan(author))
    except NotRunningError as error:
        if running:
            fail(f"{settings.plan} is replaced, and the node no longer answers: {error}")
        return NOT_RUNNING
    assert isinstance(answer, Reloaded)
    if answer.plan_version != version:
        why = "; ".join(answer.problems) or f"{settings.plan} was changed meanwhile"
        fail(f"{settings.plan} is replaced, and the node keeps plan {answer.plan_version}: {clean(why)}")
    return "is in force"


def _print_done(
    version: str,
    former: _InForce,
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


def _in_force(settings: Configuration, kept: PlanHistory) -> _InForce:
    """The plan of the running node; without one, the last that was put in force, or that of the file."""
    from pbx.control import Counters, NotRunningError, Status, ask
    from pbx.plans.history import HistoryError

    in_file = kept.version_in_file()
    try:
        answer = ask(settings.data_dir, Status())
        assert isinstance(answer, Counters)
        version, running = answer.plan_version, True
    except NotRunningError as error:
        if not isinstance(error.__cause__, FileNotFoundError | ConnectionRefusedError):
            fail(why_silent(error, settings.data_dir, ""))
        running = False
        try:
            version = next((entry.version for entry in reversed(kept.entries())), in_file)
        except HistoryError as trouble:
            fail(trouble)
    if not version:
        return _InForce("", "", running)
    try:
        return _InForce(version, kept.text(version), running)
    except HistoryError as error:
        typer.echo(f"beffroi: plan {version} is in force, and {error}", err=True)
        return _InForce(version, "", running)


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
    shown: dict[str, list[Change]] = {title: [] for title in TITLES}
    for change in changes:
        shown[_kind(change, old, new)].append(change)
    for kind, members in shown.items():
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


def _kind(change: Change, old: Plan, new: Plan) -> str:
    facts = change.facts
    if facts is None:
        return "part"
    if facts.trunk is not None:
        return "in"
    emergency = old.is_emergency(facts.dialled) or new.is_emergency(facts.dialled)
    return "emergency" if emergency else "inside"


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
