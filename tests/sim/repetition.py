"""What a phone repeats on a datagram transport, so that a script can be played on a network that loses.

    request  ── no answer ──> again after T1, 2*T1, 4*T1 ...  (a 1xx is enough for an INVITE), until 64*T1
    2xx..6xx to INVITE ── no ACK ──> again, likewise, until 64*T1
    a request that comes again ──> the answer that was given
    a final response to INVITE that comes again ──> the ACK that was sent

RFC 3261 sections 17.1, 17.2, 13.2.2.4 and 13.3.1.4. It shares no code with Beffroi.
"""

from __future__ import annotations

import asyncio

from sip.core.flow import Flow
from tests.sim.wire import Message

T1_SECONDS = 0.5
T2_SECONDS = 4.0
GIVE_UP_SECONDS = 64 * T1_SECONDS

Transaction = tuple[str, str]
"""Branch and method."""


class Repetition:
    """One phone's retransmissions: told of everything it sends and receives."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._timers: dict[Transaction, asyncio.TimerHandle] = {}
        self._answers: dict[Transaction, tuple[Message, Flow]] = {}
        self._acks: dict[tuple[str, int, str], tuple[Message, Flow]] = {}

    def sent(self, message: Message, flow: Flow) -> None:
        """The phone has sent this."""
        if flow.reliable:
            return
        if message.method == "ACK":
            self._acks[_acknowledged(message)] = (message, flow)
        elif not message.status:
            self._repeat(_transaction(message), message, flow, T1_SECONDS, 0.0)
        else:
            self._answers[_transaction(message)] = (message, flow)
            if message.method == "INVITE" and message.status >= 200:
                self._repeat(_transaction(message), message, flow, T1_SECONDS, 0.0)

    def received(self, message: Message) -> None:
        """The phone has received this: stop what it answers, repeat what it asks for again."""
        if message.method == "ACK":
            # The ACK of a 2xx has a branch of its own: what it names is the INVITE's CSeq (13.2.2.4).
            for transaction, (answer, _) in self._answers.items():
                if _acknowledged(answer) == _acknowledged(message) and transaction[1] == "INVITE":
                    self._stop(transaction)
        elif message.status:
            if message.status >= 200 or message.method == "INVITE":
                self._stop(_transaction(message))
            if message.status >= 200 and message.method == "INVITE":
                self._send_again(self._acks.get(_acknowledged(message)))
        else:
            self._send_again(self._answers.get(_transaction(message)))

    def close(self) -> None:
        """Repeat nothing any more."""
        for transaction in list(self._timers):
            self._stop(transaction)

    def _repeat(
        self, transaction: Transaction, message: Message, flow: Flow, interval: float, elapsed: float
    ) -> None:
        def again() -> None:
            flow.send(message.raw)
            capped = message.status or message.method != "INVITE"  # Timer A has no cap, E and G stop at T2
            following = min(2 * interval, T2_SECONDS) if capped else 2 * interval
            self._repeat(transaction, message, flow, following, elapsed + interval)

        self._stop(transaction)
        if elapsed + interval < GIVE_UP_SECONDS:
            self._timers[transaction] = self._loop.call_later(interval, again)

    def _stop(self, transaction: Transaction) -> None:
        timer = self._timers.pop(transaction, None)
        if timer is not None:
            timer.cancel()

    def _send_again(self, sent: tuple[Message, Flow] | None) -> None:
        if sent is not None:
            message, flow = sent
            flow.send(message.raw)


def _transaction(message: Message) -> Transaction:
    return (message.branch, message.method)


def _acknowledged(message: Message) -> tuple[str, int, str]:
    """What an ACK and the response that it answers have in common."""
    return (message.call_id, message.cseq, message.to_tag)
