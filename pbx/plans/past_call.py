"""A call that has ended, walked again through the plan that it ran under."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from dialplan.decision import Decision, Facts
from dialplan.finding import PlanError
from dialplan.loading import parse_plan
from dialplan.plan import Plan
from dialplan.routing import route_thoroughly
from pbx.configuration import Configuration
from pbx.people.devices import with_directory
from pbx.people.directory import Directory, PeopleError, extension_of
from pbx.plans.history import HistoryError, PlanHistory
from pbx.records import CallRecord

NOT_RECORDED: tuple[str, ...] = (
    "the people of the database as they were: those of now are taken",
    "forwards, and what was opened or closed by hand",
    "trunks that were down",
    "what was spent of budgets",
)
"""What decides of a call and isn't in its record, whoever calls."""


@dataclass(frozen=True, slots=True)
class PastCall:
    """A past call's way. caller: as recorded. unknown: what isn't in its record, in words."""

    plan: Plan
    decision: Decision
    caller: str
    instant: datetime
    unknown: tuple[str, ...]


class NotExplainedError(Exception):
    """A past call can't be walked again; the message says why."""


def walked_again(settings: Configuration, record: CallRecord, directory: Directory) -> PastCall:
    """Route a past call again, by the plan of its time and the facts of its record.

    directory: the people there are now. Raises NotExplainedError where the plan isn't kept or can't be read
    any more.
    """
    try:
        kept = PlanHistory(settings.data_dir, settings.plan)
        text = kept.text(record.plan_version)
        # The lines that are told are those of this file.
        is_present = kept.version_in_file() == record.plan_version
        file = settings.plan if is_present else kept.path(record.plan_version)
        plan = with_directory(parse_plan(text, str(file)), directory)
    except HistoryError as error:
        raise NotExplainedError(f"this call ran under plan {record.plan_version}, and {error}") from None
    except PlanError as error:
        what = error.findings[0].message
        raise NotExplainedError(f"plan {record.plan_version} can't be read any more: {what}") from None
    facts, unknown = _facts(record, directory)
    instant = datetime.fromtimestamp(record.started, UTC)
    return PastCall(plan, route_thoroughly(plan, facts, instant), record.from_, instant, unknown)


def _facts(record: CallRecord, directory: Directory) -> tuple[Facts, tuple[str, ...]]:
    """What was known of the call, and what isn't known now."""
    device, address = "", None
    unknown = NOT_RECORDED
    if record.legs:
        device = record.legs[0].device
        address = record.legs[0].address.rpartition(":")[0].strip("[]")
    else:
        unknown = ("the caller's device and its address", *unknown)
    if record.direction == "inbound":
        if not record.from_:
            unknown = ("the caller's number", *unknown)
        called = Facts(
            record.dialled,
            trunk=device,
            caller_number=record.from_ or None,
            anonymous=not record.from_,
            address=address,
        )
        return called, unknown
    sites = {known.sign_in: known.site for person in directory.people for known in person.devices}
    try:
        extension = extension_of(device)
    except PeopleError:
        extension = record.from_
    return Facts(record.dialled, caller=extension, address=address, site=sites.get(device)), unknown
