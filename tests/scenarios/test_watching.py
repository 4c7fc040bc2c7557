"""What devices watch: busy lamps, their own mailbox, presence (RFC 6665 and the packages)."""

from __future__ import annotations

import email
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from email.message import Message as EmailMessage

import pytest

from pbx.events import LegStarted
from sip.core.message_summary import Mailbox
from sip.core.presence_document import Presence, presence_document
from sip.user_agent import WatchEnded
from tests.scenarios.town import APP, BEFFROI, DOMAIN, PLAN_TEXT, Town, TownPhone, start
from tests.sim.ladder import assert_golden
from tests.sim.network import Link
from tests.sim.softphone import softphone
from tests.sim.wire import Message
from tests.sim.world import World, run, scenario

DIALOG_INFO = "{urn:ietf:params:xml:ns:dialog-info}"
RLMI = "{urn:ietf:params:xml:ns:rlmi}"
PIDF = "{urn:ietf:params:xml:ns:pidf}"
PERSON = "{urn:ietf:params:xml:ns:pidf:data-model}"
RPID = "{urn:ietf:params:xml:ns:pidf:rpid}"


async def watch(phone: TownPhone, event: str, whom: str, *, seconds: int = 3600) -> Message:
    """Subscribe and read the first NOTIFY, which is returned."""
    lines = (("Event", event), ("Expires", str(seconds)))
    phone.send("SUBSCRIBE", whom, headers=lines)
    await phone.expect_authenticated(200)
    return await told(phone)


async def told(phone: TownPhone) -> Message:
    """The next NOTIFY, answered."""
    notify = await phone.expect("NOTIFY")
    phone.reply(notify, 200)
    return notify


async def unwatch(phone: TownPhone, within: Message, event: str) -> None:
    """End a subscription."""
    phone.send("SUBSCRIBE", within=within, headers=(("Event", event), ("Expires", "0")))
    await phone.expect("200 SUBSCRIBE")
    last = await told(phone)
    assert last.header("Subscription-State") == "terminated;reason=timeout"


def lamps(notify: Message) -> list[str]:
    """Each dialog's direction, state and remote identity."""
    assert notify.header("Content-Type") == "application/dialog-info+xml"
    root = ET.fromstring(notify.body)
    lines = []
    for dialog in root.findall(f"{DIALOG_INFO}dialog"):
        if dialog.attrib["id"] == "none":
            continue  # said where there is nothing, for telephones that go by dialogs alone
        remote = dialog.find(f"{DIALOG_INFO}remote/{DIALOG_INFO}identity")
        who = f" {remote.attrib.get('display', '')} {remote.text}" if remote is not None else ""
        lines.append(f"{dialog.attrib['direction']} {dialog.findtext(f'{DIALOG_INFO}state')}{who}")
    return lines


@scenario()
async def test_a_busy_lamp_follows_the_calls_of_a_person(world: World) -> None:
    """RFC 4235 section 3.7."""
    town = await start(world)
    alice, bruno, desk = await town.phones("1001", "1002", "2010")
    first = await watch(desk, "dialog", "1002")
    assert first.header("Subscription-State") == "active;expires=900"
    assert lamps(first) == []
    await alice.call("1002")
    invite = await bruno.expect("INVITE")
    assert lamps(await told(desk)) == ["recipient trying"]
    bruno.reply(invite, 180)
    await alice.expect(180)
    assert lamps(await told(desk)) == ["recipient early"]
    bruno.answer(invite)
    await bruno.expect("ACK")
    alice.ack(await alice.expect(200))
    assert lamps(await told(desk)) == ["recipient confirmed"]
    await town.hang_up(alice, bruno)
    assert lamps(await told(desk)) == ["recipient terminated"]
    await unwatch(desk, first, "dialog")
    assert_golden("busy-lamp", town.ladder)
    await world.sleep(0.1)
    assert not town.exchange.events.heard(LegStarted)


@scenario()
async def test_only_one_s_own_group_sees_who_calls_and_what_a_pick_up_needs(world: World) -> None:
    town = await start(world)
    bruno, desk, caller = await town.phones("1002", "2010", "2301")
    near, far = town.phone("1001"), desk
    of_the_group = await watch(near, "dialog", "1002")
    of_another = await watch(far, "dialog", "1002")
    await caller.call("1002")
    invite = await bruno.expect("INVITE")
    bruno.reply(invite, 180)
    await caller.expect(180)
    await told(near), await told(far)
    seen = await told(near)
    assert lamps(seen) == ["recipient early Patrouille 1 sip:2301@valmont.example"]
    (dialog,) = ET.fromstring(seen.body).findall(f"{DIALOG_INFO}dialog")
    assert dialog.attrib["call-id"] == invite.call_id
    assert dialog.attrib["remote-tag"] == invite.from_tag
    unseen = await told(far)
    assert lamps(unseen) == ["recipient early"]
    assert b"call-id" not in unseen.body
    bruno.reply(invite, 486)
    await bruno.expect("ACK")
    await caller.expect(486)
    assert lamps(await told(near)) == ["recipient terminated Patrouille 1 sip:2301@valmont.example"]
    await told(far)
    await unwatch(near, of_the_group, "dialog")
    await unwatch(far, of_another, "dialog")


@scenario()
async def test_a_lamp_that_comes_during_a_call_shows_it_and_a_caller_s_too(world: World) -> None:
    town = await start(world)
    alice, bruno = await town.phones("1001", "1002")
    await town.talk(alice, bruno)
    desk = town.phone("2010")
    first = await watch(desk, "dialog", "1001")
    assert lamps(first) == ["initiator confirmed"]
    await town.hang_up(bruno, alice)
    assert lamps(await told(desk)) == ["initiator terminated"]
    await unwatch(desk, first, "dialog")


@scenario()
async def test_two_devices_that_ring_are_one_lamp_and_the_other_s_dialog_ends(world: World) -> None:
    town = await start(world)
    bruno, alice, app, desk = await town.phones("1002", "1001", "1001-app", "2010")
    first = await watch(desk, "dialog", "1001")
    await bruno.call("1001")
    rings, other = await alice.expect("INVITE"), await app.expect("INVITE")
    alice.reply(rings, 180)
    await bruno.expect(180)
    app.answer(other)
    await app.expect("ACK")
    alice.reply(await alice.expect("CANCEL"), 200)
    alice.reply(rings, 487)
    await alice.expect("ACK")
    bruno.ack(await bruno.expect(200))
    seen: list[str] = []
    while sorted(seen[-2:]) != ["recipient confirmed", "recipient terminated"]:
        seen += lamps(await told(desk))
    await town.hang_up(bruno, app)
    assert lamps(await told(desk)) == ["recipient terminated"]
    await unwatch(desk, first, "dialog")


@pytest.mark.parametrize(
    ("event", "whom", "status"),
    [
        ("dialog", "4444", 404),
        ("dialog", "00612345678", 404),
        ("message-summary", "1002", 403),
        ("conference", "1002", 489),
        ("presence", "4444", 404),
    ],
)
@scenario()
async def test_what_may_not_be_watched(world: World, event: str, whom: str, status: int) -> None:
    town = await start(world)
    alice = town.phone("1001")
    alice.send("SUBSCRIBE", whom, headers=(("Event", event),))
    refusal = await alice.expect_authenticated(status)
    if status == 489:
        assert refusal.header("Allow-Events") == "dialog, message-summary, presence"


@scenario()
async def test_a_stranger_watches_nobody(world: World) -> None:
    town = await start(world)
    stranger = town.phone("1001", password="guessed")
    for method, lines in (
        ("SUBSCRIBE", (("Event", "dialog"),)),
        ("PUBLISH", (("Event", "presence"),)),
        ("MESSAGE", ()),
    ):
        stranger.send(method, "1002", headers=lines)
        await stranger.expect_authenticated(403)


@scenario()
async def test_a_subscription_that_is_not_refreshed_is_over(world: World) -> None:
    """RFC 6665 section 4.2.2."""
    town = await start(world)
    (desk,) = await town.phones("2010")
    await watch(desk, "dialog", "1001", seconds=60)
    await world.sleep(60)
    last = await told(desk)
    assert last.header("Subscription-State") == "terminated;reason=timeout"


@scenario()
async def test_one_s_own_mailbox_is_empty_until_somebody_leaves_a_message(world: World) -> None:
    """RFC 3842 section 5."""
    town = await start(world)
    (alice,) = await town.phones("1001")
    first = await watch(alice, "message-summary", "1001")
    assert first.header("Content-Type") == "application/simple-message-summary"
    assert first.body.startswith(b"Messages-Waiting: no\r\nMessage-Account: sip:1001@valmont.example\r\n")
    town.exchange.subscriptions.mailboxes.tell("1001", Mailbox(new=2, old=1))
    second = await told(alice)
    assert b"Messages-Waiting: yes\r\n" in second.body
    assert b"Voice-Message: 2/1 (0/0)\r\n" in second.body
    await unwatch(alice, first, "message-summary")


@scenario()
async def test_the_second_device_of_a_person_watches_the_same_mailbox(world: World) -> None:
    town = await start(world)
    app = town.phone("1001-app")
    first = await watch(app, "message-summary", "1001-app")
    assert b"Message-Account: sip:1001@valmont.example\r\n" in first.body
    await unwatch(app, first, "message-summary")


def presence(notify: Message) -> tuple[str, str]:
    root = ET.fromstring(notify.body)
    assert root.attrib["entity"] == f"sip:1002@{DOMAIN}"
    return (
        root.findtext(f"{PIDF}tuple/{PIDF}status/{PIDF}basic") or "",
        root.findtext(f"{PIDF}tuple/{PIDF}note") or "",
    )


@scenario()
async def test_who_is_registered_can_be_reached(world: World) -> None:
    """RFC 3856 section 6.6."""
    town = await start(world)
    (alice,) = await town.phones("1001")
    bruno = town.phone("1002")
    first = await watch(alice, "presence", "1002")
    assert presence(first) == ("closed", "")
    await world.sleep(10)
    await bruno.register()
    assert presence(await told(alice)) == ("open", "")
    await bruno.register()
    await world.sleep(10)
    await bruno.register(expires_seconds=0)
    assert presence(await told(alice)) == ("closed", "")
    await unwatch(alice, first, "presence")


def doing(notify: Message) -> list[str]:
    """The activities of the person, as RPID says them (RFC 4480 section 3.2)."""
    root = ET.fromstring(notify.body)
    return [
        activity.tag.removeprefix(RPID) for activity in root.findall(f"{PERSON}person/{RPID}activities/*")
    ]


@scenario()
async def test_who_is_in_a_call_is_shown_so_and_no_more_afterwards(world: World) -> None:
    town = await start(world)
    desk, alice, bruno = await town.phones("2010", "1001", "1002")
    first = await watch(desk, "presence", "1002")
    assert (presence(first), doing(first)) == (("open", ""), [])
    await town.talk(alice, bruno)
    during = await told(desk)
    assert (presence(during), doing(during)) == (("open", "En ligne"), ["on-the-phone"])
    await town.hang_up(alice, bruno)
    after = await told(desk)
    assert (presence(after), doing(after)) == (("open", ""), [])
    await unwatch(desk, first, "presence")
    await world.sleep(0.1)
    assert not town.exchange.events.heard(LegStarted)


@scenario()
async def test_what_counts_most_of_what_a_person_does_comes_first(world: World) -> None:
    town = await start(world)
    desk, alice, bruno = await town.phones("2010", "1001", "1002")
    await publish(bruno, presence_document("sip:1002@x", Presence(True, "Réunion", ("meeting",))))
    first = await watch(desk, "presence", "1002")
    assert (presence(first), doing(first)) == (("open", "Réunion"), ["meeting"])
    await town.talk(alice, bruno)
    assert doing(await told(desk)) == ["on-the-phone", "meeting"]
    town.exchange.settings.do_not_disturb("1002", True, "1002")
    busy = await told(desk)
    assert (presence(busy), doing(busy)) == (
        ("closed", "Ne pas déranger"),
        ["busy", "on-the-phone", "meeting"],
    )
    town.exchange.settings.do_not_disturb("1002", False, "1002")
    await town.hang_up(alice, bruno)
    assert doing(await told(desk)) == ["meeting"]
    await unwatch(desk, first, "presence")
    await world.sleep(3600)


@scenario()
async def test_what_was_published_outlives_a_kill_and_is_taken_back_afterwards(world: World) -> None:
    """RFC 3903 section 4.1: the entity tag that the device knows is still the one."""
    town = await start(world)
    desk, bruno = await town.phones("2010", "1002")
    first = await watch(desk, "presence", "1002")
    published = await publish(bruno, AT_LUNCH)
    assert presence(await told(desk)) == ("closed", "À table")
    tag = published.header("SIP-ETag")
    refreshed = await publish(bruno, b"", ("SIP-If-Match", tag))
    await town.restart()
    assert presence(await told(desk)) == ("closed", "À table")
    await publish(bruno, b"", ("SIP-If-Match", tag), status=412)
    await publish(bruno, b"", ("SIP-If-Match", refreshed.header("SIP-ETag")), ("Expires", "0"))
    assert presence(await told(desk)) == ("open", "")
    await town.restart()
    assert presence(await told(desk)) == ("open", "")
    await unwatch(desk, first, "presence")


@scenario()
async def test_whom_no_device_speaks_for_is_away(world: World) -> None:
    town = await start(world)
    (desk,) = await town.phones("2010")
    first = await watch(desk, "presence", "1002")
    assert (presence(first), doing(first)) == (("closed", ""), ["away"])
    await unwatch(desk, first, "presence")


async def publish(
    phone: TownPhone, body: bytes, *lines: tuple[str, str], to: str = "1002", status: int = 200
) -> Message:
    kind = (("Content-Type", "application/pidf+xml"),) if body else ()
    phone.send("PUBLISH", to, body=body, headers=(("Event", "presence"), *kind, *lines))
    return await phone.expect_authenticated(status)


AT_LUNCH = presence_document("sip:1002@x", Presence(False, "À table"))


@scenario()
async def test_a_person_publishes_takes_back_and_is_told_of_at_most_every_five_seconds(world: World) -> None:
    """RFC 3903 sections 4.1, 4.3, 4.4 and 4.5."""
    town = await start(world)
    alice, bruno = await town.phones("1001", "1002")
    first = await watch(alice, "presence", "1002")
    assert presence(first) == ("open", "")
    published = await publish(bruno, AT_LUNCH)
    assert published.header("Expires") == "3600"
    await alice.expect_silence(4.9)
    assert presence(await told(alice)) == ("closed", "À table")
    tag = published.header("SIP-ETag")
    refreshed = await publish(bruno, b"", ("SIP-If-Match", tag), ("Expires", "600"))
    await publish(bruno, b"", ("SIP-If-Match", tag), status=412)
    await alice.expect_silence(10)
    tag = refreshed.header("SIP-ETag")
    await publish(bruno, b"", ("SIP-If-Match", tag), ("Expires", "0"))
    assert presence(await told(alice)) == ("open", "")
    await unwatch(alice, first, "presence")


@scenario()
async def test_what_is_published_expires(world: World) -> None:
    town = await start(world)
    alice, bruno = await town.phones("1001", "1002")
    first = await watch(alice, "presence", "1002")
    await publish(bruno, AT_LUNCH, ("Expires", "60"))
    assert presence(await told(alice)) == ("closed", "À table")
    await world.sleep(50)
    assert presence(await told(alice)) == ("open", "")
    await unwatch(alice, first, "presence")


@pytest.mark.parametrize(
    ("body", "lines", "to", "status"),
    [
        (AT_LUNCH, (), "1001", 403),
        (AT_LUNCH, (), "4444", 404),
        (b"nonsense", (), "1002", 400),
        (b"", (), "1002", 400),
        (AT_LUNCH, (("Expires", "5"),), "1002", 423),
    ],
)
@scenario()
async def test_what_may_not_be_published(
    world: World, body: bytes, lines: Sequence[tuple[str, str]], to: str, status: int
) -> None:
    town = await start(world)
    await publish(town.phone("1002"), body, *lines, to=to, status=status)


@scenario()
async def test_another_event_or_type_may_not_be_published(world: World) -> None:
    """RFC 3903 section 6: 489 and 415."""
    town = await start(world)
    bruno = town.phone("1002")
    bruno.send("PUBLISH", "1002", body=AT_LUNCH, headers=(("Event", "dialog"),))
    assert (await bruno.expect_authenticated(489)).header("Allow-Events") == "presence"
    bruno.send("PUBLISH", "1002", body=AT_LUNCH, headers=(("Event", "presence"),))
    assert (await bruno.expect_authenticated(415)).header("Accept") == "application/pidf+xml"


def without(town: Town, extension: str) -> None:
    """A new plan in which a person is missing."""
    lines = [line for line in PLAN_TEXT.splitlines() if f'{{extension: "{extension}"' not in line]
    town.reload("\n".join(lines), APP)


@scenario()
async def test_a_new_plan_without_a_person_ends_what_they_watched_and_who_watched_them(world: World) -> None:
    town = await start(world)
    alice, desk = town.phone("1001"), town.phone("2020")
    await watch(alice, "dialog", "2020")
    kept = await watch(alice, "dialog", "1002")
    await watch(desk, "presence", "1001")
    without(town, "2020")
    assert (await told(alice)).header("Subscription-State") == "terminated;reason=noresource"
    assert (await told(desk)).header("Subscription-State") == "terminated;reason=rejected"
    await unwatch(alice, kept, "dialog")


@scenario()
async def test_a_call_of_somebody_who_is_gone_from_the_plan_leaves_no_lamp_lit(world: World) -> None:
    town = await start(world)
    alice, bruno, desk = await town.phones("1001", "1002", "2010")
    await town.talk(alice, bruno)
    await watch(desk, "dialog", "1002")
    without(town, "1002")
    assert (await told(desk)).header("Subscription-State") == "terminated;reason=noresource"
    await town.hang_up(alice, bruno)
    assert not town.exchange.events.heard(LegStarted)


@scenario()
async def test_a_node_that_stops_tells_who_watches(world: World) -> None:
    """RFC 6665 section 4.1.3: deactivated, they may subscribe again at once."""
    town = await start(world)
    (desk,) = await town.phones("2010")
    await watch(desk, "dialog", "1001")
    await town.exchange.drain(1)
    assert (await told(desk)).header("Subscription-State") == "terminated;reason=deactivated"


def version_of(notify: Message) -> int:
    root = ET.fromstring(notify.body)
    assert root.attrib["state"] == "full"
    return int(root.attrib["version"])


@scenario()
async def test_a_lamp_that_rang_in_a_kill_is_right_within_a_minute(world: World) -> None:
    """RFC 4235 section 4.1.1: the versions grow; RFC 3261 section 12.2.1.1: so does CSeq."""
    town = await start(world)
    alice, bruno, desk = await town.phones("1001", "1002", "2010")
    first = await watch(desk, "dialog", "1002")
    call = await alice.call("1002")
    invite = await bruno.expect("INVITE")
    bruno.reply(invite, 180)
    await alice.expect(180)
    await told(desk)
    early = await told(desk)
    assert lamps(early) == ["recipient early"]
    await town.restart()
    alice.cancel(call)
    await alice.expect("481 CANCEL")
    town.ladder.clear()
    town.ladder.order("Beffroi", "2010")
    again = await told(desk)
    assert lamps(again) == []
    assert again.call_id == first.call_id
    assert again.cseq > early.cseq
    assert version_of(again) > version_of(first)
    await unwatch(desk, first, "dialog")
    assert_golden("lamp-after-restart", town.ladder)


@scenario()
async def test_a_lamp_follows_calls_after_any_number_of_kills(world: World) -> None:
    town = await start(world)
    alice, bruno, desk = await town.phones("1001", "1002", "2010")
    first = await watch(desk, "dialog", "1002")
    numbers = [first.cseq]
    for _ in range(3):
        await town.restart()
        numbers.append((await told(desk)).cseq)
    assert sorted(set(numbers)) == numbers
    await town.talk(alice, bruno)
    for expected in ("recipient trying", "recipient confirmed"):
        assert lamps(await told(desk)) == [expected]
    await town.hang_up(alice, bruno)
    assert lamps(await told(desk)) == ["recipient terminated"]
    await unwatch(desk, first, "dialog")


@scenario()
async def test_a_subscription_that_is_over_stays_so_after_a_kill(world: World) -> None:
    town = await start(world)
    (desk,) = await town.phones("2010")
    first = await watch(desk, "dialog", "1002")
    await unwatch(desk, first, "dialog")
    gone = await watch(desk, "dialog", "1001", seconds=60)
    await town.restart()
    desk.reply(await desk.expect("NOTIFY"), 481)  # RFC 6665 section 4.2.2: it knows of it no more
    await world.sleep(1)
    desk.send("SUBSCRIBE", within=gone, headers=(("Event", "dialog"), ("Expires", "60")))
    await desk.expect(481)
    await town.restart()
    await desk.expect_silence(1)


@scenario()
async def test_a_telephone_whose_connection_went_with_the_process_is_told_over_the_next_one(
    world: World,
) -> None:
    town = await start(world)
    desk = town.phone("2010")
    await desk.connect()
    await desk.register()
    first = await watch(desk, "dialog", "1002")
    await town.restart()
    await world.sleep(1)
    await desk.connect()
    await desk.register()
    again = await told(desk)
    assert again.call_id == first.call_id
    assert version_of(again) > version_of(first)
    await world.sleep(900)
    assert (await told(desk)).header("Subscription-State") == "terminated;reason=timeout"


def listed(notify: Message) -> tuple[str, list[str], dict[str, list[str]]]:
    """Whether a list is told whole, the names on it, and the dialogs of those whose state is told."""
    assert notify.header("Require") == "eventlist"
    head = f"Content-Type: {notify.header('Content-Type')}\r\n\r\n".encode()
    body = email.message_from_bytes(head + notify.body)
    parts = body.get_payload()
    assert isinstance(parts, list)
    first, *others = [part for part in parts if isinstance(part, EmailMessage)]
    root = ET.fromstring(payload(first))
    states = {other["Content-ID"].strip("<>"): payload(other) for other in others}
    dialogs = {}
    for resource in root.findall(f"{RLMI}resource"):
        instance = resource.find(f"{RLMI}instance")
        if instance is not None:
            told_of = ET.fromstring(states.pop(instance.attrib["cid"]))
            assert told_of.attrib["entity"] == resource.attrib["uri"]
            dialogs[resource.findtext(f"{RLMI}name") or ""] = [
                dialog.findtext(f"{DIALOG_INFO}state") or ""
                for dialog in told_of.findall(f"{DIALOG_INFO}dialog")
                if dialog.attrib["id"] != "none"
            ]
    assert states == {}
    names = [name.text or "" for name in root.findall(f"{RLMI}resource/{RLMI}name")]
    return root.attrib["fullState"], names, dialogs


def payload(part: EmailMessage) -> bytes:
    content = part.get_payload(decode=True)
    assert isinstance(content, bytes)
    return content


async def watch_list(phone: TownPhone, name: str) -> Message:
    """Subscribe to the people of a group or a site, and read the first NOTIFY."""
    phone.headers["Supported"] = "eventlist"
    phone.send("SUBSCRIBE", name, headers=(("Event", "dialog"), ("Expires", "3600")))
    accepted = await phone.expect_authenticated(200)
    assert accepted.header("Require") == "eventlist"
    return await told(phone)


@scenario()
async def test_one_subscription_shows_all_people_of_a_group(world: World) -> None:
    """RFC 4662 sections 4.1 and 5."""
    town = await start(world)
    alice, bruno, desk = await town.phones("1001", "1002", "2010")
    first = await watch_list(desk, "accueil")
    both = ["Alice Martin", "Bruno Petit"]
    assert listed(first) == ("true", both, {"Alice Martin": [], "Bruno Petit": []})
    await town.talk(alice, bruno)
    assert listed(await told(desk)) == ("false", both[:1], {"Alice Martin": ["trying"]})
    assert listed(await told(desk)) == ("false", both[::-1], {name: ["confirmed"] for name in both})
    await town.restart()
    again = await told(desk)
    assert again.header("Subscription-State").startswith("active")
    assert listed(again) == ("true", both, {name: ["confirmed"] for name in both})
    for phone in (alice, bruno):
        phone.reply(await phone.expect("OPTIONS", within_seconds=10.1), 200)
    await town.hang_up(alice, bruno)
    assert listed(await told(desk)) == ("false", both[:1], {"Alice Martin": ["terminated"]})
    assert listed(await told(desk)) == ("false", both[1:], {"Bruno Petit": ["terminated"]})
    desk.send("SUBSCRIBE", within=first, headers=(("Event", "dialog"), ("Expires", "0")))
    await desk.expect("200 SUBSCRIBE")
    await told(desk)
    assert_golden("lamp-list", town.ladder)


@scenario()
async def test_a_long_list_is_told_in_parts(world: World) -> None:
    """RFC 4662 section 5.2: the names of all at first, the states in further NOTIFYs."""
    town = await start(world, CROWDED)
    desk = town.phone("2010")
    first = await watch_list(desk, "foule")
    full, names, told_of = listed(first)
    assert (full, len(names), len(told_of)) == ("true", 50, 20)
    assert len(first.raw) < 15_000
    for expected in (20, 10):
        full, names, told_of = listed(await told(desk))
        assert (full, len(names), len(told_of)) == ("false", expected, expected)
    await world.sleep(0.1)
    for number in range(50):
        town.exchange.settings.do_not_disturb(f"{2500 + number}", True, "2010")
    changed = [listed(await told(desk))[1] for _ in range(4)]
    assert [len(names) for names in changed] == [1, 20, 20, 9]
    assert len({name for names in changed for name in names}) == 50
    desk.send("SUBSCRIBE", within=first, headers=(("Event", "dialog"), ("Expires", "0")))
    await desk.expect("200 SUBSCRIBE")
    await told(desk)


@pytest.mark.parametrize(
    ("name", "supported", "status"), [("accueil", "", 421), ("personne", "eventlist", 404)]
)
@scenario()
async def test_which_lists_there_are_and_for_whom(
    world: World, name: str, supported: str, status: int
) -> None:
    """RFC 4662 section 4.1: 421 for whom can't read it."""
    town = await start(world)
    desk = town.phone("2010")
    if supported:
        desk.headers["Supported"] = supported
    desk.send("SUBSCRIBE", name, headers=(("Event", "dialog"),))
    refusal = await desk.expect_authenticated(status)
    assert refusal.all("Require") == (["eventlist"] if status == 421 else [])


@scenario()
async def test_a_list_too_long_is_refused(world: World) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pbx.services.lamp_lists.MAX_MEMBERS", 1)
        town = await start(world)
        desk = town.phone("2010")
        desk.headers["Supported"] = "eventlist"
        desk.send("SUBSCRIBE", "accueil", headers=(("Event", "dialog"),))
        await desk.expect_authenticated(403)


@scenario()
async def test_a_new_plan_has_the_lists_asked_for_anew(world: World) -> None:
    town = await start(world)
    desk = town.phone("2010")
    await watch_list(desk, "caserne")
    without(town, "2201")
    assert (await told(desk)).header("Subscription-State") == "terminated;reason=deactivated"


FIRST_USER = '  - {extension: "1001"'
CROWD = "".join(
    f'  - {{extension: "{number}", name: Agent {number}, groups: [{"foule" if number < 2550 else "loin"}]}}\n'
    for number in range(2500, 3000)
)
CROWDED = PLAN_TEXT.replace(FIRST_USER, CROWD + FIRST_USER, 1)


@scenario()
async def test_five_hundred_lamps_of_one_desk_are_right_soon_after_a_kill(world: World) -> None:
    town = await start(world, CROWDED)
    phone = softphone(world, "desk", "10.54.1.10", BEFFROI, user="2010")
    seen = [phone.watch(f"{2500 + number}", "dialog", "application/dialog-info+xml") for number in range(500)]
    for one in seen:
        await one.next()
    await town.restart()
    began = world.seconds
    for one in seen:
        await one.next()
    assert world.seconds - began < 2
    for one in seen:
        await one.end()


@scenario()
async def test_a_telephone_that_wants_few_notifies_gets_few(world: World) -> None:
    """RFC 6446 section 4: max-rate."""
    town = await start(world)
    alice, bruno, desk = await town.phones("1001", "1002", "2010")
    first = await watch(desk, "dialog;max-rate=0.1", "1002")
    assert first.header("Event") == "dialog"
    assert first.header("Subscription-State") == "active;expires=900;max-rate=0.100000"
    await town.talk(alice, bruno)
    await desk.expect_silence(9)
    assert lamps(await told(desk)) == ["recipient confirmed"]
    await town.hang_up(alice, bruno)
    await desk.expect_silence(9)
    assert lamps(await told(desk)) == ["recipient terminated"]
    await unwatch(desk, first, "dialog")


@pytest.mark.parametrize("rate", ["fast", "100", "-1", "1.", "1e3"])
@scenario()
async def test_a_malformed_rate_is_refused(world: World, rate: str) -> None:
    town = await start(world)
    desk = town.phone("2010")
    desk.send("SUBSCRIBE", "1002", headers=(("Event", f"dialog;max-rate={rate}"),))
    await desk.expect_authenticated(400)


@scenario()
async def test_a_softphone_watches_for_hours_and_reads_what_changed(world: World) -> None:
    """RFC 6665 section 4.1.2.2: its refreshes are challenged by nobody and answered each time."""
    town = await start(world)
    (bruno,) = await town.phones("1002")
    phone = softphone(world, "softphone", "192.0.2.50", BEFFROI)
    seen = phone.watch("1002", "presence", "application/pidf+xml")
    await world.sleep(3700)
    await seen.end()
    states = []
    with pytest.raises(WatchEnded, match="timeout"):
        while True:
            states.append(b"<basic>open</basic>" in await seen.next())
    # At once and at four refreshes; when his registration expires, and at the end.
    assert states == [True] * 5 + [False, False]
    await bruno.expect_silence(1)


@scenario()
async def test_a_softphone_that_may_not_watch_is_told_so(world: World) -> None:
    await start(world)
    phone = softphone(world, "softphone", "192.0.2.50", BEFFROI)
    seen = phone.watch("1002", "message-summary", "application/simple-message-summary")
    with pytest.raises(WatchEnded, match="403 Not Your Mailbox"):
        await seen.next()
    await seen.end()


@scenario()
async def test_a_softphone_sends_a_text(world: World) -> None:
    """RFC 3428 section 4."""
    town = await start(world)
    (bruno,) = await town.phones("1002")
    phone = softphone(world, "softphone", "192.0.2.50", BEFFROI)
    sending = world.loop.create_task(phone.send_text("1002", "Réunion"))
    message = await bruno.expect("MESSAGE")
    assert message.body.decode() == "Réunion"
    bruno.reply(message, 200)
    assert await sending == 200
    assert await phone.send_text("4444", "personne") == 404


@pytest.mark.parametrize("seed", range(20))
def test_where_one_datagram_in_five_is_lost_the_last_state_arrives(seed: int) -> None:
    """RFC 6665 section 4.2.2: one NOTIFY at a time, so that none overtakes another."""

    async def body(world: World) -> None:
        town = await start(world)
        phone = softphone(world, "softphone", "192.0.2.50", BEFFROI)
        seen = phone.watch("1001", "message-summary", "application/simple-message-summary")
        documents = [await seen.next()]
        for number in range(1, 31):
            town.exchange.subscriptions.mailboxes.tell("1001", Mailbox(new=number))
            await world.sleep(0.3)
        while b"Voice-Message: 30/0" not in documents[-1]:
            documents.append(await seen.next())
        told = [int(document.partition(b"Voice-Message: ")[2].partition(b"/")[0]) for document in documents]
        assert told == sorted(told)
        await seen.end()

    run(body, seed=seed, link=Link(loss=0.2, jitter_seconds=0.5))
