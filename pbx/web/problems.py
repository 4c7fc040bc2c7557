"""What a request is refused with: a Problem, answered as problem details (RFC 9457).

    {"type": "urn:beffroi:problem:not_found", "title": "Not Found", "status": 404, "code": "not_found",
     "detail": "there is no 4711", "mend": "", "where": "extension", "request": "6f1c…"}

`code` is a word that stays the same, which pages translate; `detail` says what is wrong with this request, in
English; `mend` what to do; `where` which field of the request it is about, "" for all of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import msgspec
from starlette.responses import Response

MEDIA_TYPE = "application/problem+json"
MOST_ERRORS = 20


class Problem(Exception):
    """A request that isn't done.

    headers: that the answer has besides; errors: several, each with its `where` and `detail`.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        mend: str = "",
        where: str = "",
        headers: Mapping[str, str] | None = None,
        errors: Sequence[Mapping[str, str]] = (),
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.mend = mend
        self.where = where
        self.headers = dict(headers or {})
        self.errors = list(errors)


def problem_response(problem: Problem, request: str = "") -> Response:
    """Return the answer that tells a problem. request: its id, as in the log."""
    # RFC 9457 section 3.1: `type` is a URI that stays; the others explain this occurrence.
    told: dict[str, Any] = {
        "type": f"urn:beffroi:problem:{problem.code}",
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "detail": problem.detail,
        "code": problem.code,
        "mend": problem.mend,
        "where": problem.where,
        "request": request,
    }
    if problem.errors:
        told["errors"] = problem.errors[:MOST_ERRORS]
    return Response(msgspec.json.encode(told), problem.status, problem.headers, MEDIA_TYPE)


def invalid(errors: Sequence[Mapping[str, Any]]) -> Problem:
    """The problem of a request that isn't as its route says. errors: as pydantic tells them."""
    found = []
    for error in errors[:MOST_ERRORS]:
        place = ".".join(str(part) for part in error["loc"][1:]) or str(error["loc"][0])
        found.append({"where": place, "detail": str(error["msg"])[:300]})
    first = found[0] if found else {"where": "", "detail": "this request can't be read"}
    detail = f"{first['where']}: {first['detail']}" if first["where"] else first["detail"]
    return Problem(422, "invalid", detail, where=first["where"], errors=found)


_UNHANDLED = {
    404: ("not_found", "there is nothing here"),
    405: ("method_not_allowed", "this can't be done here"),
    408: ("too_slow", "the rest of the request didn't come in time"),
    413: ("too_large", "this request is too large"),
}


def of_status(status: int, detail: str, headers: Mapping[str, str] | None = None) -> Problem:
    """The problem for a status that the framework refuses with."""
    code, words = _UNHANDLED.get(status, (HTTPStatus(status).phrase.lower().replace(" ", "_"), detail))
    return Problem(status, code, words, headers=headers)
