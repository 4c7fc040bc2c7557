"""The directory in a browser: found as one types, opened, changed, imported."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.async_api import Page, Route, expect

from tests.browser.checking import check_page
from tests.browser.conftest import SignIn
from tests.browser.town import TEST_SECONDS, Town

pytestmark = pytest.mark.xdist_group("browser-directory")


def search_field(page: Page):
    return page.get_by_role("searchbox")


def found(page: Page):
    return page.get_by_role("table").get_by_role("rowheader")


async def add_person(page: Page, extension: str, name: str) -> None:
    await page.get_by_label("Numéro intérieur").fill(extension)
    await page.get_by_label("Nom", exact=True).fill(name)
    await page.get_by_role("button", name="Ajouter").click()
    await page.get_by_role("heading", name=f"{name} est ajouté").wait_for()


@pytest.mark.parametrize("language", ["fr", "en"])
async def test_the_directory_is_as_it_should_be(sign_in: SignIn, language: str) -> None:
    page = await sign_in("administrator", language, "/directory")
    await found(page).first.wait_for()
    await check_page(page, "directory")


@pytest.mark.parametrize("language", ["fr", "en"])
async def test_the_services_are_as_they_should_be(sign_in: SignIn, language: str) -> None:
    page = await sign_in("operator", language, "/services")
    await found(page).first.wait_for()
    await check_page(page, "services")


async def test_somebody_is_found_as_one_types_and_opened_by_enter(sign_in: SignIn) -> None:
    page = await sign_in("agent", "fr", "/directory")
    await found(page).first.wait_for()
    await page.keyboard.press("/")
    await page.keyboard.type("brunot")  # as it sounds
    await expect(found(page)).to_have_text(["BPBruno Petit"])
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Bruno Petit")


async def test_somebody_far_down_the_alphabet_is_found_before_the_server_answers(sign_in: SignIn) -> None:
    page = await sign_in("agent", "fr", "/")
    reached = asyncio.Event()

    async def pieces(route: Route) -> None:
        asked = parse_qs(urlsplit(route.request.url).query)
        if "search" in asked:
            return  # it never answers
        answer = await route.fetch(url=route.request.url.partition("?")[0])
        first = (await answer.json())["items"][0]
        which = int(asked.get("after", ["0"])[0])
        named = {**first, "id": f"person:{which}", "name": f"Zoé Piece{which}", "number": f"90{which}"}
        await route.fulfill(json={"items": [named], "next": str(which + 1) if which < 3 else ""})
        if which == 3:
            reached.set()

    await page.route(lambda url: urlsplit(url).path == "/api/v1/directory", pieces)
    await page.goto(page.url.rstrip("/") + "/directory")
    await asyncio.wait_for(reached.wait(), TEST_SECONDS)
    await search_field(page).fill("piece3")
    await expect(found(page)).to_contain_text(["Zoé Piece3"])


async def test_the_arrows_go_from_the_search_into_what_was_found(sign_in: SignIn) -> None:
    page = await sign_in("agent", "fr", "/directory")
    await search_field(page).fill("garde")
    await expect(found(page).first).to_be_visible()
    await search_field(page).press("ArrowDown")
    assert await page.evaluate("document.activeElement?.closest('tbody') !== null")


async def test_the_directory_says_whose_telephone_is_there(sign_in: SignIn, town: Town) -> None:
    page = await sign_in("operator", "fr", "/directory")
    row = page.get_by_role("row").filter(has_text="Garde 1")  # who has no page open
    await expect(row).to_contain_text("Aucun téléphone connecté")
    phone, transport = town.phone("2201")
    try:
        await phone.register()
        await expect(row).to_contain_text("Libre")
        await row.get_by_role("link").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("Garde 1")
        await expect(page.get_by_role("main")).to_contain_text("Libre")
    finally:
        phone.close()
        transport.close()
    await check_page(page, "person-there")


async def test_who_is_nobody_says_so(sign_in: SignIn) -> None:
    page = await sign_in("agent", "fr", "/directory")
    await search_field(page).fill("zzyzx")
    await expect(page.get_by_text("Rien ne correspond à « zzyzx »")).to_be_visible()
    await check_page(page, "directory-nobody")


async def test_a_person_is_added_changed_made_absent_a_favourite_and_removed(sign_in: SignIn) -> None:
    page = await sign_in("administrator", "fr", "/directory/new")
    await check_page(page, "person-new")
    await add_person(page, "2041", "Hélène Lefèvre")
    await expect(page.get_by_text("montré qu’une fois").first).to_be_visible()
    await check_page(page, "person-added")
    await page.get_by_role("link", name="Ouvrir sa fiche").click()
    await page.get_by_role("button", name="Favori : Hélène Lefèvre").click()
    await expect(page.get_by_role("button", name="Favori : Hélène Lefèvre")).to_have_attribute(
        "aria-pressed", "true"
    )
    await page.get_by_role("button", name="Indiquer une absence").click()
    await page.get_by_label("Ce que tout le monde lira").fill("En congé")
    await page.get_by_role("button", name="Enregistrer").click()
    await expect(page.get_by_text("En congé")).to_be_visible()
    await check_page(page, "person")
    await page.get_by_role("link", name="Modifier").click()
    await page.get_by_label("Nom", exact=True).fill("Hélène Lefebvre")
    await page.get_by_role("button", name="Enregistrer").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Hélène Lefebvre")
    await page.get_by_role("link", name="Retour à l’annuaire").click()
    await expect(page.get_by_role("list", name="Favoris").get_by_text("Hélène Lefebvre")).to_be_visible()
    await check_page(page, "directory-favourites")
    await page.get_by_role("list", name="Favoris").get_by_role("link", name="Hélène Lefebvre").click()
    await page.get_by_role("button", name="Supprimer").click()
    await page.get_by_role("dialog").get_by_role("button", name="Supprimer").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Annuaire")


async def test_a_number_that_is_taken_is_told_at_its_field(sign_in: SignIn) -> None:
    page = await sign_in("administrator", "fr", "/directory/new")
    await page.get_by_label("Numéro intérieur").fill("8000")
    await page.get_by_label("Nom", exact=True).fill("Quelqu’un")
    await page.get_by_role("button", name="Ajouter").click()
    field = page.get_by_label("Numéro intérieur")
    await expect(field).to_have_attribute("aria-invalid", "true")
    await expect(field).to_be_focused()


async def test_a_photo_is_made_small_before_it_is_sent(sign_in: SignIn, town: Town, tmp_path: Path) -> None:
    page = await sign_in("agent", "fr", "/directory/1001")
    picture = tmp_path / "large.png"
    # A picture of 1200 pixels, made by the browser itself.
    data = await page.evaluate(
        "(() => { const c = document.createElement('canvas'); c.width = c.height = 1200;"
        " const d = c.getContext('2d'); d.fillStyle = '#357'; d.fillRect(0, 0, 1200, 1200);"
        " return c.toDataURL('image/png').split(',')[1]; })()"
    )
    picture.write_bytes(base64.b64decode(data))
    await page.locator("input[type=file]").set_input_files(picture)
    await expect(page.locator("img.face")).to_be_visible()
    size = await page.locator("img.face").evaluate("(it) => it.decode().then(() => it.naturalWidth)")
    assert size == 384
    await page.get_by_role("button", name="Retirer la photo").click()
    await expect(page.locator("img.face")).to_have_count(0)


async def test_do_not_disturb_is_set_and_shown_in_the_directory(sign_in: SignIn) -> None:
    page = await sign_in("agent", "fr", "/directory/1001")
    await page.get_by_role("button", name="Ne plus être dérangé").click()
    await expect(page.get_by_text("Vos téléphones ne sonnent pas.")).to_be_visible()
    other = await sign_in("operator", "fr", "/directory")
    await search_field(other).fill("alice")
    await expect(other.get_by_role("table").get_by_text("Ne pas déranger")).to_be_visible()
    await page.get_by_role("button", name="Recevoir des appels").click()
    await expect(page.get_by_text("Les appels sonnent normalement.")).to_be_visible()


@pytest.mark.parametrize("language", ["fr", "en"])
async def test_people_are_imported_after_a_look_at_what_changes(
    sign_in: SignIn, tmp_path: Path, language: str
) -> None:
    page = await sign_in("administrator", language, "/directory/import")
    number = {"fr": "2051", "en": "2052"}[language]
    file = tmp_path / "people.csv"
    file.write_text(f"poste;nom;classe\n{number};Zoé Import {language};national\n8000;X;natinal\n", "utf-8")
    await page.locator("input[type=file]").set_input_files(file)
    await expect(found(page)).to_have_text(["3"])
    await check_page(page, "import-errors")
    file.write_text(f"poste;nom;classe\n{number};Zoé Import {language};national\n", "utf-8")
    await page.locator("input[type=file]").set_input_files(file)
    await expect(found(page)).to_have_text([number])
    await check_page(page, "import-preview")
    await page.get_by_role("button", name={"fr": "Appliquer", "en": "Apply"}[language]).click()
    await expect(page.get_by_role("table").locator("code").first).to_be_visible()
    await check_page(page, "import-done")
