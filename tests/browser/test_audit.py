"""The pages of the audit journal, of tokens and of webhooks."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

import pytest
from playwright.async_api import expect

from tests.browser.checking import check_page
from tests.browser.conftest import SignIn
from tests.browser.town import Town
from tests.webhooks.receiver import receiver

pytestmark = pytest.mark.xdist_group("browser-signons")


@pytest.mark.parametrize("language", ["fr", "en"])
async def test_auditor_searches_the_journal_and_verifies_it(
    sign_in: SignIn, town: Town, language: str
) -> None:
    chief = await sign_in("administrator", language)
    asked = "async () => (await fetch('/api/v1/audit/verification')).status"
    assert await chief.evaluate(asked) == 200
    page = await sign_in("auditor", language, "/audit")
    await expect(page.get_by_role("table")).to_be_visible()
    await check_page(page, "audit")
    await page.get_by_label({"fr": "Concerne", "en": "About"}[language]).select_option("audit")
    verified = {"fr": "Journal d’audit\u00a0: vérification", "en": "Audit journal: verified"}[language]
    await page.get_by_role("button", name=verified).first.click()
    await expect(page.get_by_role("dialog")).to_contain_text("administrator")
    await check_page(page, "audit-entry")
    await page.keyboard.press("Escape")
    await page.get_by_role("button", name={"fr": "Vérifier tout", "en": "Verify all"}[language]).click()
    await expect(page.get_by_role("dialog")).to_contain_text({"fr": "telles", "en": "as they were"}[language])
    await check_page(page, "audit-verified")


async def test_auditor_finds_nothing_where_nothing_is(sign_in: SignIn) -> None:
    page = await sign_in("auditor", "fr", "/audit")
    await page.get_by_label("Qui (compte)").fill("personne")
    await page.get_by_role("button", name="Chercher").click()
    await expect(page.get_by_text("Rien de tel dans le journal.")).to_be_visible()
    await check_page(page, "audit-nothing")


async def test_journal_is_exported(sign_in: SignIn) -> None:
    page = await sign_in("auditor", "fr", "/audit")
    async with page.expect_download() as downloading:
        await page.get_by_role("link", name="Exporter").click()
    assert (await downloading.value).suggested_filename == "audit.zip"


@pytest.mark.parametrize("language", ["fr", "en"])
async def test_token_is_made_shown_once_used_and_ended(sign_in: SignIn, town: Town, language: str) -> None:
    words = {
        "fr": ("Créer un jeton", "Nom", "Lire l’annuaire", "Annuaire du site", "Retirer"),
        "en": ("Make a token", "Name", "Read the directory", "Web directory", "End"),
    }[language]
    add, name, right, called, end = words
    page = await sign_in("administrator", language, "/tokens")
    await check_page(page, "tokens-none")
    await page.get_by_role("button", name=add).click()
    await page.get_by_label(name, exact=True).fill(called)
    await page.get_by_label(right).check()
    await check_page(page, "tokens-form")
    await page.get_by_role("dialog").get_by_role("button", name=add).click()
    shown = page.get_by_role("dialog").locator("code")
    await expect(shown).to_contain_text("bft_")
    token = await shown.inner_text()
    await check_page(page, "tokens-made")
    assert asked(town, token, "/api/v1/people")[0] == 200
    assert asked(town, token, "/api/v1/audit")[0] == 403
    await page.keyboard.press("Escape")
    await check_page(page, "tokens")
    await page.get_by_role("button", name=called).first.click()
    await page.get_by_role("dialog").get_by_role("button", name=end, exact=True).click()
    await expect(page.get_by_role("dialog")).to_have_count(0)
    assert asked(town, token, "/api/v1/people")[0] == 401


@pytest.mark.parametrize("language", ["fr", "en"])
async def test_webhook_is_added_tested_and_removed(sign_in: SignIn, town: Town, language: str) -> None:
    words = {
        "fr": (
            "Ajouter un avis",
            "Nom",
            "Adresse",
            "réseau privé",
            "Une adresse est bannie",
            "Essayer",
            "Supprimer",
        ),
        "en": (
            "Add a webhook",
            "Name",
            "Address",
            "private network",
            "An address is banned",
            "Test",
            "Remove",
        ),
    }[language]
    add, name, url, private, event, test, remove = words
    page = await sign_in("administrator", language, "/webhooks")
    await check_page(page, "webhooks-none")
    with receiver() as there:
        await page.get_by_role("button", name=add).click()
        await page.get_by_label(name, exact=True).fill("Intranet")
        await page.get_by_label(url, exact=True).fill(f"{there.url}/hook")
        await page.get_by_label(event).check()
        await page.get_by_role("dialog").get_by_role("button", name=add).click()
        await expect(page.locator(".field-error")).to_be_visible()
        await check_page(page, "webhooks-refused")
        await page.get_by_label(private).check()
        await page.get_by_role("dialog").get_by_role("button", name=add).click()
        await expect(page.get_by_role("dialog").locator("code")).to_contain_text("bfs_")
        await page.keyboard.press("Escape")
        await page.get_by_role("button", name=f"{test} ").first.click()
        await expect(page.locator(".notice")).to_contain_text("200")
        assert there.got[0][0]["Beffroi-Event"] == "Test"
        await check_page(page, "webhooks")
        address = {"fr": "203.0.113.7", "en": "203.0.113.8"}[language]
        town.command("ban", "add", address)
        while len(there.got) < 2:  # the event itself, from signalling through the queue
            await page.wait_for_timeout(50)
        headers, body = there.got[1]
        assert (headers["Beffroi-Event"], json.loads(body)["source"]) == ("AddressBanned", address)
        await page.get_by_role(
            "button", name={"fr": "Derniers envois de", "en": "Last deliveries of"}[language]
        ).click()
        await expect(page.get_by_role("dialog").get_by_role("row")).to_have_count(2)
        await check_page(page, "webhooks-log")
        await page.keyboard.press("Escape")
    await page.get_by_role("button", name=f"{remove} ").first.click()
    await page.get_by_role("dialog").get_by_role("button", name=remove, exact=True).click()
    await expect(page.get_by_role("dialog")).to_have_count(0)


def asked(town: Town, token: str, path: str) -> tuple[int, Any]:
    """Ask as a program does."""
    request = urllib.request.Request(town.url + path, headers={"Authorization": f"Bearer {token}"})
    try:
        with urllib.request.urlopen(request, timeout=45) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, None
