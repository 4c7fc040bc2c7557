"""rtpengine's ng protocol: one bencoded dictionary in a datagram, each request with a cookie.

```
    we    COOKIE d7:command4:ping…e        sent again after RESEND_SECONDS, with the same cookie
    it    COOKIE d6:result4:ponge          the first reply with a cookie counts, any other is dropped
```
The daemon remembers what it answered to a cookie, so a request that is sent again is never carried out
twice. `encode` and `decode` are the whole of bencoding; `Client` is the conversation with one daemon,
over whatever carries datagrams; `Link` is a UDP socket that does.

What comes from the network is bounded and read strictly; what can't be read is counted and dropped, as
a datagram that was lost would be.
"""

import asyncio
import secrets
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

Value: TypeAlias = "int | bytes | list[Value] | dict[str, Value]"
Reply: TypeAlias = "dict[str, Value]"
# What may be said: texts are sent as their bytes.
Said: TypeAlias = "int | str | bytes | Sequence[Said] | dict[str, Said]"

MAX_BYTES: Final = 65_507  # of a UDP datagram
MAX_DEPTH: Final = 16
MAX_DIGITS: Final = 20
# 3 s in all: as long as a caller may wait for one verb before the daemon counts as gone.
RESEND_SECONDS: Final = (0.2, 0.4, 0.8, 1.6)


class NgError(ValueError):
    """Bytes that aren't a bencoded value, or more than a datagram holds."""


class NgRefused(Exception):
    """The daemon answered with an error. reason: its own words."""

    def __init__(self, command: str, reason: str) -> None:
        super().__init__(f"{command}: {reason}")
        self.reason = reason


class NgSilent(Exception):
    """The daemon didn't answer, or nothing listens there."""


# --- bencoding ----------------------------------------------------------------


def encode(value: Said) -> bytes:
    """Return a value bencoded; texts as UTF-8, keys of a dictionary in order."""
    match value:
        case int():
            return b"i%de" % value
        case bytes():
            return b"%d:%s" % (len(value), value)
        case str():
            return encode(value.encode())
        case dict():
            return b"d%se" % b"".join(encode(key) + encode(value[key]) for key in sorted(value))
        case _:
            return b"l%se" % b"".join(encode(one) for one in value)


def decode(data: bytes) -> Value:
    """Return the one value that the bytes hold; keys are texts, all other strings bytes.

    Raises NgError for what isn't bencoded, for more behind it, for a key that comes twice, and for
    more than MAX_DEPTH lists and dictionaries inside each other.
    """
    if len(data) > MAX_BYTES:
        raise NgError(f"more than {MAX_BYTES} bytes")
    value, end = _decode(data, 0, 0)
    if end != len(data):
        raise NgError(f"{len(data) - end} bytes behind the value")
    return value


def _decode(data: bytes, at: int, depth: int) -> tuple[Value, int]:
    if depth > MAX_DEPTH:
        raise NgError(f"more than {MAX_DEPTH} values inside each other")
    kind = data[at : at + 1]
    if kind == b"i":
        return _number(data, at + 1, b"e")
    if kind == b"l":
        values: list[Value] = []
        at += 1
        while data[at : at + 1] != b"e":
            value, at = _decode(data, at, depth + 1)
            values.append(value)
        return values, at + 1
    if kind == b"d":
        return _dictionary(data, at + 1, depth)
    return _string(data, at)


def _dictionary(data: bytes, at: int, depth: int) -> tuple[Value, int]:
    pairs: dict[str, Value] = {}
    while data[at : at + 1] != b"e":
        name, at = _string(data, at)
        key = name.decode("latin-1")
        if key in pairs:
            raise NgError(f"key {key[:40]!r} comes twice")
        pairs[key], at = _decode(data, at, depth + 1)
    return pairs, at + 1


def _string(data: bytes, at: int) -> tuple[bytes, int]:
    length, start = _number(data, at, b":")
    if length < 0 or start + length > len(data):
        raise NgError(f"a string of {length} bytes where {len(data) - start} are left")
    return data[start : start + length], start + length


def _number(data: bytes, at: int, end: bytes) -> tuple[int, int]:
    stop = data.find(end, at, at + MAX_DIGITS + 2)
    digits = data[at:stop] if stop >= 0 else b""
    number = digits.removeprefix(b"-")
    if not number.isdigit() or len(number) > MAX_DIGITS:
        raise NgError(f"no number at byte {at}")
    if (number != b"0" and number[:1] == b"0") or digits == b"-0":
        raise NgError(f"a number with a needless zero at byte {at}")
    return int(digits), stop + 1


# --- the conversation -----------------------------------------------------------


@dataclass(slots=True)
class _Request:
    command: str
    datagram: bytes
    reply: "asyncio.Future[Reply]"
    waits: list[float]
    timer: asyncio.TimerHandle | None = None


@dataclass(slots=True)
class Counts:
    """What one client has seen. strange: datagrams that no request waited for, or that can't be read."""

    asked: int = 0
    sent_again: int = 0
    unanswered: int = 0
    strange: int = 0


@dataclass(slots=True, eq=False)
class Client:
    """Requests to one daemon. send: gives a datagram to the network; it may be lost there.

    resend_seconds: when a request is sent again, and after the last of them given up.
    """

    send: Callable[[bytes], None]
    resend_seconds: Sequence[float] = RESEND_SECONDS
    counts: Counts = field(default_factory=Counts)
    _prefix: str = field(default_factory=lambda: secrets.token_hex(6))
    _waiting: dict[bytes, _Request] = field(default_factory=dict)

    def begin(self, command: str, said: dict[str, Said] | None = None) -> "asyncio.Future[Reply]":
        """Send a request; the future gives the daemon's answer.

        It fails with NgRefused when the daemon answers with an error, and with NgSilent when it doesn't
        answer. Raises NgError for more than a datagram holds.
        """
        # The prefix can't be guessed: a stranger who sends to our port answers nothing.
        cookie = f"{self._prefix}{self.counts.asked}".encode()
        datagram = cookie + b" " + encode({**(said or {}), "command": command})
        if len(datagram) > MAX_BYTES:
            raise NgError(f"{command} takes {len(datagram)} bytes, a datagram holds {MAX_BYTES}")
        self.counts.asked += 1
        reply: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        request = _Request(command, datagram, reply, list(self.resend_seconds))
        self._waiting[cookie] = request
        reply.add_done_callback(lambda _: self._forget(cookie))
        self._transmit(request)
        return reply

    async def ask(self, command: str, said: dict[str, Said] | None = None) -> Reply:
        """Send a request and return the answer. Raises NgRefused, NgSilent, NgError."""
        return await self.begin(command, said)

    def receive(self, datagram: bytes) -> None:
        """Take what came from the daemon's address."""
        cookie, space, body = datagram.partition(b" ")
        request = self._waiting.get(cookie)
        if request is None or not space:
            self.counts.strange += 1
            return
        try:
            answer = decode(body)
        except NgError:
            self.counts.strange += 1
            return
        if not isinstance(answer, dict) or request.reply.done():
            self.counts.strange += 1
        elif answer.get("result") in (b"error", b"load limit"):
            reason = answer.get("error-reason", answer.get("message", b"no reason given"))
            words = reason.decode(errors="replace")[:200] if isinstance(reason, bytes) else "no reason given"
            request.reply.set_exception(NgRefused(request.command, words))
        else:
            request.reply.set_result(answer)

    def lose(self, reason: str) -> None:
        """Give up all that waits: nothing listens there."""
        for request in list(self._waiting.values()):
            if not request.reply.done():
                self.counts.unanswered += 1
                request.reply.set_exception(NgSilent(reason))

    @property
    def waiting(self) -> int:
        """How many requests wait for an answer."""
        return len(self._waiting)

    def _transmit(self, request: _Request) -> None:
        self.send(request.datagram)
        if not request.reply.done():
            loop = asyncio.get_running_loop()
            request.timer = loop.call_later(request.waits.pop(0), self._unanswered, request)

    def _unanswered(self, request: _Request) -> None:
        if request.waits:
            self.counts.sent_again += 1
            self._transmit(request)
        elif not request.reply.done():
            self.counts.unanswered += 1
            request.reply.set_exception(NgSilent(f"no answer to {request.command}"))

    def _forget(self, cookie: bytes) -> None:
        request = self._waiting.pop(cookie)
        if request.timer is not None:
            request.timer.cancel()


class Link:
    """A connected UDP socket, read by the loop: the network lets only the daemon's address through.

    receive: called with each datagram; refused: called where the machine says that nothing listens there.
    """

    def __init__(
        self, address: tuple[str, int], receive: Callable[[bytes], None], refused: Callable[[str], None]
    ) -> None:
        """Open the socket. Raises OSError where no way leads there."""
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self._receive, self._refused = receive, refused
        self._socket = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            self._socket.connect(address)
        except OSError:
            self._socket.close()
            raise
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._socket.fileno(), self._readable)

    def send(self, datagram: bytes) -> None:
        """Send a datagram, or lose it: who sent it will send it again."""
        try:
            self._socket.send(datagram)
        except BlockingIOError:
            return
        except OSError as error:
            # Of an earlier datagram, perhaps; told later, so that nobody is called back while it sends.
            self._loop.call_soon(self._refused, error.strerror or str(error))

    def close(self) -> None:
        """Close the socket."""
        self._loop.remove_reader(self._socket.fileno())
        self._socket.close()

    def _readable(self) -> None:
        try:
            datagram = self._socket.recv(MAX_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            self._refused(error.strerror or str(error))
            return
        self._receive(datagram)
