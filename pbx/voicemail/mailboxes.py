"""The mailboxes: messages that callers left, greetings that people recorded, each a file below data_dir.

    voicemail/2010/mailbox.json       which messages are in it (replaced as a whole)
    voicemail/2010/ID.wav             a message
    voicemail/2010/greeting-busy.wav  a greeting, by situation

A message is written down before its sound is recorded, as one of 0 seconds, and again when it is whole. So
whatever ends this process, `open` of the next one finds what was said and keeps it: nothing that a caller
said is lost but the last second or two. What a name of the plan is made of never matters: a folder is named
by the mailbox only where that is letters and digits.

Everything that touches a disk is done `apart`, in a thread; what is in memory answers at once.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import re
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Final, Protocol, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from media.wav import HEADER_BYTES
from pbx.kept import KeptError, read_kept, write_kept
from pbx.voicemail.mail import Letter, Spool, SpoolError
from sip.core.message_summary import Mailbox as Waiting

log = logging.getLogger(__name__)

FOLDER = "voicemail"
INDEX = "mailbox.json"
PASSING = "passing"  # folder of what is recorded and not kept
FORMAT = 1
MOST_MESSAGES = 100
SHORTEST_SECONDS = 2.0
LONGEST_SECONDS = 180.0
LONGEST_GREETING_SECONDS: Final = 60.0
SITUATIONS: Final = ("any", "busy", "no-answer", "unreachable", "closed")
"""What a greeting may be for; `any`: where there is none for the situation."""

_MOST_TEXT = 200
_PLAIN_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_ID: Final = re.compile(r"[0-9a-f]{1,40}(-[0-9]{1,4})?")

Result = TypeVar("Result")


class VoicemailError(Exception):
    """A mailbox can't do what was asked; the message says why."""


class MailboxFull(VoicemailError):
    """There are MOST_MESSAGES in it already."""


class Message(Struct, frozen=True, forbid_unknown_fields=True):
    """One message. at: Unix seconds; number: who called, "" for an anonymous caller.

    seconds: of sound, 0.0 while it is recorded. email: where it goes to, "" for nowhere; language and
    timezone are those of that letter.
    """

    id: str
    at: float
    number: str
    name: str
    seconds: float = 0.0
    heard: bool = False
    email: str = ""
    language: str = "fr"
    timezone: str = "UTC"


class KeptMailbox(Struct, frozen=True, forbid_unknown_fields=True):
    """What mailbox.json holds."""

    format: int = FORMAT
    name: str = ""
    messages: tuple[Message, ...] = ()


class Apart(Protocol):
    """Runs what waits for a disk, beside everything else: `asyncio.to_thread`, or at once in a test."""

    def __call__(self, work: Callable[[], Result], /) -> Awaitable[Result]:
        """Return what `work` returns, or raise what it raises."""


class _Box:
    """One mailbox in memory. greetings: the situations for which one was recorded."""

    def __init__(self, name: str, folder: Path, kept: KeptMailbox) -> None:
        self.name = name
        self.folder = folder
        self.kept = kept
        self.greetings: set[str] = set()
        self.lock = asyncio.Lock()


class Voicemail:
    """All mailboxes of one node. changed: called with the name of a mailbox whose messages have changed.

    spool: where letters wait to be sent, None where no mail is configured.
    """

    def __init__(self, folder: Path, *, apart: Apart, spool: Spool | None = None) -> None:
        self.changed: Callable[[str], None] = _ignore
        self._folder = folder
        self._apart = apart
        self._spool = spool
        self._boxes: dict[str, _Box] = {}

    def open(self) -> int:
        """Read all mailboxes, and keep what a process before this one was recording; for the start, before
        anything else. Returns how many messages there are. What can't be read is logged and left alone."""
        if self._folder.is_dir():
            for passing in (self._folder / PASSING).glob("*.wav"):
                _unlink(passing)
            for folder in sorted(self._folder.iterdir()):
                if (folder / INDEX).is_file():
                    self._open_box(folder)
        return sum(len(box.kept.messages) for box in self._boxes.values())

    async def place_for(self, name: str) -> Path:
        """Where something may be recorded that isn't kept: `forget` it, or the next start does.

        name: its own, of letters and digits. Raises VoicemailError.
        """
        path = self._folder / PASSING / f"{name}.wav"
        await self._safely(lambda: path.parent.mkdir(mode=0o700, parents=True, exist_ok=True))
        return path

    def _open_box(self, folder: Path) -> None:
        try:
            kept = read_kept(folder / INDEX, KeptMailbox)
        except KeptError as error:
            log.error("%s; its messages stay on the disk", error)
            return
        if folder.name != folder_of(kept.name) or not all(_ID.fullmatch(one.id) for one in kept.messages):
            log.error("%s isn't a mailbox of ours; it is left alone", folder)
            return
        box = self._boxes[kept.name] = _Box(kept.name, folder, kept)
        box.greetings = {each for each in SITUATIONS if (folder / greeting_file(each)).is_file()}
        messages = tuple(_whole(folder, kept.messages))
        try:
            for before, message in zip(kept.messages, messages, strict=True):
                if message.seconds >= SHORTEST_SECONDS > before.seconds:
                    log.warning("mailbox=%s a message of %.0f s was found", kept.name, message.seconds)
                    self._post(box, message)
            left = tuple(one for one in messages if one.seconds >= SHORTEST_SECONDS)
            if left != kept.messages:
                box.kept = replace(kept, messages=left)
                write_kept(folder / INDEX, box.kept, durable=True)
            ids = {f"{one.id}.wav" for one in left}
            for path in folder.glob("*.wav"):
                if path.name not in ids and not path.name.startswith("greeting-"):
                    path.unlink(missing_ok=True)
        except (KeptError, SpoolError, OSError) as error:
            log.error("mailbox=%s: %s", kept.name, error)

    # What there is

    def names(self) -> list[str]:
        """The mailboxes that hold something, or once did."""
        return sorted(self._boxes)

    def messages(self, name: str) -> tuple[Message, ...]:
        """The whole messages of a mailbox, new ones first, each kind as they came."""
        box = self._boxes.get(name)
        whole = [one for one in box.kept.messages if one.seconds] if box is not None else []
        return tuple(sorted(whole, key=lambda one: (one.heard, one.at)))

    def waiting(self, name: str) -> Waiting:
        """How many messages wait in a mailbox (RFC 3842)."""
        messages = self.messages(name)
        old = sum(one.heard for one in messages)
        return Waiting(new=len(messages) - old, old=old)

    def path(self, name: str, message: str) -> Path:
        """Where a message's sound is."""
        return self._folder / folder_of(name) / f"{message}.wav"

    # Messages

    async def begin(self, name: str, message: Message) -> Message:
        """Make room for a message that is about to be recorded, at `path`; its id may be another one.

        Raises MailboxFull, VoicemailError.
        """
        box = await self._box(name)

        def add(kept: KeptMailbox) -> KeptMailbox:
            if len(kept.messages) >= MOST_MESSAGES:
                raise MailboxFull(f"mailbox {name} holds {MOST_MESSAGES} messages")
            return replace(kept, messages=(*kept.messages, made))

        made = replace(
            message,
            id=_free_id(box, message.id),
            number=message.number[:_MOST_TEXT],
            name=message.name[:_MOST_TEXT],
            seconds=0.0,
        )
        await self._edit(box, add)
        return made

    async def keep(self, name: str, message: Message, seconds: float) -> bool:
        """A message is recorded; returns whether it was long enough to be one. Raises VoicemailError."""
        if seconds < SHORTEST_SECONDS:
            await self.delete(name, message.id)
            return False
        box = await self._box(name)
        whole = replace(message, seconds=seconds)

        def post() -> None:
            try:
                self._post(box, whole)
            except SpoolError as error:  # the message itself is there
                log.error("mailbox=%s not to be mailed: %s", name, error)

        await self._apart(post)
        await self._edit(box, lambda kept: _with(kept, whole))
        self.changed(name)
        return True

    async def seconds(self, name: str, message: str) -> float:
        """How long a message's sound is by now, by its file; 0.0 where there is none."""
        path = self.path(name, message)
        return await self._apart(lambda: _length(path))

    async def mark_heard(self, name: str, message: str) -> None:
        """Somebody has listened to a message. Raises VoicemailError."""
        box = await self._box(name)
        for one in box.kept.messages:
            if one.id == message and not one.heard:
                await self._edit(box, lambda kept: _heard(kept, message))
                self.changed(name)
                return

    async def delete(self, name: str, message: str) -> None:
        """Forget a message and its sound; one that isn't there is no error. Raises VoicemailError."""
        box = await self._box(name)
        if all(one.id != message for one in box.kept.messages):
            return
        await self._edit(box, lambda kept: _without(kept, message))
        path = self.path(name, message)
        await self._apart(lambda: _unlink(path))
        self.changed(name)

    # Greetings

    def greeting(self, name: str, situation: str) -> Path | None:
        """The greeting that was recorded for a situation, else for any; None where there is none."""
        box = self._boxes.get(name)
        for each in (situation, "any"):
            if box is not None and each in box.greetings:
                return box.folder / greeting_file(each)
        return None

    async def new_greeting(self, name: str, call: str) -> Path:
        """Where a greeting may be recorded, to be kept or not. Raises VoicemailError."""
        box = await self._box(name)
        return box.folder / f".greeting-{call}.wav"

    async def keep_greeting(self, name: str, situation: str, recorded: Path) -> None:
        """Let what was recorded be the greeting. Raises VoicemailError."""
        box = await self._box(name)
        await self._safely(lambda: os.replace(recorded, box.folder / greeting_file(situation)))
        box.greetings.add(situation)

    async def drop_greeting(self, name: str, situation: str) -> None:
        """Let the voice speak in this situation again. Raises VoicemailError."""
        box = await self._box(name)
        box.greetings.discard(situation)
        await self._safely(lambda: _unlink(box.folder / greeting_file(situation)))

    async def forget(self, recorded: Path) -> None:
        """What was recorded isn't kept."""
        await self._apart(lambda: _unlink(recorded))

    # Keeping

    async def _box(self, name: str) -> _Box:
        """The mailbox of this name, made where there is none. Raises VoicemailError."""
        box = self._boxes.get(name)
        if box is None:
            folder = self._folder / folder_of(name)
            await self._safely(lambda: folder.mkdir(mode=0o700, parents=True, exist_ok=True))
            box = self._boxes.setdefault(name, _Box(name, folder, KeptMailbox(name=name)))
        return box

    async def _edit(self, box: _Box, edit: Callable[[KeptMailbox], KeptMailbox]) -> None:
        """Change what is kept, one change after the other: on the disk first, then here."""
        async with box.lock:
            kept = edit(box.kept)
            try:
                await self._apart(lambda: write_kept(box.folder / INDEX, kept, durable=True))
            except KeptError as error:
                log.error("mailbox=%s nothing is kept: %s", box.name, error)
                raise VoicemailError(str(error)) from None
            box.kept = kept

    async def _safely(self, work: Callable[[], object]) -> None:
        try:
            await self._apart(work)
        except OSError as error:
            log.error("nothing is kept in %s: %s", error.filename, error.strerror)
            raise VoicemailError(f"{error.filename}: {error.strerror}") from None

    def _post(self, box: _Box, message: Message) -> None:
        """Let a message be mailed, where it is to be. Raises SpoolError."""
        if self._spool is not None and message.email:
            letter = Letter(
                id=f"{message.id}.{box.folder.name}",
                to=message.email,
                mailbox=box.name,
                at=message.at,
                number=message.number,
                name=message.name,
                seconds=message.seconds,
                language=message.language,
                timezone=message.timezone,
            )
            self._spool.put(letter, box.folder / f"{message.id}.wav")


def read_messages(folder: Path) -> dict[str, tuple[Message, ...]]:
    """The whole messages of each mailbox below a folder, as they are on the disk; nothing is changed.

    Raises VoicemailError for what can't be read.
    """
    found: dict[str, tuple[Message, ...]] = {}
    for index in sorted(folder.glob(f"*/{INDEX}")):
        try:
            kept = read_kept(index, KeptMailbox)
        except KeptError as error:
            raise VoicemailError(str(error)) from None
        whole = (one for one in kept.messages if one.seconds and _ID.fullmatch(one.id))
        found[kept.name] = tuple(sorted(whole, key=lambda one: one.at))
    return found


def read_mailbox(folder: Path, name: str) -> tuple[Message, ...]:
    """The whole messages of one mailbox, the newest first, as they are on the disk; () for one without any.

    folder: of all mailboxes. Raises VoicemailError for what can't be read.
    """
    index = folder / folder_of(name) / INDEX
    if not index.is_file():
        return ()
    try:
        kept = read_kept(index, KeptMailbox)
    except KeptError as error:
        raise VoicemailError(str(error)) from None
    whole = (one for one in kept.messages if one.seconds and _ID.fullmatch(one.id))
    return tuple(sorted(whole, key=lambda one: -one.at))


def greetings_of(folder: Path, name: str) -> dict[str, Path]:
    """The greetings that were recorded for a mailbox, by situation. folder: of all mailboxes."""
    there = {each: folder / folder_of(name) / greeting_file(each) for each in SITUATIONS}
    return {situation: path for situation, path in there.items() if path.is_file()}


def folder_of(name: str) -> str:
    """The folder of a mailbox: its name where that is letters and digits, else made of its hash."""
    if _PLAIN_NAME.fullmatch(name):
        return name
    return f"x-{hashlib.sha256(name.encode(errors='replace')).hexdigest()[:24]}"


def greeting_file(situation: str) -> str:
    """The file of a greeting; situation: one of SITUATIONS."""
    return f"greeting-{situation}.wav"


def _free_id(box: _Box, wanted: str) -> str:
    """An id that no message of the mailbox has: of a call that left one already, with a number behind."""
    if not _ID.fullmatch(wanted):
        raise VoicemailError("not the id of a message")
    taken = {one.id for one in box.kept.messages}
    numbered = (f"{wanted.partition('-')[0]}-{number}" for number in range(2, MOST_MESSAGES + 3))
    return next(one for one in (wanted, *numbered) if one not in taken)


def _whole(folder: Path, messages: tuple[Message, ...]) -> Iterator[Message]:
    """The messages with their lengths: of those that were being recorded, as their files tell."""
    for message in messages:
        yield message if message.seconds else replace(message, seconds=_length(folder / f"{message.id}.wav"))


def _length(path: Path) -> float:
    """How long a recording is, by what is there of it; 0.0 for none."""
    try:
        with path.open("rb") as file:
            header = file.read(HEADER_BYTES)
        size = path.stat().st_size - HEADER_BYTES
    except OSError:
        return 0.0
    rate = int.from_bytes(header[24:28], "little")
    return max(size, 0) / 2 / rate if len(header) == HEADER_BYTES and rate else 0.0


def _with(kept: KeptMailbox, whole: Message) -> KeptMailbox:
    return replace(kept, messages=tuple(whole if one.id == whole.id else one for one in kept.messages))


def _heard(kept: KeptMailbox, message: str) -> KeptMailbox:
    heard = tuple(replace(one, heard=True) if one.id == message else one for one in kept.messages)
    return replace(kept, messages=heard)


def _without(kept: KeptMailbox, message: str) -> KeptMailbox:
    return replace(kept, messages=tuple(one for one in kept.messages if one.id != message))


def _unlink(path: Path) -> None:
    path.unlink(missing_ok=True)


def _ignore(name: str) -> None:
    """Nobody wants to know."""
