"""The worker's end: what Tap passes on is looked through, and what belongs to a call is written down.

Of REGISTER, OPTIONS, SUBSCRIBE, PUBLISH and MESSAGE nothing is kept, of NOTIFY what tells a transfer (RFC
3515). Secrets go before anything comes to a disk. A disk that fails or fills loses messages and nothing else.
"""

from __future__ import annotations

import logging
import re
import socket
import threading
from collections.abc import Iterator
from typing import Any, TypeAlias

import msgspec

from pbx.messages.blanking import call_id_of, without_secrets
from pbx.messages.index import write_missing
from pbx.messages.segments import HEAD, RECEIVED, SENT, Segments, sweep
from pbx.messages.trouble import leave_word

log = logging.getLogger(__name__)

KEPT = frozenset({b"INVITE", b"ACK", b"BYE", b"CANCEL", b"PRACK", b"UPDATE", b"REFER", b"INFO"})
AGAIN_SECONDS = 10.0  # after which a disk that failed is tried again
SWEEP_SECONDS = 60.0
MOST_TRANSFERS = 1000
WAIT_SECONDS = 0.2
MOST_BATCH_BYTES = 1 << 20

Entry: TypeAlias = tuple[float, str, bytes] | tuple[float, list[tuple[str, bytes]]]
"""As Tap's, with the flow written out."""

_decoder = msgspec.msgpack.Decoder(tuple[float, list[Any]])
_CSEQ = re.compile(rb"\r\ncseq[ \t]*:\s*[0-9]+[ \t]+([A-Z]+)", re.IGNORECASE)


class Scribe:
    """Who writes messages down. trouble: why nothing is written at the moment; lost: how many weren't."""

    def __init__(self, segments: Segments) -> None:
        self.trouble = ""
        self.lost = 0
        self._segments = segments
        self._transfers: dict[bytes, None] = {}  # Call-IDs in which there was a REFER, the newest last
        self._again_at = 0.0
        self._sweep_at = 0.0
        leave_word(segments.folder, "")  # of a scribe before: this one tries anew

    def run(self, end: socket.socket, stopping: threading.Event) -> None:
        """Take what comes until the other end closes, or `stopping` is set and nothing comes any more."""
        end.settimeout(WAIT_SECONDS)
        while True:
            try:
                batch = end.recv(MOST_BATCH_BYTES)
            except TimeoutError:
                if stopping.is_set():
                    break
                continue
            if not batch:
                break
            self.take(batch)
        self._segments.close()

    def take(self, batch: bytes) -> None:
        """Write down what is to be kept of a batch of the Tap's, by one write. Raises nothing."""
        try:
            since, crossed = _decoder.decode(batch)
        except msgspec.DecodeError as error:
            log.error("a batch of messages can't be read: %s", error)
            return
        kept = [frame for entry in crossed for frame in self._kept(since, entry)]
        if not kept:
            return
        at = HEAD.unpack_from(kept[0])[3]
        if self.trouble and 0 <= at - self._again_at < AGAIN_SECONDS:
            self.lost += len(kept)
            return
        try:
            self._segments.append(b"".join(kept), at)
            self._keep_house(at)
        except OSError as error:
            self.lost += len(kept)
            self._again_at = at
            if not self.trouble:
                log.error("messages of calls aren't kept: %s", error.strerror or error)
            self.trouble = error.strerror or str(error)
            leave_word(self._segments.folder, self.trouble)
            return
        if self.trouble:
            log.warning("messages of calls are kept again; lost=%d", self.lost)
            self.trouble = ""
            leave_word(self._segments.folder, "")

    def _keep_house(self, at: float) -> None:
        """Index what is closed, and remove what is too old, now and then."""
        if 0 <= at - self._sweep_at < SWEEP_SECONDS:
            return
        self._sweep_at = at
        write_missing(self._segments.folder)
        sweep(self._segments.folder, at - self._segments.keep_seconds, self._segments.most_bytes)

    def _kept(self, since: float, entry: Entry) -> Iterator[bytes]:
        """The frames of what is kept of an entry."""
        if len(entry) == 3:
            at, path, data = entry
            crossed, kind = [(path, data)], RECEIVED
        else:
            (at, crossed), kind = entry, SENT
        for path, message in crossed:
            method = self._method(message)
            if method == b"REFER":
                self._transfer(call_id_of(message))
            if method not in KEPT and (method != b"NOTIFY" or call_id_of(message) not in self._transfers):
                continue
            message = without_secrets(message, method)
            where = path.encode("ascii", "replace")[:255]
            yield HEAD.pack(len(where) + len(message), kind, len(where), at + since) + where + message

    def _method(self, message: bytes) -> bytes:
        message = message.lstrip(b"\r\n")
        if not message.startswith(b"SIP/2.0 "):
            return message[:16].partition(b" ")[0]
        found = _CSEQ.search(message)
        return found[1] if found is not None else b""

    def _transfer(self, call_id: bytes) -> None:
        self._transfers[call_id] = None
        if len(self._transfers) > MOST_TRANSFERS:
            del self._transfers[next(iter(self._transfers))]
