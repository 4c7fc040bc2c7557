"""An RTC worker in a process of its own, and signalling's end of its socket."""

import asyncio
import socket
import subprocess
import sys
from pathlib import Path

from media.frames import FrameReader, frame
from media.rtc.protocol import Command, Ready, Report, reports
from tests.media.rtc.desk import udp

REPOSITORY = Path(__file__).resolve().parents[3]


class RtcProcess:
    """The process. `connect` before anything else, in the loop of the test."""

    def __init__(self, *hosts: str) -> None:
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind("")
        self._listening.listen()
        ports = [udp(host) for host in hosts]
        inherited = [self._listening.fileno(), *(port.fileno() for port in ports)]
        command = [sys.executable, "-W", "ignore", "-m", "media.rtc.worker", f"--listening={inherited[0]}"]
        command += [f"--port={descriptor}" for descriptor in inherited[1:]]
        command += [f"--plain={host}" for host in hosts]
        self.process = subprocess.Popen(command, pass_fds=inherited, cwd=REPOSITORY)
        for port in ports:
            port.close()

    async def connect(self) -> Ready:
        """Be signalling from here on; return what the worker says first."""
        name = self._listening.getsockname()
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(name)
        self._reader, self._writer = await asyncio.open_unix_connection(sock=connection)
        self._frames = FrameReader()
        self._heard: list[Report] = []
        ready = await self.next()
        assert isinstance(ready, Ready)
        return ready

    def say(self, *messages: Command) -> None:
        """Say something to the worker."""
        self._writer.write(frame(messages))

    async def next(self) -> Report:
        """The next report. Raises TimeoutError after 10 s."""
        async with asyncio.timeout(45):
            while not self._heard:
                data = await self._reader.read(65_536)
                assert data, "the worker has ended"
                for body in self._frames.receive(data):
                    self._heard += reports(body)
        return self._heard.pop(0)

    async def disconnect(self) -> None:
        """Be signalling no longer."""
        self._writer.close()
        await self._writer.wait_closed()

    def stop(self) -> None:
        """End the process."""
        self._listening.close()
        self.process.terminate()
        self.process.wait(10)
