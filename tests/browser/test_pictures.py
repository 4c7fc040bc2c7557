"""Chromiums see each other, and telephones with a camera: pictures pass as they are, or are asked for."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from playwright.async_api import Page

from pbx.demo.voice import Voice
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
)
from tests.browser.town import HOST, Town, free_port, running_town
from tests.browser.video_phone import FEEDBACK, VideoPhone, camera_phone
from tests.media.rtpengine_daemon import rtpengine

pytestmark = [pytest.mark.peer, pytest.mark.xdist_group("browser-engine")]

__all__ = ["node", "page", "portal"]  # fixtures

_WITH_A_CAMERA = """async () => {
  const camera = await navigator.mediaDevices.getUserMedia({video: {width: 320, height: 240}});
  const sound = voice;
  voice = () => new MediaStream([...sound().getTracks(), ...camera.getVideoTracks()]);
}"""
# The portal's own ear and loudspeaker take the latest track, which is the picture here.
_LISTEN = """() => {
  const track = current.connection.getReceivers().map((one) => one.track).find((one) => one.kind === "audio");
  const stream = new MediaStream([track]);
  document.getElementById("heard").srcObject = stream; // what nobody plays isn't decoded
  analyser = new AnalyserNode(context, {fftSize: 8192});
  context.createMediaStreamSource(stream).connect(analyser);
}"""
_PICTURES = """async () => {
  let seen = 0;
  for (const one of (await current.connection.getStats()).values())
    if (one.type === "inbound-rtp" && one.kind === "video") seen += one.framesDecoded;
  return seen;
}"""


async def with_a_camera(page: Page, portal: str, url: str, extension: str) -> None:
    await page.goto(f"{portal}/index.html")
    await page.evaluate(_WITH_A_CAMERA)
    await page.evaluate("(given) => start(...given)", [url, extension, HOST, f"pw{extension}"])
    await happened(page, "registered")


async def sees(page: Page) -> None:
    """Wait until ten pictures more have come than were there."""
    before = await page.evaluate(_PICTURES)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await page.evaluate(_PICTURES) < before + 10:
            await asyncio.sleep(0.1)


async def test_two_browsers_hear_and_see_each_other(page: Page, portal: str, node: tuple[Town, str]) -> None:
    _, url = node
    assert page.context.browser is not None
    other = await page.context.browser.new_page()
    await with_a_camera(page, portal, url, "1002")
    await with_a_camera(other, portal, url, "1001")
    await page.evaluate("call('1001')")
    await happened(page, "confirmed")
    await happened(other, "confirmed")
    for one in (page, other):
        await one.evaluate(_LISTEN)
        await heard(one, PAGE_HZ)
        await sees(one)
    await page.evaluate("current.terminate()")
    await happened(other, "ended")


async def test_a_browser_with_a_camera_and_a_desk_phone_hear_each_other_without_pictures(
    page: Page, portal: str, node: tuple[Town, str]
) -> None:
    town, url = node
    await with_a_camera(page, portal, url, "1002")
    voice = Voice(HOST, DESK_HZ, PAGE_HZ)
    async with telephone(town, "2010") as desk, asyncio.timeout(3 * PATIENCE_SECONDS):
        await page.evaluate("call('2010')")
        coming = await desk.incoming()
        coming.answer(voice.answer(coming.offer))
        await coming.acknowledged()
        voice.speak()
        await happened(page, "confirmed")
        await page.evaluate(_LISTEN)
        await voice.recognised
        await heard(page, DESK_HZ)
        going = "current.connection.getTransceivers().filter((one) => one.currentDirection === 'sendrecv')"
        assert await page.evaluate(f"{going}.map((one) => one.receiver.track.kind)") == ["audio"]
        await page.evaluate("current.terminate()")
        await coming.ended()
    voice.close()


@pytest.mark.parametrize("feedback", [FEEDBACK, "a=rtcp-fb:* ccm fir\r\n"], ids=["pli", "fir"])
async def test_a_browser_and_a_telephone_with_a_camera_ask_each_other_for_whole_pictures(
    page: Page, portal: str, node: tuple[Town, str], feedback: str
) -> None:
    await ask_each_other(page, portal, node, feedback)


async def ask_each_other(page: Page, portal: str, node: tuple[Town, str], feedback: str) -> None:
    """Let both see each other, and the telephone ask for one picture more."""
    town, url = node
    await with_a_camera(page, portal, url, "1002")
    async with (
        asyncio.timeout(3 * PATIENCE_SECONDS),
        telephone(town, "2010") as desk,
        camera_phone(HOST, feedback) as phone,
    ):
        await page.evaluate("call('2010')")
        coming = await desk.incoming()
        coming.answer(phone.answer(coming.offer))
        assert "a=rtcp-fb:* nack pli" in phone.told
        await coming.acknowledged()
        phone.show()
        await happened(page, "confirmed")
        await phone.asked.wait()
        await sees(page)
        await seen(phone, 1)
        phone.ask()
        await seen(phone, phone.whole + 1)
        await page.evaluate("current.terminate()")
        await coming.ended()


async def test_a_browser_and_a_telephone_see_each_other_through_rtpengine(
    page: Page, portal: str, tmp_path: Path
) -> None:
    port = free_port()
    sip = f'ws: "{HOST}:{port}", websocket_origins: ["{portal}"]'
    with rtpengine(tmp_path / "log", place=1) as daemon:
        ng, digits = (f'"{host}:{own}"' for host, own in (daemon.address, daemon.digits))
        engine = f"engine: rtpengine, rtpengine: {ng}, rtpengine_digits: {digits}"
        with running_town(tmp_path, sip, engine=engine) as town:
            await ask_each_other(page, portal, (town, f"ws://{HOST}:{port}"), FEEDBACK)


async def seen(phone: VideoPhone, whole: int) -> None:
    """Wait until the telephone has had so many whole pictures, and twenty packets of others behind them."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while phone.whole < whole:
            await asyncio.sleep(0.1)
        until = phone.others + 20
        while phone.others < until:
            await asyncio.sleep(0.1)
