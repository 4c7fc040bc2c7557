"""Telephones as CSV: mac,brand,model,extension,label,site. Several extensions have a blank between them."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from msgspec.structs import replace

from pbx.phones.assigning import MOST_LINES
from pbx.phones.shelf import Phone
from provisioning.brand import Brand
from provisioning.mac_address import MacAddressError, mac_address

COLUMNS: Final = ("mac", "brand", "model", "extension", "label", "site")
MOST_BYTES: Final = 2_000_000
MOST_FIELD: Final = 80
_RUN: Final = ("=", "+", "-", "@")


class SpreadsheetWrong(Exception):
    """A file can't be taken; the message says in which line and why."""


@dataclass(frozen=True, slots=True)
class Row:
    """One telephone. line: of the file, from 1."""

    line: int
    name: str
    brand: str
    model: str
    extensions: list[str]
    label: str
    site: str

    def put_into(self, phone: Phone) -> Phone:
        """The telephone with what the row says."""
        return replace(phone, brand=self.brand, model=self.model, label=self.label, site=self.site)


@dataclass(frozen=True, slots=True)
class WrongRow:
    """What is wrong with a line. column: which; code: why, in a word that stays the same."""

    line: int
    column: str
    code: str
    message: str


def read_rows(
    data: bytes, brands: Mapping[str, Brand], people: Collection[str], sites: Collection[str]
) -> tuple[list[Row], list[WrongRow]]:
    """Return the rows that can be taken, and what is wrong with the others. people: their extensions.

    Raises SpreadsheetWrong for what is no such file.
    """
    if len(data) > MOST_BYTES:
        raise SpreadsheetWrong(f"it has more than {MOST_BYTES} bytes")
    rows: list[Row] = []
    wrong: list[WrongRow] = []
    seen: set[str] = set()
    try:
        text = data.decode("utf-8-sig")
        lines = csv.reader(io.StringIO(text), delimiter=";" if ";" in text.partition("\n")[0] else ",")
        head = [name.strip().casefold() for name in next(lines, [])]
        if not set(COLUMNS[:4]) <= set(head):
            raise SpreadsheetWrong(f"line 1 isn't {','.join(COLUMNS)}")
        for line in lines:
            if not any(field.strip() for field in line):
                continue
            said = _fields(dict(zip(head, line, strict=False)))
            row = _row(said, lines.line_num)
            faults = [row] if isinstance(row, WrongRow) else list(_faults(row, seen, brands, people, sites))
            wrong += faults
            if isinstance(row, Row):
                seen.add(row.name)
                if not faults:
                    rows.append(row)
    except (UnicodeDecodeError, csv.Error) as error:
        raise SpreadsheetWrong(f"no CSV in UTF-8: {error}") from error
    return rows, wrong


def written(phones: Iterable[Phone], separator: str = ",") -> bytes:
    """Return telephones as a file that `read_rows` takes, with the mark by which spreadsheets know UTF-8."""
    text = io.StringIO()
    lines = csv.writer(text, delimiter=separator, lineterminator="\r\n")
    lines.writerow(COLUMNS)
    for phone in phones:
        extensions = " ".join(sign_in.partition("-")[0] for sign_in in phone.lines)
        fields = (phone.name, phone.brand, phone.model, extensions, phone.label, phone.site)
        lines.writerow([_harmless(field) for field in fields])
    return text.getvalue().encode("utf-8-sig")


def _fields(said: Mapping[str, str]) -> dict[str, str]:
    return {name: _plain(said.get(name, "").strip())[:MOST_FIELD] for name in COLUMNS}


def _row(said: Mapping[str, str], line: int) -> Row | WrongRow:
    try:
        name = mac_address(said["mac"])
    except MacAddressError as error:
        return WrongRow(line, "mac", "wrong_mac", str(error))
    extensions = said["extension"].split()
    return Row(line, name, said["brand"], said["model"], extensions, said["label"], said["site"])


def _faults(
    row: Row, seen: set[str], brands: Mapping[str, Brand], people: Collection[str], sites: Collection[str]
) -> Iterable[WrongRow]:
    if row.name in seen:
        yield WrongRow(row.line, "mac", "phone_twice", f"{row.name} is there twice")
    if row.brand not in brands:
        yield WrongRow(row.line, "brand", "unknown_brand", f'"{row.brand}" isn\'t one of {", ".join(brands)}')
    elif row.model not in brands[row.brand].models:
        message = f'{brands[row.brand].name} has no "{row.model}" here'
        yield WrongRow(row.line, "model", "unknown_model", message)
    for extension in row.extensions:
        if extension not in people:
            message = f'nobody of the directory has the extension "{extension}"'
            yield WrongRow(row.line, "extension", "unknown_extension", message)
    if len(row.extensions) > MOST_LINES or len(set(row.extensions)) < len(row.extensions):
        message = f"a telephone has at most {MOST_LINES} lines, each of somebody else"
        yield WrongRow(row.line, "extension", "not_assigned", message)
    if row.site and row.site not in sites:
        yield WrongRow(row.line, "site", "unknown_site", f'the plan has no site "{row.site}"')
    if not f"{row.label}{row.site}".isprintable():
        yield WrongRow(row.line, "label", "wrong_label", "it has letters that can't be printed")


def _harmless(field: str) -> str:
    """A field that no spreadsheet takes for a formula."""
    return f"'{field}" if field.startswith(_RUN) else field


def _plain(field: str) -> str:
    return field[1:] if field.startswith("'") and field[1:].startswith(_RUN) else field
