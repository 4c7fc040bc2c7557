"""The code for a malicious call (`*39`): where it comes from is kept for an administrator.

    transfer the caller to *39      it comes back at once, and who transferred hears that it is done
    dial *39 during the call        from the telephone's second line, or another telephone
    dial *39 after the call         the last call to the person is meant

What is kept is all that was told of the caller, also what it didn't want to be shown. Whose number that is,
where the operator tells none, the operator alone knows and tells only to the courts.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from media.engine import MediaMisuse, MediaRefused, MediaUnavailable
from media.speech import Speech
from pbx.apps.confirmation import confirm
from pbx.calls.call import Call
from pbx.calls.leg import Leg
from pbx.calls.transferee import Transferee
from pbx.events import MaliciousCallTraced
from pbx.people.settings import SettingRefused
from pbx.records import TraceRecord
from sip.core.flow import host_port

if TYPE_CHECKING:
    from pbx.exchange import Exchange
    from pbx.recent_calls import Caller

log = logging.getLogger(__name__)

TRACED = "traced"  # the cause of the call to the code, where the caller was transferred to it

_DONE = {
    "fr": "Appel malveillant signalé. Son origine est conservée.",
    "en": "Malicious call reported. Where it came from is kept.",
}
_NO_CALL = {
    "fr": "Il n'y a pas d'appel à signaler.",
    "en": "There is no call to report.",
}
_NOT_NOW = {
    "fr": "L'appel n'a pas pu être signalé.",
    "en": "The call could not be reported.",
}


async def trace(call: Call, argument: str) -> None:
    """Keep where the call of who dials, or who transfers a caller here, comes from."""
    caller = call.caller
    if isinstance(caller, Transferee):
        await _trace_transferred(call, caller)
    else:
        await confirm(call, lambda extension: _trace_for(call, extension))


async def _trace_transferred(call: Call, caller: Transferee) -> None:
    """The caller stays where it is and hears nothing; who transferred it is told."""
    exchange, first = call.exchange, caller.first.call
    device = exchange.devices.find(call.payer)
    text: Mapping[str, str] = _NO_CALL
    if device is not None:
        try:
            _keep(exchange, record_of(caller.first, device.extension))
            text, call.cause = _DONE, TRACED
        except SettingRefused as refused:
            text = refused.text
    language = call.language_of(text)  # the facts are those of who transfers
    for leg in first.legs:
        if leg is not caller.first and leg.confirmed:
            with suppress(MediaRefused, MediaMisuse, MediaUnavailable):
                await first.engine.play(first.id, leg.name, Speech(text[language], language))
    caller.refuse(480, TRACED)


def _trace_for(call: Call, extension: str) -> Mapping[str, str]:
    """Raises SettingRefused."""
    exchange = call.exchange
    parties = [
        other
        for leg in exchange.legs()
        if leg.call is not call and leg.confirmed and leg.number == extension
        for other in leg.call.legs
        if other is not leg and other.confirmed
    ]
    last = exchange.recent_calls.caller(extension)
    if parties:
        newest = max(parties, key=lambda party: party.call.started_at)
        _keep(exchange, record_of(newest, extension))
    elif last is not None:
        _keep(exchange, _record_of_ended(last, extension, exchange.clock()))
    else:
        raise SettingRefused("nothing", _NO_CALL, "nobody has called")
    return _DONE


def record_of(party: Leg, by: str) -> TraceRecord:
    """All that is known of a party of a call in progress. by: who asks."""
    call = party.call
    number, name = call.identity_of(party)
    told = party.told
    return TraceRecord(
        by,
        call.id,
        call.exchange.clock(),
        call.started_at,
        call.direction,
        told.number or number,
        name,
        call.hides(party) or not number,
        party.device,
        host_port(party.flow.remote),
        party.call_id,
        told.lines,
    )


def _record_of_ended(last: Caller, by: str, now: float) -> TraceRecord:
    record, told = last.record, last.told
    leg = record.legs[0]
    return TraceRecord(
        by,
        record.id,
        now,
        record.started,
        record.direction,
        told.number or record.from_,
        record.from_name,
        last.hidden or not record.from_,
        leg.device,
        leg.address,
        last.call_id,
        told.lines,
    )


def _keep(exchange: Exchange, record: TraceRecord) -> None:
    """Write it down before anybody is told that it is. Raises SettingRefused."""
    if exchange.journal.exhausted:
        raise SettingRefused("disk", _NOT_NOW, "the disk is full: nothing more can be kept")
    exchange.write(record)
    log.warning("call=%s user=%s malicious call traced from=%s", record.call, record.by, record.number)
    exchange.events.publish(MaliciousCallTraced, record.call, record.by, record.number, record.hidden)
