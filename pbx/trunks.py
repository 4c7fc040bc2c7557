"""The operators' lines: where they are, how many calls each may carry, calls over them in both directions."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections import Counter
from typing import TYPE_CHECKING

from dialplan.plan import Plan, Trunk
from pbx.calls.call import Call
from pbx.calls.leg import Leg
from sip.core.digest import authorization
from sip.core.flow import Flow, host_port
from sip.core.grammar import quote
from sip.core.message import Response
from sip.core.outgoing_session import Authorize
from sip.net.addresses import is_address

if TYPE_CHECKING:
    from pbx.exchange import Exchange

log = logging.getLogger(__name__)

RESOLVE_SECONDS = 5.0
KNOWN_FOR_SECONDS = 60.0
_TRANSPORTS = {"udp": "UDP", "tcp": "TCP"}


class Trunks:
    """The plan's trunks: static ones, which trust the address that a call comes from."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._addresses: dict[str, tuple[str, float]] = {}  # trunk: literal address, and until when it holds
        self._sources: dict[str, str] = {}  # literal address: trunk
        self._busy: Counter[str] = Counter()

    def load(self, plan: Plan) -> None:
        """Take the trunks of a plan; those with a literal address are known at once."""
        self._addresses.clear()
        self._sources.clear()
        for trunk in plan.trunks.values():
            host = trunk.host.strip("[]")
            if is_address(host):
                self._know(trunk.name, host, float("inf"))

    async def resolve(self) -> None:
        """Look up the trunks that are named, so that their calls are recognised from the start."""
        for name in list(self._exchange.plan.trunks):
            await self._address(name)

    def of_source(self, flow: Flow) -> str | None:
        """The trunk that a request comes from, None when it comes from none."""
        return self._sources.get(flow.remote[0])

    async def seize(self, name: str, *, emergency: bool) -> Trunk | None:
        """Take a channel of a trunk that can be reached; None where that can't be.

        An ordinary call leaves the emergency channels alone. What was seized is to be freed.
        """
        trunk = self._exchange.plan.trunks.get(name)
        if trunk is None:
            return None
        channels = trunk.channels if emergency else trunk.channels - trunk.emergency_channels
        if self._busy[name] >= channels:
            log.warning("trunk=%s all channels are busy", name)
            return None
        if trunk.transport not in _TRANSPORTS:
            log.warning("trunk=%s transport %s is not built yet", name, trunk.transport)
            return None
        self._busy[name] += 1
        if await self._address(name):
            return trunk
        self.free(name)
        return None

    def free(self, name: str) -> None:
        """Give a channel back."""
        self._busy[name] -= 1
        if self._busy[name] <= 0:
            del self._busy[name]

    def invite(self, call: Call, name: str, number: str, body: bytes, *, emergency: bool) -> Leg:
        """Call a number over a seized trunk. RFC 3325: the number that we assert is the one shown."""
        trunk = call.plan.trunks[name]
        address = self._addresses[name][0]
        flow = self._exchange.flow(_TRANSPORTS[trunk.transport], (address, trunk.port))
        host = host_port((trunk.host.strip("[]"), trunk.port)) if trunk.port != 5060 else trunk.host
        shown = call.decision.caller_id or ""
        name_part = f"{quote(call.from_name)} " if call.from_name and not emergency else ""
        headers = f"P-Asserted-Identity: <sip:{shown}@{trunk.host}>\r\n" if shown else ""
        if emergency:
            headers += "Priority: emergency\r\n"
        return call.invite(
            name,
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

    async def _address(self, name: str) -> str:
        """The literal address of a trunk, empty when it can't be found."""
        trunk = self._exchange.plan.trunks[name]
        loop = asyncio.get_running_loop()
        address, until = self._addresses.get(name, ("", 0.0))
        if address and loop.time() < until:
            return address
        try:
            async with asyncio.timeout(RESOLVE_SECONDS):
                found = await loop.getaddrinfo(trunk.host, trunk.port, type=socket.SOCK_DGRAM)
        except OSError as error:
            log.warning("trunk=%s host=%s not found: %s", name, trunk.host, error)
            return address  # an old address is better than none
        resolved = str(found[0][4][0])
        self._know(name, resolved, loop.time() + KNOWN_FOR_SECONDS)
        return resolved

    def _know(self, name: str, address: str, until: float) -> None:
        self._addresses[name] = (address, until)
        self._sources.setdefault(address, name)

    def inventory(self) -> dict[str, int]:
        """What is taken: zero at rest."""
        return {"trunk channels": sum(self._busy.values())}
