"""What somebody asks about their own number: what there is, what goes, and a receipt of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from recording.archive import requests, rights, subject
from recording.archive.erasing import Erasing
from recording.archive.ledger import Ledger, shown
from recording.archive.requests import Found, Query
from recording.archive.rights import Denied, Who
from recording.proof.journal import Value


class Numbers:
    """See the module."""

    def __init__(self, ledger: Ledger, erasing: Erasing) -> None:
        self._ledger = ledger
        self._erasing = erasing

    def find(self, who: Who, number: str) -> requests.AboutNumber:
        """Return the recordings about a number. Raises Denied."""
        rights.administrator(who, "look for what is kept about somebody")
        rights.reason(who)
        rights.check_query(Query(number=number))
        mark = self._ledger.mark(number)
        found = self._ledger.catalogue.about(number)
        searched = self._ledger.catalogue.searches(mark)
        self._ledger.say("about", "", who, mark=mark, found=len(found))
        complete = self._ledger.terms.completed(found, self._ledger.now())
        return requests.AboutNumber(number, complete, self._stays(found), searched)

    def erase(self, who: Who, asked: requests.EraseNumber) -> requests.Erased:
        """Erase what there is about a number, where that is allowed. Raises Denied."""
        rights.administrator(who, "erase what is kept about somebody")
        rights.reason(who)
        rights.check_query(Query(number=asked.number))
        found = self._ledger.catalogue.about(asked.number)
        stays = self._stays(found)
        erased: list[str] = []
        for one in found:
            if one.recording not in stays:
                try:
                    self._erasing.erase(one.recording, "erasure", who)
                    erased.append(one.recording)
                except Denied as denied:  # a clock in doubt, a hold that somebody has just made
                    stays[one.recording] = str(denied)
        self._ledger.catalogue.wipe()
        return requests.Erased(erased, stays, self._receipt(who, asked, erased, stays))

    def _receipt(
        self, who: Who, asked: requests.EraseNumber, erased: list[str], stays: dict[str, str]
    ) -> str:
        salt = subject.make_salt()
        calls: dict[str, Value] = {"calls_found": asked.calls_found, "calls_erased": asked.calls_erased}
        entry = self._ledger.say(
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
        return subject.sign(fields, self._ledger.journal.key)

    def _stays(self, found: Sequence[Found]) -> dict[str, str]:
        """Return which of these may not be erased now, and why."""
        now, stays = self._ledger.now(), {}
        for one in found:
            holds = self._ledger.catalogue.holds(now, one.recording)
            if one.ended is None:
                stays[one.recording] = "it still goes on"
            elif holds:
                stays[one.recording] = f"it is held until {shown(max(hold.until for hold in holds))}"
            elif now < self._ledger.terms.must_stay_until(one):
                stays[one.recording] = (
                    f"it must be kept until {shown(self._ledger.terms.must_stay_until(one))}"
                )
        return stays

    def tell(self, who: Who, numbers: Mapping[str, tuple[str, str]]) -> requests.NumbersTaken:
        """Give recordings the numbers that a catalogue has lost. Raises Denied."""
        rights.administrator(who, "tell numbers")
        rights.reason(who)
        told = [self._ledger.catalogue.tell_numbers(name, *of_it) for name, of_it in numbers.items()]
        self._ledger.say("numbers told", "", who, count=sum(told))
        return requests.NumbersTaken(sum(told))
