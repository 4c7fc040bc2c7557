"""Sound devices in a browser: chosen, tried and kept; a blocked microphone; the buttons of a headset."""

from __future__ import annotations

import asyncio
import re

import pytest
from playwright.async_api import Page, expect

from pbx.demo.voice import Voice
from tests.browser import listening
from tests.browser.checking import check_page
from tests.browser.conftest import SignIn
from tests.browser.speaking import CALLED_HZ, CALLER_HZ, telephone
from tests.browser.town import HOST, TEST_SECONDS, Town

browser = listening.browser
pytestmark = pytest.mark.xdist_group("browser-around")

FAKE_HEADSET = """
// A headset as WebHID shows it: a hook switch and a mute button that springs back; three lights.
const usages = { hook: 0x0b0020, mute: 0x0b002f, lights: [0x080009, 0x080017, 0x080018] };
class Headset extends EventTarget {
  productName = "Casque d’essai";
  opened = false;
  sent = [];
  collections = [{
    usagePage: 0x0b,
    inputReports: [{ reportId: 1, items: [
      { usages: [usages.hook], reportSize: 1, reportCount: 1, isAbsolute: true },
      { usages: [usages.mute], reportSize: 1, reportCount: 1, isAbsolute: false },
      { isConstant: true, reportSize: 6, reportCount: 1 },
    ] }],
    outputReports: [{ reportId: 2, items: [{ usages: usages.lights, reportSize: 1, reportCount: 3 }] }],
    children: [],
  }];
  async open() { this.opened = true; }
  async sendReport(id, data) { this.sent.push(data[0]); }
  press(bits) {
    const data = new DataView(new Uint8Array([bits]).buffer);
    this.dispatchEvent(Object.assign(new Event("inputreport"), { reportId: 1, data }));
  }
}
window.headset = new Headset();
const hid = Object.assign(new EventTarget(), {
  allowed: [],
  async getDevices() { return this.allowed; },
  async requestDevice() { this.allowed = [window.headset]; return this.allowed; },
});
Object.defineProperty(navigator, "hid", { value: hid });
"""
MUTED, OFF_HOOK, RINGS = 1, 2, 4  # the lights, as bits
REFUSED = """() => {
  navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("no", "NotAllowedError"));
}"""


@pytest.mark.parametrize("language", ["fr", "en"])
async def test_the_level_of_the_microphone_is_seen_and_said(sign_in: SignIn, language: str) -> None:
    page = await sign_in("agent", language, "/sound")
    await page.get_by_role(
        "button", name={"fr": "Essayer le micro", "en": "Try the microphone"}[language]
    ).click()
    meter = page.get_by_role("meter")
    await expect(meter).not_to_have_attribute("aria-valuenow", "0")
    heard = {"fr": "^(Bon|Fort)", "en": "^(Good|Loud)"}[language]
    await expect(meter).to_have_attribute("aria-valuetext", re.compile(heard))
    await check_page(page, "sound")


async def test_what_was_chosen_is_kept_in_this_browser(sign_in: SignIn) -> None:
    page = await sign_in("agent", "fr", "/sound")
    # The names of devices are told once the microphone was allowed.
    await page.get_by_role("button", name="Essayer le micro").click()
    ringer = page.locator("select[name=ringer]")
    await expect(ringer.locator("option").nth(1)).to_be_attached()
    chosen = await ringer.locator("option").nth(1).get_attribute("value")
    await ringer.select_option(chosen)
    await page.get_by_label("Volume de la sonnerie").fill("40")
    await page.get_by_label("Réduire les bruits autour de vous").uncheck()
    await page.get_by_role("button", name="Faire sonner").click()
    await expect(page.get_by_text("Vous devez entendre un son.")).to_be_visible()
    await page.reload()
    await expect(page.get_by_label("Volume de la sonnerie")).to_have_value("40")
    await expect(page.get_by_label("Réduire les bruits autour de vous")).not_to_be_checked()
    await page.get_by_role("button", name="Essayer le micro").click()
    assert chosen is not None
    await expect(page.locator("select[name=ringer]")).to_have_value(chosen)


async def test_a_blocked_microphone_is_explained_for_this_very_browser(sign_in: SignIn) -> None:
    page = await sign_in("agent", "fr", "/sound")
    await page.evaluate(REFUSED)
    await page.get_by_role("button", name="Essayer le micro").click()
    await expect(page.get_by_role("alert")).to_contain_text("Le micro est bloqué pour cette page.")
    await expect(page.get_by_role("alert")).to_contain_text("à gauche de l’adresse")
    await check_page(page, "sound-blocked")


async def with_headset(sign_in: SignIn) -> Page:
    """The telephone's page with a headset whose buttons work."""
    page = await sign_in("agent", "fr", "/sound")
    await page.add_init_script(FAKE_HEADSET)
    await page.reload()
    await page.get_by_role("button", name="Choisir un casque").click()
    await expect(page.get_by_text("Les touches de « Casque d’essai » fonctionnent.")).to_be_visible()
    # By the menu: the page stays loaded, and so does the headset.
    await page.get_by_role("link", name="Mon téléphone").click()
    await expect(page.get_by_text("Prêt", exact=True)).to_be_visible()
    return page


async def lights(page: Page, expected: int) -> None:
    """Wait until the headset shows these lights and no others."""
    await page.wait_for_function("(bits) => window.headset.sent.at(-1) === bits", arg=expected)


async def test_a_headset_answers_mutes_and_hangs_up_and_its_lights_say_so(
    sign_in: SignIn, town: Town
) -> None:
    page = await with_headset(sign_in)
    voice = Voice(HOST, CALLER_HZ, CALLED_HZ)
    try:
        async with telephone(town, "2010") as claire, asyncio.timeout(TEST_SECONDS):
            going = claire.invite("1001", voice.offer())
            await lights(page, RINGS)
            await page.evaluate("window.headset.press(1)")  # lifted
            voice.take_answer(await going.answered())
            await lights(page, OFF_HOOK)
            await page.evaluate(
                "window.headset.press(3); window.headset.press(1)"
            )  # mute, pressed and let go
            await lights(page, OFF_HOOK | MUTED)
            await expect(page.get_by_role("button", name=re.compile("micro")).first).to_have_attribute(
                "aria-pressed", "true"
            )
            await page.evaluate("window.headset.press(3); window.headset.press(1)")
            await lights(page, OFF_HOOK)
            await page.evaluate("window.headset.press(0)")  # put down
            await going.ended()
            await lights(page, 0)
    finally:
        voice.close()


async def test_a_browser_without_headsets_says_which_ones_have_them(sign_in: SignIn) -> None:
    page = await sign_in("agent", "fr", "/sound")
    await page.add_init_script('Object.defineProperty(navigator, "hid", { value: undefined });')
    await page.reload()
    await expect(page.get_by_text("Chrome et Edge les connaissent")).to_be_visible()
