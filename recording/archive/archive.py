"""The recordings that there are: who may do what with them, and what becomes of them.

```
                 ┌── rights: the plan's listeners hear, the machine's administrator keeps house
request ─> Archive ── journal: what was done, what was refused, and why somebody wanted it
                 └── ledger: catalogue, key store, clock
                       │
                       └── listening, exports, holds, erasing, numbers: one room for each kind of request
```
Nothing is done that isn't in the journal, and nothing without a reason. A person is somebody's extension: who
is a listener of a recording's policy may find, hear and export it. An account that administers the machine
may hold, release, purge and account for recordings without being a listener, and hears none. Whoever may not
is refused, and that is journalled as well.

Methods may be called in any thread; they wait for disks. Times are Unix seconds.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

from recording.archive import accounting, requests, rights
from recording.archive.catalogue import Catalogue, CatalogueUnusable, Unknown
from recording.archive.clock import ClockWatch
from recording.archive.erasing import Erasing
from recording.archive.exports import Exports
from recording.archive.holds import Holds
from recording.archive.ledger import Ledger
from recording.archive.listening import Listening
from recording.archive.numbers import Numbers
from recording.archive.purge import NODE, Copies, NoCopies, path_of
from recording.archive.requests import Asking, Found, PolicyTold, Tombstone
from recording.archive.rights import Denied, Who
from recording.keys import KeyStore
from recording.live.wire import Facts, Policy
from recording.proof.journal import Journal, JournalDamage, Value
from recording.retention import ClockSeen

log = logging.getLogger(__name__)


class Archive:
    """See the module."""

    def __init__(
        self,
        directory: Path,
        keys: KeyStore,
        journal: Journal,
        catalogue: Catalogue,
        clock: ClockWatch,
        look: Callable[[], ClockSeen],
        copies: Copies | None = None,
        administrators: Collection[str] = ("root",),
    ) -> None:
        """directory: of the files. look: at the machine's clocks. administrators: accounts of the machine."""
        self._ledger = Ledger(directory, keys, journal, catalogue, clock, look)
        self._exports = Exports(self._ledger)
        self._listening = Listening(self._ledger, self._exports)
        self._holds = Holds(self._ledger)
        self._erasing = Erasing(self._ledger, copies or NoCopies())
        self._numbers = Numbers(self._ledger, self._erasing)
        self._administrators = frozenset(administrators)
        self._of_this_process: set[str] = set()  # until what was left is looked at
        self._started = False

    # What the recorder's process tells

    def start(self) -> None:
        """Take over what the journal says, and finish what was begun before the process died.

        To be called when files are repaired; recordings may begin meanwhile. Raises OSError, JournalDamage or
        CatalogueUnusable: then nobody can be answered, and calls are recorded all the same.
        """
        with self._ledger.lock:
            self._ledger.catch_up()
            left = [
                one
                for one in self._ledger.catalogue.in_state("going")
                if one.recording not in self._of_this_process
            ]
            self._started = True
            self._of_this_process.clear()
            for found in left:
                if not path_of(self._ledger.directory, found.recording).exists():
                    self._ledger.journal.append(self._ledger.now(), "missing", found.recording, NODE)
            self._ledger.catch_up()
            for found in self._ledger.catalogue.unmeasured():
                self._measure(found)
            self._erasing.finish()

    def use(self, policies: Iterable[Policy]) -> None:
        """These are all policies from now on; what changes is journalled. Raises OSError."""
        with self._ledger.lock:
            self._ledger.catch_up()
            known = self._ledger.catalogue.policies()
            told = {policy.name: _told(policy) for policy in policies}
            gone = {name: PolicyTold(name=name) for name in known if name not in told}
            for name, policy in {**told, **gone}.items():
                before = known.get(name)
                if before == policy or (before is not None and before.keep_days is policy.keep_days is None):
                    continue
                self._ledger.append("policy", "", NODE, **_policy_fields(policy))
            self._ledger.catch_up()

    def begun(self, recording: str, began_us: int, facts: Facts) -> None:
        """A recording begins. Returns at once: it is entered in the catalogue before anybody asks."""
        if not self._started:
            self._of_this_process.add(recording)
        self._ledger.begun(recording, began_us, facts)

    def catch_up(self) -> None:
        """Enter in the catalogue what was told and journalled. Raises OSError, JournalDamage or
        CatalogueUnusable.
        """
        self._ledger.catch_up()

    # What the recorder does by itself

    def purge_due(self) -> list[Tombstone]:
        """As `Erasing.due`."""
        return self._erasing.due()

    def make_room(self, need_bytes: int) -> list[Tombstone]:
        """As `Erasing.make_room`."""
        return self._erasing.make_room(need_bytes)

    def doubted(self, why: str) -> None:
        """Journal that the clock is in doubt, "" that it isn't any more. Raises OSError."""
        self._ledger.append("clock", "", NODE, doubt=why)

    # Requests

    def answer(self, request: requests.Request, account: str, *, over_pages: bool = False) -> requests.Answer:
        """Return the answer to a request that an account of the machine makes.

        over_pages: a process of the node itself makes it, for somebody who has signed in.
        """
        who = Who(request.person, account, request.why.strip(), request.keeper, over_pages)
        recording = getattr(request, "recording", "")
        try:
            self._ledger.catch_up()
            rights.check(who, self._administrators)
            return self._answered(request, who)
        except Denied as denied:
            return self._refused(request, who, recording, denied)
        except Unknown as unknown:  # the journal doesn't hold what somebody has typed there
            self._refused(request, who, "", Denied("there is no such recording", "unknown"))
            return requests.Refused(f"there is no recording {str(unknown.args[0])[:60]!r}", "no_recording")
        except OSError as error:
            return requests.Refused(f"{error.strerror or error}: nothing is done that can't be journalled")
        except (CatalogueUnusable, JournalDamage) as error:
            return requests.Refused(f"{error}; `beffroi doctor` says more")

    def _answered(self, request: requests.Request, who: Who) -> requests.Answer:
        match request:
            case requests.Search():
                return self._listening.search(who, request.query)
            case requests.Show():
                return self._listening.show(who, request.recording)
            case requests.Custody():
                return self._listening.custody(who, request.recording)
            case requests.Verify():
                return self._listening.verifiable(who, request.recording)
            case requests.ListExports():
                return self._exports.open(who)
            case requests.Open():
                return self._listening.open(who, request.recording, request.purpose)
            case requests.Last():
                return self._listening.last(who, request.line, request.user)
            case requests.AskExport():
                return self._exports.ask(who, request.recording)
            case requests.ApproveExport():
                return self._exports.approve(who, request.request)
            case requests.Packaged():
                return self._exports.packaged(who, request)
            case requests.Hold():
                return self._holds.hold(who, request.recordings, request.query, request.until)
            case requests.Release():
                return self._holds.release(who, request.recordings, request.holds)
            case requests.ListHolds():
                return self._holds.lasting(who)
            case requests.Purge():
                return self._erasing.early(who, request.recording)
            case requests.PurgeDue():
                rights.administrator(who, "purge")
                return requests.Purged(self.purge_due())
            case requests.Foresee():
                return self._foresee(who, request.until)
            case requests.Account():
                return self._account(who, request.since, request.until)
            case requests.FindNumber():
                return self._numbers.find(who, request.number)
            case requests.EraseNumber():
                return self._numbers.erase(who, request)
            case requests.TellNumbers():
                return self._numbers.tell(who, request.numbers)
            case requests.VouchForClock():
                return self._vouch_for_clock(who)

    def _foresee(self, who: Who, until: float) -> requests.Foreseen:
        """Return what goes until an instant, and what is held then; nothing is done. Raises Denied."""
        rights.administrator(who, "see what goes")
        return self._ledger.terms.foreseen(until, self._ledger.now(), self._ledger.doubt())

    def _account(self, who: Who, since: float, until: float) -> requests.Accounted:
        """Return the account of a period. Raises Denied."""
        rights.administrator(who, "have the account")
        if not since < until:
            raise Denied("a period ends after it begins")
        self._ledger.say("reported", "", who, since=since, until=until)
        self._ledger.catch_up()
        return accounting.account(
            self._ledger.catalogue,
            self._ledger.journal,
            since,
            until,
            self._ledger.now(),
            self._ledger.doubt(),
        )

    def _vouch_for_clock(self, who: Who) -> requests.ClockTrusted:
        """Trust the clock as it is now. Raises Denied."""
        rights.administrator(who, "vouch for the clock")
        rights.reason(who)
        seen = self._ledger.look()
        self._ledger.say(
            "vouched", "", who, doubt=self._ledger.clock.seen(seen), synchronised=seen.synchronised
        )
        return requests.ClockTrusted(self._ledger.clock.vouch(seen))

    def _refused(self, request: Asking, who: Who, recording: str, denied: Denied) -> requests.Answer:
        known = recording if recording and self._ledger.state(recording) != "gone" else ""
        about: dict[str, Value] = {"asked": type(request).__name__, "kind": denied.kind}
        try:
            self._ledger.say("refused", known, who.as_journalled(), refusal=str(denied), **about)
        except OSError as error:
            log.error("recording=%s a refusal isn't journalled: %s", known, error.strerror)
        return requests.Refused(str(denied), denied.word)

    def _measure(self, found: Found) -> None:
        path = path_of(self._ledger.directory, found.recording)
        if path.exists():
            self._ledger.catalogue.measured(found.recording, path.stat().st_size)


def _told(policy: Policy) -> PolicyTold:
    return PolicyTold(
        name=policy.name,
        legal_basis=policy.legal_basis,
        register=policy.register,
        keep_days=policy.keep_days,
        least_days=policy.least_days,
        listeners=sorted(policy.listeners),
        export=policy.export,
    )


def _policy_fields(policy: PolicyTold) -> dict[str, Value]:
    return {
        "policy": policy.name,
        "legal_basis": policy.legal_basis,
        "register": policy.register,
        "keep_days": policy.keep_days,
        "least_days": policy.least_days,
        "listeners": policy.listeners,
        "export": policy.export,
    }
