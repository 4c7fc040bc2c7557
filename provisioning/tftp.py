"""A TFTP server without input and output: what is sent for what came (RFC 1350, 2347, 2348, 2349).

Reading alone, in octets (`netascii` is taken and sent as octets: settings are UTF-8 with line feeds, which
every telephone reads). One `Transfer` a file; its owner keeps the address, the port and the clock.

    transfer = Transfer(content, request)
    send(transfer.first())
    send(transfer.receive(datagram))          b"" for nothing to send
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Final

READ, WRITE, DATA, ACK, ERROR, OPTIONS = 1, 2, 3, 4, 5, 6
NOT_FOUND, ACCESS_VIOLATION, ILLEGAL_OPERATION = 1, 2, 4
OPTIONS_REFUSED: Final = 8

MOST_REQUEST_BYTES: Final = 512
MOST_BLOCK_BYTES: Final = 1_428  # of an Ethernet frame, with IPv6, UDP and TFTP before it
MOST_FILE_BYTES: Final = 65_535 * 512
RETRANSMIT_SECONDS: Final = 1.0
MOST_RETRANSMISSIONS: Final = 5
MOST_UNANSWERED: Final = 2
"""Retransmissions to a sender that has acknowledged nothing yet: its address may be somebody else's."""


class TftpError(Exception):
    """A datagram asks for what isn't done. code: RFC 1350's; its `packet` says so to whoever asked."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.packet = struct.pack("!HH", ERROR, code) + message.encode("ascii", "replace") + b"\0"


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """Somebody wants a file. options: as asked, names in lower case."""

    path: str
    options: dict[str, str] = field(default_factory=dict)


def read_request(datagram: bytes) -> ReadRequest:
    """What a datagram on the server's port asks for. Raises TftpError for all but a request to read."""
    if len(datagram) < 4 or len(datagram) > MOST_REQUEST_BYTES:
        raise TftpError(ILLEGAL_OPERATION, "not a request")
    (operation,) = struct.unpack_from("!H", datagram)
    if operation == WRITE:
        raise TftpError(ACCESS_VIOLATION, "nothing is written here")
    if operation != READ or not datagram.endswith(b"\0"):
        raise TftpError(ILLEGAL_OPERATION, "not a request")
    try:
        path, mode, *pairs = datagram[2:-1].decode("ascii").split("\0")
    except (UnicodeDecodeError, ValueError):
        raise TftpError(ILLEGAL_OPERATION, "not a request") from None
    if mode.lower() not in ("octet", "netascii") or len(pairs) % 2:
        raise TftpError(ILLEGAL_OPERATION, "this mode isn't known here")
    return ReadRequest(path, dict(zip((name.lower() for name in pairs[::2]), pairs[1::2], strict=True)))


class Transfer:
    """One file on its way. done: the last block is acknowledged. seconds: before the last packet is sent
    again. is_answered: something was acknowledged, so that it is who asked.
    """

    def __init__(self, content: bytes, request: ReadRequest) -> None:
        """Raises TftpError for a file that is too large."""
        if len(content) > MOST_FILE_BYTES:
            raise TftpError(ACCESS_VIOLATION, "the file is too large for TFTP")
        self._content = content
        self._block_bytes = 512
        self._accepted: dict[str, str] = {}
        self.seconds = RETRANSMIT_SECONDS
        self._take(request.options)
        self._block = 0
        self._sent = b""
        self._retransmissions = 0
        self.is_answered = False
        self.done = False

    def first(self) -> bytes:
        """The packet that answers the request: the options taken (RFC 2347), or the first block."""
        if not self._accepted:
            return self._next()
        pairs = (f"{name}\0{value}\0".encode("ascii") for name, value in self._accepted.items())
        self._sent = struct.pack("!H", OPTIONS) + b"".join(pairs)
        return self._sent

    def receive(self, datagram: bytes) -> bytes:
        """The answer to what came from the telephone's port, b"" for none.

        An acknowledgement of another block than the last one sent is dropped: to answer it would send every
        block twice from there on (RFC 1123 section 4.2.3.1, the sorcerer's apprentice).
        """
        if len(datagram) < 4 or self.done:
            return b""
        operation, block = struct.unpack_from("!HH", datagram)
        if operation == ERROR:
            self.done = True
            return b""
        if operation != ACK or block != self._block & 0xFFFF:
            return b""
        self.is_answered = True
        if self._block and self._block * self._block_bytes > len(self._content):
            self.done = True
            return b""
        return self._next()

    def again(self) -> bytes:
        """The last packet once more, nothing having come for `seconds`; b"" when it has been sent often
        enough.
        """
        self._retransmissions += 1
        if self._retransmissions > (MOST_RETRANSMISSIONS if self.is_answered else MOST_UNANSWERED):
            self.done = True
            return b""
        return self._sent

    def _next(self) -> bytes:
        start = self._block * self._block_bytes
        self._block += 1
        self._retransmissions = 0
        data = self._content[start : start + self._block_bytes]
        self._sent = struct.pack("!HH", DATA, self._block & 0xFFFF) + data
        return self._sent

    def _take(self, options: dict[str, str]) -> None:
        size = options.get("blksize", "")
        if size.isdecimal() and len(size) <= 5 and int(size) >= 8:  # RFC 2348
            self._block_bytes = min(int(size), MOST_BLOCK_BYTES)
            self._accepted["blksize"] = str(self._block_bytes)
        seconds = options.get("timeout", "")
        if seconds.isdecimal() and len(seconds) <= 3 and 1 <= int(seconds) <= 255:  # RFC 2349
            self.seconds = float(min(int(seconds), 5))
            self._accepted["timeout"] = seconds
        if "tsize" in options:  # RFC 2349
            self._accepted["tsize"] = str(len(self._content))
