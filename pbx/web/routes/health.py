"""Whether the node is there: for whoever watches it, or leads requests to one of several."""

from __future__ import annotations

import shutil
from typing import Annotated, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel

from pbx.control import Status
from pbx.store.revision import revision
from pbx.web.access import Guest, anybody
from pbx.web.node import Node, TheNode
from pbx.web.problems import Problem

router = APIRouter(prefix="/health", tags=["health"])

LEAST_FREE_BYTES = 50 << 20


class Health(BaseModel):
    """Whether it is well; what isn't is for those who may know."""

    status: Literal["ok", "failing"]


@router.get("/live", summary="Whether the web process answers")
async def live(guest: Annotated[Guest, anybody()]) -> Health:
    """Answer."""
    return Health(status="ok")


@router.get(
    "/ready",
    summary="Whether calls can be made and everything can be read",
    responses={503: {"model": Health}},
)
async def ready(node: TheNode, guest: Annotated[Guest, anybody()], response: Response) -> Health:
    """Ask signalling, the database and the disk."""
    if await wrong_with(node):
        response.status_code = 503
        return Health(status="failing")
    return Health(status="ok")


async def wrong_with(node: Node) -> dict[str, str]:
    """Return what isn't well, each with why; empty when all is."""
    found: dict[str, str] = {}
    try:
        await node.ask(Status())
    except Problem as problem:
        found["signalling"] = problem.detail
    try:
        await node.read(revision)
    except Problem as problem:
        found["database"] = problem.detail
    free = shutil.disk_usage(node.configuration.data_dir).free
    if free < LEAST_FREE_BYTES:
        found["disk"] = f"{free >> 20} MB are free"
    return found
