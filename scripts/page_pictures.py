"""The documents' pictures of the web pages: the real ones, of a sample town in which a call goes on.

python -m scripts.page_pictures docs/images
"""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
import tempfile
import urllib.error
import urllib.request
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from playwright.async_api import Browser, ViewportSize, async_playwright

from pbx.accounts.rights import Role
from pbx.demo.voice import Voice
from tests.browser.checking import settled
from tests.browser.conftest import CHROMIUM, FLAGS
from tests.browser.town import HOST, Town, running_town

WIDTH = 1120


@dataclass(frozen=True)
class Picture:
    """A page, as somebody sees it. height: in pixels; shows: a text that is there when it is ready."""

    name: str
    role: Role
    path: str
    language: str
    theme: Literal["light", "dark"]
    height: int
    shows: str


PICTURES = (
    Picture("page-calls", "operator", "/calls", "fr", "light", 290, "Bruno Petit"),
    Picture("page-directory", "supervisor", "/directory", "en", "dark", 620, "Alice Martin"),
    Picture("page-plan", "administrator", "/plan", "fr", "light", 620, "Ville de Valmont"),
    Picture("page-phones", "administrator", "/phones", "fr", "light", 640, "Accueil, guichet 2"),
    Picture("page-phone", "administrator", "/phones/805ec0123456", "en", "dark", 844, "Zoé Faure"),
)

TELEPHONES = (
    ("805ec0123456", "yealink", "T54W", "2071", "Zoé Faure", "Accueil, guichet 2", "mairie"),
    ("000413aabbcc", "snom", "D785", "2072", "Yann Le Goff", "Police, poste de garde", "police"),
    ("c074ad000001", "grandstream", "GRP2615", "2073", "Inès Roy", "École, direction", "ecole"),
    ("0c383e000001", "fanvil", "X5U", "2074", "Hugo Blanc", "Services techniques", "mairie"),
)


async def photograph(browser: Browser, town: Town, picture: Picture, folder: Path) -> None:
    """Write one picture."""
    size: ViewportSize = {"width": WIDTH, "height": picture.height}
    context = await browser.new_context(
        viewport=size, color_scheme=picture.theme, locale=picture.language, timezone_id="Europe/Paris"
    )
    await context.add_init_script(f"localStorage.setItem('beffroi.language', '{picture.language}')")
    await context.add_cookies([{"name": "beffroi", "value": town.session(picture.role), "url": town.url}])
    page = await context.new_page()
    await page.goto(town.url + picture.path)
    await settled(page)
    await page.get_by_text(picture.shows).first.wait_for()
    await page.wait_for_timeout(1000)  # what is checked while one looks at it has come
    await page.screenshot(path=folder / f"{picture.name}.png", animations="disabled")
    await context.close()


async def call(town: Town, stack: AsyncExitStack) -> None:
    """Have 1001 talk with 1002 until the stack is left."""
    caller, callee = town.phone("1001"), town.phone("1002")
    voices = [Voice(HOST, 440, 1000), Voice(HOST, 1000, 440)]
    for voice in voices:
        stack.callback(voice.close)
    for agent, transport in (caller, callee):
        stack.callback(transport.close)
        stack.callback(agent.close)
    for agent, _ in (caller, callee):
        await agent.register()
    going = caller[0].invite("1002", voices[0].offer())
    coming = await callee[0].incoming()
    coming.ring()
    coming.answer(voices[1].answer(coming.offer))
    voices[0].take_answer(await going.answered())
    await coming.acknowledged()
    stack.push_async_callback(coming.ended)
    stack.callback(going.hang_up)


def telephones(town: Town) -> None:
    """Have some desk telephones, one of which has its settings and one that is nobody's."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    listen = town.configuration.provisioning.https[0]
    here = f"https://{listen.host}:{listen.port}/"
    for mac, brand, model, extension, name, label, site in TELEPHONES:
        town.command("user", "add", extension, name)
        about = [
            "--brand",
            brand,
            "--model",
            model,
            "--extension",
            extension,
            "--label",
            label,
            "--site",
            site,
        ]
        town.command("phone", "add", mac, *about)
    link = json.loads(town.command("phone", "invite", "805ec0123456", "--json"))["url"]
    agent = {"User-Agent": "Yealink SIP-T54W 96.86.0.23 80:5e:c0:12:34:56"}
    for url in (f"{link}805ec0123456.cfg", f"{here}805ec0990001.cfg"):
        with suppress(urllib.error.HTTPError):  # the second one is refused, and listed
            urllib.request.urlopen(urllib.request.Request(url, headers=agent), timeout=10, context=context)


async def photograph_all(folder: Path) -> None:
    """Write all pictures into a folder."""
    with tempfile.TemporaryDirectory() as scratch, running_town(Path(scratch)) as town:
        async with AsyncExitStack() as stack, async_playwright() as playwright:
            await call(town, stack)
            await asyncio.to_thread(telephones, town)
            browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            for picture in PICTURES:
                await photograph(browser, town, picture, folder)
            await browser.close()


if __name__ == "__main__":
    asyncio.run(photograph_all(Path(sys.argv[1])))
