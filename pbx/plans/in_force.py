"""The plan in force, for a process that starts: the one that the node began with, or the last one reloaded.

A signalling process that dies is started again by the supervisor; the file may hold a change that nobody has
put in force yet. So whoever puts a plan in force leaves its text here, in memory that the supervisor shares
with its children: it outlives them, and no disk can refuse it.

    text kept = version (as in `Plan.version`), line feed, the YAML text
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from dialplan.document import read_text
from dialplan.finding import PlanError
from pbx.plans.history import version_of

if TYPE_CHECKING:
    from dialplan.plan import Plan

_MOST_VERSION_BYTES = 200


class PlanInForce:
    """The plan in force, shared by forked processes. One process at a time writes it.

    It holds two texts: the one that the node began with, and the one last reloaded. A writer that is killed
    on the way spoils the second only.
    """

    def __init__(self, path: Path) -> None:
        """path: where the node's first plan is read, by the first process that asks for it."""
        self._path = path
        self._first = os.memfd_create("first-plan")
        self._last = os.memfd_create("plan")

    def read(self) -> Plan:
        """The plan last kept, without the people of the database; the one of the file when none was.

        Raises PlanError when the node's first plan has errors.
        """
        for descriptor in (self._last, self._first):
            plan = self._kept(descriptor)
            if plan is not None:
                return plan
        from dialplan.loading import parse_plan  # in the process that reads: the supervisor needs none of it

        text = read_text(self._path)
        plan = parse_plan(text, str(self._path))
        _write(self._first, plan, text)
        return plan

    def text(self) -> str:
        """The text of the plan that `read` gives, "" while no plan has been read."""
        for descriptor in (self._last, self._first):
            version, text = _kept(descriptor)
            if version and version_of(text) == version:
                return text
        return ""

    def version(self) -> str:
        """The version of the plan that `read` gives, "" while no plan has been read."""
        for descriptor in (self._last, self._first):
            version, _, _ = os.pread(descriptor, _MOST_VERSION_BYTES, 0).partition(b"\n")
            if version:
                return version.decode("ascii", "replace")
        return ""

    @property
    def begun(self) -> bool:
        """Whether a plan without errors has been read."""
        return os.fstat(self._first).st_size > 0

    def keep(self, plan: Plan, text: str) -> None:
        """Keep `plan`, which is that of `text`. Raises OSError."""
        _write(self._last, plan, text)

    def _kept(self, descriptor: int) -> Plan | None:
        from dialplan.loading import parse_plan

        version, text = _kept(descriptor)
        try:
            plan = parse_plan(text, str(self._path)) if version else None
        except PlanError:
            return None
        # Another version: its writer was killed on the way.
        return plan if plan is not None and plan.version == version else None


def _kept(descriptor: int) -> tuple[str, str]:
    """The version and the text that were written, both "" before."""
    size = os.fstat(descriptor).st_size
    version, _, text = os.pread(descriptor, size, 0).decode("utf-8", "replace").partition("\n")
    return version, text


def _write(descriptor: int, plan: Plan, text: str) -> None:
    kept = f"{plan.version}\n{text}".encode()
    os.ftruncate(descriptor, 0)
    written = 0
    while written < len(kept):
        written += os.pwrite(descriptor, kept[written:], written)
