"""What pages ask of mailboxes besides reading them, and what they are answered."""

from __future__ import annotations

import re
from typing import Final

from pbx import control
from pbx.voicemail.mailboxes import SITUATIONS, Voicemail, VoicemailError

_RECORDED: Final = re.compile(r"[0-9A-Za-z]{1,64}")


async def answer_about_mailboxes(
    voicemail: Voicemail, question: control.MailboxQuestion
) -> control.MailboxDone:
    """Return what became of a question. What can't be done is said, and changes nothing."""
    try:
        match question:
            case control.MarkHeard(mailbox, message):
                return await _mark_heard(voicemail, mailbox, message)
            case control.KeepGreeting(mailbox, situation, recorded):
                return await _keep_greeting(voicemail, mailbox, situation, recorded)
            case control.DropGreeting(mailbox, situation):
                if situation not in SITUATIONS:
                    return _no_situation(situation)
                await voicemail.drop_greeting(mailbox, situation)
                return control.MailboxDone()
    except VoicemailError as error:
        return control.MailboxDone(str(error))


async def _mark_heard(voicemail: Voicemail, mailbox: str, message: str) -> control.MailboxDone:
    if all(one.id != message for one in voicemail.messages(mailbox)):
        return control.MailboxDone(f"mailbox {mailbox[:60]} has no message {message[:60]}")
    await voicemail.mark_heard(mailbox, message)
    return control.MailboxDone()


async def _keep_greeting(
    voicemail: Voicemail, mailbox: str, situation: str, recorded: str
) -> control.MailboxDone:
    if situation not in SITUATIONS:
        return _no_situation(situation)
    if not _RECORDED.fullmatch(recorded):
        return control.MailboxDone("this names no sound")
    await voicemail.keep_greeting(mailbox, situation, await voicemail.place_for(recorded))
    return control.MailboxDone()


def _no_situation(situation: str) -> control.MailboxDone:
    return control.MailboxDone(f"a greeting is for {', '.join(SITUATIONS)}, not {situation[:60]}")
