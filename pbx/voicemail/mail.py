"""Letters that wait to be sent: each message of a mailbox with an address, and its sound, below data_dir.

    mail/ID.json   to whom, about what; there as long as the letter isn't sent
    mail/ID.wav    the message's sound: the same file, so that deleting the message doesn't lose the letter

Signalling puts letters here before a message counts as left; the worker sends them (`postman`). A letter
is taken away once a server has it, so a process that is killed loses none, and sends one twice only when it
dies between the server's word and that; all tries have one Message-ID, by which a mailer knows them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from pbx.kept import KeptError, read_kept, write_kept

FOLDER = "mail"
FAILED = "failed"
MOST_LETTERS = 10_000


class SpoolError(Exception):
    """A letter can't be kept; the message says why."""


class Letter(Struct, frozen=True, forbid_unknown_fields=True):
    """One letter. id: of the message and its mailbox; at: when that was left, Unix seconds.

    tries: how often it was tried in vain; next_at: when it is due again, Unix seconds.
    """

    id: str = ""
    to: str = ""
    mailbox: str = ""
    at: float = 0.0
    number: str = ""
    name: str = ""
    seconds: float = 0.0
    language: str = "fr"
    timezone: str = "UTC"
    tries: int = 0
    next_at: float = 0.0


class Spool:
    """The folder. Every method waits for the disk."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, letter: Letter, sound: Path) -> None:
        """Keep a letter, with the file that goes with it. Raises SpoolError."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if sum(1 for _ in self._folder.glob("*.json")) >= MOST_LETTERS:
                raise SpoolError(f"{self._folder}: {MOST_LETTERS} letters wait already")
            attached = self.sound(letter)
            attached.unlink(missing_ok=True)
            os.link(sound, attached)
            self.replace(letter)
        except OSError as error:
            raise SpoolError(f"{self._folder}: {error.strerror}") from None

    def replace(self, letter: Letter) -> None:
        """Write down what has become of a letter. Raises SpoolError."""
        try:
            write_kept(self._path(letter), letter, durable=True)
        except KeptError as error:
            raise SpoolError(str(error)) from None

    def letters(self, *, tidy: bool = False) -> Iterator[Letter]:
        """The letters that wait, oldest first. tidy: what can't be read is put aside."""
        for path in sorted(self._folder.glob("*.json")) if self._folder.is_dir() else ():
            try:
                letter = read_kept(path, Letter)
            except KeptError:
                letter = Letter()
            if letter.id == path.stem:
                yield letter
            elif tidy:
                self._put_aside(path)

    def sound(self, letter: Letter) -> Path:
        """The file that goes with a letter."""
        return self._folder / f"{letter.id}.wav"

    def done(self, letter: Letter) -> None:
        """A server has the letter."""
        with suppress(OSError):
            self._path(letter).unlink(missing_ok=True)
            self.sound(letter).unlink(missing_ok=True)

    def give_up(self, letter: Letter) -> None:
        """No server will ever take the letter: it goes to `failed/`, where somebody may look at it."""
        self._put_aside(self._path(letter))
        self._put_aside(self.sound(letter))

    def _put_aside(self, path: Path) -> None:
        with suppress(OSError):
            (self._folder / FAILED).mkdir(mode=0o700, exist_ok=True)
            path.replace(self._folder / FAILED / path.name)

    def _path(self, letter: Letter) -> Path:
        return self._folder / f"{letter.id}.json"
