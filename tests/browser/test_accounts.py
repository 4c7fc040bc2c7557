"""Accounts as their owners and administrators see them."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.browser.checking import check_page
from tests.browser.conftest import NewPage, SignIn
from tests.browser.newcomers import fill_sign_in, heading, newcomer
from tests.browser.town import Town

pytestmark = pytest.mark.xdist_group("browser-accounts")


@pytest.mark.parametrize("language", ["fr", "en"])
async def test_one_sees_ones_own_account(sign_in: SignIn, language: str) -> None:
    page = await sign_in("agent", language, "/account")
    await heading(page, {"fr": "Mon compte", "en": "My account"}[language])
    await check_page(page, "own-account")


async def test_a_password_is_changed_after_a_proof(town: Town, new_page: NewPage) -> None:
    account = newcomer(town, "ines", "Inès Caron")
    page = await new_page(town.url)
    await fill_sign_in(page, account)
    await expect(page.get_by_role("heading", level=1)).to_contain_text("Inès Caron")
    await page.goto(f"{town.url}/account")
    await page.get_by_role("button", name="Changer le mot de passe").click()
    await page.get_by_label("Nouveau mot de passe").fill("un autre de quatre mots")
    await page.get_by_label("Le même, encore une fois").fill("un autre de quatre mots")
    await page.get_by_role("button", name="Enregistrer le mot de passe").click()
    await expect(page.get_by_text("Le mot de passe est changé.")).to_be_visible()
    other = await new_page(town.url)
    await fill_sign_in(other, account)
    await expect(other.locator(".field-error")).to_have_text("Le nom ou le mot de passe est faux.")


async def test_one_signs_out_somewhere_else(town: Town, new_page: NewPage) -> None:
    account = newcomer(town, "remi", "Rémi Klein")
    here, there = await new_page(town.url), await new_page(town.url)
    for page in (here, there):
        await fill_sign_in(page, account)
        await expect(page.get_by_role("heading", level=1)).to_contain_text("Rémi Klein")
    await here.goto(f"{town.url}/account")
    await here.get_by_role("button", name="Déconnecter Chrome sur Linux").click()
    await expect(here.get_by_text("Sessions terminées")).to_be_visible()
    await there.reload()
    await heading(there, "Se connecter")


@pytest.mark.parametrize("language", ["fr", "en"])
async def test_an_administrator_sees_the_accounts(sign_in: SignIn, language: str) -> None:
    page = await sign_in("administrator", language, "/accounts")
    await expect(page.get_by_role("link", name="Bruno Petit")).to_be_visible()
    await check_page(page, "accounts")
    await page.get_by_role("link", name="Bruno Petit").click()
    await heading(page, "Bruno Petit")
    await check_page(page, "one-account")


async def test_an_administrator_adds_an_account_and_gets_its_link_once(sign_in: SignIn) -> None:
    page = await sign_in("administrator", "fr", "/accounts")
    await page.get_by_role("button", name="Ajouter un compte").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Nom de connexion").fill("Zoé Lambert")
    await dialog.get_by_label("Nom affiché").fill("Zoé Lambert")
    await dialog.get_by_role("button", name="Ajouter un compte").click()
    await expect(dialog.locator(".field-error")).to_contain_text("Un nom de connexion")
    await check_page(page, "account-add")
    await dialog.get_by_label("Nom de connexion").fill("zoe.lambert")
    await dialog.get_by_role("checkbox", name="Standardiste").check()
    await dialog.get_by_role("button", name="Ajouter un compte").click()
    await expect(page.get_by_role("dialog").locator("code")).to_contain_text("/new-password#")
    await check_page(page, "account-link")
    await page.get_by_role("button", name="Fermer", exact=True).click()
    row = page.get_by_role("row").filter(has_text="zoe.lambert")
    await expect(row).to_contain_text("Agent, Standardiste")
    await expect(row).to_contain_text("Invité")


async def test_an_administrator_closes_an_account_and_opens_it_again(town: Town, sign_in: SignIn) -> None:
    account = newcomer(town, "victor", "Victor Henry")
    page = await sign_in("administrator", "fr", f"/accounts/{account}")
    await page.get_by_role("button", name="Fermer le compte").click()
    await page.get_by_role("dialog").get_by_role("button", name="Fermer le compte").click()
    await expect(page.locator(".facts")).to_contain_text("Fermé")
    await page.get_by_role("button", name="Rouvrir le compte").click()
    await expect(page.locator(".facts")).to_contain_text("Ouvert")
