"""A workshop, seen from the web process: the program of `recording.export.workshop` at one order.

It is a process of its own, so that what it does takes no time of anybody who asks for a page meanwhile. It
gets one recording's key through a pipe, and ends with this process.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from typing import Final

import msgspec

from recording.export.orders import Entered, Failed, Order, Told, order_line, read_told

log = logging.getLogger(__name__)

MOST_LINE_BYTES: Final = 1 << 24


class Workshop:
    """One program at one order. Made by `begin`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def begin(cls, order: Order, files: Sequence[int] = ()) -> Workshop:
        """Have an order carried out. files: open descriptors that it names. Raises OSError."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            "-m",
            "recording.export.workshop",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=MOST_LINE_BYTES,
            pass_fds=files,
        )
        made = cls(process)
        made._send(order)
        return made

    def answer(self, entered: Entered) -> None:
        """Answer what it has asked."""
        self._send(entered)

    async def told(self) -> AsyncIterator[Told]:
        """Yield what it tells; a Failed is the last where it dies before it has said that all is done."""
        assert self._process.stdout is not None
        while True:
            try:
                line = await self._process.stdout.readline()
                if not line:
                    break
                yield read_told(line)
            except (ValueError, msgspec.DecodeError):
                break
        if await self._process.wait():
            log.error("a workshop ended with %s", self._process.returncode)
            yield Failed("died", "the program that opens recordings has died")

    async def end(self) -> None:
        """Have it end, whatever it is at."""
        with suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()

    def _send(self, line: Order | Entered) -> None:
        assert self._process.stdin is not None
        with suppress(OSError, RuntimeError):  # it has died: `told` says so
            self._process.stdin.write(order_line(line))
