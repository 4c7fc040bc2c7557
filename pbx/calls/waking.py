"""Telephones that a notification wakes: pages that are closed, and may open while a call rings for them.

    a call rings a person ──> WakeWanted ──> the web process pushes to their browsers (pbx.push)
                                                └─ a page opens ──> REGISTER ──> its telephone rings too
    answered, given up, rung in vain ──> WakeOver

Whose browsers can be woken, the web process says. Nobody is woken while it doesn't listen: a call rings no
longer than the telephones that are there. (The idea is that of RFC 8599, without a push parameter in Contact:
the push service of a browser is its page's own, and isn't told to SIP.)
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from pbx.calls.happenings import Declined, TelephoneCame
from pbx.events import WakeOver, WakeWanted

if TYPE_CHECKING:
    from pbx.calls.call import Call
    from pbx.exchange import Exchange
    from pbx.people.devices import Device
    from sip.core.flow import Flow


class Waking:
    """Whose browsers can be woken, and the calls that ring for them now."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._wakeable: frozenset[str] = frozenset()
        self._ringing: dict[str, list[Call]] = {}  # by extension

    def set_wakeable(self, extensions: Collection[str]) -> None:
        """From now on the browsers of these people can be woken, and nobody else's."""
        self._wakeable = frozenset(extensions)

    def can_wake(self, extension: str) -> bool:
        """Whether a notification reaches a browser of somebody's."""
        return extension in self._wakeable and self._exchange.events.heard(WakeWanted)

    def begin(self, call: Call, extension: str) -> None:
        """A call rings for somebody who can be woken: tell it, and wait for telephones that come."""
        self._ringing.setdefault(extension, []).append(call)
        number, name = ("", "") if call.hidden else (call.from_number, call.from_name)
        self._exchange.events.publish(WakeWanted, call.id, extension, number, name, call.line)

    def end(self, call: Call, extension: str, outcome: str) -> None:
        """It rings no more. outcome: of WakeOver."""
        calls = self._ringing.get(extension, [])
        if call in calls:
            calls.remove(call)
            if not calls:
                del self._ringing[extension]
            self._exchange.events.publish(WakeOver, call.id, extension, outcome)

    def registered(self, device: Device, flow: Flow) -> None:
        """A device has registered: calls that ring for its person ring it too, unless they do already."""
        for call in self._ringing.get(device.extension, ()):
            for binding in device.bindings:
                if binding.flow is flow:
                    call.post(TelephoneCame(call.caller, binding))

    def decline(self, call_id: str, extension: str) -> bool:
        """Somebody declines a call that rings for them, by a notification; False where none does."""
        for call in self._ringing.get(extension, ()):
            if call.id == call_id:
                call.post(Declined(call.caller))
                return True
        return False

    @property
    def ringing(self) -> bool:
        """Whether any call rings for somebody who can be woken."""
        return bool(self._ringing)
