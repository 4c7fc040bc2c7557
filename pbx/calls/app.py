"""What an app is: a coroutine over a call; that of a service of the plan also gets its settings."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from dialplan.plan import Service
from pbx.calls.call import Call

App = Callable[[Call], Awaitable[None]]
ServiceApp = Callable[[Call, Service], Awaitable[None]]
