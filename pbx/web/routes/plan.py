"""The numbering plan: what is in force, and a new one checked, tested, explained, compared, put in force.

Whoever may change the plan sees its text whole. Whoever may read it sees a mask for each password that its
`users:` hold (pbx.plans.masking); what else there is about it, both see.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request

from pbx.accounts.actor import Actor
from pbx.control import ListSettings, SettingsInForce
from pbx.plans.history import HistoryError
from pbx.web.access import may
from pbx.web.heavy import heavy
from pbx.web.large_bodies import describes, large_body
from pbx.web.node import Node, TheNode
from pbx.web.plan_desk import PlanDesk, people_of
from pbx.web.plan_shapes import (
    Applied,
    ApplyPlan,
    Checked,
    ComparePlans,
    Comparison,
    ExplainPlan,
    Explanation,
    HistoryEntry,
    HistoryPage,
    PlanShown,
    PlanText,
    RollBack,
    Tested,
    VersionText,
)
from pbx.web.problems import Problem

router = APIRouter(prefix="/plan", tags=["plan"])

Reader = Annotated[Actor, may("plan.read")]
Changer = Annotated[Actor, may("plan.change")]
VersionInPath = Annotated[str, Path(pattern=r"^[0-9a-f]{12}$")]


@router.get("", summary="The plan in force")
async def plan(node: TheNode, actor: Reader) -> PlanShown:
    """Return the text in force, its version, and who put it in force when and why."""
    desk = await desk_of(node)
    return await heavy(lambda: desk.shown(whole=actor.may("plan.change")))


@router.post("/check", summary="What is wrong with a plan", openapi_extra=describes(PlanText))
async def check(node: TheNode, request: Request, _: Reader) -> Checked:
    """Check a text as if it were to be in force; it isn't kept."""
    asked = await large_body(request, PlanText)
    desk = await desk_of(node)
    return await heavy(lambda: desk.checked(asked.text))


@router.post("/test", summary="Run the tests that a plan carries", openapi_extra=describes(PlanText))
async def test(node: TheNode, request: Request, _: Reader) -> Tested:
    """Run the plan's own tests; an empty text is the plan in force."""
    asked = await large_body(request, PlanText)
    desk = await desk_of(node)
    return await heavy(lambda: desk.tested(asked.text))


@router.post("/explain", summary="Why a call goes where it goes", openapi_extra=describes(ExplainPlan))
async def explain(node: TheNode, request: Request, _: Reader) -> Explanation:
    """Say which rules are looked at, each with its line. The plan in force is asked as it is now: with the
    forwards and the closings that were set by hand."""
    asked = await large_body(request, ExplainPlan)
    kept: SettingsInForce | None = None
    if not asked.text:
        answer = await node.ask(ListSettings())
        assert isinstance(answer, SettingsInForce)
        kept = answer
    desk = await desk_of(node)
    return await heavy(lambda: desk.explained(asked, kept))


@router.post("/diff", summary="What changes, and for whom", openapi_extra=describes(ComparePlans))
async def diff(node: TheNode, request: Request, _: Reader) -> Comparison:
    """Compare a text, or a version, with the plan in force, or with another version."""
    asked = await large_body(request, ComparePlans)
    desk = await desk_of(node)
    return await heavy(lambda: desk.compared(asked.text, asked.version, asked.against))


@router.put("", summary="Put a plan in force", openapi_extra=describes(ApplyPlan))
async def apply(node: TheNode, request: Request, actor: Changer) -> Applied:
    """Check a plan and put it in force; calls in progress keep the former one."""
    asked = await large_body(request, ApplyPlan)
    return await put_in_force(node, actor, asked.text, asked.expected, asked.reason, "plan.apply")


@router.post("/rollback", summary="Put a former plan in force again")
async def rollback(node: TheNode, asked: RollBack, actor: Changer) -> Applied:
    """Put an older version in force, with the same checks as a new one; it is entered in its turn."""
    desk = await desk_of(node)
    kept = await heavy(lambda: desk.version_text(asked.version, whole=True))
    reason = asked.reason or f"rollback to {asked.version}"
    return await put_in_force(node, actor, kept.text, asked.expected, reason, "plan.rollback")


@router.get("/history", summary="The plans that were put in force")
async def history(
    node: TheNode,
    _: Reader,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    after: Annotated[str, Query(pattern=r"^[0-9]{0,9}$")] = "",
) -> HistoryPage:
    """List them, the newest first."""
    desk = await desk_of(node)

    def page() -> HistoryPage:
        entries = desk.entries()
        try:
            kept = set(desk.history.versions())
        except HistoryError as error:
            raise Problem(503, "plan_history", str(error)) from None
        end = min(int(after), len(entries)) if after else len(entries)
        begin = max(end - limit, 0)
        items = [
            HistoryEntry(
                at=one.at,
                version=one.version,
                previous=one.previous,
                author=one.author,
                reason=one.reason,
                kept=one.version in kept,
            )
            for one in reversed(entries[begin:end])
        ]
        return HistoryPage(items=items, next=str(begin) if begin else "")

    return await heavy(page)


@router.get("/history/{version}", summary="The text of a version")
async def version(node: TheNode, version: VersionInPath, actor: Reader) -> VersionText:
    """Return the text of a version that was in force."""
    desk = await desk_of(node)
    return await heavy(lambda: desk.version_text(version, whole=actor.may("plan.change")))


async def desk_of(node: Node) -> PlanDesk:
    """Return the desk for one request. Raises Problem where the people can't be read."""
    return PlanDesk(node.configuration, await people_of(node), node.clock)


async def put_in_force(
    node: Node, actor: Actor, text: str, expected: str, reason: str, what: str, **about: str
) -> Applied:
    """Put a plan in force for a route, and enter it in the audit journal. Raises Problem."""
    desk = await desk_of(node)
    applied = await heavy(lambda: desk.applied(text, expected, reason, actor))
    await node.audit.enter(
        applied.at, what, actor, version=applied.version, previous=applied.previous, reason=reason, **about
    )
    return applied
