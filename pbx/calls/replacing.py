"""INVITEs with Replaces (RFC 3891): which leg one names, and a page that goes on with a call of its own."""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import TYPE_CHECKING

from pbx.calls.happenings import OfferRefused, OfferWithdrawn, Returned
from pbx.calls.leg import REPLACED, Leg
from pbx.calls.transfer import check_may_take
from sip.core.errors import RemoteProtocolError
from sip.core.incoming_session import IncomingSession
from sip.core.message import Request
from sip.core.offer_answer import Turn
from sip.core.replaces import Replaces, Stage, replaces_of
from sip.core.session import SessionState
from sip.core.transactions.invite_server import InviteServer

if TYPE_CHECKING:
    from pbx.exchange import Exchange

log = logging.getLogger(__name__)


def replaced_by(
    exchange: Exchange, request: Request, device: str, dialled: str, *, is_page: bool
) -> Leg | None:
    """Return the leg whose place an INVITE of a device of ours takes, None for none; a call for help takes
    none, since it may have proved nothing of who makes it.

    Nobody takes a call from somebody else's hand (RFC 3891 section 4), but what rings may be picked up. A
    page that was loaded again may go on with a call that it was making. Raises RemoteProtocolError.
    """
    if "replaces" not in request.headers:
        return None
    replaces = replaces_of(request)
    assert replaces is not None
    if exchange.plan.is_emergency(dialled):
        return _same_call_for_help(exchange, request, device, replaces) if is_page else None
    found = exchange.leg_of(replaces, early=is_page)
    if found.stage is Stage.EARLY_INCOMING and found.device != device:
        raise RemoteProtocolError(481, "Call/Transaction Does Not Exist")
    check_may_take(exchange, device, found)
    return found


def _same_call_for_help(exchange: Exchange, request: Request, device: str, replaces: Replaces) -> Leg | None:
    """The leg of a page that was loaded again in a call for help; None for anything else: a new call.

    It needs to prove no more than for that one: that it comes from where it was.
    """
    assert request.flow is not None
    with suppress(RemoteProtocolError):
        found = exchange.leg_of(replaces, early=True)
        if found.device == device and found.flow.remote[0] == request.flow.remote[0]:
            return found
    return None


def take_up_again(leg: Leg, request: Request, transaction: InviteServer) -> None:
    """Let a party whose page was loaded again go on by this INVITE, in the place of the dialog that it had
    (RFC 3891 section 3). Its peer hears nothing of it.

    Raises RemoteProtocolError where that can't be.
    """
    call, former, flow = leg.call, leg.session, request.flow
    core, driver = call.exchange.core, call.exchange.driver
    assert former is not None
    assert flow is not None
    if former.state is SessionState.CONFIRMED:
        theirs, ours = former.exchange.turn is Turn.OFFERED_REMOTELY, former.offers
        leg.session = again = core.accept_again(request, transaction, leg, former)
        leg.flow = flow
        former.user = None
        former.hang_up(driver.now, REPLACED)
        if theirs:
            call.forget_offered(leg)
            call.post(OfferWithdrawn(leg))
        if ours:
            call.post(OfferRefused(leg, 491, again.glare_seconds()))
        call.post(Returned(leg, request.body))
    elif isinstance(former, IncomingSession) and former.state is SessionState.BEGINNING:
        if not request.body or not call.offer:
            raise RemoteProtocolError(488, "Not Acceptable Here")
        leg.session = begun = core.accept(request, transaction, leg)
        leg.flow, leg.returned, call.offer = flow, True, request.body
        former.user = None
        former.refuse(487, driver.now)
        if leg.rang:
            begun.ring(driver.now)
    else:
        raise RemoteProtocolError(481, "Call/Transaction Does Not Exist")
    log.info("call=%s leg=%s user=%s is back from=%s", call.id, leg.name, leg.device, flow)
    driver.wake()
