"""What an emergency call does inside: who is told of it, who may be called back, which call gives way."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from dialplan.decision import EmergencyCall, ToService, ToTrunks
from dialplan.plan import Members, Plan
from pbx.calls.happenings import LegEnded
from pbx.events import CallPreempted, EmergencyCallMade
from sip.core.reason import Reason

if TYPE_CHECKING:
    from pbx.calls.call import Call
    from pbx.exchange import Exchange

log = logging.getLogger(__name__)

PREEMPTION = Reason("Q.850", 8, "Preemption")  # RFC 3326: Q.850's own word for a call that gave way
PREEMPTED = "preempted"  # the cause in the record

_NOTICE = {
    "fr": "Appel d'urgence au {number} ({what}) : {who}, {where}.",
    "en": "Emergency call to {number} ({what}) from {who}, {where}.",
}
_ASSUMED = {"fr": "lieu supposé", "en": "place assumed"}
_UNKNOWN = {"fr": "un téléphone inconnu", "en": "an unknown telephone"}
_NO_PLACE = {"fr": "lieu inconnu", "en": "place unknown"}
_MOST_CHARS = 120  # of each part: the whole fits into a datagram


def tell(call: Call, emergency: EmergencyCall) -> None:
    """Tell those of ours whom the plan names, by event, log and a text to their devices. Never raises."""
    exchange, location = call.exchange, emergency.location
    notified = extensions_of(call.plan, emergency.notified)
    log.warning(
        "call=%s emergency number=%s user=%s site=%s place=%s notified=%s",
        call.id,
        emergency.number,
        call.from_number,
        location.site,
        location.source,
        ",".join(notified),
    )
    exchange.events.publish(
        EmergencyCallMade,
        call.id,
        emergency.number,
        call.from_number,
        call.from_name,
        location.site,
        location.source,
        notified,
    )
    if notified:
        text = notice(call.plan, emergency, call.from_number, call.from_name)
        exchange.messages.notify(notified, text)


def notice(plan: Plan, emergency: EmergencyCall, number: str, name: str) -> str:
    """Who calls which number from where, in the plan's language, in one sentence."""
    language = plan.language if plan.language in _NOTICE else "en"
    location = emergency.location
    site = plan.sites.get(location.site)
    # A teleworker's address is no part of the site whose lines carry the call.
    where = [site.title] if site is not None and location.source != "confirmed" else []
    address = location.address
    where += [address[key] for key in ("street", "building", "floor", "room") if address.get(key)]
    city = " ".join(address[key] for key in ("postcode", "city") if address.get(key))
    where += [city] if city else []
    if location.source == "assumed":
        where.append(_ASSUMED[language])
    return _NOTICE[language].format(
        number=emergency.number,
        what=(emergency.names.get(language) or next(iter(emergency.names.values()), ""))[:_MOST_CHARS],
        who=f"{number} {name}".strip()[:_MOST_CHARS] or _UNKNOWN[language],
        where=", ".join(where)[: 2 * _MOST_CHARS] or _NO_PLACE[language],
    )


def extensions_of(plan: Plan, members: Members | None) -> tuple[str, ...]:
    """The people of ours among these members, by extension; numbers outside get no text."""
    if members is None:
        return ()
    found = {number for number in members.numbers if number in plan.people}
    for extension, caller in plan.tables.callers.items():
        if caller.site in members.sites or set(caller.person.groups) & set(members.groups):
            found.add(extension)
    return tuple(sorted(found))


def allow_callback(call: Call, emergency: EmergencyCall, shown: str) -> None:
    """From now on calls to the number shown ring the caller's device."""
    exchange = call.exchange
    device = exchange.devices.find(call.caller.device)
    extension = device.extension if device is not None else None
    exchange.conditions.allow_callback(emergency, shown, call.caller.device, extension)


def make_room(exchange: Exchange, trunk: str, emergency: Call) -> bool:
    """End an ordinary call that has a channel of a trunk, and take its channel; False where there is none.

    A call that still rings before one that speaks, and the youngest before the others: it loses least.
    """
    # A caller for whom others are rung has its channel in its own call alone.
    calls = {leg.call for leg in exchange.legs() if leg.device == trunk and leg.session is not None}
    ordinary = [call for call in calls if not call.cause and not is_protected(call)]
    if not ordinary:
        return False
    victim = min(ordinary, key=lambda call: (call.answered, -call.started_at))
    log.warning("call=%s preempted trunk=%s for=%s", victim.id, trunk, emergency.id)
    victim.cause = PREEMPTED
    exchange.trunks.occupy(trunk)  # one too many, until the other call's app gives its own back
    for leg in [leg for leg in victim.legs if leg.ended_at is None]:
        leg.hang_up(PREEMPTED, PREEMPTION)
        victim.post(LegEnded(leg, PREEMPTION))
    exchange.events.publish(CallPreempted, victim.id, trunk, emergency.id)
    return True


def is_protected(call: Call) -> bool:
    """Whether a call never gives way: for help, a call back after one, or on a line that is recorded."""
    decision = call.decision
    target = decision.target
    if decision.callback is not None or (isinstance(target, ToTrunks) and target.emergency):
        return True
    lines = {call.line, call.to, target.name if isinstance(target, ToService) else ""}
    services = call.plan.services
    return any(services[line].record is not None for line in lines if line in services)
