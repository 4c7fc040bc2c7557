"""Signing in as people do: a first password, a second step, passkeys, and what is told when it goes wrong."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.browser.checking import check_page
from tests.browser.conftest import NewPage
from tests.browser.newcomers import (
    PASSWORD,
    by_name,
    code_now,
    fill_sign_in,
    heading,
    newcomer,
    password_link,
    with_authenticator,
)
from tests.browser.town import Town

pytestmark = pytest.mark.xdist_group("browser-signing-in")


async def test_a_new_administrator_comes_from_the_link_to_the_first_page(
    town: Town, new_page: NewPage
) -> None:
    account = newcomer(town, "nadia", "Nadia Roche", "administrator", password="")
    page = await new_page(town.url, path=password_link(town, account))
    await heading(page, "Votre mot de passe")
    assert "#" not in page.url
    await check_page(page, "new-password")

    await page.get_by_label("Nouveau mot de passe").fill("administrateur")
    await page.get_by_label("Le même, encore une fois").fill("administrateur")
    await page.get_by_role("button", name="Enregistrer le mot de passe").click()
    await expect(page.locator(".field-error")).to_contain_text("parmi les premiers que l’on essaie")
    await page.get_by_label("Nouveau mot de passe").fill(PASSWORD)
    await page.get_by_role("button", name="Enregistrer le mot de passe").click()
    await expect(page.locator(".field-error")).to_have_text("Ce n’est pas le même.")
    await page.get_by_label("Le même, encore une fois").fill(PASSWORD)
    await page.get_by_role("button", name="Enregistrer le mot de passe").click()
    await heading(page, "C’est fait")
    await page.get_by_role("link", name="Aller à la page de connexion").click()

    await fill_sign_in(page, account)
    await heading(page, "Protégez votre compte")
    await check_page(page, "set-up")
    await page.get_by_role("button", name="Utiliser une application").click()
    await expect(page.get_by_role("img", name="Code QR")).to_be_visible()
    await check_page(page, "set-up-application")
    secret = await page.locator(".typed-key").inner_text()
    await page.get_by_label("Puis saisissez le code affiché").fill("000000")
    await page.get_by_role("button", name="Continuer").click()
    await expect(page.locator(".field-error")).to_contain_text("Ce code est faux")
    await page.get_by_label("Puis saisissez le code affiché").fill(code_now(secret))
    await page.get_by_role("button", name="Continuer").click()
    await heading(page, "Vos codes de secours")
    await expect(page.get_by_role("list", name="Codes de secours").get_by_role("listitem")).to_have_count(10)
    await check_page(page, "recovery-codes")
    await page.get_by_role("button", name="Je les ai gardés").click()
    await expect(page.get_by_role("heading", level=1)).to_contain_text("Nadia Roche")


async def test_the_second_step_takes_a_code_once_and_a_recovery_code_in_its_place(
    town: Town, new_page: NewPage
) -> None:
    account = newcomer(town, "omar", "Omar Belkacem", "listener")
    page = await new_page(town.url)
    await fill_sign_in(page, account)
    await page.get_by_role("button", name="Utiliser une application").click()
    secret = await page.locator(".typed-key").inner_text()
    used = code_now(secret)
    await page.get_by_label("Puis saisissez le code affiché").fill(used)
    await page.get_by_role("button", name="Continuer").click()
    recovery = (
        await page.get_by_role("list", name="Codes de secours").get_by_role("listitem").first.inner_text()
    )

    other = await new_page(town.url)
    await fill_sign_in(other, account)
    await heading(other, "Deuxième étape")
    await check_page(other, "second-step")
    await other.get_by_label("Code de votre application").fill(used)
    await other.get_by_role("button", name="Continuer").click()
    await expect(other.locator(".field-error")).to_have_text("Ce code est faux, ou a déjà servi.")
    await other.get_by_role("button", name="Je n’ai ni mon téléphone ni ma clé").click()
    await other.get_by_label("Code de secours").fill(recovery)
    await other.get_by_role("button", name="Continuer").click()
    await expect(other.get_by_role("heading", level=1)).to_contain_text("Omar Belkacem")


async def test_a_wrong_password_is_told_in_words_and_nothing_jumps(town: Town, new_page: NewPage) -> None:
    page = await new_page(town.url)
    await fill_sign_in(page, "personne", "faux")
    await expect(page.locator(".field-error")).to_have_text("Le nom ou le mot de passe est faux.")
    await expect(page.get_by_label("Nom ou numéro intérieur")).to_have_value("personne")
    await check_page(page, "sign-in-refused")


async def test_a_passkey_is_added_and_signs_in_alone(town: Town, new_page: NewPage) -> None:
    account = newcomer(town, "lucie", "Lucie Fabre")
    page = await new_page(by_name(town))
    await with_authenticator(page)
    await fill_sign_in(page, account)
    await expect(page.get_by_role("heading", level=1)).to_contain_text("Lucie Fabre")
    await page.goto(f"{by_name(town)}/account")
    await page.get_by_role("button", name="Ajouter une clé").click()
    await page.get_by_label("Nom de la clé").fill("Ordinateur du bureau")
    await page.get_by_role("button", name="Créer une clé d’accès").click()
    await page.get_by_role("button", name="Je les ai gardés").click()
    await expect(page.locator(".keys")).to_contain_text("Ordinateur du bureau")

    await page.get_by_role("button", name="Lucie Fabre").click()
    await page.get_by_role("menuitem", name="Se déconnecter").click()
    await page.get_by_role("button", name="Se connecter avec une clé d’accès").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Mon compte")


async def test_a_passkey_is_the_second_step_after_a_password(town: Town, new_page: NewPage) -> None:
    account = newcomer(town, "karim", "Karim Haddad", "administrator")
    page = await new_page(by_name(town))
    await with_authenticator(page)
    await fill_sign_in(page, account)
    await page.get_by_role("button", name="Créer une clé d’accès").click()
    await page.get_by_role("button", name="Créer une clé d’accès").click()
    await page.get_by_role("button", name="Je les ai gardés").click()
    await page.get_by_role("button", name="Karim Haddad").click()
    await page.get_by_role("menuitem", name="Se déconnecter").click()
    await fill_sign_in(page, account)
    await heading(page, "Deuxième étape")
    await page.get_by_role("button", name="Utiliser ma clé d’accès").click()
    await expect(page.get_by_role("heading", level=1)).to_contain_text("Karim Haddad")


async def test_a_link_of_the_demonstration_opens_nothing_elsewhere(town: Town, new_page: NewPage) -> None:
    page = await new_page(town.url, path="/welcome#anything")
    await expect(page.get_by_role("alert")).to_contain_text("Ce lien a déjà servi")
    await check_page(page, "welcome-refused")
