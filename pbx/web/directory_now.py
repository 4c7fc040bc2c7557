"""Everybody and everything that can be called, in the web process's memory, as the database and the plan say.

Its index is made anew when the plan's version or the directory's revision has changed; whoever has just
changed people here sees it at once, what a command has changed is seen within LOOK_SECONDS. Ten thousand
people take half a second of a thread, and requests meanwhile share that one; it is made first when somebody
opens a page. A search in between asks no database.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from dialplan.plan import Plan
from pbx.people.devices import with_directory
from pbx.people.directory import Directory
from pbx.people.imports import directory_now
from pbx.people.search import Index, index_of
from pbx.store.absences import Absence, absences
from pbx.store.people import revision
from pbx.store.photos import photos_changed
from pbx.web.problems import Problem

if TYPE_CHECKING:
    from pbx.web.node import Node

LOOK_SECONDS = 0.5


@dataclass(frozen=True)
class Everybody:
    """The directory at one revision. written: the plan without the people of the database; plan: with them.

    stored: the people of the database, with their devices. pictured: since when (Unix seconds) there is a
    photo of an extension; noted: the absence notes that hold.
    """

    written: Plan
    plan: Plan
    stored: Directory
    index: Index
    pictured: Mapping[str, float]
    noted: Mapping[str, Absence]


class DirectoryNow:
    """The directory of one node."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._everybody: Everybody | None = None
        self._looked_at = 0.0
        self._making = asyncio.Lock()

    async def now(self) -> Everybody:
        """Return it. Raises Problem (503) without a plan or a database."""
        node = self._node
        found = self._everybody
        written, instant = node.plan(), node.clock()
        same_plan = found is not None and found.written is written
        if found is not None and same_plan and abs(instant - self._looked_at) < LOOK_SECONDS:
            return found
        async with self._making:
            self._looked_at = instant  # before it is read: what changes meanwhile is looked at again
            known = self._everybody
            at, pictured, noted = await node.read(lambda connection: _besides(connection, instant))
            if known is None or known.written is not written or known.stored.revision != at:
                stored = await node.read(directory_now)
                made = await asyncio.to_thread(_made, written, stored)
                found = Everybody(written, *made, pictured, noted)
            else:
                found = replace(known, pictured=pictured, noted=noted)
            self._everybody = found
            return found

    def expect(self) -> None:
        """Somebody has come who may search: make it before they do."""
        if self._everybody is None and not self._making.locked():
            self._node.in_background(self._make(), "directory")

    async def _make(self) -> None:
        with suppress(Problem):  # whoever asks for it is told
            await self.now()

    def changed(self) -> None:
        """People, photos or notes were changed by this process: the next one who asks reads anew."""
        self._looked_at = float("-inf")


def _besides(connection: Connection, now: float) -> tuple[int, dict[str, float], dict[str, Absence]]:
    return revision(connection), photos_changed(connection), absences(connection, now)


def _made(written: Plan, stored: Directory) -> tuple[Plan, Directory, Index]:
    plan = with_directory(written, stored)
    return plan, stored, index_of(plan)
