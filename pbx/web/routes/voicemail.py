"""Voicemail: one's own mailbox, and those of services whose plan names one as a listener.

Messages are read from the files that signalling keeps; what changes them is asked of signalling, so that the
lamp of a telephone and a page always say the same.
"""

from __future__ import annotations

import asyncio
import secrets
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.responses import FileResponse

from media import wav
from media.codecs import SAMPLE_RATE
from pbx import control
from pbx.accounts.actor import Actor
from pbx.voicemail.mailboxes import (
    LONGEST_GREETING_SECONDS,
    PASSING,
    SHORTEST_SECONDS,
    Message,
    VoicemailError,
    folder_of,
    greetings_of,
    read_mailbox,
)
from pbx.web.access import may
from pbx.web.body import whole_body
from pbx.web.mailboxes import Listened, mailboxes_of
from pbx.web.node import Node, TheNode
from pbx.web.problems import Problem

router = APIRouter(prefix="/voicemail", tags=["voicemail"])

Listener = Annotated[Actor, may("own")]
Situation = Literal["any", "busy", "no-answer", "unreachable", "closed"]

MOST_GREETING_BYTES: Final = int(LONGEST_GREETING_SECONDS) * 48_000 * 4 + 65_536
_WAV: Final[dict[int | str, dict[str, Any]]] = {200: {"content": {"audio/wav": {}}}}


class MailboxItem(BaseModel):
    """A mailbox that one listens to. name: of whose it is; is_own: one's own, else a service's."""

    mailbox: str
    name: str
    is_own: bool
    new: int
    old: int


class MailboxList(BaseModel):
    """One's own mailbox first, then those of services."""

    items: list[MailboxItem]


class MessageItem(BaseModel):
    """A message. number: who called, "" for an anonymous caller; name: as the call said it."""

    message: str
    at: float
    number: str
    name: str
    seconds: float
    heard: bool


class Mailbox(MailboxItem):
    """A mailbox with its messages, the newest first. greetings: for which situations one was recorded."""

    items: list[MessageItem]
    greetings: list[str]


@router.get("/mailboxes", summary="The mailboxes that one listens to")
async def list_mailboxes(node: TheNode, actor: Listener) -> MailboxList:
    """With how many messages wait in each."""
    there = await mailboxes_of(node, actor)
    found = await asyncio.to_thread(lambda: [_counted(node, *one) for one in there])
    return MailboxList(items=found)


@router.get("/mailboxes/{mailbox}", summary="The messages of a mailbox")
async def show_mailbox(node: TheNode, actor: Listener, mailbox: str) -> Mailbox:
    """The newest first, and which greetings were recorded."""
    name, of_whom, is_own = await _mailbox(node, actor, mailbox)
    messages = await asyncio.to_thread(_messages, node, name)
    greetings = await asyncio.to_thread(greetings_of, node.configuration.voicemail_dir, name)
    old = sum(one.heard for one in messages)
    return Mailbox(
        mailbox=name,
        name=of_whom,
        is_own=is_own,
        new=len(messages) - old,
        old=old,
        items=[_item(one) for one in messages],
        greetings=sorted(greetings),
    )


@router.get(
    "/mailboxes/{mailbox}/messages/{message}/sound",
    summary="A message's sound",
    response_class=FileResponse,
    responses=_WAV,
)
async def play_message(node: TheNode, actor: Listener, mailbox: str, message: str) -> FileResponse:
    """A WAV; any part of it may be asked for."""
    name, _, _ = await _mailbox(node, actor, mailbox)
    await _existing(node, name, message)
    path = node.configuration.voicemail_dir / folder_of(name) / f"{message}.wav"
    return await _sound(path, "message_not_there", "this message's sound is gone")


@router.post(
    "/mailboxes/{mailbox}/messages/{message}/heard", status_code=204, summary="Count a message as heard"
)
async def mark_heard(node: TheNode, actor: Listener, mailbox: str, message: str) -> None:
    """The lamp of a telephone says it too."""
    name, _, _ = await _mailbox(node, actor, mailbox)
    before = await _existing(node, name, message)
    if not before.heard:
        await _asked(node, control.MarkHeard(name, message))
        await node.audit.enter(node.clock(), "voicemail.heard", actor, whom=name, message=message)


@router.delete(
    "/mailboxes/{mailbox}/messages/{message}", status_code=204, summary="Delete a message for good"
)
async def delete_message(node: TheNode, actor: Listener, mailbox: str, message: str) -> None:
    """It can't be taken back."""
    name, _, _ = await _mailbox(node, actor, mailbox)
    await _existing(node, name, message)
    answer = await node.ask(control.DeleteMessage(name, message))
    assert isinstance(answer, control.MessageDeleted)
    if answer.problem:
        raise Problem(409, "mailbox_refused", answer.problem)
    await node.audit.enter(node.clock(), "voicemail.delete", actor, whom=name, message=message)


@router.get(
    "/mailboxes/{mailbox}/greetings/{situation}",
    summary="A greeting's sound",
    response_class=FileResponse,
    responses=_WAV,
)
async def play_greeting(node: TheNode, actor: Listener, mailbox: str, situation: Situation) -> FileResponse:
    """A WAV, of one that was recorded."""
    name, _, _ = await _mailbox(node, actor, mailbox)
    path = greetings_of(node.configuration.voicemail_dir, name).get(situation, Path("/nowhere"))
    return await _sound(path, "no_greeting", "no greeting was recorded for this")


@router.put(
    "/mailboxes/{mailbox}/greetings/{situation}",
    status_code=204,
    summary="Give a mailbox a greeting",
    openapi_extra={"requestBody": {"required": True, "content": {"audio/wav": {}}}},
)
async def put_greeting(
    request: Request, node: TheNode, actor: Listener, mailbox: str, situation: Situation
) -> None:
    """The body is a WAV: 16-bit PCM, one or two channels, of at most a minute."""
    name, _, _ = await _mailbox(node, actor, mailbox)
    body = await whole_body(request, MOST_GREETING_BYTES)
    recorded = secrets.token_hex(16)
    await asyncio.to_thread(_write_greeting, node.configuration.voicemail_dir, recorded, body)
    await _asked(node, control.KeepGreeting(name, situation, recorded))
    await node.audit.enter(node.clock(), "voicemail.greet", actor, whom=name, situation=situation)


@router.delete("/mailboxes/{mailbox}/greetings/{situation}", status_code=204, summary="Drop a greeting")
async def drop_greeting(node: TheNode, actor: Listener, mailbox: str, situation: Situation) -> None:
    """The mailbox's own voice speaks again."""
    name, _, _ = await _mailbox(node, actor, mailbox)
    await _asked(node, control.DropGreeting(name, situation))
    await node.audit.enter(node.clock(), "voicemail.greet_by_voice", actor, whom=name, situation=situation)


async def _mailbox(node: Node, actor: Actor, mailbox: str) -> Listened:
    """One that somebody listens to. Raises Problem (404), for others' as for none."""
    for one in await mailboxes_of(node, actor):
        if one.mailbox == mailbox:
            return one
    raise Problem(404, "no_mailbox", f"you listen to no mailbox {mailbox[:60]}")


def _messages(node: Node, name: str) -> tuple[Message, ...]:
    try:
        return read_mailbox(node.configuration.voicemail_dir, name)
    except VoicemailError as error:
        raise Problem(503, "mailbox_unreadable", str(error)) from None


def _counted(node: Node, name: str, of_whom: str, is_own: bool) -> MailboxItem:
    messages = _messages(node, name)
    old = sum(one.heard for one in messages)
    return MailboxItem(mailbox=name, name=of_whom, is_own=is_own, new=len(messages) - old, old=old)


async def _existing(node: Node, name: str, message: str) -> Message:
    """A message that is there. Raises Problem (404)."""
    for one in await asyncio.to_thread(_messages, node, name):
        if one.id == message:
            return one
    raise Problem(404, "no_message", "this message isn't there any more")


def _item(message: Message) -> MessageItem:
    return MessageItem(
        message=message.id,
        at=message.at,
        number=message.number,
        name=message.name,
        seconds=round(message.seconds, 1),
        heard=message.heard,
    )


async def _sound(path: Path, code: str, detail: str) -> FileResponse:
    if not await asyncio.to_thread(path.is_file):
        raise Problem(404, code, detail)
    return FileResponse(path, media_type="audio/wav", headers={"Cache-Control": "no-store"})


async def _asked(node: Node, question: control.MailboxQuestion) -> None:
    answer = await node.ask(question)
    assert isinstance(answer, control.MailboxDone)
    if answer.problem:
        raise Problem(409, "mailbox_refused", answer.problem)


def _write_greeting(folder: Path, recorded: str, body: bytes) -> None:
    """Write a greeting where signalling takes it from. Raises Problem."""
    try:
        pcm = wav.read(body)
    except wav.WavError as error:
        mend = "send a WAV of 16-bit PCM, one or two channels"
        raise Problem(422, "not_a_wav", f"this can't be played: {error}", mend=mend, where="body") from None
    seconds = len(pcm) / SAMPLE_RATE
    if not SHORTEST_SECONDS / 2 <= seconds <= LONGEST_GREETING_SECONDS:
        most = f"a greeting lasts from {SHORTEST_SECONDS / 2:.0f} to {LONGEST_GREETING_SECONDS:.0f} s"
        raise Problem(422, "greeting_length", f"{most}; this one lasts {seconds:.1f}", where="body")
    path = folder / PASSING / f"{recorded}.wav"
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_bytes(wav.build(pcm))
    except OSError as error:
        raise Problem(503, "disk", f"the greeting isn't kept: {error.strerror}") from None
