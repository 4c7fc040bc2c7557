"""The plan's policies of recording, as the recorder is told of them: listeners by extension."""

from __future__ import annotations

from typing import cast

from dialplan.plan import Plan
from pbx.apps.group import members_of
from recording.live.wire import Export, OnFailure, Policy, Start


def policies_of(plan: Plan) -> tuple[Policy, ...]:
    """All policies of a plan. Whoever listens is known by an extension: numbers outside are nobody."""
    return tuple(
        Policy(
            policy.name,
            policy.legal_basis,
            policy.keep_days,
            tuple(
                one
                for one in (members_of(plan, policy.listeners) if policy.listeners is not None else [])
                if one in plan.people
            ),
            cast(Export, policy.export),
            cast(OnFailure, policy.on_failure),
            cast(Start, policy.start),
            policy.register,
            policy.least_days,
        )
        for policy in plan.recordings.values()
    )
