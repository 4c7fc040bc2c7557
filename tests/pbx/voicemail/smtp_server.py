"""A mail server for tests: takes letters over SMTP (RFC 5321) on loopback, or refuses as it was told."""

from __future__ import annotations

import asyncio
import email
import email.policy
from contextlib import suppress
from email.message import EmailMessage
from typing import Self


class SmtpServer:
    """letters: what it has taken; answers: what it says to a verb, or to one command, instead of its usual
    answer; taken: set when it has one.
    """

    def __init__(self) -> None:
        self.letters: list[EmailMessage] = []
        self.recipients: list[str] = []
        self.answers: dict[str, str] = {}
        self.said: list[str] = []
        self.port = 0
        self.taken = asyncio.Event()
        self._clients: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=1 << 24)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._server.wait_closed()
        if self._clients:  # who has handed over a letter still takes its leave
            await asyncio.wait(self._clients)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = asyncio.current_task()
        assert client is not None
        self._clients.add(client)
        try:
            await self._talk(reader, writer)
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
            self._clients.discard(client)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 test ESMTP\r\n")
        while line := (await reader.readline()).decode():
            verb = line.split(":")[0].split()[0].upper()
            self.said.append(line.strip())
            answer = self.answers.get(line.strip(), self.answers.get(verb, "250 fine"))
            if verb == "EHLO" and verb not in self.answers:
                answer = "250-test\r\n250 AUTH PLAIN"
            elif verb == "AUTH" and verb not in self.answers:
                answer = "235 welcome"
            elif verb == "RCPT" and answer.startswith("250"):
                self.recipients.append(line.partition("<")[2].partition(">")[0])
            elif verb == "DATA" and verb not in self.answers:
                writer.write(b"354 go on\r\n")
                data = await reader.readuntil(b"\r\n.\r\n")
                answer = self.answers.get(".", "250 taken")
                if answer.startswith("250"):
                    body = data[:-3].replace(b"\r\n..", b"\r\n.")
                    letter = email.message_from_bytes(body, policy=email.policy.default)
                    assert isinstance(letter, EmailMessage)
                    self.letters.append(letter)
                    self.taken.set()
            if answer == "hang up":
                break
            writer.write(f"{answer}\r\n".encode())
            if verb == "QUIT":
                break
