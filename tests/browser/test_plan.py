"""The plan's page: broken, mended, explained, put in force, found in the history and taken back."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Dialog, Page, expect

from tests.browser.checking import check_page
from tests.browser.conftest import SignIn
from tests.browser.town import Town

pytestmark = pytest.mark.xdist_group("browser-plan")

MOBILES = ("via: [operateur-b, operateur-a]", "via: [operateur-b]")
BROKEN = ("via: [operateur-a]", "via: [operateur-z]")


@pytest_asyncio.fixture(loop_scope="session")
async def editor(town: Town, sign_in: SignIn) -> AsyncIterator[Page]:
    """The page of an administrator; the plan is afterwards as it was."""
    before = town.configuration.plan.read_bytes()
    page = await sign_in("administrator", path="/plan")
    page.on("dialog", _leave)
    yield page
    if town.configuration.plan.read_bytes() != before:
        town.configuration.plan.write_bytes(before)
        town.command("plan", "reload")


async def _leave(dialog: Dialog) -> None:
    await dialog.accept()


async def change(page: Page, *changes: tuple[str, str]) -> None:
    area = page.get_by_role("textbox", name="Texte du plan")
    text = await area.input_value()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    await area.fill(text)


async def line_of_caret(page: Page) -> int:
    before: str = await page.evaluate(
        "() => document.activeElement.value.slice(0, document.activeElement.selectionStart)"
    )
    return before.count("\n") + 1


async def test_a_plan_is_broken_mended_explained_put_in_force_and_taken_back(
    editor: Page, town: Town
) -> None:
    await expect(editor.get_by_text("0 erreur, 0 avertissement, 2 remarques")).to_be_visible()
    await change(editor, BROKEN)
    finding = editor.get_by_text("opérateur inconnu « operateur-z » pour les appels internationaux")
    await expect(finding).to_be_visible()
    await editor.get_by_role("textbox", name="Texte du plan").press("F8")
    assert await line_of_caret(editor) == 81
    await check_page(editor, "plan-broken")
    await editor.get_by_role("button", name="Mettre en service…").click()
    dialog = editor.get_by_role("dialog")
    await expect(dialog.get_by_text("Ce plan a 1 erreur")).to_be_visible()
    await expect(dialog.get_by_role("button", name="Mettre en service")).to_have_count(0)
    await editor.keyboard.press("Escape")

    await change(editor, (BROKEN[1], BROKEN[0]), MOBILES)
    await expect(finding).to_be_hidden()
    await editor.get_by_label("Qui appelle").fill("1001")
    await editor.get_by_label("Numéro composé").fill("0612345678")
    await editor.get_by_role("button", name="Expliquer", exact=True).click()
    await expect(editor.get_by_text("+33612345678 par operateur-b", exact=True)).to_be_visible()
    await editor.get_by_role("button", name="Ligne 80").click()
    assert await line_of_caret(editor) == 80

    await editor.get_by_role("button", name="Mettre en service…").click()
    await expect(dialog.get_by_text("14 essais du plan réussis")).to_be_visible()
    await expect(dialog.get_by_text("7 personnes, dont 1001, en composant un mobile")).to_be_visible()
    await check_page(editor, "plan-apply")
    await dialog.get_by_role("button", name="Mettre en service").click()
    await expect(dialog.locator(".field-error")).to_be_visible()
    await dialog.get_by_label("Motif").fill("Un seul opérateur pour les mobiles")
    await dialog.get_by_role("button", name="Mettre en service").click()
    await expect(dialog).to_have_count(0)
    assert MOBILES[1] in town.configuration.plan.read_text("utf-8")

    await editor.get_by_role("tab", name="Historique").click()
    row = editor.get_by_role("row").filter(has_text="Un seul opérateur pour les mobiles")
    await expect(row.get_by_text("en service")).to_be_visible()
    await check_page(editor, "plan-history")
    await row.get_by_role("button", name="Ce qui a changé").click()
    await dialog.get_by_role("tab", name="Dans le texte").click()
    await expect(dialog.locator(".plan-line.removed")).to_contain_text(MOBILES[0])
    await expect(dialog.locator(".plan-line.added")).to_contain_text(MOBILES[1])
    await check_page(editor, "plan-compared")
    await editor.keyboard.press("Escape")
    await editor.get_by_role("button", name="Revenir à ce plan").first.click()
    await dialog.get_by_role("button", name="Mettre en service").click()
    await expect(dialog).to_have_count(0)
    assert MOBILES[0] in town.configuration.plan.read_text("utf-8")


async def test_unsaved_text_survives_a_reload_and_can_be_discarded(editor: Page) -> None:
    await change(editor, MOBILES)
    await expect(editor.get_by_text("modifié, pas encore en service")).to_be_visible()
    await editor.reload()
    area = editor.get_by_role("textbox", name="Texte du plan")
    await expect(area).to_have_value(re.compile(re.escape(MOBILES[1])))
    await editor.get_by_role("button", name="Abandonner mes modifications").click()
    await editor.get_by_role("dialog").get_by_role("button", name="Abandonner mes modifications").click()
    await expect(area).to_have_value(re.compile(re.escape(MOBILES[0])))


async def test_who_was_faster_is_told_and_nothing_is_undone_unseen(editor: Page, town: Town) -> None:
    await change(editor, MOBILES)
    other = town.configuration.plan.with_name("other.yaml")
    other.write_text(
        town.configuration.plan.read_text("utf-8").replace("Alice Martin", "Alice Durand"), "utf-8"
    )
    town.command("plan", "apply", str(other), "--yes", "--author", "Claire")
    await editor.get_by_role("button", name="Mettre en service…").click()
    dialog = editor.get_by_role("dialog")
    await dialog.get_by_label("Motif").fill("mobiles")
    await dialog.get_by_role("button", name="Mettre en service").click()
    await expect(dialog.get_by_text("Quelqu’un a mis un autre plan en service")).to_be_visible()
    await editor.keyboard.press("Escape")
    await expect(editor.get_by_text("Claire a mis en service le plan")).to_be_visible()
    await check_page(editor, "plan-overtaken")
    await editor.get_by_role("button", name="Garder mon texte et comparer").click()
    await expect(dialog.get_by_text("personne 1001, name")).to_be_visible()
    assert "Alice Durand" in town.configuration.plan.read_text("utf-8")


@pytest.mark.parametrize("language", ["fr", "en"])
async def test_who_may_only_read_the_plan_sees_it_without_passwords(sign_in: SignIn, language: str) -> None:
    page = await sign_in("auditor", language, path="/plan")
    area = page.get_by_role("textbox")
    await expect(area.first).to_have_attribute("readonly", "")
    text = await area.first.input_value()
    assert "password" in text
    assert "pw1001" not in text
    apply = {"fr": "Mettre en service…", "en": "Put in force…"}[language]
    await expect(page.get_by_role("button", name=apply)).to_have_count(0)
    await check_page(page, "plan-read")
