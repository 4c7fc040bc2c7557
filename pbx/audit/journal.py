"""The audit journal's file, and who writes it: the web process, and each command that changes something.

One line for each entry, chained and signed by the node as the journal of recordings is
(recording.proof.journal). Several processes append: each takes the file's lock, goes on behind what is the
last entry then, and is told only when it is on the disk. What a process that died left of a line is cut off.
A file whose end can't be trusted is set aside, whole, and its successor begins by naming it: nobody is locked
out of the pages by it, and nothing is lost without a trace.

What waits while the disk works goes out together (`Audit`): a hundred sign-ins at once are a few writes.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from pbx.audit.entry import Doer, Entry, Value, fields_of
from recording.proof.journal import JournalDamage, Place, cut_unfinished, follow, last_line, signed
from recording.proof.journal import fields_of as checked_fields

log = logging.getLogger(__name__)

ROOM_BYTES: Final = 1 << 16
"""What has to be free on the disk for something to be begun that is to be entered when it is done."""

FIRST: Final = hashlib.sha256(b"beffroi audit").hexdigest()  # what the first entry follows
DAMAGED: Final = ".damaged-"  # and a number: what was set aside


class AuditUnavailable(Exception):
    """Nothing can be written into the audit journal: what was to be done isn't done. The text says why."""


class AuditJournal:
    """The file at `path`. key: what signs entries."""

    def __init__(self, path: Path, key: Ed25519PrivateKey) -> None:
        self.path = path
        self._key = key

    @property
    def public_key(self) -> Ed25519PublicKey:
        """What entries are verified with."""
        return self._key.public_key()

    def append(self, entries: Sequence[Mapping[str, Any]]) -> list[Entry]:
        """Add entries (of `fields_of`); they outlive a power cut when this returns.

        Raises AuditUnavailable: then none of them was added.
        """
        try:
            with self._locked() as (descriptor, place):
                return self._append(descriptor, place, entries)
        except OSError as error:
            raise AuditUnavailable(f"{self.path}: {error.strerror or error}") from None

    def check(self) -> None:
        """Raise AuditUnavailable where an entry could hardly be added: asked before anything is done."""
        try:
            with self._locked() as (descriptor, _):
                disk = os.fstatvfs(descriptor)
        except OSError as error:
            raise AuditUnavailable(f"{self.path}: {error.strerror or error}") from None
        if disk.f_bavail * disk.f_frsize < ROOM_BYTES:
            raise AuditUnavailable(f"{self.path}: the disk is full")

    def _append(self, descriptor: int, place: Place, entries: Sequence[Mapping[str, Any]]) -> list[Entry]:
        end, number, head = place
        lines, added = [], []
        for fields in entries:
            line = signed({**fields, "number": number, "previous": head}, self._key)
            head = follow(head, line)
            lines.append(line + b"\n")
            added.append(Entry(**fields, number=number, digest=head))
            number += 1
        data = b"".join(lines)
        try:
            if os.pwrite(descriptor, data, end) != len(data):
                raise OSError("the disk took a part of it")
            os.fdatasync(descriptor)
        except OSError:
            os.ftruncate(descriptor, end)
            raise
        if not end:
            _sync(self.path.parent)  # the file's name too
        return added

    def _end(self, descriptor: int) -> Place:
        """Return the place behind the last entry. Raises JournalDamage where that can't be trusted."""
        end = cut_unfinished(self.path, descriptor)
        line, number = last_line(self.path, descriptor, end)
        if not line:
            return Place(end, 0, FIRST)
        fields = checked_fields(self.path, line, number, self._key.public_key())
        return Place(end, number + 1, follow(str(fields.get("previous")), line))

    @contextmanager
    def _locked(self) -> Iterator[tuple[int, Place]]:
        """Hold the file alone, its end trusted: another one where this can't be. Raises OSError."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        while True:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                self._give(descriptor)
                if not self._is_current(descriptor):
                    continue  # another process set it aside while we waited
                try:
                    place = self._end(descriptor)
                except (JournalDamage, ValueError) as damage:
                    self._set_aside(str(damage))
                    continue
                yield descriptor, place
                return
            finally:
                os.close(descriptor)

    def _give(self, descriptor: int) -> None:
        """Let what root's command makes belong to who runs the node: it has to write there afterwards."""
        owner = self.path.parent.parent.stat()
        if os.geteuid() == 0 and owner.st_uid != os.fstat(descriptor).st_uid:
            os.chown(self.path.parent, owner.st_uid, owner.st_gid)
            os.fchown(descriptor, owner.st_uid, owner.st_gid)

    def _is_current(self, descriptor: int) -> bool:
        try:
            return os.path.samestat(os.fstat(descriptor), os.stat(self.path))
        except FileNotFoundError:
            return False

    def _set_aside(self, why: str) -> None:
        """Keep a file whose end can't be trusted under another name; a new one is begun, which says so."""
        number = 1
        while (aside := self.path.with_name(f"{self.path.name}{DAMAGED}{number}")).exists():
            number += 1
        log.error("the audit journal was set aside as %s: %s", aside, why)
        begun = self.path.with_name(f"{self.path.name}.begun")
        said = {"what": "audit.set_aside", "by": "", "how": "node", "address": ""}
        about = {"file": aside.name, "why": why}
        fields = {**said, "at": self.path.stat().st_mtime, "about": about, "number": 0, "previous": FIRST}
        begun.unlink(missing_ok=True)
        begun.touch(mode=0o600)
        with begun.open("wb") as file:
            file.write(signed(fields, self._key) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        os.link(self.path, aside)
        begun.rename(self.path)
        _sync(self.path.parent)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Audit:
    """The journal for one event loop: entries that come while others are written wait, and go together.

    whole: held by whoever reads all of it, in a thread: one at a time.
    """

    def __init__(self, journal: AuditJournal) -> None:
        self.journal = journal
        self.whole = asyncio.Lock()
        self._waiting: list[tuple[dict[str, Any], asyncio.Future[Entry]]] = []
        self._writing = False

    async def enter(self, at: float, what: str, actor: Doer, **about: Value) -> Entry:
        """Add an entry, and return it when it is on the disk: before the answer of what it is about.

        at: Unix seconds; what: `noun.verb`; about: what else is said, `whom` for whom it was done to.
        Raises AuditUnavailable, and ValueError for what may never be written (pbx.audit.entry).
        """
        fields = fields_of(at, what, actor, about)
        entered: asyncio.Future[Entry] = asyncio.get_running_loop().create_future()
        self._waiting.append((fields, entered))
        if not self._writing:
            self._write()
        return await entered

    async def check(self) -> None:
        """As `AuditJournal.check`, in a thread."""
        await asyncio.get_running_loop().run_in_executor(None, self.journal.check)

    def _write(self) -> None:
        """Write what waits, in a thread: whoever goes away meanwhile takes nobody's entry along."""
        batch, self._waiting = self._waiting, []
        self._writing = True
        written = asyncio.get_running_loop().run_in_executor(
            None, self.journal.append, [fields for fields, _ in batch]
        )
        written.add_done_callback(lambda done: self._written(done, [entered for _, entered in batch]))

    def _written(self, done: asyncio.Future[list[Entry]], waiting: list[asyncio.Future[Entry]]) -> None:
        self._writing = False
        if self._waiting:
            self._write()
        error = asyncio.CancelledError() if done.cancelled() else done.exception()
        entries: Sequence[Entry | None] = [None] * len(waiting) if error is not None else done.result()
        for entered, entry in zip(waiting, entries, strict=True):
            if entered.done():  # whoever asked has gone away
                continue
            if entry is not None:
                entered.set_result(entry)
            elif error is not None:
                entered.set_exception(error)


def enter_now(journal: AuditJournal, at: float, what: str, actor: Doer, **about: Value) -> Entry:
    """Add an entry from where no event loop runs: a command. As `Audit.enter`."""
    return journal.append([fields_of(at, what, actor, about)])[0]
