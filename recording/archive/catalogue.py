"""The catalogue: what recordings can be found by, in one SQLite file beside them.

```
journal ──(what was begun, ended, held, purged …)──> Catalogue <──(who spoke with whom)── signalling
```
The journal is the truth, and the catalogue what it comes to: it remembers how far it has read, and reads on
from there. Lost, it is made again; what no journal may hold, the numbers, is then in the sealed files alone.
Rows go when a recording is purged, and SQLite writes over what they were.

Every search goes by policy, since people may hear some and not others, and each index begins with one: what
somebody may not hear costs nothing to look past. Times are Unix seconds.
"""

from __future__ import annotations

import heapq
import json
import os
import re
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from threading import RLock
from typing import Any, Final, NamedTuple

from recording.archive.requests import MOST_FOUND, Found, HoldMade, PolicyTold, Query, Said, Tombstone
from recording.proof.journal import START, Entry, Place

FILE_NAME: Final = "catalogue.sqlite"
PURGING: Final = "purging"
FEW: Final = 2_000  # recordings of such a length, or such a number: looked through one by one
_CURSOR: Final = re.compile(r"([0-9]{1,12}\.[0-9]{1,12}):([0-9]{1,18})")
_VERSION: Final = 1
_AT_ONCE: Final = 1000  # entries of the journal in a transaction
_SCHEMA: Final = """
CREATE TABLE place (one INTEGER PRIMARY KEY CHECK (one = 1), byte INTEGER, number INTEGER, digest TEXT);
CREATE TABLE recordings (
    id INTEGER PRIMARY KEY, recording TEXT NOT NULL UNIQUE, begun REAL NOT NULL, ended REAL,
    policy TEXT NOT NULL DEFAULT '', call TEXT NOT NULL DEFAULT '', line TEXT NOT NULL DEFAULT '',
    user TEXT NOT NULL DEFAULT '', caller TEXT NOT NULL DEFAULT '', called TEXT NOT NULL DEFAULT '',
    direction TEXT NOT NULL DEFAULT '', site TEXT NOT NULL DEFAULT '', continues TEXT NOT NULL DEFAULT '',
    bytes INTEGER NOT NULL DEFAULT 0, packets INTEGER NOT NULL DEFAULT 0, head TEXT NOT NULL DEFAULT '',
    state TEXT NOT NULL DEFAULT 'going'
);
CREATE INDEX by_time ON recordings (policy, begun, id, ended);
CREATE INDEX by_line ON recordings (policy, line, begun, id, ended);
CREATE INDEX by_user ON recordings (policy, user, begun, id, ended, line);
CREATE INDEX by_call ON recordings (policy, call, begun, id);
CREATE INDEX by_length ON recordings (policy, ended - begun);
CREATE INDEX by_end ON recordings (policy, ended);
CREATE INDEX unmeasured ON recordings (begun) WHERE bytes = 0 AND state IN ('repaired', 'damaged');
CREATE INDEX unended ON recordings (state) WHERE state IN ('going', 'purging');
CREATE TABLE numbers (
    number TEXT, policy TEXT, begun REAL, id INTEGER, PRIMARY KEY (number, policy, begun, id)
) WITHOUT ROWID;
CREATE TABLE holds (
    number INTEGER PRIMARY KEY, recording TEXT NOT NULL, by TEXT, why TEXT, made REAL, until REAL
);
CREATE INDEX holds_of ON holds (recording);
CREATE TABLE policies (
    name TEXT PRIMARY KEY, legal_basis TEXT, register TEXT, keep_days INTEGER, least_days INTEGER,
    listeners TEXT, export TEXT
);
CREATE TABLE said (
    number INTEGER PRIMARY KEY, at REAL NOT NULL, what TEXT NOT NULL, recording TEXT NOT NULL,
    by TEXT NOT NULL, about TEXT NOT NULL
);
CREATE INDEX said_at ON said (at);
CREATE INDEX said_what ON said (what, at);
CREATE INDEX said_of ON said (recording) WHERE recording != '';
"""
_COLUMNS: Final = (
    "recording",
    "begun",
    "ended",
    "policy",
    "call",
    "line",
    "user",
    "caller",
    "called",
    "direction",
    "site",
    "continues",
    "bytes",
    "packets",
    "head",
    "state",
)
_SELECTED: Final = ", ".join(f"r.{name}" for name in _COLUMNS)
_FROM_JOURNAL: Final = ("policy", "call", "line", "user", "direction", "site", "continues")
_FACTS: Final = (*_FROM_JOURNAL, "caller", "called")
_KEPT: Final = "r.state NOT IN ('going', 'purging')"
_UNHELD: Final = "NOT EXISTS (SELECT 1 FROM holds h WHERE h.recording = r.recording AND h.until > ?)"


class CatalogueUnusable(Exception):
    """The file is no catalogue of ours, or can't be written; the text says why."""


class Unknown(KeyError):
    """There is no such recording: it was purged, or never begun."""


class _Cursor(NamedTuple):
    """Behind a recording, in the order of searches."""

    begun: float
    id: int


class Catalogue:
    """See the module. Any thread may use it. Its methods raise CatalogueUnusable where a disk is in the way.

    wrapped keys, files and the journal are others' matter.
    """

    def __init__(self, path: Path) -> None:
        """Open the file, or make it; one of another make is thrown away. Raises CatalogueUnusable."""
        self._path = path
        self._lock = RLock()
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._connection = self._opened()
        except (OSError, sqlite3.Error) as error:
            raise CatalogueUnusable(f"{path}: {error}") from None

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._connection.close()

    # What it is told

    @property
    def place(self) -> Place:
        """How far the journal was read."""
        rows = self._read("SELECT byte, number, digest FROM place", ())
        return Place(*rows[0]) if rows else START

    def begin_again(self) -> None:
        """Be as before the journal was read, but for the numbers, which it doesn't hold."""
        with self._lock:
            for table in ("place", "holds", "policies", "said"):
                self._write(f"DELETE FROM {table}", ())  # noqa: S608 ours
            self._write("UPDATE recordings SET ended = NULL, state = 'going'", ())
            self._commit()

    def read_on(self, said: Iterable[tuple[Entry, Place]]) -> int:
        """Take over entries of the journal, and how far they go; returns how many."""
        count = 0
        with self._lock:
            try:
                for entry, behind in said:
                    self._apply(entry)
                    self._write("INSERT OR REPLACE INTO place VALUES (1, ?, ?, ?)", tuple(behind))
                    count += 1
                    if count % _AT_ONCE == 0:
                        self._commit()
                self._commit()
            except BaseException:
                self._connection.rollback()
                raise
        return count

    def begun(self, recording: str, begun: float, facts: Mapping[str, str]) -> None:
        """A recording begins, as signalling knows it, numbers too. facts: by _FACTS."""
        known = {name: str(facts.get(name, "")) for name in _FACTS}
        with self._lock:
            self._enter(recording, begun, known)
            self._write(
                "DELETE FROM numbers WHERE (policy, begun, id) IN "
                "(SELECT policy, begun, id FROM recordings WHERE recording = ?)",
                (recording,),
            )
            self._write(
                "UPDATE recordings SET begun = ?, caller = ?, called = ? WHERE recording = ?",
                (begun, known["caller"], known["called"], recording),
            )
            self._note_numbers(recording)
            self._commit()

    def tell_numbers(self, recording: str, caller: str, called: str) -> bool:
        """Give a recording that has none its numbers; returns whether it had none."""
        with self._lock:
            rows = self._read(
                "SELECT 1 FROM recordings WHERE recording = ? AND caller = '' AND called = ''", (recording,)
            )
            if rows and (caller or called):
                self._write(
                    "UPDATE recordings SET caller = ?, called = ? WHERE recording = ?",
                    (caller, called, recording),
                )
                self._note_numbers(recording)
                self._commit()
            return bool(rows and (caller or called))

    def measured(self, recording: str, size: int) -> None:
        """A file was found to be so long: of a recording whose end the journal doesn't measure."""
        with self._lock:
            self._write("UPDATE recordings SET bytes = ? WHERE recording = ?", (size, recording))
            self._commit()

    # What it is asked

    def search(self, query: Query, policies: Sequence[str]) -> tuple[list[Found], str]:
        """Return recordings of these policies, the newest first, and where to go on ("" at the end).

        Raises ValueError for a `query.after` that no page gave.
        """
        limit = max(1, min(query.limit, MOST_FOUND))
        cursor = _read_cursor(query.after)
        wanted = [one for one in policies if query.policy in ("", one)]
        with self._lock:
            each = [self._of_policy(policy, query, cursor, limit + 1) for policy in sorted(wanted)]
            merged = list(heapq.merge(*each, key=lambda row: (-row[1], -row[0])))[: limit + 1]
            found = [self._found(row[2:]) for row in merged[:limit]]
        more = f"{merged[limit - 1][1]!r}:{merged[limit - 1][0]}" if len(merged) > limit else ""
        return found, more

    def get(self, recording: str) -> Found:
        """Return one recording, whatever its state. Raises Unknown."""
        rows = self._read(f"SELECT {_SELECTED} FROM recordings r WHERE recording = ?", (recording,))  # noqa: S608
        if not rows:
            raise Unknown(recording)
        return self._found(rows[0])

    def newest(self, policies: Sequence[str], line: str, user: str) -> Found:
        """Return the newest recording of a line or a user. Raises Unknown."""
        found, _ = self.search(Query(line=line, user=user, limit=1), policies)
        if not found:
            raise Unknown(line or user)
        return found[0]

    def about(self, number: str) -> list[Found]:
        """Return all recordings of a number, caller or called, the newest first."""
        rows = self._read(
            f"SELECT {_SELECTED} FROM numbers n JOIN recordings r ON r.id = n.id WHERE n.number = ? "  # noqa: S608
            "AND r.state != 'purging' ORDER BY n.begun DESC, n.id DESC",
            (number,),
        )
        return [self._found(row) for row in rows]

    def ended_before(self, policy: str, instant: float, limit: int) -> list[Found]:
        """Return recordings of a policy that ended before, the oldest end first."""
        return self._found_by("r.policy = ? AND r.ended <= ?", "r.ended", (policy, instant), limit)

    def due(self, policy: str, instant: float, now: float, limit: int) -> list[Found]:
        """As ended_before, without those that are under a hold now."""
        return self._found_by(
            f"r.policy = ? AND r.ended <= ? AND {_UNHELD}", "r.ended", (policy, instant, now), limit
        )

    def oldest(self, ended_before: Mapping[str, float], now: float, limit: int) -> list[Found]:
        """Return the oldest recordings that are under no hold now. ended_before: by policy; of no other."""
        found = [
            one
            for policy, instant in ended_before.items()
            for one in self._found_by(
                f"r.policy = ? AND r.ended <= ? AND {_UNHELD}", "r.begun", (policy, instant, now), limit
            )
        ]
        return sorted(found, key=lambda one: one.begun)[:limit]

    def in_state(self, state: str) -> list[Found]:
        """Return the recordings that are in a state."""
        rows = self._read(f"SELECT {_SELECTED} FROM recordings r WHERE state = ?", (state,))  # noqa: S608
        return [self._found(row) for row in rows]

    def unmeasured(self) -> list[Found]:
        """Return ended recordings whose length in bytes nobody knows."""
        return self._found_by("r.bytes = 0 AND r.state IN ('repaired', 'damaged')", "r.begun", (), -1)

    def totals(self) -> dict[str, tuple[int, int, float | None]]:
        """Return for each policy how many are kept, their bytes, and when the oldest began."""
        rows = self._read(
            "SELECT policy, count(*), sum(bytes), min(begun) FROM recordings "
            "WHERE state != 'purging' GROUP BY policy",
            (),
        )
        return {policy: (count, size, begun) for policy, count, size, begun in rows}

    def begun_between(self, policies: Iterable[str], since: float, until: float) -> dict[str, int]:
        """Return how many were begun in a period, by policy, of those that are there."""
        return {
            policy: self._read(
                "SELECT count(*) FROM recordings WHERE policy = ? AND begun >= ? AND begun < ?",
                (policy, since, until),
            )[0][0]
            for policy in policies
        }

    def holds(self, now: float, recording: str = "") -> list[HoldMade]:
        """Return the holds that last at `now`: all, or those of a recording; the oldest first."""
        where, values = ("AND recording = ?", (now, recording)) if recording else ("", (now,))
        rows = self._read(
            "SELECT number, recording, by, why, made, until FROM holds "  # noqa: S608 ours
            f"WHERE until > ? {where} ORDER BY number",
            values,
        )
        return [HoldMade(*row) for row in rows]

    def policies(self) -> dict[str, PolicyTold]:
        """Return the policies that the journal tells of; keep_days is None where the plan has it no more."""
        rows = self._read(
            "SELECT name, legal_basis, register, keep_days, least_days, listeners, export FROM policies", ()
        )
        return {
            row[0]: PolicyTold(
                name=row[0],
                legal_basis=row[1],
                register=row[2],
                keep_days=row[3],
                least_days=row[4],
                listeners=json.loads(row[5]),
                export=row[6],
            )
            for row in rows
        }

    def history(self, recording: str) -> list[Said]:
        """Return what the journal says of a recording besides its begin and end, in order."""
        return self._said("recording = ? AND recording != ''", (recording,))

    def said(self, since: float, until: float) -> list[Said]:
        """Return what the journal says of a period besides begins and ends, in order."""
        return self._said("at >= ? AND at < ?", (since, until))

    def searches(self, mark: str) -> list[Said]:
        """Return what the journal says of searches for a number. mark: what it calls that number."""
        return self._said("what IN ('searched', 'about') AND instr(about, ?)", (json.dumps(mark),))

    # Entries of the journal

    def _apply(self, entry: Entry) -> None:
        about = entry.about
        values: tuple[Any, ...]
        match entry.what:
            case "begun":
                known = {name: str(about.get(name, "")) for name in _FROM_JOURNAL}
                self._enter(entry.recording, entry.at, known)
                return
            case "ended" | "repaired" | "damaged" | "missing":
                self._end(entry)
            case "purging":
                self._write("UPDATE recordings SET state = ? WHERE recording = ?", (PURGING, entry.recording))
            case "purged":
                self._drop(entry.recording)
            case "held":
                until = about.get("until", 0.0)
                values = (entry.number, entry.recording, entry.by, about.get("why", ""), entry.at, until)
                self._write("INSERT OR REPLACE INTO holds VALUES (?, ?, ?, ?, ?, ?)", values)
            case "released":
                self._write("DELETE FROM holds WHERE number = ?", (about.get("hold", -1),))
            case "policy":
                self._set_policy(about)
            case _:
                pass
        if entry.what != "ended":
            text = json.dumps(dict(about), ensure_ascii=False)
            values = (entry.number, entry.at, entry.what, entry.recording, entry.by, text)
            self._write("INSERT OR REPLACE INTO said VALUES (?, ?, ?, ?, ?, ?)", values)

    def _enter(self, recording: str, begun: float, known: Mapping[str, str]) -> None:
        """Have a row of a recording, with what is known: signalling and the journal may tell it in any order.

        What goes on from another has its numbers, until it has its own.
        """
        names = ", ".join(_FROM_JOURNAL)
        updates = ", ".join(
            f"{name} = CASE WHEN excluded.{name} = '' THEN {name} ELSE excluded.{name} END"
            for name in _FROM_JOURNAL
        )
        self._write(
            f"INSERT INTO recordings (recording, begun, {names}) VALUES (?, ?{', ?' * len(_FROM_JOURNAL)}) "  # noqa: S608
            f"ON CONFLICT (recording) DO UPDATE SET {updates}",
            (recording, begun, *(known[name] for name in _FROM_JOURNAL)),
        )
        if known["continues"]:
            self._write(
                "UPDATE recordings SET (caller, called) = "
                "(SELECT b.caller, b.called FROM recordings b WHERE b.recording = ?) "
                "WHERE recording = ? AND caller = '' AND called = '' "
                "AND EXISTS (SELECT 1 FROM recordings b WHERE b.recording = ?)",
                (known["continues"], recording, known["continues"]),
            )
            self._note_numbers(recording)

    def _note_numbers(self, recording: str) -> None:
        for column in ("caller", "called"):
            self._write(
                f"INSERT OR IGNORE INTO numbers SELECT {column}, policy, begun, id FROM recordings "  # noqa: S608 ours
                f"WHERE recording = ? AND {column} != ''",
                (recording,),
            )

    def _end(self, entry: Entry) -> None:
        about = entry.about
        ended = about.get("last", entry.at)
        values = (ended, about.get("head", ""), about.get("bytes", 0), about.get("packets", 0), entry.what)
        self._write(
            "UPDATE recordings SET ended = max(begun, ?), head = ?, bytes = ?, packets = ?, state = ? "
            "WHERE recording = ? AND state != 'purging'",
            (*values, entry.recording),
        )

    def _drop(self, recording: str) -> None:
        self._write(
            "DELETE FROM numbers WHERE id = (SELECT id FROM recordings WHERE recording = ?) AND number IN "
            "(SELECT caller FROM recordings WHERE recording = ? UNION "
            "SELECT called FROM recordings WHERE recording = ?)",
            (recording, recording, recording),
        )
        self._write("DELETE FROM recordings WHERE recording = ?", (recording,))
        self._write("DELETE FROM holds WHERE recording = ?", (recording,))

    def _set_policy(self, about: Mapping[str, Any]) -> None:
        values = (
            about.get("policy", ""),
            about.get("legal_basis", ""),
            about.get("register", ""),
            about.get("keep_days"),
            about.get("least_days", 0),
            json.dumps(about.get("listeners", [])),
            about.get("export", "two_persons"),
        )
        self._write("INSERT OR REPLACE INTO policies VALUES (?, ?, ?, ?, ?, ?, ?)", values)

    # Searches

    def _of_policy(
        self, policy: str, query: Query, cursor: _Cursor | None, limit: int
    ) -> list[tuple[Any, ...]]:
        """Rows of one policy: id, begun, and what Found takes; the newest first."""
        wheres, values = ["r.policy = ?"], [policy]
        source = f"recordings r {self._index(policy, query)}"
        if query.number and self._leads(policy, query):
            source = "numbers t CROSS JOIN recordings r ON r.id = t.id"
            wheres += ["t.policy = ?", "t.number = ?"]
            values += [policy, query.number]
        elif query.number:
            wheres.append("? IN (r.caller, r.called)")
            values.append(query.number)
        first = "t" if source.startswith("numbers") else "r"
        asked: list[Any] = []
        for text, bound in (
            ("r.line = ?", query.line or None),
            ("r.user = ?", query.user or None),
            ("r.call = ?", query.call or None),
            (f"{first}.begun >= ?", query.since),
            (f"{first}.begun < ?", query.until),
            ("r.ended - r.begun >= ?", query.shortest_seconds),
            ("r.ended - r.begun <= ?", query.longest_seconds),
        ):
            if bound is not None:
                wheres.append(text)
                asked.append(bound)
        if cursor is not None:
            wheres.append(f"({first}.begun, {first}.id) < (?, ?)")
            asked += cursor
        return self._read(
            f"SELECT r.id, r.begun, {_SELECTED} FROM {source} WHERE {' AND '.join(wheres)} "  # noqa: S608 ours
            f"AND r.state != 'purging' ORDER BY {first}.begun DESC, {first}.id DESC LIMIT ?",
            (*values, *asked, limit),
        )

    def _leads(self, policy: str, query: Query) -> bool:
        """Whether a number is what leads to few rows: that of a line is in all of its recordings."""
        lengths = query.shortest_seconds, query.longest_seconds
        if not (query.line or query.user or query.call or any(one is not None for one in lengths)):
            return True
        ((count,),) = self._read(
            "SELECT count(*) FROM (SELECT 1 FROM numbers WHERE number = ? AND policy = ? LIMIT ?)",
            (query.number, policy, FEW),
        )
        return bool(count < FEW)

    def _index(self, policy: str, query: Query) -> str:
        """Return which index leads to few rows, as SQL: SQLite has no way of knowing."""
        if query.call:
            return "INDEXED BY by_call"
        if query.shortest_seconds is not None or query.longest_seconds is not None:
            longest = float("inf") if query.longest_seconds is None else query.longest_seconds
            ((count,),) = self._read(
                "SELECT count(*) FROM (SELECT 1 FROM recordings INDEXED BY by_length WHERE policy = ? "
                "AND ended - begun BETWEEN ? AND ? LIMIT ?)",
                (policy, query.shortest_seconds or 0.0, longest, FEW),
            )
            if count < FEW:
                return "INDEXED BY by_length"
        if query.user:
            return "INDEXED BY by_user"
        return "INDEXED BY by_line" if query.line else "INDEXED BY by_time"

    def _found_by(self, where: str, order: str, values: tuple[Any, ...], limit: int) -> list[Found]:
        rows = self._read(
            f"SELECT {_SELECTED} FROM recordings r WHERE {_KEPT} AND {where} ORDER BY {order} LIMIT ?",  # noqa: S608 ours
            (*values, limit),
        )
        return [self._found(row) for row in rows]

    def _said(self, where: str, values: tuple[Any, ...]) -> list[Said]:
        rows = self._read(
            f"SELECT number, at, what, recording, by, about FROM said WHERE {where} ORDER BY number",  # noqa: S608 ours
            values,
        )
        return [Said(*(*row[:5], json.loads(row[5]))) for row in rows]

    def _found(self, row: Sequence[Any]) -> Found:
        return Found(**dict(zip(_COLUMNS, row, strict=True)))

    # The file

    def _opened(self) -> sqlite3.Connection:
        """The file with its tables; what isn't ours, or of another make, is made anew."""
        if self._version() not in (0, _VERSION):
            for path in (self._path, *self._path.parent.glob(f"{self._path.name}-*")):
                path.unlink(missing_ok=True)
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        connection = sqlite3.connect(self._path, check_same_thread=False, isolation_level="IMMEDIATE")
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")  # what a power cut takes is read again
            connection.execute("PRAGMA secure_delete = ON")
            connection.execute("PRAGMA cache_size = -512")  # kB; the system remembers the file as well
            if connection.execute("PRAGMA user_version").fetchone()[0] != _VERSION:
                connection.executescript(f"{_SCHEMA} PRAGMA user_version = {_VERSION};")
        except BaseException:
            connection.close()
            raise
        return connection

    def _version(self) -> int:
        """Return the version of what is there: 0 for nothing, -1 for what is no database."""
        if not self._path.exists():
            return 0
        with closing(sqlite3.connect(self._path)) as connection:
            try:
                return int(connection.execute("PRAGMA user_version").fetchone()[0])
            except sqlite3.DatabaseError as error:
                if error.sqlite_errorcode in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
                    return -1
                raise

    def wipe(self) -> None:
        """Let nothing of rows that went be in the file's log."""
        self._read("PRAGMA wal_checkpoint(TRUNCATE)", ())

    def _read(self, statement: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        with self._lock:
            try:
                return self._connection.execute(statement, values).fetchall()
            except sqlite3.Error as error:
                raise CatalogueUnusable(f"{self._path}: {error}") from None

    def _write(self, statement: str, values: tuple[Any, ...]) -> None:
        try:
            self._connection.execute(statement, values)
        except sqlite3.Error as error:
            self._connection.rollback()
            raise CatalogueUnusable(f"{self._path}: {error}") from None

    def _commit(self) -> None:
        try:
            self._connection.commit()
        except sqlite3.Error as error:
            self._connection.rollback()
            raise CatalogueUnusable(f"{self._path}: {error}") from None


def tombstone(entry: Said) -> Tombstone:
    """Return what an entry `purged` says."""
    about = entry.about
    return Tombstone(
        number=entry.number,
        at=entry.at,
        recording=entry.recording,
        policy=about.get("policy", ""),
        legal_basis=about.get("legal_basis", ""),
        kept_from=about.get("kept_from", 0.0),
        kept_to=about.get("kept_to", entry.at),
        bytes=about.get("bytes", 0),
        cause=about.get("cause", ""),
        by=entry.by,
        why=about.get("why", ""),
    )


def _read_cursor(text: str) -> _Cursor | None:
    if not text:
        return None
    found = _CURSOR.fullmatch(text)
    if found is None:
        raise ValueError(f"{text[:60]!r} is no page's `next`")
    return _Cursor(float(found[1]), int(found[2]))
