"""Texts that wait: kept until a device takes them, in order, whatever dies meanwhile (RFC 3428, RFC 5438)."""

from __future__ import annotations

import asyncio
import random
import xml.etree.ElementTree as ET

import pytest

from pbx.events import TextDelivered, TextFailed, TextStored
from sip.core.cpim import parse_cpim
from sip.user_agent import UserAgent
from tests.scenarios.test_flows import another_socket, register_flow
from tests.scenarios.test_messages import TEXT, write
from tests.scenarios.town import BEFFROI, DOMAIN, PLAN_TEXT, TownPhone, start
from tests.sim.ladder import assert_golden
from tests.sim.network import Link
from tests.sim.softphone import softphone
from tests.sim.wire import Message
from tests.sim.world import World, run, scenario

DAY = 86_400.0
CPIM = (("Content-Type", "message/cpim"),)


async def stored(phone: TownPhone, to: str, text: str) -> None:
    """A text that its sender hears is kept."""
    write(phone, to, text)
    await phone.expect_authenticated(202)


async def read(phone: TownPhone, *, status: int = 200, within_seconds: float = 33.0) -> Message:
    """The next text, answered."""
    message = await phone.expect("MESSAGE", within_seconds=within_seconds)
    phone.reply(message, status)
    return message


@scenario()
async def test_a_text_to_somebody_away_is_written_down_and_waits_until_they_are_back(world: World) -> None:
    """RFC 3428 section 7: 202 for what was taken and isn't delivered yet."""
    town = await start(world)
    (alice,) = await town.phones("1001")
    await stored(alice, "1002", "Réunion à 11 h")
    assert town.journal.between("write text to 1002", "send 202 MESSAGE to 1001")
    await world.sleep(3600)
    bruno = town.phone("1002")
    await bruno.register()
    message = await read(bruno)
    assert message.body.decode() == "Réunion à 11 h"
    assert message.header("From").startswith('"Alice Martin" <sip:1001@valmont.example>;tag=')
    assert message.header("Date") == "Mon, 23 Nov 2026 09:00:00 GMT"
    await world.sleep(0.1)
    assert town.texts == []
    assert_golden("text-kept", town.ladder)


@scenario()
async def test_texts_wait_in_their_order_and_a_new_one_is_behind_them(world: World) -> None:
    town = await start(world)
    alice, chloe = await town.phones("1001", "2010")
    await stored(alice, "1002", "un")
    await stored(chloe, "1002", "deux")
    bruno = town.phone("1002")
    await bruno.register()
    await stored(alice, "1002", "trois")
    for expected in ("un", "deux", "trois"):
        message = await bruno.expect("MESSAGE")
        assert message.body.decode() == expected
        await bruno.expect_silence(0.3)  # RFC 3428 section 8: one at a time
        bruno.reply(message, 200)
    write(alice, "1002", "quatre")
    alice.authenticate(await alice.expect(401))
    assert (await read(bruno)).body == b"quatre"
    await alice.expect("200 MESSAGE")


@scenario()
async def test_texts_outlive_a_kill_and_are_delivered_in_order(world: World) -> None:
    """Design, promise 5."""
    town = await start(world)
    (alice,) = await town.phones("1001")
    for number in range(5):
        await stored(alice, "1002", f"texte {number}")
    await town.restart()
    assert town.exchange.status()["texts"] == 5
    bruno = town.phone("1002")
    await bruno.register()
    for number in range(5):
        assert (await read(bruno)).body.decode() == f"texte {number}"


@scenario()
async def test_a_text_that_was_under_way_in_a_kill_is_sent_again(world: World) -> None:
    """At least once: the device took it, and nobody wrote that down."""
    town = await start(world)
    (alice,) = await town.phones("1001")
    await stored(alice, "1002", "deux fois")
    bruno = town.phone("1002")
    await bruno.register()
    first = await bruno.expect("MESSAGE")
    await town.restart()
    again = await read(bruno)
    assert again.body == first.body
    assert again.call_id != first.call_id


@scenario()
async def test_a_device_that_does_not_answer_gets_it_when_it_answers_again(world: World) -> None:
    town = await start(world)
    alice, bruno = await town.phones("1001", "1002")
    write(alice, "1002")
    alice.authenticate(await alice.expect(401))
    message = await bruno.expect("MESSAGE")
    await alice.expect("202 MESSAGE", within_seconds=25.5)
    again = await read(bruno, within_seconds=100)
    assert again.body == message.body
    assert "Date" in dict(again.headers)


@scenario()
async def test_a_device_that_answers_after_the_sender_was_told_has_it_once(world: World) -> None:
    town = await start(world)
    alice, bruno = await town.phones("1001", "1002")
    write(alice, "1002")
    alice.authenticate(await alice.expect(401))
    late = await bruno.expect("MESSAGE")
    await alice.expect("202 MESSAGE", within_seconds=25.5)
    bruno.reply(late, 200)
    await bruno.expect_silence(1000)
    assert town.texts == []


@scenario()
async def test_what_a_device_says_no_to_for_now_waits_longer_and_longer(world: World) -> None:
    town = await start(world)
    alice, bruno = await town.phones("1001", "1002")
    write(alice, "1002")
    alice.authenticate(await alice.expect(401))
    await read(bruno, status=480)
    await alice.expect("202 MESSAGE")
    for seconds in (30, 60, 120, 240, 480, 900):
        await bruno.expect_silence(seconds - 1)
        await read(bruno, status=503)
    await bruno.register()
    await read(bruno, within_seconds=1.1)


@scenario()
async def test_the_devices_of_one_person_get_it_together_and_the_first_is_enough(world: World) -> None:
    """Once for a person, not once for each device."""
    town = await start(world)
    (bruno,) = await town.phones("1002")
    await stored(bruno, "1001", "à tous")
    alice, app = town.phone("1001"), town.phone("1001-app")
    await alice.register()
    await app.register()
    await app.expect("MESSAGE")
    await read(alice)
    await world.sleep(0.1)
    assert town.texts == []


@scenario()
async def test_a_text_that_nobody_fetches_is_gone_after_a_week(world: World) -> None:
    town = await start(world)
    told: list[TextStored | TextFailed] = []
    town.exchange.events.subscribe(told.append, TextStored, TextFailed)
    (alice,) = await town.phones("1001")
    await stored(alice, "1002", "trop tard")
    await world.sleep(7 * DAY)
    number = told[0].text
    assert [type(event) for event in told] == [TextStored, TextFailed]
    assert isinstance(told[1], TextFailed)
    assert (told[1].text, told[1].from_number, told[1].to, told[1].why) == (number, "1001", "1002", "expired")
    bruno = town.phone("1002")
    await bruno.register()
    await bruno.expect_silence(5)


@scenario()
async def test_its_sender_may_say_how_long_it_is_worth_something(world: World) -> None:
    """RFC 3428 section 8: Expires."""
    town = await start(world)
    (alice,) = await town.phones("1001")
    alice.send("MESSAGE", "1002", body=b"vite", headers=(*TEXT, ("Expires", "60")))
    await alice.expect_authenticated(202)
    await world.sleep(61)
    assert town.texts == []
    alice.send("MESSAGE", "1002", body=b"maintenant", headers=(*TEXT, ("Expires", "0")))
    await alice.expect_authenticated(480)


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("application/im-iscomposing+xml", b"<isComposing/>", 480),
        ("text/html", b"<p>bonjour</p>", 480),
        ("text/plain", b"a" * 851, 413),
        ("text/plain", "é".encode("latin-1"), 415),
        ("text/plain;charset=iso-8859-1", b"e", 415),
        ("message/cpim", b"nonsense", 400),
    ],
)
@scenario()
async def test_what_can_not_wait_is_refused(world: World, kind: str, body: bytes, status: int) -> None:
    town = await start(world)
    (alice,) = await town.phones("1001")
    alice.send("MESSAGE", "1002", body=body, headers=(("Content-Type", kind),))
    await alice.expect_authenticated(status)


@pytest.mark.parametrize("bound", ["MAX_TEXTS", "MAX_OF_ONE_BOX", "MAX_OF_ONE_SENDER"])
@scenario()
async def test_what_waits_is_bounded(world: World, bound: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(f"pbx.texts.boxes.{bound}", 2)
        town = await start(world)
        (alice,) = await town.phones("1001")
        for _ in range(2):
            await stored(alice, "1002", "un de plus")
        write(alice, "1002", "un de trop")
        assert (await alice.expect_authenticated(480)).header("Retry-After") == "3600"
    bruno = town.phone("1002")
    await bruno.register()
    for _ in range(2):
        await read(bruno)


@scenario()
async def test_on_a_full_disk_nothing_is_promised(world: World) -> None:
    town = await start(world)
    (alice,) = await town.phones("1001")
    town.journal.exhausted = True
    write(alice, "1002")
    await alice.expect_authenticated(503)


@scenario()
async def test_the_texts_of_somebody_who_is_gone_from_the_plan_are_gone(world: World) -> None:
    town = await start(world)
    (alice,) = await town.phones("1001")
    await stored(alice, "1002", "à personne")
    lines = [line for line in PLAN_TEXT.splitlines() if '{extension: "1002"' not in line]
    town.reload("\n".join(lines))
    await world.sleep(0.1)
    assert town.texts == []


@scenario()
async def test_a_telephone_with_two_flows_gets_a_text_once(world: World) -> None:
    """RFC 5626 section 5.3."""
    town = await start(world)
    bruno = town.phone("1002")
    other = another_socket(town, bruno, 5070)
    await register_flow(bruno, 1)
    await register_flow(other, 2, 5070)
    (alice,) = await town.phones("1001")
    write(alice, "1002")
    alice.authenticate(await alice.expect(401))
    await read(other)
    await alice.expect("200 MESSAGE")
    await bruno.expect_silence(1)


@scenario()
async def test_a_text_finds_its_person_at_the_telephone_that_they_sit_down_at(world: World) -> None:
    town = await start(world)
    alice, desk = await town.phones("1001", "2020")
    await stored(alice, "1002", "où es-tu ?")
    await desk.expect_silence(60)
    town.exchange.seats.take("2020", "1002", "1002")
    assert (await read(desk)).body.decode() == "où es-tu ?"


@scenario()
async def test_a_group_s_text_reaches_each_member_but_its_sender(world: World) -> None:
    town = await start(world, GROUP_PLAN)
    alice, desk = await town.phones("1001", "2010")
    await stored(alice, "8199", "réunion du groupe")
    assert (await read(desk)).body.decode() == "réunion du groupe"
    bruno = town.phone("1002")
    await bruno.register()
    assert (await read(bruno)).body.decode() == "réunion du groupe"
    await alice.expect_silence(1)
    assert_golden("text-group", town.ladder)


GROUP_PLAN = PLAN_TEXT.replace(
    "\nservices:\n",
    '\nservices:\n  equipe: {number: "8199", type: group, members: ["1001", "1002", "2010"]}\n',
    1,
)


def asking(wanted: str, text: str = "Bonjour", kind: str = "text/plain;charset=UTF-8") -> bytes:
    return (
        "From: <sip:1001@valmont.example>\r\nTo: <sip:1002@valmont.example>\r\n"
        "NS: imdn <urn:ietf:params:imdn>\r\nimdn.Message-ID: abc-1\r\n"
        f"imdn.Disposition-Notification: {wanted}\r\n\r\n"
        f"Content-Type: {kind}\r\n\r\n{text}"
    ).encode()


def receipt(message: Message) -> tuple[str, str]:
    """Which text a receipt is about, and what became of it."""
    told = parse_cpim(message.body)
    assert told.content_type == "message/imdn+xml"
    root = ET.fromstring(told.content)
    namespace = "{urn:ietf:params:xml:ns:imdn}"
    (status,) = root.findall(f"*/{namespace}status/*")
    return root.findtext(f"{namespace}message-id") or "", status.tag.removeprefix(namespace)


@scenario()
async def test_a_sender_who_asks_is_told_that_it_waits_and_that_nobody_fetched_it(world: World) -> None:
    """RFC 5438 section 8."""
    town = await start(world)
    (alice,) = await town.phones("1001")
    body = asking("positive-delivery, negative-delivery, processing")
    alice.send("MESSAGE", "1002", body=body, headers=(*CPIM, ("Expires", "60")))
    await alice.expect_authenticated(202)
    first = await read(alice)
    assert first.header("From").startswith('"Bruno Petit" <sip:1002@valmont.example>')
    assert receipt(first) == ("abc-1", "stored")
    await world.sleep(60)
    assert receipt(await read(alice)) == ("abc-1", "failed")
    assert_golden("text-expired", town.ladder)


@scenario()
async def test_a_device_that_reads_cpim_sends_its_own_receipt(world: World) -> None:
    town = await start(world)
    alice, bruno = await town.phones("1001", "1002")
    alice.send("MESSAGE", "1002", body=asking("positive-delivery"), headers=CPIM)
    alice.authenticate(await alice.expect(401))
    assert (await read(bruno)).body == asking("positive-delivery")
    await alice.expect("200 MESSAGE")
    await alice.expect_silence(5)


@scenario()
async def test_a_device_that_reads_plain_text_only_is_sent_that_and_the_receipt_is_ours(world: World) -> None:
    town = await start(world)
    alice, bruno = await town.phones("1001", "1002")
    alice.send("MESSAGE", "1002", body=asking("positive-delivery", "Ça va ?"), headers=CPIM)
    alice.authenticate(await alice.expect(401))
    await read(bruno, status=415)
    plain = await read(bruno)
    assert plain.header("Content-Type") == "text/plain;charset=UTF-8"
    assert plain.body.decode() == "Ça va ?"
    await alice.expect("200 MESSAGE")
    assert receipt(await read(alice)) == ("abc-1", "delivered")
    assert_golden("text-receipt", town.ladder)


@scenario()
async def test_a_receipt_to_a_sender_who_is_away_waits_too(world: World) -> None:
    town = await start(world)
    (alice,) = await town.phones("1001")
    alice.send("MESSAGE", "1002", body=asking("negative-delivery"), headers=(*CPIM, ("Expires", "60")))
    await alice.expect_authenticated(202)
    await alice.register(expires_seconds=0)
    await world.sleep(61)
    await alice.register()
    assert receipt(await read(alice)) == ("abc-1", "failed")


@scenario()
async def test_who_listens_is_told_of_each_delivery(world: World) -> None:
    town = await start(world)
    told: list[TextDelivered] = []
    town.exchange.events.subscribe(told.append, TextDelivered)
    (alice,) = await town.phones("1001")
    await stored(alice, "1002", "un")
    await world.sleep(100)
    bruno = town.phone("1002")
    await bruno.register()
    await read(bruno)
    await world.sleep(0.1)
    (event,) = told
    assert (event.from_number, event.to, round(event.seconds)) == ("1001", "1002", 101)


class Reader:
    """A person who comes and goes, and whose telephone takes a text, refuses it for now, or says nothing."""

    def __init__(self, phone: TownPhone, chance: random.Random) -> None:
        self.phone = phone
        self.chance = chance
        self.took: list[str] = []
        self.moody = True
        phone.repeats_what_is_lost()

    def register(self, seconds: int) -> None:
        lines = (("Contact", self.phone.contact()), ("Expires", str(seconds)))
        self.phone.send("REGISTER", f"sip:1002@{DOMAIN}", headers=lines)

    async def take_texts(self) -> None:
        while True:
            message = await self.phone._next("a text", 10 * DAY)
            if message.status == 401:
                self.phone.authenticate(message)
            if message.method != "MESSAGE" or message.status:
                continue
            status = self.chance.choice((200, 200, 200, 503, 0)) if self.moody else 200
            if status:
                self.phone.reply(message, status)
            if status == 200:
                self.took.append(message.body.decode())


async def write_texts(phone: UserAgent, chance: random.Random, written: list[str]) -> None:
    """Write one after the other; `written` are those whose sender heard that they are taken."""
    name = phone.account.user
    for number in range(8):
        text = f"{name} {number}"
        if await phone.send_text("1002", text) in (200, 202):
            written.append(text)
        await asyncio.sleep(chance.choice((0.0, 0.1, 5.0, 40.0)))


@pytest.mark.parametrize("seed", range(15))
def test_every_text_that_was_acknowledged_is_delivered_in_order(seed: int) -> None:
    """Random texts, comings and goings, kills and losses: at least once, and each sender's in their order."""

    async def body(world: World) -> None:
        chance = random.Random(seed)
        town = await start(world)
        senders = [softphone(world, user, f"192.0.2.{n}", BEFFROI, user=user) for n, user in WRITERS]
        written: list[list[str]] = [[] for _ in senders]
        reader = Reader(town.phone("1002"), chance)
        writing = asyncio.gather(*map(write_texts, senders, [chance] * len(senders), written))
        reading = world.loop.create_task(reader.take_texts())
        while not writing.done():
            match chance.choice(("come", "go", "kill", "wait")):
                case "come":
                    reader.register(3600)
                case "go":
                    reader.register(0)
                case "kill":
                    await town.restart()
            await world.sleep(chance.choice((0.05, 0.6, 2.0, 15.0)))
        reader.moody = False
        for _ in range(2):  # what was lost of an earlier word may come after the first one
            await world.sleep(60)
            reader.register(3600)
        await world.sleep(1800)
        reading.cancel()
        assert town.texts == []
        for mine in written:
            took = list(dict.fromkeys(text for text in reader.took if text in mine))
            assert took == mine
        assert sum(map(len, written)) > 5

    run(body, seed=seed, link=Link(loss=0.1))


WRITERS = ((61, "1001"), (62, "2010"))
