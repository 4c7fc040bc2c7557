"""An endpoint for torture messages: a stack, and a user of it that inspects each request and keeps it."""

from __future__ import annotations

from sip.core.flow import Flow
from sip.core.identifiers import Identifiers
from sip.core.inspection import inspect
from sip.core.message import Request, Response
from sip.core.parser import parse_message
from sip.core.stack import ServerTransaction, Stack
from tests.sip.torture.notation import message

SOURCE = ("192.0.2.77", 5060)
LOCAL = ("192.0.2.1", 5060)


class Endpoint:
    """A user agent server and registrar that accepts what a robust one accepts."""

    def __init__(self) -> None:
        self.accepted: list[Request] = []
        self.acknowledged: list[Request] = []
        self.stack = Stack(self, Identifiers(b"torture"))

    def receive(self, data: bytes, transport: str = "UDP") -> list[Response]:
        """Let one message in over `transport`; returns the responses that go out, parsed."""
        self.stack.receive(data, Flow(transport, LOCAL, SOURCE), 0.0)
        answers = [parse_message(answer) for _, answer in self.stack.outbox]
        self.stack.outbox.clear()
        assert all(isinstance(answer, Response) for answer in answers)
        return [answer for answer in answers if isinstance(answer, Response)]

    def request_received(self, request: Request, transaction: ServerTransaction, now: float) -> None:
        inspect(request)
        assert request.contacts is not None  # read it as a registrar or the peer of a dialog does
        self.accepted.append(request)

    def ack_received(self, ack: Request, now: float) -> None:
        self.acknowledged.append(ack)


def accepted(name: str, transport: str = "UDP") -> Request:
    """The torture message `name` as the endpoint above the stack receives it; fails when it is refused."""
    endpoint = Endpoint()
    assert endpoint.receive(message(name), transport) == []
    assert len(endpoint.accepted) == 1
    return endpoint.accepted[0]


def refused(name: str, transport: str = "UDP") -> Response:
    """The one answer that the torture message `name` gets; fails when it is accepted or dropped."""
    endpoint = Endpoint()
    answers = endpoint.receive(message(name), transport)
    assert endpoint.accepted == []
    assert len(answers) == 1
    return answers[0]


def dropped(name: str, transport: str = "UDP") -> str:
    """What the stack counted for the torture message `name`, which has no effect; fails when it has one."""
    endpoint = Endpoint()
    assert endpoint.receive(message(name), transport) == []
    assert endpoint.accepted == []
    assert endpoint.stack.counts.total() == 1
    return next(iter(endpoint.stack.counts))
