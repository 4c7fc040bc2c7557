"""Messages for tests of the SIP core, as a phone would send them, and the addresses of both ends."""

from __future__ import annotations

from sip.core.flow import Flow
from sip.core.message import Request, Response
from sip.core.parser import parse_message
from sip.core.transactions.outbox import Outbox

PHONE = ("192.0.2.77", 5062)
LOCAL = ("192.0.2.1", 5060)
UDP = Flow("UDP", LOCAL, PHONE)
TCP = Flow("TCP", LOCAL, PHONE)
SDP = b"v=0\r\n"


def request_bytes(
    method: str = "OPTIONS",
    *,
    uri: str = "sip:bruno@valmont.example",
    branch: str = "z9hG4bK1",
    via: str = "",
    from_tag: str = "alice",
    to_tag: str = "",
    call_id: str = "c1",
    cseq: int = 7,
    headers: str = "",
    body: bytes = b"",
) -> bytes:
    """A request of the phone's. via: the whole value, where branch isn't enough; headers: lines with CRLF."""
    via = via or f"SIP/2.0/UDP 192.0.2.77:5062;branch={branch}"
    from_parameter = f";tag={from_tag}" if from_tag else ""
    to_parameter = f";tag={to_tag}" if to_tag else ""
    kind = "Content-Type: application/sdp\r\n" if body else ""
    return (
        f"{method} {uri} SIP/2.0\r\nVia: {via}\r\nMax-Forwards: 70\r\n"
        f"From: <sip:alice@valmont.example>{from_parameter}\r\n"
        f"To: <sip:bruno@valmont.example>{to_parameter}\r\n"
        f"Call-ID: {call_id}\r\nCSeq: {cseq} {method}\r\n{headers}{kind}Content-Length: {len(body)}\r\n\r\n"
    ).encode() + body


def request(method: str = "OPTIONS", *, headers: str = "", body: bytes = b"", **parts: str) -> Request:
    """The same, parsed."""
    message = parse_message(request_bytes(method, headers=headers, body=body, **parts))
    assert isinstance(message, Request)
    return message


def response_bytes(
    sent: bytes, status: int, *, to_tag: str = "bruno", headers: str = "", body: bytes = b""
) -> bytes:
    """The phone's response to a request of ours that it got as `sent`."""
    asked = read_request(sent)
    to = asked.first("to")
    if to_tag and ";tag=" not in to and status > 100:
        to = f"{to};tag={to_tag}"
    vias = "".join(f"Via: {via}\r\n" for via in asked.headers["via"])
    kind = "Content-Type: application/sdp\r\n" if body else ""
    return (
        f"SIP/2.0 {status} Phrase\r\n{vias}From: {asked.first('from')}\r\nTo: {to}\r\n"
        f"Call-ID: {asked.call_id}\r\nCSeq: {asked.first('cseq')}\r\n{headers}{kind}"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode() + body


def response(sent: bytes, status: int, *, to_tag: str = "bruno") -> Response:
    """The same, parsed."""
    return read_response(response_bytes(sent, status, to_tag=to_tag))


def read_request(data: bytes) -> Request:
    """What must be a request."""
    message = parse_message(data)
    assert isinstance(message, Request), data
    return message


def read_response(data: bytes) -> Response:
    """What must be a response."""
    message = parse_message(data)
    assert isinstance(message, Response), data
    return message


def label(data: bytes) -> str:
    """`INVITE` or `200 INVITE`."""
    message = parse_message(data)
    return message.method if isinstance(message, Request) else f"{message.status} {message.cseq[1]}"


def take(outbox: Outbox) -> list[bytes]:
    """What lies in an outbox, which is empty afterwards."""
    sent = [data for _, data in outbox]
    outbox.clear()
    return sent


def take_labels(outbox: Outbox) -> list[str]:
    """The same, as labels."""
    return [label(data) for data in take(outbox)]
