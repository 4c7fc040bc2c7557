"""What is wrong, or worth knowing, in something that a person wrote: where, what, and the mend."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence about one place of a file.

    line and column count from 1; both are 0 when what is meant has no place in a file (a person of
    the database). `code` is stable: scripts and tests compare it, people read `message` and `hint`.
    """

    code: str
    severity: Severity
    file: str
    line: int
    column: int
    message: str
    hint: str = ""

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return f"{where}: {self.message}; {self.hint}" if self.hint else f"{where}: {self.message}"


class PlanError(Exception):
    """A file that can't be used. `findings` holds every error at once, in the order of the file."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings: tuple[Finding, ...] = tuple(sorted(findings, key=lambda f: (f.line, f.column)))
        super().__init__("\n".join(str(finding) for finding in self.findings))
