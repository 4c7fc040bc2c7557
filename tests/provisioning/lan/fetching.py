"""How a telephone gets a file: TFTP, HTTP, or HTTPS with whom it trusts and what its maker gave it."""

from __future__ import annotations

import http.client
import ssl
import struct
from pathlib import Path
from urllib.parse import urlsplit

from tests.provisioning.lan.network import Lan

BLOCK_BYTES = 512
MOST_BLOCKS = 200


class NotTrusted(Exception):
    """A telephone doesn't believe the server: it says nothing to it."""


def get(
    network: Lan, own: str, url: str, agent: str, trusted: Path | None, certificate: Path | None
) -> tuple[int, bytes]:
    """One file: a status as HTTP has it, and its content. own: the telephone's address.

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
        connection.request("GET", path, headers={"User-Agent": agent})
        answer = connection.getresponse()
        return answer.status, answer.read()
    except ssl.SSLCertVerificationError as error:
        raise NotTrusted(str(error)) from None
    finally:
        connection.close()


def _by_tftp(network: Lan, own: str, host: str, path: str) -> tuple[int, bytes]:
    """RFC 1350, without options."""
    content = b""
    with network.datagrams(own) as client:
        client.sendto(b"\0\1" + path.encode() + b"\0octet\0", (host, 69))
        for block in range(1, MOST_BLOCKS):
            packet, peer = client.recvfrom(BLOCK_BYTES + 4)
            kind, number = struct.unpack_from("!HH", packet)
            if kind == 5:
                return 404, b""
            assert (kind, number) == (3, block)
            content += packet[4:]
            client.sendto(struct.pack("!HH", 4, block), peer)
            if len(packet) < BLOCK_BYTES + 4:
                return 200, content
    raise AssertionError(f"{path} has no end")
