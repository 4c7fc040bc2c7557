"""Chromium in a namespace of its own: a page of a node elsewhere, with a microphone that holds a tone.

A page that isn't on loopback has a microphone over TLS alone: the flag that makes an exception is for tests.
What the page hears is found in the browser, from the sound that its peer connections receive.
"""

from __future__ import annotations

import math
import shlex
import wave
from array import array
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import Page, async_playwright

from tests.browser.conftest import CHROMIUM, FLAGS
from tests.browser.listening import MEDIA_FLAGS
from tests.interop.namespaces import Namespace
from tests.interop.patience import until

RATE_HZ, TONE_SECONDS = 48_000, 10
HEARD_SECONDS = 15.0
NEAR_HZ = 25.0

_KEPT = """
const Native = window.RTCPeerConnection;
window.connections = [];
window.RTCPeerConnection = class extends Native {
  constructor(...given) { super(...given); window.connections.push(this); }
};
"""

_HEARD = """async () => {
  const tracks = window.connections.flatMap((one) => one.getReceivers().map((by) => by.track));
  const track = tracks.filter((one) => one.kind === "audio" && one.readyState === "live").at(-1);
  if (track === undefined) return 0;
  if (window.listening !== track) {
    const context = new AudioContext();
    window.analyser = context.createAnalyser();
    window.analyser.fftSize = 8192;
    context.createMediaStreamSource(new MediaStream([track])).connect(window.analyser);
    window.listening = track;
    await context.resume();
  }
  const bins = new Float32Array(window.analyser.frequencyBinCount);
  window.analyser.getFloatFrequencyData(bins);
  const loudest = bins.reduce((best, level, at) => (level > bins[best] ? at : best), 0);
  return bins[loudest] > -60 ? (loudest * window.analyser.context.sampleRate) / window.analyser.fftSize : 0;
}"""


@asynccontextmanager
async def chromium(place: Namespace, folder: Path, url: str, tone_hz: int) -> AsyncIterator[Page]:
    """A page of a browser that knows nothing, in a namespace; url: of the node whose pages it will open."""
    started = folder / "chromium"
    started.write_text(f'#!/bin/sh\nexec {shlex.join(place.command(CHROMIUM))} "$@"\n')
    started.chmod(0o755)
    flags = [
        *FLAGS,
        *MEDIA_FLAGS,
        f"--use-file-for-fake-audio-capture={_tone(folder, tone_hz)}",
        f"--unsafely-treat-insecure-origin-as-secure={url}",
        "--ignore-certificate-errors",
    ]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=started, args=flags)
        context = await browser.new_context(locale="fr-FR", timezone_id="Europe/Paris")
        await context.add_init_script(_KEPT)
        yield await context.new_page()
        await browser.close()


async def hears(page: Page, frequency_hz: float) -> None:
    """Wait until a page hears this tone louder than all else."""

    async def heard() -> bool:
        loudest_hz: float = await page.evaluate(_HEARD)
        return abs(loudest_hz - frequency_hz) < NEAR_HZ

    await until(heard, f"the page to hear {frequency_hz} Hz", HEARD_SECONDS)


def _tone(folder: Path, frequency_hz: int) -> Path:
    made = folder / f"{frequency_hz}.wav"
    turn = 2 * math.pi * frequency_hz / RATE_HZ
    samples = array("h", (round(12_000 * math.sin(turn * at)) for at in range(RATE_HZ * TONE_SECONDS)))
    with wave.open(str(made), "wb") as file:
        file.setparams((1, 2, RATE_HZ, 0, "NONE", ""))
        file.writeframes(samples.tobytes())
    return made
