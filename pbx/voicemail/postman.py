"""Sends the letters that wait in the spool (`mail`): each voice message with its sound, in its language.

It runs in a thread of the worker process, with a loop of its own: a mail server that is slow, away or wrong
never makes a call or a record wait. What isn't taken is tried again, less and less often, for five days; what
a server says it will never take goes to `failed/`, and the log says so.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Final
from zoneinfo import ZoneInfo

import aiosmtplib
from msgspec.structs import replace

from pbx.settings.mail import Mail
from pbx.settings.values import SecretMissing
from pbx.voicemail.mail import Letter, Spool, SpoolError

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 2.0
SERVER_SECONDS: Final = 30.0
FIRST_RETRY_SECONDS: Final = 60.0
LAST_RETRY_SECONDS: Final = 3600.0
GIVE_UP_SECONDS: Final = 5 * 86_400.0

_SUBJECT: Final = {
    "fr": "Message vocal : {who}",
    "en": "Voice message from {who}",
}
_TEXT: Final = {
    "fr": "Un message vocal a été laissé dans la messagerie {mailbox}.\n\n"
    "De : {who}\nLe : {when}\nDurée : {seconds} s\n\n"
    "Il est joint, et reste à écouter au téléphone.\n",
    "en": "A voice message was left in mailbox {mailbox}.\n\n"
    "From: {who}\nOn: {when}\nLength: {seconds} s\n\n"
    "It is attached, and can be listened to by telephone.\n",
}
_WHEN: Final = {"fr": "%d/%m/%Y à %H:%M", "en": "%Y-%m-%d at %H:%M"}
_HIDDEN: Final = {"fr": "un numéro masqué", "en": "a hidden number"}


class Postman:
    """Gives letters to one server. domain: of the letters' Message-IDs; clock: Unix seconds."""

    def __init__(self, spool: Spool, mail: Mail, domain: str, clock: Callable[[], float]) -> None:
        self._spool = spool
        self._mail = mail
        self._domain = domain
        self._clock = clock
        self._trouble = ""

    async def run(self) -> None:
        """Look at the spool again and again, for ever."""
        while True:
            try:
                await self.deliver()
            except Exception:  # one look that fails is no reason never to look again
                log.exception("letters weren't sent")
            await asyncio.sleep(LOOK_SECONDS)

    async def deliver(self) -> int:
        """Send what is due; returns how many letters a server has taken. Never raises for a server."""
        now = self._clock()
        due = [letter for letter in self._spool.letters(tidy=True) if letter.next_at <= now]
        if not due:
            return 0
        taken, concerned = 0, due
        try:
            async with self._server() as server:
                for letter in due:
                    concerned = [letter]  # what goes wrong from here on may be for its sake: the others go on
                    taken += await self._send(server, letter)
                concerned = []
            self._tell("")
        except (aiosmtplib.SMTPException, OSError, SecretMissing) as error:
            self._tell(str(error) or type(error).__name__)
            for letter in concerned:
                self._later(letter)
        return taken

    def _server(self) -> aiosmtplib.SMTP:
        """The server, to be connected. Raises SecretMissing where the password can't be had."""
        mail = self._mail
        return aiosmtplib.SMTP(
            hostname=mail.host,
            port=mail.port,
            username=mail.username or None,
            password=mail.password.read(os.environ) if mail.password is not None else None,
            use_tls=mail.encryption == "tls",
            start_tls=mail.encryption == "starttls",
            timeout=SERVER_SECONDS,
        )

    async def _send(self, server: aiosmtplib.SMTP, letter: Letter) -> int:
        """Send one letter; what is wrong with it alone concerns no other one."""
        try:
            message = await asyncio.to_thread(self._written, letter)
        except (OSError, ValueError, KeyError) as error:  # KeyError: an unknown time zone
            log.error("letter=%s can't be written: %s", letter.id, error)
            self._spool.give_up(letter)
            return 0
        try:
            await server.send_message(message)
        except (aiosmtplib.SMTPNotSupported, ValueError) as error:  # an address that only SMTPUTF8 can hold
            log.error("letter=%s to=%s can't be sent: %s", letter.id, letter.to, error)
            self._spool.give_up(letter)
            return 0
        except (aiosmtplib.SMTPRecipientsRefused, aiosmtplib.SMTPDataError) as error:
            await server.rset()
            # RFC 5321 section 4.2.1: 5yz is for ever, 4yz is worth another try.
            if all(code >= 500 for code in _codes(error)):
                log.error("letter=%s to=%s refused for good: %s", letter.id, letter.to, error)
                self._spool.give_up(letter)
            else:
                self._later(letter)
            return 0
        self._spool.done(letter)
        log.info("letter=%s sent", letter.id)
        return 1

    def _written(self, letter: Letter) -> EmailMessage:
        """The letter with its sound. Raises OSError without it, ValueError for what no letter can hold."""
        language = letter.language if letter.language in _TEXT else "en"
        at = datetime.fromtimestamp(letter.at, ZoneInfo(letter.timezone))
        words = {
            "who": _who(letter, language),
            "mailbox": _plain(letter.mailbox),
            "when": at.strftime(_WHEN[language]),
            "seconds": round(letter.seconds),
        }
        message = EmailMessage()
        message["From"] = self._mail.sender
        message["To"] = letter.to
        message["Subject"] = _SUBJECT[language].format(**words)
        message["Date"] = format_datetime(at)
        # One for all tries, by which a reader knows a letter that it has already (RFC 5322 section 3.6.4).
        message["Message-ID"] = f"<voicemail.{letter.id}@{self._domain}>"
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834 section 5: nobody's holiday answers it
        message.set_content(_TEXT[language].format(**words))
        name = f"message-{at:%Y-%m-%d-%H%M}.wav"
        sound = self._spool.sound(letter).read_bytes()
        message.add_attachment(sound, maintype="audio", subtype="wav", filename=name)
        return message

    def _later(self, letter: Letter) -> None:
        """Let a letter wait for its next try, or give it up."""
        now = self._clock()
        if now - letter.at > GIVE_UP_SECONDS and letter.tries:
            log.error("letter=%s to=%s given up after %d tries", letter.id, letter.to, letter.tries)
            self._spool.give_up(letter)
            return
        wait = min(FIRST_RETRY_SECONDS * 2 ** min(letter.tries, 10), LAST_RETRY_SECONDS)
        try:
            self._spool.replace(replace(letter, tries=letter.tries + 1, next_at=now + wait))
        except SpoolError as error:
            log.error("letter=%s: %s", letter.id, error)

    def _tell(self, trouble: str) -> None:
        """Log a trouble with the server when it begins and when it ends."""
        if trouble and not self._trouble:
            log.error("mail server %s: %s; letters wait", self._mail.host, trouble)
        elif self._trouble and not trouble:
            log.warning("mail server %s works again", self._mail.host)
        self._trouble = trouble


def _who(letter: Letter, language: str) -> str:
    name, number = _plain(letter.name), _plain(letter.number)
    if name and number:
        return f"{name} ({number})"
    return name or number or _HIDDEN[language]


def _plain(text: str) -> str:
    """What somebody else wrote, without what would begin another line."""
    return "".join(character if character.isprintable() else " " for character in text)


def _codes(error: aiosmtplib.SMTPRecipientsRefused | aiosmtplib.SMTPDataError) -> list[int]:
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        return [refused.code for refused in error.recipients]
    return [error.code]
