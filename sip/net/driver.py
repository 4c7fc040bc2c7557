"""Joins a user agent core to an event loop: messages in, the outbox out, timers fired.

Datagrams are read in batches; before the answers of a batch leave, `before_sending` lets the owner write down
what they acknowledge (group commit). It works on any loop with a clock, the virtual world's included.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from math import inf

from sip.core.flow import Flow
from sip.core.ua_core import UserAgentCore
from sip.net.addresses import ExternalAddress, local_address_toward

log = logging.getLogger(__name__)
trace = logging.getLogger("sip.trace")

# Waking up for each of thousands of timers costs more than being late by this; T1 is 500 ms.
TIMER_GRAIN_SECONDS = 0.01


def _nothing_to_write() -> None:
    pass


def _everybody(host: str, now: float) -> bool:
    return True


def _nobody_waits(host: str) -> bool:
    return True


def _nobody_to_tell(flow: Flow) -> None:
    pass


class Driver:
    """The shell of one core. Its methods are called from the loop's own thread only.

    external: our address beyond a NAT of ours, for the flows to peers that are there.
    """

    def __init__(
        self,
        core: UserAgentCore,
        before_sending: Callable[[], None] = _nothing_to_write,
        external: ExternalAddress | None = None,
    ) -> None:
        self.core = core
        self.external = external or ExternalAddress()
        self._stack = core.stack
        self._loop = asyncio.get_running_loop()
        self._before_sending = before_sending
        self.admits: Callable[[str, float], bool] = _everybody  # whose messages are read at all, by address
        # Whose datagrams are read before those of others when there are too many at once, by address.
        self.knows: Callable[[str], bool] = _nobody_waits
        # Told of each message that was admitted, and of those that leave together; None for nobody.
        self.on_received: Callable[[tuple[float, Flow, bytes]], None] | None = None
        self.on_sent: Callable[[tuple[float, list[tuple[Flow, bytes]]]], None] | None = None
        self.on_flow_failed: Callable[[Flow], None] = _nobody_to_tell
        self._flush_scheduled = False
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = inf
        self._closed = False

    @property
    def now(self) -> float:
        """The loop's clock, in seconds."""
        return self._loop.time()

    def receive(self, data: bytes, flow: Flow, now: float, admitted: bool = False) -> None:
        """One message; the caller ends its batch with `batch_over`. admitted: it asked `admits` itself."""
        if not admitted and not self.admits(flow.remote[0], now):
            return
        if self.on_received is not None:
            self.on_received((now, flow, data))
        if trace.isEnabledFor(logging.DEBUG):
            trace.debug("%s received\n%s", flow, data.decode("utf-8", "replace"))
        try:
            self._stack.receive(data, flow, now)
        except Exception:
            self._stack.counts["internal error"] += 1
            log.exception("message from %s made us fail", flow)

    def batch_over(self) -> None:
        """Every message that was there is received: what is to be said leaves now, or after the turn of the
        calls that they concern."""
        if not self._flush_scheduled:
            self.flush()

    def address_toward(self, bound: tuple[str, int], remote: tuple[str, int]) -> tuple[str, int]:
        """What the peer `remote` is told of the socket `bound`, in Via and Contact (`Flow.local`)."""
        host, port = local_address_toward(bound, remote)
        return self.external.told(host, remote[0]), port

    def wake(self) -> None:
        """Something may lie in the outbox or on the timers: flush soon, after what is due already."""
        if not self._flush_scheduled:
            self._flush_scheduled = True
            self._loop.call_soon(self._flush_soon)

    def _flush_soon(self) -> None:
        self._flush_scheduled = False
        self.flush()

    def flush(self) -> None:
        """Send what lies in the outbox, and arm the loop's timer."""
        outbox = self._stack.outbox
        if outbox:
            self._before_sending()
            pending = outbox[:]
            outbox.clear()
            if self.on_sent is not None:
                self.on_sent((self._loop.time(), pending))
            tracing = trace.isEnabledFor(logging.DEBUG)
            for flow, data in pending:
                if tracing:
                    trace.debug("%s sent\n%s", flow, data.decode("utf-8", "replace"))
                try:
                    flow.send(data)
                except OSError as error:
                    log.info("sending over %s: %s", flow, error)
                    self._stack.counts["not sent"] += 1
                    self._loop.call_soon(self.flow_failed, flow)
        if self._stack.timers.earliest < self._timer_at:
            self._arm()

    def flow_failed(self, flow: Flow) -> None:
        """A flow broke: whoever waits for an answer over it is told."""
        self._stack.flow_failed(flow, self._loop.time())
        self.on_flow_failed(flow)
        self.wake()

    def _arm(self) -> None:
        if self._closed:
            return
        timer = self._timer
        when = max(self._stack.timers.earliest, self._loop.time() + TIMER_GRAIN_SECONDS)
        if timer is not None:
            if self._timer_at <= when:
                return
            timer.cancel()
        self._timer = self._loop.call_at(when, self._fire)
        self._timer_at = when

    def _fire(self) -> None:
        self._timer = None
        self._timer_at = inf
        try:
            self._stack.fire(self._loop.time())
        except Exception:
            self._stack.counts["internal error"] += 1
            log.exception("a timer made us fail")
        self.flush()

    def close(self) -> None:
        """Send what is left and stop the timer."""
        self.flush()
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._timer_at = inf
