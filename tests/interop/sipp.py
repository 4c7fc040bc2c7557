"""SIPp 3.6.1 (Debian's `sip-tester`) playing one side of a scenario from `scenarios/`.

A scenario's fields: [field0] the user, [field1] what it dials, [field2] its answer to a challenge.

Quirks of 3.6.1: no TLS and no SHA-256; `[next_url]` breaks on a Contact with a display name, so the
scenarios read the peer's Contact by a regular expression; branches are named in the scenarios, since
`[branch-7]` changes its meaning whenever a line is added.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.interop.namespaces import Namespace
from tests.interop.patience import PeerError, deadline, end_of, until

SCENARIOS = Path(__file__).parent / "scenarios"

_DONE_SECONDS = 30.0
_READY_SECONDS = 10.0


@dataclass(frozen=True)
class Row:
    """One call of a scenario: who makes it, to whom, with which password."""

    user: str
    password: str
    dialled: str = ""

    def line(self) -> str:
        answer = f"[authentication username={self.user} password={self.password}]"
        return f"{self.user};{self.dialled};{answer}\n"


class Sipp:
    """One run of a scenario inside `async with`, one call for each row, all from one port.

    Leaving the block waits for the scenario's end and raises PeerError unless every call went as written.
    """

    def __init__(
        self,
        namespace: Namespace,
        folder: Path,
        scenario: str,
        server: str,
        rows: Sequence[Row],
        transport: str = "udp",
        port: int = 5060,
    ) -> None:
        self._namespace = namespace
        self._port = port
        self._log = folder / f"sipp-{scenario}-{namespace.address}-{port}.log"
        self._messages = self._log.with_suffix(".messages")
        self._errors = self._log.with_suffix(".errors")
        fields = self._log.with_suffix(".csv")
        fields.write_text("SEQUENTIAL\n" + "".join(row.line() for row in rows))
        self._transport = transport
        self._command = [
            *("sipp", f"{server}:5060", "-sf", SCENARIOS / f"{scenario}.xml", "-inf", fields),
            *("-m", str(len(rows)), "-r", "10", "-i", str(namespace.address), "-p", str(port)),
            *(
                "-t",
                "u1" if transport == "udp" else "t1",
                "-nostdin",
                "-nd",
                "-timeout",
                f"{_DONE_SECONDS:g}",
            ),
            *("-trace_msg", "-message_file", self._messages, "-trace_err", "-error_file", self._errors),
        ]

    async def __aenter__(self) -> Self:
        if shutil.which("sipp") is None:
            raise PeerError("SIPp isn't installed: apt-get install sip-tester")
        self._process = await self._namespace.start(self._command, self._log)
        try:
            await until(self._listens, f"SIPp on port {self._port}", _READY_SECONDS)
        except BaseException:
            await self._end()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            await self.done()
        else:
            await self._end()
            error.add_note(self._told())

    async def done(self) -> None:
        """Wait until the scenario ended; PeerError with what was said unless every call went as written."""
        try:
            async with deadline("SIPp to end", _DONE_SECONDS + 5):
                status = await self._process.wait()
        except PeerError as error:
            error.add_note(self._told())
            raise
        finally:
            await self._end()
        if status != 0:
            raise PeerError(f"SIPp ended with status {status}\n{self._told()}")

    def received(self) -> str:
        """Every message sent and received so far, as SIPp traced them."""
        return self._messages.read_text(errors="replace") if self._messages.exists() else ""

    async def _listens(self) -> bool:
        # A scenario of one exchange can be over before we look.
        return self._process.returncode is not None or self._namespace.listens(self._port)

    async def _end(self) -> None:
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()

    def _told(self) -> str:
        return "\n".join([end_of(self._errors), end_of(self._messages, 120)])


async def register(
    namespace: Namespace,
    folder: Path,
    server: str,
    rows: Sequence[Row],
    transport: str = "udp",
    port: int = 5060,
) -> None:
    """Register each row's user at this namespace's address and port, through one digest challenge."""
    async with Sipp(namespace, folder, "register", server, rows, transport, port):
        pass
