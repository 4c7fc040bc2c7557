"""Telephones that do what they like, when they like: what a call must survive, drawn from a seed.

An unruly phone answers what it is sent as its chance decides, at once or later, mostly within the
milliseconds in which messages cross: it rings or doesn't, takes a call, refuses it or lets it ring, cancels
while the answer is under way, holds while the other one holds, hangs up before the ACK. It breaks no rule of
RFC 3261.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

from sip.core.flow import Flow
from tests.scenarios.town import TownPhone
from tests.sim.network import Host
from tests.sim.wire import Message


class UnrulyPhone(TownPhone):
    """A phone that acts by itself until `calm`; its chance is its own, from the seed and its name."""

    def __init__(
        self, host: Host, *, seed: int, user: str, password: str, server: tuple[str, int], domain: str
    ) -> None:
        super().__init__(host, user=user, password=password, server=server, domain=domain)
        self._chance = random.Random(f"{seed} {user}")
        self._loop = asyncio.get_running_loop()
        self.unruly = False
        self._awake = False
        self._unanswered: dict[str, Message] = {}  # by branch: INVITEs that wait for our final response
        self._confirmed: dict[str, Message] = {}  # by Call-ID: any message of a dialog that may be hung up
        self._calls: dict[str, Message] = {}  # by Call-ID: our INVITEs without a final response

    def wake(self) -> None:
        """From now on, act."""
        self.unruly = self._awake = True

    def dial(self, number: str) -> None:
        """Call somebody; what follows is chance."""
        call = self.invite(number, offer=self._chance.random() < 0.9)
        self._calls[call.call_id] = call

    def calm(self) -> None:
        """Hang up and cancel what is left; from now on only answer."""
        self.unruly = False
        for call in self._calls.values():
            self.cancel(call)
        for invite in self._unanswered.values():
            self.reply(invite, 480)
        self._unanswered.clear()
        for message in list(self._confirmed.values()):
            self._hang_up(message)

    def _soon(self, act: Callable[[Message], None], message: Message) -> None:
        longest = self._chance.choice((0.0, 0.002, 0.005, 1.0, 30.0))
        self._loop.call_later(self._chance.uniform(0.0, longest), act, message)

    def _receive(self, data: bytes, flow: Flow) -> None:
        super()._receive(data, flow)
        if not self._awake:
            return  # it only registers: the script reads the answers
        message = self._inbox.pop()
        if message.raw in self._read:
            return
        self._read.add(message.raw)
        if message.status:
            self._hear(message)
        else:
            self._serve(message)

    def _hear(self, response: Message) -> None:
        if response.method != "INVITE":
            return
        if response.status < 200:
            if response.call_id in self._calls and self._chance.random() < 0.15:
                self._soon(self._give_up, self._calls[response.call_id])
            return
        first = self._calls.get(response.call_id)
        if response.status == 401 and (first is None or first.branch != response.branch):
            return  # a challenge of before, made anew for a copy of the INVITE
        self._calls.pop(response.call_id, None)
        if response.status == 401:
            self.ack(response)
            self._calls[response.call_id] = self.authenticate(response)
        elif response.status >= 300:
            self.ack(response)
        else:
            late = first is not None and not first.body
            self.ack(response, body=self.sdp() if late else b"")
            self._confirmed[response.call_id] = response
            self._go_on(response)

    def _serve(self, request: Message) -> None:
        match request.method:
            case "INVITE" if request.to_tag:
                self._soon(self._change, request)
            case "INVITE":
                self._unanswered[request.branch] = request
                if self._chance.random() < 0.7:
                    self.reply(request, self._chance.choice((100, 180, 183)))
                self._soon(self._decide, request)
            case "CANCEL":
                self.reply(request, 200)
                invite = self._unanswered.pop(request.branch, None)
                if invite is not None:
                    self.reply(invite, 487)
            case "BYE":
                self._confirmed.pop(request.call_id, None)
                self.reply(request, 200)
            case _:
                pass

    def _decide(self, invite: Message) -> None:
        if self._unanswered.pop(invite.branch, None) is None:
            return
        status = self._chance.choice((200, 200, 200, 486, 603, 500, 480))
        if status != 200:
            self.reply(invite, status)
            return
        self.answer(invite)
        self._confirmed[invite.call_id] = invite
        self._go_on(invite)

    def _change(self, invite: Message) -> None:
        if invite.call_id not in self._confirmed:
            self.reply(invite, 481)
        elif self._chance.random() < 0.6:
            self.reply(invite, 200, body=self.sdp(version=self._chance.randrange(2, 90)))
        else:
            self.reply(invite, self._chance.choice((488, 491, 500)))

    def _go_on(self, message: Message) -> None:
        for _ in range(self._chance.randrange(4)):
            self._soon(self._offer, message)
        if self._chance.random() < 0.5:
            self._soon(self._hang_up, message)

    def _offer(self, message: Message) -> None:
        if self.unruly and message.call_id in self._confirmed:
            direction = self._chance.choice(("sendonly", "sendrecv", "inactive"))
            body = self.sdp(direction=direction, version=self._chance.randrange(2, 90))
            change = self.send("INVITE", within=message, body=body if self._chance.random() < 0.9 else b"")
            if self._chance.random() < 0.1:
                self._soon(self.cancel, change)

    def _give_up(self, call: Message) -> None:
        if self._calls.get(call.call_id) is call:
            self.cancel(call)

    def _hang_up(self, message: Message) -> None:
        if self._confirmed.pop(message.call_id, None) is not None:
            self.bye(message)
