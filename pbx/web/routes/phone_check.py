"""What would keep telephones from their settings, looked at when somebody asks: the LAN above all."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from pbx.accounts.actor import Actor
from pbx.phones.doctor import phones_findings
from pbx.web.access import may
from pbx.web.node import TheNode
from pbx.web.problems import Problem

router = APIRouter(prefix="/phones", tags=["phones"])


class FindingShown(BaseModel):
    """One thing that is to be mended, or to be known. code: a word that stays the same."""

    code: str = Field(examples=["other_server"])
    severity: Literal["error", "warning", "note"]
    message: str
    hint: str = Field(description="The mend.")


class Checked(BaseModel):
    """What was found; nothing where all is well."""

    items: list[FindingShown]
    next: str = ""


@router.post("/check", summary="Look at what the LAN hands out to telephones")
async def check(node: TheNode, actor: Annotated[Actor, may("devices.change")]) -> Checked:
    """Ask as a telephone would, for a few seconds, and take nothing: as `beffroi doctor` does."""
    configuration = node.configuration
    if not configuration.provisioning.https:
        mend = "add `provisioning: {https: …}` to the configuration"
        raise Problem(409, "not_configured", "telephones get no settings from this node", mend=mend)
    plan, now = node.plan(), datetime.fromtimestamp(node.clock(), UTC)
    await node.audit.enter(node.clock(), "phone.check", actor)
    found = await asyncio.to_thread(lambda: list(phones_findings(configuration, plan, now, running=True)))
    return Checked(
        items=[
            FindingShown(code=one.code, severity=one.severity, message=one.message, hint=one.hint)
            for one in found
        ]
    )
