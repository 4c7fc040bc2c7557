"""Recordings in the pages: found with a reason, heard, held, exported by two persons, accounted for."""

from __future__ import annotations

import asyncio
import io
import re
import time
import wave
from collections.abc import Callable, Coroutine
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from pbx.accounts import records, sessions
from recording.proof.package import check
from tests.browser.checking import check_page
from tests.browser.conftest import NewPage, SignIn
from tests.browser.speaking import CALLED_HZ, CALLER_HZ, conversation
from tests.browser.town import HOST, Town

pytestmark = pytest.mark.xdist_group("browser-recordings")

CHIEF, DEPUTY = "2201", "2202"
TALK_SECONDS = 7.0

AsChief = Callable[..., Coroutine[Any, Any, Page]]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def fire_call(town: Town) -> str:
    """A call to the fire line, recorded; the extension of who called."""
    add_listeners(town)
    async with conversation(town, "1001", "8200", CHIEF):
        await asyncio.sleep(TALK_SECONDS)
    return "1001"


def add_listeners(town: Town) -> None:
    """Accounts of the two who hear recordings of the fire line."""
    with closing(town.database) as database:
        for extension in (CHIEF, DEPUTY):
            database.write(
                lambda connection, extension=extension: records.add(  # type: ignore[misc]
                    connection,
                    f"garde-{extension}",
                    f"Garde {extension[-1]}",
                    now=time.time(),
                    roles=["listener"],
                    extension=extension,
                )
            )


@pytest.fixture
def listener(town: Town, new_page: NewPage, fire_call: str) -> AsChief:
    """Opens a page as one of the two: `await listener("2202", "en", "/recordings")`."""

    async def opened(extension: str = CHIEF, language: str = "fr", path: str = "/recordings") -> Page:
        token, now = sessions.new_token(), time.time()
        with closing(town.database) as database:
            account = database.read(lambda connection: records.find(connection, f"garde-{extension}"))
            session = sessions.new_session(account, "password", "done", now, HOST, "Chromium")
            database.write(lambda connection: sessions.begin(connection, token, session))
        cookie = {"name": "beffroi", "value": token, "url": town.url, "httpOnly": True, "sameSite": "Lax"}
        return await new_page(town.url, language, [cookie], path)

    return opened


async def search(page: Page, reason: str = "dossier 12", number: str = "") -> None:
    """Fill the first form, whatever the language."""
    form = page.locator("form").first
    await form.locator("[name=reason]").fill(reason)
    await form.locator("[name=number]").fill(number)
    await form.locator("button[type=submit]").click()


async def open_recording(page: Page, reason: str = "dossier 12") -> str:
    """Search, and open the oldest recording; returns what it is called."""
    await search(page, reason)
    await page.locator("tbody a").last.click()
    await page.wait_for_url("**/recordings/2*")
    return urlsplit(page.url).path.rpartition("/")[2]


async def position(page: Page) -> float:
    at: float = await page.evaluate("document.querySelector('audio').currentTime")
    return at


@pytest.mark.parametrize("language", ["fr", "en"])
async def test_recordings_are_searched_with_a_reason(listener: AsChief, language: str) -> None:
    page = await listener(CHIEF, language)
    await search(page, reason="")
    await expect(page.locator("[name=reason]").first).to_have_attribute("aria-invalid", "true")
    await search(page, reason="rappeler le 06 12 34 56 78")
    await expect(page.locator(".field-error").first).to_be_visible()
    await search(page, number="1001")
    await expect(page.locator("tbody tr").first).to_contain_text("secours")
    await check_page(page, "recordings")


async def test_recording_is_heard_moved_in_by_keys_and_each_party_is_in_its_ear(listener: AsChief) -> None:
    page = await listener()
    await open_recording(page)
    await page.get_by_role("button", name="Écouter", exact=True).click()
    await expect(page.locator(".wave")).to_have_count(2)
    await page.get_by_role("heading", level=1).focus()
    await page.keyboard.press("k")
    slider = page.get_by_role("slider")
    await expect(slider).to_have_attribute("aria-valuetext", re.compile("^0:01 sur 0:0[789]$"))
    await page.keyboard.press("k")
    await expect(page.get_by_role("button", name="Lire", exact=True)).to_be_visible()
    before = await position(page)
    await slider.press("ArrowRight")
    assert abs(await position(page) - before - 5) < 0.2
    await expect(slider).to_have_attribute("aria-valuetext", re.compile("^0:0[67] sur"))
    await page.get_by_role("heading", level=1).focus()
    await page.keyboard.press("j")
    assert abs(await position(page) - before) < 0.2
    await check_page(page, "recording")


async def test_sound_of_the_page_has_the_tone_of_whom_one_chose(listener: AsChief, town: Town) -> None:
    page = await listener()
    await open_recording(page)
    await page.get_by_role("button", name="Écouter", exact=True).click()
    for choice, tones in (("each", (CALLER_HZ, CALLED_HZ)), ("0", (CALLER_HZ,) * 2), ("1", (CALLED_HZ,) * 2)):
        await page.locator("[name=ears]").select_option(choice)
        source = await page.locator("audio").get_attribute("src")
        answer = await page.request.get(f"{town.url}{source}")
        assert answer.headers["cache-control"] == "no-store"
        assert tuple(round(hz, -1) for hz in loudest(await answer.body())) == tones


def loudest(data: bytes) -> list[float]:
    """The loudest tone in each ear, in a second of the conversation."""
    with wave.open(io.BytesIO(data)) as file:
        rate = file.getframerate()
        sound = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2).T
    second = sound[:, -3 * rate : -2 * rate]
    return [float(np.argmax(np.abs(np.fft.rfft(ear * np.hanning(rate))))) for ear in second]


async def test_call_that_goes_on_is_heard_up_to_now(listener: AsChief, town: Town) -> None:
    page = await listener(DEPUTY, "en")
    form = page.locator("form").last
    await form.locator("[name=reason]").fill("what did they say?")
    async with conversation(town, "1002", "8200", CHIEF):
        await asyncio.sleep(2)
        await form.locator("button[type=submit]").click()
        await expect(page.get_by_text("The call still goes on")).to_be_visible()
        await page.get_by_role("button", name="Play", exact=True).click()
        heard = re.compile("^0:0[1-9] of")
        await expect(page.get_by_role("slider")).to_have_attribute("aria-valuetext", heard)
    await page.get_by_role("button", name="Finish listening").click()
    await expect(page.locator("audio")).to_have_count(0)


async def test_recording_is_held_let_go_and_verified(listener: AsChief) -> None:
    page = await listener(CHIEF, "en")
    await open_recording(page)
    await page.get_by_role("button", name="Keep longer").click()
    await page.locator("dialog [name=reason]").fill("trial 2026-31")
    await page.locator("dialog button[type=submit]").click()
    await expect(page.get_by_text("trial 2026-31").first).to_be_visible()
    await page.get_by_role("button", name="Verify").click()
    await expect(page.get_by_text("The file ends as the journal says")).to_be_visible()
    await check_page(page, "recording-held")
    await page.get_by_role("button", name="End ").click()
    await page.locator("dialog [name=reason]").fill("the trial is over")
    await page.locator("dialog button[type=submit]").click()
    await expect(page.get_by_text("This recording will be erased on its date.")).to_be_visible()


async def test_export_takes_a_second_person_and_its_package_verifies(
    listener: AsChief, tmp_path: Path
) -> None:
    page, other = await listener(CHIEF), await listener(DEPUTY, "fr")
    name = await open_recording(page, "réquisition 2026-88")
    await page.get_by_role("button", name="Demander l’export").click()
    await expect(page.get_by_text("La demande attend l’accord")).to_be_visible()
    await other.reload()
    row = other.locator("tr", has_text="réquisition 2026-88")
    await row.get_by_role("button", name="Approuver").click()
    await other.locator("dialog [name=reason]").fill("vu avec le chef")
    await check_page(other, "recordings-approve")
    await other.locator("dialog button[type=submit]").click()
    await expect(row).to_contain_text("Approuvé par 2202")
    await page.reload()
    await page.locator("[name=reason]").fill("réquisition 2026-88")
    await page.locator("form button[type=submit]").click()
    await page.locator("[name=format]").select_option("flac")
    await page.get_by_role("button", name="Exporter", exact=True).click()
    async with page.expect_download() as downloading:
        await page.get_by_role("link", name="Télécharger l’export").click()
    package = tmp_path / f"{name}.zip"
    await (await downloading.value).save_as(package)
    checked = check(package)
    assert checked.faults == []
    steps = [entry.what for entry in checked.entries if entry.what.startswith(("export", "pack"))]
    assert steps == ["export asked", "export approved", "exported", "packaged"]


@pytest.mark.parametrize("language", ["fr", "en"])
async def test_auditor_sees_who_did_what_and_hears_nothing(
    sign_in: SignIn, listener: AsChief, town: Town, language: str
) -> None:
    chief = await listener()
    name = await open_recording(chief)
    page = await sign_in("auditor", language, "/recording-journal")
    await expect(page.get_by_role("link", name=name).first).to_be_visible()
    await check_page(page, "recording-report")
    await page.get_by_role("link", name=name).first.click()
    await expect(page.get_by_role("table")).to_contain_text("2201")
    await check_page(page, "recording-journal")
    refused = await page.request.post(
        f"{town.url}/api/v1/recordings/{name}/listenings", data={"reason": "x"}, headers=await csrf(page)
    )
    assert refused.status == 403


async def csrf(page: Page) -> dict[str, str]:
    token: str = await page.evaluate("fetch('/api/v1/session').then((a) => a.json()).then((s) => s.csrf)")
    return {"X-CSRF-Token": token}


async def test_listener_of_other_recordings_finds_none_of_these(sign_in: SignIn, listener: AsChief) -> None:
    chief = await listener()
    name = await open_recording(chief)
    page = await sign_in("listener", "fr")
    await page.goto(page.url.rstrip("/") + f"/recordings/{name}")
    await page.locator("[name=reason]").fill("dossier 12")
    await page.locator("form button[type=submit]").click()
    await expect(page.get_by_role("alert")).to_contain_text("Le plan ne vous permet pas")
    await check_page(page, "recording-refused")


@pytest.mark.parametrize("language", ["fr", "en"])
async def test_who_keeps_house_sees_what_goes_and_what_there_is_about_a_number(
    sign_in: SignIn, listener: AsChief, language: str
) -> None:
    page = await sign_in("auditor", language, "/recording-journal")
    tabs = page.get_by_role("tab")
    await tabs.nth(2).click()
    await page.locator("[name=number]").fill("1001")
    await page.locator("[name=reason]").fill("droit d'accès, dossier 7")
    await page.locator("form button[type=submit]").click()
    await expect(page.locator("tbody tr").first).to_be_visible()
    await check_page(page, "recording-about")
    await tabs.nth(1).click()
    await expect(page.locator(".empty")).to_be_visible()
    await tabs.nth(3).click()
    await page.locator("[name=receipt]").fill("{}")
    await page.locator("form button[type=submit]").click()
    await expect(page.locator(".field-error")).to_be_visible()
    await check_page(page, "recording-receipt")


async def test_administrator_erases_what_there_is_about_a_number_after_being_asked(sign_in: SignIn) -> None:
    page = await sign_in("administrator", "fr", "/recording-journal")
    await page.get_by_role("tab", name="Ce qui concerne un numéro").click()
    await page.locator("[name=number]").fill("06 12 34 56 78")
    await page.locator("[name=reason]").fill("demande 12")
    await page.locator("form button[type=submit]").click()
    await page.get_by_role("button", name="Effacer ce qui peut l’être…").click()
    await expect(page.get_by_role("dialog")).to_contain_text("06 12 34 56 78")
    await check_page(page, "erasing")
    await page.get_by_role("button", name="Effacer pour toujours").click()
    await expect(page.get_by_text("C’est effacé")).to_be_visible()
    await check_page(page, "erased")
