"""People as a table: written for a spreadsheet, read back, and what reading it back would change.

The file is CSV (RFC 4180) with a first line of column names, in English or in French:

    extension;name;class;site;groups;mobile        poste;nom;classe;site;groupes;mobile

Separators may be `;`, `,` or a tab; text is UTF-8, UTF-16 with its mark, or Windows-1252, as spreadsheets
save. Several groups stand in one cell with `|` between. Columns may be left out: what they say stays as it
is. A password is never in such a file. A spreadsheet runs what begins with `=`, `+`, `-` or `@`: such a cell
is written with a `'` before it, which reading takes away. Who is written in the plan may be in a file, as the
plan says.

Nothing of a file is believed: it is bounded before it is read, and every line that can't be somebody is told
with its number and a mend. `preview` says what would change, and gives a token that holds for these bytes,
for this revision of the directory and for this plan: only with it is anything changed.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from dialplan.document import did_you_mean, shortened
from dialplan.plan import Person as PlanPerson
from dialplan.plan import Plan
from pbx.people.admission import admission
from pbx.people.directory import Directory, Person

MOST_BYTES = 8 << 20
MOST_ROWS = 20_000
MOST_LINE = 8_192
MOST_ERRORS = 500
COLUMNS = ("extension", "name", "class", "site", "groups", "mobile")
HEADINGS = {"en": COLUMNS, "fr": ("poste", "nom", "classe", "site", "groupes", "portable")}
_IN_FRENCH = {
    "poste": "extension",
    "numéro": "extension",
    "numero": "extension",
    "nom": "name",
    "classe": "class",
    "groupes": "groups",
    "groupe": "groups",
    "group": "groups",
    "portable": "mobile",
}
_SEPARATORS = (";", ",", "\t")
_RUN = re.compile(r"'*[=+\-@\t\r]")


class SpreadsheetError(Exception):
    """A file can't be read at all; the message says where and why. line: from 1, 0 for the whole file."""

    def __init__(self, line: int, message: str, mend: str = "") -> None:
        super().__init__(f"line {line}: {message}" if line else message)
        self.line = line
        self.message = message
        self.mend = mend


@dataclass(frozen=True, slots=True)
class RowError:
    """What is wrong with one line. column: of COLUMNS, "" for all of it. code: a word for translators."""

    line: int
    column: str
    message: str
    mend: str = ""
    code: str = ""


@dataclass(frozen=True, slots=True)
class FieldChange:
    """A field of somebody, before and after, as the file writes it."""

    field: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Change:
    """Somebody who is there and is said otherwise in the file."""

    person: Person
    fields: Sequence[FieldChange]


@dataclass(frozen=True, slots=True)
class Preview:
    """What a file would change. token: what the change is asked for with; "" while there are errors.

    told: of the plan, what is worth knowing, such as a test of it that fails then.
    """

    added: Sequence[Person]
    changed: Sequence[Change]
    removed: Sequence[Person]
    unchanged: int
    errors: Sequence[RowError]
    told: Sequence[str]
    token: str


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the file: its cells by column, only those that the file has."""

    line: int
    cells: Mapping[str, str]


def written(
    people: Iterable[Person], *, separator: str = ";", mark: bool = True, language: str = "en"
) -> bytes:
    """Return people as a file. mark: with the sign by which spreadsheets know UTF-8."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=separator, lineterminator="\r\n")
    writer.writerow(HEADINGS[language])
    writer.writerows([_guarded(_cells(person)[column]) for column in COLUMNS] for person in people)
    return text.getvalue().encode("utf-8-sig" if mark else "utf-8")


def preview(data: bytes, plan: Plan, there: Directory, now: datetime, *, removing: bool = False) -> Preview:
    """Return what a file would change. plan: without the people of the database, who are `there`.

    removing: whoever of the database isn't in the file goes. Raises SpreadsheetError for what can't be read.
    """
    rows, errors = _rows(data)
    known = {person.extension: person for person in there.people}
    wanted: dict[str, Person] = {}
    lines: dict[str, int] = {}
    for row in rows:
        if _is_as_planned(row, plan):
            continue
        person, error = _person(row, plan, known, lines)
        if error is not None:
            errors.append(error)
        else:
            wanted[person.extension] = person
            lines[person.extension] = row.line
    removed = [one for one in there.people if removing and one.extension not in wanted]
    gone = {one.extension for one in removed}
    added = [one for extension, one in wanted.items() if extension not in known]
    changed = [
        Change(one, fields)
        for extension, one in wanted.items()
        if extension in known and (fields := _difference(known[extension], one))
    ]
    touched = {one.extension for one in added} | {change.person.extension for change in changed}
    others = [one for one in there.people if one.extension not in touched | gone]
    found = admission(plan, others, [*added, *(change.person for change in changed)], now)
    errors += [
        RowError(lines.get(one.extension, 0), one.field, one.message, one.mend, one.code)
        for one in found.objections
    ]
    errors.sort(key=lambda error: error.line)
    token = "" if errors else _token(data, plan, there.revision, removing)
    told = [f"{one.message}; {one.hint}" if one.hint else one.message for one in found.told][:MOST_ERRORS]
    unchanged = len(wanted) - len(touched)
    return Preview(added, changed, removed, unchanged, errors[:MOST_ERRORS], told, token)


def _token(data: bytes, plan: Plan, revision: int, removing: bool) -> str:
    """It is no secret: it says that what is applied is what was shown, of what is there now."""
    about = msgspec.json.encode([plan.version, revision, removing, hashlib.sha256(data).hexdigest()])
    return hashlib.sha256(about).hexdigest()


# Reading


def _rows(data: bytes) -> tuple[list[Row], list[RowError]]:
    """The lines of a file, and what is wrong with some. Raises SpreadsheetError."""
    if len(data) > MOST_BYTES:
        raise SpreadsheetError(0, f"the file is longer than {MOST_BYTES >> 20} MB", "import it in parts")
    text = _decoded(data)
    if "\0" in text:
        raise SpreadsheetError(text[: text.index("\0")].count("\n") + 1, "this is no text", "save it as CSV")
    reader = csv.reader(_lines(text), delimiter=_separator(text), strict=True)
    rows: list[Row] = []
    errors: list[RowError] = []
    try:
        columns = _columns(next(reader, []))
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) > len(columns) and any(cell.strip() for cell in cells[len(columns) :]):
                message = f"{len(cells)} cells, and {len(columns)} columns"
                mend = 'a cell with a separator stands in "…"'
                errors.append(RowError(reader.line_num, "", message, mend, "too_many_cells"))
                continue
            named = zip(columns, map(_plain, cells), strict=False)  # spreadsheets cut empty cells off
            rows.append(Row(reader.line_num, dict(named)))
            if len(rows) > MOST_ROWS:
                mend = "import it in parts"
                raise SpreadsheetError(reader.line_num, f"more than {MOST_ROWS} people", mend)
    except csv.Error as error:
        raise SpreadsheetError(reader.line_num, f"this is no CSV: {error}", "save it as CSV again") from None
    return rows, errors


def _decoded(data: bytes) -> str:
    """The text of a file by its mark; without one, UTF-8 or what Windows saves. Raises SpreadsheetError."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        encodings = ["utf-16"]
    else:
        encodings = ["utf-8-sig", "cp1252"]
    for encoding in encodings:
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise SpreadsheetError(0, "this is no text in UTF-8 or Windows-1252", "save it as CSV, UTF-8")


def _lines(text: str) -> Iterator[str]:
    """The lines of a text, each bounded. Raises SpreadsheetError."""
    for number, line in enumerate(io.StringIO(text, newline=""), 1):
        if len(line) > MOST_LINE:
            raise SpreadsheetError(number, f"longer than {MOST_LINE} characters", "is this a list of people?")
        yield line


def _separator(text: str) -> str:
    """The separator that the first line has most of."""
    first = text[:MOST_LINE].partition("\n")[0]
    return max(_SEPARATORS, key=first.count)


def _columns(names: Sequence[str]) -> list[str]:
    """The columns that the first line names, "" for one that it leaves empty. Raises SpreadsheetError."""
    found: list[str] = []
    for name in names:
        word = name.strip().casefold()
        column = _IN_FRENCH.get(word, word)
        if column and column not in COLUMNS:
            raise SpreadsheetError(
                1, f'unknown column "{shortened(word)}"', did_you_mean(column, (*COLUMNS, *_IN_FRENCH))
            )
        if column and column in found:
            raise SpreadsheetError(1, f"the column {column} is there twice", "leave one out")
        found.append(column)
    if "extension" not in found:
        mend = f"the first line names the columns: {', '.join(COLUMNS)}"
        raise SpreadsheetError(1, "there is no column extension", mend)
    return found


def _is_as_planned(row: Row, plan: Plan) -> bool:
    """Whether a line is about somebody of the plan, and says what that says."""
    planned = plan.people.get(row.cells.get("extension", ""))
    if planned is None:
        return False
    cells = _cells(of_plan(planned))
    return all(cells[name] == cell for name, cell in row.cells.items() if name and cell)


def _person(
    row: Row, plan: Plan, known: Mapping[str, Person], lines: Mapping[str, int]
) -> tuple[Person, RowError | None]:
    """Somebody as a line says, on top of who is there; with what is wrong, when something is."""
    cells = row.cells
    extension = cells.get("extension", "")
    before = known.get(extension)
    nobody = before or Person(extension, "?", next(iter(plan.classes), "?"))
    if extension in lines:
        message = f"extension {extension} is on line {lines[extension]} already"
        return nobody, RowError(row.line, "extension", message, "leave one out", "twice")
    if extension in plan.people:
        message = (
            f"{extension} is written in the plan, line {plan.people[extension].line}, and said otherwise"
        )
        return nobody, RowError(
            row.line, "extension", message, "leave the line out, or change it there", "in_plan"
        )
    if before is None and not cells.get("name"):
        return nobody, RowError(
            row.line, "name", "somebody new needs a name", "fill in the column name", "no_name"
        )
    class_name = cells.get("class", "") or (nobody.class_name if "class" not in cells or not before else "")
    if not class_name:
        mend = f"one of {', '.join(plan.classes)}"
        return nobody, RowError(row.line, "class", f"{extension} has no class", mend, "no_class")
    try:
        groups = _groups(cells["groups"]) if "groups" in cells else nobody.groups
    except csv.Error as error:
        message = f"these are no groups: {error}"
        return nobody, RowError(row.line, "groups", message, "write them as a|b", "wrong_groups")
    person = Person(
        extension,
        cells["name"] if cells.get("name") else nobody.name,
        class_name,
        cells["site"] or None if "site" in cells else nobody.site,
        groups,
        cells["mobile"] or None if "mobile" in cells else nobody.mobile,
        nobody.devices,
    )
    return person, None


def _groups(cell: str) -> list[str]:
    """The groups of a cell, each once. Raises csv.Error."""
    names = next(csv.reader([cell], delimiter="|", strict=True), [])
    return list(dict.fromkeys(name.strip() for name in names if name.strip()))


def _plain(cell: str) -> str:
    """What a cell says, without what kept a spreadsheet from running it."""
    stripped = cell.strip()
    return stripped[1:] if stripped.startswith("'") and _RUN.match(stripped) else stripped


# Writing


def of_plan(person: PlanPerson) -> Person:
    """Return somebody who is written in the plan, as a file shows them."""
    groups = list(person.groups)
    return Person(person.extension, person.name, person.class_name or "", person.site, groups, person.mobile)


def _cells(person: Person) -> dict[str, str]:
    """Somebody by column."""
    return {
        "extension": person.extension,
        "name": person.name,
        "class": person.class_name,
        "site": person.site or "",
        "groups": _joined(person.groups),
        "mobile": person.mobile or "",
    }


def _joined(groups: Sequence[str]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter="|", lineterminator="").writerow(groups)
    return text.getvalue() if groups else ""


def _guarded(cell: str) -> str:
    return f"'{cell}" if _RUN.match(cell) else cell


def _difference(before: Person, after: Person) -> list[FieldChange]:
    """What differs of two, field by field."""
    one, other = _cells(before), _cells(after)
    return [FieldChange(name, one[name], other[name]) for name in COLUMNS if one[name] != other[name]]
