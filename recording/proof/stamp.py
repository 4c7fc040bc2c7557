"""A time stamp of the journal's head (RFC 3161): read, and held against whoever is trusted for it.

An authority signs that it has seen a hash at a time. The hash here is that of an entry of the journal, which
stands for all entries before it, and for all recordings whose end they tell. So whoever cuts the journal or
writes it anew, the node's own key in hand, can't have the stamp. Each lies as the authority sent it in
`stamps/NUMBER.tsr`, the entry's number being its name, and any tool for such files reads it:

    openssl ts -verify -digest HASH -in 1234.tsr -CAfile authority.pem
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import (
    BasicConstraints,
    Certificate,
    DuplicateExtension,
    ExtendedKeyUsage,
    ExtensionNotFound,
    InvalidVersion,
    load_der_x509_certificate,
    load_pem_x509_certificates,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from recording.proof.der import (
    BOOLEAN,
    FIRST,
    INTEGER,
    OBJECT,
    OCTET_STRING,
    SECOND,
    SEQUENCE,
    SET,
    TIME,
    DerError,
    Elements,
)

FOLDER: Final = "stamps"  # beside the journal
SUFFIX: Final = ".tsr"
MOST_BYTES: Final = 65_536
_LONGEST_CHAIN: Final = 8

_SIGNED_DATA: Final = "1.2.840.113549.1.7.2"
_TST_INFO: Final = "1.2.840.113549.1.9.16.1.4"
_CONTENT_TYPE: Final = "1.2.840.113549.1.9.3"
_MESSAGE_DIGEST: Final = "1.2.840.113549.1.9.4"
_SIGNING_CERTIFICATE: Final = "1.2.840.113549.1.9.16.2.12"  # RFC 2634 section 5.4
_SIGNING_CERTIFICATE_V2: Final = "1.2.840.113549.1.9.16.2.47"  # RFC 5035 section 3
_HASHES: Final[dict[str, hashes.HashAlgorithm]] = {
    "2.16.840.1.101.3.4.2.1": hashes.SHA256(),
    "2.16.840.1.101.3.4.2.2": hashes.SHA384(),
    "2.16.840.1.101.3.4.2.3": hashes.SHA512(),
}
_RSA: Final = frozenset(
    {"1.2.840.113549.1.1.1", *(f"1.2.840.113549.1.1.{number}" for number in (11, 12, 13))}
)
_ECDSA: Final = frozenset(f"1.2.840.10045.4.3.{number}" for number in (2, 3, 4))


class StampError(Exception):
    """A time stamp that isn't one, isn't this one, or whose authority isn't trusted; the text says which."""


class Stamp(NamedTuple):
    """What an authority says: it saw the hash at this time (Unix seconds). authority: its name."""

    at: float
    authority: str


def authorities(pem: Path) -> list[Certificate]:
    """Return the certificates of whom we trust, from a PEM file. Raises StampError."""
    try:
        found = load_pem_x509_certificates(pem.read_bytes())
    except OSError as error:
        raise StampError(f"{pem}: {error.strerror}") from None
    except ValueError:
        raise StampError(f"{pem}: holds no certificate in PEM") from None
    return found


def read_stamp(response: bytes, digest: bytes, trusted: Sequence[Certificate]) -> Stamp:
    """Return what a stamp says, when it is one of this hash (SHA-256).

    response: what the authority answered (TimeStampResp). trusted: who may have signed it, or vouch for who
    did; none to look at the signature alone, which shows no more than that the stamp is whole.
    Raises StampError. RFC 3161 sections 2.2 and 2.4.2, RFC 5652 section 5.
    """
    try:
        signed, certificates, signer = _token(response)
        at = _read_info(signed, digest)
        certificate = _signer(signer, certificates, signed)
    except (DerError, ValueError, RecursionError) as error:
        raise StampError(f"is no time stamp: {error}") from None
    if trusted:
        _check_trust(certificate, certificates, trusted, at)
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return Stamp(at.timestamp(), str(names[0].value) if names else certificate.subject.rfc4514_string())


def _token(response: bytes) -> tuple[bytes, list[Certificate], Elements]:
    """Return what was signed (TSTInfo), the certificates that came with it, and who signed (SignerInfo)."""
    outer = Elements(response)
    answer = outer.within(SEQUENCE)
    outer.end()
    if (status := answer.within(SEQUENCE).integer()) not in (0, 1):  # RFC 3161 section 2.4.2: granted
        raise StampError(f"the authority refused: status {status}")
    content = answer.within(SEQUENCE)
    if content.object_name() != _SIGNED_DATA:
        raise DerError("the token isn't signed data")
    signed = content.within(FIRST).within(SEQUENCE)
    signed.integer()
    signed.content(SET)
    enclosed = signed.within(SEQUENCE)
    if enclosed.object_name() != _TST_INFO:
        raise DerError("what was signed is no time")
    info = enclosed.within(FIRST).content(OCTET_STRING)
    certificates = []
    if signed.tag == FIRST:
        listed = signed.within(FIRST)
        while listed.tag != -1:
            certificates.append(_certificate(listed.whole(SEQUENCE)))
    signed.skip(SECOND)  # revocations
    signers = signed.within(SET)
    signer = signers.within(SEQUENCE)
    signers.end()  # RFC 3161 section 2.4.2: no signature but the authority's
    return info, certificates, signer


def _certificate(encoded: bytes) -> Certificate:
    try:
        certificate = load_der_x509_certificate(encoded)
        certificate.public_key()
        list(certificate.extensions)
    except (ValueError, TypeError, InvalidVersion, DuplicateExtension, UnsupportedAlgorithm) as error:
        raise StampError(f"comes with a certificate that can't be read: {error}") from None
    return certificate


def _read_info(signed: bytes, digest: bytes) -> datetime:
    """Return the time of a TSTInfo that is about this hash."""
    info = Elements(signed).within(SEQUENCE)
    info.integer()
    info.content(OBJECT)
    imprint = info.within(SEQUENCE)
    algorithm, seen = imprint.within(SEQUENCE).object_name(), imprint.content(OCTET_STRING)
    if not isinstance(_HASHES.get(algorithm), hashes.SHA256) or seen != digest:
        raise StampError("is the stamp of something else")
    info.content(INTEGER)
    text = info.content(TIME).decode("ascii")
    form = "%Y%m%d%H%M%S.%fZ" if "." in text else "%Y%m%d%H%M%SZ"
    at = datetime.strptime(text, form).replace(tzinfo=UTC)
    info.skip(SEQUENCE)  # accuracy
    info.skip(BOOLEAN)
    info.skip(INTEGER)  # nonce: whoever asked has compared it
    info.skip(FIRST)
    info.skip(SECOND)
    info.end()
    return at


def _signer(signer: Elements, certificates: Iterable[Certificate], signed: bytes) -> Certificate:
    """Return the certificate of who signed, when the signature holds. RFC 5652 sections 5.3 to 5.6."""
    signer.integer()
    who = signer.within(SEQUENCE)
    issuer, serial = who.whole(SEQUENCE), who.integer()
    hashed_by = _hash(signer.within(SEQUENCE).object_name())
    attributes = signer.whole(FIRST)
    how, signature = signer.within(SEQUENCE).object_name(), signer.content(OCTET_STRING)
    said = _attributes(attributes)
    if Elements(said.get(_CONTENT_TYPE, b"")).object_name() != _TST_INFO:
        raise DerError("the signature is about something else than a time")
    if Elements(said.get(_MESSAGE_DIGEST, b"")).content(OCTET_STRING) != _digest(hashed_by, signed):
        raise StampError("was changed")
    for certificate in certificates:
        if certificate.issuer.public_bytes() == issuer and certificate.serial_number == serial:
            break
    else:
        raise StampError("comes without the certificate of who signed it")
    _check_named(certificate, said)
    # RFC 5652 section 5.4: what is signed has the tag of a SET, not that of its place.
    _check_signature(certificate, how, hashed_by, signature, bytes([SET]) + attributes[1:])
    return certificate


def _attributes(attributes: bytes) -> dict[str, bytes]:
    """Return the one value of each signed attribute."""
    listed, said = Elements(attributes).within(FIRST), {}
    while listed.tag != -1:
        attribute = listed.within(SEQUENCE)
        name, values = attribute.object_name(), attribute.content(SET)
        if name in said:
            raise DerError("a signed attribute stands there twice")
        said[name] = values
    return said


def _check_named(certificate: Certificate, said: dict[str, bytes]) -> None:
    """RFC 3161 section 2.4.2: what is signed names the certificate, so that no other can take its place."""
    encoded = certificate.public_bytes(Encoding.DER)
    if _SIGNING_CERTIFICATE_V2 in said:
        named = Elements(said[_SIGNING_CERTIFICATE_V2]).within(SEQUENCE).within(SEQUENCE).within(SEQUENCE)
        named_by: hashes.HashAlgorithm = hashes.SHA256()
        if named.tag == SEQUENCE:
            named_by = _hash(named.within(SEQUENCE).object_name())
        holds = named.content(OCTET_STRING) == _digest(named_by, encoded)
    elif _SIGNING_CERTIFICATE in said:
        named = Elements(said[_SIGNING_CERTIFICATE]).within(SEQUENCE).within(SEQUENCE).within(SEQUENCE)
        # RFC 2634 section 5.4 knows SHA-1 alone; the signature itself never rests on it.
        holds = named.content(OCTET_STRING) == hashlib.sha1(encoded, usedforsecurity=False).digest()
    else:
        holds = False
    if not holds:
        raise StampError("doesn't name the certificate of who signed it")


def _check_signature(
    certificate: Certificate, how: str, hashed_by: hashes.HashAlgorithm, signature: bytes, signed: bytes
) -> None:
    key = certificate.public_key()
    try:
        if isinstance(key, rsa.RSAPublicKey) and how in _RSA:
            key.verify(signature, signed, padding.PKCS1v15(), hashed_by)
        elif isinstance(key, ec.EllipticCurvePublicKey) and how in _ECDSA:
            key.verify(signature, signed, ec.ECDSA(hashed_by))
        else:
            raise StampError(f"is signed in a way that can't be checked here ({how})")
    except InvalidSignature:
        raise StampError("wasn't signed so by the authority") from None


def _check_trust(
    certificate: Certificate, others: Sequence[Certificate], trusted: Sequence[Certificate], at: datetime
) -> None:
    """Whether somebody trusted vouches for a certificate that may stamp, at that time. Raises StampError."""
    try:
        usage = certificate.extensions.get_extension_for_class(ExtendedKeyUsage)
        # RFC 3161 section 2.3: this purpose, no other, and critical.
        may_stamp = usage.critical and list(usage.value) == [ExtendedKeyUsageOID.TIME_STAMPING]
    except ExtensionNotFound:
        may_stamp = False
    if not may_stamp:
        raise StampError("was signed with a certificate that isn't one for time stamps")
    current = certificate
    for _ in range(_LONGEST_CHAIN):
        if not current.not_valid_before_utc <= at <= current.not_valid_after_utc:
            raise StampError(f"was signed when {current.subject.rfc4514_string()} wasn't valid")
        if current in trusted:
            return
        issuers = [one for one in (*trusted, *others) if _has_issued(one, current)]
        if not issuers:
            break
        current = issuers[0]
    raise StampError(f"comes from {certificate.subject.rfc4514_string()}, for whom nobody trusted vouches")


def _has_issued(issuer: Certificate, certificate: Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
        return issuer.extensions.get_extension_for_class(BasicConstraints).value.ca
    except (ValueError, TypeError, InvalidSignature, ExtensionNotFound, UnsupportedAlgorithm):
        return False


def _hash(name: str) -> hashes.HashAlgorithm:
    try:
        return _HASHES[name]
    except KeyError:
        raise StampError(f"rests on a hash that isn't trusted here ({name})") from None


def _digest(hashed_by: hashes.HashAlgorithm, data: bytes) -> bytes:
    return hashlib.new(hashed_by.name, data).digest()
