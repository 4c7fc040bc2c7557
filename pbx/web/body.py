"""A request's body, for routes that take a file and no JSON."""

from __future__ import annotations

from starlette.requests import Request

from pbx.web.problems import Problem


async def whole_body(request: Request, most_bytes: int) -> bytes:
    """Return the body, of at most so many bytes. Raises Problem (413), or the frame does on the way."""
    request.state.most_body_bytes = most_bytes
    body = await request.body()
    if len(body) > most_bytes:  # it had been read before
        raise Problem(413, "too_large", f"at most {most_bytes >> 20} MB are taken")
    return body
