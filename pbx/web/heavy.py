"""Work that takes a second or more: one piece at a time, in a thread, while the web process answers others.

A plan of 10,000 people takes about a second to check. Who comes while others wait is asked to come again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from pbx.web.problems import Problem

MOST_WAITING = 8
_waiting: set[object] = set()
_thread = ThreadPoolExecutor(1, "heavy")

Result = TypeVar("Result")


async def heavy(work: Callable[[], Result]) -> Result:
    """Return what `work` returns. Raises Problem (503) while too much of it waits."""
    if len(_waiting) >= MOST_WAITING:
        detail, mend = "others' plans are being checked", "try again in a moment"
        raise Problem(503, "busy", detail, mend=mend, headers={"Retry-After": "2"})
    turn = object()
    _waiting.add(turn)
    try:
        return await asyncio.get_running_loop().run_in_executor(_thread, work)
    finally:
        _waiting.discard(turn)
