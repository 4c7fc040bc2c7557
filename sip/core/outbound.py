"""Client-initiated flows: which binding a REGISTER names, and what its answer says (RFC 5626).

A phone that names itself (`+sip.instance`) and numbers its flows (`reg-id`) may hold several at a time, one
through each proxy or network of its own. A flow is replaced by the same phone under the same number alone;
calls take the newest one that works.
"""

from __future__ import annotations

import re

from sip.core.errors import RemoteProtocolError
from sip.core.flow import Flow
from sip.core.grammar import unquote
from sip.core.message import Request
from sip.core.name_addr import NameAddr

MAX_FLOWS_OF_ONE_INSTANCE = 4
# How often a phone shows that it is there (section 4.4): a NAT forgets UDP after 30 s, streams later.
FLOW_TIMER_SECONDS_DATAGRAM = 25
FLOW_TIMER_SECONDS_STREAM = 120
GRACE_SECONDS = 30  # section 5.4: a little more than the Flow-Timer, before a flow counts as failed

_INSTANCE = re.compile(r"<([!#-;=?-\[\]-~]{1,200})>\Z")  # no quote and no backslash: it is written as it is
_REG_ID = re.compile(r"[1-9][0-9]{0,9}\Z")


def instance_of(contact: NameAddr) -> str:
    """The instance ID of a Contact, such as `urn:uuid:…`, in lower case; empty where it has none.

    One that can't be read is as none: the phone is bound by its Contact. RFC 5626 section 4.1.
    """
    text = contact.parameters.get("+sip.instance")
    if text is None:
        return ""
    match = _INSTANCE.match(unquote(text))
    return match[1].lower() if match is not None else ""


def reg_id_of(contact: NameAddr) -> int:
    """The number of the flow, 1 to 2**31 - 1; 0 without one. RFC 5626 section 4.2.

    Raises RemoteProtocolError 400 for another value.
    """
    text = contact.parameters.get("reg-id")
    if text is None:
        return 0
    number = int(text) if _REG_ID.match(text) else 0
    if not 0 < number < 1 << 31:
        raise RemoteProtocolError(400, "Malformed reg-id")
    return number


def first_hop_agrees(register: Request) -> bool:
    """Whether the flow that a phone numbers is kept for it: by us, or by the first proxy on its way.

    False for a phone that doesn't ask for outbound; its reg-id means nothing then. Raises RemoteProtocolError
    439 where the first proxy doesn't keep flows. RFC 5626 section 6.
    """
    if "outbound" not in register.tokens("supported"):
        return False
    if len(register.vias) > 1:
        path = register.values("path")
        # RFC 5626 section 5.1: the proxy next to the phone wrote the last value of Path, with `ob`.
        if not path or "ob" not in NameAddr.parse(path[-1]).sip_uri.parameters:
            raise RemoteProtocolError(439, "First Hop Lacks Outbound Support")
    return True


def silence_seconds(flow: Flow) -> float:
    """How long the phone of a kept flow may say nothing before the flow has failed (RFC 5626 section 5.4)."""
    return float(
        (FLOW_TIMER_SECONDS_STREAM if flow.reliable else FLOW_TIMER_SECONDS_DATAGRAM) + GRACE_SECONDS
    )


def answer_lines(flow: Flow) -> str:
    """The header lines of the 200 to a REGISTER whose flow is kept (RFC 5626 section 6)."""
    seconds = FLOW_TIMER_SECONDS_STREAM if flow.reliable else FLOW_TIMER_SECONDS_DATAGRAM
    return f"Require: outbound\r\nFlow-Timer: {seconds}\r\n"
