"""Every registered page: in both languages, while it waits, failed, its text spread, with forced colours."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import Page, Route

from tests.browser.checking import axe, check_forced_colours, check_spacing, photograph, settled
from tests.browser.conftest import SignIn
from tests.browser.registered import RegisteredPage, registered_pages

pytestmark = pytest.mark.xdist_group("browser-pages")

each_page = pytest.mark.parametrize("registered", registered_pages(), ids=lambda page: page.path)


@each_page
async def test_a_page_waits_fails_and_speaks_both_languages(
    sign_in: SignIn, registered: RegisteredPage
) -> None:
    page = await sign_in(registered.opened_by, "fr", "/")
    await settled(page)
    failing = await hold_answers(page)
    await go(page, registered.path)
    assert await axe(page) == []  # while it is read
    await photograph(page, f"{registered.name}-fr-loading")
    failing.set()
    await settled(page)
    assert await axe(page) == []
    await photograph(page, f"{registered.name}-fr-failed")
    await page.unroute_all(behavior="wait")
    await page.reload()
    await settled(page)
    assert await axe(page) == []
    await photograph(page, f"{registered.name}-fr")
    assert await check_spacing(page, registered.name) == []
    assert await check_forced_colours(page, registered.name) == []
    title = await page.title()
    assert title.endswith(" · Beffroi") and title != " · Beffroi"
    await page.evaluate("localStorage.setItem('beffroi.language', 'en')")
    await page.reload()
    await settled(page)
    await photograph(page, f"{registered.name}-en")
    assert await page.evaluate("document.documentElement.lang") == "en"
    assert french_left_in(await page.inner_text("body")) == []


async def hold_answers(page: Page) -> asyncio.Event:
    """Have no answer come but the session's; what waits fails once the event is set."""
    failing = asyncio.Event()

    async def hold_then_fail(route: Route) -> None:
        await failing.wait()
        problem = {"code": "signalling_away", "status": 503, "detail": "away", "mend": "", "where": ""}
        await route.fulfill(status=503, json=problem)

    await page.route(lambda url: "/api/v1/" in url and not url.endswith("/session"), hold_then_fail)
    return failing


async def go(page: Page, path: str) -> None:
    """Go to a page as a link does, without loading the application again."""
    await page.evaluate(
        "(to) => { history.pushState(null, '', to); dispatchEvent(new PopStateEvent('popstate')); }", path
    )
    await page.locator("h1").first.wait_for()


def french_left_in(text: str) -> list[str]:
    """Words of the frame and of components that only French has."""
    words = {"Accueil", "Chargement…", "Filtrer", "Afficher", "Enregistrer", "Fermer", "Annuler", "Réessayer"}
    return sorted(words & set(text.split()))
