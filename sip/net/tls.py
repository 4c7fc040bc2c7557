"""TLS without input or output, and whom a certificate speaks for (RFC 3261 section 26.3.1, RFC 5922).

`TlsSession` turns bytes of the network into bytes of the peer and back; the connection that holds it keeps
the bounds. The chain is verified by OpenSSL, the name by us: a certificate may hold a SIP
domain as a URI.
"""

from __future__ import annotations

import contextlib
import ipaddress
import logging
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from sip.net.addresses import is_address
from sip.net.certificates import Certificate, CertificateError, file_stamp

log = logging.getLogger(__name__)

READ_BYTES = 65_536
MAX_CONTEXTS = 256


@dataclass(frozen=True, slots=True)
class PeerIdentity:
    """Who a TLS server must prove to be, for us to speak to it.

    name: a domain, host name or literal address; `*.` only matches a certificate that says just that.
    ca_file: PEM of those who may vouch for it; None for those of the transport, else the system's.
    verified: False takes any certificate, for a peer whose certificate can't be checked.
    """

    name: str
    ca_file: Path | None = None
    verified: bool = True


class TlsSession:
    """One end of a TLS connection. ended: the peer said that it sends no more.

    server_name: as a client, the name asked for (SNI); None makes it the server's end.
    """

    __slots__ = ("_incoming", "_outgoing", "_tls", "ended", "established")

    def __init__(self, context: ssl.SSLContext, server_name: str | None = None) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(
            self._incoming, self._outgoing, server_side=server_name is None, server_hostname=server_name
        )
        self.established = False
        self.ended = False
        if server_name is not None:
            self._shake_hands()

    def receive(self, data: bytes) -> bytes:
        """What the peer says in `data`, nothing during the handshake; `to_send` may have an answer.

        Raises ssl.SSLError when this isn't TLS, or TLS that we don't accept.
        """
        self._incoming.write(data)
        if not self.established and not self._shake_hands():
            return b""
        pieces = []
        while not self.ended:
            try:
                piece = self._tls.read(READ_BYTES)
            except ssl.SSLWantReadError:
                break
            except ssl.SSLZeroReturnError:
                piece = b""
            if not piece:
                self.ended = True
            pieces.append(piece)
        return b"".join(pieces)

    def _shake_hands(self) -> bool:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        self.established = True
        return True

    def wrap(self, data: bytes) -> bytes:
        """The bytes that carry `data`. Raises ssl.SSLError."""
        self._tls.write(data)
        return self._outgoing.read()

    def to_send(self) -> bytes:
        """What TLS itself has to say: handshake, tickets, alerts."""
        return self._outgoing.read()

    def farewell(self) -> bytes:
        """The alert that says that we send no more (RFC 8446 section 6.1)."""
        if self.established:
            with contextlib.suppress(OSError):  # it waits for the peer's own; the alert is written
                self._tls.unwrap()
        return self._outgoing.read()

    def identities(self) -> tuple[str, ...]:
        """Whom the peer's verified certificate speaks for, in lower case; empty without one."""
        return identities(self._tls.getpeercert() or {})


def identities(certificate: Mapping[str, Any]) -> tuple[str, ...]:
    """The SIP identities in a certificate, as `ssl` shows it (RFC 5922 section 7.1): lower case, no ports.

    sip: URIs without a user where there are any, else DNS names, else the common name; addresses always.
    """
    alternatives: Iterable[tuple[str, str]] = certificate.get("subjectAltName", ())
    domains, names, addresses = [], [], []
    for kind, value in alternatives:
        if kind == "URI" and value.lower().startswith("sip:") and "@" not in value:
            domains.append(value[4:].partition(";")[0].lower())
        elif kind == "DNS":
            names.append(value.lower())
        elif kind == "IP Address":
            addresses.append(_address(value))
    if not alternatives:
        attributes = (pair for part in certificate.get("subject", ()) for pair in part)
        names = [value.lower() for key, value in attributes if key == "commonName"]
    return tuple(dict.fromkeys((*(domains or names), *addresses)))


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text.strip()))
    except ValueError:
        return text.lower()


def speaks_for(found: Iterable[str], name: str) -> bool:
    """Whether one of a certificate's identities is `name`; wildcards match nothing (RFC 5922 section 7.2)."""
    wanted = _address(name) if is_address(name) else name.lower().rstrip(".")
    return wanted in found


class ServerContexts:
    """The contexts of our certificates; `default` is for clients that name none of them (SNI, RFC 6066).

    client_ca: PEM file; where it is given, a client may show a certificate, which must then hold.
    """

    def __init__(self, certificates: Iterable[Certificate], client_ca: Path | None = None) -> None:
        """Raises CertificateError."""
        self._by_name: dict[str, ssl.SSLContext] = {}
        contexts = []
        for certificate in certificates:
            context = _server_context(certificate, client_ca)
            context.sni_callback = self._choose
            contexts.append(context)
            for name in certificate.names:
                self._by_name.setdefault(name.lower(), context)
        if not contexts:
            raise CertificateError("TLS needs a certificate")
        self.default = contexts[0]

    def context_for(self, name: str | None) -> ssl.SSLContext:
        """The context of the certificate that speaks for a name; `default` for none, or another's."""
        name = (name or "").lower()
        return self._by_name.get(name) or self._by_name.get("*." + name.partition(".")[2]) or self.default

    def _choose(self, session: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
        if name is not None:
            session.context = self.context_for(name)


def _server_context(certificate: Certificate, client_ca: Path | None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _harden(context)
    _load_pair(context, certificate)
    if client_ca is not None:
        context.verify_mode = ssl.CERT_OPTIONAL
        _trust(context, client_ca)
    return context


def client_context(
    ca_file: Path | None, verified: bool, certificate: Certificate | None = None
) -> ssl.SSLContext:
    """The context for connections that we make; certificate: shown to a server that asks for one.

    Raises CertificateError.
    """
    stamp = file_stamp(ca_file) if ca_file is not None and verified else (0, 0)
    return _client_context(ca_file, verified, certificate, stamp)


@lru_cache(MAX_CONTEXTS)
def _client_context(
    ca_file: Path | None, verified: bool, certificate: Certificate | None, _stamp: tuple[int, int]
) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _harden(context)
    context.check_hostname = False  # RFC 5922 has rules of its own: `speaks_for`
    if not verified:
        context.verify_mode = ssl.CERT_NONE
    elif ca_file is not None:
        _trust(context, ca_file)
    else:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    if certificate is not None:
        _load_pair(context, certificate)
    return context


def _harden(context: ssl.SSLContext) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION


def _load_pair(context: ssl.SSLContext, certificate: Certificate) -> None:
    try:
        context.load_cert_chain(certificate.path, certificate.key_path, password=_no_password)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        raise CertificateError(f"{certificate.path} with {certificate.key_path}: {reason}") from error


def _no_password() -> str:
    raise ValueError("the key is protected by a password")  # OpenSSL would ask at the terminal


def _trust(context: ssl.SSLContext, ca_file: Path) -> None:
    try:
        context.load_verify_locations(ca_file)
    except OSError as error:
        raise CertificateError(f"{ca_file}: {error.strerror or error}") from error
