"""A service that an app of one's own answers (`pbx.own_apps`): its caller is never left in silence."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Generator
from contextlib import suppress
from typing import Any

from dialplan.plan import Destination, Service
from media.engine import MediaRefused, MediaUnavailable
from pbx.calls.attendant import Attendant
from pbx.calls.call import Call
from pbx.own_apps import Caller, Gone

log = logging.getLogger(__name__)

LONGEST_SECONDS = 600
HELD_UP_SECONDS = 0.05  # longer than this at once, and other calls notice
FAILED = {
    "fr": "Ce service ne fonctionne pas pour le moment.",
    "en": "This service isn't working at the moment.",
}


async def own(call: Call, service: Service) -> None:
    """Let the app answer; where it fails, the caller is told so and goes on as the plan says."""
    attendant = Attendant(call)
    why = await _run(attendant, service)
    if not why:
        if call.caller.ended_at is None:
            attendant.hang_up("completed")
        return
    log.error("call=%s service=%s app failed: %s", call.id, service.name, why)
    await attendant.answer()
    await attendant.say(FAILED)
    otherwise = service.settings.get("otherwise")
    if isinstance(otherwise, Destination):
        await attendant.connect(otherwise, f"app {service.name}, otherwise")
    attendant.hang_up("app failed")


async def _run(attendant: Attendant, service: Service) -> str:
    """Run the app to its end; returns why it failed, "" where it didn't."""
    call, file = attendant.call, service.settings["file"]
    seconds = service.settings.get("seconds", LONGEST_SECONDS)
    assert isinstance(file, str)
    assert isinstance(seconds, int)
    program = call.exchange.own_apps.get(file)
    if program is None:
        return f"{file} isn't loaded"
    timer = asyncio.timeout(seconds)
    try:
        async with timer:
            await _Watched(program(Caller(attendant, service)), service.name)
    except Gone as gone:
        raise gone.ended from None
    except (MediaRefused, MediaUnavailable):
        raise
    except Exception:  # a person wrote it: whatever it raises is logged, and the caller is sent on
        if timer.expired():
            return f"it took longer than {seconds} s"
        log.exception("call=%s service=%s", call.id, service.name)
        return f"{file} raised"
    if call.caller.ended_at is None and not call.caller.confirmed:
        return f"{file} ended without an answer"
    return ""


class _Watched:
    """A coroutine whose steps are timed: between two of them every other call waits."""

    def __init__(self, work: Coroutine[Any, Any, None], name: str) -> None:
        self._work = work
        self._name = name

    def __await__(self) -> Generator[Any, Any, None]:
        thrown: BaseException | None = None
        try:
            while True:
                try:
                    waits_for = self._step(thrown)
                except StopIteration:
                    return
                try:
                    yield waits_for
                    thrown = None
                except BaseException as error:  # noqa: BLE001 (it is the coroutine's)
                    thrown = error
        finally:
            with suppress(RuntimeError):  # it refuses to end
                self._work.close()

    def _step(self, thrown: BaseException | None) -> Any:
        now = asyncio.get_running_loop().time
        began = now()
        try:
            return self._work.send(None) if thrown is None else self._work.throw(thrown)
        finally:
            held_up = now() - began
            if held_up > HELD_UP_SECONDS:
                log.warning("service=%s app held up all calls for %.2f s", self._name, held_up)
