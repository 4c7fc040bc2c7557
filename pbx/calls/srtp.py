"""Whether a party's sound is encrypted: as the plan says, else where nobody reads along.

    the plan says     the keys (RFC 4568) travel over    the party is told and taken
    required          anything                           SRTP, and refused without
    preferred         anything                           either, and offered both (RFC 8643)
    off               anything                           RTP
    nothing           TLS, WSS                           as `preferred`
    nothing           UDP, TCP, WS                       as `off`
    anything          WS, WSS: a browser's page          WebRTC, with keys of its own (RFC 8827)

The plan says it of a class of people or of a trunk. An emergency call, and the call back after one, isn't
refused for want of SRTP: `required` is `preferred` then, and whoever calls is taken with or without it. Where
the plan says nothing, RFC 4568 section 7 decides: a key in signalling that anybody reads keeps no secret.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sip.core.flow import Flow

if TYPE_CHECKING:
    from media.sdes import Policy
    from pbx.calls.call import Call

SECRET_TRANSPORTS = frozenset({"TLS", "WSS"})
WEB_TRANSPORTS = frozenset({"WS", "WSS"})


def policy_of(call: Call, device: str, flow: Flow) -> Policy:
    """What a party of a call is told and taken. device: its sign-in, or a trunk's name."""
    if flow.transport in WEB_TRANSPORTS and call.exchange.engine.speaks_webrtc:
        return "browser"
    plan = call.plan
    trunk = plan.trunks.get(device)
    said = trunk.srtp if trunk is not None else ""
    if trunk is None and plan.tables.srtp:
        known = call.exchange.devices.find(device)
        said = plan.tables.srtp.get(known.extension, "") if known is not None else ""
    if said == "required" and call.is_emergency:
        return "preferred"
    return said or ("preferred" if flow.transport in SECRET_TRANSPORTS else "off")


def secure(call: Call, leg: str, policy: Policy) -> None:
    """Say it to the engine before the leg's first offer or answer; a stream that was moved keeps its own."""
    if policy != "off" and not call.engine.codec(call.id, leg):
        call.engine.secure(call.id, leg, policy)


def secure_caller(call: Call) -> None:
    """The same for whoever calls, whose offer an emergency call takes as it is."""
    caller = call.caller
    policy = policy_of(call, caller.device, caller.flow)
    secure(call, caller.name, "preferred" if call.is_emergency and policy != "browser" else policy)
