"""The page of calls in progress, beside telephones that call each other."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, WebSocketRoute, expect

from pbx.demo.voice import Voice
from tests.browser.checking import check_page
from tests.browser.conftest import SignIn
from tests.browser.speaking import CALLER_HZ, conversation, telephone
from tests.browser.town import HOST, Town

pytestmark = pytest.mark.xdist_group("browser-calls")


def row_of(page: Page, name: str):
    return page.get_by_role("row").filter(has_text=name)


async def test_nobody_is_in_a_call(sign_in: SignIn):
    page = await sign_in("supervisor", "en", "/calls")
    await expect(page.get_by_text("Nobody is in a call.")).to_be_visible()
    await check_page(page, "calls-none")


async def test_a_supervisor_sees_a_call_come_and_go(town: Town, sign_in: SignIn):
    page = await sign_in("supervisor", "fr", "/calls")
    await expect(page.get_by_text("Personne n’est en ligne.")).to_be_visible()
    async with conversation(town, "1001", "1002", "1002"):
        await expect(row_of(page, "Alice Martin")).to_contain_text("En ligne")
        await check_page(page, "calls")
    await expect(page.get_by_text("Personne n’est en ligne.")).to_be_visible()


async def test_an_agent_ends_their_own_call(town: Town, sign_in: SignIn):
    page = await sign_in("agent", "en", "/calls")
    voice = Voice(HOST, CALLER_HZ, CALLER_HZ)
    try:
        async with telephone(town, "1001") as phone:
            call = phone.invite("9196", voice.offer())
            voice.take_answer(await call.answered())
            await check_page(page, "calls-own")
            await page.get_by_role("button", name="Hang up").click()
            await call.ended()
            await expect(page.get_by_text("You are in no call.")).to_be_visible()
    finally:
        voice.close()


async def test_an_agent_sees_nothing_of_others_calls(town: Town, sign_in: SignIn):
    page = await sign_in("agent", "fr", "/calls")
    async with conversation(town, "2010", "1002", "1002"):
        await page.reload()
        await expect(page.get_by_text("Vous n’êtes en ligne avec personne.")).to_be_visible()


async def test_an_operator_ends_somebody_elses_call(town: Town, sign_in: SignIn):
    page = await sign_in("operator", "fr", "/calls")
    voice = Voice(HOST, CALLER_HZ, CALLER_HZ)
    try:
        async with telephone(town, "2010") as phone:
            call = phone.invite("9196", voice.offer())
            voice.take_answer(await call.answered())
            await page.get_by_role("button", name="Gérer").click()
            await check_page(page, "calls-manage")
            await page.get_by_role("dialog").get_by_role("button", name="Raccrocher").click()
            await check_page(page, "calls-end")
            await page.get_by_role("dialog").get_by_role("button", name="Raccrocher").click()
            await call.ended()
    finally:
        voice.close()


async def test_an_operator_is_offered_what_rings_elsewhere(town: Town, sign_in: SignIn):
    page = await sign_in("operator", "en", "/calls")
    voice = Voice(HOST, CALLER_HZ, CALLER_HZ)
    try:
        async with telephone(town, "1001") as caller, telephone(town, "2010") as called:
            call = caller.invite("2010", voice.offer())
            coming = await called.incoming()
            coming.ring()
            await expect(page.get_by_role("button", name="Pick up")).to_be_visible()
            await expect(row_of(page, "Alice Martin")).to_contain_text("Rings")
            call.hang_up()
            await coming.ended()
    finally:
        voice.close()


async def test_a_transfer_to_nowhere_says_so_at_its_field(town: Town, sign_in: SignIn):
    page = await sign_in("agent", "en", "/calls")
    async with conversation(town, "1001", "1002", "1002"):
        await page.get_by_role("button", name="Transfer…").click()
        await page.get_by_label("To the number").fill("4711")
        await page.get_by_role("button", name="Transfer", exact=True).click()
        await expect(page.get_by_role("dialog").get_by_role("alert")).to_be_visible()
        await check_page(page, "calls-transfer")
        await page.get_by_role("button", name="Cancel").click()


async def test_a_list_without_its_live_connection_says_so(sign_in: SignIn):
    page = await sign_in("supervisor", "fr")

    async def refuse(socket: WebSocketRoute) -> None:
        await socket.close()

    await page.route_web_socket("**/api/v1/events*", refuse)
    await page.goto(f"{page.url}calls")
    await expect(page.get_by_text("cette liste n’est plus à jour")).to_be_visible()
    await check_page(page, "calls-frozen")
