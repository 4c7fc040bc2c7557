"""The certificates that a node shows: those configured, else one of an authority of its own, in data_dir.

The authority is made at the first start and stays: telephones and browsers are told once to trust it. The
certificate that it makes is kept over restarts, and made anew a month before its end or when a name is
missing. Files that change are taken without touching a connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import ipaddress
import logging
import os
import socket
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from dialplan.finding import Finding
from pbx.configuration import Configuration
from pbx.phones.settings import settings_url
from pbx.settings.values import Listen
from sip.net.addresses import family_of, is_address, local_address_toward
from sip.net.certificates import Certificate, CertificateError, files_stamp
from sip.net.tls import ServerContexts, client_context

log = logging.getLogger(__name__)

CERTIFICATE_NAME = "tls.crt"
KEY_NAME = "tls.key"
AUTHORITY_NAME = "authority.crt"
AUTHORITY_KEY_NAME = "authority.key"
RENEW_DAYS = 30
WARN_DAYS = 14
LOOK_SECONDS = 3.0
MAX_HOST_NAME = 253
# RFC 5737 and RFC 3849: documentation addresses, to ask the routing table about; nothing is sent.
_ELSEWHERE = {socket.AF_INET: "192.0.2.1", socket.AF_INET6: "2001:db8::1"}


def needs_certificate(settings: Configuration) -> bool:
    """Whether a telephone can connect to this node by TLS."""
    return bool(settings.sip.tls or settings.sip.wss)


def certificate_files(settings: Configuration) -> tuple[tuple[Path, Path], ...]:
    """The pairs of certificate and key in use, whether they are there or not."""
    own = (settings.data_dir / CERTIFICATE_NAME, settings.data_dir / KEY_NAME)
    return settings.sip.certificates or (own,)


def node_certificates(settings: Configuration, now: datetime) -> list[Certificate]:
    """The certificates to show, our own made or renewed where it is due.

    Raises CertificateError.
    """
    from sip.net.x509 import read_certificate  # large, and many commands need none of it

    if not settings.sip.certificates:
        _keep_own(settings, now)
    return [read_certificate(*files) for files in certificate_files(settings)]


def authority_file(settings: Configuration) -> Path:
    """The certificate of the node's own authority, whether it is there or not."""
    return settings.data_dir / AUTHORITY_NAME


def _keep_own(settings: Configuration, now: datetime) -> None:
    path, key_path = certificate_files(settings)[0]
    with _alone(path.with_suffix(".lock")):  # signalling and the web process may start at once
        _keep_pair(settings, now, path, key_path)


@contextlib.contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Be the only one of the node's processes for the length of the block. Raises CertificateError."""
    try:
        with lock.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
    except OSError as error:
        raise CertificateError(f"{lock}: {error.strerror}") from error


def _keep_pair(settings: Configuration, now: datetime, path: Path, key_path: Path) -> None:
    from sip.net.x509 import make_certificate, read_certificate

    if path.exists() and key_path.exists():
        try:
            found = read_certificate(path, key_path)
        except CertificateError as error:
            log.warning("certificate: %s; made anew", error)
        else:
            wanted = {settings.domain, *_provisioning_names(settings)}
            if found.not_after - now > timedelta(days=RENEW_DAYS) and wanted <= set(found.names):
                return
    certificate, key = make_certificate(own_names(settings), now, _authority(settings, now))
    _write(key_path, key)
    _write(path, certificate)
    log.info("certificate=%s made, of the node's own authority", path)


def _authority(settings: Configuration, now: datetime) -> tuple[bytes, bytes]:
    """The node's own authority and its key, made where there is none yet, or it ends before what it makes.

    Raises CertificateError.
    """
    from sip.net.x509 import CERTIFICATE_DAYS, make_authority, read_certificate

    path, key_path = authority_file(settings), settings.data_dir / AUTHORITY_KEY_NAME
    if path.exists() and key_path.exists():
        try:
            if read_certificate(path, key_path).not_after - now > timedelta(days=CERTIFICATE_DAYS):
                return path.read_bytes(), key_path.read_bytes()
        except (CertificateError, OSError) as error:
            log.warning("authority: %s; made anew: telephones are to be told to trust it again", error)
    certificate, key = make_authority(f"Beffroi, {settings.domain}", now)
    _write(key_path, key)
    _write(path, certificate)
    log.info("authority=%s made", path)
    return certificate, key


def own_names(settings: Configuration) -> list[str]:
    """Whom our own certificate speaks for: the domain, this machine's names, where SIP is heard."""
    names = [settings.domain.strip("[]"), socket.gethostname().lower(), socket.getfqdn().lower()]
    if settings.external_address is not None:
        names.append(str(settings.external_address))
    for listen in (*settings.sip.tls, *settings.sip.wss, *filter(settings.web.is_tls, settings.web.listen)):
        names += _reached_at(listen)
    names += _provisioning_names(settings)
    return [name for name in dict.fromkeys(names) if _is_name(name)] or ["beffroi"]


def _provisioning_names(settings: Configuration) -> list[str]:
    """As which desk telephones reach us for their settings, and then to register."""
    said = settings.provisioning
    host = urlsplit(settings_url(said)).hostname if said.https else None
    return [host] if host and _is_name(host) else []


def _reached_at(listen: Listen) -> list[str]:
    """The addresses at which peers reach a listener, as far as one can tell."""
    if not ipaddress.ip_address(listen.host).is_unspecified:
        return [listen.host]
    family = family_of(listen.host)
    loopback = "::1" if family is socket.AF_INET6 else "127.0.0.1"
    routed = local_address_toward((listen.host, listen.port), (_ELSEWHERE[family], 9))[0]
    return [address for address in (routed, loopback) if address != listen.host]


def _is_name(name: str) -> bool:
    labels = name.split(".")
    return is_address(name) or (
        name.isascii() and 0 < len(name) <= MAX_HOST_NAME and all(0 < len(label) < 64 for label in labels)
    )


def _write(path: Path, data: bytes) -> None:
    """Write a file that only its owner may read, whole or not at all. Raises CertificateError."""
    unfinished = path.with_name(path.name + ".new")
    try:
        with contextlib.suppress(FileNotFoundError):
            unfinished.unlink()
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except OSError as error:
        raise CertificateError(f"{path}: {error.strerror}") from error


def certificate_findings(settings: Configuration, now: datetime) -> Iterator[Finding]:
    """What is wrong with the certificates, their keys and whom they trust. now: aware wall time."""
    from sip.net.x509 import read_certificate

    found = []
    for path, key_path in certificate_files(settings):
        try:
            certificate = read_certificate(path, key_path)
            ServerContexts([certificate])
        except CertificateError as error:
            message, hint = str(error), "TLS is off, or shows the former one, until it is mended"
            yield Finding("certificate_unusable", "error", str(path), 0, 0, message, hint)
            continue
        found.append(certificate)
        yield from _term_findings(certificate, now, kept=not settings.sip.certificates)
        mode = _mode(key_path)
        if mode & 0o077:
            message = f"others can read this key (mode {mode:o})"
            yield Finding("key_open", "warning", str(key_path), 0, 0, message, f"chmod 600 {key_path}")
    yield from _name_findings(settings, found)
    yield from _trust_findings(settings, found)


def _mode(path: Path) -> int:
    try:
        return path.stat().st_mode & 0o777
    except OSError:  # it was taken away meanwhile
        return 0


def _term_findings(certificate: Certificate, now: datetime, *, kept: bool) -> Iterator[Finding]:
    file, days = str(certificate.path), (certificate.not_after - now).days
    hint = (
        "a running node renews it by itself" if kept else "put the new one in its place: no restart is needed"
    )
    if now > certificate.not_after:
        message = f"this certificate ended on {certificate.not_after:%Y-%m-%d}: telephones refuse it"
        yield Finding("certificate_ended", "error", file, 0, 0, message, hint)
    elif now < certificate.not_before:
        message = f"this certificate holds from {certificate.not_before:%Y-%m-%d} only"
        yield Finding("certificate_early", "error", file, 0, 0, message, "look at the clock, too")
    elif days < WARN_DAYS:
        message = f"this certificate ends on {certificate.not_after:%Y-%m-%d}, in {days} days"
        yield Finding("certificate_ends", "warning", file, 0, 0, message, hint)


def _name_findings(settings: Configuration, found: list[Certificate]) -> Iterator[Finding]:
    """A telephone compares what it was told to connect to with the names in the certificate."""
    if not found:
        return
    names = {name for certificate in found for name in certificate.names}
    domain = settings.domain
    if domain not in names and "*." + domain.partition(".")[2] not in names:
        message = f"no certificate speaks for {domain}: telephones set up with it refuse to connect"
        hint = "it has " + ", ".join(sorted(names)[:5])
        yield Finding("certificate_name", "warning", str(found[0].path), 0, 0, message, hint)
    if not settings.sip.certificates:
        message = "the node's own authority made this certificate: telephones are to be told to trust it"
        hint = f"import {authority_file(settings)} there, or set `certificate:` and `key:` of another"
        yield Finding("own_authority", "note", str(found[0].path), 0, 0, message, hint)
    elif found[0].self_signed:
        message = "this certificate is self-signed: a telephone takes it only when told to trust it"
        hint = "import it there, or set `certificate:` and `key:` of an authority that telephones know"
        yield Finding("self_signed", "note", str(found[0].path), 0, 0, message, hint)


def _trust_findings(settings: Configuration, found: list[Certificate]) -> Iterator[Finding]:
    for name, ca_file in (("client_ca", settings.sip.client_ca), ("server_ca", settings.sip.server_ca)):
        if ca_file is None:
            continue
        try:
            client_context(ca_file, verified=True)
        except CertificateError as error:
            message = f"`{name}:` can't be used: {_without(ca_file, error)}"
            yield Finding(
                "ca_unusable", "error", str(ca_file), 0, 0, message, "it is a PEM file of authorities"
            )


def _without(path: Path, error: CertificateError) -> str:
    return str(error).removeprefix(f"{path}: ")


class CertificatesInUse:
    """The TLS contexts of a running node, made anew when a file changes. clock: wall time, Unix seconds.

    contexts: None while there is no certificate that can be used: telephony without TLS goes on.
    on_change is called with the new contexts; connections that are there keep the old ones.
    """

    def __init__(self, settings: Configuration, clock: Callable[[], float]) -> None:
        self._settings = settings
        self._clock = clock
        self._told = ""
        self.on_change: Callable[[ServerContexts], None] = lambda _: None
        self.certificates: list[Certificate] = []
        self.contexts: ServerContexts | None = None
        if self.refresh():
            self._tell()

    async def watch(self) -> None:
        """Look after the files until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if await asyncio.to_thread(self.refresh) and self.contexts is not None:
                self.on_change(self.contexts)
                self._tell()

    def refresh(self) -> bool:
        """Take what has changed on the disk, or is about to end; True when something was taken.

        What can't be used is told once, and the former certificates stay.
        """
        try:
            if not self._is_due():
                return False
            certificates = node_certificates(self._settings, self._now())
            self.contexts = ServerContexts(certificates, self._settings.sip.client_ca)
        except CertificateError as error:
            if str(error) != self._told:
                state = "the former stays" if self.contexts else "no TLS"
                log.error("certificate not taken, %s: %s", state, error)
            self._told = str(error)
            return False
        self._told = ""
        self.certificates = certificates
        return True

    def _tell(self) -> None:
        first = self.certificates[0]
        log.info("certificate=%s until=%s taken", first.path, f"{first.not_after:%Y-%m-%d}")

    def _is_due(self) -> bool:
        """Whether a file has changed, or our own pair is to be renewed. Raises CertificateError."""
        if not self.certificates:
            return True
        ends_in = self.certificates[0].not_after - self._now()
        if not self._settings.sip.certificates and ends_in <= timedelta(days=RENEW_DAYS):
            return True
        return any(one.stamp != files_stamp(one.path, one.key_path) for one in self.certificates)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)
