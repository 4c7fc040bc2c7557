"""Messages for the tests, and a tap and a scribe with nothing between them."""

from __future__ import annotations

from pathlib import Path

from pbx.messages.scribe import Scribe
from pbx.messages.segments import Message, Segments
from pbx.messages.tap import Tap
from sip.core.flow import Flow

ALICE = Flow("UDP", ("10.54.0.10", 5060), ("192.0.2.1", 5060))
BRUNO = Flow("TCP", ("10.54.0.10", 5060), ("192.0.2.2", 40312))
PLENTY = 1 << 40


def request(method: str = "INVITE", call_id: str = "c1", lines: str = "", body: str = "") -> bytes:
    return (
        f"{method} sip:1002@valmont.example SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa\r\n"
        f"From: <sip:1001@valmont.example>;tag=a\r\nTo: <sip:1002@valmont.example>\r\nCall-ID: {call_id}\r\n"
        f"CSeq: 1 {method}\r\n{lines}Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


def response(status: str = "200 OK", method: str = "INVITE", call_id: str = "c1", lines: str = "") -> bytes:
    return (
        f"SIP/2.0 {status}\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa\r\n"
        f"From: <sip:1001@valmont.example>;tag=a\r\nTo: <sip:1002@valmont.example>;tag=b\r\n"
        f"Call-ID: {call_id}\r\nCSeq: 1 {method}\r\n{lines}Content-Length: 0\r\n\r\n"
    ).encode()


class Line:
    """A tap whose batches come to a scribe at once. now: what its clocks say."""

    def __init__(self, folder: Path, **options: object) -> None:
        self.now = 100.0
        self.folder = folder
        self.scribe = Scribe(Segments(folder, 7 * 86_400.0, PLENTY, free_bytes=lambda _: PLENTY, **options))
        self.tap = Tap(self, lambda: 1_800_000_000.0 + self.now, lambda: self.now)

    def send(self, batch: bytes) -> int:
        self.scribe.take(batch)
        return len(batch)

    def received(self, data: bytes, flow: Flow = ALICE) -> None:
        self.tap.crossed((self.now, flow, data))
        self.tap.pass_on()

    def sent(self, *data: bytes, flow: Flow = ALICE) -> None:
        self.tap.crossed((self.now, [(flow, one) for one in data]))
        self.tap.pass_on()


def labels(messages: list[Message]) -> list[str]:
    return [
        f"{'>' if message.sent else '<'} {message.data.decode().partition(chr(13))[0][:12]}"
        for message in messages
    ]
