"""A hotline: steps, one after the other, until somebody has the call.

A step rings some members at once, or sends the call on. With `confirm`, whoever answers must press a key.
Every attempt is a call of its own, with its record. A step that raises an alarm is told in the log, and the
call goes on.
"""

from __future__ import annotations

import logging

from dialplan.plan import AlarmStep, RingStep, Service, ToStep
from pbx.apps.announce import announce
from pbx.apps.group import NO_ANSWER, NOBODY, members_of, ring_members
from pbx.calls.call import Call

log = logging.getLogger(__name__)


async def hotline(call: Call, service: Service) -> None:
    """Take the steps until one ends in a conversation."""
    steps = service.settings["steps"]
    assert isinstance(steps, tuple)
    router = call.exchange.router
    for number, step in enumerate(steps, start=1):
        match step:
            case RingStep():
                members = members_of(call.plan, step.members)
                await ring_members(call, service, members, step.seconds, confirm=step.confirm)
            case AlarmStep():
                log.warning("call=%s service=%s alarm=%s isn't built yet", call.id, service.name, step.alarm)
            case ToStep():
                decision = router.decide_onward(call, step.to, f"hotline {service.name}, step {number}")
                call.exchange.redirect(call, decision)
                await router.app_of(decision)(call)
                return
    await announce(call, NOBODY, status=480, cause="no answer", reason=NO_ANSWER)
