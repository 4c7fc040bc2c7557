"""Queues: skills that nobody has, and extensions that nobody has."""

from __future__ import annotations

from collections.abc import Iterator

from dialplan.checks import absence, finding_at
from dialplan.checks.paths import people_of
from dialplan.document import did_you_mean
from dialplan.finding import Finding
from dialplan.plan import Members, Plan


def check_queues(plan: Plan) -> Iterator[Finding]:
    """Every finding about queues and the skills of their agents."""
    for service in plan.services.values():
        agents = service.settings.get("agents")
        if not isinstance(agents, Members):
            continue
        people = people_of(plan, agents)
        outside = [number for number in people if number.startswith("+")]
        if service.type == "queue" and outside:
            message = f"queue {service.name} never rings {outside[0]}: its agents are telephones here"
            hint = "let `when_nobody:` lead to a group that rings it"
            yield finding_at(plan, "outside_agent", "warning", service, message, hint)
        for name, level in service.needs.items():
            skill = plan.skills.get(name)
            if skill is not None and not any(skill.levels.get(one, 0) >= level for one in people):
                message = f"no agent of {service.name} has skill {name} of level {level}"
                hint = "give it to one of them in `skills:`; until then any agent is rung"
                yield finding_at(plan, "skill_of_nobody", absence(plan), service, message, hint)
    for skill in plan.skills.values():
        for extension in skill.levels:
            if extension not in plan.people:
                message = f"skill {skill.name}: nobody has extension {extension}"
                hint = did_you_mean(extension, plan.people)
                yield finding_at(plan, "nobody_there", absence(plan), skill, message, hint)
