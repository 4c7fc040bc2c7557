"""Requests that carry a whole plan: longer than others may be, and read by a route that knows it."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from pbx.web.problems import Problem, invalid

MOST_BYTES = 32 * 1024 * 1024
"""16 million characters, and what JSON adds to them."""

Body = TypeVar("Body", bound=BaseModel)


async def large_body(request: Request, kind: type[Body]) -> Body:
    """Return the request's JSON body. Raises Problem: 413 for one that is too long, 422 for a wrong one."""
    request.scope.setdefault("state", {})["most_body_bytes"] = MOST_BYTES
    content = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content != "application/json":
        raise Problem(415, "not_json", "the body must be application/json", where="content-type")
    data = await request.body()
    try:
        return kind.model_validate_json(data)
    except ValidationError as error:
        found = [{**one, "loc": ("body", *one["loc"])} for one in error.errors(include_url=False)]
        raise invalid(found) from None


def describes(kind: type[BaseModel]) -> dict[str, Any]:
    """Return what the OpenAPI document says of such a body (`openapi_extra`)."""
    schema = kind.model_json_schema(ref_template="#/components/schemas/{model}")
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}
