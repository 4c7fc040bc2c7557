"""The control socket: what the command line asks of a running node, one JSON line each way.

It is a Unix socket in the data directory, which only the node's own user can open.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec

from pbx.defence.bans import Ban

MAX_LINE_BYTES = 1 << 20
ANSWER_SECONDS = 30.0


class NotRunningError(Exception):
    """No node answers on this data directory's control socket."""


class Status(msgspec.Struct, frozen=True, tag=True):
    """Ask for the counters."""


class ReloadPlan(msgspec.Struct, frozen=True, tag=True):
    """Ask to put the plan and the directory, as they are on disk now, in force."""


class ListBans(msgspec.Struct, frozen=True, tag=True):
    """Ask which sources are banned."""


class AddBan(msgspec.Struct, frozen=True, tag=True):
    """Ask for a ban of a source (an address, or an IPv6 /64) for some seconds."""

    source: str
    why: str
    seconds: float


class RemoveBan(msgspec.Struct, frozen=True, tag=True):
    """Ask to lift a source's ban."""

    source: str


class ListTrunks(msgspec.Struct, frozen=True, tag=True):
    """Ask how the trunks are."""


class Counters(msgspec.Struct, frozen=True, tag=True):
    """The answer to Status."""

    counters: dict[str, int]
    plan_version: str


class Reloaded(msgspec.Struct, frozen=True, tag=True):
    """The answer to ReloadPlan: the version in force, and what is wrong when it isn't the new one."""

    plan_version: str
    problems: list[str]


class BanList(msgspec.Struct, frozen=True, tag=True):
    """The bans after what was asked. problem: why it wasn't done, empty when it was."""

    bans: list[Ban]
    problem: str = ""


class TrunkStatus(msgspec.Struct, frozen=True):
    """How one trunk is.

    state: `up`, `unknown`, `unregistered`, `down` or `refusing`. registered_until: Unix seconds, None without
    a binding; registration_status: what the registrar refused us with last, None while all is well.
    options_delay_ms: of the last OPTIONS that was answered. servers: in the order of trial.
    """

    name: str
    host: str
    state: str
    registers: bool
    registered_until: float | None
    registration_status: int | None
    channels: int
    emergency_channels: int
    channels_in_use: int
    options_delay_ms: float | None
    servers: list[str]


class TrunkList(msgspec.Struct, frozen=True, tag=True):
    """The answer to ListTrunks, in the plan's order."""

    trunks: list[TrunkStatus]


Question = Status | ReloadPlan | ListBans | AddBan | RemoveBan | ListTrunks
Answer = Counters | Reloaded | BanList | TrunkList

_question = msgspec.json.Decoder(Question)
_answer = msgspec.json.Decoder(Answer)


def control_path(data_dir: Path) -> Path:
    """Where the socket is."""
    return data_dir / "control.sock"


def listen(path: Path) -> socket.socket:
    """A listening control socket, readable by its owner only; one that a dead process left is replaced.

    Raises OSError.
    """
    path.unlink(missing_ok=True)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listening.bind(str(path))
        path.chmod(0o600)
        listening.listen(16)
    except OSError:
        listening.close()
        raise
    return listening


async def serve(listening: socket.socket, answer: Callable[[Question], Awaitable[Answer]]) -> asyncio.Server:
    """Answer questions on a listening socket until the server is closed."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, msgspec.DecodeError, ValueError, asyncio.IncompleteReadError):
            async with asyncio.timeout(ANSWER_SECONDS):
                question = _question.decode(await reader.readuntil(b"\n"))
                writer.write(msgspec.json.encode(await answer(question)) + b"\n")
                await writer.drain()
        writer.close()

    return await asyncio.start_unix_server(connected, sock=listening, limit=MAX_LINE_BYTES)


def ask(data_dir: Path, question: Question) -> Answer:
    """Ask a running node. Raises NotRunningError when nobody answers."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(ANSWER_SECONDS)
        try:
            client.connect(str(control_path(data_dir)))
            client.sendall(msgspec.json.encode(question) + b"\n")
            with client.makefile("rb") as lines:
                line = lines.readline(MAX_LINE_BYTES)
            answer: Answer = _answer.decode(line)
            return answer
        except (OSError, msgspec.DecodeError) as error:
            raise NotRunningError(f"no running node answers in {data_dir}: {error}") from error
