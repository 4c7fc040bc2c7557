"""The telephone's page in Chromium: what its script weighs, and the first sound after a click.

The page is open and its telephone ready; the other telephone answers at once, and speaks a tone from its
answer on. What is measured goes from the click on "call" until the browser plays that.
"""

import asyncio
import math
import struct
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

import numpy as np
import sqlalchemy as sa
from playwright.async_api import Browser, Page, async_playwright

from benches import beffroi
from benches.browsers import Phone
from benches.figure import Figure, Meaning
from benches.load import FIRST_CALLEE, FIRST_EXTENSION
from benches.media import _agent, _port
from benches.process import BenchError
from benches.signalling import Bench
from benches.web_pages import CHROMIUM, FLAGS
from media import g711
from pbx.accounts import records, sessions
from pbx.configuration import load_configuration
from pbx.store.database import open_database
from pbx.store.revision import upgrade
from sip.user_agent import IncomingCall, UserAgent
from tests.browser.listening import MEDIA_FLAGS

TIMES = 20
WEB_PORT_ABOVE, RTC_PORT_ABOVE = 4, 3  # what the Beffroi's SIP has
ACCOUNT: Final = "bench"
TONE_HZ, LOUDNESS = 700, 9000
READY_MS, HEARD_MS = 30_000, 10_000

PAGE_MEANINGS = {
    "telephone_script": Meaning("script of the telephone's page, compressed", "kB", "lower", 220),
    "first_sound_p50": Meaning("from click to first sound, 50 %", "ms", "lower"),
    "first_sound_p95": Meaning("from click to first sound, 95 %", "ms", "lower", 500),
}

_SCRIPT_BYTES = """() => performance.getEntriesByType("resource")
  .filter((one) => new URL(one.name).pathname.endsWith(".js"))
  .reduce((sum, one) => sum + one.encodedBodySize, 0)"""

_KEPT = """
const Native = window.RTCPeerConnection;
window.connections = [];
window.RTCPeerConnection = class extends Native {
  constructor(...given) { super(...given); window.connections.push(this); }
};
addEventListener("click", (event) => { window.clickedAt = event.timeStamp; }, { capture: true });
"""

# A source is there once a packet of it has been played: all that the other telephone sends is sound.
_FIRST_SOUND = """(mostMs) => new Promise((done) => {
  const look = () => {
    const heard = window.connections.at(-1)?.getReceivers()
      .some((one) => one.track.kind === "audio" && one.getSynchronizationSources().length > 0);
    const since = performance.now() - window.clickedAt;
    if (heard || since > mostMs) done(heard ? since : -1);
    else setTimeout(look, 2);
  };
  look();
})"""


def page_figures(bench: Bench, directory: Path) -> Iterator[Figure]:
    """Start a node with pages, and walk. Raises BenchError."""
    url = f"http://127.0.0.1:{bench.port + WEB_PORT_ABOVE}"
    session = _prepared(directory, bench)
    with beffroi.started_from(directory, bench.core, bench.load):
        script_kb, sounds_ms = asyncio.run(_walk(bench, url, session))
    sounds_ms.sort()
    bench.say(f"first sound: {', '.join(f'{one:.0f}' for one in sounds_ms)} ms")
    for name, value in (
        ("telephone_script", script_kb),
        ("first_sound_p50", sounds_ms[len(sounds_ms) // 2]),
        ("first_sound_p95", sounds_ms[int(0.95 * (len(sounds_ms) - 1))]),
    ):
        yield Figure(name, value, PAGE_MEANINGS[name])


def _prepared(directory: Path, bench: Bench) -> str:
    """Write a town with pages, browsers, and an account that calls; returns a session of it."""
    (directory / "plan.yaml").write_text(beffroi.plan_text())
    text = beffroi.configuration_text(bench.port, "auto")
    text = text.replace("web: []", f"web: 127.0.0.1:{bench.port + WEB_PORT_ABOVE}")
    port = f"  rtc: 127.0.0.1:{bench.port + RTC_PORT_ABOVE}\n"
    config = directory / "beffroi.yaml"
    config.write_text(text.replace("media:\n", f"media:\n{port}"))
    with closing(open_database(load_configuration(config).database)) as database:
        upgrade(database)
        return database.write(_add_account)


def _add_account(connection: sa.Connection) -> str:
    now = time.time()
    records.add(connection, ACCOUNT, "Bench", now=now, extension=str(FIRST_EXTENSION))
    token = sessions.new_token()
    account = records.find(connection, ACCOUNT)
    sessions.begin(connection, token, sessions.new_session(account, "password", "none", now, "127.0.0.1", ""))
    return token


async def _walk(bench: Bench, url: str, session: str) -> tuple[float, list[float]]:
    """What the script weighs (kB), and how long each first sound took (ms)."""
    agent, transport = _agent(FIRST_CALLEE, bench.port)
    await agent.register()
    answers = asyncio.get_running_loop().create_task(_answer_all(agent))
    try:
        async with async_playwright() as playwright:
            flags = [*FLAGS, *MEDIA_FLAGS]
            browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
            found = await _calls(browser, url, session)
            await browser.close()
    finally:
        answers.cancel()
        with suppress(asyncio.CancelledError):
            await answers
        agent.close()
        transport.close()
    return found


async def _calls(browser: Browser, url: str, session: str) -> tuple[float, list[float]]:
    context = await browser.new_context(locale="fr-FR")
    await context.add_cookies([{"name": "beffroi", "value": session, "url": url}])
    await context.add_init_script(_KEPT)
    page = await context.new_page()
    await page.goto(f"{url}/telephone")
    await page.get_by_text("Prêt", exact=True).first.wait_for(timeout=READY_MS)
    script_kb = float(await page.evaluate(_SCRIPT_BYTES)) / 1000
    sounds = [await _first_sound(page) for _ in range(TIMES)]
    await context.close()
    return script_kb, sounds


async def _first_sound(page: Page) -> float:
    """Call, hear, hang up; returns the ms from the click to the sound. Raises BenchError."""
    await page.get_by_role("textbox", name="Numéro à appeler").fill(str(FIRST_CALLEE))
    await page.get_by_role("button", name="Appeler", exact=True).first.click()
    took = float(await page.evaluate(_FIRST_SOUND, HEARD_MS))
    if took < 0:
        raise BenchError(f"nothing was heard {HEARD_MS / 1000:.0f} s after the click")
    await page.get_by_role("button", name="Raccrocher").first.click()
    await page.locator(".call-card[data-state='talking']").wait_for(state="detached")
    return took


async def _answer_all(agent: UserAgent) -> None:
    """Be the telephone that answers at once."""
    async with asyncio.TaskGroup() as calls:
        while True:
            calls.create_task(_speak(await agent.incoming()))


async def _speak(call: IncomingCall) -> None:
    """Answer, and speak until the end."""
    loop = asyncio.get_running_loop()
    with closing(Phone()) as phone:
        call.answer(_body(phone.port))
        to, ended = ("127.0.0.1", _port(call.offer)), loop.create_task(call.ended())
        begun, number = loop.time(), 0
        while not ended.done():
            phone.socket.sendto(_packet(number, phone.ssrc), to)
            number += 1
            await asyncio.sleep(max(0.0, begun + number * 0.02 - loop.time()))


def _packet(number: int, ssrc: int) -> bytes:
    at = np.arange(number * 160, number * 160 + 160)
    sound = (LOUDNESS * np.sin(2 * math.pi * TONE_HZ * at / 8000)).astype(np.int16)
    header = struct.pack("!BBHII", 0x80, 8, number & 0xFFFF, number * 160 & 0xFFFFFFFF, ssrc)
    return header + g711.encode("PCMA", sound)


def _body(port: int) -> bytes:
    lines = (
        "v=0", "o=phone 1 1 IN IP4 127.0.0.1", "s=-", "c=IN IP4 127.0.0.1", "t=0 0",
        f"m=audio {port} RTP/AVP 8", "a=rtpmap:8 PCMA/8000", "a=sendrecv", "",
    )  # fmt: skip
    return "\r\n".join(lines).encode()
