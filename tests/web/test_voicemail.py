"""Voicemail over HTTP: one's own mailbox and those of services, played, deleted, greeted."""

from __future__ import annotations

from array import array
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from media import wav
from pbx import control
from pbx.kept import write_kept
from pbx.voicemail.mailboxes import INDEX, KeptMailbox, Message, folder_of
from tests.web.office import Office, as_

URL = "/api/v1/voicemail/mailboxes"
ALICE, ACCUEIL = as_("agent", "1001"), as_("agent", "1002")
OLD = Message("a1", 1_795_371_000.0, "+33612345678", "", 4.0, heard=True)
NEW = Message("b2", 1_795_371_200.0, "1002", "Bruno Petit", 2.0)
SOUND = wav.build(array("h", [1000, -1000] * 8000))


def leave(node: Office, mailbox: str, *messages: Message) -> Path:
    """Put messages into a mailbox, as signalling keeps them."""
    folder = node.configuration.voicemail_dir / folder_of(mailbox)
    folder.mkdir(parents=True)
    write_kept(folder / INDEX, KeptMailbox(name=mailbox, messages=messages), durable=False)
    for one in messages:
        (folder / f"{one.id}.wav").write_bytes(SOUND)
    return folder


def test_ones_own_messages_are_listed_newest_first(client: TestClient, node: Office):
    leave(node, "1001", OLD, NEW)
    told = client.get(f"{URL}/1001", headers=ALICE).json()
    assert [(one["message"], one["number"], one["heard"]) for one in told["items"]] == [
        ("b2", "1002", False),
        ("a1", "+33612345678", True),
    ]
    assert (told["is_own"], told["new"], told["old"]) == (True, 1, 1)


def test_mailbox_of_a_service_is_its_listeners(client: TestClient, node: Office):
    leave(node, "mairie", NEW)
    there = client.get(URL, headers=ACCUEIL).json()["items"]
    assert [(one["mailbox"], one["is_own"], one["new"]) for one in there] == [
        ("1002", True, 0),
        ("mairie", False, 1),
    ]
    assert client.get(f"{URL}/mairie", headers=as_("agent", "2301")).json()["code"] == "no_mailbox"


def test_nobody_opens_somebody_elses_mailbox_not_even_an_administrator(client: TestClient, node: Office):
    leave(node, "1001", NEW)
    for who in (as_("administrator", "2020"), as_("supervisor", "2010"), ACCUEIL, as_("agent")):
        for path in ("", "/messages/b2/sound", "/greetings/any"):
            assert client.get(f"{URL}/1001{path}", headers=who).status_code == 404
        assert client.delete(f"{URL}/1001/messages/b2", headers=who).status_code == 404
    assert node.asked == []


def test_message_is_played_whole_and_in_parts(client: TestClient, node: Office):
    leave(node, "1001", NEW)
    url = f"{URL}/1001/messages/b2/sound"
    whole = client.get(url, headers=ALICE)
    assert (whole.content, whole.headers["content-type"]) == (SOUND, "audio/wav")
    assert whole.headers["cache-control"] == "no-store"
    part = client.get(url, headers={**ALICE, "Range": "bytes=44-143"})
    assert (part.status_code, part.content) == (206, SOUND[44:144])


@pytest.mark.parametrize("message", ["c3", "../1002/b2", "%2e%2e%2fmailbox"])
def test_message_that_is_none_is_not_there(client: TestClient, node: Office, message: str):
    leave(node, "1001", NEW)
    assert client.get(f"{URL}/1001/messages/{message}/sound", headers=ALICE).status_code == 404


def test_message_is_heard_once_and_signalling_is_told(client: TestClient, node: Office):
    leave(node, "1001", OLD, NEW)
    node.answers[control.MarkHeard] = control.MailboxDone()
    for message in ("b2", "a1"):
        assert client.post(f"{URL}/1001/messages/{message}/heard", headers=ALICE).status_code == 204
    assert node.asked == [control.MarkHeard("1001", "b2")]


def test_message_is_deleted_by_signalling_and_that_is_in_the_audit_journal(client: TestClient, node: Office):
    leave(node, "1001", OLD)
    node.answers[control.DeleteMessage] = control.MessageDeleted()
    assert client.delete(f"{URL}/1001/messages/a1", headers=ALICE).status_code == 204
    assert node.asked == [control.DeleteMessage("1001", "a1")]
    journal = node.configuration.audit_journal.read_text()
    assert "voicemail.delete" in journal
    assert "33612345678" not in journal


def test_greeting_is_taken_as_a_wav_and_kept_as_telephones_play_it(client: TestClient, node: Office):
    kept: list[bytes] = []

    def keep(question: control.KeepGreeting) -> control.MailboxDone:
        passing = node.configuration.voicemail_dir / "passing" / f"{question.recorded}.wav"
        kept.append(passing.read_bytes())
        return control.MailboxDone()

    node.answers[control.KeepGreeting] = keep
    answer = client.put(f"{URL}/1001/greetings/busy", headers=ALICE, content=SOUND)
    assert answer.status_code == 204
    assert kept == [SOUND]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"ID3 no wav", "not_a_wav"),
        (SOUND[:1000], "greeting_length"),
        (wav.build(array("h", bytes(16_000 * 61))), "greeting_length"),
    ],
)
def test_what_is_no_greeting_is_refused(client: TestClient, node: Office, body: bytes, code: str):
    answer = client.put(f"{URL}/1001/greetings/any", headers=ALICE, content=body)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert node.asked == []


def test_greeting_is_played_and_dropped(client: TestClient, node: Office):
    folder = leave(node, "1001")
    (folder / "greeting-closed.wav").write_bytes(SOUND)
    assert client.get(f"{URL}/1001", headers=ALICE).json()["greetings"] == ["closed"]
    assert client.get(f"{URL}/1001/greetings/closed", headers=ALICE).content == SOUND
    assert client.get(f"{URL}/1001/greetings/busy", headers=ALICE).json()["code"] == "no_greeting"
    node.answers[control.DropGreeting] = control.MailboxDone()
    assert client.delete(f"{URL}/1001/greetings/closed", headers=ALICE).status_code == 204
    assert node.asked == [control.DropGreeting("1001", "closed")]


def test_damaged_mailbox_is_said(client: TestClient, node: Office):
    (leave(node, "1001") / INDEX).write_text("{")
    answer = client.get(f"{URL}/1001", headers=ALICE)
    assert (answer.status_code, answer.json()["code"]) == (503, "mailbox_unreadable")
