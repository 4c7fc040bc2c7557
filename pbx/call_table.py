"""Past calls as a table for spreadsheets, a line each; and what becomes of a call, in one word."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import Final, Literal, TypeAlias

from pbx.records import CallRecord, rfc3339

Outcome: TypeAlias = Literal["answered", "elsewhere", "message", "busy", "refused", "no_answer", "failed"]
Quality: TypeAlias = Literal["good", "fair", "poor", "bad", "unknown"]

COLUMNS: Final = (
    *("id", "started", "answered", "ended", "seconds", "direction", "from", "from_name", "dialled", "to"),
    *("outcome", "cause", "recorded", "mos", "plan_version"),
)
_NO_ANSWER = frozenset({"cancelled", "no answer", "not available", "408", "480", "487"})


def outcome_of(call: CallRecord, extension: str = "") -> Outcome:
    """Return what became of a call; for somebody with this extension, where one is given: what they took.

    `elsewhere`: somebody else took it; `message`: it went to voicemail.
    """
    answered = call.answered is not None
    if extension and answered:
        own = [leg for leg in call.legs if leg.number == extension]
        answered = any(leg.answered is not None for leg in own)
        if not answered and call.cause != "message left":
            return "elsewhere" if any(leg.answered is not None for leg in call.legs[1:]) else "no_answer"
    if call.cause == "message left":
        return "message"
    if answered:
        return "answered"
    if call.cause in {"busy", "486", "600"}:
        return "busy"
    if call.cause.startswith("rejected") or call.cause in {"603", "403", "declined"}:
        return "refused"
    return "no_answer" if call.cause in _NO_ANSWER else "failed"


def mos_of(call: CallRecord) -> float | None:
    """Return the MOS (ITU-T G.107) of who was heard worst; None where none was measured."""
    return min((leg.quality.mos for leg in call.legs if leg.quality is not None), default=None)


def quality_of(mos: float | None) -> Quality:
    """Return a MOS in a word: from 4.0 on good, from 3.6 fair, from 3.1 poor (ITU-T G.109 table 1)."""
    if mos is None:
        return "unknown"
    return "good" if mos >= 4.0 else "fair" if mos >= 3.6 else "poor" if mos >= 3.1 else "bad"


def heading() -> str:
    """Return the table's first line. Times are RFC 3339 in UTC; the file is RFC 4180's."""
    return _lines([COLUMNS])


def lines_of(calls: Iterable[CallRecord]) -> str:
    """Return the lines of calls, with no cell that a spreadsheet takes for a formula."""
    return _lines(_cells(call) for call in calls)


def _cells(call: CallRecord) -> list[str]:
    mos = mos_of(call)
    seconds = f"{call.ended - call.answered:.0f}" if call.answered is not None else ""
    cells = (
        *(call.id, rfc3339(call.started), rfc3339(call.answered), rfc3339(call.ended), seconds),
        *(call.direction, call.from_, call.from_name, call.dialled, call.to, outcome_of(call), call.cause),
        *("yes" if call.recorded else "", f"{mos:.1f}" if mos is not None else "", call.plan_version),
    )
    return [_harmless(cell or "") for cell in cells]


def _harmless(cell: str) -> str:
    """A caller may choose its name: what begins like a formula is text. A number after a + is a number."""
    is_number = cell[:1] == "+" and cell[1:].isdecimal()
    return f"'{cell}" if cell[:1] in {"=", "+", "-", "@", "\t", "\r", "\n"} and not is_number else cell


def _lines(rows: Iterable[Iterable[str]]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue()
