"""A plan that somebody proposes: what is wrong with it, what it changes, and how it comes into force.

The command line and the pages both go this way, one step after the other:

    in_force     which plan it would replace
    examined     the proposed one with the people of the database, and every finding
    comparison   what changes, in words; emergency calls first
    replaced     it is the plan of the configuration, in the history, and a running node has taken it

Nothing here reads a clock, and nothing is asynchronous: the web process does it in a thread.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from dialplan.checking import check
from dialplan.difference import Change, difference
from dialplan.finding import Finding, PlanError
from dialplan.loading import parse_plan
from dialplan.plan import Plan
from pbx.configuration import Configuration
from pbx.control import Counters, NotRunningError, Reloaded, ReloadPlan, Status, ask
from pbx.node.doctor import unset_secrets
from pbx.own_apps import check_apps, folder_of
from pbx.people.devices import with_directory
from pbx.people.directory import Directory
from pbx.plans.history import Entry, HistoryError, PlanHistory

KINDS = ("emergency", "inside", "in", "part")
"""What a change is about, in the order to show: emergency calls, calls from inside, calls from outside, and
parts of the plan without being where calls go."""


class NotTakenError(Exception):
    """The configuration's plan is replaced, and the node keeps the former one; the message says why."""


@dataclass(frozen=True, slots=True)
class InForce:
    """The plan in force.

    version: "" for none; text: "" where it isn't kept, and trouble says why. running: a node has it now.
    in_file: the version of the configuration's plan file, which may hold changes that were never in force.
    """

    version: str
    text: str
    running: bool
    in_file: str
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Examined:
    """A plan that could be read, with the people of the database, and everything about it."""

    plan: Plan
    findings: tuple[Finding, ...]

    @property
    def refused(self) -> bool:
        """Whether a finding is an error: such a plan isn't put in force."""
        return has_error(self.findings)


def is_nobody_there(error: NotRunningError) -> bool:
    """Whether no node runs, as against one that doesn't answer us."""
    return isinstance(error.__cause__, FileNotFoundError | ConnectionRefusedError)


def in_force(settings: Configuration, kept: PlanHistory) -> InForce:
    """Return the plan of the running node; without one, the last that was put in force, or that of the file.

    Raises NotRunningError for a node that runs and doesn't answer, HistoryError for a history that can't be
    read.
    """
    in_file = kept.version_in_file()
    try:
        answer = ask(settings.data_dir, Status())
        assert isinstance(answer, Counters)
        version, running = answer.plan_version, True
    except NotRunningError as error:
        if not is_nobody_there(error):
            raise
        running = False
        version = next((entry.version for entry in reversed(kept.entries())), in_file)
    if not version:
        return InForce("", "", running, in_file)
    try:
        return InForce(version, kept.text(version), running, in_file)
    except HistoryError as error:
        return InForce(version, "", running, in_file, str(error))


def examined(text: str, name: str, settings: Configuration, directory: Directory, now: datetime) -> Examined:
    """Return the plan of a text as it would be in force, and its findings; its own tests are tried.

    name: what the text is called in findings. Raises PlanError, with every error, where it can't be read.
    """
    plan = with_directory(parse_plan(text, name), directory)
    return Examined(plan, tuple(findings_of(plan, settings.plan, now)))


def findings_of(plan: Plan, file: Path, now: datetime) -> list[Finding]:
    """Return everything about a plan that could be read. file: where it is, or will be."""
    # The node looks again, as its own user; here it is enough that they belong to who has the plan.
    owners = frozenset({file.stat().st_uid} if file.exists() else ())
    apps = check_apps(plan, folder_of(file), owners)
    return [*check(plan, now), *unset_secrets(plan, os.environ), *apps]


def has_error(findings: Sequence[Finding]) -> bool:
    """Whether one of the findings is an error."""
    return any(finding.severity == "error" for finding in findings)


def comparison(
    former: InForce, new: Plan, directory: Directory, now: datetime
) -> tuple[Plan, tuple[Change, ...]]:
    """Return the plan in force, with the people of the database, and what changes from it to the new one.

    Raises PlanError where it can't be compared: of an older version of Beffroi, or of people who aren't in
    the database any more.
    """
    old = with_directory(parse_plan(former.text, f"plan {former.version}"), directory)
    return old, difference(old, new, now)


def kind_of(change: Change, old: Plan, new: Plan) -> str:
    """Return what a change is about: one of KINDS."""
    facts = change.facts
    if facts is None:
        return "part"
    if facts.trunk is not None:
        return "in"
    emergency = old.is_emergency(facts.dialled) or new.is_emergency(facts.dialled)
    return "emergency" if emergency else "inside"


def by_kind(changes: Sequence[Change], old: Plan, new: Plan) -> Mapping[str, list[Change]]:
    """Return the changes under what they are about, in the order to show them."""
    found: dict[str, list[Change]] = {kind: [] for kind in KINDS}
    for change in changes:
        found[kind_of(change, old, new)].append(change)
    return found


def replaced(
    settings: Configuration,
    kept: PlanHistory,
    former: InForce,
    text: str,
    *,
    at: float,
    author: str,
    reason: str,
) -> tuple[Entry, bool]:
    """Put a plan in force, and return its entry in the history and whether a running node has it now.

    at: Unix seconds. Calls in progress keep the former one.
    Raises HistoryError, and nothing has changed (ChangedMeanwhileError where somebody else was faster);
    NotTakenError when it is replaced on the disk and the node keeps the former one.
    """
    entry = kept.put(text, expected=former.in_file, former=former.text, at=at, author=author, reason=reason)
    try:
        answer = ask(settings.data_dir, ReloadPlan(author))
    except NotRunningError as error:
        if former.running:
            message = f"{settings.plan} is replaced, and the node no longer answers: {error}"
            raise NotTakenError(message) from None
        return entry, False
    assert isinstance(answer, Reloaded)
    if answer.plan_version != entry.version:
        why = "; ".join(answer.problems) or f"{settings.plan} was changed meanwhile"
        raise NotTakenError(
            f"{settings.plan} is replaced, and the node keeps plan {answer.plan_version}: {why}"
        )
    return entry, True


def unreadable(error: PlanError) -> str:
    """Return the first thing that is wrong with a plan that can't be read, in words."""
    return error.findings[0].message
