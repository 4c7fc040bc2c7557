"""What the API is: its description for programs, and a page of it for people."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from pbx.web.access import Guest, anybody
from pbx.web.openapi import STYLE, document, page

router = APIRouter(tags=["reference"])

_HOUR = {"Cache-Control": "max-age=3600"}


def _described(request: Request) -> dict[str, Any]:
    """The document, made once."""
    state = request.app.state
    if not hasattr(state, "described"):
        state.described = document(request.app)
    described: dict[str, Any] = state.described
    return described


@router.get("/openapi.json", summary="The description of this API (OpenAPI 3.1)", include_in_schema=False)
async def openapi_document(request: Request, guest: Annotated[Guest, anybody()]) -> Response:
    """Return it."""
    return Response(msgspec.json.encode(_described(request)), headers=_HOUR, media_type="application/json")


@router.get("/reference", summary="This API, to be read", include_in_schema=False)
async def reference(request: Request, guest: Annotated[Guest, anybody()]) -> Response:
    """Return the page."""
    return Response(page(_described(request)), headers=_HOUR, media_type="text/html")


@router.get("/reference.css", include_in_schema=False)
async def style(guest: Annotated[Guest, anybody()]) -> Response:
    """Return its style."""
    return Response(STYLE, headers=_HOUR, media_type="text/css")
