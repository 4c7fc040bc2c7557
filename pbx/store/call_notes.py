"""What people note about calls: one note of each account for a call, beside its record.

A note may be written while the call goes on. It goes with whatever is erased about a number: what somebody
wrote of a caller is about the caller.
"""

from collections.abc import Sequence
from typing import NamedTuple

import sqlalchemy as sa

from pbx.store.schema import call_notes, missed_seen

_AT_ONCE = 500


class CallNote(NamedTuple):
    """One note. account: whose; written_at: Unix seconds."""

    call: str
    account: str
    text: str
    written_at: float


def own_notes(connection: sa.Connection, account: str, calls: Sequence[str]) -> dict[str, CallNote]:
    """Return what an account has noted about these calls, by call."""
    found: dict[str, CallNote] = {}
    for first in range(0, len(calls), _AT_ONCE):
        some = calls[first : first + _AT_ONCE]
        query = sa.select(call_notes).where(call_notes.c.account == account, call_notes.c.call_id.in_(some))
        found |= {row[0]: CallNote(*row) for row in connection.execute(query)}
    return found


def notes_of(connection: sa.Connection, calls: Sequence[str]) -> list[CallNote]:
    """Return everybody's notes about these calls, the oldest first."""
    found: list[CallNote] = []
    for first in range(0, len(calls), _AT_ONCE):
        query = sa.select(call_notes).where(call_notes.c.call_id.in_(calls[first : first + _AT_ONCE]))
        found += [CallNote(*row) for row in connection.execute(query)]
    return sorted(found, key=lambda note: note.written_at)


def keep_note(connection: sa.Connection, note: CallNote) -> None:
    """Keep a note in place of the one before; one without a text is none."""
    here = (call_notes.c.call_id == note.call, call_notes.c.account == note.account)
    connection.execute(sa.delete(call_notes).where(*here))
    if note.text:
        values = {"call_id": note.call, "account": note.account}
        connection.execute(sa.insert(call_notes).values(**values, text=note.text, written_at=note.written_at))


def erase_notes(connection: sa.Connection, calls: Sequence[str]) -> int:
    """Erase everybody's notes about these calls; return how many there were."""
    erased = 0
    for first in range(0, len(calls), _AT_ONCE):
        these = call_notes.c.call_id.in_(calls[first : first + _AT_ONCE])
        erased += connection.execute(sa.delete(call_notes).where(these)).rowcount
    return erased


def missed_seen_until(connection: sa.Connection, account: str) -> float:
    """Return until when an account has seen its missed calls, in Unix seconds; 0 for never."""
    wanted = sa.select(missed_seen.c.until).where(missed_seen.c.account == account)
    return float(connection.execute(wanted).scalar() or 0.0)


def see_missed(connection: sa.Connection, account: str, until: float) -> None:
    """The missed calls before an instant are seen."""
    connection.execute(sa.delete(missed_seen).where(missed_seen.c.account == account))
    connection.execute(sa.insert(missed_seen).values(account=account, until=until))
