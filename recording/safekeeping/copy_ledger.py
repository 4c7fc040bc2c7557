"""Which recordings lie at the second destination, and what is still to be done there: a ledger on disk.

```
"ended" ──> waiting ──(begin)──> trying ──"copied"──> copied ──"purging"──> going ──"copy_gone"──> (nothing)
               └──"purging"──> (nothing)    ├──"purging"──> going
                                            └──(no file)──> lost ──(next process)──> trying
```
All but `trying` follows from the journal, which is read on from where it was read last; so the ledger may be
lost, and is made anew. Another destination has another ledger.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from threading import Lock
from typing import Final

from recording.proof.journal import START, Entry, Journal, Place, entries_since

FILE_NAME: Final = "copies.sqlite3"
_MOST_AT_ONCE: Final = 1000  # entries between two commits
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS read (destination TEXT, offset INTEGER, number INTEGER, digest TEXT);
CREATE TABLE IF NOT EXISTS copies (recording TEXT PRIMARY KEY, state TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS copies_by_state ON copies (state, recording) WHERE state != 'copied';
"""


class CopyLedger:
    """See the module. Its methods may be called by any thread; they raise OSError and what reading the
    journal raises."""

    def __init__(self, journal: Journal, destination: str) -> None:
        """destination: its name, as in the journal's entries."""
        self._journal = journal
        self._destination = destination
        self._lock = Lock()
        path = journal.path.parent / FILE_NAME
        try:
            self._database = _opened(path)
        except sqlite3.DatabaseError:
            for damaged in (path, path.with_name(f"{path.name}-journal")):
                damaged.unlink(missing_ok=True)
            self._database = _opened(path)
        self._place = self._known_place()

    def read_on(self) -> None:
        """Learn what the journal says since the last time."""
        with self._lock:
            end = self._journal.place.offset
            if self._place.offset == end:
                return
            since = entries_since(self._journal.path, self._journal.key.public_key(), self._place, end)
            for count, (entry, place) in enumerate(since, 1):
                self._follow(entry)
                self._place = place
                if count % _MOST_AT_ONCE == 0:
                    self._commit()
            self._commit()

    def next(self, state: str) -> str:
        """Return the oldest recording that is `waiting` (or being tried), or `going`; "" for none."""
        states = ("waiting", "trying") if state == "waiting" else (state, state)
        asked = "SELECT min(recording) FROM copies WHERE state IN (?, ?) AND state != 'copied'"
        with self._lock, closing(self._database.execute(asked, states)) as found:
            return str(found.fetchone()[0] or "")

    def begin(self, recording: str) -> bool:
        """A recording is about to be copied: from now on something of it may be there.

        Returns whether it is still to be copied.
        """
        with self._lock:
            begun = self._database.execute(
                "UPDATE copies SET state = 'trying' WHERE recording = ? AND state IN ('waiting', 'trying')",
                (recording,),
            )
            self._database.commit()
            return begun.rowcount == 1

    def lost(self, recording: str) -> None:
        """What was about to be copied can't be read; the next process tries again."""
        with self._lock:
            self._database.execute(
                "UPDATE copies SET state = 'lost' WHERE recording = ? AND state = 'trying'", (recording,)
            )
            self._database.commit()

    def waiting(self) -> set[str]:
        """Return the recordings that aren't copied yet."""
        with self._lock:
            rows = self._database.execute(
                "SELECT recording FROM copies WHERE state IN ('waiting', 'trying') AND state != 'copied'"
            )
            return {str(recording) for (recording,) in rows}

    @property
    def has_copies(self) -> bool:
        """Whether anything was ever copied and should still be there."""
        with (
            self._lock,
            closing(self._database.execute("SELECT 1 FROM copies WHERE state = 'copied' LIMIT 1")) as found,
        ):
            return found.fetchone() is not None

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    def _follow(self, entry: Entry) -> None:
        match entry.what:
            case "ended" | "repaired" | "damaged":
                self._database.execute(
                    "INSERT OR IGNORE INTO copies VALUES (?, 'waiting')", (entry.recording,)
                )
            case "purging" | "purged":
                self._database.execute(
                    "DELETE FROM copies WHERE recording = ? AND state = 'waiting'", (entry.recording,)
                )
                self._database.execute(
                    "UPDATE copies SET state = 'going' WHERE recording = ?", (entry.recording,)
                )
            case "copied" if entry.about["to"] == self._destination:
                # One that was purged while it was on its way isn't waiting any more: it must go again.
                self._database.execute(
                    "INSERT INTO copies VALUES (?, 'going') ON CONFLICT DO UPDATE SET state = "
                    "CASE state WHEN 'going' THEN 'going' ELSE 'copied' END",
                    (entry.recording,),
                )
            case "copy_gone" if entry.about["from"] == self._destination:
                self._database.execute("DELETE FROM copies WHERE recording = ?", (entry.recording,))
            case _:
                pass

    def _known_place(self) -> Place:
        """Return where the journal was read to; a ledger of another destination or journal is emptied."""
        row = self._database.execute("SELECT * FROM read").fetchone()
        if row is not None and row[0] == self._destination and row[1] <= self._journal.place.offset:
            self._database.execute("UPDATE copies SET state = 'trying' WHERE state = 'lost'")
            self._database.commit()
            return Place(*row[1:])
        self._database.executescript("DELETE FROM copies; DELETE FROM read;")
        return START

    def _commit(self) -> None:
        self._database.execute("DELETE FROM read")
        self._database.execute("INSERT INTO read VALUES (?, ?, ?, ?)", (self._destination, *self._place))
        self._database.commit()


def _opened(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, check_same_thread=False)
    try:
        database.executescript(_SCHEMA)
        database.execute("SELECT destination, offset, number, digest FROM read").fetchall()
    except BaseException:
        database.close()
        raise
    return database
