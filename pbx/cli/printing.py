"""What commands print: findings, tables and JSON. Text from a network or a file is shown, never obeyed."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from dialplan.finding import Finding

PIPE_WIDTH = 240
"""Columns of a table that no terminal shows: wide enough that grep finds a row on one line."""


def print_json(value: Any) -> None:
    """Print a value on one line, letters as they are where the output can hold them."""
    text = json.dumps(value, ensure_ascii=False)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(value)
    typer.echo(text)


def printable_findings(findings: Iterable[Finding]) -> list[dict[str, str | int]]:
    """Findings as `--json` prints them, here and everywhere."""
    return [
        {
            "code": finding.code,
            "severity": finding.severity,
            "file": finding.file,
            "line": finding.line,
            "column": finding.column,
            "message": finding.message,
            "hint": finding.hint,
        }
        for finding in findings
    ]


def print_findings(findings: Sequence[Finding], *, err: bool = False) -> None:
    """Print findings one a line, `file:line:column: severity: message; hint`, as editors read them."""
    for finding in findings:
        where = f"{finding.file}:{finding.line}:{finding.column}" if finding.line else finding.file
        hint = f"; {finding.hint}" if finding.hint else ""
        typer.echo(f"{where}: {finding.severity}: {clean(finding.message + hint)}", err=err)


def tally(findings: Iterable[Finding]) -> str:
    """How many errors, warnings and notes there are, in words."""
    counts = Counter(finding.severity for finding in findings)
    words = [
        f"{counts[severity]} {severity}{'' if counts[severity] == 1 else 's'}"
        for severity in ("error", "warning", "note")
        if counts[severity]
    ]
    return ", ".join(words) or "no finding"


def clean(text: str) -> str:
    """The text without what would steer a terminal: a caller chooses the name that is shown here."""
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def shown_time(seconds: float | None) -> str:
    """Return Unix seconds as tables show them, in UTC: `2026-12-25 10:00:00`; "-" for what didn't happen."""
    from pbx.records import rfc3339

    return (rfc3339(seconds) or "-").partition(".")[0].replace("T", " ")


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows under their columns, as wide as the terminal."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*columns, box=box.SIMPLE_HEAD, pad_edge=False)
    for row in rows:
        # As Text: in a plain string, rich would read [brackets] as its own markup.
        table.add_row(*(Text(clean(cell)) for cell in row))
    Console(width=None if sys.stdout.isatty() else PIPE_WIDTH, highlight=False).print(table)
