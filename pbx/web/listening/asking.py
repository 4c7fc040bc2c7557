"""The recorder, asked for somebody who is signed in: as a listener by their extension, or as who keeps house.

Who they are the session has proved; what they may is the plan's to say, and the recorder's to check.
"""

from __future__ import annotations

from typing import Final, TypeVar

from dialplan.country import OutsideNumber
from pbx.web.node import Node
from pbx.web.problems import Problem
from recording.archive.requests import Refused, Request

Answered = TypeVar("Answered")

_MOST_EXTENSION_DIGITS: Final = 6
_STATUS: Final = {
    "not_a_listener": 403,
    "administrator_only": 403,
    "hold_of_another": 403,
    "not_by_oneself": 403,
    "no_recording": 404,
    "no_request": 404,
    "no_reason": 422,
    "reason_with_number": 422,
    "reason_too_long": 422,
    "bad_cursor": 422,
    "hold_too_long": 422,
}
_WHERE: Final = {
    "no_reason": "reason",
    "reason_with_number": "reason",
    "reason_too_long": "reason",
    "bad_cursor": "after",
    "hold_too_long": "until_at",
}


async def asked(node: Node, request: Request, kind: type[Answered]) -> Answered:
    """Return the recorder's answer. Raises Problem: what was refused, with its word; 503 without recorder."""
    answer = await node.recordings(request)
    if isinstance(answer, Refused):
        word = answer.word or "refused"
        raise Problem(_STATUS.get(word, 409), f"recording_{word}", answer.why, where=_WHERE.get(word, ""))
    if not isinstance(answer, kind):
        raise Problem(503, "recorder_away", "the recorder's process answers something else")
    return answer


def whole_number(node: Node, text: str) -> str:
    """Return a number that somebody writes as recordings are found by it: E.164, or an extension; "" for "".

    Raises Problem (422) for what is none.
    """
    digits = text.translate({ord(one): None for one in " .-()/\u00a0\u202f"})
    if not digits or (digits.isascii() and digits.isdecimal() and len(digits) <= _MOST_EXTENSION_DIGITS):
        return digits
    read = node.plan().country.read(digits)
    if not isinstance(read, OutsideNumber):
        detail, mend = f"this is no number: {read.why}", "write +33612345678, 0612345678 or an extension"
        raise Problem(422, "no_number", detail, mend=mend, where="number")
    return read.number
