"""Debian's rtpengine, started for a test with ports of its own."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from media.engines.ng import encode
from media.engines.reel import Reel
from media.engines.rtpengine import RtpengineEngine

START_ATTEMPTS = 600  # of 50 ms: a busy machine takes several seconds to load it


@dataclass
class RtpengineDaemon:
    """A running daemon. address: of its ng socket; digits: where it tells of keys."""

    process: subprocess.Popen[bytes]
    address: tuple[str, int]
    digits: tuple[str, int]

    @asynccontextmanager
    async def engine(self, prompts: Path, reel: Reel | None = None) -> AsyncIterator[RtpengineEngine]:
        """An engine over this daemon alone, with its own work beside it; no call of its is left behind."""
        engine = RtpengineEngine([self.address], prompts, digits=self.digits, reel=reel)
        await engine.start()
        async with asyncio.TaskGroup() as group:
            serving = group.create_task(engine.serve())
            yield engine
            serving.cancel()
        client = engine.pool.daemons[f"{self.address[0]}:{self.address[1]}"].client
        calls = (await client.ask("list"))["calls"]
        assert isinstance(calls, list)
        for call in calls:
            assert isinstance(call, bytes)
            await client.ask("delete", {"call-id": call, "delete delay": 0})
        engine.close()

    def kill(self) -> None:
        """End it at once, as a power cut would."""
        self.process.kill()
        self.process.wait(15)


@contextmanager
def rtpengine(
    log: Path,
    *,
    hosts: tuple[str, ...] = ("127.0.0.1",),
    pairs: int = 100,
    place: int = 0,
    digits: tuple[str, int] | None = None,
) -> Iterator[RtpengineDaemon]:
    """Run a daemon. log: what it says; place: of this daemon among those that a test runs at once.

    Needs Debian's rtpengine-daemon, which `scripts/setup test` installs.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
    first = 42000 + 2000 * worker + 500 * place
    address = ("127.0.0.1", free_port())
    digits = digits or ("127.0.0.1", free_port())
    command = [
        "rtpengine", "--config-file=none", "--table=-1", f"--listen-ng={address[0]}:{address[1]}",
        "--foreground", "--log-stderr", "--log-level=6", "--num-threads=2",
        f"--port-min={first}", f"--port-max={first + 2 * pairs - 1}",
        f"--dtmf-log-dest={digits[0]}:{digits[1]}", *(f"--interface={host}" for host in hosts),
    ]  # fmt: skip
    with log.open("wb") as written:
        process = subprocess.Popen(command, stdout=written, stderr=written)
    try:
        _until_up(process, address)
        yield RtpengineDaemon(process, address, digits)
    finally:
        process.terminate()
        process.wait(15)


def free_port() -> int:
    """Return a UDP port that nobody uses now."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _until_up(process: subprocess.Popen[bytes], address: tuple[str, int]) -> None:
    ping = b"up " + encode({"command": "ping"})
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.connect(address)
        asking.settimeout(0.5)
        for _ in range(START_ATTEMPTS):
            try:
                asking.send(ping)
                if asking.recv(100).startswith(b"up "):
                    return
            except OSError:
                with suppress(subprocess.TimeoutExpired):  # it is just starting
                    raise AssertionError(f"rtpengine ended with status {process.wait(0.05)}") from None
    raise AssertionError("rtpengine doesn't answer; is rtpengine-daemon installed?")
