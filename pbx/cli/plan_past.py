"""A call that has ended, for `beffroi plan explain --call` and `beffroi call show`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pbx.cli.printing import clean
from pbx.cli.reading import database, fail, people_of

if TYPE_CHECKING:
    from pbx.configuration import Configuration
    from pbx.plans.past_call import PastCall
    from pbx.records import CallRecord


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


def walked(settings: Configuration, record: CallRecord) -> PastCall:
    """Route a past call again, with the people that there are now. Raises NotExplainedError."""
    from pbx.plans.past_call import walked_again

    directory, _ = people_of(settings)
    return walked_again(settings, record, directory)
