"""The recordings that there are: who may do what with them, and what becomes of them.

```
                 ┌── rights: the plan's listeners hear, the machine's administrator keeps house
request ─> Archive ── journal: what was done, what was refused, and why somebody wanted it
                 └── catalogue, key store, files
```
Nothing is done that isn't in the journal, and nothing without a reason. A person is somebody's extension: who
is a listener of a recording's policy may find, hear and export it. An account that administers the machine
may hold, release, purge and account for recordings without being a listener, and hears none. Whoever may not
is refused, and that is journalled as well.

Methods may be called in any thread; they wait for disks. Times are Unix seconds.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from threading import RLock
from typing import Final

import msgspec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from recording.archive import accounting, requests, rights, subject
from recording.archive.approvals import APPROVED, ASKED, EXPORTED, GOOD_SECONDS, NotApproved, granted
from recording.archive.catalogue import PURGING, Catalogue, CatalogueUnusable, Unknown, tombstone
from recording.archive.clock import ClockWatch
from recording.archive.purge import NODE, Cause, Copies, NoCopies, Purge, path_of
from recording.archive.requests import Asking, Found, PolicyTold, Query, Said, Tombstone
from recording.archive.rights import Denied, Who
from recording.archive.terms import Terms
from recording.keys import KeyStore, NoKey
from recording.live.wire import Facts, Policy
from recording.proof.journal import START, Entry, Journal, JournalDamage, Value, entries_since
from recording.retention import DAY_SECONDS, ClockSeen, oldest_first

log = logging.getLogger(__name__)

MOST_HELD_AT_ONCE: Final = 10_000
LONGEST_HOLD_SECONDS: Final = 10 * 366 * DAY_SECONDS
_AT_ONCE: Final = 200
_SUM: Final = re.compile(r"[0-9a-f]{64}")


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
        self._directory = directory
        self._keys = keys
        self._journal = journal
        self._catalogue = catalogue
        self._terms = Terms(catalogue)
        self._clock = clock
        self._look = look
        self._administrators = frozenset(administrators)
        self._copies = copies or NoCopies()
        self._purge = Purge(directory, keys, journal, self._copies, self._now)
        self._begun: deque[tuple[str, float, dict[str, str]]] = deque()
        self._of_this_process: set[str] = set()  # until what was left is looked at
        self._started = False
        self._lock = RLock()

    # What the recorder's process tells

    def start(self) -> None:
        """Take over what the journal says, and finish what was begun before the process died.

        To be called when files are repaired; recordings may begin meanwhile. Raises OSError, JournalDamage or
        CatalogueUnusable: then nobody can be answered, and calls are recorded all the same.
        """
        with self._lock:
            self.catch_up()
            left = [
                one for one in self._catalogue.in_state("going") if one.recording not in self._of_this_process
            ]
            self._started = True
            self._of_this_process.clear()
            for found in left:
                if not path_of(self._directory, found.recording).exists():
                    self._journal.append(self._now(), "missing", found.recording, NODE)
            self.catch_up()
            for found in self._catalogue.unmeasured():
                self._measure(found)
            self.finish_purges()

    def use(self, policies: Iterable[Policy]) -> None:
        """These are all policies from now on; what changes is journalled. Raises OSError."""
        with self._lock:
            self.catch_up()
            known = self._catalogue.policies()
            told = {policy.name: _told(policy) for policy in policies}
            gone = {name: PolicyTold(name=name) for name in known if name not in told}
            for name, policy in {**told, **gone}.items():
                before = known.get(name)
                if before == policy or (before is not None and before.keep_days is policy.keep_days is None):
                    continue
                self._append("policy", "", NODE, **_policy_fields(policy))
            self.catch_up()

    def begun(self, recording: str, began_us: int, facts: Facts) -> None:
        """A recording begins. Returns at once: it is entered in the catalogue before anybody asks."""
        if not self._started:
            self._of_this_process.add(recording)
        self._begun.append((recording, began_us / 1e6, msgspec.structs.asdict(facts)))

    def catch_up(self) -> None:
        """Enter in the catalogue what was told and journalled since the last time.

        Raises OSError, JournalDamage or CatalogueUnusable.
        """
        with self._lock:
            while self._begun:
                self._catalogue.begun(*self._begun[0])
                self._begun.popleft()
            journal, read, written = self._journal, self._catalogue.place, self._journal.place
            if read == written:
                return
            key = journal.key.public_key()
            try:
                if read.offset >= written.offset:
                    raise JournalDamage(journal.path, read.number, "isn't the one that was read")
                self._catalogue.read_on(entries_since(journal.path, key, read, written.offset))
            except JournalDamage as damage:
                log.warning("the catalogue of recordings is made again: %s", damage)
                self._catalogue.begin_again()
                self._catalogue.read_on(entries_since(journal.path, key, START, written.offset))

    # Requests

    def answer(self, request: requests.Request, account: str) -> requests.Answer:
        """Return the answer to a request that an account of the machine makes."""
        who = Who(request.person, account, request.why.strip())
        recording = getattr(request, "recording", "")
        try:
            self.catch_up()
            rights.check(who, self._administrators)
            return self._answered(request, who)
        except Denied as denied:
            return self._refused(request, who, recording, denied)
        except Unknown as unknown:  # the journal doesn't hold what somebody has typed there
            self._refused(request, who, "", Denied("there is no such recording", "unknown"))
            return requests.Refused(f"there is no recording {str(unknown.args[0])[:60]!r}")
        except OSError as error:
            return requests.Refused(f"{error.strerror or error}: nothing is done that can't be journalled")
        except (CatalogueUnusable, JournalDamage) as error:
            return requests.Refused(f"{error}; `beffroi doctor` says more")

    def _answered(self, request: requests.Request, who: Who) -> requests.Answer:
        match request:
            case requests.Search():
                return self.search(who, request.query)
            case requests.Show():
                return self.show(who, request.recording)
            case requests.Open():
                return self.open(who, request.recording, request.purpose)
            case requests.Last():
                return self.last(who, request.line, request.user)
            case requests.AskExport():
                return self.ask_export(who, request.recording)
            case requests.ApproveExport():
                return self.approve_export(who, request.request)
            case requests.Packaged():
                return self.packaged(who, request)
            case requests.Hold():
                return self.hold(who, request.recordings, request.query, request.until)
            case requests.Release():
                return self.release(who, request.recordings, request.holds)
            case requests.ListHolds():
                return self.holds(who)
            case requests.Purge():
                return self.purge(who, request.recording)
            case requests.PurgeDue():
                rights.administrator(who, "purge")
                return requests.Purged(self.purge_due())
            case requests.Foresee():
                return self.foresee(who, request.until)
            case requests.Account():
                return self.account(who, request.since, request.until)
            case requests.FindNumber():
                return self.find_number(who, request.number)
            case requests.EraseNumber():
                return self.erase_number(who, request)
            case requests.TellNumbers():
                return self.tell_numbers(who, request.numbers)
            case requests.VouchForClock():
                return self.vouch_for_clock(who)

    # Finding and opening

    def search(self, who: Who, query: Query) -> requests.Page:
        """Return recordings that `who` may hear. Raises Denied."""
        policies = self._heard_by(who)
        rights.reason(who)
        rights.check_query(query)
        try:
            found, following = self._catalogue.search(query, policies)
        except ValueError as error:
            raise Denied(f"{error}; begin again without it") from None
        asked = {name: str(said) for name, said in _asked(query).items() if name != "number"}
        about: dict[str, Value] = {"asked": asked, "found": len(found)}
        if query.number:
            about["mark"] = self._mark(query.number)
        self._say("searched", "", who, **about)
        return requests.Page(self._terms.completed(found, self._now()), following)

    def show(self, who: Who, recording: str) -> requests.Shown:
        """Return what is known of a recording. Raises Denied or Unknown."""
        found = self._hearable(who, recording)
        rights.reason(who)
        self._say("shown", recording, who)
        self.catch_up()
        (complete,) = self._terms.completed([found], self._now())
        holds = self._catalogue.holds(self._now(), recording)
        return requests.Shown(complete, holds, self._catalogue.history(recording))

    def open(self, who: Who, recording: str, purpose: requests.Purpose) -> requests.Opened:
        """Return what it takes to hear or export a recording, but the private key. Raises Denied, Unknown."""
        return self._open(who, self._hearable(who, recording), purpose)

    def last(self, who: Who, line: str, user: str) -> requests.Opened:
        """As `open` for listening, of the newest recording of a line or a user. Raises Denied."""
        policies = self._heard_by(who)
        if not line and not user:
            raise Denied("say the last of which line or which user")
        rights.check_query(Query(line=line, user=user))
        try:
            found = self._catalogue.newest(policies, line, user)
        except Unknown:
            raise Denied(f"there is no recording of {line or user} that {who.person} may hear") from None
        return self._open(who, found, "listen")

    def _open(self, who: Who, found: Found, purpose: requests.Purpose) -> requests.Opened:
        rights.reason(who)
        policy = self._terms.policy(found)
        approval: dict[str, Value] = {}
        if purpose == "export":
            self._may_export(found, policy)
            approval = self._approval(who, found, policy)
        path = path_of(self._directory, found.recording)
        if not path.exists():
            raise Denied(
                f"the file of {found.recording} isn't there; `beffroi recording verify` says more", "unknown"
            )
        try:
            key = self._keys.get(found.recording)
        except NoKey:
            raise Denied(f"the key of {found.recording} isn't in the key store any more", "unknown") from None
        self._say(EXPORTED if purpose == "export" else "listened", found.recording, who, **approval)
        (complete,) = self._terms.completed([found], self._now())
        return requests.Opened(complete, str(path), key, policy)

    # Exports

    def ask_export(self, who: Who, recording: str) -> requests.ExportAsked:
        """Ask another listener to agree to an export. Raises Denied or Unknown."""
        found = self._hearable(who, recording)
        rights.reason(who)
        policy = self._terms.policy(found)
        self._may_export(found, policy)
        if policy.export != "two_persons":
            raise Denied(f"nobody needs to be asked: {who.person} may export {recording}")
        entry = self._say(ASKED, recording, who)
        return requests.ExportAsked(entry.number, recording, who.name, who.why, entry.at + GOOD_SECONDS)

    def approve_export(self, who: Who, request: int) -> requests.ExportAsked:
        """Agree to an export that another listener has asked for. Raises Denied."""
        self._heard_by(who)
        now = self._now()
        recent = self._catalogue.said(now - GOOD_SECONDS, now + 1)
        asked = next((one for one in recent if one.number == request and one.what == ASKED), None)
        if asked is None:
            raise Denied(f"there is no request {request} of the last 24 hours")
        self._hearable(who, asked.recording)
        rights.reason(who)
        if who.person == asked.by:
            raise Denied(f"{who.person} has asked for it: another listener approves", "export")
        self._say(APPROVED, asked.recording, who, request=request)
        until = asked.at + GOOD_SECONDS
        why = str(asked.about.get("why", ""))
        return requests.ExportAsked(request, asked.recording, asked.by, why, until, who.name)

    def packaged(self, who: Who, made: requests.Packaged) -> requests.Journalled:
        """Journal the hash of a package that somebody has made of a recording. Raises Denied or Unknown."""
        self._hearable(who, made.recording)
        rights.reason(who)
        history = self._catalogue.history(made.recording)
        since = self._now() - GOOD_SECONDS
        if not any(one.what == EXPORTED and one.by == who.name and one.at > since for one in history):
            raise Denied(f"{who.name} hasn't opened {made.recording} for export")
        if not _SUM.fullmatch(made.sums) or made.format not in ("wav", "flac", "opus"):
            raise Denied("a package is named by its SHA-256 and the format of its sound")
        entry = self._say("packaged", made.recording, who, sums=made.sums, format=made.format)
        return requests.Journalled(entry.number)

    def _may_export(self, found: Found, policy: PolicyTold) -> None:
        """Raises Denied where nobody may export such a recording."""
        if policy.export == "never":
            raise Denied(f"recordings of {found.policy} are never exported: the plan says so", "export")
        if found.ended is None:
            raise Denied(f"{found.recording} still goes on: export it when it has ended", "goes on")

    def _approval(self, who: Who, found: Found, policy: PolicyTold) -> dict[str, Value]:
        """Return what the journal says of who agreed to an export. Raises Denied where nobody has."""
        if policy.export != "two_persons":
            return {}
        try:
            approval = granted(self._catalogue.history(found.recording), who.person, self._now())
        except NotApproved as missing:
            raise Denied(f"recordings of {found.policy}: {missing}", "export") from None
        return {"request": approval.request, "approved_by": approval.by}

    # Holds

    def hold(
        self, who: Who, recordings: Sequence[str], query: Query | None, until: float
    ) -> requests.HoldList:
        """Have recordings stay until an instant. Raises Denied, or Unknown for what isn't there."""
        rights.reason(who)
        now = self._now()
        if not now < until <= now + LONGEST_HOLD_SECONDS:
            raise Denied("a hold ends later than now, and within ten years")
        if not recordings and query is None:
            raise Denied("say which recordings are to be held")
        policies = self._kept_by(who)
        wanted = [self._catalogue.get(name) for name in recordings]
        for found in wanted:
            if found.policy not in policies:
                raise Denied(
                    f"{who.name} is no listener of {found.policy}, and holds none of its recordings", "right"
                )
        if query is not None:
            rights.check_query(query)
            wanted += self._all_like(query, policies)
        refused: dict[str, str] = {}
        made: list[int] = []
        with self._lock:
            self.catch_up()
            for found in wanted:
                if self._state(found.recording) in (PURGING, "gone"):
                    refused[found.recording] = "it is being purged"
                else:
                    entry = self._append(
                        "held", found.recording, who.name, until=until, why=who.why, account=who.account
                    )
                    made.append(entry.number)
            self.catch_up()
        return requests.HoldList(
            [hold for hold in self._catalogue.holds(now) if hold.number in made], refused
        )

    def release(self, who: Who, recordings: Sequence[str], numbers: Sequence[int]) -> requests.HoldList:
        """End holds of recordings, and those of these numbers; a person ends their own. Raises Denied."""
        rights.reason(who)
        self._kept_by(who)
        if not recordings and not numbers:
            raise Denied("say which holds are to end")
        with self._lock:
            self.catch_up()
            there = self._catalogue.holds(self._now())
            ending = [hold for hold in there if hold.recording in recordings or hold.number in numbers]
            refused = dict.fromkeys(recordings, "it is under no hold")
            for hold in ending:
                refused.pop(hold.recording, None)
                if who.person and hold.by != who.person:
                    raise Denied(
                        f"hold {hold.number} is of {hold.by}: they end it, or the administrator", "right"
                    )
            for hold in ending:
                self._say("released", hold.recording, who, hold=hold.number)
            self.catch_up()
        return requests.HoldList(ending, refused)

    def holds(self, who: Who) -> requests.HoldList:
        """Return the holds that last. Raises Denied."""
        policies = self._kept_by(who)
        there = self._catalogue.holds(self._now())
        return requests.HoldList([hold for hold in there if self._policy_of(hold.recording) in policies])

    # Purging

    def purge(self, who: Who, recording: str) -> requests.Purged:
        """Erase a recording before its time is over. Raises Denied or Unknown."""
        rights.administrator(who, "purge")
        rights.reason(who)
        self._catalogue.get(recording)
        try:
            return requests.Purged([self._erase(recording, "early", who)])
        except OSError as error:
            why = error.strerror or str(error)
            raise Denied(f"{recording} isn't gone yet: {why}; it is tried again by itself") from None

    def purge_due(self) -> list[Tombstone]:
        """Purge all whose time is over; returns what is left of them. Raises Denied while the clock is in
        doubt, OSError where a disk is in the way: what was begun is finished the next time."""
        self.catch_up()
        self._trust_the_clock()
        self.finish_purges()
        gone: list[Tombstone] = []
        who = Who("", NODE, "its time is over")
        for policy in self._catalogue.policies().values():
            while some := self._terms.due(policy, self._now(), _AT_ONCE):
                gone += [self._erase(kept.recording, "due", who) for kept in some]
        if gone:
            self._catalogue.wipe()
        return gone

    def make_room(self, need_bytes: int) -> list[Tombstone]:
        """Purge what is due, then the oldest, until so many bytes are free; never what is held or must stay.

        What lies nowhere but here goes last. For a node that is configured so. Raises Denied or OSError as
        `purge_due`.
        """
        gone = self.purge_due()
        freed = sum(stone.bytes for stone in gone)
        who = Who("", NODE, "the disk is full")
        while freed < need_bytes:
            now = self._now()
            may_go = {
                one.name: now - one.least_days * DAY_SECONDS for one in self._catalogue.policies().values()
            }
            oldest = self._catalogue.oldest(may_go, now, _AT_ONCE)
            decided, waiting = self._terms.fates(oldest, now, now), self._copies.waiting()
            copied = [fate for fate in decided if fate.kept.recording not in waiting]
            some = oldest_first(copied, need_bytes - freed) or oldest_first(decided, need_bytes - freed)
            if not some:
                break
            for kept in some:
                stone = self._erase(kept.recording, "room", who)
                freed += stone.bytes
                gone.append(stone)
        return gone

    def finish_purges(self) -> None:
        """Finish purges that a death or a disk interrupted. Raises OSError."""
        with self._lock:
            for found in self._catalogue.in_state(PURGING):
                begun = [said for said in self._catalogue.history(found.recording) if said.what == "purging"]
                self._purge.finish(found.recording, begun[-1].by, begun[-1].about)
                self.catch_up()

    def foresee(self, who: Who, until: float) -> requests.Foreseen:
        """Return what goes until an instant, and what is held then; nothing is done. Raises Denied."""
        rights.administrator(who, "see what goes")
        return self._terms.foreseen(until, self._now(), self._doubt())

    def account(self, who: Who, since: float, until: float) -> requests.Accounted:
        """Return the account of a period. Raises Denied."""
        rights.administrator(who, "have the account")
        if not since < until:
            raise Denied("a period ends after it begins")
        self._say("reported", "", who, since=since, until=until)
        self.catch_up()
        return accounting.account(self._catalogue, self._journal, since, until, self._now(), self._doubt())

    # What somebody asks about their number

    def find_number(self, who: Who, number: str) -> requests.AboutNumber:
        """Return the recordings about a number. Raises Denied."""
        rights.administrator(who, "look for what is kept about somebody")
        rights.reason(who)
        rights.check_query(Query(number=number))
        mark = self._mark(number)
        found = self._catalogue.about(number)
        searched = self._catalogue.searches(mark)
        self._say("about", "", who, mark=mark, found=len(found))
        complete = self._terms.completed(found, self._now())
        return requests.AboutNumber(number, complete, self._stays(found), searched)

    def erase_number(self, who: Who, asked: requests.EraseNumber) -> requests.Erased:
        """Erase what there is about a number, where that is allowed. Raises Denied."""
        rights.administrator(who, "erase what is kept about somebody")
        rights.reason(who)
        rights.check_query(Query(number=asked.number))
        found = self._catalogue.about(asked.number)
        stays = self._stays(found)
        erased: list[str] = []
        for one in found:
            if one.recording not in stays:
                try:
                    self._erase(one.recording, "erasure", who)
                    erased.append(one.recording)
                except Denied as denied:  # a clock in doubt, a hold that somebody has just made
                    stays[one.recording] = str(denied)
        self._catalogue.wipe()
        return requests.Erased(erased, stays, self._receipt(who, asked, erased, stays))

    def _receipt(
        self, who: Who, asked: requests.EraseNumber, erased: list[str], stays: dict[str, str]
    ) -> str:
        salt = subject.make_salt()
        calls: dict[str, Value] = {"calls_found": asked.calls_found, "calls_erased": asked.calls_erased}
        entry = self._say(
            "erasure",
            "",
            who,
            number_hash=subject.hashed(salt, asked.number),
            erased=len(erased),
            stay=len(stays),
            **calls,
        )
        fields = {
            "number": asked.number,
            "salt": salt.hex(),
            "at": shown(entry.at),
            "by": who.name,
            "erased": erased,
            "stay": stays,
            **calls,
            "entry": entry.number,
            "digest": entry.digest,
        }
        return subject.sign(fields, self._journal.key)

    def _stays(self, found: Sequence[Found]) -> dict[str, str]:
        """Return which of these may not be erased now, and why."""
        now, stays = self._now(), {}
        for one in found:
            holds = self._catalogue.holds(now, one.recording)
            if one.ended is None:
                stays[one.recording] = "it still goes on"
            elif holds:
                stays[one.recording] = f"it is held until {shown(max(hold.until for hold in holds))}"
            elif now < self._terms.must_stay_until(one):
                stays[one.recording] = f"it must be kept until {shown(self._terms.must_stay_until(one))}"
        return stays

    def tell_numbers(self, who: Who, numbers: Mapping[str, tuple[str, str]]) -> requests.NumbersTaken:
        """Give recordings the numbers that a catalogue has lost. Raises Denied."""
        rights.administrator(who, "tell numbers")
        rights.reason(who)
        told = [self._catalogue.tell_numbers(name, *of_it) for name, of_it in numbers.items()]
        self._say("numbers told", "", who, count=sum(told))
        return requests.NumbersTaken(sum(told))

    # The clock

    def vouch_for_clock(self, who: Who) -> requests.ClockTrusted:
        """Trust the clock as it is now. Raises Denied."""
        rights.administrator(who, "vouch for the clock")
        rights.reason(who)
        seen = self._look()
        self._say("vouched", "", who, doubt=self._clock.seen(seen), synchronised=seen.synchronised)
        return requests.ClockTrusted(self._clock.vouch(seen))

    def doubted(self, why: str) -> None:
        """Journal that the clock is in doubt, "" that it isn't any more. Raises OSError."""
        self._append("clock", "", NODE, doubt=why)

    # Rights

    def _heard_by(self, who: Who) -> list[str]:
        """The policies whose recordings somebody may hear: one at least."""
        return rights.heard_by(who, self._catalogue.policies().values())

    def _kept_by(self, who: Who) -> Collection[str]:
        """The policies whose recordings somebody may hold."""
        if who.person:
            return self._heard_by(who)
        return {*self._catalogue.policies(), *self._catalogue.totals()}

    def _hearable(self, who: Who, recording: str) -> Found:
        policies = self._heard_by(who)
        found = self._catalogue.get(recording)
        if found.policy not in policies:
            raise Denied(
                f"{who.person} is no listener of {found.policy}; the plan's `listeners:` says who is", "right"
            )
        if found.state == PURGING:
            raise Denied(f"{recording} is being purged")
        return found

    def _refused(self, request: Asking, who: Who, recording: str, denied: Denied) -> requests.Answer:
        known = recording if recording and self._state(recording) != "gone" else ""
        about: dict[str, Value] = {"asked": type(request).__name__, "kind": denied.kind}
        try:
            self._say("refused", known, who.as_journalled(), refusal=str(denied), **about)
        except OSError as error:
            log.error("recording=%s a refusal isn't journalled: %s", known, error.strerror)
        return requests.Refused(str(denied))

    # Parts of the above

    def _erase(self, recording: str, cause: Cause, who: Who) -> Tombstone:
        """Purge one recording that has ended and is under no hold. Raises Denied, OSError or Unknown."""
        with self._lock:
            self.catch_up()
            self._trust_the_clock()
            found, now = self._catalogue.get(recording), self._now()
            holds = self._catalogue.holds(now, recording)
            if holds:
                last = max(holds, key=lambda hold: hold.until)
                raise Denied(
                    f"{recording} is held until {shown(last.until)} by {last.by}: {last.why}", "held"
                )
            if found.ended is None:
                raise Denied(f"{recording} still goes on", "goes on")
            least = self._terms.must_stay_until(found)
            if cause != "due" and now < least:
                raise Denied(
                    f"{recording} must be kept until {shown(least)}: `keep_at_least:` of the plan",
                    "must stay",
                )
            about = self._purge.begin(found, self._terms.policy(found), cause, who.name, who.why, who.account)
            self.catch_up()
            self._purge.finish(recording, who.name, about)
            history = self._history_of_purge(recording)
            return tombstone(history)

    def _history_of_purge(self, recording: str) -> Said:
        self.catch_up()
        return [said for said in self._catalogue.history(recording) if said.what == "purged"][-1]

    def _all_like(self, query: Query, policies: Collection[str]) -> list[Found]:
        """All recordings that a query finds. Raises Denied where they are too many."""
        found: list[Found] = []
        after = ""
        while True:
            page = msgspec.structs.replace(query, after=after, limit=requests.MOST_FOUND)
            some, after = self._catalogue.search(page, sorted(policies))
            found += some
            if len(found) > MOST_HELD_AT_ONCE:
                raise Denied(f"more than {MOST_HELD_AT_ONCE} recordings are like this: hold fewer at once")
            if not after:
                return found

    def _measure(self, found: Found) -> None:
        path = path_of(self._directory, found.recording)
        if path.exists():
            self._catalogue.measured(found.recording, path.stat().st_size)

    def _trust_the_clock(self) -> None:
        doubt = self._doubt()
        if doubt:
            raise Denied(
                f"nothing is purged while {doubt}: look at the clock, and then "
                "`beffroi recording vouch-for-clock`",
                "clock",
            )

    def _doubt(self) -> str:
        return self._clock.seen(self._look())

    def _policy_of(self, recording: str) -> str:
        try:
            return self._catalogue.get(recording).policy
        except Unknown:
            return ""

    def _state(self, recording: str) -> str:
        try:
            return self._catalogue.get(recording).state
        except Unknown:
            return "gone"

    def _mark(self, number: str) -> str:
        """What the journal calls a number: nobody without the node's private key can tell which it is."""
        secret = self._journal.key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
        return hmac.new(secret, b"searched number " + number.encode(), hashlib.sha256).hexdigest()[:32]

    def _say(self, what: str, recording: str, who: Who, **about: Value) -> Entry:
        return self._append(what, recording, who.name, why=who.why, account=who.account, **about)

    def _append(self, what: str, recording: str, by: str, **about: Value) -> Entry:
        return self._journal.append(self._now(), what, recording, by, **about)

    def _now(self) -> float:
        return self._look().wall


def shown(instant: float) -> str:
    """Return Unix seconds as they are written in answers: UTC, RFC 3339."""
    return datetime.fromtimestamp(instant, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


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


def _asked(query: Query) -> dict[str, object]:
    """What a query asks."""
    return {name: said for name, said in msgspec.structs.asdict(query).items() if said not in ("", None)}
