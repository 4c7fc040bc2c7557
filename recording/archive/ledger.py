"""What is known of the recordings, in one place: the journal that says what was done, the catalogue that was
read from it, the files' keys, and the clock by which all is dated.

Who may know of a recording, hear it or keep it is asked here as well, since the answer is in the catalogue.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
from collections import deque
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from pathlib import Path
from threading import RLock

import msgspec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from recording.archive import rights
from recording.archive.catalogue import PURGING, Catalogue, Unknown
from recording.archive.clock import ClockWatch
from recording.archive.requests import Found
from recording.archive.rights import Denied, Who
from recording.archive.terms import Terms
from recording.keys import KeyStore
from recording.live.wire import Facts
from recording.proof.journal import START, Entry, Journal, JournalDamage, Value, entries_since
from recording.retention import ClockSeen

log = logging.getLogger(__name__)


class Ledger:
    """See the module. lock: held while something is journalled that depends on what was journalled before."""

    def __init__(
        self,
        directory: Path,
        keys: KeyStore,
        journal: Journal,
        catalogue: Catalogue,
        clock: ClockWatch,
        look: Callable[[], ClockSeen],
    ) -> None:
        """directory: of the files. look: at the machine's clocks."""
        self.directory = directory
        self.keys = keys
        self.journal = journal
        self.catalogue = catalogue
        self.terms = Terms(catalogue)
        self.clock = clock
        self.look = look
        self.lock = RLock()
        self._begun: deque[tuple[str, float, dict[str, str]]] = deque()

    def begun(self, recording: str, began_us: int, facts: Facts) -> None:
        """A recording begins. Returns at once: it is entered in the catalogue before anybody asks."""
        self._begun.append((recording, began_us / 1e6, msgspec.structs.asdict(facts)))

    def catch_up(self) -> None:
        """Enter in the catalogue what was told and journalled since the last time.

        Raises OSError, JournalDamage or CatalogueUnusable.
        """
        with self.lock:
            while self._begun:
                self.catalogue.begun(*self._begun[0])
                self._begun.popleft()
            journal, read, written = self.journal, self.catalogue.place, self.journal.place
            if read == written:
                return
            key = journal.key.public_key()
            try:
                if read.offset >= written.offset:
                    raise JournalDamage(journal.path, read.number, "isn't the one that was read")
                self.catalogue.read_on(entries_since(journal.path, key, read, written.offset))
            except JournalDamage as damage:
                log.warning("the catalogue of recordings is made again: %s", damage)
                self.catalogue.begin_again()
                self.catalogue.read_on(entries_since(journal.path, key, START, written.offset))

    def heard_by(self, who: Who) -> list[str]:
        """Return the policies whose recordings somebody may hear: one at least. Raises Denied."""
        return rights.heard_by(who, self.catalogue.policies().values())

    def kept_by(self, who: Who) -> Collection[str]:
        """Return the policies whose recordings somebody may hold. Raises Denied."""
        if who.person:
            return self.heard_by(who)
        return {*self.catalogue.policies(), *self.catalogue.totals()}

    def hearable(self, who: Who, recording: str) -> Found:
        """Return a recording that somebody may hear. Raises Denied or Unknown."""
        policies = self.heard_by(who)
        found = self.catalogue.get(recording)
        if found.policy not in policies:
            why = f"{who.person} is no listener of {found.policy}; the plan's `listeners:` says who is"
            raise Denied(why, "right", "not_a_listener")
        if found.state == PURGING:
            raise Denied(f"{recording} is being purged", word="being_purged")
        return found

    def kept(self, who: Who, recording: str) -> Found:
        """Return a recording for whoever may know that it is there. Raises Denied or Unknown."""
        return self.hearable(who, recording) if who.person else self.catalogue.get(recording)

    def say(self, what: str, recording: str, who: Who, **about: Value) -> Entry:
        """Journal what somebody did. Raises OSError."""
        over: dict[str, Value] = {"over": "pages"} if who.over_pages else {}
        return self.append(what, recording, who.name, why=who.why, account=who.account, **over, **about)

    def append(self, what: str, recording: str, by: str, **about: Value) -> Entry:
        """Journal what was done. Raises OSError."""
        return self.journal.append(self.now(), what, recording, by, **about)

    def now(self) -> float:
        """Return the time, in Unix seconds."""
        return self.look().wall

    def doubt(self) -> str:
        """Return why the clock can't be trusted, "" where it can."""
        return self.clock.seen(self.look())

    def trust_the_clock(self) -> None:
        """Raise Denied while the clock is in doubt."""
        doubt = self.doubt()
        if doubt:
            raise Denied(
                f"nothing is purged while {doubt}: look at the clock, and then "
                "`beffroi recording vouch-for-clock`",
                "clock",
            )

    def policy_of(self, recording: str) -> str:
        """Return the policy of a recording, "" where there is none of that name."""
        try:
            return self.catalogue.get(recording).policy
        except Unknown:
            return ""

    def state(self, recording: str) -> str:
        """Return what has become of a recording, "gone" where there is none of that name."""
        try:
            return self.catalogue.get(recording).state
        except Unknown:
            return "gone"

    def mark(self, number: str) -> str:
        """Return what the journal calls a number: nobody without the node's private key can tell which it
        is.
        """
        secret = self.journal.key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
        return hmac.new(secret, b"searched number " + number.encode(), hashlib.sha256).hexdigest()[:32]


def shown(instant: float) -> str:
    """Return Unix seconds as they are written in answers: UTC, RFC 3339."""
    return datetime.fromtimestamp(instant, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
