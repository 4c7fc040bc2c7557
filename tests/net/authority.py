"""A certificate authority for tests: it vouches for whatever name a test wants, for as long as it wants."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from sip.net.certificates import Certificate
from sip.net.x509 import read_certificate

LONG_AGO = datetime(2001, 1, 1, tzinfo=UTC)
FAR = datetime(2101, 1, 1, tzinfo=UTC)  # OpenSSL looks at the real clock


class Authority:
    """An authority whose certificate is `file`; `issue` writes pairs beside it."""

    def __init__(self, folder: Path, name: str = "Test authority") -> None:
        self._folder = folder
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.file = folder / f"{name.replace(' ', '-')}.pem"
        public = self._key.public_key()
        certificate = self._builder(self._name, public, LONG_AGO, FAR).add_extension(
            x509.BasicConstraints(ca=True, path_length=0), critical=True
        )
        certificate = certificate.add_extension(
            x509.KeyUsage(
                digital_signature=False,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                key_cert_sign=True,
                crl_sign=True,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
        signed = certificate.sign(self._key, hashes.SHA256())
        self.file.write_bytes(signed.public_bytes(serialization.Encoding.PEM))

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, since: datetime, until: datetime
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(since)
            .not_valid_after(until)
            # Python 3.13 insists on both
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False
            )
        )

    def issue(self, *names: str, until: datetime = FAR, password: bytes = b"") -> Certificate:
        """A pair for DNS names, addresses and sip: URIs."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "nobody reads this")])
        signed = (
            self._builder(subject, key.public_key(), LONG_AGO, until)
            .add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        stem = names[0].replace(":", "-").replace("*", "any") + f"-{until.year}"
        path, key_path = self._folder / f"{stem}.crt", self._folder / f"{stem}.key"
        path.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
        protection: serialization.KeySerializationEncryption = serialization.NoEncryption()
        pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        key_path.write_bytes(key.private_bytes(pem, pkcs8, protection))
        certificate = read_certificate(path, key_path)
        if password:
            protection = serialization.BestAvailableEncryption(password)
            key_path.write_bytes(key.private_bytes(pem, pkcs8, protection))
        return certificate


def _general(name: str) -> x509.GeneralName:
    if name.startswith(("sip:", "sips:")):
        return x509.UniformResourceIdentifier(name)
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
