"""`beffroi plan explain --call`: a call that has ended, walked again through the plan that it ran under."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pbx.cli.printing import clean
from pbx.cli.reading import database, fail, people_of

if TYPE_CHECKING:
    from dialplan.decision import Decision, Facts
    from dialplan.plan import Plan
    from pbx.configuration import Configuration
    from pbx.people.directory import Directory
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


def recorded_call(settings: Configuration, call_id: str) -> CallRecord:
    """The record of a call that has ended; without one, the command ends."""
    from pbx.cli.history import Wanted, ended_calls

    with database(settings) as opened:
        try:
            # Ids are ASCII; what isn't even text (bytes of a shell) is not a thing to ask a database.
            wanted = Wanted(call_id=call_id)
            records = ended_calls(opened, settings.journal_dir, wanted, 1) if call_id.isascii() else []
        except OSError as error:
            fail(f"{settings.journal_dir}: the journal can't be read: {error.strerror or error}")
    if not records:
        fail(f'no ended call has the id "{clean(call_id[:60])}"; `beffroi call list` shows the ids')
    return records[0]


def walked_again(settings: Configuration, record: CallRecord) -> PastCall:
    """Route a past call again, by the plan of its time and the facts of its record.

    Raises NotExplainedError where the plan isn't kept or can't be read any more.
    """
    from dialplan.finding import PlanError
    from dialplan.loading import parse_plan
    from dialplan.routing import route_thoroughly
    from pbx.people.devices import with_directory
    from pbx.plans.history import HistoryError, PlanHistory

    try:
        kept = PlanHistory(settings.data_dir, settings.plan)
        text = kept.text(record.plan_version)
        # The lines that are told are those of this file.
        is_present = kept.version_in_file() == record.plan_version
        file = settings.plan if is_present else kept.path(record.plan_version)
        directory, _ = people_of(settings)
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
    from dialplan.decision import Facts
    from pbx.people.directory import PeopleError, extension_of

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
