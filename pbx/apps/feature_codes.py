"""Which app a feature code starts, of those that are built."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from functools import partial
from typing import Protocol

from pbx.apps.asking_pin import set_pin
from pbx.apps.calls_taken import switch
from pbx.apps.completing import ask_call_back, cancel_call_back
from pbx.apps.do_not_disturb import do_not_disturb
from pbx.apps.forwarding import set_forward, stop_forward, tell_forwards
from pbx.apps.hot_desk import log_in, log_out
from pbx.apps.intercom import intercom
from pbx.apps.mailbox import listen
from pbx.apps.malicious import trace
from pbx.apps.moving import take_call, to_mobile
from pbx.apps.pausing import pause, pause_service, resume
from pbx.apps.picking_up import nothing_to_pick_up
from pbx.apps.place import confirm_place
from pbx.apps.recorded import record_again, record_stop
from pbx.apps.redial import call_last_caller, redial
from pbx.apps.ringing import set_ring
from pbx.apps.room import conference
from pbx.apps.service_override import override_service
from pbx.apps.voicemail import leave_message
from pbx.calls.call import Call


class CodeApp(Protocol):
    """An app that takes a code's argument as well."""

    def __call__(self, call: Call, /, argument: str) -> Awaitable[None]:
        """Carry the code out; several arguments have `*` between them."""


CODES: Mapping[str, CodeApp] = {
    "pickup": nothing_to_pick_up,
    "pickup_group": nothing_to_pick_up,
    "forward_always": partial(set_forward, when="always"),
    "forward_busy": partial(set_forward, when="busy"),
    "forward_no_answer": partial(set_forward, when="no_answer"),
    "forward_unreachable": partial(set_forward, when="unreachable"),
    "forward_off": partial(stop_forward, when=""),
    "forward_always_off": partial(stop_forward, when="always"),
    "forward_busy_off": partial(stop_forward, when="busy"),
    "forward_no_answer_off": partial(stop_forward, when="no_answer"),
    "forward_unreachable_off": partial(stop_forward, when="unreachable"),
    "forward_status": tell_forwards,
    "mailbox": leave_message,  # no code: where calls that nobody takes go
    "voicemail": listen,
    "do_not_disturb": partial(do_not_disturb, on=True),
    "do_not_disturb_off": partial(do_not_disturb, on=False),
    "anonymous_reject": partial(switch, what="anonymous_rejection", on=True),
    "anonymous_accept": partial(switch, what="anonymous_rejection", on=False),
    "call_waiting": partial(switch, what="call_waiting", on=True),
    "call_waiting_off": partial(switch, what="call_waiting", on=False),
    "login": log_in,
    "logout": log_out,
    "pin": set_pin,
    "address": confirm_place,
    "callback_on_busy": ask_call_back,
    "callback_off": cancel_call_back,
    "conference": conference,
    "intercom": intercom,
    "malicious_call": trace,
    "take_call": take_call,
    "to_mobile": to_mobile,
    "ring_together": partial(set_ring, way="together"),
    "ring_in_turn": partial(set_ring, way="in_turn"),
    "ring_devices": partial(set_ring, way="devices"),
    "record_stop": record_stop,
    "record_again": record_again,
    "redial": redial,
    "last_caller": call_last_caller,
    **{
        name: partial(override_service, feature=name)
        for name in ("service_close", "service_send", "service_open", "service_as_planned")
    },
    "pause": pause,
    "pause_reason": pause,
    "pause_service": pause_service,
    "resume": resume,
    "resume_service": resume,
}
"""By the plan's name of the feature."""
