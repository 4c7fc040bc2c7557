"""One Chromium a worker, one node a module; a page that is signed in for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect

from pbx.accounts.rights import Role
from tests.browser.checking import WIDE, Troubles
from tests.browser.town import PATIENCE_SECONDS, Town, running_town

CHROMIUM = "/usr/bin/chromium"
# root has no sandbox; /dev/shm is small in containers; nothing is fetched that a page doesn't ask for.
FLAGS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-background-networking", "--disable-gpu"]


class SignIn(Protocol):
    """Opens a page as somebody of this role. path: the page; language: that of the browser."""

    def __call__(self, role: Role, language: str = "fr", path: str = "/") -> Coroutine[Any, Any, Page]: ...


NewPage = Callable[..., Coroutine[Any, Any, Page]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A browser and its pages live in the session's event loop, so the tests do as well."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.peer)
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with running_town(tmp_path_factory.mktemp("town")) as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    expect.set_options(timeout=1000 * PATIENCE_SECONDS)
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield running
        await running.close()


@pytest_asyncio.fixture(loop_scope="session")
async def new_page(browser: Browser) -> AsyncIterator[NewPage]:
    """Opens a page of a browser that knows nothing: `await new_page(url, language="en", cookies=[…])`.

    At the end, whatever went wrong in one of them fails the test.
    """
    contexts: list[tuple[BrowserContext, Troubles]] = []

    async def open_page(
        url: str, language: str = "fr", cookies: list[dict[str, Any]] | None = None, path: str = "/"
    ) -> Page:
        locale = {"fr": "fr-FR", "en": "en-GB"}[language]
        context = await browser.new_context(
            locale=locale, viewport=WIDE, color_scheme="light", timezone_id="Europe/Paris"
        )
        troubles = Troubles(url)
        contexts.append((context, troubles))
        context.set_default_timeout(1000 * PATIENCE_SECONDS)
        kept = "localStorage.getItem('beffroi.language')"
        await context.add_init_script(f"{kept} ?? localStorage.setItem('beffroi.language', '{language}')")
        if cookies:
            await context.add_cookies(cookies)
        page = await context.new_page()
        troubles.watch(page)
        await page.goto(url + path)
        return page

    yield open_page
    told = [each for _, troubles in contexts for each in troubles.told]
    for context, _ in contexts:
        await context.close()
    assert told == []


@pytest.fixture
def sign_in(town: Town, new_page: NewPage) -> SignIn:
    async def open_signed_in(role: Role, language: str = "fr", path: str = "/") -> Page:
        cookie = {"name": "beffroi", "value": town.session(role), "url": town.url}
        return await new_page(town.url, language, [{**cookie, "httpOnly": True, "sameSite": "Lax"}], path)

    return open_signed_in
