"""A group: several people behind one number, rung all at once or one after the other.

`seconds` is how long they ring: all of them together, or each in turn. Then the call goes where the plan
sends such calls (`otherwise`); a group without that says that nobody answers. Members who have paused
(`pbx.apps.pausing`) don't ring.
"""

from __future__ import annotations

from dialplan.decision import ToPerson
from dialplan.plan import Destination, Members, Plan, Service
from pbx.apps.announce import announce
from pbx.calls.call import Call
from pbx.calls.hunt import Hunt
from sip.core.reason import Reason

RING_SECONDS = 30
NOBODY = {"fr": "Personne ne répond.", "en": "Nobody answers."}
NO_ANSWER = Reason("Q.850", 19, "No answer from the user")


async def group(call: Call, service: Service) -> None:
    """Ring the members; who answers has the call."""
    members, strategy = service.settings["members"], service.settings.get("strategy", "all")
    seconds, otherwise = service.settings.get("seconds", RING_SECONDS), service.settings.get("otherwise")
    assert isinstance(members, Members)
    assert isinstance(strategy, str)
    assert isinstance(seconds, int)
    settings = call.exchange.settings
    there = [one for one in members_of(call.plan, members) if settings.paused(one, service.name) is None]
    turns = call.exchange.turns.order(service.name, strategy, there)
    for together in [turns] if strategy == "all" else [[member] for member in turns]:
        await ring_members(call, service, together, seconds)
    router = call.exchange.router
    if isinstance(otherwise, Destination):
        decision = router.decide_onward(call, otherwise, f"group {service.name}, otherwise")
        call.exchange.redirect(call, decision)
        await router.app_of(decision)(call)
        return
    await announce(call, NOBODY, status=480, cause="no answer", reason=NO_ANSWER)


async def ring_members(
    call: Call, service: Service, members: list[str], seconds: float, *, confirm: bool = False
) -> None:
    """Ring some at once; returns when nobody took the call (else LegEnded). None rings herself.

    confirm: who answers must press a key (see `pbx.calls.confirm`).
    """
    hunt, router = Hunt(call, call.next_happening), call.exchange.router
    for member in members:
        if member == call.from_number:
            continue
        if member.startswith("+"):
            outside = Destination("outside", member, service.line, service.column)
            decision = router.decide_onward(call, outside, f"member of {service.name}")
        else:
            decision = call.decision._replace(target=ToPerson(member, ""))
        hunt.ring(decision, confirms=service.name if confirm else "")
    await hunt.wait(seconds)


def members_of(plan: Plan, members: Members) -> list[str]:
    """Extensions and numbers outside: those of groups and sites by number, then the others as listed."""
    named = [
        extension
        for extension, caller in sorted(plan.tables.callers.items())
        if caller.site in members.sites or set(caller.person.groups) & set(members.groups)
    ]
    return [*named, *(number for number in members.numbers if number not in named)]
