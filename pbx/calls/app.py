"""What an app is: a coroutine over a call."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from pbx.calls.call import Call

App = Callable[[Call], Awaitable[None]]
