"""The Diversion header: who a call was for before it was forwarded, the last one first (RFC 5806)."""

from __future__ import annotations

from dataclasses import dataclass

from sip.core.errors import ParseError
from sip.core.grammar import TOKEN, parse_number, quote, unquote
from sip.core.message import Request
from sip.core.name_addr import NameAddr

MAX_DIVERSIONS = 10  # further ones aren't read
_MAX_COUNT = 100

# RFC 5806 section 4: what a forward is for; anything else that is a token passes
REASONS = ("unknown", "user-busy", "no-answer", "unavailable", "unconditional", "time-of-day", "deflection")


@dataclass(frozen=True, slots=True)
class Diversion:
    """One forward. uri: whom the call was for; count: how many forwards this entry stands for.

    private: the number isn't for the callee's eyes (`privacy` other than off).
    """

    uri: str
    name: str = ""
    reason: str = "unknown"
    count: int = 1
    private: bool = False

    @property
    def header(self) -> str:
        """The header line with its CRLF."""
        address = f"{quote(self.name)} <{self.uri}>" if self.name else f"<{self.uri}>"
        privacy = "full" if self.private else "off"
        counter = f";counter={self.count}" if self.count > 1 else ""
        return f"Diversion: {address};reason={self.reason}{counter};privacy={privacy}\r\n"


def diversions_of(request: Request) -> list[Diversion]:
    """The forwards before this one, the last first, MAX_DIVERSIONS at most.

    A malformed header counts as absent: it only informs, and no call is lost for it.
    """
    if "diversion" not in request.headers:
        return []
    try:
        return [_parse(value) for value in request.values("diversion")[:MAX_DIVERSIONS]]
    except ParseError:
        return []


def forwards(diversions: list[Diversion]) -> int:
    """How often the call was forwarded: what bounds a loop of forwards (RFC 5806 section 4, counter)."""
    return sum(diversion.count for diversion in diversions)


def _parse(value: str) -> Diversion:
    address = NameAddr.parse(value)
    reason = unquote(address.parameters.get("reason", "unknown")).lower()
    counter = address.parameters.get("counter", "")
    privacy = unquote(address.parameters.get("privacy", "off")).lower()
    return Diversion(
        address.uri,
        address.display[:128],
        reason if TOKEN.fullmatch(reason) and len(reason) <= 32 else "unknown",
        max(parse_number(counter, "counter", _MAX_COUNT), 1) if counter else 1,
        privacy not in {"off", "no"},
    )
