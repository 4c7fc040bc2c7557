"""Notifications: who can read them, what a push service learns, whom they may be sent to."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from pbx import control
from pbx.accounts import records as accounts
from pbx.accounts.account import Language
from pbx.node.sealing import Sealing
from pbx.push import records
from pbx.push.courier import PushCourier
from pbx.push.keys import VapidKeys, contact_of
from pbx.push.sending import Notification, PushSender, encrypted
from pbx.push.subscription import Secrets, Subscription, SubscriptionWrong, checked_secrets, id_of
from pbx.store.database import Database, SqliteDatabase, Work
from pbx.store.revision import upgrade
from pbx.webhooks.addresses import is_public
from tests.net.authority import Authority
from tests.push.service import Browser, PushService, push_service

NOW = 1_795_371_300.0
SEALING = Sealing(b"a node's key")
KEYS = VapidKeys(SEALING, "mailto:beffroi@valmont.example")
CALL = {"kind": "call", "number": "+33612345678", "name": "Zoé Lemaire"}


def anywhere(_: object) -> bool:
    return True


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def service(authority: Authority) -> Iterator[PushService]:
    with push_service(authority) as running:
        yield running


def sender(service: PushService, allows: Any = anywhere) -> PushSender:
    return PushSender(KEYS, lambda: NOW, service.tls, allows)


# What is sent


async def test_the_browser_alone_reads_who_calls(service: PushService):
    # RFC 8291 section 3: encrypted for the browser's key and secret.
    browser = service.browser()
    told = await sender(service).send(browser.secrets, Notification(CALL, 45, urgent=True, topic="abc"))
    assert (told.status, told.trouble) == (201, "")
    assert browser.shown == [CALL]
    outside = repr(service.headers).encode() + b"".join(service.bodies)
    assert not any(part in outside for part in (b"612345678", b"Lemaire", "Zoé".encode()))


async def test_the_service_is_told_how_long_it_is_worth_and_how_urgent(service: PushService):
    # RFC 8030 sections 5.2 to 5.4
    await sender(service).send(service.browser().secrets, Notification(CALL, 45, urgent=True, topic="abc"))
    await sender(service).send(service.browser().secrets, Notification(CALL, 86400))
    first, second = service.headers
    assert (first["TTL"], first["Urgency"], first["Topic"]) == ("45", "high", "abc")
    assert (second["TTL"], second["Urgency"], "Topic" in second) == ("86400", "normal", False)
    assert first["Content-Encoding"] == "aes128gcm"


async def test_what_is_sent_is_signed_for_its_service_alone_and_not_for_long(service: PushService):
    # RFC 8292 section 2
    await sender(service).send(service.browser().secrets, Notification(CALL, 45))
    assert service.claims == [
        {"aud": service.url, "exp": int(NOW) + 3600, "sub": "mailto:beffroi@valmont.example"}
    ]


async def test_a_long_name_is_as_large_as_a_short_one(service: PushService):
    # RFC 8291 section 4: padding, so that the size says nothing.
    browser = service.browser()
    for name in ("", "Ève", "Association des donneurs de sang bénévoles de Valmont et environs"):
        await sender(service).send(browser.secrets, Notification({**CALL, "name": name}, 45))
    assert len(set(browser.sizes)) == 1


def test_too_much_for_one_notification_is_refused():
    browser = Browser("https://push.example/1")
    with pytest.raises(ValueError, match="too much"):
        encrypted(browser.secrets, {"name": "x" * 5000})


def test_a_node_with_its_key_is_the_same_sender_after_a_restore():
    again = VapidKeys(Sealing(b"a node's key"), "https://pbx.valmont.example")
    other = VapidKeys(Sealing(b"another one"), "https://pbx.valmont.example")
    assert again.public == KEYS.public != other.public


def test_a_push_service_may_write_to_who_runs_the_node():
    assert contact_of("https://pbx.example", "pbx@example.org", "example.org") == "mailto:pbx@example.org"
    assert contact_of("https://pbx.example", "", "example.org") == "https://pbx.example"
    assert contact_of("http://127.0.0.1:8080", "", "example.org") == "https://example.org"


# Where it may go


async def test_a_browser_that_leads_into_a_private_network_is_not_told(service: PushService):
    told = await sender(service, is_public).send(service.browser().secrets, Notification(CALL, 45))
    assert told.trouble == "a push service isn't in a private network"
    assert service.headers == []


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "192.168.0.1",
        "169.254.169.254",
        "::1",
        "fd00::1",
        "fe80::1",
        "64:ff9b::a00:1",
    ],
)
def test_no_private_address_is_public(address: str):
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["1.1.1.1", "2606:4700:4700::1111"])
def test_the_worlds_addresses_are_public(address: str):
    assert is_public(ipaddress.ip_address(address))


async def test_a_service_that_nobody_vouches_for_learns_nothing(service: PushService, tmp_path: Path):
    stranger = PushService(Authority(tmp_path, "Another authority"))
    told = await PushSender(KEYS, lambda: NOW, stranger.tls, anywhere).send(
        service.browser().secrets, Notification(CALL, 45)
    )
    assert told.status == 0
    assert service.headers == []


@pytest.mark.parametrize(
    ("endpoint", "p256dh", "auth", "where"),
    [
        ("http://push.example/1", "", "", "endpoint"),
        ("https://user@push.example/1", "", "", "endpoint"),
        ("https://push.example:0/", "", "", "endpoint"),
        ("https://[::1/", "", "", "endpoint"),
        ("https://push.example/\n", "", "", "endpoint"),
        ("https://push.example/1", "AAAA", "", "p256dh"),
        ("https://push.example/1", "B" + "A" * 86, "", "p256dh"),
        ("https://push.example/1", "é" * 87, "", "p256dh"),
        ("", "", "x", "auth"),
    ],
)
def test_what_no_browser_says_is_refused_with_its_field(endpoint: str, p256dh: str, auth: str, where: str):
    good = Browser("https://push.example/1").secrets
    with pytest.raises(SubscriptionWrong) as refused:
        checked_secrets(endpoint or good.endpoint, p256dh or good.p256dh, auth or good.auth)
    assert refused.value.where == where


# Who is told of what


class Web:
    """The node as the courier needs it: a database, and a signalling that remembers what it was asked."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.asked: list[control.Question] = []
        self.was_asked = asyncio.Event()

    async def read(self, work: Work[Any], /) -> Any:
        return self._database.read(work)

    async def write(self, work: Work[Any], /) -> Any:
        return self._database.write(work)

    async def ask(self, question: control.Question, /) -> control.Answer:
        self.asked.append(question)
        self.was_asked.set()
        return control.WakingSet()


class Desk:
    """Alice (1001) and Bruno (1002), and the courier that tells their browsers."""

    def __init__(self, service: PushService, database: Database) -> None:
        self.service = service
        self.database = database
        self.web = Web(database)
        self.courier = PushCourier(self.web, SEALING, sender(service), lambda: NOW)

    def browser_of(self, account: str, *kinds: str) -> Browser:
        browser = self.service.browser()
        made = Subscription(
            id_of(browser.secrets.endpoint), account, kinds, "Firefox", NOW, "fr", browser.secrets
        )
        self.database.write(lambda connection: records.add(connection, made, SEALING))
        return browser

    async def hears(self, *events: dict[str, Any]) -> None:
        for event in events:
            self.courier.tell(event)
            await self.courier.idle()


def _add(connection: sa.Connection, account: str, extension: str, language: Language) -> None:
    accounts.add(
        connection, account, account, now=NOW, roles=["agent"], extension=extension, language=language
    )


@pytest.fixture
async def desk(service: PushService, tmp_path: Path):
    database = SqliteDatabase(tmp_path / "town.sqlite3")
    upgrade(database)
    for account, extension, language in (("alice", "1001", "en"), ("bruno", "1002", "fr")):
        database.write(partial(_add, account=account, extension=extension, language=language))
    made = Desk(service, database)

    class Silence:
        def join(self, _: object) -> None: ...
        def leave(self, _: object) -> None: ...

    made.courier.start(Silence())
    yield made
    await made.courier.stop()
    database.close()


def rings(extension: str = "1001", call: str = "c1") -> dict[str, Any]:
    return {
        "event": "WakeWanted",
        "call": call,
        "extension": extension,
        "number": "+33612345678",
        "name": "Zoé Lemaire",
        "through": "standard",
    }


def over(outcome: str, extension: str = "1001", call: str = "c1") -> dict[str, Any]:
    return {"event": "WakeOver", "call": call, "extension": extension, "outcome": outcome}


async def test_who_is_called_is_told_in_their_language_and_nobody_else(desk: Desk):
    hers, his = desk.browser_of("alice", "calls"), desk.browser_of("bruno", "calls")
    await desk.hears(rings())
    (told,) = hers.shown
    assert (told["kind"], told["language"]) == ("call", "en")
    assert (told["number"], told["name"], told["through"]) == ("+33612345678", "Zoé Lemaire", "standard")
    assert his.shown == []


async def test_every_browser_of_hers_is_told(desk: Desk):
    office, home = desk.browser_of("alice", "calls"), desk.browser_of("alice", "calls")
    await desk.hears(rings())
    assert len(office.shown) == len(home.shown) == 1


async def test_a_call_that_somebody_answered_takes_its_notification_back(desk: Desk):
    browser = desk.browser_of("alice", "calls", "missed")
    await desk.hears(rings(), over("answered"))
    assert [told["kind"] for told in browser.shown] == ["call", "over"]


async def test_a_call_that_nobody_answered_is_missed_for_who_wants_to_know(desk: Desk):
    wants, wants_not = desk.browser_of("alice", "calls", "missed"), desk.browser_of("alice", "calls")
    await desk.hears(rings(), over("no answer"))
    assert [told["kind"] for told in wants.shown] == ["call", "missed"]
    assert wants.shown[1]["name"] == "Zoé Lemaire"
    assert [told["kind"] for told in wants_not.shown] == ["call", "over"]


async def test_a_missed_call_replaces_the_ringing_one_that_was_never_told(desk: Desk):
    desk.browser_of("alice", "calls", "missed")
    await desk.hears(rings(), over("no answer"), rings(call="c2"))
    ringing, missed, other = (headers["Topic"] for headers in desk.service.headers)
    assert ringing == missed != other


async def test_a_new_voice_message_is_told_and_one_that_was_heard_is_not(desk: Desk):
    browser = desk.browser_of("alice", "voicemail")
    desk.courier._extensions = desk.database.read(records.extensions)
    changed = {"event": "MailboxChanged", "mailbox": "1001"}
    await desk.hears({**changed, "new": 2, "old": 0}, {**changed, "new": 1, "old": 1})
    assert [(told["kind"], told["count"]) for told in browser.shown] == [("voicemail", 2)]


@pytest.mark.parametrize("status", [404, 410])
async def test_a_browser_that_is_gone_is_forgotten(desk: Desk, status: int):
    # RFC 8030 section 7.3
    desk.browser_of("alice", "calls")
    desk.service.answers = [status]
    await desk.hears(rings())
    assert desk.database.read(lambda connection: records.of_account(connection, "alice")) == []


async def test_a_service_that_is_busy_keeps_its_browser(desk: Desk):
    desk.browser_of("alice", "calls")
    desk.service.answers = [503]
    await desk.hears(rings())
    assert len(desk.database.read(lambda connection: records.of_account(connection, "alice"))) == 1


async def test_signalling_is_told_whose_pages_can_be_woken(desk: Desk):
    desk.browser_of("alice", "calls")
    desk.browser_of("bruno", "voicemail")
    desk.courier.changed()
    async with asyncio.timeout(45):
        await desk.web.was_asked.wait()
    assert desk.web.asked == [control.SetWakeable(["1001"])]


# What is kept


def test_a_copy_of_the_database_tells_nothing_of_where_browsers_are(desk: Desk, tmp_path: Path):
    browser = desk.browser_of("alice", "calls")
    kept = (tmp_path / "town.sqlite3").read_bytes() + (tmp_path / "town.sqlite3-wal").read_bytes()
    assert browser.secrets.auth.encode() not in kept
    assert browser.secrets.endpoint.encode() not in kept
    stranger = Sealing(b"another node's key")
    assert desk.database.read(lambda connection: records.of_extension(connection, "1001", stranger)) == []


def test_a_browser_belongs_to_who_subscribed_there_last(desk: Desk):
    browser = desk.browser_of("alice", "calls")
    again = Subscription(id_of(browser.secrets.endpoint), "bruno", ("calls",), "", NOW, "fr", browser.secrets)
    desk.database.write(lambda connection: records.add(connection, again, SEALING))
    assert desk.database.read(lambda connection: records.of_account(connection, "alice")) == []
    assert len(desk.database.read(lambda connection: records.of_account(connection, "bruno"))) == 1


def test_an_account_keeps_its_ten_newest_browsers(desk: Desk):
    for number in range(12):
        secrets = Secrets(f"https://push.example/{number}", "", "")
        one = Subscription(
            id_of(secrets.endpoint), "alice", ("calls",), str(number), NOW + number, "fr", secrets
        )
        desk.database.write(partial(records.add, subscription=one, sealing=SEALING))
    kept = desk.database.read(lambda connection: records.of_account(connection, "alice"))
    assert [one.device for one in kept] == [str(number) for number in range(11, 1, -1)]


def test_a_closed_account_is_told_nothing(desk: Desk):
    desk.browser_of("alice", "calls")
    desk.database.write(lambda connection: accounts.change(connection, "alice", disabled=True))
    assert desk.database.read(records.extensions) == {}
    assert desk.database.read(lambda connection: records.of_extension(connection, "1001", SEALING)) == []
