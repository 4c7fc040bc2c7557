"""A call of Chromium with a desk phone goes on: another network, another RTC worker, another signalling."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Page

from pbx.demo.voice import Voice
from pbx.node.processes import running_processes
from sip.user_agent import IncomingCall
from tests.browser.speaking import telephone
from tests.browser.test_other_origin import (
    DESK_HZ,
    PAGE_HZ,
    PATIENCE_SECONDS,
    happened,
    heard,
    node,
    page,
    portal,
    signed_in,
)
from tests.browser.town import HOST, Town

pytestmark = [pytest.mark.peer, pytest.mark.xdist_group("browser-engine")]

__all__ = ["node", "page", "portal"]  # fixtures


class Desk(Voice):
    """A desk phone's voice, which can hear anew."""

    def listen_anew(self) -> asyncio.Future[None]:
        """Done once the tone is heard in what comes from now on alone."""
        del self._heard[:]
        self.recognised = asyncio.get_running_loop().create_future()
        return self.recognised


@asynccontextmanager
async def talking(
    page: Page, portal: str, node: tuple[Town, str]
) -> AsyncIterator[tuple[Desk, IncomingCall]]:
    """Chromium has called a desk phone, and both hear each other."""
    town, url = node
    await signed_in(page, portal, url)
    await happened(page, "registered")
    voice = Desk(HOST, DESK_HZ, PAGE_HZ)
    try:
        async with telephone(town, "2010") as desk, asyncio.timeout(4 * PATIENCE_SECONDS):
            await page.evaluate("call('2010')")
            coming = await desk.incoming()
            coming.answer(voice.answer(coming.offer))
            coming.on_offer(voice.answer)
            await coming.acknowledged()
            voice.speak()
            await happened(page, "confirmed")
            await voice.recognised
            await heard(page, DESK_HZ)
            yield voice, coming
            await page.evaluate("current.terminate()")
            await coming.ended()
    finally:
        voice.close()


def process_id(town: Town, role: str) -> int:
    """The process with this role, 0 for none."""
    found = [int(one["pid"]) for one in running_processes(town.configuration.data_dir) if one["role"] == role]
    return found[0] if found else 0


async def killed(town: Town, role: str) -> None:
    """`kill -9` a process, and wait until another one has its role."""
    before = process_id(town, role)
    os.kill(before, signal.SIGKILL)
    until = time.monotonic() + PATIENCE_SECONDS
    while process_id(town, role) in (0, before):
        assert time.monotonic() < until, f"no other {role}"
        await asyncio.sleep(0.05)


async def test_a_browser_that_begins_ice_anew_goes_on(
    page: Page, portal: str, node: tuple[Town, str]
) -> None:
    """RFC 8839 section 4.4.1.1.1, as when its network changes; DTLS is the same."""
    async with talking(page, portal, node) as (voice, _):
        ours = "current.connection.remoteDescription.sdp.match(/a=ice-ufrag:(.*)/)[1].trim()"
        before = await page.evaluate(ours)
        await page.evaluate(
            "new Promise((done) => current.renegotiate({rtcOfferConstraints: {iceRestart: true}}, done))"
        )
        await voice.listen_anew()
        await heard(page, DESK_HZ)
        assert await page.evaluate(ours) != before
        states = "[current.connection.iceConnectionState, current.connection.connectionState]"
        assert set(await page.evaluate(states)) <= {"connected", "completed"}


async def test_a_browser_hears_again_after_its_rtc_worker_was_killed(
    page: Page, portal: str, node: tuple[Town, str]
) -> None:
    """Another certificate, another DTLS association, told in a re-INVITE (RFC 8842 section 5)."""
    async with talking(page, portal, node) as (voice, _):
        print_of = "current.connection.remoteDescription.sdp.match(/a=fingerprint:(.*)/)[1].trim()"
        before = await page.evaluate(print_of)
        await killed(node[0], "rtc")
        await voice.listen_anew()
        await heard(page, DESK_HZ)
        assert await page.evaluate(print_of) != before


async def test_sound_goes_on_untouched_when_signalling_is_killed(
    page: Page, portal: str, node: tuple[Town, str]
) -> None:
    async with talking(page, portal, node) as (voice, _):
        worker = process_id(node[0], "rtc")
        packets = voice.packets
        await killed(node[0], "signalling")
        await voice.listen_anew()
        await heard(page, DESK_HZ)
        assert voice.packets > packets
        assert process_id(node[0], "rtc") == worker
        await page.evaluate("told.length = 0")
        await happened(page, "registered")  # its WebSocket is back, so that its BYE arrives
