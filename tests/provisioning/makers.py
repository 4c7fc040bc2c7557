"""Authorities as makers of telephones have them, and the certificates that they put into telephones."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

CLIENT, SERVER = ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH
_DAY = timedelta(days=1)


class Maker:
    """An authority, for the length of a test. now: aware; it holds from a day before."""

    def __init__(self, name: str, now: datetime) -> None:
        self._now = now
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        made = self._certificate(self._name, self._key.public_key(), days=30)
        made = made.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        self._own = made.sign(self._key, hashes.SHA256())

    def write(self, path: Path) -> None:
        """Write its certificate."""
        path.write_bytes(self._own.public_bytes(serialization.Encoding.PEM))

    def telephone(
        self, folder: Path, name: str, usage: ObjectIdentifier = CLIENT, days: float = 10.0
    ) -> Path:
        """Return the file of a telephone's certificate and key. name: its CN. days: till its end, below 0 for
        one that is over.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        made = self._certificate(subject, key.public_key(), days)
        made = made.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        whole = made.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        whole += key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        path = folder / f"telephone-{x509.random_serial_number():x}.pem"
        path.write_bytes(whole)
        return path

    def _certificate(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, days: float
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(self._now - 30 * _DAY)
            .not_valid_after(self._now + days * _DAY)
        )
