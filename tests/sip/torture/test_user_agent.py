"""All torture messages against the whole user agent core: what each is answered, in one table."""

from __future__ import annotations

import random

import pytest

from sip.core.flow import Flow
from sip.core.identifiers import Identifiers
from sip.core.message import Request, Response
from sip.core.parser import parse_message
from sip.core.reason import Reason
from sip.core.registrar import bind, contact_lines
from sip.core.stack import ServerTransaction
from sip.core.transactions.invite_server import InviteServer
from sip.core.ua_core import UserAgentCore
from tests.sip.test_fuzz import CORPUS, damaged
from tests.sip.torture.notation import message, names


class Busy:
    """An application that is busy for every call, binds every contact and answers every OPTIONS.

    It owns its sessions too, and is told nothing, as they are refused at once.
    """

    def __init__(self) -> None:
        self.core = UserAgentCore(Identifiers(b"torture"), self)

    def request_received(self, request: Request, transaction: ServerTransaction, now: float) -> None:
        if isinstance(transaction, InviteServer):
            self.core.accept(request, transaction, self).refuse(486, now)
        elif request.method == "REGISTER":
            lines = contact_lines(bind((), request, "torture", now), now)
            self.core.stack.respond(transaction, 200, now, headers=lines)
        else:
            self.core.stack.respond(transaction, 200, now)

    def progressed(self, status: int, body: bytes, now: float) -> None:
        raise AssertionError("we call nobody")

    def answered(self, body: bytes, now: float) -> None:
        raise AssertionError("we call nobody")

    def failed(self, status: int, reason: Reason, now: float) -> None:
        raise AssertionError("we call nobody")

    def cancelled(self, reason: Reason, now: float) -> None:
        raise AssertionError("nobody cancels")

    def acknowledged(self, body: bytes, now: float) -> None:
        raise AssertionError("we answer nobody")

    def offered(self, body: bytes, now: float) -> None:
        raise AssertionError("there is no call")

    def offer_withdrawn(self, now: float) -> None:
        raise AssertionError("there is no call")

    def identity_changed(self, request: Request, now: float) -> None:
        raise AssertionError("there is no call")

    def requested(self, request: Request, transaction: ServerTransaction, now: float) -> None:
        raise AssertionError("there is no call")

    def offer_answered(self, body: bytes, now: float) -> None:
        raise AssertionError("there is no call")

    def offer_refused(self, status: int, now: float) -> None:
        raise AssertionError("there is no call")

    def ended(self, reason: Reason, now: float) -> None:
        raise AssertionError("there is no call")


# 486 is the call that could have been, 200 a request that was served, 481 one of a dialog that isn't ours.
STATUSES = {
    "wsinv": 481,
    "intmeth": 501,
    "esc01": 486,
    "escnull": 200,
    "esc02": 501,
    "lwsdisp": 200,
    "longreq": 486,
    "dblreq": 200,
    "semiuri": 200,
    "transports": 200,
    "mpart01": 405,
    "unreason": None,
    "noreason": None,
    "badinv01": 400,
    "clerr": 400,
    "ncl": 400,
    "scalar02": 400,
    "scalarlg": None,
    "quotbal": 400,
    "ltgtruri": 400,
    "lwsruri": 400,
    "lwsstart": 400,
    "trws": 400,
    "escruri": 400,
    "baddate": 486,
    "regbadct": 400,
    "badaspec": 400,
    "baddn": 400,
    "badvers": 505,
    "mismatch01": 400,
    "mismatch02": 501,
    "bigcode": None,
    "badbranch": 200,
    "insuf": 400,
    "unkscm": 416,
    "novelsc": 416,
    "unksm2": 400,
    "bext01": 420,
    "invut": 415,
    "regaut01": 200,
    "multi01": 400,
    "mcl01": 400,
    "bcast": None,
    "zeromf": 200,
    "cparam01": 200,
    "cparam02": 200,
    "regescrt": 200,
    "sdp01": 406,
    "inv2543": 486,
    "ipv6-good": 200,
    "ipv6-bad": 400,
    "port-ambiguous": 200,
    "port-unambiguous": 200,
    "via-received-param-with-delim": 481,
    "via-received-param-no-delim": 200,
    "ipv6-in-sdp": 486,
    "mult-ip-in-header": 481,
    "mult-ip-in-sdp": 486,
    "ipv4-mapped-ipv6": 486,
    "ipv6-bug-abnf-3-colons": 200,
    "ipv6-correct-abnf-2-colons": 200,
}


@pytest.mark.parametrize("name", names())
@pytest.mark.parametrize("transport", ["UDP", "TCP"])
def test_each_torture_message_is_answered_as_the_table_says_and_leaves_nothing(
    name: str, transport: str
) -> None:
    """RFC 4475 section 3; RFC 5118 section 4."""
    stack = Busy().core.stack
    stack.receive(message(name), Flow(transport, ("192.0.2.1", 5060), ("192.0.2.77", 5060)), 0.0)
    answers = [parse_message(data) for _, data in stack.outbox]
    statuses = [answer.status for answer in answers if isinstance(answer, Response)]
    assert statuses == ([] if STATUSES[name] is None else [STATUSES[name]])
    stack.outbox.clear()
    while (deadline := stack.next_deadline()) is not None:
        stack.fire(deadline)
        stack.outbox.clear()
    assert not any(stack.inventory().values())


def test_damaged_torture_messages_leave_nothing_either() -> None:
    """Every transaction and session that they began ends by its own timers."""
    chance = random.Random(200)
    flow = Flow("UDP", ("192.0.2.1", 5060), ("192.0.2.77", 5060))
    answers = 0
    for _ in range(25):
        core = Busy().core
        stack = core.stack
        for data in damaged(chance, CORPUS, 200):
            stack.receive(data, flow, 0.0)
        while (deadline := stack.next_deadline()) is not None:
            stack.fire(deadline)
        for answered, data in stack.outbox:
            assert isinstance(parse_message(data), Response)
            assert 0 < answered.remote[1] < 65_536
            answers += 1
        stack.outbox.clear()
        assert not any(core.inventory().values())
    assert answers > 500
