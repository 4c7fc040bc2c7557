"""What a page's telephone survives: a reload, another tab, an old password, no microphone, a network."""

from __future__ import annotations

import asyncio
import json

import pytest
from playwright.async_api import Route, expect

from tests.browser.checking import axe, check_page
from tests.browser.conftest import SignIn
from tests.browser.listening import browser
from tests.browser.speaking import telephone
from tests.browser.telephoning import (
    ALICE_HZ,
    BRUNO_HZ,
    OpenTelephone,
    both,
    card,
    dial,
    hang_up,
    hears,
    open_telephone,
    ready,
    talks,
)
from tests.browser.town import Town

__all__ = ["browser", "open_telephone"]  # fixtures

pytestmark = pytest.mark.xdist_group("browser-telephone")


@pytest.mark.parametrize("whose", ["caller", "called"])
async def test_a_page_that_is_loaded_again_takes_up_its_call(
    open_telephone: OpenTelephone, whose: str
) -> None:
    alice, bruno = await both(open_telephone)
    page, other, hz = (alice, bruno, BRUNO_HZ) if whose == "caller" else (bruno, alice, ALICE_HZ)
    await page.reload()
    await talks(page, "Bruno Petit" if whose == "caller" else "Alice Martin")
    await expect(page.locator("[data-said=calls]")).to_have_text("The call goes on.")
    await hears(page, hz)
    await hears(other, ALICE_HZ if whose == "caller" else BRUNO_HZ)
    await hang_up(other)
    await expect(card(page)).to_contain_text("Call ended.")


async def test_a_call_that_is_being_taken_up_says_so(open_telephone: OpenTelephone) -> None:
    alice, bruno = await both(open_telephone)
    goes_on = asyncio.Event()

    async def slowly(route: Route) -> None:
        await goes_on.wait()
        await route.continue_()

    await alice.route("**/api/v1/telephone", slowly)
    await alice.reload()
    await expect(card(alice)).to_contain_text("Cut off: the call is coming back")
    await check_page(alice, "telephone-returning")
    goes_on.set()
    await talks(alice, "Bruno Petit")
    await hears(alice, BRUNO_HZ)
    await hang_up(bruno)


async def test_a_call_that_nobody_has_answered_is_said_to_be_cancelled_by_a_reload(
    open_telephone: OpenTelephone, town: Town
) -> None:
    alice = await open_telephone("agent", ALICE_HZ)
    async with telephone(town, "2010") as phone:
        await dial(alice, "2010")
        coming = await phone.incoming()
        coming.ring()
        await expect(alice.locator(".call-card[data-state='calling']")).to_be_visible()
        assert await axe(alice) == []  # while it rings there
        await alice.reload()
        await expect(card(alice)).to_contain_text("Call cancelled: the page was reloaded")
        await coming.ended()  # it rings no more
    await check_page(alice, "telephone-reloaded")


async def test_another_tab_takes_the_telephone_over_in_mid_call(
    open_telephone: OpenTelephone,
) -> None:
    alice, bruno = await both(open_telephone)
    second = await alice.context.new_page()
    await second.goto(alice.url)
    await expect(second.get_by_text("The telephone is in another tab")).to_be_visible()
    await expect(card(second)).to_contain_text("Bruno Petit")
    await check_page(second, "telephone-other-tab")
    await second.get_by_role("button", name="Call from this tab").click()
    await talks(second, "Bruno Petit")
    await expect(alice.get_by_text("The telephone is in another tab")).to_be_visible()
    await hears(bruno, ALICE_HZ)
    await card(alice).get_by_role("button", name="Hang up").click()  # the other tab does it
    await expect(card(bruno)).to_contain_text("Call ended.")


async def test_a_password_that_is_too_old_is_asked_for_anew(sign_in: SignIn) -> None:
    asked = 0

    async def spoil_the_first(route: Route) -> None:
        nonlocal asked
        asked += 1
        answer = await route.fetch()
        given = await answer.json()
        if asked == 1:
            given["password"] = "another"
        await route.fulfill(response=answer, body=json.dumps(given))

    page = await sign_in("agent", "en", "/account")
    await page.route("**/api/v1/telephone", spoil_the_first)
    await page.goto(page.url.replace("/account", "/telephone"))
    await ready(page)
    assert asked == 2


async def test_without_a_microphone_no_call_is_begun_and_one_that_comes_can_be_listened_to(
    open_telephone: OpenTelephone,
) -> None:
    alice = await open_telephone("agent", ALICE_HZ)
    bruno = await open_telephone("operator", BRUNO_HZ)
    await alice.evaluate("window.test.refusal = 'NotAllowedError'")
    await dial(alice, "1002")
    await expect(card(alice)).to_contain_text("there is no microphone")
    await expect(
        alice.get_by_role("alert").filter(has_text="isn’t allowed to use the microphone")
    ).to_be_visible()
    await check_page(alice, "telephone-no-microphone")
    await dial(bruno, "1001")
    await alice.get_by_role("button", name="Answer: Bruno Petit").click()
    await alice.get_by_role("button", name="Answer without microphone").click()
    await talks(alice, "Bruno Petit")
    await hears(alice, BRUNO_HZ)
    await expect(card(alice, "Bruno Petit")).to_contain_text("You only listen")
    await check_page(alice, "telephone-listens")
    await hang_up(bruno)


async def test_a_microphone_that_is_unplugged_is_followed_by_another(open_telephone: OpenTelephone) -> None:
    alice, bruno = await both(open_telephone)
    await alice.evaluate(
        """() => {
          window.test.hz = 620;
          window.test.microphones.at(-1).dispatchEvent(new Event("ended"));
        }"""
    )
    await hears(bruno, 620)
    await expect(alice.get_by_text("The microphone was unplugged")).to_be_visible()
    await hang_up(alice)


async def test_a_call_goes_on_over_another_network(open_telephone: OpenTelephone) -> None:
    alice, bruno = await both(open_telephone)
    await alice.context.set_offline(True)
    await expect(alice.get_by_text("No connection: calls can’t reach you here")).to_be_visible()
    await check_page(alice, "telephone-away")
    await alice.context.set_offline(False)
    await ready(alice)
    await talks(alice, "Bruno Petit")
    await hears(bruno, ALICE_HZ)
    await hears(alice, BRUNO_HZ)
    await hang_up(alice)
    await expect(card(bruno)).to_contain_text("Call ended.")
