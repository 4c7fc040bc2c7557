"""Finding recordings, and opening them to hear, export or verify."""

from __future__ import annotations

from pathlib import Path

import msgspec

from recording.archive import requests, rights
from recording.archive.approvals import EXPORTED, still_open
from recording.archive.catalogue import Unknown
from recording.archive.exports import Exports
from recording.archive.ledger import Ledger
from recording.archive.purge import path_of
from recording.archive.requests import Found, Query
from recording.archive.rights import Denied, Who
from recording.keys import NoKey
from recording.proof.journal import Value


class Listening:
    """See the module."""

    def __init__(self, ledger: Ledger, exports: Exports) -> None:
        self._ledger = ledger
        self._exports = exports

    def search(self, who: Who, query: Query) -> requests.Page:
        """Return recordings that `who` may hear. Raises Denied."""
        policies = self._ledger.heard_by(who)
        rights.reason(who)
        rights.check_query(query)
        try:
            found, following = self._ledger.catalogue.search(query, policies)
        except ValueError as error:
            raise Denied(f"{error}; begin again without it", word="bad_cursor") from None
        asked = {name: str(said) for name, said in _asked(query).items() if name != "number"}
        about: dict[str, Value] = {"asked": asked, "found": len(found)}
        if query.number:
            about["mark"] = self._ledger.mark(query.number)
        self._ledger.say("searched", "", who, **about)
        return requests.Page(self._ledger.terms.completed(found, self._ledger.now()), following)

    def show(self, who: Who, recording: str) -> requests.Shown:
        """Return what is known of a recording. Raises Denied or Unknown."""
        found = self._ledger.hearable(who, recording)
        rights.reason(who)
        self._ledger.say("shown", recording, who)
        self._ledger.catch_up()
        (complete,) = self._ledger.terms.completed([found], self._ledger.now())
        holds = self._ledger.catalogue.holds(self._ledger.now(), recording)
        history = self._ledger.catalogue.history(recording)
        return requests.Shown(
            complete,
            holds,
            history,
            self._ledger.terms.policy(found),
            still_open(history, self._ledger.now()),
        )

    def custody(self, who: Who, recording: str) -> requests.InCustody:
        """Return what was done with a recording. Raises Denied or Unknown."""
        found = self._ledger.kept(who, recording)
        self._ledger.say("reported", recording, who)
        self._ledger.catch_up()
        (complete,) = self._ledger.terms.completed([found], self._ledger.now())
        return requests.InCustody(
            recording,
            self._ledger.terms.policy(found),
            found.begun,
            found.ended,
            found.state,
            complete.over,
            self._ledger.catalogue.holds(self._ledger.now(), recording),
            self._ledger.catalogue.history(recording),
        )

    def verifiable(self, who: Who, recording: str) -> requests.Verifiable:
        """Return what it takes to verify a recording, but the private key. Raises Denied or Unknown."""
        found = self._ledger.kept(who, recording)
        path, key = self._file_and_key(found)
        self._ledger.say("verified", recording, who)
        return requests.Verifiable(str(path), found.head, key)

    def open(self, who: Who, recording: str, purpose: requests.Purpose) -> requests.Opened:
        """Return what it takes to hear or export a recording, but the private key. Raises Denied, Unknown."""
        return self._open(who, self._ledger.hearable(who, recording), purpose)

    def last(self, who: Who, line: str, user: str) -> requests.Opened:
        """As `open` for listening, of the newest recording of a line or a user. Raises Denied."""
        policies = self._ledger.heard_by(who)
        if not line and not user:
            raise Denied("say the last of which line or which user")
        rights.check_query(Query(line=line, user=user))
        try:
            found = self._ledger.catalogue.newest(policies, line, user)
        except Unknown:
            why = f"there is no recording of {line or user} that {who.person} may hear"
            raise Denied(why, word="no_recording") from None
        return self._open(who, found, "listen")

    def _open(self, who: Who, found: Found, purpose: requests.Purpose) -> requests.Opened:
        rights.reason(who)
        policy = self._ledger.terms.policy(found)
        approval: dict[str, Value] = {}
        if purpose == "export":
            self._exports.check(found, policy)
            approval = self._exports.approval(who, found, policy)
        path, key = self._file_and_key(found)
        self._ledger.say(EXPORTED if purpose == "export" else "listened", found.recording, who, **approval)
        (complete,) = self._ledger.terms.completed([found], self._ledger.now())
        return requests.Opened(complete, str(path), key, policy)

    def _file_and_key(self, found: Found) -> tuple[Path, bytes]:
        path = path_of(self._ledger.directory, found.recording)
        if not path.exists():
            why = f"the file of {found.recording} isn't there; `beffroi recording verify` says more"
            raise Denied(why, "unknown", "no_file")
        try:
            return path, self._ledger.keys.get(found.recording)
        except NoKey:
            why = f"the key of {found.recording} isn't in the key store any more"
            raise Denied(why, "unknown", "no_key") from None


def _asked(query: Query) -> dict[str, object]:
    """What a query asks."""
    return {name: said for name, said in msgspec.structs.asdict(query).items() if said not in ("", None)}
