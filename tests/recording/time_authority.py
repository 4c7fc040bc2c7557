"""A time-stamp authority for tests (RFC 3161): its certificates are ours, its stamps are made by OpenSSL."""

import subprocess
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LONG_AGO = datetime(2001, 1, 1, tzinfo=UTC)
FAR = datetime(2101, 1, 1, tzinfo=UTC)
NAME = "Horloge de Valmont"

_CONFIGURATION = """
[tsa]
default_tsa = one
[one]
serial = {folder}/serial
default_policy = 1.2.3.4.1
digests = sha256
signer_cert = {folder}/tsa.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
ess_cert_id_alg = {named_by}
accuracy = secs:1
"""


class TimeAuthority:
    """An authority in a folder of its own. file: the certificate of who vouches for it, PEM.

    may_stamp: what its own certificate is for, where not for time stamps; until: how long it is valid.
    """

    def __init__(
        self,
        folder: Path,
        *,
        key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | None = None,
        purposes: tuple[x509.ObjectIdentifier, ...] = (ExtendedKeyUsageOID.TIME_STAMPING,),
        until: datetime = FAR,
        named_by: str = "sha256",
    ) -> None:
        folder.mkdir()
        self._folder = folder
        self.file = folder / "root.pem"
        root_key = ec.generate_private_key(ec.SECP256R1())
        root = _name("Autorité de Valmont")
        vouching = _certificate(root, root, root_key, FAR).add_extension(
            x509.BasicConstraints(ca=True, path_length=0), critical=True
        )
        self.root = vouching.sign(root_key, hashes.SHA256())
        self.file.write_bytes(self.root.public_bytes(Encoding.PEM))
        key = key or ec.generate_private_key(ec.SECP256R1())
        own = _certificate(_name(NAME), root, key, until)
        own = own.add_extension(x509.ExtendedKeyUsage(purposes), critical=True)
        (folder / "tsa.pem").write_bytes(own.sign(root_key, hashes.SHA256()).public_bytes(Encoding.PEM))
        (folder / "tsa.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        (folder / "configuration").write_text(_CONFIGURATION.format(folder=folder, named_by=named_by))

    def query(self, digest: bytes) -> bytes:
        """A question of OpenSSL's."""
        return _openssl("-query", "-digest", digest.hex(), "-sha256", "-cert")

    def reply(self, query: bytes) -> bytes:
        """What the authority answers."""
        file = self._folder / "query"
        file.write_bytes(query)
        configuration = str(self._folder / "configuration")
        return _openssl("-reply", "-config", configuration, "-queryfile", str(file))

    def stamp(self, digest: bytes) -> bytes:
        """A stamp of a hash."""
        return self.reply(self.query(digest))


def _openssl(*arguments: str) -> bytes:
    return subprocess.run(["openssl", "ts", *arguments], capture_output=True, check=True).stdout


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _certificate(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey,
    until: datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(LONG_AGO)
        .not_valid_after(until)
    )
