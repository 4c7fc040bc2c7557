"""Packages of exports: made in a folder of the data directory, fetched once, and gone.

A package isn't encrypted any more. So it lies there for as long as its maker needs to fetch it: until it was
fetched, for KEPT_SECONDS at most, and never over a start of the web process.
"""

from __future__ import annotations

import asyncio
import secrets
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, Literal

from pbx.tasks import Tasks
from pbx.web.listening.hearings import problem_of
from pbx.web.listening.workshop import Workshop
from pbx.web.problems import Problem
from recording.export.orders import Entered, Failed, Finished, Pack, Progress, ToJournal, Told

KEPT_SECONDS: Final = 900.0
MOST_PACKAGES: Final = 8
FOLDER: Final = "exports"

State = Literal["making", "made", "failed"]


class Package:
    """One package. part: of its sound that is made, 0 to 1; failed: why it can't be made."""

    def __init__(self, account: str, recording: str, folder: Path) -> None:
        self.id = secrets.token_urlsafe(18)
        self.account = account
        self.recording = recording
        self.folder = folder / self.id
        self.path = self.folder / f"{recording}.zip"
        self.state: State = "making"
        self.part = 0.0
        self.failed: Failed | None = None
        self._workshop: Workshop | None = None

    async def make(self, order: Pack, journalled: Callable[[str], Awaitable[int]]) -> None:
        """Have it made; journalled: enters the hash of its list of files, returns the entry's number or 0."""
        try:
            self._workshop = await Workshop.begin(order)
        except OSError as error:
            self._take(Failed("died", error.strerror or str(error)))
            return
        async for told in self._workshop.told():
            if isinstance(told, ToJournal):
                self._workshop.answer(Entered(await journalled(told.sums)))
            self._take(told)

    def _take(self, told: Told) -> None:
        match told:
            case Progress(part):
                self.part = part
            case Finished():
                self.state, self.part = "made", 1.0
            case Failed():
                self.state, self.failed = "failed", told
            case _:
                pass

    async def drop(self) -> None:
        """Let go of it and its file."""
        if self._workshop is not None:
            await self._workshop.end()
        await asyncio.to_thread(shutil.rmtree, self.folder, ignore_errors=True)


class Packages:
    """Those of the web process. directory: of the node's data."""

    def __init__(self, directory: Path) -> None:
        self._folder = directory / FOLDER
        self._packages: dict[str, Package] = {}
        self._tasks = Tasks()
        shutil.rmtree(self._folder, ignore_errors=True)  # what a process before this one has left

    def place(self, account: str, recording: str) -> Package:
        """Make room for a package, before anybody's approval is used up. Raises Problem."""
        if len(self._packages) >= MOST_PACKAGES:
            detail, mend = "too many packages wait to be fetched", "fetch one, or wait a quarter of an hour"
            raise Problem(409, "too_many_packages", detail, mend=mend)
        made = Package(account, recording, self._folder)
        try:
            made.folder.mkdir(mode=0o700, parents=True)
        except OSError as error:
            raise problem_of(Failed("disk", error.strerror or str(error))) from None
        self._packages[made.id] = made
        return made

    def begin(self, made: Package, order: Pack, journalled: Callable[[str], Awaitable[int]]) -> None:
        """Have it made."""
        self._tasks.start(made.make(order, journalled), f"package of {made.recording}")
        asyncio.get_running_loop().call_later(KEPT_SECONDS, self._over, made)

    def of(self, account: str, name: str) -> Package:
        """Return an account's package. Raises Problem (404) for one that is gone, or is another's."""
        made = self._packages.get(name)
        if made is None or made.account != account:
            raise Problem(404, "package_gone", "this package is gone", mend="export the recording again")
        return made

    async def drop(self, made: Package) -> None:
        """Let go of one."""
        self._packages.pop(made.id, None)
        await made.drop()

    async def close(self) -> None:
        """Let go of all."""
        for one in list(self._packages.values()):
            await self.drop(one)
        await self._tasks.cancel()

    def _over(self, made: Package) -> None:
        if made.id in self._packages:
            self._tasks.start(self.drop(made), f"end of package {made.recording}")
