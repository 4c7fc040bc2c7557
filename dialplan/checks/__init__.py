"""What is wrong in a plan beyond one line: each module looks at one matter and yields its findings."""

from __future__ import annotations

from dialplan.finding import Finding, Severity
from dialplan.plan import Placed, Plan


def finding_at(
    plan: Plan, code: str, severity: Severity, part: Placed, message: str, hint: str = ""
) -> Finding:
    """A finding about a part of the plan, at its place."""
    return Finding(code, severity, plan.path, part.line, part.column, message, hint)


def absence(plan: Plan) -> Severity:
    """How bad it is that somebody isn't there: without any people, they are still to come."""
    return "warning" if plan.people else "note"
