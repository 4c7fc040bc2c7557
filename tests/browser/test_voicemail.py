"""Voicemail in the pages: a message that a call left appears, plays, and goes; a greeting is sent."""

from __future__ import annotations

import re
from array import array
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from media import wav
from tests.browser.checking import check_page
from tests.browser.conftest import SignIn
from tests.browser.speaking import leave_message
from tests.browser.town import Town

pytestmark = pytest.mark.xdist_group("browser-voicemail")

SHORT = wav.build(array("h", bytes(2 * 9600)))  # 1.2 s: callers of the tests don't wait for a spoken greeting


async def open_service(page: Page) -> None:
    """The mailbox of the town hall, which the switchboard listens to."""
    await page.get_by_role("tab", name="repondeur-mairie").click()


async def send_greeting(page: Page, folder: Path, name: str, data: bytes) -> None:
    file = folder / name
    file.write_bytes(data)
    panel = page.locator("[role=tabpanel]:not([hidden])")
    async with page.expect_file_chooser() as choosing:
        await panel.get_by_role("button", name=re.compile("^(Envoyer un fichier|Send a file)")).first.click()
    await (await choosing.value).set_files(file)


async def test_greeting_is_sent_heard_and_taken_away(sign_in: SignIn, tmp_path: Path) -> None:
    page = await sign_in("operator", "fr", "/voicemail")
    await send_greeting(page, tmp_path, "annonce.mp3.wav", b"ID3 this is no sound")
    await expect(page.get_by_role("alert")).to_contain_text("il faut un fichier WAV")
    await send_greeting(page, tmp_path, "annonce.wav", SHORT)
    panel = page.locator("[role=tabpanel]:not([hidden])")
    await expect(panel.get_by_text("Enregistrée", exact=True)).to_have_count(1)
    await panel.get_by_role("button", name="Écouter : Annonce générale").click()
    await expect(panel.locator("audio")).to_have_attribute("src", re.compile("greetings/any"))
    await panel.get_by_role("button", name="Retirer : Annonce générale").click()
    await expect(panel.get_by_text("Enregistrée", exact=True)).to_have_count(0)


async def test_message_that_a_call_left_appears_plays_and_goes(
    sign_in: SignIn, town: Town, tmp_path: Path
) -> None:
    page = await sign_in("operator", "en", "/voicemail")
    await open_service(page)
    await check_page(page, "voicemail-empty")
    await send_greeting(page, tmp_path, "short.wav", SHORT)
    await expect(page.get_by_text("Recorded", exact=True)).to_have_count(1)
    await leave_message(town, "1001", "8001", 6)
    panel = page.locator("[role=tabpanel]:not([hidden])")
    row = panel.locator("tbody tr", has_text="1001")
    await expect(row).to_contain_text("New")  # nobody has read the page again
    await expect(page.get_by_role("tab", name="repondeur-mairie")).to_contain_text("1 new message")
    await expect(page.get_by_role("link", name=re.compile("^Messages 1 new message"))).to_be_visible()
    await check_page(page, "voicemail")
    await row.get_by_role("button", name=re.compile("^Listen to the message of")).click()
    await expect(row).to_contain_text("Heard")
    assert await seconds_played(page) > 0.2
    await check_page(page, "voicemail-playing")
    await row.get_by_role("button", name=re.compile("^Delete the message of")).click()
    await page.locator("dialog").get_by_role("button", name="Delete").click()
    await expect(panel.get_by_text("No messages.")).to_be_visible()


async def seconds_played(page: Page) -> float:
    """How far the message is, when it has begun."""
    at: float = await page.evaluate(
        """() => new Promise((done) => {
          const audio = document.querySelector("audio");
          const look = () => (audio.currentTime > 0.2 || audio.ended ? done(audio.currentTime) : null);
          audio.addEventListener("timeupdate", look);
          look();
        })"""
    )
    return at


async def test_agent_sees_their_own_mailbox_alone(sign_in: SignIn) -> None:
    page = await sign_in("supervisor", "fr", "/voicemail")
    await expect(page.get_by_text("Aucun message.")).to_be_visible()
    await expect(page.get_by_role("tab")).to_have_count(0)
    await check_page(page, "voicemail-own")


async def test_account_without_a_telephone_is_told_so(sign_in: SignIn) -> None:
    page = await sign_in("auditor", "fr", "/voicemail")
    await expect(page.get_by_text("il n’a pas de messagerie")).to_be_visible()
