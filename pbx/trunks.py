"""The operators' lines: where they are, how many calls each may carry, calls over them in both directions."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dialplan.plan import Plan, Trunk
from pbx.calls.call import Call
from pbx.calls.leg import Leg
from sip.core.dialog_request import Authorize
from sip.core.digest import authorization
from sip.core.flow import Flow, host_port
from sip.core.grammar import quote
from sip.core.message import Response
from sip.net.addresses import is_address

if TYPE_CHECKING:
    from pbx.exchange import Exchange

log = logging.getLogger(__name__)

RESOLVE_SECONDS = 5.0
KNOWN_FOR_SECONDS = 60.0
_TRANSPORTS = {"auto": "UDP", "udp": "UDP", "tcp": "TCP"}


@dataclass(frozen=True, slots=True)
class _Known:
    """The literal addresses of a host, the first one for our calls, and until when they hold (loop time)."""

    addresses: tuple[str, ...] = ()
    until: float = 0.0


class Trunks:
    """The plan's trunks: static ones, which trust the address that a call comes from."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._hosts: dict[str, _Known] = {}
        self._sources: dict[str, str] = {}  # literal address: trunk
        self._busy: Counter[str] = Counter()

    def load(self, plan: Plan) -> None:
        """Take the trunks of a plan; those known, or written as addresses, are recognised at once."""
        hosts = {}
        for trunk in plan.trunks.values():
            literal = trunk.host.strip("[]")
            if is_address(literal):
                hosts[trunk.host] = _Known((literal,), float("inf"))
            elif trunk.host in self._hosts:
                hosts[trunk.host] = self._hosts[trunk.host]
        self._hosts = hosts
        self._recognise(plan)

    async def resolve(self) -> None:
        """Look up the trunks that are named, so that their calls are recognised from the start."""
        for trunk in list(self._exchange.plan.trunks.values()):
            await self._address(trunk)

    def of_source(self, flow: Flow) -> str | None:
        """The trunk that a request comes from, None when it comes from none."""
        return self._sources.get(flow.remote[0])

    async def seize(self, trunk: Trunk, *, emergency: bool) -> Flow | None:
        """Take a channel of a trunk; returns the flow to it, None where it is full or can't be reached.

        An ordinary call leaves the emergency channels alone. What was seized is to be freed.
        """
        channels = trunk.channels if emergency else trunk.channels - trunk.emergency_channels
        if self._busy[trunk.name] >= channels:
            log.warning("trunk=%s all channels are busy", trunk.name)
            return None
        if trunk.transport not in _TRANSPORTS:
            log.warning("trunk=%s transport %s is not built yet", trunk.name, trunk.transport)
            return None
        self.occupy(trunk.name)
        flow = None
        try:
            flow = await self._flow(trunk, emergency=emergency)
        finally:
            if flow is None:
                self.free(trunk.name)
        return flow

    def occupy(self, name: str) -> None:
        """Count a channel as taken: a call from the operator takes one without asking."""
        self._busy[name] += 1

    def free(self, name: str) -> None:
        """Give a channel back."""
        self._busy[name] -= 1
        if self._busy[name] <= 0:
            del self._busy[name]

    def invite(
        self, call: Call, trunk: Trunk, flow: Flow, number: str, body: bytes, *, emergency: bool
    ) -> Leg:
        """Call a number over a seized trunk. RFC 3325: the number that we assert is the one shown."""
        host = host_port((trunk.host.strip("[]"), trunk.port)) if trunk.port not in {0, 5060} else trunk.host
        shown = call.decision.caller_id or ""
        name_part = f"{quote(call.from_name)} " if call.from_name and not emergency else ""
        headers = f"P-Asserted-Identity: <sip:{shown}@{trunk.host}>\r\n" if shown else ""
        if emergency:
            headers += "Priority: emergency\r\n"
        return call.invite(
            trunk.name,
            f"sip:{number}@{host}",
            flow,
            body,
            local_address=f"{name_part}<sip:{shown or 'anonymous'}@{self._exchange.domain}>",
            remote_address=f"<sip:{number}@{trunk.host}>",
            headers=headers,
            authorize=self._authorize(trunk),
        )

    def _authorize(self, trunk: Trunk) -> Authorize | None:
        username = trunk.username
        secret = os.environ.get(trunk.secret.env) if trunk.secret is not None else None
        if username is None or secret is None:
            return None

        def answer(challenge: Response, method: str, uri: str) -> str:
            proxy = challenge.status == 407
            values = challenge.headers.get("proxy-authenticate" if proxy else "www-authenticate", [])
            cnonce = self._exchange.core.stack.identifiers.token()
            return authorization(values, username, secret, method, uri, cnonce, proxy=proxy)

        return answer

    async def _flow(self, trunk: Trunk, *, emergency: bool) -> Flow | None:
        known = self._hosts.get(trunk.host, _Known())
        # Help doesn't wait for a name server: an emergency call takes the address that held last.
        address = known.addresses[0] if emergency and known.addresses else await self._address(trunk)
        if not address:
            return None
        try:
            return self._exchange.flow(_TRANSPORTS[trunk.transport], (address, trunk.port or 5060), None)
        except OSError as error:
            log.warning("trunk=%s can't be reached: %s", trunk.name, error)
            return None

    async def _address(self, trunk: Trunk) -> str:
        """The literal address of a trunk, empty when it can't be found."""
        loop = asyncio.get_running_loop()
        known = self._hosts.get(trunk.host, _Known())
        if known.addresses and loop.time() < known.until:
            return known.addresses[0]
        try:
            async with asyncio.timeout(RESOLVE_SECONDS):
                found = await loop.getaddrinfo(trunk.host, trunk.port, type=socket.SOCK_DGRAM)
            addresses = tuple(dict.fromkeys(str(answer[4][0]) for answer in found))
        except (OSError, UnicodeError) as error:  # UnicodeError: no name that DNS could hold
            log.warning("trunk=%s host=%s not found: %s", trunk.name, trunk.host, error)
            addresses = known.addresses  # an old address is better than none
        if addresses:
            self._hosts[trunk.host] = _Known(addresses, loop.time() + KNOWN_FOR_SECONDS)
            self._recognise(self._exchange.plan)
        return addresses[0] if addresses else ""

    def _recognise(self, plan: Plan) -> None:
        """From which addresses calls are a trunk's; one that two share is the first one's."""
        self._sources = {}
        for trunk in plan.trunks.values():
            for address in self._hosts.get(trunk.host, _Known()).addresses:
                self._sources.setdefault(address, trunk.name)

    def inventory(self) -> dict[str, int]:
        """What is taken: zero at rest."""
        return {"trunk channels": sum(self._busy.values())}
