"""Who may come in: digest for devices, and the emergency call that is never asked who calls."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from dialplan.decision import Facts, ToTrunks
from dialplan.routing import route
from pbx.devices import Device
from sip.core.digest import BOTH, Authenticator, Credentials, Verdict, algorithms_for
from sip.core.errors import ParseError, RemoteProtocolError
from sip.core.message import Request
from sip.core.stack import ServerTransaction

if TYPE_CHECKING:
    from pbx.exchange import Exchange

log = logging.getLogger(__name__)

_NOBODY = Credentials("", "")


class Guard:
    """Authentication for one domain."""

    def __init__(self, exchange: Exchange, secret: bytes) -> None:
        self._exchange = exchange
        self._authenticator = Authenticator(exchange.domain, secret)

    def device_of(self, request: Request, transaction: ServerTransaction, now: float) -> Device | None:
        """The device that a request proves to come from; None when a challenge was sent.

        Raises RemoteProtocolError 403 for a wrong password and for a stranger alike, 400 for a digest that is
        for another URI.
        """
        exchange = self._exchange
        verdict, username = self._authenticator.verify(
            request.headers.get("authorization", []),
            request.method,
            request.uri,
            exchange.devices.credentials,
            now,
        )
        if verdict is Verdict.ACCEPTED:
            device = exchange.devices.find(username)
            assert device is not None
            return device
        if verdict is Verdict.WRONG:
            log.warning("user=%s wrong credentials from=%s", username[:64], request.flow)
            raise RemoteProtocolError(403, "Forbidden")
        claimed = exchange.devices.find(username or _claimed(request))
        algorithms = claimed.algorithms if claimed is not None else BOTH
        if algorithms is BOTH:
            algorithms = algorithms_for(request.get("user-agent"))
        challenge = self._authenticator.challenge(now, algorithms, stale=verdict is Verdict.STALE)
        exchange.core.stack.answer_stranger(transaction, 401, headers=challenge)
        return None

    def caller_of(
        self, request: Request, dialled: str, transaction: ServerTransaction, now: float
    ) -> Device | None:
        """The calling device; None when a challenge was sent. Raises as device_of.

        An emergency call from a site's network is never challenged (design, promise 3): its From says who
        calls, and that is good enough to send help.
        """
        emergency = self._emergency_caller(request, dialled)
        return emergency if emergency is not None else self.device_of(request, transaction, now)

    def _emergency_caller(self, request: Request, dialled: str) -> Device | None:
        exchange = self._exchange
        flow = request.flow
        assert flow is not None
        address = flow.remote[0]
        plan = exchange.plan
        if not plan.is_emergency(dialled) or not plan.tables.networks.find(address):
            return None
        claimed = exchange.devices.find(_claimed(request))
        extension = claimed.extension if claimed is not None else None
        facts = Facts(dialled, caller=extension, address=address)
        decision = route(plan, facts, datetime.fromtimestamp(exchange.clock(), UTC))
        if not isinstance(decision.target, ToTrunks) or not decision.target.emergency:
            return None
        return claimed or Device("", "", _NOBODY)


def _claimed(request: Request) -> str:
    """Who the From says is calling; the empty string where it says nothing readable."""
    try:
        return request.from_.sip_uri.user or ""
    except ParseError:
        return ""
