"""What lies around a call on the telephone's page: whom to call, notes, past calls, forwards, one's place."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

import pytest
from playwright.async_api import Browser, Locator, Page, Route, expect

from pbx.demo.voice import Voice
from tests.browser import listening
from tests.browser.checking import axe, check_page
from tests.browser.conftest import SignIn
from tests.browser.first_minutes import answered, call_by_name, first_call_seconds
from tests.browser.speaking import CALLED_HZ, CALLER_HZ, telephone
from tests.browser.town import HOST, PASSWORD, TEST_SECONDS, Town

browser = listening.browser
pytestmark = pytest.mark.xdist_group("browser-around")

READY = {"fr": "Prêt", "en": "Ready"}


async def open_telephone(sign_in: SignIn, role: Any = "agent", language: str = "fr") -> Page:
    """The telephone's page, once calls reach it."""
    page = await sign_in(role, language, "/telephone")
    await expect(page.get_by_text(READY[language], exact=True)).to_be_visible()
    return page


def found(page: Page, name: str) -> Locator:
    """The line of somebody who was found, or who is always there."""
    return page.locator(".found > li", has_text=name)


@pytest.mark.parametrize("language", ["fr", "en"])
async def test_all_that_lies_around_a_call_is_as_it_should_be(
    sign_in: SignIn, town: Town, language: str
) -> None:
    async with telephone(town, "1002"):
        page = await open_telephone(sign_in, "agent", language)
        await expect(found(page, "Bruno Petit")).to_contain_text({"fr": "Libre", "en": "Free"}[language])
        await check_page(page, "around")


async def test_somebody_is_found_by_sound_and_called_by_keys_alone(sign_in: SignIn, town: Town) -> None:
    async with telephone(town, "1002") as bruno, asyncio.timeout(TEST_SECONDS):
        page = await open_telephone(sign_in)
        await page.locator("h1").click()
        await page.keyboard.press("/")
        await page.keyboard.type("brunot")  # as it sounds
        await expect(found(page, "Bruno Petit")).to_be_visible()
        await page.keyboard.press("Enter")
        coming = await bruno.incoming()
        coming.ring()
        await expect(found(page, "Bruno Petit")).to_contain_text("Ça sonne")
        voice = Voice(HOST, CALLED_HZ, CALLER_HZ)
        try:
            coming.answer(voice.answer(coming.offer))
            await coming.acknowledged()
            await expect(found(page, "Bruno Petit")).to_contain_text("En communication")
            await note_on_the_call(page)
            await page.get_by_role("button", name=re.compile("^Raccrocher")).first.click()
            await coming.ended()
        finally:
            voice.close()
        await expect(page.locator(".recent-note").first).to_have_text("Rappeler jeudi.")


async def note_on_the_call(page: Page) -> None:
    """Write a note while the call goes on."""
    note = page.get_by_role("region", name="Note sur cet appel")
    await note.get_by_label("Votre note").fill("Rappeler jeudi.")
    await check_page(page, "around-in-call")
    await note.get_by_role("button", name="Enregistrer la note").click()
    await expect(page.get_by_text("Note enregistrée.")).to_be_visible()


async def test_a_colleagues_call_that_rings_is_picked_up(sign_in: SignIn, town: Town) -> None:
    voice = Voice(HOST, CALLER_HZ, CALLED_HZ)
    try:
        async with (
            telephone(town, "1002") as bruno,
            telephone(town, "2010") as claire,
            asyncio.timeout(TEST_SECONDS),
        ):
            page = await open_telephone(sign_in)
            going = claire.invite("1002", voice.offer())
            (await bruno.incoming()).ring()
            await found(page, "Bruno Petit").get_by_role("button", name=re.compile("^Prendre")).click()
            voice.take_answer(await going.answered())
            await expect(page.locator(".call-card[data-state='talking']")).to_be_visible()
            going.hang_up()
            await expect(page.locator(".call-card[data-state='talking']")).to_have_count(0)
    finally:
        voice.close()


async def test_missed_calls_come_first_are_counted_and_seen(sign_in: SignIn, town: Town) -> None:
    page = await open_telephone(sign_in)
    voice = Voice(HOST, CALLER_HZ, CALLED_HZ)
    try:
        async with telephone(town, "2010") as claire, asyncio.timeout(TEST_SECONDS):
            going = claire.invite("1001", voice.offer())
            await expect(page.locator(".call-line.rings")).to_be_visible()
            going.hang_up()
        await expect(page.get_by_role("heading", name="1 appel manqué")).to_be_visible()
        # With what else one may have open meanwhile.
        await page.locator(".find input").fill("garde")
        await expect(found(page, "Garde 1")).to_be_visible()
        await page.get_by_role("button", name="Renvoyer : Sans réponse").click()
        await check_page(page, "around-missed")
        missed = page.get_by_role("list", name="1 appel manqué")
        await expect(missed.get_by_role("button", name="2010")).to_be_visible()  # to call back
        await page.get_by_role("button", name="Marquer comme vus").click()
        await expect(page.get_by_role("heading", name="1 appel manqué")).to_have_count(0)
        await expect(page.locator(".recent > li").first).to_contain_text("manqué")
    finally:
        voice.close()


MESSAGES = [
    {"message": "m2", "at": 1795371300.0, "number": "+33612345678", "name": "M. Durand", "seconds": 12.0},
    {"message": "m1", "at": 1795281300.0, "number": "2010", "name": "Claire Robert", "seconds": 4.0},
]


async def test_voice_messages_are_counted_called_back_and_deleted_beside_the_calls(sign_in: SignIn) -> None:
    page = await sign_in("agent", "fr", "/sound")
    kept = [{**one, "heard": one["message"] == "m1"} for one in MESSAGES]

    async def answer(route: Route) -> None:
        """Stands in for callers who take their time to speak."""
        if route.request.method == "DELETE":
            kept[:] = [one for one in kept if not route.request.url.endswith(str(one["message"]))]
        new = sum(not one["heard"] for one in kept)
        mailbox = {"mailbox": "1001", "name": "", "is_own": True, "new": new, "old": len(kept) - new}
        await route.fulfill(json={**mailbox, "items": kept, "greetings": []})

    await page.route("**/api/v1/voicemail/mailboxes/1001**", answer)
    await page.goto(page.url.replace("/sound", "/telephone"))
    panel = page.get_by_role("region", name="Messagerie")
    await expect(panel.get_by_role("status")).to_have_text("1 nouveau message")
    await expect(panel.get_by_role("button", name="06 12 34 56 78")).to_be_visible()  # calls back
    await check_page(page, "around-voicemail")
    await panel.get_by_role("button", name="Supprimer le message de M. Durand").click()
    assert await axe(page) == []  # with the question
    await page.get_by_role("dialog").get_by_role("button", name="Supprimer").click()
    await expect(panel.get_by_text("M. Durand")).to_have_count(0)
    await expect(panel.get_by_text("Claire Robert")).to_be_visible()


async def test_a_forward_is_set_for_a_while_and_taken_back(sign_in: SignIn) -> None:
    page = await open_telephone(sign_in, "supervisor")
    await page.get_by_role("button", name="Renvoyer : Sans réponse").click()
    await page.get_by_label("Numéro", exact=True).fill("1002")
    await page.get_by_label("Après combien de secondes").fill("15")
    line = page.locator(".forwards > li", has_text="Sans réponse")
    await line.get_by_label("Jusqu’à quand").select_option("hour")
    await line.get_by_role("button", name="Enregistrer").click()
    await expect(line).to_contain_text("vers le 1002 après 15 s")
    await expect(line).to_contain_text("jusqu’à")
    await page.get_by_role("button", name="Ne plus renvoyer : Sans réponse").click()
    await expect(line).to_contain_text("Pas de renvoi")


async def test_a_forward_that_ones_rights_refuse_is_said_at_its_field(sign_in: SignIn) -> None:
    page = await open_telephone(sign_in, "listener")
    await page.get_by_role("button", name="Renvoyer : Toujours").click()
    await page.get_by_label("Numéro", exact=True).fill("112")
    await page.locator(".forwards").get_by_role("button", name="Enregistrer").click()
    field = page.get_by_label("Numéro", exact=True)
    await expect(field).to_have_attribute("aria-invalid", "true")
    await expect(page.get_by_text("vers un numéro d’urgence")).to_be_visible()


async def test_who_wants_no_calls_for_a_while_is_seen_so_by_colleagues(sign_in: SignIn, town: Town) -> None:
    async with telephone(town, "1002"):
        page = await open_telephone(sign_in)
        other = await open_telephone(sign_in, "operator")
        await page.locator(".quiet").get_by_label("Jusqu’à quand").select_option("half_hour")
        await page.get_by_role("button", name="Ne plus être dérangé").click()
        await expect(page.get_by_text(re.compile("Vos téléphones ne sonnent pas. jusqu’à"))).to_be_visible()
        await expect(found(other, "Alice Martin")).to_contain_text("Ne pas déranger")
        await page.get_by_role("button", name="Recevoir des appels").click()
        await expect(found(other, "Alice Martin")).to_contain_text("Libre")


AT_HOME: dict[str, Any] = {
    "sign_in": "1001-web",
    "extension": "1001",
    "kind": "browser",
    "network": "192.0.2.0/24",
    "address_wanted": True,
    "addresses": [
        {
            "network": "198.51.100.0/24",
            "address": {"street": "5 rue des Lilas", "city": "Nancy"},
            "confirmed": True,
            "by": "1001",
            "said_at": 1795371300.0,
        }
    ],
}
"""What is used of a device that calls from a network where nobody has said yet where that is."""


@pytest.mark.parametrize("language", ["fr", "en"])
async def test_a_teleworker_says_where_they_are_in_one_action_or_two(sign_in: SignIn, language: str) -> None:
    page = await sign_in("agent", language, "/sound")
    said: list[dict[str, Any]] = []
    device = json.loads(json.dumps(AT_HOME))

    async def answer(route: Route) -> None:
        """Stands in for a network that loopback isn't."""
        if route.request.method == "PUT":
            wanted = json.loads(route.request.post_data or "")
            said.append(wanted)
            address = {name: wanted[name] for name in ("street", "city")}
            kept = {"network": "192.0.2.0/24", "address": address, "confirmed": True, "by": "1001"}
            device.update(address_wanted=False, addresses=[{**kept, "said_at": 1795371400.0}])
        await route.fulfill(json={"items": [device], "next": ""})

    await page.route("**/api/v1/devices?extension=1001", answer)
    await page.route("**/api/v1/devices/1001-web/address", answer)
    await page.reload()
    await page.get_by_role("link", name={"fr": "Dites où", "en": "Say where"}[language]).click()
    title = {"fr": "Où êtes-vous", "en": "Where are you"}[language]
    await expect(page.get_by_role("heading", name=re.compile(title))).to_be_visible()
    await check_page(page, "around-where")
    await page.get_by_role("button", name=re.compile("5 rue des Lilas, Nancy")).click()
    await expect(page.locator(".address-known")).to_contain_text("5 rue des Lilas, Nancy")
    assert said == [
        {"street": "5 rue des Lilas", "city": "Nancy", "network": "192.0.2.0/24", "confirm": True}
    ]


async def test_from_a_blank_profile_to_the_first_call(browser: Browser, town: Town) -> None:
    voice = Voice(HOST, CALLED_HZ, CALLER_HZ)
    try:
        async with telephone(town, "1002") as bruno, asyncio.timeout(TEST_SECONDS):
            walk = asyncio.gather(
                first_call_seconds(browser, town.url, "agent", PASSWORD, "Bruno Petit"),
                answered(bruno, voice),
            )
            seconds, coming = await walk
            coming.hang_up()
            assert seconds > 0
    finally:
        voice.close()


async def test_the_first_minutes_are_over_once_a_call_was_talked(sign_in: SignIn, town: Town) -> None:
    voice = Voice(HOST, CALLED_HZ, CALLER_HZ)
    try:
        async with telephone(town, "1002") as bruno, asyncio.timeout(TEST_SECONDS):
            page = await open_telephone(sign_in)
            await page.get_by_role("button", name="Autoriser le micro").click()
            call = asyncio.gather(call_by_name(page, "Bruno Petit"), answered(bruno, voice))
            _, coming = await call
            await expect(page.get_by_text("Votre téléphone est ici")).to_have_count(0)
            coming.hang_up()
    finally:
        voice.close()
