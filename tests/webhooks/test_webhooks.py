"""Webhooks: where they may lead, how they are signed, and what becomes of a delivery."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pbx.node.sealing import Sealing
from pbx.settings.values import PRIVATE_NETWORKS
from pbx.store.database import SqliteDatabase
from pbx.store.revision import upgrade
from pbx.tasks import Tasks
from pbx.webhooks import records
from pbx.webhooks.addresses import AddressRefused, address_for, plain, refuse, refuse_literal
from pbx.webhooks.courier import Courier
from pbx.webhooks.records import MOST_WAITING, SEAL, NoWebhook
from pbx.webhooks.sending import Outcome, Sender
from pbx.webhooks.webhook import (
    Delivery,
    Webhook,
    WebhookWrong,
    checked_kinds,
    checked_name,
    new_secret,
    next_try,
    parts_of,
    signature,
)
from tests.webhooks.receiver import Receiver, receiver

NOW = 1_800_000_000.0
SEALING = Sealing(b"k" * 32)
PRIVATE = [ipaddress.ip_network(text) for text in PRIVATE_NETWORKS]
SECRET = "bfs_secret"


def webhook(url: str = "https://intranet.valmont.example/hook", **fields: object) -> Webhook:
    made = Webhook("w1", "Intranet", url, ("CallEnded", "TrunkChanged"), False, "chef", NOW)
    return replace(made, **fields)


def event(kind: str = "CallEnded", **fields: object) -> bytes:
    return json.dumps({"event": kind, "at": "2027-01-15T08:00:00Z", **fields}).encode()


# Where they may lead


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:2800:21f:cb07::1"])
def test_address_of_the_internet_is_led_to(address: str):
    refuse(plain(address), webhook(), PRIVATE)


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.0.0.7", "192.168.1.1", "172.20.0.1", "::1", "fd00::7", "::ffff:10.0.0.7", "100.64.0.1"],
)
def test_private_address_takes_somebody_who_says_so(address: str):
    with pytest.raises(AddressRefused, match="nobody has said"):
        refuse(plain(address), webhook(), PRIVATE)
    refuse(plain(address), webhook(private_address=True), PRIVATE)


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "fe80::1",
        "0.0.0.0",
        "::",
        "224.0.0.1",
        "ff02::1",
        "64:ff9b::a00:7",
        "2002:a00:7::1",
        "::ffff:169.254.169.254",
    ],
)
def test_address_that_is_nobodys_program_is_never_led_to(address: str):
    with pytest.raises(AddressRefused, match="no address of a program"):
        refuse(plain(address), webhook(private_address=True), PRIVATE)


def test_network_that_the_configuration_names_is_led_to():
    ours = [ipaddress.ip_network("10.54.0.0/16")]
    refuse(plain("10.54.1.7"), webhook("http://10.54.1.7/"), ours)
    with pytest.raises(AddressRefused):
        refuse(plain("10.55.1.7"), webhook("http://10.55.1.7/"), ours)


def test_plain_http_is_for_our_own_networks():
    with pytest.raises(AddressRefused, match="https"):
        refuse(plain("93.184.215.14"), webhook("http://intranet.example/"), PRIVATE)
    refuse(plain("127.0.0.1"), webhook("http://localhost/", private_address=True), PRIVATE)


async def test_name_is_looked_up_and_its_address_checked():
    with pytest.raises(AddressRefused, match="private network"):
        await address_for(webhook("https://localhost/"), PRIVATE)
    found = await address_for(webhook("https://localhost/", private_address=True), PRIVATE)
    assert found.is_loopback


async def test_name_that_isnt_there_is_told():
    with pytest.raises(AddressRefused, match="can't be looked up"):
        await address_for(webhook("https://nowhere.invalid/"), PRIVATE)


@pytest.mark.parametrize("url", ["http://127.0.0.1/", "https://[::1]/", "https://169.254.169.254/latest"])
def test_literal_address_is_refused_when_it_is_written(url: str):
    with pytest.raises(WebhookWrong) as refused:
        refuse_literal(webhook(url), PRIVATE)
    assert refused.value.field == "url"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "ftp://x",
        "https://",
        "https:///x",
        "javascript:alert(1)",
        "https://a:b@x/",
        "https://x/#a",
        "https://x:99999/",
        "https://[::1/",
        "https://é/",
        "https://x y/",
        "https://x/" + "a" * 1000,
    ],
)
def test_what_is_no_url_is_refused(url: str):
    with pytest.raises(WebhookWrong):
        parts_of(url)


@pytest.mark.parametrize("kinds", [[], ["RoomSpeakerChanged"], ["CallEnded", "x"]])
def test_kinds_that_arent_told_are_refused(kinds: list[str]):
    with pytest.raises(WebhookWrong):
        checked_kinds(kinds)


@pytest.mark.parametrize("name", ["", " ", "a" * 101, "a\x07"])
def test_name_that_cant_be_shown_is_refused(name: str):
    with pytest.raises(WebhookWrong):
        checked_name(name)


# How they are signed


def test_signature_is_of_the_time_and_the_body():
    expected = hmac.new(SECRET.encode(), b"1800000000.{}", hashlib.sha256).hexdigest()
    assert signature(SECRET, b"{}", NOW + 0.9) == f"t=1800000000,v1={expected}"


def test_secrets_have_256_bits_and_are_never_the_same():
    one, other = new_secret(), new_secret()
    assert len(one) == 47
    assert one != other


def test_tries_are_farther_and_farther_apart_for_a_day():
    at, tries, waits = NOW, 1, []
    while (again := next_try(NOW, tries, at)) is not None:
        waits.append(again - at)
        at, tries = again, tries + 1
    assert waits == sorted(waits)
    assert waits[0] == 10.0
    assert 0.6 * 86_400 < at - NOW <= 86_400


# What becomes of a delivery


@pytest.fixture(scope="module")
def there() -> Iterator[Receiver]:
    with receiver() as running:
        yield running


class Office:
    """A database, a courier and a clock. trouble: what the database answers instead, when it is away."""

    def __init__(self, folder: Path, there: Receiver) -> None:
        there.got.clear()
        there.answers.clear()
        there.large = False
        self.there = there
        self.now = NOW
        self.database = SqliteDatabase(folder / "beffroi.db")
        upgrade(self.database)
        self.courier = self.new_courier()

    def new_courier(self) -> Courier:
        sender = Sender(PRIVATE, lambda: self.now)
        courier = Courier(self, SEALING, sender, lambda: self.now)
        courier._tasks = Tasks()
        return courier

    async def read(self, work):
        return self.database.read(work)

    async def write(self, work):
        return self.database.write(work)

    def add(self, **fields: object) -> Webhook:
        made = webhook(f"{self.there.url}/hook?a=1", private_address=True, **fields)
        sealed = SEALING.seal(SECRET.encode(), SEAL, made.id)
        self.database.write(lambda connection: records.add(connection, made, sealed))
        return made

    async def deliver(self) -> None:
        """Send what is due now, until nothing more is."""
        for _ in range(2000):
            before = len(self.there.got)
            await self.courier.deliver_due()
            await self.courier.idle()
            if len(self.there.got) == before:
                return

    def log(self, webhook: str = "w1") -> list[Delivery]:
        return self.database.read(lambda connection: records.log_of(connection, webhook))


@pytest.fixture
async def office(tmp_path: Path, there: Receiver) -> AsyncIterator[Office]:
    made = Office(tmp_path, there)
    yield made
    made.database.close()


async def test_event_is_delivered_signed(office: Office):
    hook = office.add()
    await office.courier.queue([event(call="c1")], [hook])
    await office.deliver()
    ((headers, body),) = office.there.got
    assert json.loads(body)["call"] == "c1"
    assert headers["path"] == "/hook?a=1"
    assert headers["Host"] == office.there.url.removeprefix("http://")
    assert headers["Beffroi-Event"] == "CallEnded"
    assert headers["Beffroi-Signature"] == signature(SECRET, body, NOW)
    (delivery,) = office.log()
    assert (delivery.status, delivery.trouble, delivery.tries, delivery.ended_at) == (200, "", 1, NOW)


async def test_kinds_that_werent_chosen_arent_told(office: Office):
    await office.courier.queue([event("MailboxChanged"), event("EventsLost")], [office.add()])
    assert office.log() == []


async def test_events_come_in_their_order(office: Office):
    await office.courier.queue([event(n=n) for n in range(20)], [office.add()])
    await office.deliver()
    assert [json.loads(body)["n"] for _, body in office.there.got] == list(range(20))


async def test_delivery_that_failed_is_tried_again_as_the_same(office: Office):
    office.there.answers += [500, 503]
    await office.courier.queue([event()], [office.add()])
    await office.deliver()
    assert (office.log()[0].trouble, office.log()[0].next_at) == ("answers 500", NOW + 10)
    office.now += 10
    await office.deliver()
    assert office.log()[0].next_at == NOW + 40
    office.now += 30
    await office.deliver()
    assert (office.log()[0].tries, office.log()[0].trouble) == (3, "")
    assert len({headers["Beffroi-Delivery"] for headers, _ in office.there.got}) == 1
    assert len({headers["Beffroi-Signature"] for headers, _ in office.there.got}) == 3


async def test_receiver_that_is_dead_for_a_day_is_given_up(office: Office):
    office.there.answers += [500] * 50
    await office.courier.queue([event()], [office.add()])
    while office.log()[0].ended_at is None:
        await office.deliver()
        office.now = office.log()[0].next_at or office.now
    assert 5 < office.log()[0].tries < 20
    assert office.now <= NOW + 86_400


async def test_receiver_that_is_gone_for_good_is_not_asked_again(office: Office):
    office.there.answers += [410]
    await office.courier.queue([event()], [office.add()])
    await office.deliver()
    assert office.log()[0].ended_at == NOW


async def test_redirect_is_not_followed(office: Office):
    office.there.answers += [307]
    await office.courier.queue([event()], [office.add()])
    await office.deliver()
    assert "leads elsewhere" in office.log()[0].trouble
    assert len(office.there.got) == 1


async def test_answer_without_end_is_not_read_to_its_end(office: Office):
    office.there.large = True
    await office.courier.queue([event()], [office.add()])
    await office.deliver()
    assert office.log()[0].trouble == ""


async def test_receiver_that_is_down_holds_up_nobody_else(office: Office):
    down = webhook("http://127.0.0.1:9/", id="w2", name="Down", private_address=True)
    sealed = SEALING.seal(SECRET.encode(), SEAL, "w2")
    office.database.write(lambda connection: records.add(connection, down, sealed))
    await office.courier.queue([event(), event()], [down, office.add()])
    await office.deliver()
    assert len(office.there.got) == 2
    assert {delivery.status for delivery in office.log("w2")} == {0}


async def test_what_waits_outlives_a_restart(office: Office):
    office.there.answers += [500]
    await office.courier.queue([event()], [office.add()])
    await office.deliver()
    office.courier = office.new_courier()
    office.now += 10
    await office.deliver()
    assert office.log()[0].trouble == ""


async def test_queue_is_bounded_and_the_oldest_give_way(office: Office):
    hook = office.add()
    await office.courier.queue([event(n=n) for n in range(MOST_WAITING)], [hook])
    office.now += 1
    await office.courier.queue([event(n=n) for n in range(10)], [hook])
    assert office.database.read(records.waiting) == {"w1": MOST_WAITING}


async def test_log_is_bounded(office: Office, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(records, "MOST_KEPT", 5)
    hook = office.add()
    for _ in range(3):
        office.now += 1
        await office.courier.queue([event()] * 4, [hook])
        await office.deliver()
    kept = office.database.read(lambda connection: records.log_of(connection, "w1", 1000))
    assert len(kept) == 5


async def test_webhook_that_is_removed_is_told_nothing_more(office: Office):
    hook = office.add()
    await office.courier.queue([event()], [hook])
    office.database.write(lambda connection: records.remove(connection, "w1"))
    await office.courier.queue([event()], [hook])
    await office.deliver()
    assert office.there.got == []
    with pytest.raises(NoWebhook):
        office.database.read(lambda connection: records.find(connection, "w1"))


async def test_secret_of_another_node_sends_nothing(office: Office):
    made = webhook(office.there.url, private_address=True)
    sealed = Sealing(b"o" * 32).seal(SECRET.encode(), SEAL, made.id)
    office.database.write(lambda connection: records.add(connection, made, sealed))
    await office.courier.queue([event()], [made])
    await office.deliver()
    assert office.there.got == []
    assert "another node" in office.log()[0].trouble


async def test_test_is_sent_at_once_and_once(office: Office):
    office.there.answers += [500]
    tested = await office.courier.test(office.add())
    assert (tested.status, tested.trouble) == (500, "answers 500")
    ((headers, body),) = office.there.got
    assert headers["Beffroi-Event"] == "Test"
    assert json.loads(body)["webhook"] == "Intranet"
    assert office.log() == []


async def test_private_address_isnt_connected_to_without_a_word(office: Office):
    sender = Sender(PRIVATE, lambda: NOW)
    hook = webhook(office.there.url)
    made = Delivery("d1", "w1", "CallEnded", "{}", NOW, NOW, 0, None, 0, "")
    assert "nobody has said" in (await sender.send(hook, SECRET, made)).trouble
    assert office.there.got == []


async def test_receiver_that_says_nothing_is_left_after_a_while(
    office: Office, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("pbx.webhooks.sending.TRY_SECONDS", 0.05)
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        hook = webhook(f"http://127.0.0.1:{silent.getsockname()[1]}/", private_address=True)
        made = Delivery("d1", "w1", "CallEnded", "{}", NOW, NOW, 0, None, 0, "")
        outcome = await Sender(PRIVATE, lambda: NOW).send(hook, SECRET, made)
    assert outcome == Outcome(0, "no answer within 0 s")
