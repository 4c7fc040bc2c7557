"""Who may come in: digest for devices, and the emergency call that is never asked who calls."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from dialplan.decision import Facts, ToTrunks
from dialplan.routing import route
from pbx.people.devices import Device
from sip.core.digest import BOTH, MD5_ONLY, Authenticator, Credentials, Verdict, algorithms_for
from sip.core.errors import ParseError, RemoteProtocolError
from sip.core.flow import Flow
from sip.core.message import Request
from sip.core.stack import ServerTransaction

if TYPE_CHECKING:
    from pbx.exchange import Exchange

log = logging.getLogger(__name__)

_NOBODY = Credentials("", "")
RETRY_AFTER_SECONDS = 60
_TOO_MANY_CALLS = (
    ("Reason", 'Q.850;cause=42;text="Switching equipment congestion"'),
    ("Retry-After", str(RETRY_AFTER_SECONDS)),
)


class Guard:
    """Authentication for one domain."""

    def __init__(self, exchange: Exchange, secret: bytes) -> None:
        self._exchange = exchange
        self._authenticator = Authenticator(exchange.domain, secret)

    def device_of(self, request: Request, transaction: ServerTransaction, now: float) -> Device | None:
        """The device that a request proves to come from; None when a challenge was sent.

        Raises RemoteProtocolError 403 for a wrong password and for a stranger alike, 400 for a digest that is
        for another URI, 503 for an account that failed too often from there. None too where a stranger asks
        too often: it gets silence.
        """
        exchange = self._exchange
        gate = exchange.gate
        flow = request.flow
        assert flow is not None
        host = flow.remote[0]
        verdict, username = self._authenticator.verify(
            request.headers.get("authorization", []),
            request.method,
            request.uri,
            self._credentials,
            now,
        )
        if verdict is Verdict.ACCEPTED:
            device = exchange.devices.find(username) or exchange.browsers.admitted(username)
            if gate.tries_too_often(host, username, now) and not _is_bound(device, flow):
                raise _later("user=%s tried too often from=%s", username, flow)  # whatever the password
            gate.welcome(host)
            return device
        if verdict is Verdict.WRONG:
            if gate.tries_too_often(host, username, now):
                raise _later("user=%s tried too often from=%s", username, flow)
            log.warning("user=%s wrong credentials from=%s", username[:64], flow)
            gate.wrong_credentials(host, username, now, known_user=self._credentials(username) is not None)
            raise RemoteProtocolError(403, "Forbidden")
        if not gate.answers_stranger(host, now, request.get("user-agent")):
            exchange.core.stack.ignore(transaction)
            return None
        claimed = exchange.devices.find(username or _claimed(request))
        algorithms = claimed.algorithms if claimed is not None else BOTH
        if algorithms is BOTH:
            algorithms = algorithms_for(request.get("user-agent"))
            if algorithms is BOTH and flow.transport in {"WS", "WSS"}:
                algorithms = MD5_ONLY
        challenge = self._authenticator.challenge(now, algorithms, stale=verdict is Verdict.STALE)
        exchange.core.stack.answer_stranger(transaction, 401, headers=challenge)
        return None

    def username_of(self, request: Request) -> str:
        """Whom the digest of a request names that `device_of` has let in."""
        return self._authenticator.username(request.headers.get("authorization", []))

    def _credentials(self, username: str) -> Credentials | None:
        return self._exchange.devices.credentials(username) or self._exchange.browsers.credentials(username)

    def caller_of(
        self, request: Request, dialled: str, transaction: ServerTransaction, now: float
    ) -> Device | None:
        """The calling device; None when a challenge was sent. Raises as device_of.

        An emergency call from a site's network is never challenged (design, promise 3): its From says who
        calls, and that is good enough to send help.
        """
        emergency = self._emergency_caller(request, dialled)
        if emergency is not None:
            return emergency
        device = self.device_of(request, transaction, now)
        if device is not None and request.flow is not None:
            host = request.flow.remote[0]
            allowed = self._exchange.gate.allows_call(host, device.sign_in, now)
            if not allowed and not self._exchange.plan.is_emergency(dialled):
                log.warning("user=%s calls too often from=%s", device.sign_in, request.flow)
                raise RemoteProtocolError(480, "Too Many Calls", _TOO_MANY_CALLS)
        return device

    def registering(self, request: Request, transaction: ServerTransaction, now: float) -> Device | None:
        """The device that registers; None when a challenge was sent. Raises as device_of, and 503 for a
        device that registers too often (21.5.4: Retry-After)."""
        device = self.device_of(request, transaction, now)
        if device is not None and request.flow is not None:
            host = request.flow.remote[0]
            if not self._exchange.gate.allows_register(host, device.sign_in, now):
                raise _later("user=%s registers too often from=%s", device.sign_in, request.flow)
        return device

    def _emergency_caller(self, request: Request, dialled: str) -> Device | None:
        exchange = self._exchange
        flow = request.flow
        assert flow is not None
        address = flow.remote[0]
        plan = exchange.plan
        if not plan.is_emergency(dialled) or not plan.tables.networks.find(address):
            return None
        said = _claimed(request)
        claimed = exchange.devices.find(said) or exchange.browsers.claimed(said)
        extension = claimed.extension if claimed is not None else None
        facts = Facts(dialled, caller=extension, address=address)
        decision = route(plan, facts, datetime.fromtimestamp(exchange.clock(), UTC))
        if not isinstance(decision.target, ToTrunks) or not decision.target.emergency:
            return None
        return claimed or Device("", "", _NOBODY)


def _is_bound(device: Device, flow: Flow) -> bool:
    """Whether a device is registered from this very address and port: nobody else's failures touch it."""
    return any(binding.flow.remote == flow.remote for binding in device.bindings)


def _later(line: str, user: str, flow: Flow) -> RemoteProtocolError:
    log.warning(line, user[:64], flow)
    return RemoteProtocolError(503, "Service Unavailable", (("Retry-After", str(RETRY_AFTER_SECONDS)),))


def _claimed(request: Request) -> str:
    """Who the From says is calling; the empty string where it says nothing readable."""
    try:
        return request.from_.sip_uri.user or ""
    except ParseError:
        return ""
