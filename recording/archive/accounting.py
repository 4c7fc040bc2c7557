"""The account of a period: what is kept and why, who had to do with it, and what is gone.

All of it is in the journal, as the catalogue has read it. What the document looks like is in `report`.
"""

from __future__ import annotations

from typing import Final

from recording.archive.approvals import APPROVED, ASKED, EXPORTED
from recording.archive.catalogue import Catalogue, Unknown, tombstone
from recording.archive.requests import Accounted, PolicyAccount, PolicyTold, Tombstone
from recording.archive.subject import public_text
from recording.archive.terms import over
from recording.proof.journal import Journal

_USES: Final = frozenset(
    {
        "searched", "shown", "listened", ASKED, APPROVED, EXPORTED, "packaged", "refused", "about",
        "reported", "verified",
    }
)  # fmt: skip
_EVENTS: Final = frozenset(
    {
        "held", "released", "policy", "vouched", "clock", "erasure", "repaired", "damaged", "missing",
        "numbers told",
    }
)  # fmt: skip


def account(
    catalogue: Catalogue, journal: Journal, since: float, until: float, now: float, clock: str
) -> Accounted:
    """Return the account of a period, made `now`. clock: why it is in doubt, "" where it isn't."""
    said = catalogue.said(since, until)
    stones = [tombstone(entry) for entry in said if entry.what == "purged"]
    return Accounted(
        since=since,
        until=until,
        made=now,
        node=public_text(journal.key.public_key()),
        policies=_policies(catalogue, stones, since, until, now),
        used=[entry for entry in said if entry.what in _USES],
        holds=catalogue.holds(now),
        tombstones=stones,
        events=[entry for entry in said if entry.what in _EVENTS],
        clock=clock,
        entries=journal.entries,
        head=journal.head,
    )


def _policies(
    catalogue: Catalogue, stones: list[Tombstone], since: float, until: float, now: float
) -> list[PolicyAccount]:
    totals, policies = catalogue.totals(), catalogue.policies()
    begun = catalogue.begun_between(totals, since, until)
    held = _held(catalogue, now)
    accounts = []
    for name in sorted({*policies, *totals, *(stone.policy for stone in stones)}):
        policy = policies.get(name, PolicyTold(name=name))
        count, size, oldest = totals.get(name, (0, 0, None))
        gone = [stone for stone in stones if stone.policy == name]
        first = catalogue.due(name, float("inf"), now, 1)
        accounts.append(
            PolicyAccount(
                policy=policy,
                kept=count,
                kept_bytes=size,
                oldest=oldest,
                next_purge=over(first[0], policy) if first else None,
                held=len(held.get(name, ())),
                begun=begun.get(name, 0) + sum(since <= stone.kept_from < until for stone in gone),
                purged=len(gone),
                purged_bytes=sum(stone.bytes for stone in gone),
            )
        )
    return accounts


def _held(catalogue: Catalogue, now: float) -> dict[str, set[str]]:
    """The recordings that are held, by policy."""
    held: dict[str, set[str]] = {}
    for hold in catalogue.holds(now):
        try:
            policy = catalogue.get(hold.recording).policy
        except Unknown:
            continue
        held.setdefault(policy, set()).add(hold.recording)
    return held
