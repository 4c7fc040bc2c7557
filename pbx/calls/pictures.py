"""Whole pictures asked for by SIP (RFC 5168), by and of telephones that have no feedback in RTCP.

    a telephone's INFO   ──> whoever it sees: by the media engine, or by an INFO where the sound is direct
    the engine's word    ──> an INFO to the telephone whose picture it is

A telephone that doesn't take this INFO isn't asked again in the same call.
"""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING, Final

from sip.core.errors import LocalProtocolError
from sip.core.media_control import CONTENT_TYPE, PICTURE_FAST_UPDATE

if TYPE_CHECKING:
    from pbx.calls.leg import Leg
    from sip.core.message import Response

log = logging.getLogger(__name__)

AGAIN_SECONDS: Final = 0.5


def asked_by(leg: Leg) -> None:
    """A telephone asks for a whole picture of whom it sees."""
    engine = leg.call.engine
    if engine.carries:
        engine.ask_for_picture(leg.call.id, leg.name)
    elif (other := leg.call.other_party(leg)) is not None:
        ask(other)


def ask(leg: Leg) -> None:
    """Ask a telephone for a whole picture, unless it was asked a moment ago, or doesn't take that."""
    session, driver = leg.session, leg.call.exchange.driver
    if session is None or not leg.confirmed or driver.now < leg.picture_due:
        return
    leg.picture_due = driver.now + AGAIN_SECONDS
    try:
        session.send_request(
            "INFO", _Answer(leg), driver.now, body=PICTURE_FAST_UPDATE, content_type=CONTENT_TYPE
        )
    except LocalProtocolError as error:
        log.debug("call=%s leg=%s can't be asked for a picture: %s", leg.call.id, leg.name, error)
        return
    driver.wake()


class _Answer:
    """Who waits for a telephone's answer (sip.core.transactions.invite_client.ClientUser)."""

    def __init__(self, leg: Leg) -> None:
        self._leg = leg

    def response_received(self, response: Response, now: float) -> None:
        """Taken, or refused."""
        if response.status >= 300:
            leg = self._leg
            log.info("call=%s leg=%s sends no picture when asked: %d", leg.call.id, leg.name, response.status)
            leg.picture_due = math.inf

    def no_response(self, reason: str, now: float) -> None:
        """Nothing came: whether the party is still there is found out by others."""
