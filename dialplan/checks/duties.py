"""What needs people: two who must agree, enough who can acknowledge, somebody who hears the alarm."""

from __future__ import annotations

from collections.abc import Iterator

from dialplan.checks import absence, finding_at
from dialplan.checks.paths import people_of
from dialplan.finding import Finding, Severity
from dialplan.plan import Plan, Service, Trunk


def check_duties(plan: Plan) -> Iterator[Finding]:
    """Every finding about recordings and alarms."""
    yield from _recordings(plan)
    yield from _alarms(plan)


def _recordings(plan: Plan) -> Iterator[Finding]:
    used = {
        part.record
        for parts in (plan.services, plan.trunks, plan.groups, plan.people)
        for part in parts.values()
    }
    codes = {feature.name for feature in plan.features}
    yield from _asked_of_nobody(plan)
    for policy in plan.recordings.values():
        if policy.name not in used:
            yield finding_at(
                plan, "unused_recording", "note", policy, f"nothing is recorded as {policy.name}"
            )
        if policy.listeners is None:
            message = f"nobody may listen to what is recorded as {policy.name}"
            yield finding_at(plan, "no_listeners", "note", policy, message, "add `listeners:`")
        if policy.start == "asked" and "record_again" not in codes:
            message = f"recordings of {policy.name} begin when somebody asks, and no code does it"
            hint = 'add `record_again: "#38#"` to `features:`'
            yield finding_at(plan, "recording_without_code", "warning", policy, message, hint)
        if policy.may_stop and "record_stop" not in codes:
            message = f"recordings of {policy.name} may be stopped, and no code does it"
            hint = 'add `record_stop: "*38"` to `features:`'
            yield finding_at(plan, "recording_without_code", "warning", policy, message, hint)
        if policy.export != "two_persons" or policy.listeners is None:
            continue
        listeners = people_of(plan, policy.listeners)
        if len(listeners) < 2:
            who = f"only {listeners[0]}" if listeners else "nobody"
            message = f"exports of {policy.name} need two persons, and {who} may listen"
            hint = "give a second person the right to listen, or write `export: one_person`"
            # Two persons are the default: where the plan doesn't ask for them, it is only told.
            severity: Severity = "error" if policy.export_written and plan.people else "note"
            yield finding_at(plan, "two_persons", severity, policy, message, hint)


def _asked_of_nobody(plan: Plan) -> Iterator[Finding]:
    """Whoever asks is a person: services and trunks are recorded always, or never."""
    parts: tuple[Service | Trunk, ...] = (*plan.services.values(), *plan.trunks.values())
    for part in parts:
        if part.record is not None and plan.recordings[part.record].start == "asked":
            message = f"{part.name} is recorded as {part.record}, which begins when a person asks"
            hint = "give it another `recording:`, which has `start: ringing` or `start: answer`"
            yield finding_at(plan, "recording_of_nobody", "error", part, message, hint)


def _alarms(plan: Plan) -> Iterator[Finding]:
    for alarm in plan.alarms.values():
        people = people_of(plan, alarm.call)
        if alarm.acknowledge_needed > len(people):
            needed = alarm.acknowledge_needed
            message = f"alarm {alarm.name} needs {needed} acknowledgements and calls {len(people)}"
            severity: Severity = "error" if plan.people and people else absence(plan)
            yield finding_at(
                plan, "too_few_called", severity, alarm, message, "call more people, or need fewer"
            )
        of_recordings = any(policy.alarm == alarm.name for policy in plan.recordings.values())
        if not (alarm.dial or alarm.webhook or alarm.mqtt or of_recordings or _is_a_step(plan, alarm.name)):
            message = f"nothing raises alarm {alarm.name}"
            hint = "add `triggers: [{dial: …}]`, or a step of a hotline"
            yield finding_at(plan, "alarm_without_trigger", "warning", alarm, message, hint)


def _is_a_step(plan: Plan, alarm: str) -> bool:
    return any(
        getattr(step, "alarm", "") == alarm
        for service in plan.services.values()
        for setting in service.settings.values()
        if isinstance(setting, tuple)
        for step in setting
    )
