"""Hot desks as the process of telephones follows them, by a signalling that is told by hand."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pbx import control
from pbx.control import DeviceList, DeviceStatus, DevicesTold
from pbx.phones import desks
from pbx.phones.desks import Desks
from pbx.phones.shelf import Phone
from pbx.tasks import Tasks
from provisioning.brand import load_brands

DEVICE = "2011-c0123456"


class Shelf:
    """A database in which one telephone has one line."""

    def __init__(self, brand: str) -> None:
        self.phone = Phone(name="805ec0123456", brand=brand, model="", stage="enrolled", lines=(DEVICE,))

    async def read(self, work: Any) -> Any:
        return self.phone

    async def write(self, work: Any) -> Any:
        raise AssertionError("nothing is written")


class Signalling:
    """Answers on the control socket. busy: how often the telephone is in a call when it is to be told."""

    def __init__(self) -> None:
        self.user = "2011"
        self.busy = 0
        self.notices: list[control.NotifyDevices] = []
        self.followers: list[asyncio.StreamWriter] = []
        self.told = asyncio.Event()
        self.followed = asyncio.Event()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        question = msgspec.json.decode(await reader.readline(), type=control.Question | control.FollowEvents)
        match question:
            case control.FollowEvents(kinds):
                self._say(writer, control.Following(kinds))
                self.followers.append(writer)
                return
            case control.ListDevices():
                status = DeviceStatus(DEVICE, "2011", self.user, 0.0, [], "", [])
                self._say(writer, DeviceList([status]))
                self.followed.set()
            case control.NotifyDevices():
                self.notices.append(question)
                self.busy -= 1
                self._say(writer, DevicesTold([], [DEVICE]) if self.busy >= 0 else DevicesTold([DEVICE]))
                if self.busy < 0:
                    self.told.set()
        writer.close()

    def sits(self, extension: str, device: str = DEVICE) -> None:
        line = {"event": "HotDeskChanged", "device": device, "extension": extension, "by": extension}
        self.followers[-1].write(msgspec.json.encode(line) + b"\n")

    def _say(self, writer: asyncio.StreamWriter, answer: Any) -> None:
        writer.write(msgspec.json.encode(answer) + b"\n")


@contextlib.asynccontextmanager
async def following(folder: Path, signalling: Signalling, brand: str = "snom") -> AsyncIterator[Desks]:
    path = control.control_path(folder)
    path.parent.mkdir(parents=True, exist_ok=True)
    server = await asyncio.start_unix_server(signalling.answer, path)
    tasks = Tasks()
    made = Desks(folder, Shelf(brand), load_brands(), tasks)
    tasks.start(made.follow(), "following")
    try:
        async with asyncio.timeout(45):
            await signalling.followed.wait()
            yield made
    finally:
        await tasks.cancel()
        for follower in signalling.followers:
            follower.close()
        server.close()


async def test_who_sat_there_before_is_known(tmp_path: Path):
    signalling = Signalling()
    signalling.user = "1001"
    async with following(tmp_path, signalling) as known:
        signalling.sits("1003", "2012-c0123457")
        await signalling.told.wait()
        assert known.user(DEVICE) == "1001"


async def test_the_telephone_is_told_to_fetch_without_starting_anew_once_the_call_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(desks, "AGAIN_SECONDS", 0.0)
    signalling = Signalling()
    signalling.busy = 2  # the code was dialled in a call
    async with following(tmp_path, signalling) as known:
        signalling.sits("1001")
        await signalling.told.wait()
        assert known.user(DEVICE) == "1001"
    assert [notice.devices for notice in signalling.notices] == [[DEVICE]] * 3
    assert {notice.event for notice in signalling.notices} == {"check-sync;reboot=false"}
