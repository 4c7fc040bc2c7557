"""Pages that telephone: each speaks a tone of its own, and says which one it hears.

alice = await telephoning(await sign_in("agent", "en"), 440)
await dial(alice, "1002")
await hears(alice, 1000)
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol
from urllib.parse import urljoin

import pytest_asyncio
from playwright.async_api import Locator, Page, expect

from pbx.accounts.rights import Role
from tests.browser.conftest import SignIn

ALICE_HZ, BRUNO_HZ = 440, 1000
LOUD = 60
"""Of 255: what a tone at hand has at least, as an analyser of the page counts."""

# The microphone is an oscillator, whose frequency the test names; the connections are kept to be listened to.
_SOUND = """(() => {
  const Real = window.RTCPeerConnection;
  window.test = { hz: HZ, connections: [], microphones: [], refusal: null };
  window.RTCPeerConnection = class extends Real {
    constructor(...given) {
      super(...given);
      window.test.connections.push(this);
    }
  };
  const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  navigator.mediaDevices.getUserMedia = async (wanted) => {
    if (window.test.refusal) throw new DOMException("as the test wants it", window.test.refusal);
    if (!wanted.audio) return real(wanted);
    const context = new AudioContext();
    const tone = context.createOscillator();
    const output = context.createMediaStreamDestination();
    tone.frequency.value = window.test.hz;
    tone.connect(output);
    tone.start();
    window.test.microphones.push(output.stream.getAudioTracks()[0]);
    return output.stream;
  };
})()"""

# How loud some frequencies are in what the page hears, each with its loudest of half a second.
_HEARD = """async (frequencies) => {
  const connection = window.test.connections.findLast((one) => one.connectionState === "connected");
  if (!connection) return frequencies.map(() => 0);
  const track = connection.getReceivers().find((one) => one.track.kind === "audio").track;
  const context = new AudioContext();
  const analyser = context.createAnalyser();
  analyser.fftSize = 4096;
  analyser.smoothingTimeConstant = 0;
  context.createMediaStreamSource(new MediaStream([track])).connect(analyser);
  const bins = new Uint8Array(analyser.frequencyBinCount);
  const loudest = frequencies.map(() => 0);
  for (let look = 0; look < 10; look += 1) {
    await new Promise((then) => setTimeout(then, 50));
    analyser.getByteFrequencyData(bins);
    frequencies.forEach((hz, index) => {
      const bin = Math.round((hz * analyser.fftSize) / context.sampleRate);
      loudest[index] = Math.max(loudest[index], bins[bin]);
    });
  }
  await context.close();
  return loudest;
}"""

READY = {"fr": "Prêt", "en": "Ready"}
MOST_LOOKS = 90


class OpenTelephone(Protocol):
    """Opens the telephone's page of somebody of this role, whose microphone gives a tone; calls reach it."""

    async def __call__(self, role: Role, hz: int, language: str = "en") -> Page: ...


@pytest_asyncio.fixture(loop_scope="session")
async def open_telephone(sign_in: SignIn) -> AsyncIterator[OpenTelephone]:
    """Telephones that sign off when the test is over, as pages that people leave do."""
    pages: list[Page] = []

    async def opened(role: Role, hz: int, language: str = "en") -> Page:
        page = await sign_in(role, language, "/account")
        pages.append(page)
        await page.add_init_script(_SOUND.replace("HZ", str(hz)))
        await page.goto(page.url.replace("/account", "/telephone"))
        await ready(page, language)
        return page

    yield opened
    for page in pages:
        await page.goto(urljoin(page.url, "/health/live"))


async def both(open_telephone: OpenTelephone) -> tuple[Page, Page]:
    """Alice's page and Bruno's, in a call with each other."""
    alice = await open_telephone("agent", ALICE_HZ)
    bruno = await open_telephone("operator", BRUNO_HZ)
    await dial(alice, "1002")
    await bruno.get_by_role("button", name="Answer: Alice Martin").click()
    await talks(alice, "Bruno Petit")
    await talks(bruno, "Alice Martin")
    return alice, bruno


async def hang_up(page: Page) -> None:
    """End the call that a page is in."""
    await page.get_by_role("button", name="Hang up", exact=True).first.click()
    await expect(page.locator(".call-card[data-state='talking']")).to_have_count(0)


async def ready(page: Page, language: str = "en") -> None:
    """Wait until calls reach it."""
    state = page.locator(".phone-state").get_by_text(READY[language], exact=True)
    await expect(state).to_be_visible()


async def dial(page: Page, number: str) -> None:
    """Dial a number on the pad, in English."""
    await page.get_by_label("Number to call").fill(number)
    await page.locator(".dial").get_by_role("button", name="Call", exact=True).click()


def card(page: Page, name: str = "") -> Locator:
    """The call with somebody, on the telephone's page."""
    return page.get_by_role("article", name=name) if name else page.locator(".call-card")


async def talks(page: Page, name: str) -> None:
    """Wait until a page is in a call with somebody."""
    call = page.locator(f".call-card[data-state='talking'][aria-label='{name}']")
    await expect(call).to_be_visible()


async def loudness(page: Page, *frequencies: int) -> list[int]:
    """How loud each frequency is in what the page hears now, of 255."""
    found: list[int] = await page.evaluate(_HEARD, list(frequencies))
    return found


async def hears(page: Page, hz: int) -> None:
    """Wait until the page hears a tone."""
    for _ in range(MOST_LOOKS):
        if (await loudness(page, hz))[0] >= LOUD:
            return
    raise AssertionError(f"{hz} Hz isn't heard")


async def hears_no_more(page: Page, hz: int) -> None:
    """Wait until the page no longer hears a tone."""
    for _ in range(MOST_LOOKS):
        if (await loudness(page, hz))[0] < LOUD:
            return
    raise AssertionError(f"{hz} Hz is still heard")
