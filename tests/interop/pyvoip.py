"""A phone that is somebody's Python program: pyVoIP 1.6 (PyPI's `pyVoIP`), run by pyvoip_phone.py in a
namespace of its own.

Quirks of 1.6.8: MD5 without qop, over `sip:HOST;transport=UDP` whatever the Request-URI is; the same branch
for the INVITE with credentials as for the one without; it rings a second after the INVITE; it knows G.711's
µ-law alone when it calls, and repeats nothing that is lost.
"""

from __future__ import annotations

import asyncio
import sys
from array import array
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.interop.ear import Ear
from tests.interop.namespaces import Namespace
from tests.interop.patience import PeerError, deadline
from tests.interop.tone import Recording, ToneError

_PROGRAM = Path(__file__).with_name("pyvoip_phone.py")
_ANSWER_SECONDS = 45.0
_RATE_HZ = 8000


class Pyvoip(Ear):
    """One phone with one account, over UDP, alive inside `async with`.

    Methods raise PeerError when the program says something else than what is waited for, or nothing in time.
    """

    def __init__(
        self, namespace: Namespace, folder: Path, user: str, password: str, server: str, tone_hz: int = 440
    ) -> None:
        self.user = user
        self.tone_hz = tone_hz
        self._namespace = namespace
        self._heard = folder / f"pyvoip-{user}.raw"
        self._errors = folder / f"pyvoip-{user}.log"
        self._words = (server, str(namespace.address), user, password, str(tone_hz), self._heard)

    async def __aenter__(self) -> Self:
        with self._errors.open("ab") as errors:
            self._process = await asyncio.create_subprocess_exec(
                *self._namespace.command(sys.executable, _PROGRAM, *self._words),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
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
        """Wait until the registrar has said yes; pyVoIP itself takes a second more to listen."""
        await self._says("registered")
        await asyncio.sleep(1)

    async def dial(self, number: str) -> None:
        """Call a number of our domain."""
        self._tell(f"call {number}")

    async def rung(self) -> None:
        """Wait for a call to us."""
        await self._says("ringing")

    async def answer(self) -> None:
        """Accept the call that rings here."""
        self._tell("answer")
        await self.answered()

    async def answered(self) -> None:
        """Wait until our call is confirmed."""
        await self._says("answered")

    async def hang_up(self) -> None:
        """BYE to the call."""
        self._tell("hang up")

    async def closed(self) -> None:
        """Wait for the end of our call."""
        await self._says("ended")

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

    async def _says(self, wanted: str) -> None:
        assert self._process.stdout is not None
        async with deadline(f"{self.user} to be {wanted}", _ANSWER_SECONDS):
            while True:
                line = (await self._process.stdout.readline()).decode(errors="replace").strip()
                if line == wanted:
                    return
                # pyVoIP prints notes of its own: only our own word for failure counts.
                if not line or line.startswith("failed"):
                    raise PeerError(f"{self.user} should be {wanted}: {line or 'it is gone'}")
