"""`beffroi voicemail`: the messages that callers left, from a terminal."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pbx.cli.application import ConfigurationOption, JsonOption, application
from pbx.cli.entering import ask_entered
from pbx.cli.printing import clean, print_json, print_table, shown_time
from pbx.cli.reading import configured, fail

if TYPE_CHECKING:
    from pbx.configuration import Configuration
    from pbx.voicemail.mailboxes import Message

voicemail = typer.Typer(help="Messages that callers left.", no_args_is_help=True)
application.add_typer(voicemail, name="voicemail")

MailboxArgument = Annotated[
    str, typer.Argument(metavar="MAILBOX", help="An extension, or the `mailbox:` of a service.")
]
MessageArgument = Annotated[str, typer.Argument(metavar="MESSAGE", help="Its id, as `list` shows it.")]


@voicemail.command("list")
def list_(
    mailbox: Annotated[str, typer.Argument(metavar="[MAILBOX]", help="One mailbox. Default: all.")] = "",
    configuration: ConfigurationOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the messages, oldest first. It works without a running node."""
    found = [
        (name, message)
        for name, messages in _messages(configured(configuration)).items()
        for message in messages
        if mailbox in ("", name)
    ]
    if as_json:
        print_json([_printable(name, message) for name, message in found])
    elif not found:
        typer.echo("no messages")
    else:
        columns = ("mailbox", "message", "at", "from", "name", "seconds", "")
        print_table(columns, [_row(name, message) for name, message in found])


@voicemail.command()
def export(
    mailbox: MailboxArgument,
    message: MessageArgument,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A new file for the sound (WAV).")],
    configuration: ConfigurationOption = None,
) -> None:
    """Copy the sound of a message into a file, which only its owner can read."""
    import os
    import shutil

    from pbx.voicemail.mailboxes import folder_of

    settings = configured(configuration)
    if all(one.id != message for one in _messages(settings).get(mailbox, ())):
        fail(clean(f"mailbox {mailbox[:60]} has no message {message[:60]}"))
    sound = settings.voicemail_dir / folder_of(mailbox) / f"{message}.wav"
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "wb") as copy, sound.open("rb") as original:
            shutil.copyfileobj(original, copy)
    except OSError as error:
        fail(f"{error.filename or file}: {error.strerror}")


@voicemail.command()
def delete(
    mailbox: MailboxArgument, message: MessageArgument, configuration: ConfigurationOption = None
) -> None:
    """Delete a message for good, in a running node."""
    from pbx.control import DeleteMessage, MessageDeleted

    settings, question = configured(configuration), DeleteMessage(mailbox, message)
    answer = ask_entered(settings, question, "messages are deleted in a running node")
    assert isinstance(answer, MessageDeleted)


def _messages(settings: Configuration) -> dict[str, tuple[Message, ...]]:
    from pbx.voicemail.mailboxes import VoicemailError, read_messages

    try:
        return read_messages(settings.voicemail_dir)
    except VoicemailError as error:
        fail(str(error))


def _row(mailbox: str, message: Message) -> tuple[str, ...]:
    state = "heard" if message.heard else "new"
    return (
        mailbox,
        message.id,
        shown_time(message.at),
        message.number,
        message.name,
        f"{message.seconds:.0f}",
        state,
    )


def _printable(mailbox: str, message: Message) -> dict[str, Any]:
    from pbx.records import rfc3339

    return {
        "mailbox": mailbox,
        "id": message.id,
        "at": rfc3339(message.at),
        "from": message.number,
        "from_name": message.name,
        "seconds": round(message.seconds, 1),
        "heard": message.heard,
    }
