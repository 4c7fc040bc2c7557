"""What people ask of the recordings that there are, and what they are answered: one JSON line each way.

```
command line, pages ──(recordings.sock)──> recorder process ──> Archive.answer ──> answer
```
Every request says for whom it is made and why; which account of the machine makes it, and whether a process
of the node itself does, the socket tells. Times
are Unix seconds. Whoever is refused is answered `Refused`, which says why and what to do.
"""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import msgspec

FILE_NAME: Final = "recordings.sock"
MOST_LINE_BYTES: Final = 1 << 24
ANSWER_SECONDS: Final = 120.0
MOST_FOUND: Final = 1000  # in one page

Purpose: TypeAlias = Literal["listen", "export"]


class Unanswered(Exception):
    """No recorder process answers; the text says why. silent: nobody listens there."""

    def __init__(self, why: str, *, silent: bool) -> None:
        super().__init__(why)
        self.silent = silent


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """Which recordings: all that is given must hold; "" and None ask nothing.

    number: of the caller or the called, in full (E.164) or an extension; since, until: of the begin, until
    excluded; shortest_seconds, longest_seconds: of those that have ended. after: the `next` of the page
    before.
    """

    number: str = ""
    user: str = ""
    line: str = ""
    policy: str = ""
    call: str = ""
    since: float | None = None
    until: float | None = None
    shortest_seconds: float | None = None
    longest_seconds: float | None = None
    limit: int = 50
    after: str = ""


class Asking(msgspec.Struct, frozen=True, kw_only=True):
    """What every request says. person: the extension of who asks, "" for the administrator of the machine.

    keeper: the sign-in name of who keeps house over the pages; only the node's own processes may name one.
    """

    person: str = ""
    why: str = ""
    keeper: str = ""


class Search(Asking, frozen=True, kw_only=True, tag=True):
    """Which recordings are like this, the newest first? Answered by Page."""

    query: Query


class Show(Asking, frozen=True, kw_only=True, tag=True):
    """What is known of a recording? Answered by Shown."""

    recording: str


class Custody(Asking, frozen=True, kw_only=True, tag=True):
    """What was done with a recording? For who hears it and for who keeps house. Answered by InCustody."""

    recording: str


class Verify(Asking, frozen=True, kw_only=True, tag=True):
    """Ask for what it takes to verify a recording, for the same people. Answered by Verifiable."""

    recording: str


class ListExports(Asking, frozen=True, kw_only=True, tag=True):
    """Which exports were asked for, of recordings that one may hear? Answered by ExportList."""


class Open(Asking, frozen=True, kw_only=True, tag=True):
    """Ask for what it takes to hear or export a recording. Answered by Opened."""

    recording: str
    purpose: Purpose = "listen"


class Last(Asking, frozen=True, kw_only=True, tag=True):
    """As Open, of the newest recording of a line or a user, which may still go on. Answered by Opened."""

    line: str = ""
    user: str = ""


class AskExport(Asking, frozen=True, kw_only=True, tag=True):
    """Ask that another listener let one export a recording. Answered by ExportAsked."""

    recording: str


class ApproveExport(Asking, frozen=True, kw_only=True, tag=True):
    """Agree to an export that another listener has asked for. Answered by ExportAsked.

    request: its number, which ExportAsked told.
    """

    request: int


class Packaged(Asking, frozen=True, kw_only=True, tag=True):
    """Tell that the package of a recording that was opened for export is made. Answered by Journalled.

    sums: SHA-256 of its list of files, hexadecimal; format: of the sound.
    """

    recording: str
    sums: str
    format: str


class Hold(Asking, frozen=True, kw_only=True, tag=True):
    """Ask that recordings stay until an instant: those named, or all that are like `query`.

    Answered by HoldList, of those that it made.
    """

    until: float
    recordings: list[str] = []
    query: Query | None = None


class Release(Asking, frozen=True, kw_only=True, tag=True):
    """Ask to end holds: all those of these recordings, or those of these numbers. Answered by HoldList, of
    what there was."""

    recordings: list[str] = []
    holds: list[int] = []


class ListHolds(Asking, frozen=True, kw_only=True, tag=True):
    """Which holds are there? Answered by HoldList."""


class Purge(Asking, frozen=True, kw_only=True, tag=True):
    """Ask to erase a recording before its time is over. Answered by Purged."""

    recording: str


class PurgeDue(Asking, frozen=True, kw_only=True, tag=True):
    """Ask to purge now all that is due. Answered by Purged."""


class Foresee(Asking, frozen=True, kw_only=True, tag=True):
    """What goes until an instant, and what is held then? Nothing is done. Answered by Foreseen."""

    until: float


class Account(Asking, frozen=True, kw_only=True, tag=True):
    """Ask for the account of a period for the data protection officer. Answered by Accounted."""

    since: float
    until: float


class FindNumber(Asking, frozen=True, kw_only=True, tag=True):
    """Which recordings are there about a number (E.164)? Answered by AboutNumber."""

    number: str


class EraseNumber(Asking, frozen=True, kw_only=True, tag=True):
    """Ask to erase what there is about a number, where that is allowed. Answered by Erased.

    calls_found, calls_erased: of the call records, which whoever asks has seen to.
    """

    number: str
    calls_found: int = 0
    calls_erased: int = 0


class TellNumbers(Asking, frozen=True, kw_only=True, tag=True):
    """Tell caller and called of recordings, which the catalogue has lost. Answered by NumbersTaken."""

    numbers: dict[str, tuple[str, str]]


class VouchForClock(Asking, frozen=True, kw_only=True, tag=True):
    """Ask to trust the clock as it is now. Answered by ClockTrusted."""


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """One recording.

    begun, ended: None while it goes on. state: `going`, `ended`, `repaired` (a recorder died), `damaged` or
    `missing`; head: the hash that its file ends with, "" where none is known. over: when its time is over,
    None where the plan doesn't say; held_until: of the hold that lasts longest, 0 for none.
    """

    recording: str
    begun: float
    ended: float | None = None
    policy: str = ""
    call: str = ""
    line: str = ""
    user: str = ""
    caller: str = ""
    called: str = ""
    direction: str = ""
    site: str = ""
    continues: str = ""
    bytes: int = 0
    packets: int = 0
    head: str = ""
    state: str = "going"
    over: float | None = None
    held_until: float = 0.0


class Page(msgspec.Struct, frozen=True, tag=True):
    """Some recordings; next: of the page after it, "" when this is the last."""

    found: list[Found]
    next: str


class HoldMade(msgspec.Struct, frozen=True):
    """A hold. number: of the journal's entry that made it."""

    number: int
    recording: str
    by: str
    why: str
    made: float
    until: float


class Said(msgspec.Struct, frozen=True):
    """An entry of the journal, as it is told to people."""

    number: int
    at: float
    what: str
    recording: str
    by: str
    about: dict[str, Any]


class PolicyTold(msgspec.Struct, frozen=True, kw_only=True):
    """A policy as it is in force. keep_days: None where the plan doesn't have it any more.

    register: where it stands in the register of processing; least_days: none is erased on request before.
    """

    name: str
    legal_basis: str = ""
    register: str = ""
    keep_days: int | None = None
    least_days: int = 0
    listeners: list[str] = []
    export: str = "two_persons"


class ExportAsked(msgspec.Struct, frozen=True, tag=True):
    """A request to export. request: its number; until: when it is of no use any more; approved_by: or ""."""

    request: int
    recording: str
    by: str
    why: str
    until: float
    approved_by: str = ""


class Shown(msgspec.Struct, frozen=True, tag=True):
    """A recording, its holds, and what the journal says of it, in order.

    policy: as it is in force; exports: requests that are of use still.
    """

    found: Found
    holds: list[HoldMade]
    history: list[Said]
    policy: PolicyTold
    exports: list[ExportAsked] = []


class InCustody(msgspec.Struct, frozen=True, tag=True):
    """What was done with a recording, in order, and nothing of who spoke in it."""

    recording: str
    policy: PolicyTold
    begun: float
    ended: float | None
    state: str
    over: float | None
    holds: list[HoldMade]
    history: list[Said]


class Verifiable(msgspec.Struct, frozen=True, tag=True):
    """What it takes to verify a recording. path: of its file; key: its wrapped key.

    head: the hash that the file must end with, as the journal says, "" while the recording goes on.
    """

    path: str
    head: str
    key: bytes


class ExportList(msgspec.Struct, frozen=True, tag=True):
    """Requests to export that are of use still, the oldest first."""

    exports: list[ExportAsked]


class Opened(msgspec.Struct, frozen=True, tag=True):
    """What it takes to hear a recording, but the private key. path: of its file; key: its wrapped key.

    A recording that goes on ends with the last whole segment that the file has.
    """

    found: Found
    path: str
    key: bytes
    policy: PolicyTold


class Journalled(msgspec.Struct, frozen=True, tag=True):
    """It is in the journal, as the entry with this number."""

    number: int


class HoldList(msgspec.Struct, frozen=True, tag=True):
    """Holds, and for each recording that was asked about in vain, why."""

    holds: list[HoldMade]
    refused: dict[str, str] = {}


class Tombstone(msgspec.Struct, frozen=True, kw_only=True):
    """What is left of a recording that was purged. cause: `due`, `early`, `room` or `erasure`."""

    number: int
    at: float
    recording: str
    policy: str
    legal_basis: str
    kept_from: float
    kept_to: float
    bytes: int
    cause: str
    by: str
    why: str


class Purged(msgspec.Struct, frozen=True, tag=True):
    """What was purged."""

    tombstones: list[Tombstone]


class PolicyForeseen(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of a policy's recordings until an instant. first, last: when the first and last go.

    unknown: the plan doesn't say any more how long they are kept, so that they stay.
    """

    policy: str
    keep_days: int | None
    due: int
    due_bytes: int
    first: float | None
    last: float | None
    held: int
    unknown: int


class Foreseen(msgspec.Struct, frozen=True, tag=True):
    """What goes, the first of it one by one. held: the holds that there are now.

    clock: why nothing goes until somebody vouches for the clock, "" when it is trusted.
    """

    until: float
    policies: list[PolicyForeseen]
    going: list[Found]
    held: list[HoldMade]
    clock: str


class PolicyAccount(msgspec.Struct, frozen=True, kw_only=True):
    """One policy at the end of a period. oldest: when the oldest kept recording began; next_purge: the
    first one's; begun, purged: in the period."""

    policy: PolicyTold
    kept: int
    kept_bytes: int
    oldest: float | None
    next_purge: float | None
    held: int
    begun: int
    purged: int
    purged_bytes: int


class Accounted(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """An account of a period: what is kept and why, who had to do with it, and what is gone.

    used: who searched, listened, exported, was refused. holds: that there are; tombstones: of the period.
    events: all else that the journal has of the period (holds made and ended, policies changed, the clock).
    entries, head: of the journal, when this was made, and when that was.
    """

    since: float
    until: float
    made: float
    node: str
    policies: list[PolicyAccount]
    used: list[Said]
    holds: list[HoldMade]
    tombstones: list[Tombstone]
    events: list[Said]
    clock: str
    entries: int
    head: str


class AboutNumber(msgspec.Struct, frozen=True, tag=True):
    """The recordings about a number, the newest first.

    stays: why one may not be erased now; searched: who has searched for this number.
    """

    number: str
    found: list[Found]
    stays: dict[str, str]
    searched: list[Said]


class Erased(msgspec.Struct, frozen=True, tag=True):
    """What was erased about a number. receipt: JSON signed by the node (recording.archive.subject)."""

    erased: list[str]
    stays: dict[str, str]
    receipt: str


class NumbersTaken(msgspec.Struct, frozen=True, tag=True):
    """How many recordings have their numbers again; those that had them are left as they are."""

    count: int


class ClockTrusted(msgspec.Struct, frozen=True, tag=True):
    """The clock is trusted. doubted: why it wasn't, "" where it was."""

    doubted: str


class Refused(msgspec.Struct, frozen=True, tag=True):
    """What was asked wasn't done. why: one sentence, with the mend; word: what the pages know it by."""

    why: str
    word: str = ""


Request: TypeAlias = (
    Search
    | Show
    | Custody
    | Verify
    | ListExports
    | Open
    | Last
    | AskExport
    | ApproveExport
    | Packaged
    | Hold
    | Release
    | ListHolds
    | Purge
    | PurgeDue
    | Foresee
    | Account
    | FindNumber
    | EraseNumber
    | TellNumbers
    | VouchForClock
)
Answer: TypeAlias = (
    Page
    | Shown
    | InCustody
    | Verifiable
    | ExportList
    | Opened
    | ExportAsked
    | Journalled
    | HoldList
    | Purged
    | Foreseen
    | Accounted
    | AboutNumber
    | Erased
    | NumbersTaken
    | ClockTrusted
    | Refused
)

_request = msgspec.json.Decoder(Request)
_answer = msgspec.json.Decoder(Answer)


def read_request(line: bytes) -> Request:
    """Return what a line asks. Raises msgspec.DecodeError."""
    request: Request = _request.decode(line)
    return request


def answer_line(answer: Answer) -> bytes:
    """Return an answer as it is sent."""
    return msgspec.json.encode(answer) + b"\n"


def ask(data_dir: Path, request: Request) -> Answer:
    """Ask a node's recorder process. Raises Unanswered."""
    path = data_dir / FILE_NAME
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(ANSWER_SECONDS)
        try:
            client.connect(str(path))
            client.sendall(msgspec.json.encode(request) + b"\n")
            with client.makefile("rb") as lines:
                line = lines.readline(MOST_LINE_BYTES)
            answer: Answer = _answer.decode(line)
            return answer
        except (FileNotFoundError, ConnectionRefusedError) as error:
            raise Unanswered(f"no node runs on {data_dir}", silent=True) from error
        except (OSError, msgspec.DecodeError) as error:
            raise Unanswered(f"{path}: {error}", silent=False) from error
