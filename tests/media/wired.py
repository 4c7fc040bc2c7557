"""A media process that a test commands by the messages of the wire, without an engine: legs of any codec."""

import asyncio
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np

from media import frames, rtp
from media.engines import wire
from media.engines.wire import NOT_RELAYED, DigitPath
from media.g711 import Samples
from media.rtp import Packet
from media.sdp import Codec
from tests.media.listener import EVENTS, Speaker
from tests.media.phone import Phone
from tests.media.process import REPOSITORY, finish, port_range

Wanted = TypeVar("Wanted", bound=wire.Report)


class Wired:
    """The process and its control socket. reports: all that it has said."""

    def __init__(self, prompts: Path, plane: str) -> None:
        self.control, theirs = socket.socketpair()
        self.control.setblocking(False)
        first, last = port_range()
        command = [sys.executable, "-m", "media.engines.relay", f"--control={theirs.fileno()}"]
        command += ["--ports", f"{first}-{last}", "--prompts", str(prompts), "--plane", plane]
        with theirs:
            self.process = subprocess.Popen(
                command, pass_fds=[theirs.fileno()], cwd=REPOSITORY, stderr=subprocess.PIPE
            )
        self.reports: list[wire.Report] = []
        self._reader = frames.FrameReader()
        self._ports: list[int] = []
        self._given: list[int] = []
        self._asked = 0

    def say(self, *commands: wire.Command) -> None:
        """Command the process."""
        self.control.setblocking(True)
        self.control.sendall(frames.frame(commands))
        self.control.setblocking(False)

    async def until(self, wanted: Callable[[wire.Report], bool]) -> wire.Report:
        """Return the first report, past or to come, that is wanted. Raises TimeoutError after 15 s."""
        async with asyncio.timeout(45):
            while True:
                for report in self.reports:
                    if wanted(report):
                        return report
                data = await asyncio.get_running_loop().sock_recv(self.control, frames.READ_BYTES)
                assert data, "the media process has ended"
                for body in self._reader.receive(data):
                    self.reports += wire.reports(body)

    async def done(self) -> None:
        """Wait until all that was said is done."""
        self._asked += 1
        number = 1_000_000 + self._asked
        self.say(wire.Query(number, ()))
        await self.until(lambda report: isinstance(report, wire.Statistics) and report.number == number)

    async def port(self) -> int:
        """Return a port of the process that nobody has."""
        if not self._ports:
            self.say(wire.Grow(90))
            ports = await self.until(lambda report: isinstance(report, wire.Ports))
            assert isinstance(ports, wire.Ports)
            self._ports = list(ports.ports)
        self._given.append(self._ports.pop())
        return self._given[-1]

    def close_streams(self) -> None:
        """End all streams; their ports aren't used again."""
        self.say(wire.Close(tuple(self._given)))
        self._given.clear()

    def stop(self) -> int:
        """End the process; return its exit status."""
        self.control.close()
        return finish(self.process)


class Leg:
    """A phone of one codec at a port of the process. events: its number for them, -1 for none."""

    def __init__(self, phone: Phone, port: int, codec: Codec, events: int = -1) -> None:
        self.phone, self.port, self.codec, self.events = phone, port, codec, events
        self.mouth = Speaker(codec, ssrc=port)

    def route(self, peer: "Leg | None" = None, digits: DigitPath = "relay") -> wire.Route:
        """Return what its stream does when it is joined to a peer, or alone."""
        number = self.codec.payload_type
        numbers = {number: number}
        converts: tuple[Codec, ...] = ()
        event_types = (self.events,) if self.events >= 0 else ()
        if self.events >= 0:
            numbers[self.events] = peer.events if peer is not None and peer.events >= 0 else NOT_RELAYED
        if peer is not None and peer.codec.key != self.codec.key:
            numbers = dict.fromkeys(numbers, NOT_RELAYED)
            converts = (self.codec, *(_events(self.events) for _ in event_types))
        elif peer is not None:
            numbers[number] = peer.codec.payload_type
        hears, port = peer.port if peer is not None else 0, self.phone.port
        return wire.Route(
            self.port, hears, "127.0.0.1", port, port + 1,
            False, False, False, numbers, event_types, self.codec.name, number, self.codec.clock_rate,
            self.events, converts=converts, digits=digits,
        )  # fmt: skip

    def say(self, packets: list[Packet]) -> None:
        """Send packets, all at once."""
        for packet in packets:
            self.phone.rtp.sendto(rtp.build(packet), ("127.0.0.1", self.port))

    async def hear(self, count: int) -> list[Packet]:
        """Return the next packets. Raises TimeoutError."""
        return await self.phone.hear(count)

    async def converse(self, sound: Samples, count: int) -> list[Packet]:
        """Say one packet for each that is heard, as a room's clock goes; return what was heard."""
        packets, heard = self.mouth.say(sound), []
        for place in range(count):
            self.say(packets[place : place + 1])
            heard += await self.hear(1)
        return heard


def _events(number: int) -> Codec:
    return Codec(number, EVENTS.name, EVENTS.clock_rate, 1, EVENTS.key)


def silence(leg: Leg, seconds: float) -> Samples:
    """Return nothing to say."""
    return np.zeros(round(leg.mouth.rate * seconds), np.int16)
