"""What a maker puts into its telephones: a certificate made out to the MAC address, below the maker's own."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_FROM, _UNTIL = datetime(2020, 1, 1, tzinfo=UTC), datetime(2099, 1, 1, tzinfo=UTC)


class MakersAuthority:
    """A maker's root, with the factory below it that signs for telephones."""

    def __init__(self, maker: str) -> None:
        self._maker = maker
        self._root_key = ec.generate_private_key(ec.SECP256R1())
        self._factory_key = ec.generate_private_key(ec.SECP256R1())
        self._factory = f"{maker} device CA"
        self._root = self._signed(f"{maker} root", self._root_key, f"{maker} root", self._root_key, True)
        self._below = self._signed(self._factory, self._factory_key, f"{maker} root", self._root_key, True)

    @property
    def root(self) -> bytes:
        """In PEM, for `makers_ca`."""
        return self._root.public_bytes(serialization.Encoding.PEM)

    def telephone(self, mac: str, path: Path) -> Path:
        """Write the certificate of a telephone, its key and the factory's certificate into one file."""
        key = ec.generate_private_key(ec.SECP256R1())
        spoken = ":".join(mac[place : place + 2] for place in range(0, 12, 2)).upper()
        own = self._signed(spoken, key, self._factory, self._factory_key, False)
        written = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        chain = [one.public_bytes(serialization.Encoding.PEM) for one in (own, self._below)]
        path.write_bytes(b"".join((written, *chain)))
        return path

    def _signed(
        self,
        name: str,
        key: ec.EllipticCurvePrivateKey,
        issuer: str,
        issuer_key: ec.EllipticCurvePrivateKey,
        is_authority: bool,
    ) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder()
            .subject_name(self._named(name))
            .issuer_name(self._named(issuer))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(_FROM)
            .not_valid_after(_UNTIL)
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        )
        if not is_authority:
            usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
            builder = builder.add_extension(usage, critical=False)
        return builder.sign(issuer_key, hashes.SHA256())

    def _named(self, name: str) -> x509.Name:
        organization = x509.NameAttribute(NameOID.ORGANIZATION_NAME, self._maker)
        return x509.Name([organization, x509.NameAttribute(NameOID.COMMON_NAME, name)])
