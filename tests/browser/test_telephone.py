"""The telephone of a page: two browsers call each other; hold, mute, keys, transfers, and what is said."""

from __future__ import annotations

import asyncio
import re

import pytest
from playwright.async_api import expect

from pbx.demo.voice import Voice
from sip.user_agent import UserAgent
from tests.browser.checking import check_page
from tests.browser.listening import browser
from tests.browser.speaking import CALLED_HZ, CALLER_HZ, telephone
from tests.browser.telephoning import (
    ALICE_HZ,
    BRUNO_HZ,
    OpenTelephone,
    both,
    card,
    dial,
    hang_up,
    hears,
    hears_no_more,
    open_telephone,
    talks,
)
from tests.browser.town import HOST, TEST_SECONDS, Town

__all__ = ["browser", "open_telephone"]  # fixtures

pytestmark = pytest.mark.xdist_group("browser-telephone")


async def answer(phone: UserAgent, voice: Voice) -> None:
    """Let a telephone answer the call that comes."""
    coming = await phone.incoming()
    coming.ring()
    coming.answer(voice.answer(coming.offer))
    await coming.acknowledged()
    voice.speak()


async def test_two_pages_call_each_other_and_hear_each_other(open_telephone: OpenTelephone) -> None:
    alice = await open_telephone("agent", ALICE_HZ)
    bruno = await open_telephone("operator", BRUNO_HZ)
    await check_page(alice, "telephone-ready")
    await dial(alice, "1002")
    await expect(card(alice, "1002")).to_contain_text("It rings")
    await expect(bruno.locator(".call-line.rings")).to_contain_text("Alice Martin")
    await check_page(bruno, "telephone-rings")
    await bruno.locator("h1").click()
    await bruno.keyboard.press("a")
    await talks(alice, "Bruno Petit")
    await talks(bruno, "Alice Martin")
    await hears(alice, BRUNO_HZ)
    await hears(bruno, ALICE_HZ)
    await expect(card(alice)).to_contain_text("Good quality")
    await check_page(alice, "telephone-talking")
    await hang_up(alice)
    await expect(card(bruno)).to_contain_text("Call ended.")
    await check_page(bruno, "telephone-ended")


async def test_a_call_rings_on_every_page_and_is_refused_by_a_key(
    open_telephone: OpenTelephone,
) -> None:
    alice = await open_telephone("agent", ALICE_HZ)
    bruno = await open_telephone("operator", BRUNO_HZ, "fr")
    await bruno.get_by_role("link", name="Accueil").click()
    await dial(alice, "1002")
    await expect(bruno.locator(".call-line.rings")).to_contain_text("Appel entrant")
    await expect(bruno).to_have_title("Appel entrant\u00a0: Alice Martin")
    await expect(bruno.get_by_role("alert")).to_contain_text("Appel entrant\u00a0: Alice Martin, 1001")
    await check_page(bruno, "telephone-rings-elsewhere")
    await bruno.locator("h1").click()
    await bruno.keyboard.press("r")
    await expect(bruno.locator(".call-line")).to_have_count(0)
    # A page that has gone a moment ago may only be being loaded again: the node waits for it.
    await expect(card(alice)).to_contain_text("Call declined.")
    await check_page(alice, "telephone-refused")


async def test_who_may_has_a_call_recorded_and_both_pages_say_so(open_telephone: OpenTelephone) -> None:
    claire = await open_telephone("supervisor", ALICE_HZ)
    bruno = await open_telephone("operator", BRUNO_HZ)
    await dial(claire, "1002")
    await bruno.locator(".call-line.rings").wait_for()
    await bruno.keyboard.press("a")
    await hears(claire, BRUNO_HZ)
    await claire.get_by_role("button", name="Record", exact=True).click()
    for page in (claire, bruno):
        await expect(card(page)).to_contain_text("Recorded")
    await expect(bruno.get_by_role("button", name="Record", exact=True)).to_have_count(0)
    await check_page(claire, "telephone-recorded")
    await claire.get_by_role("button", name="Stop recording").click()
    for page in (claire, bruno):
        await expect(card(page)).to_contain_text("No longer recorded")
    await check_page(claire, "telephone-recorded-no-more")
    await check_page(bruno, "telephone-was-recorded")
    await hang_up(claire)


async def test_who_is_on_hold_or_muted_isnt_heard(open_telephone: OpenTelephone) -> None:
    alice, bruno = await both(open_telephone)
    await hears(bruno, ALICE_HZ)
    await alice.get_by_role("button", name="Microphone off").click()
    await hears_no_more(bruno, ALICE_HZ)
    await expect(card(alice)).to_contain_text("Microphone off")
    await alice.get_by_role("button", name="Microphone off").click()
    await hears(bruno, ALICE_HZ)
    await alice.get_by_role("button", name="Hold", exact=True).click()
    await expect(card(alice)).to_contain_text("On hold")
    await hears_no_more(bruno, ALICE_HZ)
    await check_page(alice, "telephone-held")
    await alice.get_by_role("button", name="Resume").click()
    await hears(bruno, ALICE_HZ)
    await hears(alice, BRUNO_HZ)
    await hang_up(alice)


async def test_why_a_call_came_to_nothing_is_said_in_words(open_telephone: OpenTelephone, town: Town) -> None:
    alice = await open_telephone("agent", ALICE_HZ)
    async with telephone(town, "2010") as phone:
        await dial(alice, "2010")
        (await phone.incoming()).refuse(486)
        await expect(card(alice, "2010")).to_contain_text("Busy.")
    await dial(alice, "4711")
    await expect(card(alice, "4711")).to_contain_text("There is no such number.")
    await check_page(alice, "telephone-endings")


async def test_keys_reach_a_menu(open_telephone: OpenTelephone, town: Town) -> None:
    alice = await open_telephone("agent", ALICE_HZ)
    async with telephone(town, "2010") as phone, asyncio.timeout(TEST_SECONDS):
        await dial(alice, "8000")
        await expect(alice.locator(".call-card[data-state='talking']")).to_be_visible()
        await alice.get_by_role("button", name="Keys").click()
        await check_page(alice, "telephone-keys")
        await alice.get_by_label("Keys to send").press("1")
        coming = await phone.incoming()  # « pour l'état civil, tapez 1 »
        coming.ring()
        await hang_up(alice)
        await coming.ended()


async def test_a_call_is_transferred_at_once(open_telephone: OpenTelephone, town: Town) -> None:
    alice, bruno = await both(open_telephone)
    voice = Voice(HOST, CALLED_HZ, CALLER_HZ)
    try:
        async with telephone(town, "2010") as phone, asyncio.timeout(TEST_SECONDS):
            await alice.get_by_role("button", name="Transfer…").click()
            await alice.get_by_label("To the number").fill("2010")
            await check_page(alice, "telephone-transfer")
            await alice.get_by_role("button", name="Transfer at once").click()
            await answer(phone, voice)
            await expect(card(alice)).to_contain_text("Call transferred.")
            await hears(bruno, CALLED_HZ)
            await hang_up(bruno)
    finally:
        voice.close()


async def test_a_call_is_transferred_after_having_asked(open_telephone: OpenTelephone, town: Town) -> None:
    alice, bruno = await both(open_telephone)
    voice = Voice(HOST, 700, CALLER_HZ)
    try:
        async with telephone(town, "2010") as phone, asyncio.timeout(TEST_SECONDS):
            await alice.get_by_role("button", name="Transfer…").click()
            await alice.get_by_label("To the number").fill("2010")
            await alice.get_by_role("button", name="Call first").click()
            await answer(phone, voice)
            await hears(alice, 700)
            await expect(card(alice, "Bruno Petit")).to_contain_text("On hold")
            await check_page(alice, "telephone-two-calls")
            await alice.get_by_role("button", name="Connect with Bruno Petit").click()
            await hears(bruno, 700)
            await expect(alice.locator(".call-card:not([data-state='ended'])")).to_have_count(0)
            await hang_up(bruno)
    finally:
        voice.close()


async def test_a_second_call_waits_then_holds_the_first_and_both_become_one(
    open_telephone: OpenTelephone, town: Town
) -> None:
    alice, bruno = await both(open_telephone)
    voice = Voice(HOST, 700, 700)
    try:
        async with telephone(town, "2010") as phone, asyncio.timeout(TEST_SECONDS):
            call = phone.invite("1001", voice.offer())
            await expect(alice.locator(".call-line.rings")).to_contain_text("État civil")
            await hears(bruno, ALICE_HZ)  # what rings disturbs nobody
            await check_page(alice, "telephone-waiting")
            await alice.locator("h1").click()
            await alice.keyboard.press("a")
            voice.take_answer(await call.answered())
            voice.speak()
            await hears(alice, 700)
            await expect(card(alice, "Bruno Petit")).to_contain_text("On hold")
            await alice.get_by_role("button", name="Join with Bruno Petit").click()
            await hears(bruno, 700)
            await hears(bruno, ALICE_HZ)
            await expect(card(alice)).to_have_count(1)  # the two have become one
            together = re.compile("Conference with (Bruno Petit, État civil|État civil, Bruno Petit)")
            await expect(card(alice)).to_have_attribute("aria-label", together)
            await check_page(alice, "telephone-conference")
            call.hang_up()
            await hang_up(alice)
    finally:
        voice.close()


async def test_a_call_is_parked_its_place_is_said_and_it_is_taken_back(open_telephone: OpenTelephone) -> None:
    alice, bruno = await both(open_telephone)
    await alice.get_by_role("button", name="Park").click()
    await expect(alice.get_by_text("The call waits at place 700.")).to_be_visible()
    await expect(alice.locator(".call-card[data-state='talking']")).to_have_count(0)
    await expect(card(alice)).to_contain_text("Parked at place 700.")
    await check_page(alice, "telephone-parked")
    await card(alice).get_by_role("button", name="Take back").click()
    await talks(alice, "Bruno Petit")
    await hears(bruno, ALICE_HZ)
    await hears(alice, BRUNO_HZ)
    await hang_up(alice)


async def test_both_see_each_other(open_telephone: OpenTelephone) -> None:
    alice, bruno = await both(open_telephone)
    await alice.get_by_role("button", name="Show my video").click()
    await expect(alice.get_by_label("Your video")).to_be_visible()
    await expect(bruno.get_by_label("Video of Alice Martin")).to_be_visible()
    await check_page(bruno, "telephone-video")
    await hears(bruno, ALICE_HZ)
    await hang_up(alice)


async def test_the_telephone_in_french(open_telephone: OpenTelephone) -> None:
    alice = await open_telephone("agent", ALICE_HZ, "fr")
    await check_page(alice, "telephone-ready")
    await alice.get_by_label("Numéro à appeler").fill("9196")
    await alice.locator(".dial").get_by_role("button", name="Appeler", exact=True).click()
    await hears(alice, ALICE_HZ)  # the echo
    await expect(card(alice)).to_contain_text("Bonne qualité")
    await check_page(alice, "telephone-talking")
    await alice.get_by_role("button", name="Raccrocher").first.click()
    await expect(card(alice)).to_contain_text("Appel terminé.")
