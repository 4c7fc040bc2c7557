"""The TFTP server: pointers for telephones that know nothing else, each transfer on a socket of its own."""

from __future__ import annotations

import asyncio
import logging
import socket
from dataclasses import dataclass
from typing import Final

from pbx.phones.counter import Counter, Wanted
from pbx.phones.limits import Limits
from pbx.store.database import DatabaseUnavailableError
from pbx.tasks import Tasks
from provisioning.tftp import NOT_FOUND, TftpError, Transfer, read_request
from sip.net.addresses import family_of

log = logging.getLogger(__name__)

MOST_TRANSFERS: Final = 200
MOST_OF_ADDRESS: Final = 8
MOST_REQUESTS: Final = 120
"""Of one address in a minute (`pbx.phones.limits`)."""
MOST_DATAGRAM: Final = 1_500
_DRAINED: Final = 64


@dataclass(slots=True)
class Transferring:
    """One transfer, and the task it runs in. is_answered: see `provisioning.tftp.Transfer`."""

    task: asyncio.Task[None]
    is_answered: bool = False


class TftpServer:
    """Answers on one bound socket. host: of that socket, from which transfers are sent too.

    Who is said to ask need not have: where there are too many transfers, the oldest one of which nothing was
    acknowledged makes room, so that requests in other people's names keep no telephone out. For that reason
    refusals count for nobody either: there is nothing to guess here, where everybody gets the same.
    """

    def __init__(self, bound: socket.socket, counter: Counter, limits: Limits, tasks: Tasks) -> None:
        self._bound = bound
        self._counter = counter
        self._limits = limits
        self._tasks = tasks
        self._transfers: dict[tuple[str, int], Transferring] = {}
        bound.setblocking(False)

    def start(self) -> None:
        """Take requests from now on."""
        asyncio.get_running_loop().add_reader(self._bound.fileno(), self._read)

    def stop(self) -> None:
        """Take none any more."""
        asyncio.get_running_loop().remove_reader(self._bound.fileno())

    def _read(self) -> None:
        for _ in range(_DRAINED):
            try:
                datagram, peer = self._bound.recvfrom(MOST_DATAGRAM)
            except (BlockingIOError, ConnectionError):
                return
            # RFC 1350 section 4: a request may come twice; the transfer under way sends again what is lost.
            if peer in self._transfers:
                continue
            if not self._limits.takes(peer[0]):
                if self._limits.is_first_turned_away(peer[0]):
                    self._counter.turned_away(Wanted("tftp", "", peer[0]))
            elif self._has_room(peer[0]):
                self._transfers[peer] = Transferring(self._tasks.start(self._serve(datagram, peer), "tftp"))

    def _has_room(self, address: str) -> bool:
        if sum(1 for host, _ in self._transfers if host == address) >= MOST_OF_ADDRESS:
            return False
        if len(self._transfers) < MOST_TRANSFERS:
            return True
        oldest = next((peer for peer, one in self._transfers.items() if not one.is_answered), None)
        if oldest is not None:
            self._transfers.pop(oldest).task.cancel()
        return oldest is not None

    async def _serve(self, datagram: bytes, peer: tuple[str, int]) -> None:
        own = asyncio.current_task()
        try:
            await self._answer(datagram, peer)
        finally:
            if peer in self._transfers and self._transfers[peer].task is own:
                del self._transfers[peer]

    async def _answer(self, datagram: bytes, peer: tuple[str, int]) -> None:
        host = self._bound.getsockname()[0]
        with socket.socket(family_of(host), socket.SOCK_DGRAM) as own:
            own.setblocking(False)
            own.bind((host, 0))
            try:
                own.connect(peer)
                await self._transfer(own, datagram, peer)
            except TftpError as error:
                own.send(error.packet)
            except OSError as error:
                log.debug("tftp to=%s: %s", peer[0], error.strerror)

    async def _transfer(self, own: socket.socket, datagram: bytes, peer: tuple[str, int]) -> None:
        request = read_request(datagram)
        try:
            answer = await self._counter.hand_out(Wanted("tftp", request.path.lstrip("/"), peer[0]))
        except DatabaseUnavailableError:
            raise TftpError(0, "try again in a moment") from None
        if answer.status != 200:
            raise TftpError(NOT_FOUND, "no such file")
        transfer = Transfer(answer.content, request)
        packet = transfer.first()
        loop = asyncio.get_running_loop()
        while packet and not transfer.done:
            own.send(packet)
            try:
                async with asyncio.timeout(transfer.seconds):
                    packet = b""
                    while not packet and not transfer.done:
                        packet = transfer.receive(await loop.sock_recv(own, MOST_DATAGRAM))
                        self._transfers[peer].is_answered = transfer.is_answered
            except TimeoutError:
                packet = transfer.again()
