"""Two telephones of one site that send each other their sound, where the plan's `direct_media` lets them.

Offer and answer pass with the telephones' own addresses (RFC 3264), and no packet comes to us:

    1001 ── INVITE, its own address ──> 1002          both in the site's networks, neither behind a NAT,
    1001 <── 200, its own address ──── 1002           with one rule for SRTP: else through us from the start
    1001 <══════════ sound ══════════> 1002

    1001 ── re-INVITE, holds ──> Beffroi ── re-INVITE, our address ──> 1002          from here on through us

Nothing of the kind is done for a call to a service or a trunk, for an emergency, or for whoever comes by a
transfer. A call comes back to us when a party changes anything, asks for an offer, sends a key by INFO (that
one key is lost) or transfers, and stays then: `pbx.calls.broker` tells both. One that nobody can bring back
(no port is left) goes on as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dialplan.decision import ToPerson
from media import sdp
from media.engine import MediaEngine
from media.engines.passthrough import PassthroughEngine
from pbx.calls.srtp import policy_of, secure

if TYPE_CHECKING:
    from media.sdes import Policy
    from pbx.calls.call import Call
    from pbx.calls.leg import Leg
    from sip.core.flow import Flow
    from sip.core.registrar import Binding


def direct_site(call: Call) -> str:
    """The site at whose telephones the caller's offer may be sent as it is; "" for none."""
    plan, caller = call.plan, call.caller
    if not plan.tables.direct_sites or not call.engine.carries or not caller.hears_early:
        return ""
    if type(call.decision.target) is not ToPerson or call.is_emergency or call.confirms:
        return ""
    if caller.behind_nat or caller.device in plan.trunks:
        return ""
    if plan.tables.records and call.exchange.recordings.may_be(call, call.decision.target.extension):
        return ""
    site = plan.tables.networks.find(caller.flow.remote[0])
    policy = policy_of(call, caller.device, caller.flow)
    if policy == "browser":
        return ""  # its place is found by ICE, which a desk phone has none of
    return site if site in plan.tables.direct_sites and _is_there(call, site, policy, call.offer) else ""


def may_be_direct(call: Call, site: str, binding: Binding, flow: Flow, policy: Policy) -> bool:
    """Whether a telephone may get the offer of a caller at this site as it is."""
    caller = call.caller
    return (
        not binding.behind_nat
        and call.plan.tables.networks.find(flow.remote[0]) == site
        and (":" in flow.remote[0]) == (":" in caller.flow.remote[0])
        and policy == policy_of(call, caller.device, caller.flow)
    )


async def go_direct(call: Call, site: str, answered: Leg, body: bytes) -> None:
    """Let the two who agreed on each other's addresses speak.

    Where the answer names another place they speak through us, and whoever answered is still to be offered
    ours. Raises MediaRefused, as `MediaEngine.offer`.
    """
    policy = policy_of(call, answered.device, answered.flow)
    if _is_there(call, site, policy, body):
        await call.engine.delete(call.id)  # what other telephones were offered
        call.engine, call.direct = PassthroughEngine(), True
        return
    caller = call.caller
    secure(call, answered.name, policy)
    answered.proposal = await call.engine.offer(
        call.id,
        caller.name,
        answered.name,
        call.offer,
        nat=caller.behind_nat,
        advertise=answered.media_address,
    )


def come_back(call: Call, legs: tuple[Leg, ...]) -> None:
    """Let the engine carry the call from here on; its legs are to be told."""
    call.engine, call.direct = call.exchange.engine, False
    for leg in legs:
        secure(call, leg.name, policy_of(call, leg.device, leg.flow))


async def stay_away(call: Call, engine: MediaEngine) -> None:
    """It couldn't come back: what the two agreed on holds. engine: the one of before."""
    await call.engine.delete(call.id)
    call.engine, call.direct = engine, True


def _is_there(call: Call, site: str, policy: Policy, body: bytes) -> bool:
    """Whether all sound of a description is at the site, encrypted as the rule wants it."""
    try:
        media = [one for one in sdp.parse(body).media if one.port]
    except sdp.SdpError:
        return False
    find = call.plan.tables.networks.find
    if not any(one.kind == "audio" for one in media) or any(find(one.host) != site for one in media):
        return False
    return policy == "preferred" or all(one.is_secure == (policy == "required") for one in media)
