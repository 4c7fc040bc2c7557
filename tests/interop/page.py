"""A page with a telephone in it, run by page_phone.py in a namespace of its own: aiortc over a WebSocket."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from array import array
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from pbx.turn import IceServer
from tests.interop.ear import Ear
from tests.interop.namespaces import Namespace
from tests.interop.patience import PeerError, deadline
from tests.interop.tone import Recording, ToneError

_REPOSITORY = Path(__file__).parents[2]
_ANSWER_SECONDS = 45.0
_RATE_HZ = 8000


class Page(Ear):
    """One page with one account, alive inside `async with`. server, port: of its WebSocket.

    relays: what it may take on its way (`iceServers`); environment: variables that its process has besides.
    Methods raise PeerError when the page says something else than what is waited for, or nothing in time.
    """

    def __init__(
        self,
        namespace: Namespace,
        folder: Path,
        user: str,
        password: str,
        server: str,
        port: int,
        tone_hz: int,
        relays: Sequence[IceServer] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.user = user
        self.tone_hz = tone_hz
        self._namespace = namespace
        self._heard = folder / f"page-{user}.raw"
        self._errors = folder / f"page-{user}.log"
        self._words = (server, str(port), user, password, str(tone_hz), self._heard, json.dumps(relays))
        self._environment = {**os.environ, **(environment or {})}

    async def __aenter__(self) -> Self:
        with self._errors.open("ab") as errors:
            self._process = await asyncio.create_subprocess_exec(
                *self._namespace.command(sys.executable, "-m", "tests.interop.page_phone", *self._words),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
                cwd=_REPOSITORY,
                start_new_session=True,
                env=self._environment,
            )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                self._tell("quit")
                await self._process.communicate()
        except (TimeoutError, ConnectionError):
            self._process.kill()
            await self._process.communicate()

    async def registered(self) -> None:
        """Wait until the registrar has said yes."""
        await self.says("registered")

    async def dial(self, number: str) -> None:
        """Call a number of our domain. What an earlier call brought is forgotten."""
        self._heard.unlink(missing_ok=True)
        self._tell(f"call {number}")

    async def rung(self) -> None:
        """Wait for a call to us."""
        await self.says("ringing")

    async def answer(self) -> None:
        """Accept the call that rings here."""
        self._heard.unlink(missing_ok=True)
        self._tell("answer")
        await self.says("answered")

    async def answered(self) -> None:
        """Wait until our call is answered."""
        await self.says("answered")

    async def hold(self) -> None:
        """Put the call on hold."""
        self._tell("hold")
        await self.says("held")

    async def resume(self) -> None:
        """Take the call up again."""
        self._tell("resume")
        await self.says("resumed")

    async def hang_up(self) -> None:
        """BYE to the call."""
        self._tell("hang up")

    async def closed(self) -> None:
        """Wait for the end of our call."""
        await self.says("ended")

    def recording(self) -> Recording:
        """All that its calls brought. Raises ToneError while there is nothing."""
        try:
            body = self._heard.read_bytes()
        except FileNotFoundError:
            raise ToneError(f"{self.user} received no sound at all") from None
        return Recording(_RATE_HZ, array("h", body[: len(body) // 2 * 2]))

    def _tell(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n".encode())

    async def says(self, wanted: str) -> None:
        """Wait for this line; what else it says meanwhile is passed over, but for a failure."""
        assert self._process.stdout is not None
        async with deadline(f"{self.user} to be {wanted}", _ANSWER_SECONDS):
            while True:
                line = (await self._process.stdout.readline()).decode(errors="replace").strip()
                if line == wanted:
                    return
                if not line or line.startswith("failed"):
                    raise PeerError(f"{self.user} should be {wanted}: {line or 'it is gone'}")
