"""What would keep a telephone from its settings, as `beffroi doctor` says it: each finding with its mend.

Looked at: what the LAN hands out (`pbx.phones.lan`), the name and the certificate of where telephones ask, a
request there as a telephone makes it, the time server and TFTP. What only a running node has isn't asked of
one that doesn't run.
"""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import secrets
import socket
import ssl
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from dialplan.finding import Finding, Severity
from dialplan.plan import Plan
from pbx.configuration import Configuration
from pbx.node.certificates import authority_file
from pbx.phones.composing import discovery_url
from pbx.phones.lan import Heard, Interface, listen, voice_interfaces
from pbx.phones.settings import settings_url
from pbx.settings.values import IPNetwork, Listen
from provisioning.dhcp_offers import BOOT_FILE, NTP, SETTINGS, SIP_SERVERS, TFTP_NAME, TIME, VENDOR, Offer

ANSWER_SECONDS: Final = 3.0
WARN_DAYS: Final = 14
LEAST_RSA_BITS: Final = 2048
MOST_ANSWER: Final = 4_096
_READ_BY: Final = {SETTINGS: "option 160", TFTP_NAME: "option 66", VENDOR: "option 43"}
_UNIX_TO_NTP: Final = 2_208_988_800
_REFUSED: Final = (400, 403, 404, 429)


def phones_state(settings: Configuration) -> str:
    """In a few words, where telephones find their settings."""
    return settings_url(settings.provisioning)


def phones_findings(
    settings: Configuration, plan: Plan, now: datetime, *, running: bool
) -> Iterator[Finding]:
    """Yield what is to be mended. now: wall time. running: whether the node of this configuration runs."""
    yield from lan_findings(settings, listen(_interfaces(settings, plan)))
    yield from _name_and_certificate(settings, now, running=running)
    yield from _time(settings)
    if running:
        for one in settings.provisioning.tftp:
            yield from _tftp(settings, one)


def lan_findings(settings: Configuration, heard: Sequence[Heard]) -> Iterator[Finding]:
    """Yield what is wrong of what was heard on each interface."""
    if not heard:
        yield _finding(
            settings,
            "lan_not_seen",
            "note",
            "this machine has no address in a network of telephones: what is handed out there isn't seen",
            "run `beffroi doctor` on a machine there, or say in `networks:` where telephones are",
        )
    for one in heard:
        where = f"{one.interface.name} ({one.interface.address})"
        for trouble in one.troubles:
            hint = "run it as root, where no other DHCP client holds port 68"
            yield _finding(settings, "lan_not_asked", "note", f"{where}: {trouble}", hint)
        yield from _plug_and_play(settings, where, one)
        yield from _disagreeing(settings, where, one.offers)
        for offer in one.offers:
            yield from _offered(settings, f"{where}: the DHCP server {offer.server}", offer)
        if not one.offers and not one.troubles:
            message = f"{where}: no DHCP server answers a telephone that it doesn't know"
            hint = "without one, telephones there need an address and the place of their settings typed in"
            yield _finding(settings, "dhcp_none", "note", message, hint)
        if one.offers and not any(offer.settings() for offer in one.offers):
            hint = "`beffroi phone dhcp dnsmasq` prints the lines (kea, windows and cisco as well)"
            message = f"{where}: no DHCP server says where telephones find their settings"
            yield _finding(settings, "dhcp_silent", "note", message, hint)


def _interfaces(settings: Configuration, plan: Plan) -> list[Interface]:
    networks: tuple[IPNetwork, ...] = settings.provisioning.networks or tuple(
        network for site in plan.sites.values() for network in site.networks
    )
    return voice_interfaces(networks)


def _finding(settings: Configuration, code: str, severity: Severity, message: str, hint: str = "") -> Finding:
    return Finding(code, severity, str(settings.path), 0, 0, message, hint)


# What the LAN hands out


def _plug_and_play(settings: Configuration, where: str, heard: Heard) -> Iterator[Finding]:
    for address, url in heard.configurers.items():
        if _is_ours(settings, url):
            continue
        told = f" and sends telephones to {url}" if url else ""
        yield _finding(
            settings,
            "other_configurer",
            "error",
            f"{where}: {address} answers plug and play{told}",
            "it is another PBX, or what is left of it: switch its provisioning off, or telephones go there",
        )


def _disagreeing(settings: Configuration, where: str, offers: Sequence[Offer]) -> Iterator[Finding]:
    """Two servers that hand out other things: which one a telephone takes is chance."""
    if len({offer.server for offer in offers}) < 2:
        return
    said = [(offer.settings(), offer.text(BOOT_FILE), offer.vlan()) for offer in offers]
    servers = " and ".join(sorted({offer.server for offer in offers}))
    if any(one != said[0] for one in said):
        message = f"{where}: the DHCP servers {servers} send telephones to different places"
        hint = "find out whose the second one is, and switch it off or give both the same options"
        yield _finding(settings, "dhcp_disagree", "error", message, hint)
    else:
        message = f"{where}: two DHCP servers answer, {servers}, and say the same"
        yield _finding(settings, "dhcp_twice", "note", message, "unless that is meant, switch one off")


def _offered(settings: Configuration, who: str, offer: Offer) -> Iterator[Finding]:
    for option, said in offer.settings().items():
        yield from _address(settings, f"{who}, {_READ_BY[option]}", said)
    if boot_file := offer.text(BOOT_FILE):
        message = f'{who}, option 67: "{boot_file}" is added to the address by some telephones'
        yield _finding(settings, "dhcp_boot_file", "warning", message, "take option 67 away from telephones")
    own = urlsplit(phones_state(settings)).hostname or ""
    if (registrars := _sip_servers(offer)) and not registrars & (_addresses(own) | {own}):
        message = f"{who}, option 120: telephones register at {', '.join(sorted(registrars))}, not here"
        yield _finding(settings, "dhcp_registrar", "warning", message, "take option 120 away")
    if offer.vlan() and offer.vlan() != settings.provisioning.vlan:
        ours = settings.provisioning.vlan or "none"
        message = f"{who}, option 132: the voice network is VLAN {offer.vlan()}, and `vlan:` says {ours}"
        yield _finding(settings, "dhcp_vlan", "warning", message, "make both the same")
    for option in (NTP, TIME):
        for address in offer.addresses(option)[:2]:
            if option == NTP and not _tells_time(address):
                message = f"{who}, option 42: the time server {address} doesn't answer"
                hint = "without the time, a telephone believes no certificate: name one that answers"
                yield _finding(settings, "dhcp_time", "warning", message, hint)


def _address(settings: Configuration, where: str, said: str) -> Iterator[Finding]:
    """What one option says: our address, or which mistake it is."""
    url = phones_state(settings)
    mend = f"write {discovery_url(settings)} there; `beffroi phone dhcp` prints the lines"
    if _is_ours(settings, said):
        return
    shown = "".join(letter if letter.isprintable() else "?" for letter in said[:100])
    own_names = {urlsplit(url).hostname or "", *_addresses(urlsplit(url).hostname or "")}
    try:
        parts = urlsplit(said if "://" in said else f"tftp://{said}")
        host = parts.hostname or ""
    except ValueError:
        yield _finding(settings, "dhcp_other_pbx", "error", f'{where}: "{shown}" is no address', mend)
        return
    is_own = host in own_names or bool(_addresses(host) & own_names)
    if parts.scheme == "tftp":
        if is_own and settings.provisioning.tftp:
            return
        what = "this machine, where no `tftp:` is configured" if is_own else "another TFTP server"
        yield _finding(settings, "dhcp_tftp", "error", f'{where}: "{shown}" is {what}', mend)
    elif is_own and parts.scheme == "http":
        message = (
            f'{where}: "{shown}" is asked in clear: a telephone is then told where to go by whoever answers'
        )
        yield _finding(settings, "dhcp_in_clear", "warning", message, mend)
    elif is_own:
        yield _finding(
            settings, "dhcp_wrong_port", "error", f'{where}: "{shown}" is this node, elsewhere', mend
        )
    else:
        yield _finding(settings, "dhcp_other_pbx", "error", f'{where}: "{shown}" is another server', mend)


def _is_ours(settings: Configuration, said: str) -> bool:
    ours = (discovery_url(settings), phones_state(settings))
    return said.rstrip("/").lower() in [url.rstrip("/") for url in ours]


def _sip_servers(offer: Offer) -> set[str]:
    """Option 120: a mark, then names or addresses (RFC 3361 section 3.1)."""
    octets = offer.options.get(SIP_SERVERS, b"")
    if octets[:1] == b"\1":
        return {str(ipaddress.IPv4Address(octets[at : at + 4])) for at in range(1, len(octets) - 3, 4)}
    names: set[str] = set()
    labels: list[str] = []
    at = 1
    while octets[:1] == b"\0" and at < len(octets):
        length = octets[at]
        if length == 0:
            names.add(".".join(labels))
            labels = []
        else:
            labels.append(octets[at + 1 : at + 1 + length].decode("ascii", "replace"))
        at += 1 + length
    return names - {""}


def _addresses(host: str) -> set[str]:
    """The addresses of a name, none where it has none."""
    try:
        return {str(found[4][0]) for found in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
    except (OSError, UnicodeError):
        return set()


# Where telephones ask


def _name_and_certificate(settings: Configuration, now: datetime, *, running: bool) -> Iterator[Finding]:
    url = urlsplit(phones_state(settings))
    host, port = url.hostname or "", url.port or 443
    addresses = sorted(_addresses(host))
    if not addresses:
        message = f"nobody knows the name {host}, where telephones are to ask"
        hint = "enter it in the DNS that telephones use, or write an address in `provisioning: url:`"
        yield _finding(settings, "phones_name", "error", message, hint)
        return
    if not running:
        return
    for address in addresses[:4]:
        yield from _reached(settings, host, (address, port), now)


def _reached(settings: Configuration, host: str, where: tuple[str, int], now: datetime) -> Iterator[Finding]:
    """Connect as a telephone does, look at the certificate, and ask for a file that isn't there."""
    shown = f"{where[0]}:{where[1]}"
    strict = _believing(settings)
    try:
        certificate = _shown_by(strict, host, where)
    except ssl.SSLCertVerificationError as error:
        message = f"{shown}: telephones don't believe the certificate: {error.verify_message.rstrip('.')}"
        hint = f"it must be for {host} and bring its chain; a new one is taken without a restart"
        yield _finding(settings, "phones_certificate", "error", message, hint)
        return
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        hint = "does a firewall stand before it, and does `https:` listen there?"
        yield _finding(settings, "phones_not_reached", "error", f"{shown}: {why}", hint)
        return
    yield from _about_certificate(settings, shown, x509.load_der_x509_certificate(certificate), now)
    yield from _asked_for_nothing(settings, strict, host, where)


def _believing(settings: Configuration) -> ssl.SSLContext:
    """Whom a telephone believes: its maker's list, about this machine's, and what it is told by us to."""
    context = ssl.create_default_context()
    # RFC 8996: what telephones of today speak, and no more than they all do.
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
    if not settings.web.certificates and not settings.sip.certificates:
        with contextlib.suppress(OSError):  # said by the examination of certificates
            context.load_verify_locations(authority_file(settings))
    return context


def _shown_by(context: ssl.SSLContext, host: str, where: tuple[str, int]) -> bytes:
    """The certificate shown, in DER, of a server that is believed. Raises OSError."""
    with (
        socket.create_connection(where, ANSWER_SECONDS) as plain,
        context.wrap_socket(plain, server_hostname=host) as session,
    ):
        return session.getpeercert(binary_form=True) or b""


def _about_certificate(
    settings: Configuration, shown: str, certificate: x509.Certificate, now: datetime
) -> Iterator[Finding]:
    left = certificate.not_valid_after_utc - now
    if left < timedelta(days=WARN_DAYS):
        message = f"{shown}: the certificate ends on {certificate.not_valid_after_utc:%Y-%m-%d}"
        hint = "renew it: a telephone that doesn't believe it fetches nothing any more"
        yield _finding(settings, "phones_certificate_ends", "warning", message, hint)
    key = certificate.public_key()
    is_common = (isinstance(key, rsa.RSAPublicKey) and key.key_size >= LEAST_RSA_BITS) or (
        isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1)
    )
    if not is_common:
        message = f"{shown}: the certificate's key is of a kind that not all telephones take"
        hint = "use RSA with 2048 bits or more, or ECDSA on P-256"
        yield _finding(settings, "phones_key", "warning", message, hint)
    elif isinstance(key, ec.EllipticCurvePublicKey):
        message = f"{shown}: the certificate's key is ECDSA: telephones from before 2016 take RSA alone"
        yield _finding(settings, "phones_key", "note", message, "where one doesn't connect, show an RSA one")


def _asked_for_nothing(
    settings: Configuration, context: ssl.SSLContext, host: str, where: tuple[str, int]
) -> Iterator[Finding]:
    """A file that nobody has must be refused, whoever asks."""
    asked = http.client.HTTPSConnection(*where, timeout=ANSWER_SECONDS, context=context)
    try:
        plain = socket.create_connection(where, ANSWER_SECONDS)
        asked.sock = context.wrap_socket(plain, server_hostname=host)
        asked.request("GET", f"/{secrets.token_hex(8)}.cfg", headers={"Host": host})
        status = asked.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        message = f"{where[0]}:{where[1]}: it is reached, and answers no request ({type(error).__name__})"
        yield _finding(settings, "phones_no_answer", "error", message, "is another program there?")
        return
    finally:
        asked.close()
    if status not in _REFUSED:
        message = f"{where[0]}:{where[1]}: a file that nobody has was answered with {status}"
        hint = "another program, or a proxy, answers there: telephones would take what it says for settings"
        yield _finding(settings, "phones_not_refused", "error", message, hint)


# Time and TFTP


def _time(settings: Configuration) -> Iterator[Finding]:
    host = settings.provisioning.time_server
    if host and not _tells_time(host):
        message = f"the time server {host} doesn't answer"
        hint = (
            "without the time, a telephone believes no certificate: name one that answers in `time_server:`"
        )
        yield _finding(settings, "phones_time", "warning", message, hint)
    elif not host:
        own = urlsplit(phones_state(settings)).hostname or ""
        if not _tells_time(own):
            message = f"telephones ask this machine ({own}) for the time, and it doesn't answer"
            hint = "install chrony and allow their networks, or name another in `provisioning: time_server:`"
            yield _finding(settings, "phones_time", "warning", message, hint)


def _tells_time(host: str) -> bool:
    """Whether a time server answers there that knows the time. RFC 5905 section 7.3."""
    question = bytes((0x23,)) + bytes(39) + secrets.token_bytes(8)
    try:
        family, kind, _, _, where = socket.getaddrinfo(host, 123, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind) as asking:
            asking.settimeout(ANSWER_SECONDS / 3)
            asking.connect(where)
            asking.send(question)
            answer = asking.recv(512)
    except (OSError, UnicodeError, IndexError):
        return False
    is_answer = len(answer) >= 48 and answer[0] & 7 == 4 and answer[24:32] == question[40:48]
    return is_answer and 1 <= answer[1] <= 15 and answer[0] >> 6 != 3


def _tftp(settings: Configuration, listening: Listen) -> Iterator[Finding]:
    """Ask for a file that isn't there: an error is an answer. RFC 1350 section 4."""
    host = "127.0.0.1" if ipaddress.ip_address(listening.host).is_unspecified else listening.host
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as asking:
            asking.settimeout(ANSWER_SECONDS)
            asking.sendto(b"\0\1authority.pem\0octet\0", (host, listening.port))
            answer = asking.recv(MOST_ANSWER)
    except OSError:
        answer = b""
    if answer[:2] not in (b"\0\3", b"\0\5", b"\0\6"):
        message = f"TFTP at {listening.host}:{listening.port} doesn't answer"
        hint = "does a firewall stand before it? its answers come from another port"
        yield _finding(settings, "phones_tftp", "warning", message, hint)
