"""The mailboxes on the disk: nothing whole is lost, whatever dies; no name leads elsewhere; few is enough."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from media import wav
from pbx.kept import write_kept
from pbx.voicemail.mail import Spool
from pbx.voicemail.mailboxes import (
    KeptMailbox,
    MailboxFull,
    Message,
    Voicemail,
    VoicemailError,
    folder_of,
    greeting_file,
    read_messages,
)
from sip.core.message_summary import Mailbox

Result = TypeVar("Result")
AT = 1_764_000_000.0


async def at_once(work: Callable[[], Result], /) -> Result:
    return work()


def opened(folder: Path, spool: Spool | None = None) -> Voicemail:
    store = Voicemail(folder / "voicemail", apart=at_once, spool=spool)
    store.open()
    return store


def new(name: str = "0a1b", **fields: object) -> Message:
    return Message(name, AT, "1001", "Alice", **fields)


def speak(store: Voicemail, name: str, message: Message, seconds: float) -> None:
    """What the media process writes."""
    sound = bytes(2 * round(8000 * seconds))
    store.path(name, message.id).write_bytes(wav.header(len(sound), 8000) + sound)


async def left(store: Voicemail, name: str = "2010", seconds: float = 5.0, **fields: object) -> Message:
    """A message that somebody has left."""
    message = await store.begin(name, new(**fields))
    speak(store, name, message, seconds)
    assert await store.keep(name, message, seconds)
    return message


async def test_what_was_left_is_there_for_the_next_process(tmp_path: Path) -> None:
    await left(opened(tmp_path))
    (message,) = opened(tmp_path).messages("2010")
    assert (message.number, message.seconds, message.heard) == ("1001", 5.0, False)


async def test_a_message_that_was_being_recorded_is_found_as_long_as_it_got(tmp_path: Path) -> None:
    store = opened(tmp_path, Spool(tmp_path / "mail"))
    message = await store.begin("2010", new(email="office@valmont.example"))
    speak(store, "2010", message, 3.0)
    spool = Spool(tmp_path / "mail")
    assert [one.seconds for one in opened(tmp_path, spool).messages("2010")] == [3.0]
    assert [letter.to for letter in spool.letters()] == ["office@valmont.example"]
    assert [one.seconds for one in opened(tmp_path, spool).messages("2010")] == [3.0]


@pytest.mark.parametrize("seconds", [-1.0, 0.0, 1.9], ids=["no file", "nothing", "too short"])
async def test_a_beginning_without_a_message_is_forgotten(tmp_path: Path, seconds: float) -> None:
    store = opened(tmp_path)
    message = await store.begin("2010", new())
    if seconds >= 0:
        speak(store, "2010", message, seconds)
    assert opened(tmp_path).messages("2010") == ()
    assert [path.name for path in (tmp_path / "voicemail" / "2010").iterdir()] == ["mailbox.json"]


async def test_counts_are_of_whole_messages(tmp_path: Path) -> None:
    """RFC 3842 section 5.2."""
    store = opened(tmp_path)
    first = await left(store)
    await left(store)
    await store.begin("2010", new())
    await store.mark_heard("2010", first.id)
    assert store.waiting("2010") == Mailbox(new=1, old=1)
    assert opened(tmp_path).waiting("2010").old == 1


async def test_each_change_of_a_mailbox_is_told(tmp_path: Path) -> None:
    store = opened(tmp_path)
    told: list[str] = []
    store.changed = told.append
    message = await left(store)
    await store.mark_heard("2010", message.id)
    await store.mark_heard("2010", message.id)
    await store.delete("2010", message.id)
    assert told == ["2010"] * 3


async def test_two_messages_of_one_call_have_two_names(tmp_path: Path) -> None:
    store = opened(tmp_path)
    assert [(await left(store)).id, (await left(store)).id] == ["0a1b", "0a1b-2"]


async def test_a_mailbox_is_full_some_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pbx.voicemail.mailboxes.MOST_MESSAGES", 2)
    store = opened(tmp_path)
    await left(store)
    await left(store)
    with pytest.raises(MailboxFull):
        await store.begin("2010", new())


@pytest.mark.parametrize("name", ["../../etc", "..", ".hidden", "a/b", "Été", "x" * 80, "", "a\0b"])
async def test_no_name_of_a_plan_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    store = opened(tmp_path)
    await left(store, name)
    (folder,) = (tmp_path / "voicemail").iterdir()
    assert folder.name == folder_of(name)
    assert folder.name.startswith("x-")
    assert len(opened(tmp_path).messages(name)) == 1


async def test_no_id_leads_elsewhere(tmp_path: Path) -> None:
    with pytest.raises(VoicemailError):
        await opened(tmp_path).begin("2010", new("../mailbox"))


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"format": 1, "name": "2010", "messages": [{"id": "../x", "at": 1, "number": "", "name": ""}]}',
        '{"format": 1, "name": "1001"}',
    ],
)
async def test_an_index_that_is_not_ours_is_left_alone(tmp_path: Path, text: str) -> None:
    await left(opened(tmp_path))
    index = tmp_path / "voicemail" / "2010" / "mailbox.json"
    index.write_text(text)
    assert opened(tmp_path).names() == []
    assert index.read_text() == text
    assert len(list(index.parent.glob("*.wav"))) == 1


async def test_sounds_that_belong_to_no_message_are_cleared_away_and_greetings_stay(tmp_path: Path) -> None:
    store = opened(tmp_path)
    message = await left(store)
    recorded = await store.new_greeting("2010", "0c")
    recorded.write_bytes(wav.header(0, 8000))
    await store.keep_greeting("2010", "busy", recorded)
    folder = recorded.parent
    (folder / "0b.wav").write_bytes(b"")
    (folder / ".greeting-0d.wav").write_bytes(b"")
    again = opened(tmp_path)
    assert sorted(path.name for path in folder.glob("*.wav")) == [f"{message.id}.wav", greeting_file("busy")]
    assert again.greeting("2010", "busy") == folder / greeting_file("busy")
    assert again.greeting("2010", "closed") is None


async def test_the_greeting_for_any_situation_stands_in(tmp_path: Path) -> None:
    store = opened(tmp_path)
    recorded = await store.new_greeting("2010", "0c")
    recorded.write_bytes(b"")
    await store.keep_greeting("2010", "any", recorded)
    assert store.greeting("2010", "busy") == recorded.parent / greeting_file("any")
    await store.drop_greeting("2010", "any")
    assert store.greeting("2010", "busy") is None
    assert list(recorded.parent.glob("*.wav")) == []


async def test_a_disk_that_takes_nothing_is_told_and_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "voicemail").write_text("a file in its place")
    store = opened(tmp_path)
    with pytest.raises(VoicemailError):
        await store.begin("2010", new())
    assert store.messages("2010") == ()


async def test_a_spool_that_takes_nothing_does_not_lose_the_message(tmp_path: Path) -> None:
    (tmp_path / "mail").write_text("a file in its place")
    store = opened(tmp_path, Spool(tmp_path / "mail"))
    await left(store, email="office@valmont.example")
    assert len(store.messages("2010")) == 1


async def test_one_call_may_leave_a_letter_for_two_mailboxes(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "mail")
    store = opened(tmp_path, spool)
    await left(store, "2010", email="a@valmont.example")
    await left(store, "mairie", email="b@valmont.example")
    assert sorted(letter.to for letter in spool.letters()) == ["a@valmont.example", "b@valmont.example"]


async def test_a_spool_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pbx.voicemail.mail.MOST_LETTERS", 0)
    spool = Spool(tmp_path / "mail")
    store = opened(tmp_path, spool)
    await left(store, email="a@valmont.example")
    assert list(spool.letters()) == []


async def test_messages_are_read_by_others_without_being_changed(tmp_path: Path) -> None:
    store = opened(tmp_path)
    await left(store)
    await store.begin("2010", new())
    before = (tmp_path / "voicemail" / "2010" / "mailbox.json").read_bytes()
    assert [len(found) for found in read_messages(tmp_path / "voicemail").values()] == [1]
    assert (tmp_path / "voicemail" / "2010" / "mailbox.json").read_bytes() == before
    write_kept(tmp_path / "voicemail" / "2010" / "mailbox.json", KeptMailbox(name="2010"))
    assert read_messages(tmp_path / "voicemail") == {"2010": ()}
