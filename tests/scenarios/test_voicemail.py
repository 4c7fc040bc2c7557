"""Messages: left for people and services, listened to from one's own telephone or with a PIN, never lost."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from media import wav
from pbx.events import MailboxChanged
from pbx.voicemail import mail
from pbx.voicemail.mail import Letter, Spool
from pbx.voicemail.mailboxes import Message
from sip.core.message_summary import Mailbox
from tests.scenarios.offers import connected, party
from tests.scenarios.test_settings import played
from tests.scenarios.test_watching import told, unwatch, watch
from tests.scenarios.town import PLAN_TEXT, SECRETS, Town, TownPhone, tell
from tests.sim.ladder import assert_golden
from tests.sim.world import World, scenario

OFFICE = "name: État civil,   password: pw2010,"
PLAN = PLAN_TEXT.replace(OFFICE, f"{OFFICE} voicemail: {{email: etat-civil@valmont.example}},", 1)
BEEP = "tone"
NO_ANSWER = "État civil ne répond pas. Laissez un message après le bip."
SENT = "Votre message est enregistré. Au revoir."
CHOICES = "Pour envoyer ce message, raccrochez ou tapez 1. Pour l'écouter, 2. Pour recommencer, 3."


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)


async def town_with(
    world: World, tmp_path: Path, *users: str, plan: str = PLAN
) -> tuple[Town, list[TownPhone]]:
    assert PLAN != PLAN_TEXT
    town = Town(world, plan, data_dir=tmp_path)
    await town.exchange.trunks.resolve()
    return town, await town.phones(*users)


def mailbox(town: Town, name: str = "2010") -> tuple[Message, ...]:
    assert town.exchange.voicemail is not None
    return town.exchange.voicemail.messages(name)


async def in_vain(town: Town, caller: TownPhone, office: TownPhone, status: int = 486) -> None:
    """The caller calls 2010, whose telephone refuses, and is answered by the mailbox."""
    await caller.call("2010")
    office.reply(await office.expect("INVITE"), status)
    await office.expect("ACK")
    caller.ack(await caller.expect(200))
    await town.world.sleep(0.1)


async def to_the_beep(town: Town) -> None:
    """Greeting and beep end: the caller speaks."""
    for _ in range(2):
        town.finish_playing()
        await town.world.sleep(0.1)
    assert town.engine.recording


def letters(tmp_path: Path) -> list[Letter]:
    """What waits to be mailed."""
    return list(Spool(tmp_path / mail.FOLDER).letters())


def end_recording(town: Town, seconds: float = 5.0, why: str = "key") -> None:
    """What the caller says is over."""
    town.engine.recorded_seconds = seconds
    ((call, leg),) = town.engine.recording
    town.engine.finish_recording(call, leg, why)


async def leave(town: Town, caller: TownPhone, office: TownPhone, seconds: float = 5.0) -> None:
    """A message is left by hanging up after so many seconds."""
    await in_vain(town, caller, office)
    await to_the_beep(town)
    town.engine.recorded_seconds = seconds
    await town.world.sleep(seconds)
    caller.bye()
    await caller.expect("200 BYE")
    await town.world.sleep(0.1)


async def dial(town: Town, phone: TownPhone, code: str) -> None:
    """Dial a code and be answered."""
    await phone.call(code.replace("#", "%23"))
    phone.ack(await phone.expect(200))
    await town.world.sleep(0.1)


async def press(town: Town, digits: str) -> None:
    """Press keys in the call that is going on."""
    (call,) = town.exchange._calls
    town.engine.press(call, "a", digits)
    await town.world.sleep(0.1)


async def finish(town: Town, times: int = 1) -> None:
    """What is said ends, so many times."""
    for _ in range(times):
        town.finish_playing()
        await town.world.sleep(0.1)


async def leaves(town: Town, phone: TownPhone) -> None:
    phone.bye()
    await phone.expect("200 BYE")
    await town.world.sleep(0.1)


# Leaving a message


@scenario()
async def test_nobody_answers_and_the_caller_leaves_a_message(world: World, tmp_path: Path) -> None:
    town, (alice, office) = await town_with(world, tmp_path, "1001", "2010")
    town.ladder.order("1001", "Beffroi", "2010")
    await alice.call("2010")
    invite = await office.expect("INVITE")
    office.reply(invite, 180)
    await alice.expect(180)
    office.reply(await office.expect("CANCEL"), 200)
    office.reply(invite, 487)
    await office.expect("ACK")
    alice.ack(await alice.expect(200))
    await world.sleep(0.1)
    town.ladder.media("Beffroi", "1001", "greeting, beep")
    await to_the_beep(town)
    town.ladder.media("1001", "Beffroi", "message")
    end_recording(town)
    await world.sleep(0.1)
    await press(town, "1")
    await finish(town)
    alice.reply(await alice.expect("BYE"), 200)
    assert played(town) == [NO_ANSWER, BEEP, CHOICES, SENT]
    (message,) = mailbox(town)
    assert (message.number, message.name, message.seconds, message.heard) == (
        "1001",
        "Alice Martin",
        5.0,
        False,
    )
    assert "dialled 2010 to 2010: message left" in await town.record()
    assert_golden("voicemail-no-answer", town.ladder)


@scenario()
async def test_who_hangs_up_has_left_the_message_before_that_is_acknowledged(
    world: World, tmp_path: Path
) -> None:
    town, (alice, office) = await town_with(world, tmp_path, "1001", "2010")
    town.ladder.order("1001", "Beffroi", "2010")
    await in_vain(town, alice, office)
    assert played(town) == ["État civil n'est pas disponible. Laissez un message après le bip."]
    town.ladder.media("Beffroi", "1001", "greeting, beep")
    await to_the_beep(town)
    town.ladder.media("1001", "Beffroi", "message")
    await world.sleep(5)
    alice.bye()
    await alice.expect("200 BYE")
    (message,) = mailbox(town)
    path = tmp_path / "voicemail" / "2010" / f"{message.id}.wav"
    assert len(wav.read_file(path)) == 5 * 8000
    assert "message left" in await town.record()
    assert_golden("voicemail-hung-up", town.ladder)


@scenario()
async def test_less_than_two_seconds_is_nothing(world: World, tmp_path: Path) -> None:
    town, (alice, office) = await town_with(world, tmp_path, "1001", "2010")
    await leave(town, alice, office, seconds=1.9)
    assert mailbox(town) == ()
    assert list((tmp_path / "voicemail" / "2010").glob("*.wav")) == []
    assert "no message" in await town.record()


@scenario()
async def test_a_caller_who_was_not_heard_is_asked_again_and_let_go(world: World, tmp_path: Path) -> None:
    town, (alice, office) = await town_with(world, tmp_path, "1001", "2010")
    await in_vain(town, alice, office)
    await finish(town)
    for _ in range(3):
        await finish(town)  # the beep
        end_recording(town, 0.0, "silence")
        await world.sleep(0.1)
        assert played(town)[-1] == "Nous n'avons rien entendu. Parlez après le bip."
        await finish(town)
    assert played(town)[-1] == "Vous n'avez pas laissé de message. Au revoir."
    await finish(town)
    alice.reply(await alice.expect("BYE"), 200)
    assert mailbox(town) == ()


@scenario()
async def test_a_message_is_listened_to_and_spoken_again(world: World, tmp_path: Path) -> None:
    town, (alice, office) = await town_with(world, tmp_path, "1001", "2010")
    await in_vain(town, alice, office)
    await to_the_beep(town)
    end_recording(town, 4.0)
    await world.sleep(0.1)
    await press(town, "2")
    assert "start_ms=0" in town.engine.asked[-1].detail
    await finish(town)
    assert played(town)[-1] == CHOICES
    await press(town, "3")
    await finish(town)
    end_recording(town, 7.0)
    await world.sleep(0.1)
    await leaves(town, alice)
    assert [one.seconds for one in mailbox(town)] == [7.0]


@scenario()
async def test_hash_ends_the_message_and_other_keys_do_not(world: World, tmp_path: Path) -> None:
    """Keys by INFO, of which the media process knows nothing, count as well."""
    town, (alice, office) = await town_with(world, tmp_path, "1001", "2010")
    await in_vain(town, alice, office)
    await to_the_beep(town)
    await press(town, "5*")
    assert town.engine.recording
    await press(town, "#")
    assert played(town)[-1] == CHOICES
    await leaves(town, alice)
    assert len(mailbox(town)) == 1


@scenario()
async def test_the_greeting_is_skipped_by_a_key(world: World, tmp_path: Path) -> None:
    town, (alice, office) = await town_with(world, tmp_path, "1001", "2010")
    await in_vain(town, alice, office)
    await press(town, "#")
    assert played(town)[-1] == BEEP
    await leaves(town, alice)


@scenario()
async def test_who_does_not_want_to_be_disturbed_gets_a_message(world: World, tmp_path: Path) -> None:
    town, (alice, office) = await town_with(world, tmp_path, "1001", "2010")
    town.exchange.settings.do_not_disturb("2010", True, "2010")
    await alice.call("2010")
    alice.ack(await alice.expect(200))
    await office.expect_silence(0.5)
    assert played(town) == ["État civil n'est pas disponible. Laissez un message après le bip."]
    await to_the_beep(town)
    await leaves(town, alice)
    assert len(mailbox(town)) == 1


@scenario()
async def test_who_has_no_telephone_now_gets_a_message_from_outside(world: World, tmp_path: Path) -> None:
    town, _ = await town_with(world, tmp_path)
    a = town.operator("operateur-a")
    a.invite("+33383001010")
    a.ack(await a.expect(200))
    await world.sleep(0.1)
    assert played(town) == ["État civil n'est pas joignable. Laissez un message après le bip."]
    await to_the_beep(town)
    await leaves(town, a)
    (message,) = mailbox(town)
    assert message.number == "+33699999999"


@scenario()
async def test_a_call_that_was_forwarded_in_vain_comes_to_the_mailbox_of_whom_it_was_for(
    world: World, tmp_path: Path
) -> None:
    town, (alice, office, neighbour) = await town_with(world, tmp_path, "1001", "2010", "2020")
    town.exchange.settings.forward("2010", "busy", "2020", "2010")
    await alice.call("2010")
    for phone in (office, neighbour):
        phone.reply(await phone.expect("INVITE"), 486)
        await phone.expect("ACK")
    alice.ack(await alice.expect(200))
    await to_the_beep(town)
    await leaves(town, alice)
    assert len(mailbox(town)) == 1


@scenario()
async def test_who_has_no_mailbox_is_as_ever(world: World, tmp_path: Path) -> None:
    _, (alice, neighbour) = await town_with(world, tmp_path, "1001", "2020")
    await alice.call("2020")
    neighbour.reply(await neighbour.expect("INVITE"), 486)
    await neighbour.expect("ACK")
    await alice.expect(486)


@scenario()
async def test_everybody_has_a_mailbox_where_the_plan_says_so(world: World, tmp_path: Path) -> None:
    plan = PLAN.replace("\nusers:", "\nvoicemail: {after_seconds: 12}\n\nusers:", 1)
    town, (alice, neighbour) = await town_with(world, tmp_path, "1001", "2020", plan=plan)
    await alice.call("2020")
    invite = await neighbour.expect("INVITE")
    neighbour.reply(invite, 180)
    await alice.expect(180)
    await alice.expect_silence(11.9)
    neighbour.reply(await neighbour.expect("CANCEL"), 200)
    neighbour.reply(invite, 487)
    await neighbour.expect("ACK")
    alice.ack(await alice.expect(200))
    await to_the_beep(town)
    await leaves(town, alice)
    assert len(mailbox(town, "2020")) == 1


@scenario()
async def test_an_engine_that_records_nothing_lets_the_call_end_as_before(
    world: World, tmp_path: Path
) -> None:
    town, (alice, office) = await town_with(world, tmp_path, "1001", "2010")
    town.engine.records = False
    await alice.call("2010")
    office.reply(await office.expect("INVITE"), 486)
    await office.expect("ACK")
    await alice.expect(486)
    await dial(town, alice, "8001")
    assert played(town) == ["Cette messagerie ne prend pas de message pour l'instant. Au revoir."]
    await finish(town)
    alice.reply(await alice.expect("BYE"), 200)


@scenario()
async def test_a_full_mailbox_says_so(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pbx.voicemail.mailboxes.MOST_MESSAGES", 1)
    town, (alice, office) = await town_with(world, tmp_path, "1001", "2010")
    await leave(town, alice, office)
    await in_vain(town, alice, office)
    await finish(town)
    assert played(town)[-1] == "Cette messagerie est pleine. Rappelez plus tard. Au revoir."
    await finish(town)
    alice.reply(await alice.expect("BYE"), 200)
    assert len(mailbox(town)) == 1


@scenario()
async def test_a_closed_service_takes_a_message_with_its_greeting(world: World, tmp_path: Path) -> None:
    town, _ = await town_with(world, tmp_path)
    a = town.operator("operateur-a")
    await world.sleep(_to_the_night(town))
    a.invite("+33383000100")
    a.ack(await a.expect(200))
    await world.sleep(0.1)
    assert played(town) == ["Nous sommes fermés. Laissez un message après le bip."]
    await to_the_beep(town)
    await leaves(town, a)
    assert len(mailbox(town, "mairie")) == 1


def _to_the_night(town: Town) -> float:
    """Seconds until 22:00."""
    now = town.world.wall()
    night = now.replace(hour=22, minute=0, second=0)
    return (night - now + timedelta(days=int(night < now))).total_seconds()


@scenario()
async def test_a_hidden_caller_is_not_told_in_the_message(world: World, tmp_path: Path) -> None:
    """RFC 3323 section 4.2."""
    town, (alice, office) = await town_with(world, tmp_path, "1001", "2010")
    await town.call_with(alice, "2010", {"Privacy": "id"})
    office.reply(await office.expect("INVITE"), 486)
    await office.expect("ACK")
    alice.ack(await alice.expect(200))
    await to_the_beep(town)
    await leaves(town, alice)
    assert [(one.number, one.name) for one in mailbox(town)] == [("", "")]


@scenario()
async def test_a_party_that_is_transferred_to_a_busy_person_leaves_a_message(
    world: World, tmp_path: Path
) -> None:
    """RFC 3515 section 2.4.5: the mailbox has taken the call."""
    town = Town(world, PLAN, data_dir=tmp_path)
    await town.exchange.trunks.resolve()
    alice, bruno, office = [await party(town, user) for user in ("1001", "1002", "2010")]
    alices, brunos = await connected(town, alice, bruno)
    town.ladder.clear()
    town.ladder.order("1002", "1001", "Beffroi", "2010")
    office.final = 486
    alice.refer(alices, "sip:2010@valmont.example")
    await world.sleep(1)
    assert alices.fragments[-1] == "200"
    assert played(town)[-1] == "État civil n'est pas disponible. Laissez un message après le bip."
    await finish(town, 2)
    assert town.engine.recording
    bruno.leave(brunos)
    await world.sleep(0.2)
    assert [(one.number, one.name) for one in mailbox(town)] == [("1002", "Bruno Petit")]
    assert_golden("voicemail-transferred", town.ladder)


@scenario()
async def test_a_menu_leads_to_a_mailbox_where_nobody_is_there(world: World, tmp_path: Path) -> None:
    town, (alice,) = await town_with(world, tmp_path, "1001")
    await dial(town, alice, "8000")
    await press(town, "1")
    alice.answer(await alice.expect("INVITE"))  # its sound goes on in the call to the mailbox
    await alice.expect("ACK")
    assert played(town)[-1] == "État civil n'est pas joignable. Laissez un message après le bip."
    await finish(town, 2)
    await leaves(town, alice)
    assert len(mailbox(town)) == 1


@scenario()
async def test_what_changes_in_a_mailbox_is_an_event(world: World, tmp_path: Path) -> None:
    town, (alice, office) = await town_with(world, tmp_path, "1001", "2010")
    told: list[MailboxChanged] = []
    town.exchange.events.subscribe(told.append, MailboxChanged)
    await leave(town, alice, office)
    assert [(event.mailbox, event.new, event.old) for event in told] == [("2010", 1, 0)]


@scenario()
async def test_a_disk_that_takes_nothing_is_told_to_the_caller(world: World, tmp_path: Path) -> None:
    town, (alice, office) = await town_with(world, tmp_path, "1001", "2010")
    (tmp_path / "voicemail").write_text("a file in its place")
    await in_vain(town, alice, office)
    await finish(town)
    assert played(town)[-1] == "Cette messagerie ne prend pas de message pour l'instant. Au revoir."
    await finish(town)
    alice.reply(await alice.expect("BYE"), 200)
    assert "no recording" in await town.record()
    town.errors.expect("nothing is kept")


@scenario()
async def test_who_has_no_message_is_told_of_the_greetings(world: World, tmp_path: Path) -> None:
    town, (office,) = await town_with(world, tmp_path, "2010")
    await dial(town, office, "*98")
    await finish(town, 2)
    assert played(town)[-2:] == ["Vous n'avez pas de message.", "Pour vos annonces, tapez 0."]
    await press(town, "0")
    assert played(town)[-1].startswith("Pour l'annonce quand vous êtes en ligne, tapez 1.")
    await leaves(town, office)


@scenario()
async def test_who_has_no_mailbox_is_told_so(world: World, tmp_path: Path) -> None:
    town, (alice,) = await town_with(world, tmp_path, "1001")
    await dial(town, alice, "*98")
    await finish(town, 2)
    assert played(town)[-1] == "Vous n'avez pas de messagerie. Demandez-la au service informatique."
    alice.reply(await alice.expect("BYE"), 200)
    await town.world.sleep(0.1)


@scenario()
async def test_a_disk_that_fills_up_while_one_listens_ends_nothing(world: World, tmp_path: Path) -> None:
    town, (_, office) = await with_message(world, tmp_path)
    await dial(town, office, "*98")
    await finish(town, 2)
    folder = tmp_path / "voicemail" / "2010"
    folder.rename(tmp_path / "elsewhere")
    folder.write_text("a file in its place")
    await press(town, "7")
    assert played(town)[-1] == "Supprimé. Pour annuler, tapez 7."
    await leaves(town, office)
    assert [one.heard for one in mailbox(town)] == [False]
    town.errors.expect("nothing is kept")


# What survives


@scenario()
async def test_beffroi_killed_in_the_middle_of_a_message_keeps_what_was_said(
    world: World, tmp_path: Path
) -> None:
    town, (alice, office) = await town_with(world, tmp_path, "1001", "2010")
    await in_vain(town, alice, office)
    await to_the_beep(town)
    ((_, path),) = town.engine.recording.items()
    path.write_bytes(wav.header(0, 8000) + bytes(2 * 3 * 8000))  # as the media process leaves it
    await town.restart()
    (message,) = mailbox(town)
    assert (message.number, message.seconds) == ("1001", 3.0)
    assert [letter.to for letter in letters(tmp_path)] == ["etat-civil@valmont.example"]
    alice.reply(await alice.expect("BYE"), 200)


@scenario()
async def test_a_media_process_that_dies_keeps_what_was_said(world: World, tmp_path: Path) -> None:
    town, (alice, office) = await town_with(world, tmp_path, "1001", "2010")
    await in_vain(town, alice, office)
    await to_the_beep(town)
    town.engine.lose()
    alice.reply(await alice.expect("BYE"), 200)
    town.errors.expect("media engine lost", "media engine unavailable")
    assert len(mailbox(town)) == 1


# The lamp


@scenario()
async def test_the_lamp_goes_on_with_a_message_and_off_when_it_was_heard(
    world: World, tmp_path: Path
) -> None:
    """RFC 3842 section 3.6."""
    plan = PLAN.replace("\nusers:", "\nvoicemail: true\n\nusers:", 1)
    town, (alice, office) = await town_with(world, tmp_path, "1001", "2010", plan=plan)
    app = town.phone("1001-app")
    first = await watch(app, "message-summary", "1001-app")
    await office.call("1001")
    alice.reply(await alice.expect("INVITE"), 486)
    await alice.expect("ACK")
    office.ack(await office.expect(200))
    await world.sleep(0.1)
    await to_the_beep(town)
    await leaves(town, office)
    assert b"Messages-Waiting: yes" in (await told(app)).body
    await dial(town, alice, "*98")
    await finish(town, 3)  # the counts, who and when, the message
    last = (await told(app)).body
    assert b"Messages-Waiting: no" in last
    assert b"Voice-Message: 0/1" in last
    await leaves(town, alice)
    await unwatch(app, first, "message-summary")


@scenario()
async def test_what_waits_is_known_right_after_a_restart(world: World, tmp_path: Path) -> None:
    town, (alice, office) = await town_with(world, tmp_path, "1001", "2010")
    await leave(town, alice, office)
    await town.restart()
    assert town.exchange.subscriptions.mailboxes.of("2010") == Mailbox(new=1)


# Listening


async def with_message(
    world: World, tmp_path: Path, *users: str, times: int = 1, plan: str = PLAN
) -> tuple[Town, list[TownPhone]]:
    """1001 has left messages for 2010."""
    town, phones = await town_with(world, tmp_path, "1001", "2010", *users, plan=plan)
    for seconds in range(times):
        await leave(town, phones[0], phones[1], 5.0 + seconds)
        await world.sleep(60)
    town.ladder.clear()
    town.engine.asked.clear()
    return town, phones


def wavs(town: Town) -> int:
    """How often a message was begun to be played."""
    return sum("Wav" in asked.detail for asked in town.engine.asked if asked.verb == "play")


@scenario()
async def test_one_s_messages_are_heard_by_code_with_who_and_when(world: World, tmp_path: Path) -> None:
    town, (_, office) = await with_message(world, tmp_path)
    town.ladder.order("2010", "Beffroi")
    await dial(town, office, "*98")
    town.ladder.media("Beffroi", "2010", "messages")
    assert played(town) == ["Nouveaux messages : 1. Messages déjà écoutés : 0."]
    await finish(town)
    assert played(town)[1].startswith("Nouveau message, aujourd’hui à ")
    assert played(town)[1].endswith(" : Alice Martin.")
    await finish(town)
    assert wavs(town) == 1
    await finish(town)
    await press(town, "3")
    assert played(town)[-1] == "Il n'y a plus de message."
    await leaves(town, office)
    assert [one.heard for one in mailbox(town)] == [True]
    assert_golden("voicemail-listened-to", town.ladder)


@scenario()
async def test_an_empty_mailbox_says_so_and_ends(world: World, tmp_path: Path) -> None:
    town, (office,) = await town_with(world, tmp_path, "2010")
    await dial(town, office, "*98")
    assert played(town) == ["Vous n'avez pas de message."]
    await finish(town)
    await finish(town)
    await world.sleep(6)
    assert played(town)[-1] == "Au revoir."
    await finish(town)
    office.reply(await office.expect("BYE"), 200)


@scenario()
async def test_keys_go_from_message_to_message(world: World, tmp_path: Path) -> None:
    town, (_, office) = await with_message(world, tmp_path, times=2)
    first, second = (one.id for one in mailbox(town))
    await dial(town, office, "*98")
    await finish(town, 2)
    assert first in town.engine.asked[-1].detail
    await press(town, "3")
    await finish(town)
    assert second in town.engine.asked[-1].detail
    await press(town, "1")
    await finish(town)
    assert first in town.engine.asked[-1].detail
    await press(town, "2")
    await finish(town)
    assert first in town.engine.asked[-1].detail
    await leaves(town, office)


@scenario()
async def test_a_message_is_paused_and_goes_on_where_it_was(world: World, tmp_path: Path) -> None:
    town, (_, office) = await with_message(world, tmp_path)
    await dial(town, office, "*98")
    await finish(town, 2)
    await world.sleep(1.4)
    await press(town, "5")
    await world.sleep(30)
    await press(town, "5")
    assert "start_ms=1500" in town.engine.asked[-1].detail
    await leaves(town, office)


@scenario()
async def test_what_is_deleted_is_gone_when_one_hangs_up(world: World, tmp_path: Path) -> None:
    town, (_, office) = await with_message(world, tmp_path)
    (message,) = mailbox(town)
    await dial(town, office, "*98")
    await finish(town, 2)
    await press(town, "7")
    assert played(town)[-1] == "Supprimé. Pour annuler, tapez 7."
    assert mailbox(town) != ()
    await leaves(town, office)
    assert mailbox(town) == ()
    assert not (tmp_path / "voicemail" / "2010" / f"{message.id}.wav").exists()


@scenario()
async def test_a_deletion_is_taken_back_by_the_same_key(world: World, tmp_path: Path) -> None:
    town, (_, office) = await with_message(world, tmp_path)
    await dial(town, office, "*98")
    await finish(town, 2)
    await press(town, "7")
    await press(town, "7")
    assert played(town)[-1] == "Le message est gardé."
    await leaves(town, office)
    assert len(mailbox(town)) == 1


@scenario()
async def test_who_left_a_message_is_called_back_by_a_key(world: World, tmp_path: Path) -> None:
    town, (alice, office) = await with_message(world, tmp_path)
    town.ladder.order("2010", "Beffroi", "1001")
    await dial(town, office, "*98")
    await finish(town, 2)
    await press(town, "8")
    alice.answer(await alice.expect("INVITE"))
    await alice.expect("ACK")
    await office.expect_silence(0.5)
    town.ladder.media("2010", "1001", "voices")
    await town.hang_up(office, alice)
    assert_golden("voicemail-called-back", town.ladder)


@scenario()
async def test_a_caller_who_may_not_be_called_is_not_called_back(world: World, tmp_path: Path) -> None:
    plan = PLAN.replace(
        'extension: "2010", name: État civil,   password: pw2010,',
        'extension: "2010", name: État civil, class: interne, password: pw2010,',
    ).replace(
        'site: mairie,  class: national}\n  - {extension: "2020"', 'site: mairie}\n  - {extension: "2020"'
    )
    town, (office,) = await town_with(world, tmp_path, "2010", plan=plan)
    a = town.operator("operateur-a")
    a.invite("+33383001010")
    office.reply(await office.expect("INVITE"), 486)
    await office.expect("ACK")
    a.ack(await a.expect(200))
    await world.sleep(0.1)
    await to_the_beep(town)
    await leaves(town, a)
    await dial(town, office, "*98")
    await finish(town, 2)
    await press(town, "8")
    assert played(town)[-1] == "Ce numéro ne peut pas être rappelé."
    await leaves(town, office)


@scenario()
async def test_from_another_telephone_the_pin_opens_the_mailbox(world: World, tmp_path: Path) -> None:
    town, (alice, office) = await with_message(world, tmp_path)
    town.exchange.pins.set("2010", "8362", "2010")
    await in_vain(town, alice, office)
    await press(town, "*")
    assert played(town)[-1] == "Tapez votre code PIN, puis dièse."
    await press(town, "8362#")
    assert played(town)[-1] == "Nouveaux messages : 1. Messages déjà écoutés : 0."
    await finish(town, 2)
    await press(town, "8")  # nobody makes calls by a PIN
    assert played(town)[-1] == "Ce numéro ne peut pas être rappelé."
    await leaves(town, alice)


@scenario()
async def test_without_the_pin_nobody_listens(world: World, tmp_path: Path) -> None:
    town, (alice, office) = await with_message(world, tmp_path)
    town.exchange.pins.set("2010", "8362", "2010")
    await in_vain(town, alice, office)
    await press(town, "*")
    for _ in range(2):
        await press(town, "1234#")
        assert played(town)[-1] == "Ce code n'est pas le bon."
        await finish(town)
    await press(town, "1234#")
    assert played(town)[-1] == "tone"
    await finish(town, 2)
    alice.reply(await alice.expect("BYE"), 200)
    assert "rejected: pin" in tell(town.calls[-1])


@scenario()
async def test_a_service_s_listeners_hear_its_messages_from_their_telephones(
    world: World, tmp_path: Path
) -> None:
    town, (alice, office) = await town_with(world, tmp_path, "1001", "2010")
    await dial(town, office, "8001")
    await to_the_beep(town)
    await leaves(town, office)
    await dial(town, alice, "8001")
    await press(town, "*")
    assert played(town)[-1] == "Nouveaux messages : 1. Messages déjà écoutés : 0."
    await leaves(town, alice)


@scenario()
async def test_a_star_that_opens_nothing_only_skips_the_greeting(world: World, tmp_path: Path) -> None:
    town, (office,) = await town_with(world, tmp_path, "2010")
    await dial(town, office, "8001")
    await press(town, "*")
    assert played(town)[-1] == BEEP
    await finish(town)
    await leaves(town, office)
    assert len(mailbox(town, "mairie")) == 1


# Greetings


@scenario()
async def test_a_greeting_that_one_has_recorded_is_heard_in_its_situation(
    world: World, tmp_path: Path
) -> None:
    town, (alice, office) = await town_with(world, tmp_path, "1001", "2010")
    await dial(town, office, "*98")
    await press(town, "0")
    await press(town, "1")
    await finish(town, 2)  # how, and the beep
    end_recording(town)
    await world.sleep(0.1)
    await finish(town)  # what was said
    await press(town, "1")
    assert played(town)[-1] == "C'est enregistré."
    await leaves(town, office)
    await in_vain(town, alice, office)
    assert "greeting-busy.wav" in town.engine.asked[-1].detail
    await leaves(town, alice)
    await office.register(expires_seconds=0)
    await alice.call("2010")
    alice.ack(await alice.expect(200))
    assert played(town)[-1].startswith("État civil n'est pas joignable.")
    await leaves(town, alice)


# Letters


@scenario()
async def test_a_message_with_an_address_waits_to_be_mailed_with_its_sound(
    world: World, tmp_path: Path
) -> None:
    town, (alice, office) = await town_with(world, tmp_path, "1001", "2010")
    await leave(town, alice, office)
    (letter,) = letters(tmp_path)
    assert (letter.to, letter.mailbox, letter.number, letter.language) == (
        "etat-civil@valmont.example",
        "2010",
        "1001",
        "fr",
    )
    (message,) = mailbox(town)
    assert town.exchange.voicemail is not None
    await town.exchange.voicemail.delete("2010", message.id)
    assert len(wav.read_file(Spool(tmp_path / mail.FOLDER).sound(letter))) == 5 * 8000
