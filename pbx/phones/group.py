"""The multicast group in which telephones ask who will configure them, answered in an open window alone.

    SUBSCRIBE (Event: ua-profile) ──> 200, then NOTIFY with the address of the settings in its body

Only to telephones in the voice networks; what is told is an address that everybody may know.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import socket
from collections.abc import Callable
from typing import Final

from pbx.phones.limits import Limits
from provisioning.plug_and_play import CONTENT_TYPE, EVENT, Asking, NotAsking, asking
from sip.core.errors import SipError
from sip.core.message import Request, build_response
from sip.core.parser import parse_message

log = logging.getLogger(__name__)

MOST_REQUESTS: Final = 20
"""Of one address in a minute (`pbx.phones.limits`): each is answered, listed and logged."""
MOST_DATAGRAM: Final = 8_192
_DRAINED: Final = 64


class Group:
    """Answers those who ask. interface: our address; url: of the settings; sees: told of each who asks."""

    def __init__(
        self,
        bound: socket.socket,
        interface: str,
        url: str,
        limits: Limits,
        *,
        is_voice: Callable[[str], bool],
        window_open: Callable[[], bool],
        sees: Callable[[Asking, str], object],
    ) -> None:
        self._bound = bound
        self._interface = interface
        self._url = url
        self._limits = limits
        self._is_voice = is_voice
        self._window_open = window_open
        self._sees = sees
        self._own = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._own.setblocking(False)
        self._own.bind((interface, 0))

    def start(self) -> None:
        """Answer from now on."""
        loop = asyncio.get_running_loop()
        loop.add_reader(self._bound.fileno(), self._read)
        loop.add_reader(self._own.fileno(), self._drain)

    def stop(self) -> None:
        """Answer no more."""
        loop = asyncio.get_running_loop()
        for one in (self._bound, self._own):
            loop.remove_reader(one.fileno())
            one.close()

    def _drain(self) -> None:
        """What answers our NOTIFY needs no answer."""
        for _ in range(_DRAINED):
            try:
                self._own.recv(MOST_DATAGRAM)
            except OSError:
                return

    def _read(self) -> None:
        for _ in range(_DRAINED):
            try:
                datagram, peer = self._bound.recvfrom(MOST_DATAGRAM)
            except (BlockingIOError, ConnectionError):
                return
            if self._is_voice(peer[0]) and self._limits.takes(peer[0]):
                self._answer(datagram, peer)

    def _answer(self, datagram: bytes, peer: tuple[str, int]) -> None:
        try:
            request = parse_message(datagram)
            if not isinstance(request, Request) or request.method != "SUBSCRIBE":
                return
            asked = asking(_user(request.from_.uri), request.only("event"))
        except (SipError, NotAsking) as error:
            log.debug("plug and play from=%s: %s", peer[0], error)
            return
        self._sees(asked, peer[0])
        if not self._window_open():
            return
        tag = secrets.token_hex(6)
        host, port = self._own.getsockname()
        contact = f"Contact: <sip:{host}:{port}>\r\nExpires: 0\r\n"
        for packet in (build_response(request, 200, to_tag=tag, headers=contact), self._notify(request, tag)):
            try:
                self._own.sendto(packet, peer)
            except OSError as error:
                log.debug("plug and play to=%s: %s", peer[0], error.strerror)
        log.info("plug and play phone=%s from=%s told=%s", asked.mac, peer[0], self._url)

    def _notify(self, request: Request, tag: str) -> bytes:
        """The NOTIFY that ends the subscription which it answers (RFC 6665 section 4.2.2)."""
        host, port = self._own.getsockname()
        body = self._url.encode("ascii")
        to, from_ = request.get("from"), request.get("to")
        contact = request.contacts[0].uri if request.get("contact") else request.from_.uri
        return (
            f"NOTIFY {contact} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bK{secrets.token_hex(8)}\r\n"
            f"Max-Forwards: 5\r\nFrom: {from_};tag={tag}\r\nTo: {to}\r\n"
            f"Call-ID: {request.call_id}\r\nCSeq: 1 NOTIFY\r\n"
            f"Contact: <sip:{host}:{port}>\r\nEvent: {EVENT}\r\n"
            f"Subscription-State: terminated;reason=timeout\r\n"
            f"Content-Type: {CONTENT_TYPE}\r\nContent-Length: {len(body)}\r\n\r\n"
        ).encode("utf-8", "surrogateescape") + body


def _user(uri: str) -> str:
    """The user part as written, "" without one: a telephone writes its address with a colon escaped."""
    user, at, _ = uri.partition(":")[2].partition("@")
    return user if at else ""
