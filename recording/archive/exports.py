"""Who takes a recording out of the house, and who has agreed to it."""

from __future__ import annotations

import re
from typing import Final

from recording.archive import requests, rights
from recording.archive.approvals import (
    APPROVED,
    ASKED,
    EXPORTED,
    GOOD_SECONDS,
    NotApproved,
    granted,
    still_open,
)
from recording.archive.ledger import Ledger
from recording.archive.requests import Found, PolicyTold
from recording.archive.rights import Denied, Who
from recording.proof.journal import Value

_SUM: Final = re.compile(r"[0-9a-f]{64}")


class Exports:
    """See the module."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def open(self, who: Who) -> requests.ExportList:
        """Return the requests to export that are of use still. Raises Denied."""
        policies, now = self._ledger.heard_by(who), self._ledger.now()
        names = {
            one.recording
            for one in self._ledger.catalogue.said(now - GOOD_SECONDS, now + 1)
            if one.what == ASKED
        }
        there = [
            one
            for name in names
            if self._ledger.policy_of(name) in policies
            for one in still_open(self._ledger.catalogue.history(name), now)
        ]
        return requests.ExportList(sorted(there, key=lambda one: one.request))

    def ask(self, who: Who, recording: str) -> requests.ExportAsked:
        """Ask another listener to agree to an export. Raises Denied or Unknown."""
        found = self._ledger.hearable(who, recording)
        rights.reason(who)
        policy = self._ledger.terms.policy(found)
        self.check(found, policy)
        if policy.export != "two_persons":
            why = f"nobody needs to be asked: {who.person} may export {recording}"
            raise Denied(why, word="nobody_to_ask")
        entry = self._ledger.say(ASKED, recording, who)
        return requests.ExportAsked(entry.number, recording, who.name, who.why, entry.at + GOOD_SECONDS)

    def approve(self, who: Who, request: int) -> requests.ExportAsked:
        """Agree to an export that another listener has asked for. Raises Denied."""
        self._ledger.heard_by(who)
        now = self._ledger.now()
        recent = self._ledger.catalogue.said(now - GOOD_SECONDS, now + 1)
        asked = next((one for one in recent if one.number == request and one.what == ASKED), None)
        if asked is None:
            raise Denied(f"there is no request {request} of the last 24 hours", word="no_request")
        self._ledger.hearable(who, asked.recording)
        rights.reason(who)
        if who.person == asked.by:
            why = f"{who.person} has asked for it: another listener approves"
            raise Denied(why, "export", "not_by_oneself")
        self._ledger.say(APPROVED, asked.recording, who, request=request)
        until = asked.at + GOOD_SECONDS
        why = str(asked.about.get("why", ""))
        return requests.ExportAsked(request, asked.recording, asked.by, why, until, who.name)

    def packaged(self, who: Who, made: requests.Packaged) -> requests.Journalled:
        """Journal the hash of a package that somebody has made of a recording. Raises Denied or Unknown."""
        self._ledger.hearable(who, made.recording)
        rights.reason(who)
        history = self._ledger.catalogue.history(made.recording)
        since = self._ledger.now() - GOOD_SECONDS
        if not any(one.what == EXPORTED and one.by == who.name and one.at > since for one in history):
            raise Denied(f"{who.name} hasn't opened {made.recording} for export")
        if not _SUM.fullmatch(made.sums) or made.format not in ("wav", "flac", "opus"):
            raise Denied("a package is named by its SHA-256 and the format of its sound")
        entry = self._ledger.say("packaged", made.recording, who, sums=made.sums, format=made.format)
        return requests.Journalled(entry.number)

    def check(self, found: Found, policy: PolicyTold) -> None:
        """Raise Denied where nobody may export such a recording."""
        if policy.export == "never":
            why = f"recordings of {found.policy} are never exported: the plan says so"
            raise Denied(why, "export", "never_exported")
        if found.ended is None:
            why = f"{found.recording} still goes on: export it when it has ended"
            raise Denied(why, "goes on", "goes_on")

    def approval(self, who: Who, found: Found, policy: PolicyTold) -> dict[str, Value]:
        """Return what the journal says of who agreed to an export. Raises Denied where nobody has."""
        if policy.export != "two_persons":
            return {}
        try:
            approval = granted(
                self._ledger.catalogue.history(found.recording), who.person, self._ledger.now()
            )
        except NotApproved as missing:
            why = f"recordings of {found.policy}: {missing}"
            raise Denied(why, "export", missing.word) from None
        return {"request": approval.request, "approved_by": approval.by}
