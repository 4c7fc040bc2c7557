"""SIPp 3.6.1 (Debian's `sip-tester`) playing one side of a scenario from `scenarios/`.

A scenario's fields: [field0] the user, [field1] what it dials, [field2] its answer to a challenge,
[field3] and so on
what else a test has to say.

Quirks of 3.6.1: no TLS and no SHA-256; `[next_url]` breaks on a Contact with a display name, so the
scenarios read the peer's Contact by a regular expression; branches are named in the scenarios, since
`[branch-7]` changes its meaning whenever a line is added; `-auth_uri` holds for a whole run, which therefore
dials one number; of two challenges it takes the first, and ends when that is SHA-256.
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

_DONE_SECONDS = 60.0
_READY_SECONDS = 45.0


@dataclass(frozen=True)
class Account:
    """Who a scenario's call is from, or who registers."""

    user: str
    password: str


class Sipp:
    """One run of a scenario inside `async with`: one call for each account, all from one port to one number.

    Leaving the block waits for the scenario's end and raises PeerError unless every call went as written.
    """

    def __init__(
        self,
        namespace: Namespace,
        folder: Path,
        scenario: str,
        server: str,
        accounts: Sequence[Account],
        transport: str = "udp",
        dialled: str = "",
        port: int = 5060,
        more: str = "",
    ) -> None:
        self._namespace = namespace
        self._port = port
        self._log = folder / f"sipp-{scenario}-{namespace.address}-{transport}-{port}.log"
        messages = self._log.with_suffix(".messages.log")
        self._errors = self._log.with_suffix(".errors.log")
        fields = self._log.with_suffix(".csv")
        lines = (
            f"{account.user};{dialled};"
            f"[authentication username={account.user} password={account.password}];{more}\n"
            for account in accounts
        )
        fields.write_text("SEQUENTIAL\n" + "".join(lines))
        # RFC 7616 section 3.4: the digest's uri is the Request-URI; SIPp would write host and port alone.
        digest_uri = f"{dialled}@{server}" if dialled else server
        self._command = [
            *("sipp", f"{server}:5060", "-sf", SCENARIOS / f"{scenario}.xml"),
            *("-inf", fields, "-auth_uri", digest_uri),
            *("-m", str(len(accounts)), "-r", "10", "-i", str(namespace.address), "-p", str(port)),
            *("-t", "u1" if transport == "udp" else "t1", "-nostdin"),
            # Without a wait for stragglers (33 s otherwise) after a call that went wrong.
            *("-timeout", f"{_DONE_SECONDS:g}", "-timeout_error", "-deadcall_wait", "0"),
            *("-trace_msg", "-message_file", messages, "-trace_err", "-error_file", self._errors),
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

    async def done(self) -> None:
        """Wait until the scenario ended; PeerError with what was said unless every call went as written."""
        try:
            async with deadline("SIPp to end", _DONE_SECONDS + 5):
                status = await self._process.wait()
        finally:
            await self._end()
        if status != 0:
            raise PeerError(f"SIPp ended with status {status}\n{end_of(self._errors)}")

    async def _listens(self) -> bool:
        # A scenario of one exchange can be over before we look.
        return self._process.returncode is not None or self._namespace.listens(self._port)

    async def _end(self) -> None:
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()


async def register(
    namespace: Namespace, folder: Path, server: str, accounts: Sequence[Account], transport: str = "udp"
) -> None:
    """Register each account at this namespace's address, port 5060, through one digest challenge."""
    async with Sipp(namespace, folder, "register", server, accounts, transport):
        pass
