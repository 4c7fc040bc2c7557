"""Whether somebody is among those whom the plan names: by number, by group or by site.

The plan that the web process has knows its own people alone; those of the database are in the file that the
worker writes for signalling.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from dialplan.plan import Members
from pbx.people.directory import DirectoryError, read_directory
from pbx.web.node import Node
from pbx.web.problems import Problem


class Place:
    """Where somebody belongs. groups: names of the plan; site: "" for none."""

    def __init__(self, extension: str, groups: Iterable[str], site: str | None) -> None:
        self.extension = extension
        self.groups = frozenset(groups)
        self.site = site or ""

    def is_of(self, members: Members | None) -> bool:
        """Whether they are one of these."""
        if members is None or not self.extension:
            return False
        named = self.extension in members.numbers or self.site in members.sites
        return named or not self.groups.isdisjoint(members.groups)


async def place_of(node: Node, extension: str) -> Place:
    """Return where the person with an extension belongs, "" and unknown ones nowhere.

    Raises Problem (503) where the directory can't be read.
    """
    plan = node.plan()
    person = plan.people.get(extension)
    if person is not None:
        caller = plan.tables.callers.get(extension)
        return Place(extension, person.groups, caller.site if caller is not None else person.site)
    if not extension:
        return Place("", (), None)
    try:
        directory = await asyncio.to_thread(read_directory, node.configuration.directory_file)
    except DirectoryError:
        raise Problem(503, "directory_unreadable", "the directory can't be read") from None
    for one in directory.people:
        if one.extension == extension:
            return Place(extension, one.groups, one.site)
    return Place("", (), None)
