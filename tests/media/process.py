"""A media process for a test: started, connected to an engine, and ended by closing its socket."""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from media.engine import MediaEvent
from media.engines.python import PythonEngine
from media.engines.reel import Reel

REPOSITORY = Path(__file__).resolve().parents[2]


def port_range(pairs: int = 100) -> tuple[int, int]:
    """Return a range of ports that tests running beside this one don't use."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
    first = 22000 + 400 * worker
    return first, first + 2 * pairs - 1


class MediaProcess:
    """The process and its engine. events: all that the engine told, in order.

    lasting: the process outlives its engine, and another one may `connect`. reel: of a recorder's tape.
    """

    def __init__(
        self,
        prompts: Path,
        *,
        addresses: tuple[str, ...] = ("127.0.0.1",),
        pairs: int = 100,
        silence_seconds: float = 10.0,
        lasting: bool = False,
        plane: str = "auto",
        reserved_pairs: int = 0,
        reel: Reel | None = None,
    ) -> None:
        self.events: list[MediaEvent] = []
        self._arrived = asyncio.Event()
        self._prompts = prompts
        self._addresses = addresses
        self._pairs = pairs
        self._silence_seconds = silence_seconds
        self._plane = plane
        self._reel = reel
        self._listening = socket.socket(socket.AF_UNIX) if lasting else None
        if self._listening is not None:
            self._listening.bind("")  # a free name, unix(7)
            self._listening.listen()
        self.process, ours = self.spawn()
        self.engine = PythonEngine(ours, addresses, self._take, reserved_pairs=reserved_pairs)

    def spawn(self) -> tuple[subprocess.Popen[bytes], socket.socket]:
        """Start a process and return it and our end of its control socket."""
        ours, theirs = socket.socketpair()
        given = ("control", theirs) if self._listening is None else ("listening", self._listening)
        first, last = port_range(self._pairs)
        command = [sys.executable, "-m", "media.engines.relay", f"--{given[0]}={given[1].fileno()}"]
        command += [f"--address={address}" for address in self._addresses]
        command += ["--ports", f"{first}-{last}"]
        command += ["--prompts", str(self._prompts), "--silence-seconds", str(self._silence_seconds)]
        command += ["--plane", self._plane]
        inherited = [given[1].fileno()]
        if self._reel is not None:
            inherited += self._reel.descriptors
            command.append(f"--reel={','.join(map(str, self._reel.descriptors))}")
        with theirs:
            process = subprocess.Popen(command, pass_fds=inherited, cwd=REPOSITORY, stderr=subprocess.PIPE)
        if self._listening is None:
            return process, ours
        ours.close()
        return process, self.connect()

    def connect(self) -> socket.socket:
        """Return a new connection to a lasting process."""
        assert self._listening is not None
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(self._listening.getsockname())
        return connection

    async def until(self, wanted: Callable[[MediaEvent], bool]) -> MediaEvent:
        """Return the first event, past or to come, that is wanted. Raises TimeoutError after 15 s."""
        async with asyncio.timeout(45):
            while True:
                for event in self.events:
                    if wanted(event):
                        return event
                self._arrived.clear()
                await self._arrived.wait()

    def stop(self) -> int:
        """End the process by closing its socket, or a lasting one by a signal; return its exit status."""
        self.engine.close()
        if self._listening is not None:
            self._listening.close()
            self.process.terminate()
        return finish(self.process)

    def _take(self, event: MediaEvent) -> None:
        self.events.append(event)
        self._arrived.set()


def finish(process: subprocess.Popen[bytes]) -> int:
    """Wait for a process that is about to end; return its exit status."""
    try:
        status = process.wait(15)
    finally:
        process.kill()
        assert process.stderr is not None
        process.stderr.close()
    return status
