"""The History-Info header: every target that a request was sent to, and why it went on (RFC 7044)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote as percent

from sip.core.errors import ParseError
from sip.core.grammar import quote
from sip.core.message import Request
from sip.core.name_addr import NameAddr
from sip.core.reason import Reason, parse_reasons
from sip.core.uri import SipUri, unescape

MAX_ENTRIES = 20  # of a request: further ones aren't read
_INDEX = re.compile(r"[0-9]{1,4}(?:\.[0-9]{1,4}){0,15}\Z")


@dataclass(frozen=True, slots=True)
class Entry:
    """One target. index: its place in the tree (RFC 7044 section 10.3), such as `1.1`.

    reason: why the request left this target for another; None for the last one.
    private: not for the callee's eyes. caused_by: `rc`, `mp` or `np` with the index that it came from, empty
    where it isn't said (RFC 7044 section 10.4).
    """

    uri: str
    index: str
    name: str = ""
    reason: Reason | None = None
    private: bool = False
    caused_by: str = ""

    @property
    def header(self) -> str:
        """The header line with its CRLF."""
        headers = []
        if self.reason is not None:
            value = self.reason.header.removeprefix("Reason: ").rstrip()
            headers.append(f"Reason={percent(value, safe='')}")  # RFC 7044 section 10.2
        if self.private:
            headers.append("Privacy=history")  # RFC 7044 section 10.1.1
        uri = f"{self.uri}?{'&'.join(headers)}" if headers else self.uri
        address = f"{quote(self.name)} <{uri}>" if self.name else f"<{uri}>"
        cause = f";{self.caused_by}" if self.caused_by else ""
        return f"History-Info: {address};index={self.index}{cause}\r\n"


def history_of(request: Request) -> list[Entry]:
    """The targets so far in their order, MAX_ENTRIES at most.

    A malformed header counts as absent: it only informs, and no call is lost for it.
    """
    if "history-info" not in request.headers:
        return []
    try:
        return [_parse(value) for value in request.values("history-info")[:MAX_ENTRIES]]
    except ParseError:
        return []


def next_index(entries: list[Entry]) -> str:
    """The index of the target that comes after the last entry (RFC 7044 section 10.3)."""
    return f"{entries[-1].index}.1" if entries else "1"


def retargets(entries: list[Entry]) -> int:
    """How often somebody forwarded the call: what bounds a loop of forwards.

    Entries that a proxy only routed (`np`) don't count (RFC 7044 section 10.4).
    """
    return sum(1 for entry in entries[1:] if not entry.caused_by.startswith("np"))


def _parse(value: str) -> Entry:
    address = NameAddr.parse(value)
    index = address.parameters.get("index", "")
    if not _INDEX.match(index):
        raise ParseError(f"malformed index in History-Info {value[:80]!r}")
    reason, private, uri = None, False, address.uri
    if "?" in uri:
        uri, _, embedded = uri.partition("?")
        for piece in embedded.split("&")[:8]:
            name, _, text = piece.partition("=")
            name, text = unescape(name).lower(), unescape(text)
            if name == "reason":
                reason = next(iter(parse_reasons([text])), None)
            elif name == "privacy":
                private = "none" not in text.lower()
    if not uri.lower().startswith("tel:"):
        SipUri.parse(uri)
    cause = next((name for name in ("rc", "mp", "np") if name in address.parameters), "")
    if cause and (origin := address.parameters[cause]):
        cause = f"{cause}={origin}" if _INDEX.match(origin) else cause
    return Entry(uri, index, address.display[:128], reason, private, cause)
