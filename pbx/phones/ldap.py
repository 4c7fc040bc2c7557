"""The directory's server: LDAPS, and LDAP in clear where that is configured.

Each connection has a time to say who it is, a time between two requests, and a room for answers that aren't
read; there are only so many, and so many of one address. What was bound is looked at again while it goes on:
a telephone that is blocked finds nothing any more.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import socket
import ssl
from collections import Counter as Counts
from collections.abc import Awaitable, Callable
from typing import Final

from pbx.phones.limits import Limits
from pbx.tasks import Tasks
from provisioning.ldap.answers import Result
from provisioning.ldap.ber import BerError
from provisioning.ldap.book import Book, Viewer
from provisioning.ldap.conversation import Conversation
from provisioning.ldap.requests import MOST_MESSAGE, Abandon, Bind, Request, Search, Unbind

log = logging.getLogger(__name__)

MOST_CONNECTIONS: Final = 4_000
MOST_OF_ADDRESS: Final = 16
HANDSHAKE_SECONDS: Final = 10.0
FIRST_SECONDS: Final = 15.0
IDLE_SECONDS: Final = 180.0
SEND_SECONDS: Final = 10.0
JUDGED_SECONDS: Final = 30.0
SENT_TOGETHER: Final = 16_384
"""Octets of what is found: less waits for the next slice, or the end."""

_TELEPHONE: Final = re.compile(r"cn=([0-9a-f]{12}|app-[a-z0-9]{1,40}),ou=phones,(.+)", re.IGNORECASE)

Judge = Callable[[str, str], Awaitable[Viewer | None]]
"""(a telephone's name, its password) -> who looks, None where that is wrong. Raises
DatabaseUnavailableError.
"""


class Unjudged(Exception):
    """Nobody can say now whether a password is right."""


class LdapServer:
    """Answers on sockets that are bound. book: that of now. is_voice: whether an address may ask in clear.
    clock: monotonic seconds.
    """

    def __init__(
        self,
        book: Callable[[], Book],
        judge: Judge,
        limits: Limits,
        tasks: Tasks,
        is_voice: Callable[[str], bool],
        clock: Callable[[], float],
    ) -> None:
        self.book = book
        self.clock = clock
        self.judge = judge
        self.limits = limits
        self._tasks = tasks
        self._is_voice = is_voice
        self._of: Counts[str] = Counts()
        self._servers: list[asyncio.Server] = []

    async def listen(self, bound: socket.socket, tls: ssl.SSLContext | None) -> None:
        """Accept connections from now on. tls: None in clear."""
        server = await asyncio.start_server(
            self._accept if tls is not None else self._accept_in_clear,
            sock=bound,
            ssl=tls,
            limit=MOST_MESSAGE,
            ssl_handshake_timeout=HANDSHAKE_SECONDS if tls is not None else None,
        )
        self._servers.append(server)

    def close(self) -> None:
        """Take no more connections; those that are there end with their tasks."""
        for server in self._servers:
            server.close()

    def _accept_in_clear(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_voice(_address(writer)):
            self._accept(reader, writer)
        else:
            writer.transport.abort()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        address = _address(writer)
        if len(self._tasks) >= MOST_CONNECTIONS or self._of[address] >= MOST_OF_ADDRESS:
            writer.transport.abort()
            return
        self._of[address] += 1
        self._tasks.start(self._serve(reader, writer, address), "directory")

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, address: str) -> None:
        try:
            await _Client(self, reader, writer, address).run()
        except (OSError, asyncio.IncompleteReadError):  # a TimeoutError is an OSError
            pass
        finally:
            self._of[address] -= 1
            if not self._of[address]:
                del self._of[address]
            if writer.transport.get_write_buffer_size():
                writer.transport.abort()  # it doesn't read what it asked for
            else:
                writer.close()


def _address(writer: asyncio.StreamWriter) -> str:
    peer = writer.get_extra_info("peername") or ("",)  # it has left already
    return str(peer[0]).removeprefix("::ffff:")


class _Client:
    """One connection."""

    def __init__(
        self, server: LdapServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, address: str
    ) -> None:
        self._server = server
        self._reader = reader
        self._writer = writer
        self._address = address
        self._conversation = Conversation()
        self._bind: Bind | None = None
        self._judged_at = 0.0
        self._ahead: list[Request | None] = []
        """What came while a search went on: one at the most."""

    async def run(self) -> None:
        """Answer until either side leaves. Raises OSError."""
        conversation = self._conversation
        while not conversation.is_over:
            seconds = IDLE_SECONDS if conversation.is_bound else FIRST_SECONDS
            try:
                async with asyncio.timeout(seconds):
                    request = self._ahead.pop() if self._ahead else await self._next()
                if request is None:
                    return
                if not self._server.limits.takes(self._address, proves=conversation.is_bound):
                    await self._send(conversation.refused(Result.BUSY, "too many requests: wait a minute"))
                    return
                await self._answer(request)
            except BerError as error:
                log.info("directory from=%s: %s", self._address, error)
                self._server.limits.refused(self._address)
                await self._send(conversation.refused())
                return

    async def _next(self) -> Request | None:
        """The next request; None when the client has left. Raises BerError.

        Whoever is cancelled here loses nothing: what came is taken together.
        """
        request = self._conversation.next_request()
        while request is None:
            octets = await self._reader.read(MOST_MESSAGE)
            if not octets:
                return None
            request = self._conversation.next_request(octets)
        return request

    async def _answer(self, request: Request) -> None:
        """Answer one request. Raises OSError; BerError for what comes meanwhile."""
        conversation = self._conversation
        try:
            if isinstance(request, Bind):
                said = conversation.without_judge(request) or conversation.judged(
                    request, await self._judged(request)
                )
                await self._send(said)
                return
            if isinstance(request, Search):
                if conversation.is_bound:
                    await self._judge_again()
                await self._search(request)
                return
        except Unjudged:
            await self._send(conversation.refused(Result.UNAVAILABLE, "try again in a moment"))
            return
        await self._send(*conversation.answer(request))

    async def _search(self, search: Search) -> None:
        """Send what is found, slice by slice: others have their turn in between, and who asked as well."""
        clock, began = self._server.clock, self._server.clock()
        found = b""
        for turn, said in enumerate(self._conversation.search(search, self._server.book())):
            if turn and await self._is_unwanted(search):
                return
            if search.seconds and clock() - began >= search.seconds:
                found += self._conversation.out_of_time(search)
                break
            found += said
            if len(found) >= SENT_TOGETHER:
                await self._send(found)
                found = b""
        await self._send(found)

    async def _is_unwanted(self, search: Search) -> bool:
        """Let others have their turn; whether who asked has said meanwhile that the rest isn't wanted.

        Raises BerError.
        """
        if self._ahead:
            await asyncio.sleep(0)
        else:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.0):
                    self._ahead.append(await self._next())
        match self._ahead:
            case [Abandon(whose)]:
                return whose == search.id
            case [Unbind() | None]:
                return True
        return False

    async def _judged(self, bind: Bind) -> Viewer | None:
        """Who has bound; None for a wrong name or password. Raises Unjudged."""
        said = _TELEPHONE.fullmatch(re.sub(r"\s*([,=])\s*", r"\1", bind.name))
        viewer = None
        if said is not None and said[2].lower() == self._server.book().suffix:
            viewer = await self._server.judge(said[1].lower(), bind.password or "")
        if viewer is None:
            self._server.limits.refused(self._address)
            log.info("directory from=%s: wrong name or password", self._address)
        self._bind, self._judged_at = bind, asyncio.get_running_loop().time()
        return viewer

    async def _judge_again(self) -> None:
        now = asyncio.get_running_loop().time()
        if self._bind is not None and now - self._judged_at > JUDGED_SECONDS:
            self._conversation.judged(self._bind, await self._judged(self._bind))

    async def _send(self, *said: bytes) -> None:
        self._writer.write(b"".join(said))
        async with asyncio.timeout(SEND_SECONDS):
            await self._writer.drain()
