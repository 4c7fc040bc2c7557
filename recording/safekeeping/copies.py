"""The chore that copies recordings that have ended to a second destination, and has purged ones go there too.

```
file ──put──> folder or S3-compatible store ──read back, compared──> "copied" in the journal
"purging" in the journal ──> delete there ──> "copy_gone" in the journal
```
Only sealed files go there, never a wrapped key: whoever has the destination has noise. While it is away the
files wait where they are; that is told (`Trouble`) and tried again, less and less often. A folder that isn't
the one that copies went to before, since nothing is mounted there, gets none.
"""

from __future__ import annotations

import hashlib
import logging
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from recording.archive.purge import path_of
from recording.live.troubles import Troubled
from recording.live.wire import Trouble, TroubleOver
from recording.proof.journal import Journal, JournalDamage, Value
from recording.proof.verifier import SUFFIX
from recording.safekeeping.copy_ledger import CopyLedger

if TYPE_CHECKING:
    from obstore.store import LocalStore, MemoryStore, S3Config, S3Store

Store: TypeAlias = "LocalStore | MemoryStore | S3Store"

log = logging.getLogger(__name__)

FIRST_AGAIN_SECONDS: Final = 15.0
LONGEST_AGAIN_SECONDS: Final = 900.0
PART_BYTES: Final = 8 * 1024 * 1024
REQUEST_SECONDS: Final = 60.0  # for one part, or one question
MARK: Final = "beffroi-recordings.txt"
NODE: Final = "node"
_MARK_TEXT: Final = b"Copies of recordings lie here, sealed. Their keys never do.\n"
_MOST_WHY: Final = 300


class Bucket(NamedTuple):
    """A place in an S3-compatible store. endpoint: its URL, "" for Amazon's own of the region.

    access_key, secret_key: "" for those that the environment has for such stores.
    """

    name: str
    prefix: str
    endpoint: str
    region: str
    access_key: str
    secret_key: str

    def __str__(self) -> str:
        return f"s3://{self.name}/{self.prefix}".rstrip("/")

    def __repr__(self) -> str:
        return f"<{self}>"


class CopyError(Exception):
    """The destination doesn't do what it should; the text says what."""


def open_store(destination: Path | Bucket) -> Store:
    """Return a destination's store. Raises CopyError where there can't be one."""
    from obstore.exceptions import BaseError
    from obstore.store import LocalStore, S3Store

    try:
        if isinstance(destination, Path):
            if not destination.is_dir():
                raise CopyError("there is no such folder: is it mounted?")
            return LocalStore(destination)
        config: S3Config = {"region": destination.region}
        if destination.endpoint:
            config["endpoint"] = destination.endpoint
        if destination.access_key:
            config["access_key_id"] = destination.access_key
            config["secret_access_key"] = destination.secret_key
        return S3Store(
            destination.name,
            prefix=destination.prefix or None,
            config=config,
            client_options={
                "allow_http": destination.endpoint.startswith("http:"),
                "timeout": timedelta(seconds=REQUEST_SECONDS),
                "connect_timeout": timedelta(seconds=10),
            },
            retry_config={"max_retries": 2, "retry_timeout": timedelta(seconds=REQUEST_SECONDS)},
        )
    except (BaseError, OSError, ValueError) as error:
        raise CopyError(_in_short(error)) from None


class Copies:
    """The chore; see the module. `forget` and `waiting` may be called by any thread."""

    name = "copies"
    every_seconds = 5.0

    def __init__(
        self,
        directory: Path,
        journal: Journal,
        destination: str,
        open_it: Callable[[], Store],
        clock: Callable[[], float],
    ) -> None:
        """directory: of the recordings; destination: its name; open_it: as `open_store`.

        clock: Unix seconds.
        """
        self._directory = directory
        self._journal = journal
        self._destination = destination
        self._open = open_it
        self._clock = clock
        self._ledger: CopyLedger | None = None  # opened by the first turn: no recording waits for it
        self._tried_at = float("-inf")
        self._wait_seconds = 0.0
        self._troubled = Troubled(self.name)

    def forget(self, recording: str) -> None:
        """Have a copy go. The journal says that the recording is being purged, which is enough: `turn` does
        it when the destination is there."""

    def waiting(self) -> set[str]:
        """Return the recordings that have ended and lie nowhere but here, as far as that is known."""
        return self._ledger.waiting() if self._ledger is not None else set()

    def close(self) -> None:
        """Let go of the ledger."""
        if self._ledger is not None:
            self._ledger.close()

    def turn(self, now: float) -> list[Trouble | TroubleOver]:
        """Copy what waits, and delete what must go; now: Unix seconds."""
        # A clock that was set back mustn't keep the destination from being tried.
        if 0.0 <= now - self._tried_at < self._wait_seconds:
            return []
        waiting = 0
        try:
            ledger = self._ledger = self._ledger or CopyLedger(self._journal, self._destination)
            ledger.read_on()
            waiting = len(ledger.waiting())
            if waiting or ledger.next("going"):
                self._catch_up(ledger)
        except (CopyError, JournalDamage, OSError, sqlite3.Error) as error:
            again = self._wait_seconds * 2 if self._troubled else FIRST_AGAIN_SECONDS
            self._tried_at, self._wait_seconds = now, min(again, LONGEST_AGAIN_SECONDS)
            return self._troubled.told(f"{self._destination} takes no copies ({waiting} wait): {error}")
        self._wait_seconds = 0.0
        return self._troubled.told("")

    def _catch_up(self, ledger: CopyLedger) -> None:
        from obstore.exceptions import BaseError

        try:
            store = self._open()
            _recognise(store, ledger)
            while recording := ledger.next("going"):
                self._delete(store, recording)
                ledger.read_on()
            while recording := ledger.next("waiting"):
                self._copy(store, recording, ledger)
                ledger.read_on()
        except (BaseError, OSError, ValueError) as error:
            raise CopyError(_in_short(error)) from None

    def _copy(self, store: Store, recording: str, ledger: CopyLedger) -> None:
        import obstore

        path = path_of(self._directory, recording)
        if not ledger.begin(recording):
            return  # purged meanwhile
        try:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
                size = file.tell()
        except OSError as error:
            # Purged meanwhile; or gone or unreadable, as verifying tells: it holds up no other.
            log.warning("recording=%s can't be copied: %s", recording, error.strerror)
            ledger.read_on()
            ledger.lost(recording)
            return
        place = _place(recording)
        obstore.put(store, place, path, chunk_size=PART_BYTES, max_concurrency=2)
        if _digest_there(store, place, size) != digest:
            raise CopyError(f"{recording} can't be read back as it was sent")
        self._say("copied", recording, {"to": self._destination, "bytes": size, "sha256": digest})

    def _delete(self, store: Store, recording: str) -> None:
        import obstore

        with suppress(FileNotFoundError):
            obstore.delete(store, _place(recording))
        self._say("copy_gone", recording, {"from": self._destination})

    def _say(self, what: str, recording: str, about: dict[str, Value]) -> None:
        self._journal.append(self._clock(), what, recording, NODE, **about)


def _recognise(store: Store, ledger: CopyLedger) -> None:
    """Make sure that this is where copies go. Raises CopyError."""
    import obstore

    try:
        obstore.head(store, MARK)
    except FileNotFoundError:  # obstore's own is one
        if ledger.has_copies:
            raise CopyError(f"the copies that were made aren't there, nor {MARK}: is it mounted?") from None
        obstore.put(store, MARK, _MARK_TEXT)


def _place(recording: str) -> str:
    return f"{recording[:6]}/{recording}{SUFFIX}"


def _digest_there(store: Store, place: str, size: int) -> str:
    """Return the SHA-256 of what lies at the destination, "" where it isn't so long."""
    import obstore

    if obstore.head(store, place)["size"] != size:
        return ""
    digest = hashlib.sha256()
    for start in range(0, size, PART_BYTES):
        part = obstore.get_range(store, place, start=start, end=min(start + PART_BYTES, size))
        digest.update(part)
    return digest.hexdigest()


def _in_short(error: Exception) -> str:
    """What an error says, on one line, without what is for whoever wrote the library."""
    return " ".join(str(error).partition("Debug source:")[0].split())[:_MOST_WHY]
