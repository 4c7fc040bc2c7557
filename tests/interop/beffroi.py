"""One Beffroi with the sample town, started in the hub as a person would start it: `beffroi serve -c FILE`.

The sample's site networks are those of the namespaces, so a phone at 10.54.3.x is at the police station.
What it says, with every SIP message, goes to `serve.log`; a failed test shows its end. At the end it gets
SIGTERM and must go with status 0 and without leaving a process behind.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

import yaml

from tests.interop.namespaces import Namespace
from tests.interop.patience import PeerError, deadline, until

REPOSITORY = Path(__file__).parents[2]
PLAN = REPOSITORY / "examples" / "valmont.yaml"

OPERATORS = {"operateur-a": "10.54.9.1", "operateur-b": "10.54.9.2"}
"""Where the sample's trunks lead, over UDP: addresses that a test may plug in."""

_START_SECONDS = 60.0
_STOP_SECONDS = 60.0
_COMMAND_SECONDS = 60.0
_IMPORT_SECONDS = 45.0  # the worker takes call records from the journal in batches
_SECRETS = {"OPERATEUR_A_SECRET": "secret-a", "OPERATEUR_B_SECRET": "secret-b", "CONSEIL_PIN": "1234"}


class LegRecord(TypedDict):
    device: str
    address: str
    transport: str
    codec: str | None
    started: str
    answered: str | None
    ended: str | None
    cause: str
    media: str | None


# `from` is a keyword, so this one is written as a call.
CallRecord = TypedDict(
    "CallRecord",
    {
        "id": str,
        "started": str,
        "answered": str | None,
        "ended": str | None,
        "direction": str,
        "from": str,
        "from_name": str,
        "dialled": str,
        "to": str,
        "cause": str,
        "plan_version": str,
        "legs": list[LegRecord],
    },
)


@dataclass
class Beffroi:
    """A running Beffroi, and what its own commands say about it."""

    namespace: Namespace
    configuration: Path
    process: asyncio.subprocess.Process | None = None

    @property
    def address(self) -> str:
        return str(self.namespace.address)

    async def start(self) -> None:
        """Start it and wait for its first answer."""
        words = (_program(), "serve", "-c", self.configuration)
        log = self.configuration.with_name("serve.log")
        self.process = await self.namespace.start(words, log, **_SECRETS)
        await self.answers_options()

    async def stop(self) -> None:
        """SIGTERM: it must end with status 0, with all its processes."""
        assert self.process is not None
        self.process.terminate()
        async with deadline("beffroi serve to end after SIGTERM", _STOP_SECONDS):
            status = await self.process.wait()
        left = self.namespace.processes()
        if status != 0 or left:
            raise PeerError(f"beffroi serve ended with status {status} and left {left or 'nobody'} behind")

    async def kill(self) -> None:
        """End whatever is left of it, without a check."""
        self.namespace.kill_processes()
        if self.process is not None:
            await self.process.wait()

    async def kill_supervisor(self) -> None:
        """`kill -9` the supervisor; its children must end by themselves. Then start it again."""
        assert self.process is not None
        self.process.kill()
        await self.process.wait()

        async def all_gone() -> bool:
            return not self.namespace.processes()

        await until(all_gone, "the children to end without their supervisor", _STOP_SECONDS)
        await self.start()

    async def command(self, *words: str) -> Any:
        """Run an administrative command and return the JSON it prints; PeerError when it fails."""
        process = await asyncio.create_subprocess_exec(
            *self.namespace.command(_program(), *words, "--json", "-c", self.configuration),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=_environment(),
        )
        try:
            async with deadline(f"beffroi {' '.join(words)}", _COMMAND_SECONDS):
                output, errors = await process.communicate()
        except PeerError:
            process.kill()
            await process.communicate()
            raise
        if process.returncode != 0:
            raise PeerError(f"beffroi {' '.join(words)}: {errors.decode(errors='replace')}")
        return json.loads(output)

    async def status(self) -> dict[str, Any]:
        status: dict[str, Any] = await self.command("status")
        return status

    async def process_id(self, role: str) -> int:
        """The process id of the one process with this role; PeerError when there is none, or several."""
        pids = [process["pid"] for process in (await self.status())["processes"] if process["role"] == role]
        if len(pids) != 1:
            raise PeerError(f"{len(pids)} processes with the role {role}")
        return int(pids[0])

    async def call_list(self) -> list[CallRecord]:
        calls: list[CallRecord] = await self.command("call", "list")
        return calls

    async def ended_calls(self, count: int) -> list[CallRecord]:
        """The call records, in order of their start, once `count` calls have ended. More is an error."""

        async def ended() -> list[CallRecord]:
            calls = [call for call in await self.call_list() if call["ended"] is not None]
            return calls if len(calls) >= count else []

        try:
            calls = await until(ended, f"{count} ended calls in the list", _IMPORT_SECONDS)
        except PeerError as error:
            error.add_note(f"listed: {await self.call_list()}")
            raise
        if len(calls) != count:
            raise PeerError(f"{len(calls)} ended calls are listed, not {count}: {calls}")
        return sorted(calls, key=lambda call: call["started"])

    async def kill_signalling(self) -> None:
        """`kill -9` the signalling process, then wait until another one answers in its place."""
        killed = await self.process_id("signalling")
        os.kill(killed, signal.SIGKILL)

        async def another() -> bool:
            try:
                return await self.process_id("signalling") != killed
            except PeerError:  # there is none yet
                return False

        await until(another, "another signalling process", _START_SECONDS)
        await self.answers_options()

    async def answers_options(self) -> None:
        """Wait until it answers OPTIONS from its own machine, over UDP."""
        with self.namespace.socket(socket.SOCK_DGRAM) as asker:
            asker.bind((self.address, 0))
            ask = _options(self.address, asker.getsockname()[1])

            async def answered() -> bool:
                if self.process is not None and self.process.returncode is not None:
                    raise PeerError(f"beffroi serve ended with status {self.process.returncode}")
                # UDP to a port that nobody holds comes back as an error on the next call.
                try:
                    asker.sendto(ask, (self.address, 5060))
                    async with asyncio.timeout(0.2):
                        answer = await asyncio.get_running_loop().sock_recv(asker, 65_536)
                except (TimeoutError, ConnectionError):
                    return False
                return answer.startswith(b"SIP/2.0 200 ")

            await until(answered, "Beffroi to answer OPTIONS", _START_SECONDS)


@asynccontextmanager
async def running(
    hub: Namespace,
    folder: Path,
    more_users: Sequence[dict[str, Any]] = (),
    replaced: Mapping[str, str] | None = None,
) -> AsyncIterator[Beffroi]:
    """Beffroi in the hub for the length of the block, from its first answer to a clean stop.

    more_users: further entries of the sample plan's `users:`; replaced: texts of it, by others.
    """
    beffroi = Beffroi(hub, write_configuration(folder, str(hub.address), more_users, replaced))
    try:
        await beffroi.start()
        yield beffroi
        await beffroi.stop()
    finally:
        await beffroi.kill()


def write_configuration(
    folder: Path,
    address: str,
    more_users: Sequence[dict[str, Any]] = (),
    replaced: Mapping[str, str] | None = None,
) -> Path:
    """Write beffroi.yaml and the sample plan; return the former's path."""
    plan = PLAN.read_text()
    for old, new in (replaced or {}).items():
        assert old in plan, f"the sample plan has no {old}"
        plan = plan.replace(old, new)
    for name, operator in OPERATORS.items():
        plan = plan.replace(f"sip.{name}.example", operator)
    plan = plan.replace("transport: tls", "transport: udp")
    lines = "".join(f"  - {json.dumps(user)}\n" for user in more_users)  # JSON is YAML
    before, users, after = plan.partition("\nusers:")
    first, newline, rest = after.partition("\n")
    (folder / "valmont.yaml").write_text(f"{before}{users}{first}{newline}{lines}{rest}")
    configuration = folder / "beffroi.yaml"
    configuration.write_text(
        yaml.safe_dump(
            {
                "data_dir": "./data",
                "domain": address,
                "plan": "valmont.yaml",
                "sip": {
                    "udp": f"{address}:5060",
                    "tcp": f"{address}:5060",
                    "tls": f"{address}:5061",
                    "ws": [],
                },
                "media": {"address": address, "ports": "20000-20999"},
                "web": [],
                "log": {"sip_trace": True},
            }
        )
    )
    return configuration


def _program() -> Path:
    """The `beffroi` of the environment that runs the tests."""
    program = Path(sys.executable).with_name("beffroi")
    if not program.exists():
        raise PeerError(f"no {program}: install the project in this environment")
    return program


def _environment() -> dict[str, str]:
    return {**os.environ, **_SECRETS}


def _options(address: str, port: int) -> bytes:
    lines = [
        f"OPTIONS sip:{address} SIP/2.0",
        f"Via: SIP/2.0/UDP {address}:{port};rport;branch=z9hG4bK-is-it-there-{port}",
        "Max-Forwards: 70",
        f"From: <sip:tests@{address}>;tag={port}",
        f"To: <sip:{address}>",
        f"Call-ID: is-it-there-{port}@{address}",
        "CSeq: 1 OPTIONS",
        "Content-Length: 0",
        "\r\n",
    ]
    return "\r\n".join(lines).encode()
