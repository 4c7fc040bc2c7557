"""The frame around every page."""

from __future__ import annotations

import asyncio
import re

import pytest
from playwright.async_api import Route, WebSocketRoute, expect

from tests.browser.checking import check_page, settled
from tests.browser.conftest import NewPage, SignIn
from tests.browser.town import PASSWORD, TEST_SECONDS, Town

pytestmark = pytest.mark.xdist_group("browser-shell")

ROWS, MOST_DRAWN = 10_000, 400


@pytest.mark.parametrize("language", ["fr", "en"])
async def test_the_first_page_is_as_it_should_be(sign_in: SignIn, language: str) -> None:
    page = await sign_in("administrator", language)
    await check_page(page, "home")


async def test_nobody_signed_in_sees_the_page_of_signing_in(town: Town, new_page: NewPage) -> None:
    page = await new_page(town.url)
    await expect(page.get_by_role("heading", level=1)).to_have_text("Se connecter")
    await check_page(page, "sign-in")


async def test_the_language_changes_without_loading_the_page_again(sign_in: SignIn) -> None:
    page = await sign_in("supervisor")
    await settled(page)
    await page.evaluate("window.stays = true")
    await page.get_by_role("button", name="Compte").click()
    await page.get_by_role("menuitemradio", name="English").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Hello Claire Robert")
    assert await page.evaluate("document.documentElement.lang") == "en"
    assert await page.evaluate("window.stays")


async def test_the_appearance_is_chosen_and_kept(sign_in: SignIn) -> None:
    page = await sign_in("supervisor")
    await page.get_by_role("button", name="Compte").click()
    await check_page(page, "account-menu")
    await page.get_by_role("menuitemradio", name="Sombre").click()
    await page.reload()
    await settled(page)
    assert await page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "dark"


async def test_a_page_that_is_gone_to_is_announced(sign_in: SignIn) -> None:
    page = await sign_in("administrator")
    await page.get_by_role("navigation", name="Lieux").get_by_role("link", name="Administration").click()
    heading = page.get_by_role("heading", level=1)
    await expect(heading).not_to_have_text("Bonjour Élise Bernard")
    # Of several windows one has the focus: what counts is where it is in this one.
    async with asyncio.timeout(TEST_SECONDS):
        while await page.evaluate("document.activeElement.tagName") != "H1":
            await asyncio.sleep(0.05)
    assert await page.evaluate("document.activeElement.textContent") in await page.title()
    await page.go_back()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Bonjour Élise Bernard")


async def test_the_keyboard_skips_the_navigation(sign_in: SignIn) -> None:
    page = await sign_in("administrator")
    await settled(page)
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Aller au contenu")).to_be_focused()
    await page.keyboard.press("Enter")
    assert await page.evaluate("document.activeElement.id") == "content"


async def test_keys_are_shown_work_and_can_be_turned_off(sign_in: SignIn) -> None:
    page = await sign_in("administrator")
    await settled(page)
    await page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Raccourcis clavier")
    await expect(dialog).to_contain_text("Ouvrir : Administration")
    await check_page(page, "shortcuts")
    await dialog.get_by_label("Raccourcis d’une seule touche").uncheck()
    await page.keyboard.press("Escape")
    await expect(dialog).to_be_hidden()
    await page.keyboard.press("?")
    await expect(dialog).to_be_hidden()


async def test_an_address_that_is_nothing_says_so(sign_in: SignIn) -> None:
    page = await sign_in("agent", path="/plan")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Cette page n’existe pas")
    await check_page(page, "missing")


async def test_a_live_connection_that_is_lost_is_said_until_it_is_back(town: Town, new_page: NewPage) -> None:
    cookie = {"name": "beffroi", "value": town.session("administrator"), "url": town.url}
    page = await new_page(town.url, cookies=[cookie])
    opened: list[WebSocketRoute] = []
    is_cut = False

    async def follow(route: WebSocketRoute) -> None:
        if is_cut:
            await route.close()
        else:
            route.connect_to_server()
            opened.append(route)

    await page.route_web_socket("**/api/v1/events*", follow)
    async with page.expect_websocket():
        await page.goto(f"{town.url}/first-call")
    bar = page.get_by_text("La liaison en direct est interrompue")
    await expect(page.get_by_text("en attente du téléphone")).to_be_visible()
    await expect(bar).to_be_hidden()
    is_cut = True
    await opened[-1].close()
    await expect(bar).to_be_visible()
    await check_page(page, "link-lost")
    is_cut = False
    await expect(bar).to_be_hidden()


async def test_pages_that_were_installed_anew_are_told(sign_in: SignIn) -> None:
    page = await sign_in("administrator")
    await settled(page)
    newer = '<!doctype html><script type="module" src="/assets/index-NEWER.js"></script>'
    await page.route(f"{page.url}", lambda route: route.fulfill(content_type="text/html", body=newer))
    await page.evaluate(
        "history.pushState(null, '', '/first-call'); dispatchEvent(new PopStateEvent('popstate'))"
    )
    await expect(page.get_by_text("Une nouvelle version est installée.")).to_be_visible()
    await check_page(page, "new-version")


async def test_who_leaves_is_out_everywhere_this_cookie_is(town: Town, sign_in: SignIn) -> None:
    page = await sign_in("agent")
    await settled(page)
    copied = await page.context.cookies()
    await page.get_by_role("button", name="Compte").click()
    await page.get_by_role("menuitem", name="Se déconnecter").click()
    await expect(page.get_by_role("heading", name="Se connecter")).to_be_visible()
    await page.context.add_cookies(copied)
    await page.reload()
    await expect(page.get_by_role("heading", name="Se connecter")).to_be_visible()


async def test_who_signs_in_again_goes_on_where_they_were(town: Town, sign_in: SignIn) -> None:
    page = await sign_in("supervisor", path="/plan")
    await page.get_by_label("Qui appelle").fill("1001")
    await page.get_by_label("Numéro composé").fill("18")
    town.end_sessions("supervisor")  # the server closes the live connection for it, and the page asks why
    await expect(page.get_by_role("heading", name="Se connecter")).to_be_visible()
    await page.locator("input[autocomplete^=username]").fill("supervisor")
    await page.locator("input[type=password]").fill(PASSWORD)
    await page.get_by_role("button", name="Se connecter", exact=True).click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Plan de numérotation")
    await expect(page.get_by_label("Numéro composé")).to_have_value("18")
    await page.get_by_role("button", name="Expliquer").click()
    await expect(page.get_by_role("main")).to_contain_text("operateur-a")


async def test_a_list_of_ten_thousand_filters_without_drawing_them_all(sign_in: SignIn) -> None:
    page = await sign_in("administrator")

    async def many(route: Route) -> None:
        answer = await route.fetch()
        one = (await answer.json())["items"][0]
        rows = [
            {**one, "account": f"agent.{row:05d}", "name": f"Agente Ménard {row:05d}"} for row in range(ROWS)
        ]
        await route.fulfill(json={"items": rows, "next": ""})

    await page.route("**/api/v1/accounts*", many)
    await page.goto(page.url.rstrip("/") + "/accounts")
    table = page.get_by_role("table")
    await expect(page.get_by_role("status").filter(has_text="au total")).to_have_text(re.compile("10.000"))
    assert await table.get_by_role("row").count() < MOST_DRAWN
    await page.keyboard.press("/")
    await page.keyboard.type("menard 09999")
    await expect(table.get_by_role("rowheader")).to_have_text(["Agente Ménard 09999"])
    await page.keyboard.press("Tab")
    await page.get_by_label("Filtrer").fill("nobody of that name")
    await expect(page.get_by_text("Rien ne correspond à « nobody of that name ».")).to_be_visible()
    await check_page(page, "list-without-match")
    await page.get_by_label("Filtrer").fill("")
    await expect(table.get_by_role("rowheader", name="Agente Ménard 00000")).to_be_visible()
    await page.evaluate("scrollTo(0, document.body.scrollHeight)")
    await expect(table.get_by_role("rowheader", name="Agente Ménard 09999")).to_be_visible()
    assert await table.get_by_role("row").count() < MOST_DRAWN
