"""Which telephones there are, as whoever looks after them asks: where each is, what it runs, what it lacks.

The site of a telephone is the one that IT gave it, else the one whose network it was seen in, else its
person's.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal

from dialplan.plan import Plan
from pbx.phones.freshness import Freshness
from pbx.phones.shelf import Phone

Settings = Literal["up_to_date", "to_come", "never"]
"""What a telephone has of its settings: all, not yet what has changed since, or none."""

COLUMNS: Final = (
    *("mac", "brand", "model", "firmware", "wanted_firmware", "stage", "site", "address", "extensions"),
    *("label", "last_seen", "fetched", "registered", "in_call", "settings"),
)
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Item:
    """One telephone. wanted_version: of its firmware, "" where none is staged for it. registered: every line
    of it. fetched_at: Unix seconds, 0.0 for never.
    """

    phone: Phone
    site: str
    wanted_version: str
    registered: bool
    in_call: bool
    settings: Settings
    fetched_at: float

    @property
    def extensions(self) -> list[str]:
        """Whose it is, a line each."""
        return [sign_in.partition("-")[0] for sign_in in self.phone.lines]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which telephones are asked for; "" and None for all. text: in its address, label, lines or place."""

    names: frozenset[str] | None = None
    site: str = ""
    brand: str = ""
    model: str = ""
    stage: str = ""
    registered: bool | None = None
    in_call: bool | None = None
    settings: str = ""
    old_firmware: bool | None = None
    text: str = ""


def site_of(phone: Phone, plan: Plan) -> str:
    """Return where a telephone is, "" where nothing says so."""
    if phone.site:
        return phone.site
    network = plan.tables.networks.find(phone.address) if phone.address else ""
    if network:
        return network
    person = plan.people.get(phone.lines[0].partition("-")[0]) if phone.lines else None
    return (person.site if person is not None else None) or ""


def settings_state(phone: Phone, fresh: Freshness) -> Settings:
    """Return what a telephone has of its settings."""
    if not fresh.fetched_at:
        return "never"
    return "to_come" if fresh.is_behind or phone.rotates else "up_to_date"


def item_of(
    phone: Phone,
    plan: Plan,
    fresh: Freshness,
    wanted_version: str,
    registered: Mapping[str, str],
    busy: frozenset[str],
) -> Item:
    """Return what is to be said of a telephone. registered, busy: sign-ins, as signalling says."""
    return Item(
        phone=phone,
        site=site_of(phone, plan),
        wanted_version=wanted_version,
        registered=bool(phone.lines) and all(line in registered for line in phone.lines),
        in_call=any(line in busy for line in phone.lines),
        settings=settings_state(phone, fresh),
        fetched_at=fresh.fetched_at,
    )


def chosen(items: Iterable[Item], wanted: Wanted) -> list[Item]:
    """Return those that are asked for, in their order."""
    return [item for item in items if _fits(item, wanted)]


def written(items: Iterable[Item], separator: str = ";") -> bytes:
    """Return the inventory as CSV in UTF-8, with the mark by which spreadsheets know it."""
    out = io.StringIO()
    writer = csv.writer(out, delimiter=separator, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for item in items:
        writer.writerow([_plain(cell) for cell in cells(item)])
    return ("\N{BYTE ORDER MARK}" + out.getvalue()).encode()


def _fits(item: Item, wanted: Wanted) -> bool:
    phone, text = item.phone, wanted.text.casefold().strip()
    said = " ".join((phone.name, phone.label, phone.address, item.site, phone.model, *phone.lines)).casefold()
    is_old = bool(item.wanted_version) and item.wanted_version != phone.version
    return (
        (wanted.names is None or phone.name in wanted.names)
        and wanted.site in ("", item.site)
        and wanted.brand in ("", phone.brand)
        and wanted.model in ("", phone.model)
        and wanted.stage in ("", phone.stage)
        and wanted.registered in (None, item.registered)
        and wanted.in_call in (None, item.in_call)
        and wanted.settings in ("", item.settings)
        and wanted.old_firmware in (None, is_old)
        and all(word in said for word in text.split())
    )


def cells(item: Item) -> list[str]:
    """What is said of a telephone, in the order of COLUMNS."""
    phone = item.phone
    return [
        *(phone.name, phone.brand, phone.model, phone.version, item.wanted_version, phone.stage, item.site),
        *(phone.address, " ".join(item.extensions), phone.label, _when(phone.last_seen_at)),
        *(_when(item.fetched_at), _yes(item.registered), _yes(item.in_call), item.settings),
    ]


def _plain(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


def _when(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if at else ""


def _yes(is_so: bool) -> str:
    return "yes" if is_so else "no"
