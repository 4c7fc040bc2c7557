"""Debian's slapd on loopback, with a few people of Valmont. Installed by `scripts/setup test`."""

from __future__ import annotations

import datetime
import ipaddress
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

SLAPD, SLAPADD = "/usr/sbin/slapd", "/usr/sbin/slapadd"
BASE = "dc=valmont,dc=example"
READER, READER_PASSWORD = f"cn=beffroi,{BASE}", "reader's secret"
ADMINS = f"cn=admins,ou=groups,{BASE}"

_CONFIGURATION = """\
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload memberof
pidfile {folder}/slapd.pid
TLSCACertificateFile {folder}/ca.pem
TLSCertificateFile {folder}/server.pem
TLSCertificateKeyFile {folder}/server.key
database mdb
suffix "{base}"
rootdn "cn=root,{base}"
directory {folder}/data
maxsize 10485760
overlay memberof
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="{reader}" read by self read by * none
"""

_READER = f"""\
dn: {READER}
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: beffroi
userPassword: {READER_PASSWORD}
"""
_PERSON = """\
dn: uid={uid},ou=people,{base}
objectClass: inetOrgPerson
uid: {uid}
cn: {name}
sn: {name}
userPassword: {password}
"""


@contextmanager
def ldap_server(folder: Path) -> Iterator[tuple[int, int]]:
    """slapd for the length of the block; yields its ports, plain (with StartTLS) and TLS.

    folder: an empty one; the authority of its certificate is in ca.pem then.
    """
    (folder / "data").mkdir()
    _certificates(folder)
    configuration = folder / "slapd.conf"
    configuration.write_text(_CONFIGURATION.format(folder=folder, base=BASE, reader=READER))
    plain, tls = _free_port(), _free_port()
    _fill(configuration)
    urls = f"ldap://127.0.0.1:{plain}/ ldaps://127.0.0.1:{tls}/"
    with subprocess.Popen(
        [SLAPD, "-d", "0", "-h", urls, "-f", configuration],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            _wait_for(plain, process)
            _wait_for(tls, process)
            yield plain, tls
        finally:
            process.terminate()


def _fill(configuration: Path) -> None:
    entries = [
        f"dn: {BASE}\nobjectClass: dcObject\nobjectClass: organization\ndc: valmont\no: Valmont\n",
        f"dn: ou=people,{BASE}\nobjectClass: organizationalUnit\nou: people\n",
        f"dn: ou=groups,{BASE}\nobjectClass: organizationalUnit\nou: groups\n",
        _READER,
        *(
            _PERSON.format(uid=uid, name=name, base=BASE, password=f"{uid}'s secret")
            for uid, name in (("anne", "Anne Martin"), ("chef", "Chef Robert"), ("a*b", "Star"))
        ),
        f"dn: {ADMINS}\nobjectClass: groupOfNames\ncn: admins\nmember: uid=chef,ou=people,{BASE}\n",
    ]
    entries[-2] = entries[-2].replace("uid=a*b", "uid=a\\2Ab")
    # One after the other: the overlay that writes memberOf works while slapd runs, not in slapadd.
    people, group = entries[:-1], entries[-1]
    chef = next(n for n, entry in enumerate(people) if "uid=chef" in entry)
    people[chef] += f"memberOf: {ADMINS}\n"
    subprocess.run(
        [SLAPADD, "-f", configuration],
        input="\n".join([*people, group]),
        text=True,
        check=True,
        capture_output=True,
    )


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(500):
        assert process.poll() is None, "slapd ended"
        with socket.socket() as trying:
            if trying.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.01)
    raise AssertionError("slapd doesn't listen")


def _free_port() -> int:
    with socket.socket() as trying:
        trying.bind(("127.0.0.1", 0))
        port: int = trying.getsockname()[1]
        return port


def _certificates(folder: Path) -> None:
    authority = ec.generate_private_key(ec.SECP256R1())
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Valmont")])
    begin = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)

    def built(name: x509.Name, public: ec.EllipticCurvePublicKey, *, is_authority: bool) -> x509.Certificate:
        address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(issuer)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(begin)
            .not_valid_after(begin.replace(year=2090))
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost"), address]), critical=False)
        )
        return builder.sign(authority, hashes.SHA256())

    server = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    (folder / "ca.pem").write_bytes(
        built(issuer, authority.public_key(), is_authority=True).public_bytes(Encoding.PEM)
    )
    (folder / "server.pem").write_bytes(
        built(server, key.public_key(), is_authority=False).public_bytes(Encoding.PEM)
    )
    (folder / "server.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
