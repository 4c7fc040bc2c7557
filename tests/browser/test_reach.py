"""How calls reach a page and how visitors reach the town: the button of its site, links, notifications."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from playwright.async_api import Browser, BrowserContext, CDPSession, Page, Worker, expect

from pbx.demo.voice import Voice
from sip.user_agent import CallFailed, OutgoingCall, UserAgent
from tests.browser.checking import SCREENSHOTS, check_page
from tests.browser.conftest import SignIn
from tests.browser.listening import browser
from tests.browser.speaking import CALLED_HZ, CALLER_HZ, telephone
from tests.browser.town import HOST, PATIENCE_SECONDS, TEST_SECONDS, Town, running_town
from tests.browser.towns_site import Site, towns_site
from tests.push.service import Browser as PushedBrowser

__all__ = ["browser"]  # a fixture

pytestmark = pytest.mark.xdist_group("browser-reach")

MORE = """\
click_to_call:
  - name: ecole
    service: accueil-ecole
    sites: ["{site}"]
    most_calls: 1
    most_calls_per_visitor: 100
    title: {{fr: "Appeler l’école", en: "Call the school"}}
"""
_SERVED = """async () => {
  await navigator.serviceWorker.ready;
  if (navigator.serviceWorker.controller !== null) return;
  const options = { once: true };
  await new Promise((done) => navigator.serviceWorker.addEventListener("controllerchange", done, options));
}"""


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with towns_site() as running:
        yield running


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory, site: Site) -> Iterator[Town]:
    with running_town(tmp_path_factory.mktemp("town"), more=MORE.format(site=site.origin)) as running:
        yield running


@asynccontextmanager
async def visiting(
    browser: Browser, language: str = "fr", theme: str = "light"
) -> AsyncIterator[BrowserContext]:
    """A visitor's browser, which knows nothing of us."""
    locale = {"fr": "fr-FR", "en": "en-GB"}[language]
    context = await browser.new_context(
        locale=locale, color_scheme=theme, viewport={"width": 420, "height": 640}
    )
    context.set_default_timeout(1000 * PATIENCE_SECONDS)
    try:
        yield context
    finally:
        await context.close()


async def pressed(context: BrowserContext, town: Town, site: Site, attributes: str = "") -> Page:
    """The panel, once the button of the site was pressed."""
    site.body = f'<h1>Valmont</h1><script src="{town.url}/click/ecole.js" {attributes}></script>'
    page = await context.new_page()
    await page.goto(site.origin)
    async with context.expect_page() as opened:
        await page.get_by_role("button", name="Appeler depuis le navigateur").click()
    panel = await opened.value
    await panel.wait_for_url(f"{town.url}/click/ecole**")
    return panel


async def test_a_visitor_calls_by_the_button_and_is_heard(browser: Browser, town: Town, site: Site) -> None:
    voice = Voice(HOST, CALLED_HZ, 0)
    try:
        async with (
            visiting(browser) as context,
            telephone(town, "2401") as desk,
            asyncio.timeout(TEST_SECONDS),
        ):
            panel = await pressed(context, town, site)
            await expect(panel.get_by_role("heading", name="Appeler l’école")).to_be_visible()
            await check_page(panel, "click-idle")
            await panel.get_by_role("button", name="Appeler", exact=True).click()
            coming = await desk.incoming()
            coming.ring()
            coming.answer(voice.answer(coming.offer))
            await coming.acknowledged()
            voice.speak()
            await expect(panel.get_by_text("En communication")).to_be_visible()
            await check_page(panel, "click-talking")
            assert voice.heard_seconds > 0.2
            await panel.get_by_role("button", name="Raccrocher").click()
            await coming.ended()
            await expect(panel.get_by_text("L’appel est terminé.")).to_be_visible()
    finally:
        voice.close()
    assert "click ecole" in town.command("call", "list")


async def test_a_second_visitor_waits_and_goes_on_when_the_line_is_free(
    browser: Browser, town: Town, site: Site
) -> None:
    first, second = Voice(HOST, CALLED_HZ, CALLER_HZ), Voice(HOST, CALLED_HZ, CALLER_HZ)
    try:
        async with (
            visiting(browser) as context,
            telephone(town, "2401") as desk,
            asyncio.timeout(TEST_SECONDS),
        ):
            one, two = await pressed(context, town, site), await pressed(context, town, site)
            await one.get_by_role("button", name="Appeler", exact=True).click()
            coming = await desk.incoming()
            coming.answer(first.answer(coming.offer))
            await coming.acknowledged()
            await expect(one.get_by_text("En communication")).to_be_visible()
            await two.get_by_role("button", name="Appeler", exact=True).click()
            await expect(two.get_by_text("Vous êtes le prochain.")).to_be_visible()
            await check_page(two, "click-waiting")
            await one.get_by_role("button", name="Raccrocher").click()
            await coming.ended()
            coming = await desk.incoming()
            coming.answer(second.answer(coming.offer))
            await coming.acknowledged()
            await expect(two.get_by_text("En communication")).to_be_visible()
            await two.close()  # a visitor who goes away hangs up
            await coming.ended()
    finally:
        first.close()
        second.close()


async def test_a_site_that_is_not_declared_gets_no_pass_and_shows_no_panel(
    browser: Browser, town: Town, site: Site
) -> None:
    with towns_site() as stranger:
        async with visiting(browser) as context:
            stranger.body = f'<script src="{town.url}/click/ecole.js"></script>'
            page = await context.new_page()
            await page.goto(stranger.origin)
            await page.get_by_role("button", name="Appeler depuis le navigateur").click()
            await expect(page.get_by_text("Ce bouton ne marche pas sur ce site.")).to_be_visible()
            stranger.body = f'<iframe src="{town.url}/click/ecole"></iframe>'
            refused = await context.new_page()
            await refused.goto(stranger.origin)
            assert all(not frame.url.startswith(town.url) for frame in refused.frames)


async def test_the_panel_is_shown_within_the_site_where_it_says_so(
    browser: Browser, town: Town, site: Site
) -> None:
    script = f'src="{town.url}/click/ecole.js" data-panel="frame" data-label="Ring us"'
    site.body = f'<p lang="en"><script {script}></script></p>'
    async with visiting(browser) as context:
        page = await context.new_page()
        await page.goto(site.origin)
        await page.get_by_role("button", name="Ring us").click()
        frame = page.frame_locator("iframe")
        await expect(frame.get_by_role("heading", name="Call the school")).to_be_visible()
        await page.get_by_role("button", name="Close").click()
        await expect(page.locator("iframe")).to_have_count(0)


async def test_a_panel_without_a_pass_says_how_to_come(browser: Browser, town: Town) -> None:
    async with visiting(browser, "en") as context:
        page = await context.new_page()
        await page.goto(f"{town.url}/click/ecole?lang=en")
        await expect(page.get_by_role("alert")).to_have_text(
            "Open this page by the button of the town’s site."
        )


@pytest.mark.parametrize("language", ["fr", "en"])
async def test_a_link_asks_before_it_calls(sign_in: SignIn, town: Town, language: str) -> None:
    words = {"fr": ("Appeler ce numéro ?", "Appeler"), "en": ("Call this number?", "Call")}[language]
    async with telephone(town, "1002") as bruno, asyncio.timeout(TEST_SECONDS):
        page = await sign_in("agent", language, "/call?to=tel:1002;ext=4")
        await expect(page.get_by_role("heading", name=words[0])).to_be_visible()
        await check_page(page, f"link-{language}")
        call = page.get_by_role("main").get_by_role("button", name=words[1], exact=True)
        await expect(call).to_be_visible()
        await call.click()
        (await bruno.incoming()).refuse(486)


@pytest.mark.parametrize(
    ("link", "said"),
    [
        ("javascript:alert(1)", "n’est pas un numéro"),
        ("tel:*21*0612345678%2523", "code de service"),
        ("sip:1002@ailleurs.example", "un autre domaine"),
    ],
)
async def test_a_strange_link_is_refused_in_words(sign_in: SignIn, link: str, said: str) -> None:
    page = await sign_in("agent", "fr", f"/call?to={link}")
    await expect(page.get_by_role("main").get_by_role("alert")).to_contain_text(said)


async def test_without_a_network_the_page_says_that_nobody_can_call(sign_in: SignIn, town: Town) -> None:
    page = await sign_in("agent", "fr", "/")
    await page.evaluate(_SERVED)
    await page.context.set_offline(True)
    await page.goto(f"{town.url}/history")
    await expect(page.get_by_role("heading", name="Pas de connexion")).to_be_visible()
    await expect(page.get_by_text("composez le 112 sur un autre téléphone")).to_be_visible()
    await page.screenshot(path=SCREENSHOTS / "offline.png")
    await page.context.set_offline(False)


# Notifications. A browser without the world has no push service: what one would deliver is handed to it here.

_SUBSCRIBE = """async (browser) => {
  const { csrf } = await (await fetch("/api/v1/session")).json();
  const headers = { "Content-Type": "application/json", "X-CSRF-Token": csrf };
  const body = JSON.stringify(browser);
  const answer = await fetch("/api/v1/push/browsers", { method: "POST", headers, body });
  return answer.status;
}"""
_SHOWN = """async () => (await self.registration.getNotifications()).map((one) => ({
  title: one.title, body: one.body, tag: one.tag, actions: one.actions.map((action) => action.title),
}))"""
_PRESS = """async (action) => {
  const [notification] = await self.registration.getNotifications();
  self.dispatchEvent(new NotificationEvent("notificationclick", { notification, action }));
}"""


async def subscribed(page: Page) -> None:
    """Somebody's browser is told of calls from now on, as far as the node knows."""
    browser = PushedBrowser("https://push.invalid/1").secrets
    given = {"endpoint": browser.endpoint, "p256dh": browser.p256dh, "auth": browser.auth, "kinds": ["calls"]}
    assert await page.evaluate(_SUBSCRIBE, given) == 201


async def worker_of(page: Page) -> tuple[Worker, CDPSession]:
    """The service worker of a page, and a way to deliver what a push service would."""
    await page.context.grant_permissions(["notifications"])
    await page.evaluate(_SERVED)
    (worker,) = page.context.service_workers
    return worker, await page.context.new_cdp_session(page)


async def pushed(session: CDPSession, town: Town, told: dict[str, Any]) -> None:
    """Deliver a notification to the worker."""
    registered: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def updated(event: dict[str, Any]) -> None:
        for one in event["registrations"]:
            is_ours = one["scopeURL"] == f"{town.url}/" and not one["isDeleted"]
            if is_ours and not registered.done():
                registered.set_result(one["registrationId"])

    session.on("ServiceWorker.workerRegistrationUpdated", updated)
    await session.send("ServiceWorker.enable")
    where = {"origin": town.url, "registrationId": await registered}
    await session.send("ServiceWorker.deliverPushMessage", {**where, "data": json.dumps(told)})
    session.remove_listener("ServiceWorker.workerRegistrationUpdated", updated)
    await session.send("ServiceWorker.disable")


async def shown(worker: Worker) -> list[dict[str, Any]]:
    """The notifications, once there is any."""
    async with asyncio.timeout(TEST_SECONDS):
        while True:
            if found := await worker.evaluate(_SHOWN):
                return list(found)


async def rings_on(agent: UserAgent, number: str, offer: bytes) -> OutgoingCall:
    """Call somebody none of whose telephones is there, as soon as signalling knows that they can be woken."""
    for _ in range(40):
        going = agent.invite(number, offer)
        with suppress(CallFailed):
            await going.ringing()
            return going
    raise AssertionError(f"{number} was never woken")


async def test_a_closed_page_is_opened_by_answer_and_takes_the_call(sign_in: SignIn, town: Town) -> None:
    page = await sign_in("agent", "fr", "/history")
    await subscribed(page)
    await page.goto(f"{town.url}/offline.html")
    voice = Voice(HOST, CALLER_HZ, 0)
    try:
        async with telephone(town, "1002") as bruno, asyncio.timeout(TEST_SECONDS):
            going = await rings_on(bruno, "1001", voice.offer())
            await page.goto(f"{town.url}/telephone?answer=unknown-yet&number=1002")
            voice.take_answer(await going.answered())
            await expect(page.locator(".call-card[data-state='talking']")).to_be_visible()
            assert "answer" not in page.url
            going.hang_up()
    finally:
        voice.close()
