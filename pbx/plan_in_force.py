"""The plan in force, for a process that starts: the one that the node began with, or the last one reloaded.

A signalling process that dies is started again by the supervisor, which knows only the plan of its own start;
the file may hold a change that nobody has put in force yet. So whoever puts a plan in force leaves its text
here, in memory that the supervisor shares with its children: it outlives them, and no disk can refuse it.

    text kept = version (as in `Plan.version`), line feed, the YAML text
"""

from __future__ import annotations

import logging
import os

from dialplan.finding import PlanError
from dialplan.loading import parse_plan
from dialplan.plan import Plan

log = logging.getLogger(__name__)


class PlanInForce:
    """The plan in force, shared by forked processes. One process at a time writes it."""

    def __init__(self, plan: Plan) -> None:
        """plan: the one that the node starts with."""
        self._first = plan
        self._descriptor = os.memfd_create("plan")

    def read(self) -> Plan:
        """The plan last kept, without the people of the database; the first one when none was."""
        size = os.fstat(self._descriptor).st_size
        version, _, text = os.pread(self._descriptor, size, 0).decode("utf-8", "replace").partition("\n")
        if not version:
            return self._first
        try:
            plan = parse_plan(text, self._first.path)
        except PlanError as error:
            log.error("the plan in force can't be read again: %s", error)
            return self._first
        if plan.version != version:  # its writer was killed on the way
            log.error("plan=%s was put in force only in part; plan=%s is", version, self._first.version)
            return self._first
        return plan

    def keep(self, plan: Plan, text: str) -> None:
        """Keep `plan`, which is that of `text`. Raises OSError."""
        kept = f"{plan.version}\n{text}".encode()
        os.ftruncate(self._descriptor, 0)
        written = 0
        while written < len(kept):
            written += os.pwrite(self._descriptor, kept[written:], written)
