"""A relay by the recipe of `beffroi doctor --coturn`: it leads browsers' sound to us, and nobody elsewhere.

home 10.54.3.20 ── hub ── relay 10.54.2.2 (coturn)
                    └──── office 10.54.1.11 (where browsers are heard: port 19999)
"""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from aioice.stun import Class, Message, Method, TransactionFailed
from aioice.turn import TurnClientUdpProtocol

from pbx.turn import TURN_SECONDS, password_of, username_of
from tests.interop import coturn
from tests.interop.coturn import SECRET, UDP_PORT
from tests.interop.namespaces import Namespace, town
from tests.net.authority import Authority
from tests.tools.places import ROOT

pytestmark = [pytest.mark.peer, pytest.mark.xdist_group("relays"), pytest.mark.asyncio(loop_scope="module")]

HOME, OFFICE, RELAY, RTC_PORT = "10.54.3.20", "10.54.1.11", "10.54.2.2", 19999
USER_QUOTA = 12
PROGRAM = ROOT / ".venv" / "bin" / "beffroi"


@dataclass
class Places:
    """The three, and what vouches for the relay."""

    home: Namespace
    office: Namespace
    relay: Namespace
    folder: Path
    authority: Authority
    stack: ExitStack = field(repr=False)


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Places]:
    with town() as made, ExitStack() as stack:
        folder = tmp_path_factory.mktemp("relays")
        three = made.plug(HOME), made.plug(OFFICE), made.plug(RELAY)
        yield Places(*three, folder, Authority(folder), stack)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def relay(places: Places) -> AsyncIterator[Places]:
    issued = places.authority.issue(RELAY, until=datetime.now(UTC) + timedelta(days=300))
    pair = issued.path, issued.key_path
    async with coturn.relay(places.relay, places.folder, [(OFFICE, RTC_PORT)], pair):
        yield places


async def doctor(
    places: Places, *urls: str, secret: str = SECRET, trusted: Authority | None = None
) -> dict[str, str]:
    """What `beffroi doctor` in the office finds of relays: code and message."""
    folder = places.folder
    (folder / "turn-secret").write_text(secret)
    listed = ", ".join(f'"{url}"' for url in urls)
    configuration = folder / "beffroi.yaml"
    configuration.write_text(
        f"data_dir: ./data\ndomain: valmont.example\nplan: {ROOT}/examples/valmont.yaml\n"
        f'sip: {{udp: "{OFFICE}:5060", tcp: [], tls: [], ws: []}}\nweb: []\n'
        f"turn: {{urls: [{listed}], secret: {{file: turn-secret}}}}\n"
    )
    said = folder / "doctor.json"
    said.unlink(missing_ok=True)
    process = await places.office.start(
        [PROGRAM, "doctor", "--json", "-c", configuration],
        said,
        SSL_CERT_FILE=str((trusted or places.authority).file),
    )
    assert await process.wait() in (0, 1)
    found = json.loads(said.read_text())
    return {
        one["code"]: one["message"]
        for one in found
        if "relay" in one["code"] or "secret of `turn" in one["message"]
    }


async def test_a_relay_by_the_printed_recipe_is_whole_over_udp_tcp_and_tls(relay: Places):
    ways = f"turn:{RELAY}", f"turn:{RELAY}?transport=tcp", f"turns:{RELAY}:443?transport=tcp"
    assert await doctor(relay, *ways) == {}


async def test_a_wrong_secret_and_a_closed_port_are_told_in_words(relay: Places):
    found = await doctor(relay, f"turn:{RELAY}", f"turn:{RELAY}:4000?transport=tcp", secret="another")
    assert "refuses our credential" in found["relay_refuses_us"]
    assert "Connect call failed" in found["no_relay"]


async def test_a_certificate_that_no_browser_takes_is_told(relay: Places):
    (relay.folder / "strangers").mkdir()
    stranger = Authority(relay.folder / "strangers")
    found = await doctor(relay, f"turns:{RELAY}:443", trusted=stranger)
    assert "browsers don't take its certificate" in found["relay_certificate"]


@asynccontextmanager
async def allocation(
    places: Places, *, ends_at: float | None = None, secret: str = SECRET, who: str = "alice"
) -> AsyncIterator[TurnClientUdpProtocol]:
    """An allocation made from home. Raises TransactionFailed."""
    made = places.home.socket(socket.SOCK_DGRAM)
    made.connect((RELAY, UDP_PORT))
    username = username_of(who, secret, time.time() + TURN_SECONDS if ends_at is None else ends_at)
    client = TurnClientUdpProtocol((RELAY, UDP_PORT), username, password_of(username, secret), 60, 60)
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: client, sock=made)
    try:
        await client.connect()
        yield client
        await client.delete()
    finally:
        transport.close()


async def permitted(client: TurnClientUdpProtocol, host: str) -> bool:
    asked = Message(
        Method.CREATE_PERMISSION, Class.REQUEST, attributes={"XOR-PEER-ADDRESS": (host, RTC_PORT)}
    )
    try:
        await client.request_with_retry(asked)
    except TransactionFailed:
        return False
    return True


async def refusal(places: Places, **how: float | str) -> int | None:
    """The code with which an allocation is refused."""
    with pytest.raises(TransactionFailed) as caught:
        async with allocation(places, **how):
            pass
    return caught.value.response.error_code


async def test_credentials_past_their_end_or_of_another_secret_allocate_nothing(relay: Places):
    # RFC 8656 section 7.2
    assert await refusal(relay, ends_at=time.time() - 60) == 401
    assert await refusal(relay, secret="guessed") == 401


async def test_an_end_that_was_moved_by_hand_breaks_the_credential(relay: Places):
    made = relay.home.socket(socket.SOCK_DGRAM)
    made.connect((RELAY, UDP_PORT))
    old = username_of("alice", SECRET, time.time() - 60)
    later = f"{int(time.time()) + 9999}:{old.partition(':')[2]}"
    client = TurnClientUdpProtocol((RELAY, UDP_PORT), later, password_of(old, SECRET), 60, 60)
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: client, sock=made)
    with pytest.raises(TransactionFailed, match="401"):
        await client.connect()
    transport.close()


async def test_a_relay_is_no_way_to_other_hosts_nor_to_itself(relay: Places):
    async with allocation(relay) as client:
        assert await permitted(client, OFFICE)
        others = (
            HOME,
            RELAY,
            "127.0.0.1",
            "10.54.0.1",
            "169.254.169.254",
            "192.168.1.1",
            "8.8.8.8",
            "0.0.0.0",
        )
        assert [host for host in others if await permitted(client, host)] == []


async def test_a_relay_reaches_browsers_port_of_ours_and_no_other_one(relay: Places):
    """coturn permits an address with all of its ports: the firewall of the recipe has the last word."""
    with relay.office.socket(socket.SOCK_DGRAM) as rtc, relay.office.socket(socket.SOCK_DGRAM) as sip:
        rtc.bind((OFFICE, RTC_PORT))
        sip.bind((OFFICE, 5060))
        for said in (b"hello", b"hello again"):  # who tried another port may have lost that allocation
            async with allocation(relay) as client, asyncio.timeout(5):
                await client.send_data(said, (OFFICE, RTC_PORT))
                assert await asyncio.get_running_loop().sock_recv(rtc, 100) == said
                await client.send_data(b"REGISTER", (OFFICE, 5060))
        with pytest.raises(BlockingIOError):
            sip.recv(100)


async def test_one_person_holds_so_many_allocations_and_others_still_get_theirs(relay: Places):
    async with AsyncExitStack() as held:
        for _ in range(USER_QUOTA):
            await held.enter_async_context(allocation(relay, who="greedy"))
        assert await refusal(relay, who="greedy") == 486
        async with allocation(relay, who="modest"):
            pass
