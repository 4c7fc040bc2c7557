"""SIP over WebSocket (RFC 7118, RFC 6455): one SIP message in each WebSocket message.

Without input or output. `websockets` follows the protocol; here is what SIP asks of it, and its bounds.

A browser says in Origin which page opens the WebSocket: a page of anybody's may try, from within the network
that its reader is on (RFC 6455 section 10.2). Pages of the host that the WebSocket is on may, and those that
are configured. Who says no Origin is no browser: it proves who it is by digest, as over any other transport.
"""

from __future__ import annotations

import logging
from http import HTTPStatus
from urllib.parse import urlsplit

from websockets.exceptions import InvalidState
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from sip.core.errors import ParseError
from sip.core.parser import MAX_MESSAGE_BYTES, KeepAlive

log = logging.getLogger(__name__)
_library_log = logging.getLogger("sip.net.websocket.library")
_library_log.setLevel(logging.ERROR)  # it tells of every connection

MAX_HANDSHAKE_BYTES = 16_384
GOING_AWAY = 1001
INVALID_TEXT = 1007


class WebSocketFraming:
    """A server's end of one WebSocket. ended: nothing more comes, close when what is to send is sent.

    origins: of pages that may open it besides those of its own host, as `https://www.valmont.example`.
    """

    __slots__ = ("_message", "_origins", "_protocol", "_shaken_bytes", "_text", "ended")

    def __init__(self, origins: frozenset[str] = frozenset()) -> None:
        self._origins = origins
        self._protocol = ServerProtocol(
            subprotocols=[Subprotocol("sip")],  # RFC 7118 section 4: no other, and not none
            max_size=MAX_MESSAGE_BYTES,
            logger=_library_log,
        )
        self._message: bytearray | None = None  # fragments of an unfinished message
        self._text = False
        self._shaken_bytes = 0
        self.ended = False

    @property
    def pending(self) -> int:
        """Bytes of an unfinished message, at least 1 while there is one."""
        unread = len(self._protocol.reader.buffer)
        return unread + (1 + len(self._message) if self._message is not None else 0)

    def feed(self, data: bytes) -> list[bytes | KeepAlive]:
        """The SIP messages and keep-alives that `data` completes; `to_send` may have an answer.

        Raises ParseError when the handshake is too long.
        """
        protocol = self._protocol
        if protocol.state is State.CONNECTING:
            self._shaken_bytes += len(data)
            if self._shaken_bytes > MAX_HANDSHAKE_BYTES:
                raise ParseError("the WebSocket handshake is too long")
        protocol.receive_data(data)
        frames: list[bytes | KeepAlive] = []
        for event in protocol.events_received():
            if isinstance(event, Request):
                if _may_open(event, self._origins):
                    response = protocol.accept(event)
                else:
                    # RFC 6455 section 4.2.2 step 4: an origin that isn't acceptable gets 403.
                    response = protocol.reject(HTTPStatus.FORBIDDEN, "This page may not call here.\n")
                if response.status_code != 101:
                    log.info("WebSocket handshake refused with %d", response.status_code)
                protocol.send_response(response)
            elif isinstance(event, Frame) and protocol.state is not State.CONNECTING:
                frames += self._frame(event)
        return frames

    def _frame(self, frame: Frame) -> list[bytes | KeepAlive]:
        if frame.opcode in {Opcode.TEXT, Opcode.BINARY}:
            self._message = bytearray()
            self._text = frame.opcode is Opcode.TEXT
        elif frame.opcode is not Opcode.CONT:
            return []  # ping, pong and close are answered by the library
        if self._message is None:
            return []
        self._message += frame.data
        if not frame.fin:
            return []
        message, self._message = bytes(self._message), None
        if self._text and not _is_utf8(message):
            self._protocol.fail(INVALID_TEXT)  # RFC 6455 section 8.1
            return []
        if message.strip(b"\r\n"):
            return [message]
        return [KeepAlive.PING if len(message) >= 4 else KeepAlive.PONG]  # RFC 7118 section 6

    def wrap(self, message: bytes) -> bytes:
        """The frame that carries one message. Raises ConnectionResetError once the WebSocket is closing."""
        try:
            if message.isascii() or _is_utf8(message):
                self._protocol.send_text(message)
            else:  # RFC 7118 section 4.2: what isn't UTF-8 goes as binary
                self._protocol.send_binary(message)
        except InvalidState as error:
            raise ConnectionResetError("the WebSocket is closing") from error
        return self.to_send()

    def ping(self) -> bytes:
        """The frame that a peer answers if it is there (RFC 6455 section 5.5.2); empty unless it is open."""
        if self._protocol.state is State.OPEN:
            self._protocol.send_ping(b"")
        return self.to_send()

    def to_send(self) -> bytes:
        """What WebSocket itself has to say: the handshake's answer, pongs, the closing."""
        pieces = self._protocol.data_to_send()
        if b"" in pieces:  # the library's word for the end
            self.ended = True
        return b"".join(pieces)

    def farewell(self) -> bytes:
        """The closing of a node that stops (RFC 6455 section 7.4.1)."""
        if self._protocol.state is State.OPEN:
            self._protocol.send_close(GOING_AWAY)
        return self.to_send()


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _may_open(handshake: Request, origins: frozenset[str]) -> bool:
    """Whether the page that asks for a WebSocket may have it; a client without a page may."""
    said = handshake.headers.get_all("Origin")
    if not said:
        return True
    origin = said[0].lower()
    if len(said) > 1 or origin in origins:
        return len(said) == 1
    hosts = handshake.headers.get_all("Host")
    try:
        page, own = urlsplit(origin), urlsplit(f"//{hosts[0].lower() if hosts else ''}")
    except ValueError:
        return False
    # Of the same host; its port may be another one: the pages are on the web server's.
    return page.scheme in {"http", "https"} and page.hostname is not None and page.hostname == own.hostname
