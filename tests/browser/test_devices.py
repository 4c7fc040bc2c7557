"""Devices in a browser: seen live, given an address, added with a password that is shown once."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Route, expect

from tests.browser.checking import check_page
from tests.browser.conftest import NewPage, SignIn
from tests.browser.town import Town

pytestmark = pytest.mark.xdist_group("browser-devices")


@pytest.mark.parametrize("language", ["fr", "en"])
async def test_the_devices_are_as_they_should_be(sign_in: SignIn, language: str) -> None:
    page = await sign_in("administrator", language, "/devices")
    await page.get_by_role("rowheader").first.wait_for()
    await check_page(page, "devices")


async def test_an_agent_sees_their_own_device_and_its_state_as_it_changes(
    sign_in: SignIn, town: Town
) -> None:
    page = await sign_in("agent", "fr", "/devices")
    # The page itself is one, 1001-web, while its telephone is there.
    own = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name="1001", exact=True))
    await expect(own.get_by_text("Non connecté")).to_be_visible()
    telephone, transport = town.phone("1001")
    try:
        await telephone.register()
        await expect(own.get_by_text("Connecté", exact=True)).to_be_visible()
        await check_page(page, "devices-own")
    finally:
        telephone.close()
        transport.close()


async def test_a_device_is_added_changed_given_a_new_password_and_removed(sign_in: SignIn) -> None:
    page = await sign_in("administrator", "fr", "/directory/new")
    await page.get_by_label("Numéro intérieur").fill("2061")
    await page.get_by_label("Nom", exact=True).fill("Yann Le Goff")
    await page.get_by_role("button", name="Ajouter").click()
    await page.get_by_role("link", name="Ouvrir sa fiche").click()
    await page.get_by_role("button", name="Ajouter un poste").click()
    await page.get_by_label("Nom usuel").fill("Mobile de Yann")
    await page.get_by_role("dialog").get_by_role("button", name="Ajouter", exact=True).click()
    await expect(page.get_by_role("heading", name="Le poste 2061-app est ajouté")).to_be_visible()
    first = await page.locator(".secret code").inner_text()
    await check_page(page, "device-added")
    await page.get_by_role("dialog").get_by_role("button", name="Fermer").last.click()
    await page.get_by_role("link", name="2061-app").click()
    await expect(page.get_by_text("Mobile de Yann")).to_be_visible()
    await check_page(page, "device")
    await page.get_by_role("button", name="Nouveau mot de passe").click()
    await page.get_by_role("button", name="Changer le mot de passe").click()
    second = page.locator(".secret code")
    await expect(second).not_to_have_text(first)
    await page.get_by_role("dialog").get_by_role("button", name="Fermer").last.click()
    await page.get_by_role("button", name="Modifier").click()
    await page.get_by_label("Site").select_option("ecole")
    await check_page(page, "device-change")
    await page.get_by_role("button", name="Enregistrer").click()
    await expect(page.get_by_text("ecole")).to_be_visible()
    await page.get_by_role("button", name="Supprimer").click()
    await page.get_by_role("dialog").get_by_role("button", name="Supprimer").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Postes")


AWAY = {
    "sign_in": "1001",
    "extension": "1001",
    "name": "Alice Martin",
    "user": "1001",
    "source": "plan",
    "kind": "desk",
    "label": "",
    "site": "",
    "md5_only": False,
    "has_password": False,
    "bindings": [
        {
            "address": "192.0.2.7:5060",
            "transport": "TLS",
            "user_agent": "Téléphone 1.0",
            "until_at": 1_795_371_600.0,
            "answers": True,
        }
    ],
    "network": "192.0.2.0/24",
    "address_wanted": True,
    "addresses": [],
}


@pytest.mark.parametrize("language", ["fr", "en"])
async def test_who_calls_from_outside_is_asked_where_they_are(
    new_page: NewPage, town: Town, language: str
) -> None:
    # On loopback nobody is outside of the sites: the device that says so is answered in signalling's place.
    cookie = {"name": "beffroi", "value": town.session("agent"), "url": town.url}
    page = await new_page(town.url, language, [{**cookie, "httpOnly": True, "sameSite": "Lax"}])
    said: list[Any] = []

    async def devices(route: Route) -> None:
        await route.fulfill(json={"items": [AWAY], "next": ""})

    async def address(route: Route) -> None:
        said.append(route.request.post_data_json)
        await route.fulfill(json={**AWAY, "address_wanted": False})

    await page.route("**/api/v1/devices", devices)
    await page.route("**/api/v1/devices/1001/address", address)
    await page.goto(f"{town.url}/devices")
    words = {
        "fr": ("Numéro et rue", "Commune", "Confirmer cette adresse", "L’adresse est confirmée."),
        "en": ("Number and street", "Town", "Confirm this address", "The address is confirmed."),
    }[language]
    await page.get_by_label(words[0]).wait_for()
    await check_page(page, "devices-address-wanted")
    await page.get_by_role("button", name=words[2]).click()
    await expect(page.get_by_label(words[0])).to_be_focused()  # what is missing is told first
    await page.get_by_label(words[0]).fill("5 rue des Lilas")
    await page.get_by_label(words[1]).fill("Nancy")
    await page.get_by_role("button", name=words[2]).click()
    await expect(page.get_by_text(words[3])).to_be_visible()
    (told,) = said
    assert (told["street"], told["city"], told["network"], told["confirm"]) == (
        "5 rue des Lilas",
        "Nancy",
        "192.0.2.0/24",
        True,
    )
