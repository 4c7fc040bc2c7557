"""Past calls in a browser: one's own to call back, everybody's to find, and each call's page."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import closing

import msgspec
import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from media.engine import LegQuality
from pbx.records import CallRecord, Interval, LegRecord
from pbx.store.call_search import Search, find_calls
from pbx.store.calls import insert_calls
from tests.browser.checking import check_page
from tests.browser.conftest import SignIn
from tests.browser.town import TEST_SECONDS, Town

pytestmark = pytest.mark.xdist_group("browser-history")

CITIZEN = "+33612345678"
SDP = (
    b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    b"m=audio 41000 RTP/AVP 8 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\n"
    b"a=sendrecv\r\n"
)
TITLES = {"fr": "Journal des appels", "en": "Call history"}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def past(town: Town) -> AsyncIterator[str]:
    """One real call, held for a moment, and some of before; the id of the real one."""
    caller, its_port = town.phone("1001")
    callee, other_port = town.phone("1002")
    async with asyncio.timeout(TEST_SECONDS):
        await caller.register()
        await callee.register()
        call = caller.invite("1002", SDP)
        incoming = await callee.incoming()
        incoming.ring()
        await call.ringing()
        incoming.answer(SDP.replace(b"41000", b"41002"))
        await call.answered()
        await incoming.acknowledged()
        await call.reoffer(SDP.replace(b"sendrecv", b"sendonly"))
        await call.reoffer(SDP)
        call.hang_up()
        await incoming.ended()
        with closing(town.database) as database:
            while not (found := database.read(lambda connection: find_calls(connection, Search(), 1))):
                await asyncio.sleep(0.05)
            database.write(lambda connection: insert_calls(connection, before(found[0])))
    for agent, port in ((caller, its_port), (callee, other_port)):
        agent.close()
        port.close()
    yield found[0].id


def before(real: CallRecord) -> list[CallRecord]:
    """Calls of yesterday: a missed one from outside, one that was heard badly, one of a queue."""
    day = time.time() - 86_400

    def made(number: int, frm: str, to: str, **more: object) -> CallRecord:
        at = day - 60.0 * number
        answered = None if more.get("cause", "completed") != "completed" else at + 4
        legs = [
            LegRecord(device, "192.0.2.1:5060", "udp", "PCMA", at, answered, at + 64, "hung up", quality)
            for device, quality in (("operateur-a" if frm == CITIZEN else frm, BAD), (to, GOOD))
        ]
        a, b = (
            msgspec.structs.replace(leg, name=name, number=one, reached=how)
            for leg, name, one, how in zip(legs, ("a", "b1"), (frm, to), ("calls", "dialled"), strict=True)
        )
        record = CallRecord(
            *(f"{int(at * 1000):011x}{number:09x}", at, answered, at + 64, "internal", frm, "", to, to),
            *("completed", real.plan_version, [a, b]),
            (Interval("talk", at + 4, at + 40, ("a", "b1")), Interval("held", at + 40, at + 50, ("b1",))),
        )
        return msgspec.structs.replace(record, **more)

    missed = made(1, CITIZEN, "1001", direction="inbound", from_name="Mme Lefèvre", cause="no answer")
    bad = made(2, "2010", "2020", recorded=True)
    child = made(3, "1001", "2020", parents=(bad.id,))
    hidden = made(4, CITIZEN, "1001", direction="inbound", from_name="M. Secret", hidden=True)
    heard = made(5, "1001", "2301", recorded=True)
    return [missed, bad, child, hidden, heard]


GOOD, BAD = LegQuality(4.3, 0.1, 4.0, 30.0), LegQuality(2.4, 9.0, 70.0, 300.0)


@pytest.mark.parametrize("language", ["fr", "en"])
async def test_ones_own_calls_are_listed_and_can_be_called_back(
    sign_in: SignIn, past: str, language: str
) -> None:
    page = await sign_in("agent", language, "/history")
    await expect(page.get_by_role("heading", level=1)).to_have_text(TITLES[language])
    await expect(page.get_by_role("row").filter(has_text="Bruno Petit")).to_have_count(1)
    await expect(page.get_by_role("row")).to_have_count(6)
    missed = page.get_by_role("row").filter(has_text="Mme Lefèvre")
    await expect(missed.get_by_role("button", name="06")).to_be_visible()
    await expect(page.locator("main")).not_to_contain_text("M. Secret")
    await check_page(page, f"history-mine-{language}")


async def test_a_search_finds_and_is_taken_back(sign_in: SignIn, past: str) -> None:
    page = await sign_in("supervisor", "fr", "/history")
    await page.get_by_label("Appels", exact=True).select_option("all")
    rows = page.get_by_role("row")
    await expect(rows).to_have_count(7)
    await page.get_by_label("Numéro").fill("06 12 34 56 78")
    await page.keyboard.press("Enter")
    await expect(rows).to_have_count(3)
    await page.get_by_role("button", name="Tout effacer").click()
    await expect(rows).to_have_count(7)
    await page.get_by_text("Plus de critères").click()
    await page.get_by_label("Qualité").select_option("3.6")
    await page.get_by_label("Enregistrés seulement").check()
    await page.get_by_role("button", name="Rechercher").click()
    await expect(rows).to_have_count(3)
    await check_page(page, "history-all")
    await page.get_by_label("Nom").fill("zzz")
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("Aucun appel ne correspond")).to_be_visible()
    await check_page(page, "history-none")


async def test_the_table_is_exported(sign_in: SignIn, past: str) -> None:
    page = await sign_in("auditor", "fr", "/history")
    async with page.expect_download() as started:
        await page.get_by_role("link", name="Exporter").click()
    path = await (await started.value).path()
    assert path.read_text("utf-8").startswith("id,started,answered,ended")


@pytest.mark.parametrize("language", ["fr", "en"])
async def test_a_calls_page_tells_everything_of_it(sign_in: SignIn, past: str, language: str) -> None:
    page = await sign_in("administrator", language, f"/history/{past}")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Alice Martin → Bruno Petit")
    sentences = await rungs(page, language)
    labels = [re.sub(r"^.*?(Martin|Petit|Beffroi), | \(.*", "", one) for one in sentences]
    assert labels[:6] == ["INVITE", "401 INVITE", "ACK", "INVITE", "INVITE", "180 INVITE"]
    holds = {"fr": ["met en attente", "reprend"], "en": ["holds", "resumes"]}[language]
    assert [hold for one in sentences for hold in holds if hold in one] == holds
    await check_page(page, f"history-call-{language}")
    await page.get_by_role("listitem").filter(has_text="INVITE").nth(2).get_by_role("button").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_contain_text("Authorization: (blanked)")
    await check_page(page, f"history-message-{language}")
    await page.keyboard.press("Escape")
    await expect(dialog).to_have_count(0)


async def rungs(page: Page, language: str) -> list[str]:
    """The sentences of the ladder, once it is drawn."""
    name = {"fr": "Échanges SIP", "en": "SIP messages"}[language]
    ladder = page.get_by_role("region", name=name)
    await expect(ladder.get_by_role("listitem").first).to_be_visible()
    return await ladder.locator(".rung-sentence").all_text_contents()


async def test_why_it_went_there_leads_to_the_plans_line(sign_in: SignIn, past: str) -> None:
    page = await sign_in("administrator", "fr", f"/history/{past}")
    why = page.get_by_role("region", name="Pourquoi il est allé là")
    await why.get_by_role("link", name=re.compile("^Ligne")).first.click()
    await expect(page).to_have_url(re.compile(r"/plan\?line=\d+$"))
    await expect(page.get_by_role("heading", level=1)).to_have_text("Plan de numérotation")


async def test_whose_call_it_is_sees_its_ladder_and_opens_no_message(sign_in: SignIn, past: str) -> None:
    page = await sign_in("agent", "fr", f"/history/{past}")
    assert len(await rungs(page, "fr")) > 10
    await expect(page.get_by_role("region", name="Échanges SIP").get_by_role("button")).to_have_count(0)
    await expect(page.get_by_text("Pourquoi il est allé là")).to_have_count(0)
    await check_page(page, "history-call-own")


async def test_a_call_of_before_tells_what_is_known_and_leads_on(sign_in: SignIn, past: str) -> None:
    page = await sign_in("administrator", "fr", "/history")
    await page.get_by_label("Appels", exact=True).select_option("all")
    row = page.get_by_role("row").filter(has_text="Urbanisme").filter(has_text="Oui")
    await row.get_by_role("link").first.click()
    await expect(page.get_by_text("ne sont pas conservés")).to_be_visible()
    await expect(page.get_by_role("region", name="Participants et qualité")).to_contain_text("2,4 sur 5")
    await check_page(page, "history-call-before")
    await page.get_by_role("region", name="Appels liés").get_by_role("link").click()
    await expect(page.get_by_role("region", name="Appels liés")).to_contain_text("Vient de")


async def test_who_listens_finds_the_recordings_of_their_call_by_saying_why(
    sign_in: SignIn, past: str
) -> None:
    page = await sign_in("listener", "fr", "/history")
    await page.get_by_role("row").filter(has_text="Alice Martin").get_by_role("link").first.click()
    await page.get_by_label("Motif").fill("dossier 2026-451")
    await page.get_by_role("button", name="Trouver les enregistrements").click()
    await expect(page.get_by_text("Aucun que vous puissiez écouter")).to_be_visible()
    await check_page(page, "history-call-listener")


async def test_a_call_that_is_not_there_is_said_so(sign_in: SignIn) -> None:
    page = await sign_in("administrator", "fr", "/history/00000000000000000001")
    await expect(page.get_by_role("alert")).to_be_visible()
    await check_page(page, "history-not-there")
