"""The ladder of a call, from what really was sent: a column for each party and Beffroi, a row for each
message (RFC 3665 draws calls like this).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from msgspec import Struct

from pbx.messages.segments import Message
from pbx.records import CallRecord, LegRecord

BEFFROI = "Beffroi"
BEFORE_SECONDS, AFTER_SECONDS = (
    40.0,
    45.0,
)  # a challenge before the call's record, a BYE that is repeated after
_LONGEST = 200

_STATUS_LINE = re.compile(r"SIP/2\.0 ([1-6][0-9][0-9]) ?(.*)")
_REQUEST_LINE = re.compile(r"([A-Z]{1,20}) (\S+) SIP/2\.0")
_FULL_NAMES = {
    "c": "content-type",
    "i": "call-id",
    "r": "refer-to",
    "o": "event",
}  # RFC 3261 section 7.3.3, RFC 3515, RFC 6665: those that are looked at here
_REASON_TEXT = re.compile(r'text\s*=\s*"([^"]*)"', re.IGNORECASE)  # RFC 3326
_URI = re.compile(r"<?(?:sips?|tel):([^@;>?\s]+)", re.IGNORECASE)
_HELD = re.compile(rb"^(?:a=(?:sendonly|inactive)|c=IN IP4 0\.0\.0\.0)\s*$", re.MULTILINE)
_CODECS = re.compile(rb"^a=rtpmap:[0-9]+ ([A-Za-z0-9-]{1,30})/", re.MULTILINE)


class Column(Struct, frozen=True):
    """A party: its device or trunk, and the number that it had in the call. Ours is BEFFROI, without one."""

    name: str
    number: str = ""
    is_trunk: bool = False


class Row(Struct, frozen=True):
    """A message. at: Unix seconds; sender, receiver: names of columns; status: 0 for a request.

    method: of the request, also of the one that a response answers. phrase: of a response. has_sdp: it has a
    description, of these codecs. again: the same message was sent before (RFC 3261 section 17). mark: what
    it does to the call: `held`, `resumed`, `transfer`, or "". about: to whom a transfer goes, or why
    something ended (Reason). text: the whole message, without its secrets.
    """

    at: float
    sender: str
    receiver: str
    method: str
    status: int
    phrase: str
    has_sdp: bool
    codecs: tuple[str, ...]
    again: bool
    mark: str
    about: str
    transport: str
    text: str

    @property
    def label(self) -> str:
        """`INVITE (sdp)`, `200 INVITE (sdp)`, `INVITE (sdp) again`."""
        words = f"{self.status} {self.method}" if self.status else self.method
        return f"{words}{' (sdp)' * self.has_sdp}{' again' * self.again}"


class Ladder(Struct, frozen=True):
    """columns: the caller, Beffroi, then the others as they came. is_whole: none is missing for its age.

    Without rows, the messages of the call aren't kept (any more).
    """

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    is_whole: bool


def ladder_of(call: CallRecord, messages: Iterable[Message], kept_since: float) -> Ladder:
    """Draw a call. messages: those with the Call-IDs of its legs, in their order; others are left out.

    kept_since: Unix seconds from which messages are kept.
    """
    columns: dict[str, Column] = {}
    by_call_id: dict[str, str] = {}
    for position, leg in enumerate(call.legs):
        name = name_of(leg)
        columns.setdefault(name, Column(name, leg.number, bool(leg.trunk)))
        if position == 0:
            columns[BEFFROI] = Column(BEFFROI)
        if leg.call_id:
            by_call_id[leg.call_id] = name
    seen: set[tuple[str, bool, bytes]] = set()
    holding: set[str] = set()
    rows = []
    for message in messages:
        text = message.data.decode("utf-8", "replace")
        headers = _headers(text)
        party = by_call_id.get(headers.get("call-id", ""))
        if party is None:
            continue
        key = (party, message.sent, message.data)
        rows.append(_row(message, text, headers, party, again=key in seen, holding=holding))
        seen.add(key)
    is_whole = bool(rows) and kept_since <= rows[0].at
    return Ladder(tuple(columns.values()) or (Column(BEFFROI),), tuple(rows), is_whole)


def name_of(leg: LegRecord) -> str:
    """How a party is called at the top of its column."""
    return leg.device or leg.number or leg.address or "?"


def span_of(call: CallRecord) -> tuple[float, float]:
    """From when to when messages of a call may have crossed, in Unix seconds."""
    return call.started - BEFORE_SECONDS, call.ended + AFTER_SECONDS


def call_ids_of(call: CallRecord) -> tuple[str, ...]:
    """The Call-IDs of a call's dialogs; none for a call of before they were recorded."""
    return tuple(dict.fromkeys(leg.call_id for leg in call.legs if leg.call_id))


def _headers(text: str) -> dict[str, str]:
    """The first value of each header, by its full name in lower case; what can't be read is left out.

    What was blanked has another length than it says, which a strict parser refuses.
    """
    found: dict[str, str] = {}
    name = ""
    for line in text.partition("\r\n\r\n")[0].split("\r\n")[1:]:
        if line[:1] in {" ", "\t"} and name:
            found[name] = f"{found[name]} {line.strip()}"
            continue
        key, colon, value = line.partition(":")
        key = key.strip().lower()
        name = _FULL_NAMES.get(key, key) if colon else ""
        if name and name not in found:
            found[name] = value.strip()
    return found


def _row(
    message: Message, text: str, headers: Mapping[str, str], party: str, *, again: bool, holding: set[str]
) -> Row:
    first = text.lstrip("\r\n").partition("\r\n")[0]
    response, request = _STATUS_LINE.fullmatch(first), _REQUEST_LINE.fullmatch(first)
    if response is not None:
        status, phrase = int(response[1]), response[2]
        method = headers.get("cseq", "").rpartition(" ")[2] or "?"
    else:
        status, phrase, method = 0, "", request[1] if request is not None else "?"
    has_sdp = headers.get("content-type", "").lower().startswith(("application/sdp", "multipart/"))
    body = message.data.partition(b"\r\n\r\n")[2]
    has_sdp = has_sdp and b"m=" in body
    mark, about = "", _reason(headers)
    if method == "REFER" and not status:
        mark, about = "transfer", _number_in(headers.get("refer-to", ""))
    elif has_sdp and method in {"INVITE", "UPDATE"} and not status and not message.sent:
        mark = _hold(party, body, holding)
    codecs = tuple(dict.fromkeys(found.decode() for found in _CODECS.findall(body))) if has_sdp else ()
    return Row(
        at=message.at,
        sender=BEFFROI if message.sent else party,
        receiver=party if message.sent else BEFFROI,
        method=method[:20],
        status=status,
        phrase=phrase[:_LONGEST],
        has_sdp=has_sdp,
        codecs=codecs[:20],
        again=again,
        mark=mark,
        about=about[:_LONGEST],
        transport=message.transport,
        text=text,
    )


def _hold(party: str, body: bytes, holding: set[str]) -> str:
    """Whether an offer of a party holds the other one, or goes on (RFC 3264 section 8.4)."""
    if _HELD.search(body) is not None:
        before = party in holding
        holding.add(party)
        return "" if before else "held"
    if party in holding:
        holding.discard(party)
        return "resumed"
    return ""


def _reason(headers: Mapping[str, str]) -> str:
    value = headers.get("reason", "")
    text = _REASON_TEXT.search(value)
    return text[1] if text is not None else value


def _number_in(address: str) -> str:
    found = _URI.search(address)
    return found[1] if found is not None else ""
