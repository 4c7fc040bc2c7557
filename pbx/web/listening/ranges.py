"""Which bytes of something a browser asks for: one range (RFC 9110 section 14.2), or all."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from pbx.web.problems import Problem

_RANGE: Final = re.compile(r"bytes=([0-9]{0,15})-([0-9]{0,15})")


class Span(NamedTuple):
    """Bytes from `first` to `end`, excluded. is_part: asked for as a range."""

    first: int
    end: int
    is_part: bool


def span_of(header: str, size: int) -> Span:
    """Return what a Range header asks of so many bytes.

    What isn't understood, and several ranges at once, may be answered with everything. Raises Problem (416)
    for a range that lies behind the end.
    """
    asked = _RANGE.fullmatch(header.strip())
    if asked is None or asked.groups() == ("", ""):
        return Span(0, size, is_part=False)
    begin, last = asked.groups()
    if not begin:  # RFC 9110 section 14.1.2: the last so many bytes
        first, end = max(0, size - int(last)), size
    else:
        first, end = int(begin), min(size, int(last) + 1 if last else size)
        if last and int(last) < first:
            return Span(0, size, is_part=False)
    if first >= end:
        # RFC 9110 section 15.5.17: a 416 says how much there is.
        headers = {"Content-Range": f"bytes */{size}"}
        raise Problem(416, "range_not_there", f"there are {size} bytes", headers=headers)
    return Span(first, end, is_part=True)
