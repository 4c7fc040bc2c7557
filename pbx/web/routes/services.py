"""Services of the plan: their numbers, whether each is open now and until when, and who answers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from dialplan.plan import Members, Plan, RingStep, Service
from dialplan.schedule import boundaries, opening
from pbx import control
from pbx.accounts.actor import Actor
from pbx.records import OverrideRecord
from pbx.web.access import may
from pbx.web.node import TheNode

router = APIRouter(prefix="/services", tags=["services"])

MOST_AHEAD = timedelta(days=8)


class ServiceShown(BaseModel):
    """A service. open_now: by hand, by its schedule, or always. until_at: when that changes, 0 for never or
    not within a week. by_hand: who closed or opened it, "" where it is as planned. answered_by: groups, sites
    and numbers. line: of the plan."""

    name: str = Field(examples=["standard"])
    type: str = Field(examples=["queue"])
    number: str = Field(examples=["9"])
    public_number: str = Field(examples=["+33383000100"])
    schedule: str = Field(examples=["bureau"])
    open_now: bool = Field(examples=[True])
    until_at: float = Field(examples=[1795375800.0])
    by_hand: str = Field(examples=[""])
    sent_to: str = Field(description="Where its calls go while it is closed by hand.", examples=[""])
    answered_by: list[str] = Field(examples=[["accueil"]])
    line: int = Field(examples=[112])


class Services(BaseModel):
    """The services, in the plan's order."""

    items: list[ServiceShown]
    next: str = ""


@router.get("", summary="List services")
async def list_services(node: TheNode, actor: Annotated[Actor, may("people.read")]) -> Services:
    """Return them with whether they are open now."""
    plan = node.plan()
    answer = await node.ask(control.ListSettings())
    assert isinstance(answer, control.SettingsInForce)
    set_by_hand = {(one.kind, one.name): one for one in answer.overrides}
    now = datetime.fromtimestamp(node.clock(), UTC)
    items = [_shown(plan, one, set_by_hand, now) for one in plan.services.values()]
    if not actor.may("calls.read"):
        for item in items:  # the mobile of who is on call isn't everybody's
            item.answered_by = [one for one in item.answered_by if not one.startswith("+")]
            item.sent_to = "" if item.sent_to.startswith("+") else item.sent_to
    return Services(items=items)


def _shown(
    plan: Plan, service: Service, set_by_hand: Mapping[tuple[str, str], OverrideRecord], now: datetime
) -> ServiceShown:
    override = set_by_hand.get(("service", service.name)) or (
        set_by_hand.get(("schedule", service.schedule)) if service.schedule else None
    )
    is_open, until_at = (
        (override.is_open, override.until) if override is not None else _planned(plan, service, now)
    )
    return ServiceShown(
        name=service.name,
        type=service.type,
        number=service.number or "",
        public_number=service.public or "",
        schedule=service.schedule or "",
        open_now=is_open,
        until_at=until_at,
        by_hand=override.set_by.by if override is not None else "",
        sent_to=override.to if override is not None else "",
        answered_by=_answered_by(service),
        line=service.line,
    )


def _planned(plan: Plan, service: Service, now: datetime) -> tuple[bool, float]:
    """Whether its schedule is open, and when that changes (Unix seconds, 0 for not soon)."""
    if service.schedule is None:
        return True, 0.0
    schedule = plan.schedules[service.schedule]
    is_open = opening(schedule, now).is_open
    for moment in boundaries(schedule, now):
        if now < moment <= now + MOST_AHEAD and opening(schedule, moment).is_open != is_open:
            return is_open, moment.timestamp()
    return is_open, 0.0


def _answered_by(service: Service) -> list[str]:
    """The groups, sites and numbers that its calls ring, in the plan's order."""
    found: dict[str, None] = {}
    for setting in service.settings.values():
        several = setting if isinstance(setting, tuple) else (setting,)
        for one in several:
            members = one.members if isinstance(one, RingStep) else one
            if isinstance(members, Members):
                found.update(dict.fromkeys((*members.groups, *members.sites, *members.numbers)))
    return list(found)
