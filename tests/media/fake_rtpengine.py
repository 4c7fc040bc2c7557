"""An rtpengine written by hand: it gives ports, remembers what it was asked, and fails when it is told to."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Callable
from typing import Any

from media.engines.ng import Reply, Value, decode, encode


class FakeDaemon:
    """One daemon. asked: the commands and what they said, in order; calls: ports by call and party.

    mute: it doesn't answer; gone: nothing listens there; lose: how many of its next answers are lost;
    ports: that it has left. packets: that have come from each party. strange: what it refuses to read.
    """

    def __init__(self, host: str = "192.0.2.8", ports: int = 1000) -> None:
        self.host = host
        self.ports = ports
        self.asked: list[tuple[str, Reply]] = []
        self.calls: dict[str, dict[str, int]] = {}
        self.packets: Counter[str] = Counter()
        self.refusals: dict[str, str] = {}
        self.strange = b"m=strange"
        self.mute = self.gone = False
        self.lose = 0
        self._next = 30000
        self._answered: dict[bytes, bytes] = {}

    def restart(self) -> None:
        """Forget everything, as a daemon does that was killed and started again."""
        self.calls.clear()
        self._answered.clear()

    def said(self, command: str) -> list[dict[str, Any]]:
        """Return what was said with every request of this kind."""
        return [said for name, said in self.asked if name == command]

    def datagram(self, data: bytes) -> bytes:
        """Return the answer to a datagram, the same again for a cookie that came before."""
        cookie, _, body = data.partition(b" ")
        if cookie not in self._answered:
            request = decode(body)
            assert isinstance(request, dict)
            self._answered[cookie] = cookie + b" " + encode(self._answer(request))
        return self._answered[cookie]

    def _answer(self, request: Reply) -> dict[str, Value]:
        command = text(request.pop("command"))
        self.asked.append((command, request))
        if command == "ping":
            return {"result": b"pong"}
        if command in self.refusals:
            return {"result": b"error", "error-reason": self.refusals[command].encode()}
        call = text(request["call-id"])
        if command not in ("offer", "delete") and call not in self.calls:
            return {"result": b"error", "error-reason": b"Unknown call-id"}
        match command:
            case "offer" | "answer":
                return self._exchange(command, call, request)
            case "delete":
                self.calls.pop(call, None)
            case "query":
                tags: Value = {tag: self._party(tag, port) for tag, port in self.calls[call].items()}
                return {"result": b"ok", "tags": tags}
        return {"result": b"ok"}

    def _exchange(self, command: str, call: str, request: Reply) -> dict[str, Value]:
        if text(request.get("address family", b"IP4")) != "IP4":
            return {"result": b"error", "error-reason": b"Ran out of ports"}
        body = request["sdp"]
        if isinstance(body, bytes) and self.strange in body:
            return {"result": b"error", "error-reason": b"Failed to parse SDP"}
        parties = self.calls.setdefault(call, {})
        tag = text(request["to-tag" if command == "offer" else "from-tag"])
        if tag not in parties:
            if not self.ports:
                del self.calls[call]
                return {"result": b"error", "error-reason": b"Ran out of ports"}
            self.ports -= 1
            self._next += 2
            parties[tag] = self._next
        said = (
            f"v=0\r\no=- 1 1 IN IP4 {self.host}\r\ns=-\r\nc=IN IP4 {self.host}\r\nt=0 0\r\n"
            f"m=audio {parties[tag]} RTP/AVP 8\r\n"
        )
        return {"result": b"ok", "sdp": said.encode()}

    def _party(self, tag: str, port: int) -> dict[str, Value]:
        stream: dict[str, Value] = {
            "local address": self.host.encode(),
            "local port": port,
            "stats": {"packets": self.packets[tag], "bytes": 172 * self.packets[tag], "errors": 0},
        }
        return {"tag": tag.encode(), "medias": [{"streams": [stream]}]}


class Road:
    """The way to one fake daemon, and back: answers come in the loop's next turn."""

    def __init__(
        self, daemon: FakeDaemon, receive: Callable[[bytes], None], refused: Callable[[str], None]
    ) -> None:
        self._daemon, self._receive, self._refused = daemon, receive, refused

    def send(self, datagram: bytes) -> None:
        loop = asyncio.get_running_loop()
        if self._daemon.gone:
            loop.call_soon(self._refused, "Connection refused")
        elif not self._daemon.mute:
            answer = self._daemon.datagram(datagram)
            if self._daemon.lose:
                self._daemon.lose -= 1
            else:
                loop.call_soon(self._receive, answer)

    def close(self) -> None:
        """Nothing to close."""


class FakeNetwork:
    """Fake daemons by address; `connect` is what a pool is given."""

    def __init__(self, *daemons: FakeDaemon) -> None:
        self.daemons = {(f"10.0.0.{place}", 2223): daemon for place, daemon in enumerate(daemons, 1)}

    @property
    def addresses(self) -> list[tuple[str, int]]:
        return list(self.daemons)

    def connect(
        self, address: tuple[str, int], receive: Callable[[bytes], None], refused: Callable[[str], None]
    ) -> Road:
        return Road(self.daemons[address], receive, refused)


def text(value: Value) -> str:
    """Return a string of the protocol as a text."""
    assert isinstance(value, bytes)
    return value.decode()


def audio_of(said: Reply) -> tuple[str, int]:
    """Return where the description in a request says that sound goes to."""
    body = text(said["sdp"])
    host, port = (
        re.search(r"^c=IN IP\d (\S+)", body, re.MULTILINE),
        re.search(r"^m=audio (\d+)", body, re.MULTILINE),
    )
    assert host is not None and port is not None
    return host[1], int(port[1])
