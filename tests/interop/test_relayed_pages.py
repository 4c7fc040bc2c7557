"""Pages at home: behind a network that lets no UDP through their sound takes a relay, and in one that loses
packets it stays whole.

home 10.54.3.20 ── hub: Beffroi 10.54.0.1 ── office 10.54.1.43 (baresip)
                    └── relay 10.54.2.2 (coturn, by the doctor's recipe)
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
import yaml
from aioice.stun import Class, Message, Method
from playwright.async_api import Page as Chromium
from playwright.async_api import expect

from pbx.configuration import load_configuration
from pbx.store.database import open_database
from pbx.store.revision import upgrade
from pbx.turn import ice_servers
from tests.browser.checking import check_page
from tests.browser.town import add_accounts, session_of
from tests.interop import beffroi, coturn
from tests.interop.baresip import Baresip
from tests.interop.beffroi import Beffroi
from tests.interop.chromium import chromium, hears
from tests.interop.coturn import SECRET
from tests.interop.namespaces import Namespace, Town
from tests.interop.page import Page
from tests.interop.patience import until
from tests.interop.test_pages import WEBSOCKET, hear_each_other
from tests.interop.tone import Recording
from tests.net.authority import Authority

pytestmark = [
    pytest.mark.peer,
    pytest.mark.xdist_group("relayed pages"),
    pytest.mark.asyncio(loop_scope="module"),
]

HOME, STRANGER, RELAY, OFFICE = "10.54.3.20", "10.54.3.66", "10.54.2.2", "10.54.1.43"
RTC_PORT, WEB = 19999, 8080
HEARD_SECONDS, MOST_GAPS = 4.0, 0.03
READY_MS = 30_000
HOME_HZ, OFFICE_HZ = 440, 850
WAYS = {
    "udp": (f"turn:{RELAY}:3478?transport=udp", f"udp dport != 3478 ip daddr != {HOME} drop"),
    "tcp": (f"turn:{RELAY}:3478?transport=tcp", "meta l4proto udp drop"),
    "tls": (
        f"turns:{RELAY}:443?transport=tcp",
        f"meta l4proto udp drop\n        ip daddr {RELAY} tcp dport != 443 drop",
    ),
}


_RULES = """
table inet home {{}}
flush table inet home
table inet home {{
    chain out {{
        type filter hook output priority filter
        {rules}
    }}
    chain in {{
        type filter hook input priority filter
        {coming}
    }}
}}
"""


@dataclass
class Places:
    """The places, and who is there."""

    pbx: Beffroi
    home: Namespace
    stranger: Namespace
    office: Baresip
    authority: Authority


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def places(standing_town: Town, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Places]:
    folder = tmp_path_factory.mktemp("relayed")
    address = str(standing_town.hub.address)
    file = beffroi.write_configuration(folder, address)
    (folder / "turn-secret").write_text(SECRET)
    settings = yaml.safe_load(file.read_text())
    settings["sip"]["ws"] = f"{address}:{WEBSOCKET}"
    settings["web"] = {"listen": [f"{address}:{WEB}"], "tls": "never"}
    settings["media"]["rtc_codec"] = "opus"  # as for people who work at home
    settings["turn"] = {"urls": [WAYS["tls"][0]], "secret": {"file": "turn-secret"}}
    file.write_text(yaml.safe_dump(settings))
    authority = Authority(folder)
    pair = authority.issue(RELAY)
    configuration = load_configuration(file)
    with closing(open_database(configuration.database)) as database:
        upgrade(database)
        add_accounts(database)
    made = Beffroi(standing_town.hub, file)
    plug = standing_town.plug
    home, stranger = plug(HOME), plug(STRANGER)
    relayed = coturn.relay(plug(RELAY), folder, [(address, RTC_PORT)], (pair.path, pair.key_path))
    try:
        async with (
            relayed,
            Baresip(plug(OFFICE), folder, "2010", "pw2010", address, tone_hz=OFFICE_HZ) as office,
        ):
            await made.start()
            await office.registered()
            yield Places(made, home, stranger, office, authority)
            await made.stop()
    finally:
        await made.kill()


def block(places: Places, rules: str, coming: str = "") -> None:
    """What home's own network lets out, and in, in place of what it did before."""
    file = places.pbx.configuration.with_name("home.nft")
    file.write_text(_RULES.format(rules=rules, coming=coming))
    places.home.run("nft", "-f", str(file))


def strange() -> Iterator[bytes]:
    """What somebody who knows nothing may send to the port of browsers, again and again."""
    for number in itertools.count():
        check = Message(Method.BINDING, Class.REQUEST)
        yield bytes(check)
        check.attributes["USERNAME"] = f"{number:08x}:abcd"
        check.add_message_integrity(b"guessed")
        yield bytes(check)
        yield b"\x16\xfe\xff" + bytes(8) + (120).to_bytes(2) + b"\x01" + os.urandom(119)  # DTLS
        yield b"\x80\x6f" + os.urandom(60)  # RTP
        yield b"\x81\xc9" + os.urandom(30)  # RTCP


async def flood(places: Places, datagrams: int) -> tuple[int, int]:
    """Send so many strange datagrams, 3,000 a second; returns the bytes sent, and those of the answers."""
    sent = answered = 0
    with places.stranger.socket(socket.SOCK_DGRAM) as made:
        made.connect((places.pbx.address, RTC_PORT))
        for number, datagram in zip(range(datagrams), strange(), strict=False):
            sent += made.send(datagram)
            if number % 30 == 0:
                await asyncio.sleep(0.01)
                with contextlib.suppress(BlockingIOError):
                    while True:
                        answered += len(made.recv(2048))
    return sent, answered


def gaps(heard: Recording) -> float:
    """The share of a recording's fiftieths of a second in which a tone isn't there."""
    size = heard.rate_hz // 50
    loud = [max(map(abs, heard.samples[at : at + size])) for at in range(0, len(heard.samples) - size, size)]
    usual = sorted(loud)[len(loud) // 2]
    return sum(one < usual / 4 for one in loud) / len(loud)


@pytest.mark.parametrize("way", WAYS)
async def test_a_page_without_udp_to_us_speaks_by_a_relay(places: Places, tmp_path: Path, way: str) -> None:
    url, rules = WAYS[way]
    block(places, rules)
    settings = load_configuration(places.pbx.configuration)
    (server,) = ice_servers(settings, "alice", time.time())
    relays = [{**server, "urls": [url]}]
    trusted = {"SSL_CERT_FILE": str(places.authority.file)}
    page = Page(
        places.home, tmp_path, "1001", "pw1001", places.pbx.address, WEBSOCKET, HOME_HZ, relays, trusted
    )
    async with page:
        await page.registered()
        await page.dial("2010")
        await places.office.rung()
        await places.office.answer()
        await page.answered()
        await hear_each_other(page, places.office)
        await page.hang_up()
        await places.office.closed()


@asynccontextmanager
async def telephone_at_home(places: Places, folder: Path) -> AsyncIterator[Chromium]:
    """Somebody's telephone in Chromium, in a call with the office that both have heard begin."""
    url = f"http://{places.pbx.address}:{WEB}"
    session = session_of(load_configuration(places.pbx.configuration), "agent")
    async with chromium(places.home, folder, url, HOME_HZ) as page:
        await page.context.add_cookies([{"name": "beffroi", "value": session, "url": url}])
        await page.goto(f"{url}/telephone")
        await expect(page.get_by_text("Prêt", exact=True).first).to_be_visible(timeout=READY_MS)
        await page.get_by_role("textbox", name="Numéro à appeler").fill("2010")
        await page.get_by_role("button", name="Appeler", exact=True).click()
        await places.office.rung()
        await places.office.answer()
        await places.office.hears(HOME_HZ)
        await hears(page, OFFICE_HZ)
        yield page
        await page.get_by_role("button", name="Raccrocher").first.click()
        await places.office.closed()


async def test_the_telephone_of_a_browser_in_a_hotel_speaks_over_tls_and_says_so(
    places: Places, tmp_path: Path
) -> None:
    block(places, WAYS["tls"][1])
    async with telephone_at_home(places, tmp_path) as page:
        await expect(page.locator(".quality")).to_contain_text("relais")


@pytest.mark.parametrize("lost", [5, 15])
async def test_speech_is_whole_where_packets_are_lost_each_way_and_the_page_says_so(
    places: Places, tmp_path: Path, lost: int
) -> None:
    loses = f"meta l4proto udp numgen random mod 100 < {lost} drop"
    block(places, loses, loses)
    async with telephone_at_home(places, tmp_path) as page:
        await expect(page.locator(".quality")).to_contain_text("Votre réseau perd des paquets")
        if lost == 15:
            await check_page(page, "telephone-loses-packets")

        async def whole() -> bool:
            heard = places.office.recording().last(HEARD_SECONDS)
            return heard.seconds >= HEARD_SECONDS and gaps(heard) < MOST_GAPS

        await until(whole, "the office to hear a tone without gaps", 2 * HEARD_SECONDS)
        await places.office.hears(HOME_HZ)
        await hears(page, OFFICE_HZ)


async def test_a_flood_of_strangers_takes_nothing_from_a_page_that_speaks_and_gets_next_to_nothing(
    places: Places, tmp_path: Path
) -> None:
    block(places, "")
    page = Page(places.home, tmp_path, "1001", "pw1001", places.pbx.address, WEBSOCKET, HOME_HZ)
    async with page:
        await page.registered()
        await page.dial("2010")
        await places.office.rung()
        await places.office.answer()
        await page.answered()
        await hear_each_other(page, places.office)
        sent, answered = await flood(places, 15_000)
        assert 0 < answered < sent / 20
        assert gaps(places.office.recording().last(HEARD_SECONDS)) < MOST_GAPS
        await hear_each_other(page, places.office)
        await page.hang_up()
        await places.office.closed()
