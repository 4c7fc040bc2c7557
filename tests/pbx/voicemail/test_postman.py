"""Letters with voice messages: sent once, with the sound, whatever the mail server does meanwhile."""

from __future__ import annotations

from array import array
from pathlib import Path
from typing import Any

import pytest

from media import wav
from pbx.settings.mail import Mail
from pbx.settings.values import Secret
from pbx.voicemail.mail import Letter, Spool
from pbx.voicemail.postman import Postman
from tests.pbx.voicemail.smtp_server import SmtpServer

AT = 1_764_000_000.0  # 24 November 2025, 17:00 in Paris
SOUND = wav.build(array("h", [0] * 24_000))


class Office:
    """A spool with letters, a clock, and the postman of a server."""

    def __init__(self, folder: Path, port: int, **mail: Any) -> None:
        self.now = AT + 60
        self.folder = folder / "mail"
        self.spool = Spool(self.folder)
        self._sound = folder / "message.wav"
        self._sound.write_bytes(SOUND)
        settings = Mail("127.0.0.1", port, "beffroi@valmont.example", "none", **mail)
        self.postman = Postman(self.spool, settings, "valmont.example", lambda: self.now)

    def put(self, letter: str = "0a1b.2010", **fields: Any) -> None:
        words = {"to": "office@valmont.example", "mailbox": "2010", "at": AT, "seconds": 3.0, **fields}
        self.spool.put(Letter(id=letter, **words), self._sound)

    def waiting(self) -> list[str]:
        return [letter.id for letter in self.spool.letters()]

    def failed(self) -> list[str]:
        return sorted(path.name for path in (self.folder / "failed").glob("*"))


async def test_a_letter_has_the_sound_and_says_who_and_when(tmp_path: Path) -> None:
    """RFC 5322 section 3.6, RFC 3834 section 5."""
    async with SmtpServer() as server:
        office = Office(tmp_path, server.port)
        office.put(number="+33699999999", name="Jeanne", timezone="Europe/Paris")
        assert await office.postman.deliver() == 1
    (letter,) = server.letters
    assert server.recipients == ["office@valmont.example"]
    assert letter["From"] == "beffroi@valmont.example"
    assert letter["Subject"] == "Message vocal : Jeanne (+33699999999)"
    assert letter["Message-ID"] == "<voicemail.0a1b.2010@valmont.example>"
    assert letter["Auto-Submitted"] == "auto-generated"
    body = letter.get_body()
    assert body is not None
    assert "Le : 24/11/2025 à 17:00" in body.get_content()
    (attached,) = letter.iter_attachments()
    assert attached.get_content_type() == "audio/wav"
    assert attached.get_filename() == "message-2025-11-24-1700.wav"
    assert attached.get_content() == SOUND
    assert list(office.folder.glob("*")) == []


async def test_a_letter_is_in_the_mailbox_s_language(tmp_path: Path) -> None:
    async with SmtpServer() as server:
        office = Office(tmp_path, server.port)
        office.put(language="en")
        await office.postman.deliver()
    assert server.letters[0]["Subject"] == "Voice message from a hidden number"


async def test_a_name_from_the_network_begins_no_line_of_its_own(tmp_path: Path) -> None:
    async with SmtpServer() as server:
        office = Office(tmp_path, server.port)
        office.put(name="Eve\r\nBcc: all@valmont.example", number="1")
        await office.postman.deliver()
    assert server.letters[0]["Bcc"] is None
    assert server.recipients == ["office@valmont.example"]


async def test_without_a_server_letters_wait_longer_and_longer(tmp_path: Path) -> None:
    office = Office(tmp_path, 1)
    office.put()
    waits = []
    for _ in range(9):
        await office.postman.deliver()
        (letter,) = office.spool.letters()
        waits.append(letter.next_at - office.now)
        office.now = letter.next_at
    assert waits == [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]


async def test_a_letter_that_is_not_due_is_left_alone(tmp_path: Path) -> None:
    async with SmtpServer() as server:
        office = Office(tmp_path, server.port)
        office.put(next_at=office.now + 10)
        assert await office.postman.deliver() == 0
        assert server.said == []
        office.now += 10
        assert await office.postman.deliver() == 1


async def test_what_is_refused_for_good_is_put_aside_and_the_others_are_sent(tmp_path: Path) -> None:
    """RFC 5321 section 4.2.1."""
    async with SmtpServer() as server:
        server.answers["RCPT"] = "550 nobody of that name"
        office = Office(tmp_path, server.port)
        office.put("0a.2010")
        assert await office.postman.deliver() == 0
        assert office.waiting() == []
        assert office.failed() == ["0a.2010.json", "0a.2010.wav"]
        del server.answers["RCPT"]
        office.put("0b.2010")
        assert await office.postman.deliver() == 1


async def test_what_is_refused_for_now_is_tried_again(tmp_path: Path) -> None:
    """RFC 5321 section 4.2.1: 4yz."""
    async with SmtpServer() as server:
        server.answers["."] = "451 greylisted"
        office = Office(tmp_path, server.port)
        office.put()
        assert await office.postman.deliver() == 0
        del server.answers["."]
        office.now += 60
        assert await office.postman.deliver() == 1
    assert len(server.letters) == 1


async def test_a_server_that_hangs_up_in_the_middle_loses_nothing_and_gets_nothing_twice(
    tmp_path: Path,
) -> None:
    async with SmtpServer() as server:
        office = Office(tmp_path, server.port)
        office.put("0a.2010")
        await office.postman.deliver()
        server.answers["MAIL"] = "hang up"
        office.put("0b.2010")
        assert await office.postman.deliver() == 0
        del server.answers["MAIL"]
        office.now += 60
        assert await office.postman.deliver() == 1
    assert len(server.letters) == 2


async def test_after_five_days_a_letter_is_given_up(tmp_path: Path) -> None:
    office = Office(tmp_path, 1)
    office.put(tries=100)
    office.now = AT + 5 * 86_400 + 1
    await office.postman.deliver()
    assert office.waiting() == []
    assert office.failed() == ["0a1b.2010.json", "0a1b.2010.wav"]


async def test_a_password_comes_from_the_environment_or_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMTP_PASSWORD", "secret")
    kept = tmp_path / "password"
    kept.write_text("secret\n")
    for password in (Secret(env="SMTP_PASSWORD"), Secret(file=kept)):
        async with SmtpServer() as server:
            office = Office(tmp_path, server.port, username="beffroi", password=password)
            office.put()
            assert await office.postman.deliver() == 1
        assert "AUTH PLAIN AGJlZmZyb2kAc2VjcmV0" in server.said


async def test_without_its_password_letters_wait(tmp_path: Path) -> None:
    async with SmtpServer() as server:
        office = Office(
            tmp_path, server.port, username="beffroi", password=Secret(env="BEFFROI_TEST_NO_SUCH")
        )
        office.put()
        assert await office.postman.deliver() == 0
        assert server.said == []
    assert office.waiting() == ["0a1b.2010"]


async def test_a_letter_that_cannot_be_read_is_put_aside(tmp_path: Path) -> None:
    async with SmtpServer() as server:
        office = Office(tmp_path, server.port)
        office.put()
        (office.folder / "broken.json").write_text("{")
        assert await office.postman.deliver() == 1
    assert office.failed() == ["broken.json"]


async def test_a_letter_that_the_server_hangs_up_on_does_not_hold_up_the_others(tmp_path: Path) -> None:
    async with SmtpServer() as server:
        server.answers["RCPT TO:<bad@valmont.example>"] = "hang up"
        office = Office(tmp_path, server.port)
        office.put("0a.2010", to="bad@valmont.example")
        office.put("0b.2010")
        assert await office.postman.deliver() == 0
        assert await office.postman.deliver() == 1
        assert office.waiting() == ["0a.2010"]


@pytest.mark.parametrize(
    "fields",
    [{"to": "été@valmont.example"}, {"timezone": "Nowhere/At-all"}, {"timezone": "../../etc/passwd"}],
    ids=["address", "zone", "path"],
)
async def test_a_letter_that_cannot_be_sent_is_put_aside_and_the_others_are_sent(
    tmp_path: Path, fields: dict[str, str]
) -> None:
    async with SmtpServer() as server:
        office = Office(tmp_path, server.port)
        office.put("0a.2010", **fields)
        office.put("0b.2010")
        assert await office.postman.deliver() == 1
    assert office.failed() == ["0a.2010.json", "0a.2010.wav"]
