"""How a telephone gets a file: TFTP, HTTP, or HTTPS with whom it trusts and what its maker gave it."""

from __future__ import annotations

import http.client
import socket
import ssl
import struct
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from tests.provisioning.lan.network import Lan

BLOCK_BYTES = 512
MOST_BLOCKS = 200
MOST_DATAGRAM = 8_192
AGAIN_SECONDS = 1.0
MOST_TRIES = 45


class Got(NamedTuple):
    """What came of one request. status: as HTTP has it; tag: its entity tag (RFC 9110 section 8.8.3)."""

    status: int
    content: bytes
    tag: str = ""


class NotTrusted(Exception):
    """A telephone doesn't believe the server: it says nothing to it."""


def get(
    network: Lan,
    own: str,
    url: str,
    agent: str,
    trusted: Path | None,
    certificate: Path | None,
    known: str = "",
) -> Got:
    """One file. own: the telephone's address; known: the entity tag of the file that it has.

    Raises NotTrusted.
    """
    parts = urlsplit(url)
    host, path = parts.hostname or "", parts.path
    if parts.scheme == "tftp":
        return _by_tftp(network, own, host, path.lstrip("/"))
    port = parts.port or {"http": 80, "https": 443}[parts.scheme]
    connection = http.client.HTTPConnection(host, port)
    connection.sock = network.connected(own, (host, port))
    try:
        if parts.scheme == "https":
            context = ssl.create_default_context(cafile=trusted)
            context.verify_flags &= ~ssl.VERIFY_X509_STRICT
            if certificate is not None:
                context.load_cert_chain(certificate)
            connection.sock = context.wrap_socket(connection.sock, server_hostname=host)
        headers = {"User-Agent": agent} | ({"If-None-Match": known} if known else {})
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return Got(answer.status, answer.read(), answer.getheader("ETag", ""))
    except ssl.SSLCertVerificationError as error:
        raise NotTrusted(str(error)) from None
    finally:
        connection.close()


def asked_until_answered(client: socket.socket, ask: Callable[[], object]) -> tuple[bytes, tuple[str, int]]:
    """Ask, and again each second until something comes, as telephones do; the answer, and whose it is."""
    patience = client.gettimeout()
    client.settimeout(AGAIN_SECONDS)
    try:
        for _ in range(MOST_TRIES):
            ask()
            with suppress(TimeoutError):
                datagram, peer = client.recvfrom(MOST_DATAGRAM)
                return datagram, peer
    finally:
        client.settimeout(patience)
    raise AssertionError(f"nobody answers in {MOST_TRIES * AGAIN_SECONDS:g} s")


def _by_tftp(network: Lan, own: str, host: str, path: str) -> Got:
    """RFC 1350, without options."""
    content = b""
    with network.datagrams(own) as client:
        asking = b"\0\1" + path.encode() + b"\0octet\0"
        packet, peer = asked_until_answered(client, lambda: client.sendto(asking, (host, 69)))
        for block in range(1, MOST_BLOCKS):
            if block > 1:
                packet, peer = client.recvfrom(BLOCK_BYTES + 4)
            kind, number = struct.unpack_from("!HH", packet)
            if kind == 5:
                return Got(404, b"")
            assert (kind, number) == (3, block)
            content += packet[4:]
            client.sendto(struct.pack("!HH", 4, block), peer)
            if len(packet) < BLOCK_BYTES + 4:
                return Got(200, content)
    raise AssertionError(f"{path} has no end")
