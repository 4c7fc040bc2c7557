"""Figures for Prometheus: for this machine, or for a token with `node.read`."""

from __future__ import annotations

from typing import Annotated, TypeVar

from fastapi import APIRouter, Request
from starlette.responses import Response

from pbx import control
from pbx.web.access import Guest, May, anybody
from pbx.web.client import is_loopback
from pbx.web.node import Node, TheNode
from pbx.web.problems import Problem

router = APIRouter(tags=["node"])

Found = TypeVar("Found", bound=control.Answer)

_FORWARDED = ("x-forwarded-for", "forwarded", "via")


@router.get("/metrics", summary="Figures for Prometheus", response_class=Response)
async def metrics(request: Request, node: TheNode, guest: Annotated[Guest, anybody()]) -> Response:
    """Return them in its text format."""
    # A proxy on this machine speaks for the whole world, unless the configuration names it.
    is_forwarded = any(name in request.headers for name in _FORWARDED)
    if is_forwarded or not is_loopback(guest.address):
        await May("node.read")(request)
    from pbx.web.measures import CONTENT_TYPE, Measures

    measures = Measures(
        await _told(node, control.Status(), control.Counters),
        await _told(node, control.ListTrunks(), control.TrunkList),
        await _told(node, control.ListQueues(), control.QueueList),
        await _told(node, control.ListDaemons(), control.DaemonList),
        request.app.state.figures,
        node.events,
    )
    return Response(measures.text(), media_type=CONTENT_TYPE)


async def _told(node: Node, question: control.Question, kind: type[Found]) -> Found | None:
    """What signalling says; None while it says nothing, which is a figure too."""
    try:
        answer = await node.ask(question)
    except Problem:
        return None
    return answer if isinstance(answer, kind) else None
