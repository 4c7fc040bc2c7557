"""The plans that were put in force: their texts, and when, by whom and why. They lie in `data_dir/plans`.

    VERSION.yaml   the text of a version; mode 0600, like all here, since a plan may hold passwords
    history        a line of JSON for each time that a plan was put in force, the oldest first
    next           the line of a plan on its way to `history`

One process at a time writes, with a lock on the folder.

A plan is put in force in steps, each of them on the disk before the next one:

    VERSION.yaml  ->  next  ->  the configuration's plan file is replaced  ->  history  ->  next is removed

Killed before the plan file is replaced, the former plan stays, and `next` names one that the file doesn't
hold: it is dropped. Killed after, `next` is the last line of the history, and whoever writes there next
puts it in its place. So the plan file is always a whole plan, and the history always says how it came there.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import pwd
from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

from dialplan.document import read_text
from dialplan.finding import PlanError

FOLDER = "plans"
MOST_BYTES = 64 * 1024 * 1024
MOST_CHARACTERS = 500
"""Of a reason or an author."""

_VERSION_DIGITS = 12


class HistoryError(Exception):
    """The history can't be read or written, or hasn't what was asked; the message says where and why."""


class ChangedMeanwhileError(HistoryError):
    """The plan's file isn't any more what its user decided about: somebody else was faster."""


class Entry(Struct, frozen=True):
    """A plan was put in force. at: Unix seconds. previous: the version before it, "" for the first one."""

    at: float
    version: str
    previous: str
    author: str
    reason: str


_entry = msgspec.json.Decoder(Entry)


def version_of(text: str) -> str:
    """Return the version of a plan's text, as `Plan.version` is."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_VERSION_DIGITS]


def owner_of(file: Path) -> str:
    """Return the name of the user that a file belongs to; its number where it has no name; "" for no file."""
    try:
        uid = file.stat().st_uid
    except OSError:
        return ""
    return user_name(uid)


def user_name(uid: int) -> str:
    """Return a user's name, or the number where the system knows no name."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


class PlanHistory:
    """The history of one node's plans. Any process may read it at any time; one at a time writes."""

    def __init__(self, data_dir: Path, plan_file: Path) -> None:
        self.folder = data_dir / FOLDER
        self.plan_file = plan_file
        self._history = self.folder / "history"
        self._next = self.folder / "next"

    # Reading

    def entries(self) -> list[Entry]:
        """Return every time that a plan was put in force, the oldest first. Raises HistoryError."""
        entries = self._written()
        return [*entries, *(entry for entry in self._waiting() if entries[-1:] != [entry])]

    def _written(self) -> list[Entry]:
        data = _read(self._history)
        entries = []
        # What comes after the last line feed was never finished.
        for number, line in enumerate(data.split(b"\n")[:-1], 1):
            try:
                entries.append(_entry.decode(line))
            except (msgspec.DecodeError, UnicodeDecodeError):
                message = f"{self._history}:{number}: this line of the history is damaged; remove it"
                raise HistoryError(message) from None
        return entries

    def text(self, version: str) -> str:
        """Return the text of a version, kept or in the plan's file.

        Raises HistoryError for one that is neither, and for a kept one that was changed since.
        """
        path = self.path(version)
        if not path.exists() and version_of(found := self._text_in_file()) == version:
            return found
        try:
            text = read_text(path)
        except PlanError as error:
            if version in self.versions():
                raise HistoryError(f"{path}: {error.findings[0].message}") from None
            raise HistoryError(f"the text of plan {version} isn't kept in {self.folder}") from None
        if version_of(text) != version:
            raise HistoryError(f"{path}: this is no longer the text of plan {version}")
        return text

    def versions(self) -> list[str]:
        """Return the versions whose text is kept, in no order; none without a folder. Raises HistoryError."""
        try:
            return [path.stem for path in self.folder.glob("*.yaml") if len(path.stem) == _VERSION_DIGITS]
        except OSError as error:
            raise HistoryError(f"{self.folder}: can't be read: {error.strerror}") from None

    def _waiting(self) -> list[Entry]:
        """The entry on its way, if its plan has come into the plan's file."""
        try:
            waiting = _entry.decode(_read(self._next))
        except (msgspec.DecodeError, UnicodeDecodeError):
            return []
        return [waiting] if waiting.version == self.version_in_file() else []

    def version_in_file(self) -> str:
        """Return the version of the text in the plan's file, "" where there is none."""
        text = self._text_in_file()
        return version_of(text) if text else ""

    def _text_in_file(self) -> str:
        try:
            return read_text(self.plan_file)
        except PlanError:
            return ""  # neither a missing file nor one that isn't text can be a plan

    def path(self, version: str) -> Path:
        """Return where the text of a version is kept. Raises HistoryError for what can't be one."""
        # From a command line: nothing but a version may become the name of a file.
        if len(version) != _VERSION_DIGITS or not set(version) <= set("0123456789abcdef"):
            raise HistoryError(f'"{version[:60]}" is no version of a plan; `beffroi plan history` shows them')
        return self.folder / f"{version}.yaml"

    # Writing

    def put(self, text: str, *, expected: str, former: str, at: float, author: str, reason: str) -> Entry:
        """Make `text` the configuration's plan, and return its entry.

        expected: the version in the plan's file when its user decided, "" for none. former: the text in force
        until now, "" for none; it gets an entry of its own where it has none yet. What lies in the plan's
        file without having been in force is kept too. at: Unix seconds.
        Raises HistoryError, ChangedMeanwhileError where it isn't `expected`: the file is then as it was.
        """
        with self._writing():
            found = self._text_in_file()
            if (version_of(found) if found else "") != expected:
                message = f"{self.plan_file} was changed meanwhile; look at the difference again"
                raise ChangedMeanwhileError(message)
            if former:
                self._enter(former, at, owner_of(self.plan_file), "found in force")
            if found:
                self._keep(found)
            self._keep(text)
            entry = Entry(
                at, version_of(text), self._last(), author[:MOST_CHARACTERS], reason[:MOST_CHARACTERS]
            )
            _replace(self._next, msgspec.json.encode(entry), self.folder.parent)
            _replace(self.plan_file.resolve(), text.encode(), self.plan_file)
            with contextlib.suppress(OSError):
                self._settle()  # a disk that is full now leaves `next`, which is read all the same
        return entry

    def enter(self, text: str, *, at: float, author: str, reason: str) -> None:
        """Enter a plan that is in force by another way, unless it was the last one. Raises HistoryError."""
        with self._writing():
            self._enter(text, at, author, reason)

    def _enter(self, text: str, at: float, author: str, reason: str) -> None:
        version, last = version_of(text), self._last()
        self._keep(text)
        if version != last:
            self._append(Entry(at, version, last, author[:MOST_CHARACTERS], reason[:MOST_CHARACTERS]))

    def _keep(self, text: str) -> None:
        path = self.path(version_of(text))
        if _read(path) != text.encode():
            _replace(path, text.encode(), self.folder.parent)

    def _last(self) -> str:
        entries = self._written()
        return entries[-1].version if entries else ""

    def _settle(self) -> None:
        """Bring the entry on its way to where it belongs."""
        for entry in self._waiting():
            if self._written()[-1:] != [entry]:
                self._append(entry)
        self._next.unlink(missing_ok=True)

    def _append(self, entry: Entry) -> None:
        new = not self._history.exists()
        descriptor = os.open(self._history, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            _give(descriptor, self.folder.parent)
            data = _read(self._history)
            whole = data.rfind(b"\n") + 1
            os.ftruncate(descriptor, whole)  # a line whose writer was killed
            os.lseek(descriptor, whole, os.SEEK_SET)
            _write(descriptor, msgspec.json.encode(entry) + b"\n")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if new:
            _sync_folder(self.folder)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """Be the only writer, and finish what a killed one left. What the disk refuses is a HistoryError."""
        try:
            self.folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not self.folder.is_dir():
                self.folder.mkdir(mode=0o700)
                _sync_folder(self.folder.parent)
            descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                _give(descriptor, self.folder.parent)
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self._settle()
                yield
            finally:
                os.close(descriptor)
        except BlockingIOError:
            message = f"{self.folder}: another command is putting a plan in force; try again"
            raise HistoryError(message) from None
        except OSError as error:
            where = error.filename or self.folder
            raise HistoryError(f"{where}: can't be written: {error.strerror or error}") from None


def _read(path: Path) -> bytes:
    """A file whole, b"" where there is none. Raises HistoryError."""
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise HistoryError(f"{path}: can't be read: {error.strerror}") from None
    if len(data) > MOST_BYTES:
        raise HistoryError(f"{path}: longer than {MOST_BYTES // 1024 // 1024} MB")
    return data


def _replace(path: Path, data: bytes, like: Path) -> None:
    """Replace a file as a whole, for good. It gets the owner of `like`, and its mode where that is a file."""
    # One name, so that what killed writers leave is one file at most.
    unfinished = path.with_name(f".{path.name}.new")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(unfinished, flags, 0o600)
    try:
        _give(descriptor, like)
        os.fchmod(descriptor, like.stat().st_mode & 0o777 if like.is_file() else 0o600)
        _write(descriptor, data)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    os.replace(unfinished, path)
    _sync_folder(path.parent)


def _give(descriptor: int, like: Path) -> None:
    """Let an open file belong to the owner of `like`: the administrator may work in the node's folder."""
    if not like.exists():
        return
    owner, is_now = like.stat(), os.fstat(descriptor)
    if (owner.st_uid, owner.st_gid) != (is_now.st_uid, is_now.st_gid):
        os.fchown(descriptor, owner.st_uid, owner.st_gid)


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
