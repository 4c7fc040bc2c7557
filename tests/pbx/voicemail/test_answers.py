"""What pages ask of mailboxes."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from pbx import control
from pbx.voicemail.answers import answer_about_mailboxes
from pbx.voicemail.mailboxes import Message, Voicemail

Result = TypeVar("Result")


async def at_once(work: Callable[[], Result]) -> Result:
    return work()


async def mailbox(folder: Path) -> tuple[Voicemail, Message]:
    """Alice's, with one message."""
    voicemail = Voicemail(folder, apart=at_once)
    message = await voicemail.begin("1001", Message("a1", 1.0, "1002", "Bruno"))
    await voicemail.keep("1001", message, 4.0)
    return voicemail, message


async def test_message_that_is_there_counts_as_heard(tmp_path: Path):
    voicemail, message = await mailbox(tmp_path)
    done = await answer_about_mailboxes(voicemail, control.MarkHeard("1001", message.id))
    assert done == control.MailboxDone()
    assert (voicemail.waiting("1001").new, voicemail.waiting("1001").old) == (0, 1)
    none = await answer_about_mailboxes(voicemail, control.MarkHeard("1001", "zz"))
    assert none.problem == "mailbox 1001 has no message zz"


async def test_greeting_that_was_sent_is_kept_and_dropped(tmp_path: Path):
    voicemail, _ = await mailbox(tmp_path)
    passing = await voicemail.place_for("abc")
    passing.write_bytes(b"sound")
    assert await answer_about_mailboxes(voicemail, control.KeepGreeting("1001", "busy", "abc")) == (
        control.MailboxDone()
    )
    kept = voicemail.greeting("1001", "busy")
    assert kept is not None
    assert kept.read_bytes() == b"sound"
    await answer_about_mailboxes(voicemail, control.DropGreeting("1001", "busy"))
    assert voicemail.greeting("1001", "busy") is None


async def test_what_names_no_sound_or_no_situation_changes_nothing(tmp_path: Path):
    voicemail, _ = await mailbox(tmp_path)
    for question in (
        control.KeepGreeting("1001", "busy", "../2010/a1"),
        control.KeepGreeting("1001", "noon", "abc"),
        control.KeepGreeting("1001", "busy", "nothing"),
        control.DropGreeting("1001", "../x"),
    ):
        assert (await answer_about_mailboxes(voicemail, question)).problem
    assert voicemail.greeting("1001", "busy") is None
