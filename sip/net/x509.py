"""Reading certificates, and making a self-signed one for who has none (RFC 5280).

It stands alone because what it imports is large: 13 MB that a node without TLS does without.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sip.net.certificates import Certificate, CertificateError, files_stamp

MAX_FILE_BYTES = 1 << 20
SELF_SIGNED_DAYS = 397  # what browsers take at most
EARLIER_DAYS = 1  # a phone's clock may be slow
MAX_COMMON_NAME = 64  # RFC 5280, ub-common-name


def read_certificate(path: Path, key_path: Path) -> Certificate:
    """Read a pair; the first certificate of the file is the node's, the others its chain.

    Raises CertificateError when a file can't be read, isn't PEM, or the key is another certificate's.
    """
    stamp = files_stamp(path, key_path)
    try:
        certificate = x509.load_pem_x509_certificates(_read(path))[0]
        not_before, not_after = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        names = _names(certificate)
    except (ValueError, IndexError, x509.ExtensionNotFound) as error:
        raise CertificateError(f"{path}: no PEM certificate could be read: {_first_line(error)}") from error
    try:
        key = serialization.load_pem_private_key(_read(key_path), None)
    except TypeError as error:
        raise CertificateError(f"{key_path}: the key is protected by a password") from error
    except ValueError as error:
        raise CertificateError(f"{key_path}: no PEM key could be read: {_first_line(error)}") from error
    if _public(key.public_key()) != _public(certificate.public_key()):
        raise CertificateError(f"{key_path}: this key belongs to another certificate than {path}")
    own = certificate.issuer == certificate.subject
    return Certificate(path, key_path, names, not_before, not_after, own, stamp)


def make_self_signed(names: Iterable[str], now: datetime) -> tuple[bytes, bytes]:
    """A certificate for domains, host names and addresses, and its key: both as PEM. now: aware.

    ECDSA P-256, which whatever speaks TLS 1.2 knows; no authority vouches for it, so a phone is told to trust
    this one.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    known = list(dict.fromkeys(names))
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, known[0][:MAX_COMMON_NAME])])
    public = key.public_key()
    identifier = x509.SubjectKeyIdentifier.from_public_key(public)
    usage = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now.astimezone(UTC) - timedelta(days=EARLIER_DAYS))
        .not_valid_after(now.astimezone(UTC) + timedelta(days=SELF_SIGNED_DAYS))
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in known]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)  # phones import only CAs
        .add_extension(x509.ExtendedKeyUsage(usage), critical=False)
        .add_extension(identifier, critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False
        )
        .add_extension(_key_usage(), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    return certificate.public_bytes(pem), key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _key_usage() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        common = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        return tuple(str(attribute.value).lower() for attribute in common)
    domains = [
        uri[4:].partition(";")[0]
        for uri in found.get_values_for_type(x509.UniformResourceIdentifier)
        if uri.lower().startswith("sip:") and "@" not in uri
    ]
    addresses = [str(address) for address in found.get_values_for_type(x509.IPAddress)]
    every = (*found.get_values_for_type(x509.DNSName), *domains, *addresses)
    return tuple(dict.fromkeys(name.lower() for name in every))


def _public(key: object) -> bytes:
    encoded: bytes = key.public_bytes(  # type: ignore[attr-defined]  # every kind of public key has it
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return encoded


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise CertificateError(f"{path}: {error.strerror}") from error
    if len(data) > MAX_FILE_BYTES:
        raise CertificateError(f"{path}: too large for a certificate")
    return data


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:120]
