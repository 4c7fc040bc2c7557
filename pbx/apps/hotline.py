"""A hotline: steps, one after the other, until somebody has the call.

A step rings some members at once, or whoever is on call by the rota (`pbx.plans.rota`), or sends the call
on. With `confirm`, whoever answers must press a key. Every attempt is a call of its own, with its record, and
a line of the log. A step that raises an alarm is told to whoever listens (`AlarmRaised`), and the call goes
on. A step that finds nobody costs no time.
"""

from __future__ import annotations

import logging

from dialplan.plan import AlarmStep, RingStep, RotaStep, Service, ToStep
from pbx.apps.announce import announce
from pbx.apps.group import NO_ANSWER, NOBODY, members_of, ring_members
from pbx.calls.call import Call
from pbx.events import AlarmRaised

log = logging.getLogger(__name__)


async def hotline(call: Call, service: Service) -> None:
    """Take the steps until one ends in a conversation."""
    steps = service.settings["steps"]
    assert isinstance(steps, tuple)
    exchange = call.exchange
    for number, step in enumerate(steps, start=1):
        match step:
            case RingStep() | RotaStep():
                members = _members(call, step)
                who = ",".join(members) or "nobody"
                log.info("call=%s service=%s step=%d rings=%s", call.id, service.name, number, who)
                await ring_members(call, service, members, step.seconds, confirm=step.confirm)
                log.info("call=%s service=%s step=%d nobody took it", call.id, service.name, number)
            case AlarmStep():
                log.warning("call=%s service=%s alarm=%s raised", call.id, service.name, step.alarm)
                exchange.events.publish(AlarmRaised, step.alarm, call.id, service.name)
            case ToStep():
                decision = exchange.router.decide_onward(
                    call, step.to, f"hotline {service.name}, step {number}"
                )
                exchange.redirect(call, decision)
                await exchange.router.app_of(decision)(call)
                return
    await announce(call, NOBODY, status=480, cause="no answer", reason=NO_ANSWER)


def _members(call: Call, step: RingStep | RotaStep) -> list[str]:
    if isinstance(step, RingStep):
        return members_of(call.plan, step.members)
    return list(call.exchange.rotas.on_call(step.file, call.plan, call.exchange.clock()))
