"""Requests that are challenged (RFC 3261 section 22)."""

from __future__ import annotations

from sip.core.dialog import Dialog
from sip.core.dialog_request import DialogRequest
from sip.core.identifiers import Identifiers
from sip.core.message import Request, Response
from sip.core.stack import ServerTransaction
from sip.core.ua_core import UserAgentCore
from tests.sip.messages import UDP, read_request, response_bytes, take

CHALLENGE = 'WWW-Authenticate: Digest realm="r",nonce="n",qop="auth"\r\n'
STALE = 'WWW-Authenticate: Digest realm="r",nonce="m",qop="auth",stale=true\r\n'


class Sender:
    """Sends one short text, and answers challenges with numbered credentials."""

    def __init__(self) -> None:
        self.core = UserAgentCore(Identifiers(b"sender"), self)
        self.statuses: list[int] = []
        self.asked = 0
        dialog = Dialog("c1", "<sip:alice@valmont.example>", "a", "<sip:bruno@valmont.example>", "", UDP)
        dialog.remote_target = "sip:bruno@valmont.example"
        DialogRequest(self.core.stack, dialog, "MESSAGE", self, authorize=self.authorize, body=b"x").send(0.0)

    def authorize(self, _challenge: Response, _method: str, _uri: str) -> str:
        self.asked += 1
        return f"Authorization: Digest {self.asked}\r\n"

    def answer(self, status: int, headers: str = "") -> str:
        """Answer what it sent last; returns the credentials that this had, "" for none."""
        (data,) = take(self.core.stack.outbox)
        self.core.stack.receive(response_bytes(data, status, headers=headers), UDP, 0.0)
        return read_request(data).get("authorization") or ""

    def response_received(self, response: Response, now: float) -> None:
        self.statuses.append(response.status)

    def no_response(self, reason: str, now: float) -> None:
        raise AssertionError(reason)

    def request_received(self, request: Request, transaction: ServerTransaction, now: float) -> None:
        raise AssertionError(request.method)


def test_a_second_challenge_is_a_refusal() -> None:
    """RFC 3261 section 22.2: the password is wrong."""
    sender = Sender()
    assert [sender.answer(401, CHALLENGE), sender.answer(401, CHALLENGE)] == ["", "Digest 1"]
    assert sender.statuses == [401]
    assert take(sender.core.stack.outbox) == []


def test_a_second_challenge_that_says_stale_is_answered_once() -> None:
    """RFC 7616 section 3.3: the server has been started again, and its former nonces with it."""
    sender = Sender()
    sent = [sender.answer(401, CHALLENGE), sender.answer(401, STALE), sender.answer(202)]
    assert sent == ["", "Digest 1", "Digest 2"]
    assert sender.statuses == [202]


def test_a_server_that_says_stale_again_and_again_is_not_believed() -> None:
    sender = Sender()
    sent = [sender.answer(401, STALE), sender.answer(401, STALE), sender.answer(401, STALE)]
    assert sent == ["", "Digest 1", "Digest 2"]
    assert sender.statuses == [401]
    assert take(sender.core.stack.outbox) == []
