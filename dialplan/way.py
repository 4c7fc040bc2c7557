"""One call on its way through the plan: what it is, what it shows, and the steps that it leaves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from dialplan.decision import Callback, Decision, Diversion, Facts, Origin, Override, Step, Target, ToTrunks
from dialplan.plan import Plan
from dialplan.recorded import recording_steps
from dialplan.schedule import Opening, opening
from dialplan.tables import Caller


@dataclass(slots=True)
class Way:
    """A call while it is routed.

    caller: whose rights and numbers count: who calls, or who sent the call on; None for nobody of ours.
    caller_id: what is shown so far; original: what the caller showed at first.
    public: the number of ours that was called from outside, "" for none. via: the services passed through;
    recorded_lines: those whose calls are recorded, with the one that answers.
    through: no schedule, forward or do-not-disturb stops it: a call back after an emergency call.
    thorough: rules that don't match leave a step as well.
    """

    plan: Plan
    facts: Facts
    now: datetime
    dialled: str
    site: str
    caller: Caller | None
    caller_id: str | None
    caller_name: str | None
    trace: list[Step]
    thorough: bool
    anonymous: bool = False
    original: str | None = None
    public: str = ""
    via: tuple[str, ...] = ()
    diversions: tuple[Diversion, ...] = ()
    callback: Callback | None = None
    recorded_lines: tuple[str, ...] = ()

    @property
    def through(self) -> bool:
        return self.callback is not None

    def step(self, line: int, rule: str, outcome: str) -> None:
        self.trace.append(Step(line, rule, outcome))

    def opening(self, name: str) -> Opening:
        """Whether a schedule is open. The only way to look at the hour, and it always leaves a step."""
        hours = opening(self.plan.schedules[name], self.now)
        override = self.facts.conditions.schedules.get(name)
        if override is not None and self.now < override.until:
            hours = Opening(override.is_open, by_hand(self.plan, override), hours.line)
        self.trace.append(Step(hours.line, f"schedule {name}", hours.why))
        return hours

    def decide(self, target: Target) -> Decision:
        """The decision, with all that was noted."""
        # Outside, a call that came from there or was sent on shows a number of ours, which needs no hiding.
        replaced = isinstance(target, ToTrunks) and (bool(self.diversions) or self.facts.trunk is not None)
        if self.plan.tables.records_parties:
            self.trace += recording_steps(self.plan, self.facts, target)
        return Decision(
            target,
            self.dialled,
            self.site,
            self.caller_id,
            self.caller_name,
            tuple(self.trace),
            self.anonymous and not replaced,
            self.diversions,
            self.original if replaced else None,
            None,
            self.callback,
            self.recorded_lines,
        )


def by_hand(plan: Plan, override: Override) -> str:
    """What an override does, until when, and who set it."""
    word = "open" if override.is_open else "closed"
    return f"{word} by hand until {override.until:%Y-%m-%d %H:%M %Z}{because(plan, override.origin)}"


def because(plan: Plan, origin: Origin | None) -> str:
    """The end of a sentence that says who set something by hand, and when; "" for what the plan says."""
    if origin is None:
        return ""
    return (
        f", because {origin.by} set it on {origin.at.astimezone(ZoneInfo(plan.timezone)):%Y-%m-%d at %H:%M}"
    )
