"""Bindings of an address of record, and what one REGISTER does to them (RFC 3261 section 10.3).

Pure values: the caller keeps the bindings, writes them down and answers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sip.core.errors import ParseError, RemoteProtocolError
from sip.core.flow import Flow
from sip.core.grammar import parse_number
from sip.core.message import Request
from sip.core.name_addr import NameAddr
from sip.core.uri import SipUri, equal

MIN_EXPIRES_SECONDS = 60
MAX_EXPIRES_SECONDS = 7200
DEFAULT_EXPIRES_SECONDS = 3600
MAX_BINDINGS = 10  # for one address of record

_QVALUE = re.compile(r"(?:0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)\Z")


@dataclass(frozen=True, slots=True)
class Binding:
    """Where a device can be reached: its Contact, and the flow that its REGISTER came over.

    expires_at: seconds on the caller's clock. device: the name that it signed in with.
    """

    contact: str
    call_id: str
    sequence: int
    expires_at: float
    flow: Flow
    device: str
    q: float = 1.0
    user_agent: str = ""
    behind_nat: bool = False


class StaleRegister(RemoteProtocolError):
    """CSeq did not increase within a Call-ID (10.3 step 6): answered with 500."""

    def __init__(self) -> None:
        super().__init__(500, "CSeq out of order")


def bind(bindings: tuple[Binding, ...], register: Request, device: str, now: float) -> tuple[Binding, ...]:
    """Apply one REGISTER to the bindings of an address of record; returns the bindings that hold after it.

    now: seconds of the clock of `expires_at`; what has expired by then is left out.
    Raises RemoteProtocolError: 400 for a malformed Contact or `*` with anything beside it (step 6), 423 with
    Min-Expires for too short a time (step 7), 500 for a stale CSeq, 403 for more than MAX_BINDINGS devices.
    RFC 3261 section 10.3 steps 6 to 8.
    """
    current = tuple(binding for binding in bindings if binding.expires_at > now)
    contacts = register.contacts
    if not contacts:
        return current  # a query
    call_id, sequence = register.call_id, register.cseq[0]
    default = register.expires
    if any(contact.uri == "*" for contact in contacts):
        if len(contacts) != 1 or default != 0:
            raise RemoteProtocolError(400, "Wildcard Contact needs Expires 0")
        if any(binding.call_id == call_id and binding.sequence >= sequence for binding in current):
            raise StaleRegister
        return ()
    flow = register.flow
    assert flow is not None
    changed = list(current)
    added: list[Binding] = []
    for contact in contacts:
        seconds = _expires(contact, default)
        uri = SipUri.parse(contact.uri)
        kept = []
        for binding in changed:
            if not _same_contact(binding.contact, contact.uri, uri):
                kept.append(binding)
            elif binding.call_id == call_id and binding.sequence >= sequence and binding not in added:
                raise StaleRegister
        changed = kept
        if seconds:
            binding = Binding(
                contact.uri,
                call_id,
                sequence,
                now + seconds,
                flow,
                device,
                _q(contact),
                register.get("user-agent")[:128],
                _behind_nat(uri, flow),
            )
            changed.append(binding)
            added.append(binding)
    if len(changed) > MAX_BINDINGS:
        raise RemoteProtocolError(403, "Too Many Contacts")
    return tuple(changed)


def contact_lines(bindings: tuple[Binding, ...], now: float) -> str:
    """The Contact header lines of the 200 (step 8): every binding with the seconds that it has left."""
    return "".join(
        [
            f"Contact: <{binding.contact}>;expires={max(int(binding.expires_at - now + 0.5), 1)}"
            f"{'' if binding.q == 1.0 else f';q={binding.q:g}'}\r\n"
            for binding in bindings
        ]
    )


def _same_contact(known: str, text: str, uri: SipUri) -> bool:
    return known == text or equal(SipUri.parse(known), uri)


def _expires(contact: NameAddr, default: int | None) -> int:
    """Seconds asked for one Contact, within our bounds; 0 removes it."""
    text = contact.parameters.get("expires")
    if text is not None:
        try:
            seconds = parse_number(text, "expires", (1 << 32) - 1)
        except ParseError:
            seconds = DEFAULT_EXPIRES_SECONDS  # 10.2.1.1: malformed values are treated as 3600
    else:
        seconds = DEFAULT_EXPIRES_SECONDS if default is None else default
    if 0 < seconds < MIN_EXPIRES_SECONDS:
        raise RemoteProtocolError(423, "Interval Too Brief", (("Min-Expires", str(MIN_EXPIRES_SECONDS)),))
    return min(seconds, MAX_EXPIRES_SECONDS)


def _q(contact: NameAddr) -> float:
    text = contact.parameters.get("q")
    if text is None:
        return 1.0
    if not _QVALUE.match(text):
        raise ParseError(f"malformed q {text[:20]!r}")
    return float(text)


def _behind_nat(uri: SipUri, flow: Flow) -> bool:
    """Whether the Contact isn't the address that its REGISTER came from: then only the flow reaches it."""
    host = uri.host.strip("[]")
    return host != flow.remote[0]
