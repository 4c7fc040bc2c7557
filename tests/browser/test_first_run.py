"""The first run: from an empty folder to a call, in a browser and with a telephone."""

from __future__ import annotations

import asyncio
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyotp
import pytest
from playwright.async_api import Page, expect

from pbx.demo.voice import Voice
from sip.user_agent import Account
from tests.browser.checking import check_page
from tests.browser.conftest import NewPage
from tests.browser.town import HOST, PATIENCE_SECONDS, STOP_SECONDS, free_port, phone

pytestmark = pytest.mark.xdist_group("browser-first-run")

PASSWORD = "quatre mots sans lien"
TONE_HZ = 440


@dataclass
class EmptyNode:
    """`beffroi serve` in an empty folder. url: of its pages; link: the first one that it printed."""

    folder: Path
    url: str
    sip: tuple[str, int]
    log: Path
    link: str

    def another_link(self) -> str:
        """What `beffroi first-run` prints."""
        done = subprocess.run(
            [program(), "first-run"],
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
        )
        assert done.returncode == 0, done.stderr
        return links_in(done.stdout)[0]


@pytest.fixture
def empty_node(tmp_path: Path) -> Iterator[EmptyNode]:
    web, sip = free_port(), free_port()
    log = tmp_path / "serve.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [program(), "serve", "--web", f"{HOST}:{web}", "--sip", f"{HOST}:{sip}"],
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        ends = time.monotonic() + PATIENCE_SECONDS
        while not (found := links_in(log.read_text())) and time.monotonic() < ends:
            time.sleep(0.1)
        assert found, log.read_text()
        yield EmptyNode(tmp_path, f"http://{HOST}:{web}", (HOST, sip), log, found[0])
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise


def program() -> str:
    return str(Path(sys.executable).with_name("beffroi"))


def links_in(text: str) -> list[str]:
    return re.findall(r"http\S+/first-run(#\S+)", text)


async def answer(page: Page, **answers: str) -> None:
    for label, text in answers.items():
        await page.get_by_label(label.replace("_", " "), exact=True).fill(text)
    await page.get_by_role("button", name=re.compile("^(Continuer|Créer)")).click()


async def test_from_an_empty_folder_to_a_first_call(empty_node: EmptyNode, new_page: NewPage) -> None:
    page = await new_page(empty_node.url, path=f"/first-run{empty_node.link}")
    await expect(page.get_by_text("Question 1 sur 5")).to_be_visible()
    await check_page(page, "first-run-1")
    await answer(page, Nom="")
    await expect(page.get_by_text("Cette réponse est nécessaire.")).to_be_visible()
    await answer(page, Nom="Ville de Bellerive")
    await answer(page, Numéro_et_rue="1 place de la Mairie", Code_postal="54000", Commune="Bellerive")
    await answer(page)
    await answer(page, Premier_numéro="2000", Dernier_numéro="2099")
    await expect(page.get_by_text("Question 5 sur 5")).to_be_visible()
    await answer(page, Prénom_et_nom="Anne Martin", Nom_de_connexion="anne.martin", Mot_de_passe="court")
    await expect(page.get_by_text("Un mot de passe compte au moins 12 caractères.")).to_be_visible()
    await check_page(page, "first-run-5")
    await answer(page, Mot_de_passe=PASSWORD)
    await set_up_second_factor(page)
    await expect(page.get_by_role("heading", level=1)).to_have_text("Le premier téléphone")
    await check_page(page, "first-run-telephone")
    await first_call(page, empty_node)
    sent = page.locator(".ladder").get_by_role("button")  # the messages themselves, once the call is kept
    await expect(sent.filter(has_text="INVITE").first).to_be_visible()
    await expect(sent.filter(has_text="BYE").first).to_be_visible()
    await check_page(page, "first-run-call")
    await page.get_by_role("button", name="Aller à l’accueil").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Bonjour Anne Martin")


async def set_up_second_factor(page: Page) -> None:
    """What the account of an administrator asks for before it opens anything."""
    await page.get_by_role("button", name="Utiliser une application").click()
    secret = await page.locator("code.typed-key").inner_text()
    code = pyotp.TOTP(secret.replace(" ", "")).now()
    await page.get_by_label("Puis saisissez le code affiché").fill(code)
    await page.get_by_role("button", name="Continuer").click()
    await page.get_by_role("button", name="Je les ai gardés, continuer").click()


async def first_call(page: Page, node: EmptyNode) -> None:
    """A telephone that is set up with what the page says, and dials the echo."""
    password = await page.locator(".secret code").inner_text()
    extension = await page.locator(".facts code").nth(1).inner_text()
    agent, transport = phone(Account(extension, password, "beffroi"), node.sip)
    voice = Voice(HOST, speaks_hz=TONE_HZ, expects_hz=TONE_HZ)
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await agent.register()
            await expect(page.get_by_text("connecté", exact=True)).to_be_visible()
            call = agent.invite("9196", voice.offer())
            voice.take_answer(await call.answered())
            voice.speak()
            await voice.recognised
            await expect(page.get_by_text("en communication")).to_be_visible()
            call.hang_up()
            await expect(page.get_by_text("l’appel est terminé")).to_be_visible()
    finally:
        voice.close()
        agent.close()
        transport.close()


async def test_a_link_works_once_and_another_one_replaces_it(
    empty_node: EmptyNode, new_page: NewPage
) -> None:
    first = await new_page(empty_node.url, path=f"/first-run{empty_node.link}")
    await expect(first.get_by_text("Question 1 sur 5")).to_be_visible()
    await first.reload()
    await expect(first.get_by_text("Question 1 sur 5")).to_be_visible()
    second = await new_page(empty_node.url, path=f"/first-run{empty_node.link}")
    await expect(second.get_by_role("heading", level=1)).to_have_text("Ce lien ne fonctionne pas ou plus")
    await check_page(second, "first-run-refused")
    third = await new_page(empty_node.url, "en", path=f"/first-run{empty_node.another_link()}")
    await expect(third.get_by_text("Question 1 of 5")).to_be_visible()
    await check_page(third, "first-run-1")
