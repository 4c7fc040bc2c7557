"""Bindings of an address of record, and what one REGISTER does to them (RFC 3261 section 10.3).

Pure values: the caller keeps the bindings, writes them down and answers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sip.core.errors import ParseError, RemoteProtocolError
from sip.core.flow import Flow
from sip.core.grammar import parse_number
from sip.core.gruu import public_gruu, refuse_gruu
from sip.core.message import Request
from sip.core.name_addr import NameAddr
from sip.core.outbound import MAX_FLOWS_OF_ONE_INSTANCE, first_hop_agrees, instance_of, reg_id_of
from sip.core.path import path_of
from sip.core.uri import SipUri, equal

MIN_EXPIRES_SECONDS = 60
MAX_EXPIRES_SECONDS = 7200
DEFAULT_EXPIRES_SECONDS = 3600
MAX_BINDINGS = 10  # for one address of record

_QVALUE = re.compile(r"(?:0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)\Z")


@dataclass(frozen=True, slots=True)
class Binding:
    """Where a device can be reached: its Contact, and the flow that its REGISTER came over.

    expires_at: seconds on the caller's clock. device: the name that it signed in with. behind_nat: its
    Contact or its Via isn't where it came from. path: the proxies to pass, next to us first (RFC 3327).
    instance: the phone's own ID, empty for none; username: whom its digest named, empty where that is the
    device; reg_id: the number of this flow of it, 0 where it isn't one
    of several (RFC 5626 section 4.2).
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
    path: tuple[str, ...] = ()
    instance: str = ""
    reg_id: int = 0
    username: str = ""


class StaleRegister(RemoteProtocolError):
    """CSeq did not increase within a Call-ID (10.3 step 6): answered with 500."""

    def __init__(self) -> None:
        super().__init__(500, "CSeq out of order")


def bind(
    bindings: tuple[Binding, ...],
    register: Request,
    device: str,
    now: float,
    *,
    username: str = "",
    longest_seconds: float = MAX_EXPIRES_SECONDS,
) -> tuple[Binding, ...]:
    """Apply one REGISTER to the bindings of an address of record; returns the bindings that hold after it.

    now: seconds of the clock of `expires_at`; what has expired by then is left out. username: see Binding;
    longest_seconds: what its bindings last at the most.
    Raises RemoteProtocolError: 400 for a malformed Contact or `*` with anything beside it (step 6), 423 with
    Min-Expires for too short a time (step 7), 500 for a stale CSeq, 403 for more than MAX_BINDINGS devices,
    439 where the flow that a phone numbers isn't kept for it, 400 for a SIPS Contact without TLS. What
    changed last stands last.
    RFC 3261 section 10.3 steps 6 to 8; flows: RFC 5626 section 6.
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
    path = path_of(register) if "path" in register.headers else ()
    changed = list(current)
    added: list[Binding] = []
    for contact in contacts:
        seconds = _expires(contact, default)
        uri = SipUri.parse(contact.uri)
        if uri.scheme == "sips" and flow.transport not in {"TLS", "WSS"} and not path:
            raise RemoteProtocolError(400, "A SIPS Contact Needs TLS")  # RFC 5630 section 3.1
        if "gr" in uri.parameters:
            refuse_gruu(uri, register.to.sip_uri)
        instance, reg_id = "", 0
        if "+sip.instance" in contact.parameters:
            instance, reg_id = _flow_number(register, contacts, contact)
        kept = []
        for binding in changed:
            if not _replaces(binding, contact.uri, uri, instance, reg_id):
                kept.append(binding)
            elif binding.call_id == call_id and binding.sequence >= sequence and binding not in added:
                raise StaleRegister
        changed = kept
        if seconds:
            binding = Binding(
                contact.uri,
                call_id,
                sequence,
                now + min(seconds, longest_seconds),
                flow,
                device,
                _q(contact),
                register.get("user-agent")[:128],
                _behind_nat(uri, register),
                path,
                instance,
                reg_id,
                username,
            )
            changed.append(binding)
            added.append(binding)
            if reg_id:
                _drop_oldest_flow(changed, instance)
    if len(changed) > MAX_BINDINGS:
        raise RemoteProtocolError(403, "Too Many Contacts")
    return tuple(changed)


def _flow_number(register: Request, contacts: list[NameAddr], contact: NameAddr) -> tuple[str, int]:
    """The instance ID of a Contact and the number of its flow, 0 where that doesn't count.

    It counts only with an instance ID, and where the first hop keeps flows (RFC 5626 section 6).
    """
    instance = instance_of(contact)
    reg_id = reg_id_of(contact) if instance else 0
    if reg_id and not first_hop_agrees(register):
        return instance, 0
    if reg_id and len(contacts) > 1:
        raise RemoteProtocolError(400, "One Contact With reg-id")
    return instance, reg_id


def _replaces(binding: Binding, text: str, uri: SipUri, instance: str, reg_id: int) -> bool:
    """Whether a Contact names a binding: by the number of its flow, else by an equal URI (10.3 step 7)."""
    if binding.reg_id:
        if instance != binding.instance:
            return False  # RFC 5626 section 6: another phone, which may well have the same private address
        if reg_id:
            return reg_id == binding.reg_id
    return binding.contact == text or equal(SipUri.parse(binding.contact), uri)


def _drop_oldest_flow(bindings: list[Binding], instance: str) -> None:
    flows = [binding for binding in bindings if binding.instance == instance and binding.reg_id]
    if len(flows) > MAX_FLOWS_OF_ONE_INSTANCE:
        bindings.remove(flows[0])


def contact_lines(bindings: tuple[Binding, ...], now: float, *, address_of_record: str = "") -> str:
    """The Contact header lines of the 200 (step 8): every binding with the seconds that it has left.

    address_of_record: where the phone asked for GRUUs, the address that they are made from (RFC 5627 5.3).
    """
    return "".join(
        [
            f"Contact: <{binding.contact}>;expires={max(int(binding.expires_at - now + 0.5), 1)}"
            f"{'' if binding.q == 1.0 else f';q={binding.q:g}'}"
            f"{_instance_parameters(binding, address_of_record) if binding.instance else ''}\r\n"
            for binding in bindings
        ]
    )


def _instance_parameters(binding: Binding, address_of_record: str) -> str:
    text = f';+sip.instance="<{binding.instance}>"'
    if binding.reg_id:
        text += f";reg-id={binding.reg_id}"
    if address_of_record:
        text += f';pub-gruu="{public_gruu(address_of_record, binding.instance)}"'
    return text


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


def _behind_nat(uri: SipUri, register: Request) -> bool:
    """Whether only the flow of its REGISTER reaches a phone: its Contact isn't the address that it came from.

    A phone that has learnt the NAT's address puts it in its Contact, but not in its Via (RFC 3581 section 4).
    """
    flow = register.flow
    assert flow is not None
    source = flow.remote[0]
    return uri.host.strip("[]") != source or register.via.host.strip("[]") != source
