"""PINs: a few digits by which people prove who they are on a telephone that isn't theirs.

A PIN is kept as a salted hash, and whoever has the journal finds it by trying all there are: what protects it
is the journal's mode, and that few wrong ones may be entered. These are counted under names, such as `device
1002` and `person 1001`, in the journal: a restart forgives nothing. Under one name that is spent nobody is
let in, not even with the right PIN; other names go on, so that who guesses from one place locks nobody out of
another. A number that a caller shows proves nothing: what was guessed under it is counted apart from
everything else (see pbx.apps.callthrough).
"""

from __future__ import annotations

import hashlib
import hmac
import itertools
import logging
import secrets
from collections.abc import Iterable
from enum import Enum
from typing import TYPE_CHECKING

from pbx.events import PinRefused
from pbx.people.settings import SettingRefused
from pbx.records import Personal, PinRecord, SetBy, TriesRecord

if TYPE_CHECKING:
    from pbx.exchange import Exchange

log = logging.getLogger(__name__)

LEAST_DIGITS, MOST_DIGITS = 4, 8
TRIES_SECONDS = 3600.0  # for which a wrong PIN counts
MOST_TRIES = 5
MOST_TRIES_OF_A_PERSON = 20  # on all devices together

_TOO_SIMPLE = {
    "fr": "Ce code est trop simple. Choisissez de 4 à 8 chiffres.",
    "en": "This code is too simple. Choose 4 to 8 digits.",
}
_NOBODY = {"fr": "Ce numéro n'appartient à personne.", "en": "Nobody has this number."}
_NOT_NOW = {"fr": "Le réglage n'a pas pu être enregistré.", "en": "This could not be saved."}


class Verdict(Enum):
    """What became of a PIN."""

    RIGHT = "right"
    WRONG = "wrong"
    LOCKED = "too many wrong ones"
    NONE = "no PIN is set"


class Pins:
    """The PINs of one node's people, and the wrong ones of late."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._pins: dict[str, PinRecord] = {}
        self._wrong: dict[str, tuple[float, ...]] = {}

    def restore(self, records: Iterable[Personal]) -> None:
        """Take what a process before has written."""
        now = self._exchange.clock()
        for record in records:
            if isinstance(record, PinRecord) and record.lasts(now):
                self._pins[record.extension] = record
            elif isinstance(record, TriesRecord) and record.lasts(now):
                self._wrong[record.name] = record.wrong_at

    def has(self, extension: str) -> bool:
        """Whether a person has a PIN."""
        return extension in self._pins

    def set(self, extension: str, digits: str, by: str) -> None:
        """Give a person a PIN, and forgive what was entered wrong. Raises SettingRefused.

        digits: 4 to 8, neither all the same nor in sequence nor the extension.
        """
        if extension not in self._exchange.plan.people:
            raise SettingRefused("person", _NOBODY, f"nobody has {extension[:40]}")
        if is_simple(digits) or digits == extension:
            raise SettingRefused(
                "pin", _TOO_SIMPLE, "a PIN has 4 to 8 digits, neither the same, in sequence nor the extension"
            )
        salt = secrets.token_bytes(16)
        self._keep(PinRecord(extension, salt, _hash(digits, salt), SetBy(by[:64], self._exchange.clock())))
        self.forgive(extension)

    def clear(self, extension: str, by: str) -> None:
        """Take a person's PIN away. Raises SettingRefused where there is none."""
        if extension not in self._pins:
            raise SettingRefused("nothing", _NOBODY, f"{extension[:40]} has no PIN")
        self._keep(PinRecord(extension, b"", b"", SetBy(by[:64], self._exchange.clock())))

    def forgive(self, extension: str) -> None:
        """Forget the wrong PINs that were entered for a person."""
        for name in [name for name in self._wrong if name.partition(" ")[2] == extension]:
            self._count(name, ())

    def is_locked(self, *names: str) -> bool:
        """Whether too many wrong PINs were entered under one of these names."""
        return any(len(self._recent(name)) >= _most(name) for name in names)

    def check(self, extension: str, digits: str, *names: str) -> Verdict:
        """Whether these digits are a person's PIN. A wrong one counts under each of the names.

        names: a kind and whose it is, as `device 1002`.
        """
        pin = self._pins.get(extension)
        if self.is_locked(*names):
            return Verdict.LOCKED
        if pin is None:
            return Verdict.NONE
        if (
            hmac.compare_digest(pin.hash, _hash(digits[:MOST_DIGITS], pin.salt))
            and len(digits) <= MOST_DIGITS
        ):
            for name in names:
                if self._wrong.get(name) and not name.startswith("person "):
                    self._count(name, ())
            return Verdict.RIGHT
        for name in names:
            self._count(name, (*self._recent(name), self._exchange.clock()))
        locked = self.is_locked(*names)
        log.warning("user=%s wrong PIN at=%s locked=%s", extension, ", ".join(names), locked)
        self._exchange.events.publish(PinRefused, extension, ", ".join(names), locked)
        return Verdict.WRONG

    def everybody(self) -> list[str]:
        """Who has a PIN, by extension."""
        return sorted(self._pins)

    def _recent(self, name: str) -> tuple[float, ...]:
        since = self._exchange.clock() - TRIES_SECONDS
        return tuple(at for at in self._wrong.get(name, ()) if at > since)

    def _count(self, name: str, wrong_at: tuple[float, ...]) -> None:
        self._exchange.write(TriesRecord(name, wrong_at))
        if wrong_at:
            self._wrong[name] = wrong_at
        else:
            self._wrong.pop(name, None)

    def _keep(self, record: PinRecord) -> None:
        """Raises SettingRefused."""
        exchange = self._exchange
        if exchange.journal.exhausted:
            raise SettingRefused("disk", _NOT_NOW, "the disk is full: nothing more can be kept")
        exchange.write(record)
        if record.hash:
            self._pins[record.extension] = record
        else:
            self._pins.pop(record.extension, None)


def is_simple(digits: str) -> bool:
    """Whether digits are no PIN, or the first that anybody would try: 0000, 1234, 4321."""
    if not (digits.isascii() and digits.isdigit() and LEAST_DIGITS <= len(digits) <= MOST_DIGITS):
        return True
    steps = {int(after) - int(before) for before, after in itertools.pairwise(digits)}
    return len(steps) == 1 and steps <= {-1, 0, 1}


def _most(name: str) -> int:
    return MOST_TRIES_OF_A_PERSON if name.startswith("person ") else MOST_TRIES


def _hash(digits: str, salt: bytes) -> bytes:
    # Some 2 ms: the signalling process has no more time for one call, and a PIN has no more entropy.
    return hashlib.scrypt(digits.encode(), salt=salt, n=1024, r=8, p=1, dklen=32)
