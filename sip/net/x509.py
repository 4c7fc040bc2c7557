"""Reading certificates, and making an authority and its certificates for who has none (RFC 5280).

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
CERTIFICATE_DAYS = 397  # what browsers take at most
AUTHORITY_DAYS = 20 * 365  # longer than a telephone's life: what was told to trust it isn't told again
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


def make_authority(name: str, now: datetime) -> tuple[bytes, bytes]:
    """An authority's certificate and its key: both as PEM. name: whose it is; now: aware.

    ECDSA P-256, which whatever speaks TLS 1.2 knows. Nobody vouches for it: phones and browsers are told to
    trust it, once for all certificates that it makes.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _subject(name)
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    made = (
        _dated(subject, key.public_key(), now, AUTHORITY_DAYS)
        .issuer_name(subject)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(identifier, critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False
        )
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM), _key_bytes(key)


def make_certificate(
    names: Iterable[str], now: datetime, authority: tuple[bytes, bytes]
) -> tuple[bytes, bytes]:
    """A certificate for domains, host names and addresses, with its authority's behind it, and its key: both
    as PEM. now: aware. Raises CertificateError for an authority that can't be used.
    """
    try:
        issuer = x509.load_pem_x509_certificate(authority[0])
        issuer_key = serialization.load_pem_private_key(authority[1], None)
    except (TypeError, ValueError) as error:
        raise CertificateError(f"the node's own authority can't be read: {_first_line(error)}") from error
    if not isinstance(issuer_key, ec.EllipticCurvePrivateKey) or _public(issuer_key.public_key()) != _public(
        issuer.public_key()
    ):
        raise CertificateError("the key of the node's own authority belongs to another certificate")
    key = ec.generate_private_key(ec.SECP256R1())
    known = list(dict.fromkeys(names))
    usage = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    made = (
        _dated(_subject(known[0]), key.public_key(), now, CERTIFICATE_DAYS)
        .issuer_name(issuer.subject)
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in known]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage(usage), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False
        )
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .sign(issuer_key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM) + authority[0], _key_bytes(key)


def _subject(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:MAX_COMMON_NAME])])


def _dated(
    subject: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime, days: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now.astimezone(UTC) - timedelta(days=EARLIER_DAYS))
        .not_valid_after(now.astimezone(UTC) + timedelta(days=days))
    )


def _key_bytes(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
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
