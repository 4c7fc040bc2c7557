"""Why a call ended: a SIP status or a Q.850 cause, and the Reason header that carries it (RFC 3326)."""

from __future__ import annotations

from dataclasses import dataclass

from sip.core.errors import ParseError
from sip.core.grammar import parse_parameters, quote, split_list, unquote


@dataclass(frozen=True, slots=True)
class Reason:
    """protocol is `SIP` or `Q.850`; cause is its number; text is for people."""

    protocol: str
    cause: int
    text: str = ""

    @property
    def header(self) -> str:
        """The header line with its CRLF."""
        text = f";text={quote(self.text)}" if self.text else ""
        return f"Reason: {self.protocol};cause={self.cause}{text}\r\n"


ANSWERED_ELSEWHERE = Reason("SIP", 200, "Call completed elsewhere")  # RFC 3326 section 2


def parse_reasons(values: list[str]) -> list[Reason]:
    """The readable Reason values of a message; malformed ones are left out, since they only inform."""
    reasons = []
    for line in values[:4]:
        try:
            for value in split_list(line):
                protocol, _, tail = value.partition(";")
                parameters = parse_parameters(f";{tail}" if tail else "")
                cause = parameters.get("cause", "")
                if cause.isdigit() and len(cause) < 4:
                    reasons.append(
                        Reason(protocol.strip(), int(cause), unquote(parameters.get("text", ""))[:200])
                    )
        except ParseError:
            continue
    return reasons
