"""From a blank profile to the first call: the walk that a newcomer takes, and how long it lasted.

    seconds = await first_call_seconds(browser, url, "alice", PASSWORD, "Bruno Petit")

A figure for `scripts/bench webrtc`, and never an assertion: it says how long the pages make one wait, since
whoever walks here reads nothing.
"""

from __future__ import annotations

import time

from playwright.async_api import Browser, Page, expect

from pbx.demo.voice import Voice
from sip.user_agent import IncomingCall, UserAgent


async def first_call_seconds(browser: Browser, url: str, account: str, password: str, whom: str) -> float:
    """Sign in, allow the microphone, see its level, find somebody by name, call, be answered.

    whom: somebody whose telephone answers by itself. The browser has nothing of ours: neither a cookie nor a
    file. Returns the seconds from the first page asked for to the call that is answered.
    """
    context = await browser.new_context(locale="fr-FR", viewport={"width": 1280, "height": 800})
    begun = time.monotonic()
    try:
        page = await context.new_page()
        await page.goto(f"{url}/telephone")
        await page.get_by_label("Nom ou numéro intérieur").fill(account)
        await page.get_by_label("Mot de passe").fill(password)
        await page.get_by_role("button", name="Se connecter", exact=True).click()
        await allow_microphone(page)
        await call_by_name(page, whom)
        await expect(page.locator(".call-card[data-state='talking']")).to_be_visible()
        return time.monotonic() - begun
    finally:
        await context.close()


async def allow_microphone(page: Page) -> None:
    """The first two steps of the card: the microphone is allowed, and is seen to hear."""
    await page.get_by_role("button", name="Autoriser le micro").click()
    await expect(page.get_by_text("Le micro vous entend.")).to_be_visible()
    await expect(page.get_by_role("meter", name="Niveau du micro")).not_to_have_attribute(
        "aria-valuenow", "0"
    )


async def call_by_name(page: Page, whom: str) -> None:
    """The third step: somebody is found as one types, and called."""
    await expect(page.get_by_text("Prêt", exact=True)).to_be_visible()
    await page.get_by_role("button", name="Chercher quelqu’un").click()
    await page.keyboard.type(whom)
    await expect(page.get_by_role("button", name=f"Appeler {whom}")).to_be_visible()
    await page.keyboard.press("Enter")


async def answered(phone: UserAgent, voice: Voice) -> IncomingCall:
    """A telephone that answers by itself; returns the call that it is in."""
    coming = await phone.incoming()
    coming.ring()
    coming.answer(voice.answer(coming.offer))
    await coming.acknowledged()
    return coming
