"""From a blank profile to the first call: signed in, microphone allowed, somebody found, called, answered.

The sample town runs, a telephone answers by itself, and Chromium walks as a newcomer would who reads nothing:
the figure is how long the pages make one wait (tests.browser.first_minutes).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from benches.figure import Figure, Meaning

TIMES = 3

MEANINGS = {
    "first_call_seconds": Meaning("from a blank profile to the first call, the slowest", "s", "lower", 60),
}


def figures() -> Iterator[Figure]:
    """Walk TIMES times, each with a profile that knows nothing."""
    seconds = asyncio.run(_walks())
    yield Figure("first_call_seconds", max(seconds), MEANINGS["first_call_seconds"])


async def _walks() -> list[float]:
    from playwright.async_api import async_playwright

    from pbx.demo.voice import Voice
    from tests.browser.conftest import CHROMIUM, FLAGS
    from tests.browser.first_minutes import answered, first_call_seconds
    from tests.browser.listening import MEDIA_FLAGS
    from tests.browser.speaking import CALLED_HZ, CALLER_HZ, telephone
    from tests.browser.town import HOST, PASSWORD, running_town

    found = []
    with TemporaryDirectory() as folder, running_town(Path(folder)) as town:
        async with async_playwright() as playwright, telephone(town, "1002") as bruno:
            browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS, *MEDIA_FLAGS])
            for _ in range(TIMES):
                voice = Voice(HOST, CALLED_HZ, CALLER_HZ)
                walk = first_call_seconds(browser, town.url, "agent", PASSWORD, "Bruno Petit")
                seconds, coming = await asyncio.gather(walk, answered(bruno, voice))
                coming.hang_up()
                voice.close()
                found.append(seconds)
            await browser.close()
    return found
