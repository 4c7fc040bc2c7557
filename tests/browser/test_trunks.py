"""The pages of the operators' lines and of backups."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from pbx.node.backup import verify
from tests.browser.checking import check_page
from tests.browser.conftest import SignIn
from tests.browser.town import Town

pytestmark = pytest.mark.xdist_group("browser-plan")


@pytest.mark.parametrize("language", ["fr", "en"])
async def test_lines_are_listed_and_shown_with_how_they_are(sign_in: SignIn, language: str) -> None:
    page = await sign_in("supervisor", language, path="/trunks")
    await expect(page.get_by_role("link", name="operateur-a")).to_be_visible()
    await check_page(page, "trunks")
    await page.get_by_role("link", name="operateur-a").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("operateur-a")
    await expect(page.get_by_text("OPERATEUR_A_SECRET")).to_be_visible()
    await check_page(page, "trunk")


async def test_a_line_is_added_changed_and_removed_without_touching_the_rest(
    sign_in: SignIn, town: Town
) -> None:
    before = town.configuration.plan.read_text("utf-8")
    page = await sign_in("administrator", path="/trunks")
    dialog = page.get_by_role("dialog")
    await page.get_by_role("link", name="Ajouter un opérateur").click()
    await page.get_by_label("Nom dans le plan").fill("operateur-c")
    await page.get_by_label("Domaine ou adresse").fill("127.255.255.252")
    await page.get_by_label("Appels à la fois").fill("1")
    await page.get_by_label("Dont réservés aux urgences").fill("2")
    await page.get_by_role("button", name="Comparer et mettre en service").click()
    await expect(
        page.get_by_text("2 canaux sont réservés aux urgences et l’opérateur en a 1")
    ).to_be_visible()
    await expect(page.get_by_label("Dont réservés aux urgences")).to_be_focused()
    await check_page(page, "trunk-form")
    await page.get_by_label("Appels à la fois").fill("4")
    await page.get_by_role("button", name="Comparer et mettre en service").click()
    await expect(dialog.get_by_role("heading", name="Appels d’urgence")).to_be_visible()
    await check_page(page, "trunk-apply")
    await dialog.get_by_role("button", name="Mettre en service").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("operateur-c")
    added = town.configuration.plan.read_text("utf-8")
    lines = ["operateur-c:", '  host: "127.255.255.252"', "  channels: 4", "  emergency_channels: 2"]
    wanted = "".join(f"  {line}\n" for line in lines)
    assert added == before.replace("\nroutes:", f"{wanted}\nroutes:", 1)

    await page.get_by_role("link", name="Modifier").click()
    await page.get_by_label("Appels à la fois").fill("5")
    await page.get_by_role("button", name="Comparer et mettre en service").click()
    await dialog.get_by_role("button", name="Mettre en service").click()
    await expect(page.get_by_text("0 sur 5")).to_be_visible()
    assert town.configuration.plan.read_text("utf-8") == added.replace("channels: 4", "channels: 5")

    await page.get_by_role("button", name="Retirer…").click()
    await dialog.get_by_role("button", name="Mettre en service").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Opérateurs")
    assert town.configuration.plan.read_text("utf-8") == before


async def test_a_backup_is_made_verified_downloaded_and_deleted(sign_in: SignIn, town: Town) -> None:
    page = await sign_in("administrator", path="/backup")
    await expect(page.get_by_text("Aucune sauvegarde n’a encore été faite ici.")).to_be_visible()
    await page.get_by_role("button", name="Faire une sauvegarde").click()
    await expect(page.get_by_role("row").nth(1)).to_be_visible()
    await expect(page.get_by_text("Mettez-la à l’abri hors de ce serveur")).to_be_visible()
    await check_page(page, "backup")
    await page.get_by_role("button", name="Vérifier").click()
    await expect(page.get_by_text("est entière")).to_be_visible()
    async with page.expect_download() as coming:
        await page.get_by_role("link", name="Télécharger").click()
    download = await coming.value
    assert verify(await download.path()).members
    await page.get_by_role("button", name="Supprimer…").click()
    await page.get_by_role("dialog").get_by_role("button", name="Supprimer la sauvegarde").click()
    await expect(page.get_by_text("Aucune sauvegarde sur ce serveur.")).to_be_visible()
    assert not [*(town.configuration.data_dir / "backups").iterdir()]
