"""Recordings that have to stay: who holds which, until when."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

import msgspec

from recording.archive import requests, rights
from recording.archive.catalogue import PURGING
from recording.archive.ledger import Ledger
from recording.archive.requests import Found, Query
from recording.archive.rights import Denied, Who
from recording.retention import DAY_SECONDS

MOST_HELD_AT_ONCE: Final = 10_000
LONGEST_HOLD_SECONDS: Final = 10 * 366 * DAY_SECONDS


class Holds:
    """See the module."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def hold(
        self, who: Who, recordings: Sequence[str], query: Query | None, until: float
    ) -> requests.HoldList:
        """Have recordings stay until an instant. Raises Denied, or Unknown for what isn't there."""
        rights.reason(who)
        now = self._ledger.now()
        if not now < until <= now + LONGEST_HOLD_SECONDS:
            raise Denied("a hold ends later than now, and within ten years", word="hold_too_long")
        if not recordings and query is None:
            raise Denied("say which recordings are to be held")
        policies = self._ledger.kept_by(who)
        wanted = [self._ledger.catalogue.get(name) for name in recordings]
        for found in wanted:
            if found.policy not in policies:
                why = f"{who.name} is no listener of {found.policy}, and holds none of its recordings"
                raise Denied(why, "right", "not_a_listener")
        if query is not None:
            rights.check_query(query)
            wanted += self._all_like(query, policies)
        refused: dict[str, str] = {}
        made: list[int] = []
        with self._ledger.lock:
            self._ledger.catch_up()
            for found in wanted:
                if self._ledger.state(found.recording) in (PURGING, "gone"):
                    refused[found.recording] = "it is being purged"
                else:
                    entry = self._ledger.say("held", found.recording, who, until=until)
                    made.append(entry.number)
            self._ledger.catch_up()
        return requests.HoldList(
            [hold for hold in self._ledger.catalogue.holds(now) if hold.number in made], refused
        )

    def release(self, who: Who, recordings: Sequence[str], numbers: Sequence[int]) -> requests.HoldList:
        """End holds of recordings, and those of these numbers; a person ends their own. Raises Denied."""
        rights.reason(who)
        self._ledger.kept_by(who)
        if not recordings and not numbers:
            raise Denied("say which holds are to end")
        with self._ledger.lock:
            self._ledger.catch_up()
            there = self._ledger.catalogue.holds(self._ledger.now())
            ending = [hold for hold in there if hold.recording in recordings or hold.number in numbers]
            refused = dict.fromkeys(recordings, "it is under no hold")
            for hold in ending:
                refused.pop(hold.recording, None)
                if who.person and hold.by != who.person:
                    why = f"hold {hold.number} is of {hold.by}: they end it, or the administrator"
                    raise Denied(why, "right", "hold_of_another")
            for hold in ending:
                self._ledger.say("released", hold.recording, who, hold=hold.number)
            self._ledger.catch_up()
        return requests.HoldList(ending, refused)

    def lasting(self, who: Who) -> requests.HoldList:
        """Return the holds that last. Raises Denied."""
        policies = self._ledger.kept_by(who)
        there = self._ledger.catalogue.holds(self._ledger.now())
        return requests.HoldList(
            [hold for hold in there if self._ledger.policy_of(hold.recording) in policies]
        )

    def _all_like(self, query: Query, policies: Collection[str]) -> list[Found]:
        """All recordings that a query finds. Raises Denied where they are too many."""
        found: list[Found] = []
        after = ""
        while True:
            page = msgspec.structs.replace(query, after=after, limit=requests.MOST_FOUND)
            some, after = self._ledger.catalogue.search(page, sorted(policies))
            found += some
            if len(found) > MOST_HELD_AT_ONCE:
                why = f"more than {MOST_HELD_AT_ONCE} recordings are like this: hold fewer at once"
                raise Denied(why, word="too_many")
            if not after:
                return found
