"""Log lines for a log server: RFC 5424, over UDP (RFC 5426), TCP (RFC 6587) or the machine's own socket.

Nothing here waits and nothing here has a thread, for the supervisor forks: what a socket doesn't take now is
kept for the next line, as far as MOST_KEPT goes, and then forgotten, the oldest first. A server that is away
costs a try to connect every AGAIN_SECONDS.
"""

from __future__ import annotations

import errno
import logging
import re
import socket
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Literal, Protocol, TypeAlias

Transport: TypeAlias = Literal["udp", "tcp", "unix"]

MOST_KEPT = 1000
AGAIN_SECONDS = 5.0
MOST_DATAGRAM_BYTES = 2048  # RFC 5426 section 3.2: what every receiver takes
MOST_BYTES = 8192  # RFC 5425 section 4.3.1: what a receiver should take
_DAEMON = 3  # the facility, RFC 5424 section 6.2.1
_SEVERITIES = {"CRITICAL": 2, "ERROR": 3, "WARNING": 4, "INFO": 6, "DEBUG": 7}
# RFC 5612: the number for documentation, which stands here as long as there is none of our own.
_STRUCTURED = "beffroi@32473"
_FIELD = re.compile(r"(?:^|\s)([a-z_]{1,32})=([^\s\"\]\\]{1,200})")
_NOT_PRINTABLE = re.compile(r"[^\x21-\x7e]")


def fields_of(message: str) -> dict[str, str]:
    """Return the `key=value` fields of a log line."""
    return dict(_FIELD.findall(message))


class SyslogFormatter(logging.Formatter):
    """Makes a record a message of RFC 5424, without its frame."""

    def __init__(self, process: str, host: str, pid: int) -> None:
        super().__init__()
        # 6.2.4 to 6.2.6: printable ASCII, "-" for nothing.
        self._head = f"{_word(host, 255)} {_word(f'beffroi-{process}', 48)} {pid}"

    def format(self, record: logging.LogRecord) -> str:
        """Return the message."""
        text = super().format(record)
        priority = 8 * _DAEMON + _SEVERITIES.get(record.levelname, 6)
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        # 6.3.3: a quotation mark, a backslash and a closing bracket would be escaped; no field has one.
        fields = "".join(f' {name}="{value}"' for name, value in fields_of(record.getMessage()).items())
        structured = f"[{_STRUCTURED}{fields}]" if fields else "-"
        # 6.4: UTF-8 is announced by a byte order mark.
        return f"<{priority}>1 {at} {self._head} {_word(record.name, 32)} {structured} \ufeff{text}"


def _word(text: str, most: int) -> str:
    return _NOT_PRINTABLE.sub("?", text)[:most] or "-"


class Wire(Protocol):
    """A socket that doesn't block, as far as it is used here."""

    def send(self, data: bytes) -> int: ...
    def close(self) -> None: ...


class SyslogHandler(logging.Handler):
    """Sends records to a log server. connect: opens a socket that doesn't block; now: monotonic seconds."""

    def __init__(self, transport: Transport, connect: Callable[[], Wire], now: Callable[[], float]) -> None:
        super().__init__()
        self._is_stream = transport == "tcp"
        self._connect = connect
        self._now = now
        self._wire: Wire | None = None
        self._again_at = 0.0
        self._kept: deque[bytes] = deque(maxlen=MOST_KEPT)
        self._is_begun = False  # of the first that is kept, a part has gone

    def emit(self, record: logging.LogRecord) -> None:
        """Send a record, or keep it."""
        try:
            message = self.format(record).encode("utf-8", "replace")
        except (TypeError, ValueError):  # its arguments don't fit its text
            self.handleError(record)
            return
        if self._is_stream:
            cut = message[:MOST_BYTES]
            message = b"%d %s" % (len(cut), cut)  # RFC 6587 section 3.4.1: octet counting
        else:
            message = message[:MOST_DATAGRAM_BYTES]
        self._kept.append(message)
        self._send()

    def _send(self) -> None:
        while self._kept:
            if self._wire is None and not self._open():
                return
            assert self._wire is not None
            message = self._kept[0]
            try:
                sent = self._wire.send(message)
            except OSError as error:
                if error.errno in (errno.EAGAIN, errno.EWOULDBLOCK, errno.ENOTCONN, errno.EINPROGRESS):
                    return
                if error.errno == errno.EMSGSIZE:
                    self._kept.popleft()
                    continue
                self._drop()
                return
            if sent < len(message):
                self._kept[0], self._is_begun = message[sent:], True
                return
            self._kept.popleft()
            self._is_begun = False

    def _open(self) -> bool:
        if self._now() < self._again_at:
            return False
        try:
            self._wire = self._connect()
        except OSError:
            self._again_at = self._now() + AGAIN_SECONDS
            return False
        return True

    def _drop(self) -> None:
        if self._wire is not None:
            self._wire.close()
        self._wire = None
        self._again_at = self._now() + AGAIN_SECONDS
        if self._is_begun and self._kept:
            self._kept.popleft()  # its beginning went with the old connection
        self._is_begun = False

    def close(self) -> None:
        """Let go of the socket."""
        if self._wire is not None:
            self._wire.close()
        super().close()


def open_wire(transport: Transport, address: tuple[str, int] | str) -> socket.socket:
    """Return a socket that doesn't block, towards a log server; over TCP it may still be connecting.

    Raises OSError.
    """
    if transport == "unix":
        family = socket.AF_UNIX
    else:
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    kind = socket.SOCK_STREAM if transport == "tcp" else socket.SOCK_DGRAM
    made = socket.socket(family, kind)
    made.setblocking(False)
    try:
        made.connect(address)
    except BlockingIOError:
        return made  # TCP: on its way
    except OSError:
        made.close()
        raise
    return made
