"""What can go wrong in SIP: our own mistakes apart from the remote party's."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sip.core.message import Request


class SipError(Exception):
    """Anything that this package raises."""


class LocalProtocolError(SipError):
    """We asked for something that the protocol doesn't allow: a bug of ours."""


class RemoteProtocolError(SipError):
    """The remote party broke the protocol; `status` and `reason` are the answer to give."""

    def __init__(self, status: int, reason: str, headers: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(f"{status} {reason}")
        self.status = status
        self.reason = reason
        self.headers = headers


class ParseError(RemoteProtocolError):
    """Bytes that aren't SIP.

    line and column count from 1; 0 where a structured value was read apart from its message.
    request: what could be read of a malformed request, so that it can be answered; None when nothing could.
    """

    def __init__(
        self, problem: str, line: int = 0, column: int = 0, status: int = 400, request: Request | None = None
    ) -> None:
        super().__init__(status, problem)
        self.problem = problem
        self.line = line
        self.column = column
        self.request = request

    def __str__(self) -> str:
        where = f"line {self.line}: " if self.line else ""
        return f"{where}{self.problem}"
