"""Telephones that work already: what changes for them comes in waves, firmware to its site at its hour, and
a desk's keys are those of whoever has logged in there.

On the wire and the node of the walks (test_walks.py).
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio

from sip.user_agent import UserAgent
from tests.interop.patience import deadline, until
from tests.provisioning.lan.makers import Yealink
from tests.provisioning.lan.telephone import Line, Telephone, sdp, states
from tests.provisioning.lan.town import CLEAR, COLLEAGUE, Town
from tests.provisioning.town_hall import machine_time

pytestmark = [
    pytest.mark.peer,
    pytest.mark.xdist_group("telephones on a wire"),
    pytest.mark.asyncio(loop_scope="package"),
]

SECONDS = 60.0
LAST_OF_PLAN = '  - {extension: "1002"'
NEW_VERSION = "96.86.0.99"


@dataclass
class Desk:
    """A telephone with its line, which is registered."""

    telephone: Telephone
    line: Line

    async def fetches_when_told(self) -> None:
        """Wait for its NOTIFY, and do what it says."""
        async with deadline("a telephone to be told", SECONDS):
            assert await self.line.told.get() == "check-sync"
        self.telephone.fetch()

    def is_given(self, digest: str) -> bool:
        """Whether its files, fetched now, name an image."""
        self.telephone.fetch()
        return any(f"/firmware/{digest[:32]}/".encode() in file for file in self.telephone.files.values())

    async def has(self, key: tuple[str, str]) -> None:
        """Fetch whenever it is told, until it has a key."""
        while key not in self.telephone.settings.keys:
            await self.fetches_when_told()


@pytest_asyncio.fixture(scope="module", loop_scope="package")
async def desks(node: Town) -> AsyncIterator[tuple[Desk, Desk]]:
    """Telephones of 3006, which IT says is at the school, and of 3007 at the town hall, both of the
    reception's group: a lamp of each colleague is on them because the plan says so.
    """
    makers = {extension: Yealink(f"805ec0aa{extension}", model="T53W") for extension in ("3006", "3007")}
    made = []
    async with AsyncExitStack() as open_lines:
        for extension in makers:
            await node.person(extension, "--group", "accueil")
        for extension, maker in makers.items():
            await node.adds(maker, extension, "--site", "ecole" if extension == "3006" else "mairie")
            telephone = Telephone(node.network, maker, node.folder)
            telephone.leased()
            telephone.trusts(telephone.get(f"{CLEAR}authority.pem")[1])
            link = await node.command("phone", "invite", maker.mac, "--json")
            telephone.fetch(link["url"])
            line = await open_lines.enter_async_context(telephone.line())
            await node.takes(line)
            open_lines.push_async_callback(line.unregister)
            made.append(Desk(telephone, line))
        school, hall = made
        await school.has(("lamp", "3007"))
        await hall.has(("lamp", "3006"))
        yield school, hall


async def over(node: Town, action: str) -> dict[str, Any]:
    """The newest wave with this action, once it is over."""

    async def ended() -> dict[str, Any] | None:
        waves = await node.command("phone", "waves", "--json")
        newest = next(wave for wave in waves if wave["action"] == action)
        return newest if newest["over_at"] else None

    found = await until(ended, f"a wave of {action} to be over", SECONDS)
    assert found is not None
    return found


async def test_a_change_of_the_plan_comes_to_telephones_in_a_wave(
    node: Town, desks: tuple[Desk, Desk]
) -> None:
    newcomer = '  - {extension: "1003", name: Chloé Renard, password: pw1003, groups: [accueil]}\n'
    await node.applies(LAST_OF_PLAN, newcomer + LAST_OF_PLAN)
    for desk in desks:
        await desk.has(("lamp", "1003"))
        lamp = desk.line.watch("1003", "dialog", "application/dialog-info+xml")
        assert states(await lamp.next()) == []
        await lamp.end()
    wave = await over(node, "resync")
    assert (wave["cause"], wave["stopped"], wave["progress"]["back"]) == ("settings", "", 2)


async def test_firmware_comes_to_its_site_at_its_hour_as_it_was_pinned_and_not_otherwise(
    node: Town, desks: tuple[Desk, Desk]
) -> None:
    school, hall = desks
    content = b"what a maker has signed since" * 100
    digest = hashlib.sha256(content).hexdigest()
    file = node.folder / "T53W-96.86.0.99.rom"
    file.write_bytes(content)
    described = ("--brand", "yealink", "--version", NEW_VERSION, "--model", "T53W")
    await node.command("phone", "add-firmware", str(file), *described)
    hour = machine_time().astimezone(ZoneInfo("Europe/Paris")).hour

    async def staged(first: int, last: int) -> None:
        hours = f"{(hour + first) % 24}-{(hour + last) % 24}"
        await node.command("phone", "stage-firmware", digest[:12], "--site", "ecole", "--hours", hours)

    await staged(-1, 3)
    await school.fetches_when_told()
    assert school.is_given(digest) and not hall.is_given(digest)

    url = school.telephone.settings.firmware
    kept = node.configuration.data_dir / "firmware" / digest[:32] / file.name
    kept.write_bytes(content.swapcase())
    assert school.telephone.get(url)[0] == 404
    kept.write_bytes(content)
    assert school.telephone.get(url) == (200, content)
    assert school.telephone.get(url.replace(digest[:32], digest[32:]))[0] == 404

    await staged(6, 8)

    async def has_passed() -> bool:
        return not school.is_given(digest)

    await until(has_passed, "the hour to be another one", SECONDS)
    await staged(-1, 3)

    async def has_come() -> bool:
        return school.is_given(digest)

    await until(has_come, "the hour to come", SECONDS)
    school.telephone.maker = Yealink(school.telephone.maker.mac, NEW_VERSION, "T53W")  # it has started anew
    assert not school.is_given(digest)
    wave = await over(node, "firmware")
    assert (wave["stopped"], wave["progress"]["back"], wave["progress"]["lost"]) == ("", 1, 0)


async def test_a_file_that_has_not_changed_is_not_sent_again(desks: tuple[Desk, Desk]) -> None:
    telephone = desks[0].telephone
    for name in telephone.files:
        assert telephone.get_again(telephone.settings.server + name) == (304, b"")


async def test_a_desk_is_that_of_whoever_logs_in_until_they_log_out(
    node: Town, desks: tuple[Desk, Desk], colleague: UserAgent
) -> None:
    school, _ = desks
    school.telephone.fetch()
    own = dict(school.telephone.files)
    pin = await node.command("user", "pin", "3007", "--json")
    login = school.line.invite("*20*3007", sdp(encrypted=True))
    await login.answered()
    await school.line.press(login, f"{pin['pin']}#")
    await login.ended()  # by us, when it was told whose it is now
    await school.has(("lamp", "3006"))
    assert ("lamp", "3007") not in school.telephone.settings.keys
    assert await shown_to(colleague, school) == "3007"

    logout = school.line.invite("#20#", sdp(encrypted=True))
    await logout.answered()
    await logout.ended()
    await school.has(("lamp", "3007"))
    assert school.telephone.files == own
    assert await shown_to(colleague, school) == "3006"


async def shown_to(colleague: UserAgent, desk: Desk) -> str:
    """Whose number is shown to a colleague whom a desk calls."""
    call = desk.line.invite(COLLEAGUE, sdp(encrypted=True))
    ringing = await colleague.incoming()
    number = ringing.caller.uri.partition(":")[2].partition("@")[0]
    call.hang_up()
    await ringing.ended()
    return number
