"""A decision in words: each rule that was looked at with its plan line, then where the call goes."""

from __future__ import annotations

from pathlib import PurePath

from dialplan.decision import Decision, Reject, Target, ToFeature, ToPerson, ToService, ToTrunks
from dialplan.plan import Plan


def explain(plan: Plan, decision: Decision) -> list[str]:
    """Lines of text: one for each step, aligned, `built in` where no line of the plan decided; the last
    one says where the call goes and what is shown."""
    name = PurePath(plan.path).name
    places = [f"{name}:{step.line}" if step.line else "built in" for step in decision.trace]
    place_width = max(map(len, places), default=0)
    rule_width = max((len(step.rule) for step in decision.trace), default=0)
    lines = [
        f"{place:<{place_width}}  {step.rule:<{rule_width}}  {step.outcome}"
        for place, step in zip(places, decision.trace, strict=True)
    ]
    return [*lines, f"=> {describe(decision.target)}{_shown(decision)}"]


def describe(target: Target) -> str:
    """Where a call goes, in a few words."""
    match target:
        case ToPerson(extension, name, in_turns):
            return f"user {extension} ({name}{', in turns' if in_turns else ''})"
        case ToService(name, kind, number):
            return f"service {name} ({kind}{', ' + number if number else ''})"
        case ToFeature("mailbox", extension):
            return f"the mailbox of {extension}"
        case ToFeature(name, argument):
            return f"feature {name}{' ' + argument if argument else ''}"
        case ToTrunks(number, trunks, emergency):
            by = ", then ".join(trunks) or "no trunk"
            return f"{'emergency ' if emergency else ''}{number} by {by}"
        case Reject(reason, status, _):
            return f"refused: {reason} ({status})"


def _shown(decision: Decision) -> str:
    if isinstance(decision.target, ToTrunks):
        return f", showing {decision.caller_id}" if decision.caller_id else ", showing no number of ours"
    return ""
