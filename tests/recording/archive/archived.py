"""An archive of recordings in a directory of its own, whose time is a value."""

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from recording.archive import requests
from recording.archive.archive import Archive
from recording.archive.catalogue import Catalogue
from recording.archive.clock import ClockWatch
from recording.archive.purge import path_of
from recording.keys import KeyStore, wrap
from recording.live.wire import Facts, Policy
from recording.proof.journal import Journal
from recording.retention import DAY_SECONDS, ClockSeen
from tests.recording.sealed import KEY, NODE, plains, sealed

START = 1_795_339_800.0  # 22 November 2026
CHIEF, OTHER_CHIEF, NOBODY = "2201", "2401", "1001"
FIRE = Policy("pompiers", "Délibération 2026-014", 60, (CHIEF,), "one_person", register="n° 7")
POLICE = Policy("police", "Délibération 2026-015", 30, (OTHER_CHIEF,), "never", least_days=10)
PRIVATE = X25519PrivateKey.from_private_bytes(bytes(range(32)))


class Copied:
    """A second destination that remembers what it was told to forget. missing: what isn't there yet."""

    def __init__(self) -> None:
        self.forgotten: list[str] = []
        self.missing: set[str] = set()

    def forget(self, recording: str) -> None:
        self.forgotten.append(recording)

    def waiting(self) -> set[str]:
        return self.missing


class Shelf:
    """What a recorder's process has around an archive. now: Unix seconds, moved by the test."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.now = START
        self.steady = 1000.0
        self.boot = "boot-1"
        self.synchronised = True
        self.copies = Copied()
        self.open()

    def open(self, *, start: bool = True) -> None:
        """Begin, as a process does that was started. start: what was left is looked at."""
        self.keys = KeyStore(self.directory / "keys")
        self.journal = Journal(self.directory / "journal", NODE)
        self.catalogue = Catalogue(self.directory / "catalogue.sqlite")
        self.clock = ClockWatch(self.directory)
        self.archive = Archive(
            self.directory,
            self.keys,
            self.journal,
            self.catalogue,
            self.clock,
            self.look,
            self.copies,
            administrators=("root", "beffroi"),
        )
        self.clock.seen(self.look())
        self.archive.use([FIRE, POLICE])
        if start:
            self.archive.start()

    def die(self) -> None:
        """End, as a process does that was killed: nothing is said to anybody."""
        self.journal.close()
        self.catalogue.close()

    def look(self) -> ClockSeen:
        return ClockSeen(self.now, self.steady, self.boot, self.synchronised)

    def go_on(self, seconds: float) -> None:
        """Let time pass, as the clock and the machine both see it."""
        self.now += seconds
        self.steady += seconds

    def days(self, count: float) -> None:
        self.go_on(count * DAY_SECONDS)

    def path(self, recording: str) -> Path:
        return path_of(self.directory, recording)

    def begin(
        self, recording: str, policy: str = "pompiers", caller: str = "+33612345678", **facts: str
    ) -> None:
        """A recording begins, now."""
        told = Facts(
            policy,
            **{"call": f"call-{recording}", "line": "secours", "called": "8200", **facts},
            caller=caller,
        )
        self.keys.put(recording, wrap(KEY, recording, PRIVATE.public_key()))
        about = {"policy": policy, "line": told.line, "user": told.user, "call": told.call}
        about |= {"continues": told.continues}
        self.journal.append(self.now, "begun", recording, "node", **about)
        self.archive.begun(recording, int(self.now * 1e6), told)

    def end(self, recording: str, seconds: float = 60.0) -> None:
        """It ends so much later; time goes on by that."""
        self.go_on(seconds)
        self.path(recording).parent.mkdir(exist_ok=True)
        file = sealed(self.path(recording).parent, recording, plains(3))
        head, size = file.head.hex(), self.path(recording).stat().st_size
        self.journal.append(self.now, "ended", recording, "node", head=head, bytes=size, packets=30)

    def record(self, recording: str, policy: str = "pompiers", seconds: float = 60.0, **facts: str) -> None:
        """A whole recording, from now to `seconds` later."""
        self.begin(recording, policy, **facts)
        self.end(recording, seconds)

    def ask(self, request: requests.Request, account: str = "root") -> requests.Answer:
        return self.archive.answer(request, account)

    def said(self, what: str) -> list[requests.Said]:
        """What the journal says, as the catalogue has it."""
        self.archive.catch_up()
        return [one for one in self.catalogue.said(0, 1e12) if one.what == what]

    def names(self) -> list[str]:
        """The recordings that there are, the newest first."""
        self.archive.catch_up()
        found, _ = self.catalogue.search(requests.Query(limit=1000), ["pompiers", "police"])
        return [one.recording for one in found]


def refusal(answer: requests.Answer) -> str:
    """Why something was refused; the test fails where it wasn't."""
    assert isinstance(answer, requests.Refused), answer
    return answer.why
