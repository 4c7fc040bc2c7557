"""Recordings that go: when their time is over, when somebody says so, when the disk is full."""

from __future__ import annotations

from typing import Final

from recording.archive import requests, rights
from recording.archive.catalogue import PURGING, tombstone
from recording.archive.ledger import Ledger, shown
from recording.archive.purge import NODE, Cause, Copies, Purge
from recording.archive.requests import Said, Tombstone
from recording.archive.rights import Denied, Who
from recording.retention import DAY_SECONDS, oldest_first

_AT_ONCE: Final = 200


class Erasing:
    """See the module."""

    def __init__(self, ledger: Ledger, copies: Copies) -> None:
        """copies: what lies elsewhere, and goes as well."""
        self._ledger = ledger
        self._copies = copies
        self._purge = Purge(ledger.directory, ledger.keys, ledger.journal, copies, ledger.now)

    def early(self, who: Who, recording: str) -> requests.Purged:
        """Erase a recording before its time is over. Raises Denied or Unknown."""
        rights.administrator(who, "purge")
        rights.reason(who)
        self._ledger.catalogue.get(recording)
        try:
            return requests.Purged([self.erase(recording, "early", who)])
        except OSError as error:
            why = error.strerror or str(error)
            raise Denied(f"{recording} isn't gone yet: {why}; it is tried again by itself") from None

    def due(self) -> list[Tombstone]:
        """Purge all whose time is over; returns what is left of them. Raises Denied while the clock is in
        doubt, OSError where a disk is in the way: what was begun is finished the next time."""
        self._ledger.catch_up()
        self._ledger.trust_the_clock()
        self.finish()
        gone: list[Tombstone] = []
        who = Who("", NODE, "its time is over")
        for policy in self._ledger.catalogue.policies().values():
            while some := self._ledger.terms.due(policy, self._ledger.now(), _AT_ONCE):
                gone += [self.erase(kept.recording, "due", who) for kept in some]
        if gone:
            self._ledger.catalogue.wipe()
        return gone

    def make_room(self, need_bytes: int) -> list[Tombstone]:
        """Purge what is due, then the oldest, until so many bytes are free; never what is held or must stay.

        What lies nowhere but here goes last. For a node that is configured so. Raises Denied or OSError as
        `due`.
        """
        gone = self.due()
        freed = sum(stone.bytes for stone in gone)
        who = Who("", NODE, "the disk is full")
        while freed < need_bytes:
            now = self._ledger.now()
            may_go = {
                one.name: now - one.least_days * DAY_SECONDS
                for one in self._ledger.catalogue.policies().values()
            }
            oldest = self._ledger.catalogue.oldest(may_go, now, _AT_ONCE)
            decided, waiting = self._ledger.terms.fates(oldest, now, now), self._copies.waiting()
            copied = [fate for fate in decided if fate.kept.recording not in waiting]
            some = oldest_first(copied, need_bytes - freed) or oldest_first(decided, need_bytes - freed)
            if not some:
                break
            for kept in some:
                stone = self.erase(kept.recording, "room", who)
                freed += stone.bytes
                gone.append(stone)
        return gone

    def finish(self) -> None:
        """Finish purges that a death or a disk interrupted. Raises OSError."""
        with self._ledger.lock:
            for found in self._ledger.catalogue.in_state(PURGING):
                begun = [
                    said for said in self._ledger.catalogue.history(found.recording) if said.what == "purging"
                ]
                self._purge.finish(found.recording, begun[-1].by, begun[-1].about)
                self._ledger.catch_up()

    def erase(self, recording: str, cause: Cause, who: Who) -> Tombstone:
        """Purge one recording that has ended and is under no hold. Raises Denied, OSError or Unknown."""
        with self._ledger.lock:
            self._ledger.catch_up()
            self._ledger.trust_the_clock()
            found, now = self._ledger.catalogue.get(recording), self._ledger.now()
            holds = self._ledger.catalogue.holds(now, recording)
            if holds:
                last = max(holds, key=lambda hold: hold.until)
                raise Denied(
                    f"{recording} is held until {shown(last.until)} by {last.by}: {last.why}", "held"
                )
            if found.ended is None:
                raise Denied(f"{recording} still goes on", "goes on")
            least = self._ledger.terms.must_stay_until(found)
            if cause != "due" and now < least:
                raise Denied(
                    f"{recording} must be kept until {shown(least)}: `keep_at_least:` of the plan",
                    "must stay",
                )
            about = self._purge.begin(
                found, self._ledger.terms.policy(found), cause, who.name, who.why, who.account
            )
            self._ledger.catch_up()
            self._purge.finish(recording, who.name, about)
            history = self._history_of_purge(recording)
            return tombstone(history)

    def _history_of_purge(self, recording: str) -> Said:
        self._ledger.catch_up()
        return [said for said in self._ledger.catalogue.history(recording) if said.what == "purged"][-1]
