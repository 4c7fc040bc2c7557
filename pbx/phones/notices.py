"""Telling desk telephones to fetch their settings: a NOTIFY outside of any dialog, never during a call;
how they are, and letting go of a lost one.

`Event: check-sync` is no subscription of anybody's (RFC 6665 section 3 would ask for one): makers agreed on
it. A telephone that wants to be shown a password first stays as it is, and the log says so.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from pbx.calls.happenings import Failed, LegEnded
from pbx.calls.transferee import Transferee
from pbx.control import AskPhones, DevicesTold, DropBindings, NotifyDevices, PhonesNow
from pbx.emergency import is_protected
from pbx.people.directory import generate_password
from sip.core.dialog import Dialog
from sip.core.digest import Credentials
from sip.core.replaces import Stage
from sip.core.session import NORMAL_CLEARING

if TYPE_CHECKING:
    from pbx.exchange import Exchange
    from sip.core.message import Response
    from sip.core.registrar import Binding

log = logging.getLogger(__name__)

LOST: Final = "telephone lost"
"""Why a leg ended, in the call record."""


class _Notice:
    """One NOTIFY on its way."""

    def __init__(self, device: str) -> None:
        self.device = device

    def response_received(self, response: Response, now: float) -> None:
        """What a telephone says to it."""
        if response.status >= 300:
            log.warning(
                "user=%s doesn't fetch its settings: %s %s", self.device, response.status, response.reason
            )

    def no_response(self, reason: str, now: float) -> None:
        """Nothing came."""
        log.warning("user=%s doesn't fetch its settings: %s", self.device, reason)


def answer_about_notices(
    exchange: Exchange, question: NotifyDevices | DropBindings | AskPhones
) -> DevicesTold | PhonesNow:
    """Tell the devices, or let go of them, and say which; or say how they are."""
    match question:
        case NotifyDevices():
            return _told(exchange, question)
        case DropBindings():
            return _dropped(exchange, question)
        case AskPhones():
            return _now(exchange, question)


def _told(exchange: Exchange, question: NotifyDevices) -> DevicesTold:
    in_calls = {leg.device for leg in exchange.legs()}
    told, busy, away = [], [], []
    for sign_in in question.devices:
        device = exchange.devices.find(sign_in)
        if device is None or not device.bindings:
            away.append(sign_in)
        elif sign_in in in_calls:
            busy.append(sign_in)
        else:
            for binding in device.bindings:
                _notify(exchange, binding, question, exchange.driver.now)
            told.append(sign_in)
    exchange.driver.wake()
    return DevicesTold(told, busy, away)


def _now(exchange: Exchange, question: AskPhones) -> PhonesNow:
    registered = {}
    for sign_in in question.devices:
        device = exchange.devices.find(sign_in)
        if device is not None and device.bindings:
            registered[sign_in] = device.bindings[-1].call_id
    asked = set(question.devices)
    return PhonesNow(registered, sorted({leg.device for leg in exchange.legs()} & asked))


def _dropped(exchange: Exchange, question: DropBindings) -> DevicesTold:
    told: list[str] = []
    away: list[str] = []
    for sign_in in question.devices:
        device = exchange.devices.find(sign_in)
        if device is not None and question.lost:
            # Until the worker has written the directory with the new one, which may take a second.
            device.credentials = Credentials.of(sign_in, exchange.domain, generate_password())
            _end_calls(exchange, sign_in)
        is_there = device is not None and exchange.registrations.remove(device, lambda _: True)
        (told if is_there else away).append(sign_in)
    return DevicesTold(told, away=away)


def _end_calls(exchange: Exchange, sign_in: str) -> None:
    """End what it takes part in, calls for help apart: whoever has found it may need that one."""
    for leg in [leg for leg in exchange.legs() if leg.device == sign_in and not is_protected(leg.call)]:
        rings = leg.stage is Stage.EARLY and not isinstance(leg, Transferee)
        leg.hang_up(LOST)
        leg.call.post(Failed(leg, 480, NORMAL_CLEARING) if rings else LegEnded(leg, NORMAL_CLEARING))


def _notify(exchange: Exchange, binding: Binding, question: NotifyDevices, now: float) -> None:
    stack = exchange.core.stack
    identifiers = stack.identifiers
    own, flow = f"<sip:{exchange.domain}>", exchange.flow_of(binding)
    dialog = Dialog(identifiers.token(), own, identifiers.token(), f"<{binding.contact}>", "", flow)
    dialog.remote_target = binding.contact
    branch = identifiers.branch()
    headers = f"Event: {question.event}\r\nSubscription-State: terminated\r\n"
    data = dialog.request(
        "NOTIFY",
        branch,
        1,
        headers=headers,
        body=question.body.encode(),
        content_type=question.content_type or "text/plain",
    )
    stack.send_request("NOTIFY", branch, data, flow, _Notice(binding.device), now)
