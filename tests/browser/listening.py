"""A Chromium with a microphone and loudspeakers that nobody hears, for the telephone's pages."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio
from playwright.async_api import Browser, async_playwright, expect

from tests.browser.conftest import CHROMIUM, FLAGS
from tests.browser.town import PATIENCE_SECONDS

MEDIA_FLAGS = [
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--allow-loopback-in-peer-connection",
    "--autoplay-policy=no-user-gesture-required",
]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """In place of the one of other pages, for modules that import it."""
    expect.set_options(timeout=1000 * PATIENCE_SECONDS)
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS, *MEDIA_FLAGS])
        yield running
        await running.close()
