"""Who uses a desk telephone that isn't theirs (hot desks), and telling it to fetch what is theirs now.

Signalling decides who sits where (pbx.people.seats) and says so as it happens. Here it is followed: keys,
names, language and directory of a telephone are those of whoever uses it, and it is told to fetch them, as
its brand can without starting anew, once the call is over in which the code was dialled.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec
import sqlalchemy as sa

from pbx import control
from pbx.phones import shelf
from pbx.phones.counter import Records
from pbx.phones.shelf import Phone, PhoneUnknown
from pbx.store.database import DatabaseUnavailableError
from pbx.tasks import Tasks
from provisioning.brand import Brand

log = logging.getLogger(__name__)

AGAIN_SECONDS: Final = 3.0
MOST_TRIES: Final = 200
"""To tell a telephone that is in a call: ten minutes."""


class _Changed(msgspec.Struct):
    """A line of the events that are followed."""

    event: str
    device: str = ""
    extension: str = ""


class Desks:
    """Who uses which device now. data_dir: where signalling answers."""

    def __init__(self, data_dir: Path, records: Records, brands: Mapping[str, Brand], tasks: Tasks) -> None:
        self._data_dir = data_dir
        self._records = records
        self._brands = brands
        self._tasks = tasks
        self._users: dict[str, str] = {}
        self._telling: dict[str, asyncio.Task[None]] = {}

    def user(self, sign_in: str) -> str:
        """Return who uses a device, "" where that is its own person or isn't known."""
        return self._users.get(sign_in, "")

    async def follow(self) -> None:
        """Know who sits where, until cancelled; signalling may come and go meanwhile."""
        while True:
            try:
                await self._follow()
            except (OSError, ValueError, msgspec.DecodeError, control.NotRunningError) as error:
                log.info("hot desks aren't followed: %s", error)
            await asyncio.sleep(AGAIN_SECONDS)

    async def _follow(self) -> None:
        path = str(control.control_path(self._data_dir))
        reader, writer = await asyncio.open_unix_connection(path, limit=control.MAX_LINE_BYTES)
        try:
            writer.write(msgspec.json.encode(control.FollowEvents(["HotDeskChanged"])) + b"\n")
            await reader.readline()
            self._users = await self._seated()
            while line := await reader.readline():
                changed = msgspec.json.decode(line, type=_Changed)
                if changed.event != "HotDeskChanged":
                    return  # some were lost: everything is asked anew
                self.changed(changed.device, changed.extension)
        finally:
            writer.close()

    async def _seated(self) -> dict[str, str]:
        """Everybody who uses a device of somebody else. Raises NotRunningError."""
        found: dict[str, str] = {}
        after = ""
        while True:
            answer = await control.ask_soon(self._data_dir, control.ListDevices(after))
            assert isinstance(answer, control.DeviceList)
            found |= {one.device: one.user for one in answer.devices if one.user != one.owner}
            if len(answer.devices) < control.DEVICES_A_PAGE:
                return found
            after = answer.devices[-1].device

    def changed(self, device: str, extension: str) -> None:
        """Somebody uses a device from now on: its telephone is told to fetch."""
        self._users[device] = extension
        before = self._telling.pop(device, None)
        if before is not None:
            before.cancel()
        self._telling[device] = self._tasks.start(self._tell(device), "hot desk")

    async def _tell(self, device: str) -> None:
        for _ in range(MOST_TRIES):
            try:
                if not await self._is_busy(device):
                    break
            except (control.NotRunningError, DatabaseUnavailableError) as error:
                log.info("device=%s isn't told to fetch yet: %s", device, error)
            await asyncio.sleep(AGAIN_SECONDS)
        self._telling.pop(device, None)

    async def _is_busy(self, device: str) -> bool:
        """Tell a device's telephone to fetch; whether that must wait for the end of a call.

        Raises NotRunningError, DatabaseUnavailableError.
        """

        def find(connection: sa.Connection) -> Phone:
            return shelf.find_phone(connection, shelf.phone_of_line(connection, device))

        try:
            phone = await self._records.read(find)
        except PhoneUnknown:
            return False  # a device that nobody here sets up
        brand = self._brands.get(phone.brand)
        if phone.stage != "enrolled" or brand is None:
            return False
        how = brand.resync
        answer = await control.ask_soon(
            self._data_dir, control.NotifyDevices([device], how.event, how.content_type, how.body)
        )
        return isinstance(answer, control.DevicesTold) and bool(answer.busy)
