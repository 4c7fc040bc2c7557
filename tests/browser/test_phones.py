"""Desk telephones in a browser: adopted, invited, given keys, imported, blocked; what the LAN is told."""

from __future__ import annotations

import json
import re
import ssl
import urllib.error
import urllib.request
from datetime import datetime
from http.client import HTTPResponse, HTTPSConnection
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from playwright.async_api import Page, expect

from tests.browser.checking import check_page
from tests.browser.conftest import SignIn
from tests.browser.town import Town

pytestmark = pytest.mark.xdist_group("browser-phones")

MAC, PRINTED = "805ec0123456", "80:5E:C0:12:34:56"


class _At(urllib.request.HTTPSHandler):
    """HTTPS from one of this machine's addresses."""

    def __init__(self, address: str, context: ssl.SSLContext) -> None:
        super().__init__(context=context)
        self._trust, self._from = context, (address, 0)

    def https_open(self, request: urllib.request.Request) -> HTTPResponse:
        return self.do_open(HTTPSConnection, request, context=self._trust, source_address=self._from)


def fetch(url: str, printed: str = PRINTED, address: str = "127.0.0.1") -> tuple[int, bytes]:
    """What a telephone at an address gets. Its trust in our certificate isn't what is tested here."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    agent = f"Yealink SIP-T54W 96.86.0.23 {printed.lower()}"
    request = urllib.request.Request(url, headers={"User-Agent": agent})
    try:
        with urllib.request.build_opener(_At(address, context)).open(request, timeout=45) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def settings_url(town: Town) -> str:
    listen = town.configuration.provisioning.https[0]
    return f"https://{listen.host}:{listen.port}"


async def press(page: Page, name: str) -> None:
    await page.get_by_role("dialog").get_by_role("button", name=name, exact=True).click()


@pytest.mark.parametrize("language", ["fr", "en"])
async def test_before_the_first_telephone_the_page_says_what_to_do(sign_in: SignIn, language: str) -> None:
    page = await sign_in("administrator", language, "/phones")
    await page.get_by_role("tab").first.wait_for()
    await expect(page.get_by_role("listitem").filter(has_text="DHCP")).to_be_visible()
    await check_page(page, "phones-empty")


async def test_a_telephone_is_added_invited_configured_and_blocked(sign_in: SignIn, town: Town) -> None:
    page = await sign_in("administrator", "fr", "/phones")
    town.command("user", "add", "2071", "Zoé Faure")
    await page.get_by_role("button", name="Ajouter un téléphone").click()
    form = page.get_by_role("dialog")
    await form.get_by_label("Adresse MAC").fill(PRINTED)
    await form.get_by_label("Modèle").select_option("T54W")
    await form.get_by_label("Ligne 1").fill("2071")
    await expect(form.get_by_role("paragraph").filter(has_text="Zoé Faure")).to_be_visible()
    await form.get_by_label("Nom usuel").fill("Accueil, guichet 2")
    await check_page(page, "phone-add")
    await press(page, "Ajouter un téléphone")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Accueil, guichet 2")
    await page.get_by_role("button", name="Lien à usage unique").click()
    link = await page.locator(".secret code").inner_text()
    await check_page(page, "phone-invited")
    status, content = fetch(f"{link}{MAC}.cfg")
    assert status == 200 and b"account.1.user_name = 2071-c0123456\n" in content
    assert fetch(f"{link}{MAC}.cfg")[0] == 403
    await press(page, "Fermer")
    await page.reload()
    await expect(page.get_by_text("En service")).to_be_visible()
    await expect(page.get_by_text("Réglages remis")).to_be_visible()
    await check_page(page, "phone")
    await page.get_by_role("button", name="Mot de passe de l’appareil").click()
    await press(page, "Montrer")
    passwords = page.locator(".secret code")  # of its administrator, of its other account
    await expect(passwords).to_have_count(2)
    assert [len(one) >= 16 for one in await passwords.all_inner_texts()] == [True, True]
    await press(page, "Fermer")
    await page.get_by_role("button", name="Bloquer").click()
    await check_page(page, "phone-block")
    await press(page, "Bloquer")
    await expect(page.get_by_text("Bloqué", exact=True).first).to_be_visible()
    await page.get_by_role("link", name="Tous les téléphones").click()
    await page.get_by_role("combobox", name="État").select_option(label="Bloqué")
    await expect(page.get_by_role("rowheader")).to_contain_text(["Accueil, guichet 2"])
    await check_page(page, "phones")


async def test_a_device_that_nobody_knows_is_adopted_from_its_row(sign_in: SignIn, town: Town) -> None:
    other = "80:5E:C0:99:00:01"
    assert fetch(f"{settings_url(town)}/805ec0990001.cfg", other)[0] == 403
    page = await sign_in("administrator", "fr", "/phones")
    await page.get_by_role("tab", name="À adopter (1)").click()
    await expect(page.get_by_text("Il ne s’est pas encore présenté")).to_be_visible()
    await check_page(page, "phones-waiting")
    await page.get_by_role("button", name=f"Ignorer {other}").click()
    await press(page, "Ignorer")
    await page.get_by_role("button", name=f"Ne plus ignorer {other}").click()
    await page.get_by_role("button", name=f"Adopter {other}").click()
    town.command("user", "add", "2072", "Yann Le Goff")
    await page.get_by_role("dialog").get_by_label("Ligne 1").fill("2072")
    await check_page(page, "phone-adopt")
    await press(page, "Adopter")
    await expect(page.get_by_role("tab", name="À adopter", exact=True)).to_be_visible()
    await expect(page.get_by_text("encore 15 minutes")).to_be_visible()
    status, content = fetch(f"{settings_url(town)}/805ec0990001.cfg", other)
    assert status == 200 and b"2072-c0990001" in content


async def test_whoever_is_adopted_at_several_addresses_is_told_apart(sign_in: SignIn, town: Town) -> None:
    mac, printed = "805ec0990002", "80:5E:C0:99:00:02"
    for address in ("127.0.0.1", "127.0.0.66"):  # an impostor says the same
        assert fetch(f"{settings_url(town)}/{mac}.cfg", printed, address)[0] == 403
    page = await sign_in("administrator", "en", "/phones")
    await page.get_by_role("tab", name=re.compile("To adopt")).click()
    await page.get_by_role("button", name=f"Adopt {printed}").click()
    town.command("user", "add", "2075", "Rose Girard")
    await page.get_by_role("dialog").get_by_label("Line 1").fill("2075")
    await press(page, "Adopt")
    question = page.get_by_role("dialog", name=f"Which one is {printed}?")
    await question.get_by_label("Address of the real telephone").select_option("127.0.0.1")
    await check_page(page, "phone-which")
    await question.get_by_role("button", name="Take", exact=True).click()
    await expect(page.get_by_role("dialog")).to_have_count(0)
    assert fetch(f"{settings_url(town)}/{mac}.cfg", printed, "127.0.0.66")[0] == 403
    status, content = fetch(f"{settings_url(town)}/{mac}.cfg", printed, "127.0.0.1")
    assert status == 200 and b"2075-c0990002" in content


async def test_keys_are_chosen_and_moved_by_keyboard_alone(sign_in: SignIn, town: Town) -> None:
    page = await sign_in("administrator", "fr", "/directory/1001")
    await page.get_by_role("button", name="Choisir les touches").press("Enter")
    rows = page.locator(".phone-keys > li")
    count = await rows.count()
    await page.get_by_role("button", name="Ajouter une touche").press("Enter")
    form = page.get_by_role("dialog")
    await form.get_by_label("Personne ou service").fill("1002")
    await expect(form.get_by_text("Le voyant montre si Bruno Petit téléphone")).to_be_visible()
    await check_page(page, "phone-key")
    await form.get_by_label("Texte sur l’écran").press("Enter")
    await expect(rows).to_have_count(count + 1)
    added = page.get_by_role("button", name=f"Monter la touche {count + 1}, Bruno Petit")
    await added.press("Enter")
    focused = page.locator(":focus")
    await expect(focused).to_have_accessible_name(f"Monter la touche {count}, Bruno Petit")
    await focused.press("Alt+ArrowUp")
    await expect(page.get_by_role("status").filter(has_text=f"touche {count - 1} sur")).to_be_attached()
    await check_page(page, "phone-keys")
    await page.get_by_role("button", name="Enregistrer les touches").press("Enter")
    await expect(page.get_by_text("Ces touches ont été choisies")).to_be_visible()
    await expect(rows.nth(count - 2)).to_contain_text("Bruno Petit")


async def test_a_spreadsheet_is_looked_at_before_it_is_done(sign_in: SignIn, town: Town) -> None:
    town.command("user", "add", "2073", "Inès Roy")
    page = await sign_in("administrator", "fr", "/phones")
    await page.get_by_role("tab", name="Tableur").click()
    lines = page.get_by_label("Ou collez les lignes ici")
    await lines.fill("mac,brand,model,extension\n00:04:13:AA:BB:CC,snom,D785,7777\nfaux,snom,D785,\n")
    await page.get_by_role("button", name="Vérifier").click()
    await expect(page.get_by_text("Personne de l’annuaire n’a ce numéro intérieur.")).to_be_visible()
    await check_page(page, "phones-import-wrong")
    await lines.fill("mac,brand,model,extension\n00:04:13:AA:BB:CC,snom,D785,2073\n")
    await page.get_by_role("button", name="Vérifier").click()
    await expect(page.get_by_role("cell", name="Inès Roy")).to_be_visible()
    await check_page(page, "phones-import")
    await page.get_by_role("button", name="Faire ces changements").click()
    await expect(page.get_by_text("1 téléphone ajouté")).to_be_visible()


async def test_a_wave_is_begun_and_firmware_is_given_to_a_site(
    sign_in: SignIn, town: Town, tmp_path: Path
) -> None:
    town.command("user", "add", "2074", "Hugo Blanc")
    mac = "805ec0770001"
    town.command("phone", "add", mac, "--brand", "yealink", "--model", "T54W", "--extension", "2074")
    link = json.loads(town.command("phone", "invite", mac, "--json"))["url"]
    assert fetch(f"{link}{mac}.cfg", "80:5E:C0:77:00:01")[0] == 200
    page = await sign_in("administrator", "fr", "/phones")
    await page.get_by_role("tab", name="Mises à jour").click()
    await page.get_by_role("button", name="Lancer une vague").click()
    form = page.get_by_role("dialog")
    await form.get_by_label("Seulement à ces heures").check()
    await check_page(page, "phones-wave")
    await form.get_by_label("Seulement à ces heures").uncheck()
    await press(page, "Lancer")
    await expect(page.get_by_role("rowheader", name="Relire les réglages").first).to_be_visible()
    await page.get_by_role("button", name="Déposer un logiciel").click()
    image = tmp_path / "T54W-96.86.0.99.rom"
    image.write_bytes(b"firmware" * 1000)
    await page.get_by_label("Fichier du fabricant", exact=True).set_input_files(image)
    await form.get_by_label("Marque").select_option("yealink")
    await form.get_by_label("Pour ces modèles").fill("T53W, T54W")
    await form.get_by_label("Version").fill("96.86.0.99")
    await check_page(page, "phones-firmware-upload")
    await press(page, "Déposer")
    await page.get_by_role("button", name="Donner T54W").click()
    await form.get_by_label("École Jules-Ferry").check()
    await press(page, "Donner")
    await expect(page.get_by_role("row", name="T54W-96.86.0.99.rom")).to_contain_text("École Jules-Ferry")
    await expect(page.get_by_role("row", name="T54W-96.86.0.99.rom")).to_contain_text("Yealink T53W, T54W")
    await check_page(page, "phones-updates")


async def test_a_wave_that_waits_for_its_hour_is_stopped(sign_in: SignIn, town: Town) -> None:
    town.command("user", "add", "2076", "Lola Caron")
    mac = "805ec0880001"
    town.command("phone", "add", mac, "--brand", "yealink", "--model", "T54W", "--extension", "2076")
    link = json.loads(town.command("phone", "invite", mac, "--json"))["url"]
    assert fetch(f"{link}{mac}.cfg", "80:5E:C0:88:00:01")[0] == 200
    page = await sign_in("administrator", "fr", "/phones")
    await page.get_by_role("tab", name="Mises à jour").click()
    await page.get_by_role("button", name="Lancer une vague").click()
    form = page.get_by_role("dialog")
    await form.get_by_label("Seulement à ces heures").check()
    later = (datetime.now(ZoneInfo("Europe/Paris")).hour + 12) % 24  # noqa: TID251,RUF100 (the node reads it)
    await form.get_by_label("De", exact=True).select_option(str(later))
    await form.get_by_label("À", exact=True).select_option(str((later + 1) % 24))
    await press(page, "Lancer")
    waiting = page.get_by_role("row").filter(has_text=f"de {later} h")
    await expect(waiting).to_contain_text("En cours")
    await waiting.get_by_role("button", name=re.compile("Arrêter la vague")).press("Enter")
    await check_page(page, "phones-wave-stop")
    await form.get_by_role("button", name="Arrêter", exact=True).press("Enter")
    await expect(waiting).to_contain_text("Arrêtée")
    await expect(waiting).to_contain_text("par administrator")
    await expect(waiting.get_by_role("button")).to_have_count(0)
    page = await sign_in("administrator", "en", "/phones")
    await page.get_by_role("tab", name="Updates").click()
    stopped = page.get_by_role("row").filter(has_text=f"from {later}:00")
    await expect(stopped).to_contain_text("Stopped")
    await expect(stopped).to_contain_text("by administrator")
    await check_page(page, "phones-wave-stopped")


async def test_the_lan_is_told_where_settings_are_and_looked_at_in_both_languages(sign_in: SignIn) -> None:
    page = await sign_in("administrator", "en", "/phones")
    await page.get_by_role("tab", name="Network").click()
    await expect(page.get_by_text("dhcp-option=66")).to_be_visible()
    await page.get_by_label("DHCP server").select_option("windows")
    await expect(page.get_by_text("Set-DhcpServerv4OptionValue").first).to_be_visible()
    await page.get_by_role("button", name="Look at the network").click()
    await expect(page.get_by_text(re.compile("finding|Nothing keeps"))).to_be_visible()
    await check_page(page, "phones-network")
    # What is found has its French, word for word: nothing English is left on the page.
    page = await sign_in("administrator", "fr", "/phones")
    await page.get_by_role("tab", name="Réseau").click()
    await page.get_by_role("button", name="Examiner le réseau").click()
    await expect(page.get_by_text(re.compile("constat|Rien n’empêche"))).to_be_visible()
    await expect(page.get_by_role("main").locator("[lang=en]")).to_have_count(0)
    await check_page(page, "phones-network-fr")


async def test_a_supervisor_sees_telephones_and_changes_none(sign_in: SignIn) -> None:
    page = await sign_in("supervisor", "fr", "/phones")
    await page.get_by_role("tab", name="Téléphones").wait_for()
    await expect(page.get_by_role("button")).not_to_contain_text(["Ajouter", "Ouvrir pour"])
    await page.goto(page.url.replace("/phones", f"/phones/{MAC}"))
    await page.get_by_role("heading", name="Touches").wait_for()
    for name in ("Modifier", "Bloquer", "Lien à usage unique", "Mot de passe de l’appareil"):
        await expect(page.get_by_role("button", name=name)).to_have_count(0)
