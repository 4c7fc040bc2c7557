"""What commands enter into the audit journal, by the system's user who types them.

Always before it is done: in the database's transaction, which ends without a change where nothing can be
entered; and before signalling is asked, whose refusal is entered behind it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING

from pbx.cli.printing import clean
from pbx.cli.reading import fail, now, why_silent

if TYPE_CHECKING:
    from pbx.audit.entry import Entry, Value
    from pbx.configuration import Configuration
    from pbx.control import Answer, Question


def enter_command(settings: Configuration, what: str, /, **about: Value) -> Entry:
    """Write into the audit journal what a command does, by the system's user; it ends where that can't be.

    what: `noun.verb`; about: what else is said, as pbx.audit.journal.Audit.enter.
    """
    from pbx.audit.entry import by_command
    from pbx.audit.journal import AuditJournal, AuditUnavailable, enter_now
    from pbx.node.keys import node_key
    from recording.keys import KeyUnusable

    try:
        journal = AuditJournal(settings.audit_journal, node_key(settings.node_key_file))
        return enter_now(journal, now().timestamp(), what, by_command(), **about)
    except (AuditUnavailable, KeyUnusable, OSError) as error:
        fail(f"this can't be written into the audit journal: {error}")


@contextmanager
def entered(settings: Configuration, what: str, /, **about: Value) -> Iterator[None]:
    """Enter what the block does before it does it; and where it ends the command, that it isn't done."""
    enter_command(settings, what, **about)
    try:
        yield
    except BaseException:
        enter_command(settings, what, **about, not_done=True)
        raise


def entered_question(settings: Configuration, question: Question) -> AbstractContextManager[None]:
    """As `entered`, what a question to signalling changes; nothing where it changes nothing."""
    from pbx.audit.questions import said_of

    what, about = said_of(question)
    return entered(settings, what, **about) if what else nullcontext()


def ask_entered(settings: Configuration, question: Question, mend: str) -> Answer:
    """Enter a question and ask it of the running node; return its answer.

    What it refuses ends the command; where none runs, with `mend`.
    """
    from pbx.control import NotRunningError, ask

    with entered_question(settings, question):
        try:
            answer = ask(settings.data_dir, question)
        except NotRunningError as error:
            fail(why_silent(error, settings.data_dir, mend))
        problem: str = getattr(answer, "problem", "")
        if problem:
            fail(clean(problem))
    return answer
