"""A time stamp is read by the verifier alone, and held against whom the town trusts. RFC 3161."""

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given, settings
from hypothesis import strategies as st

from recording.proof.stamp import StampError, authorities, read_stamp
from tests.recording.time_authority import NAME, TimeAuthority

DIGEST = hashlib.sha256(b"an entry of the journal").digest()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> TimeAuthority:
    return TimeAuthority(tmp_path_factory.mktemp("time") / "authority")


@pytest.fixture(scope="module")
def stamp(authority: TimeAuthority) -> bytes:
    return authority.stamp(DIGEST)


@pytest.mark.parametrize("named_by", ["sha1", "sha256", "sha512"])
@pytest.mark.parametrize(
    "key", [ec.generate_private_key(ec.SECP384R1()), rsa.generate_private_key(65537, 2048)], ids=["ec", "rsa"]
)
def test_stamp_says_who_saw_the_hash_and_when(key: ec.EllipticCurvePrivateKey, named_by: str, tmp_path: Path):
    # RFC 3161 section 2.4.2
    authority = TimeAuthority(tmp_path / "authority", key=key, named_by=named_by)
    read = read_stamp(authority.stamp(DIGEST), DIGEST, [authority.root])
    assert read.authority == NAME
    assert datetime.fromtimestamp(read.at, UTC).year >= 2026


def test_whom_we_trust_is_read_from_a_file(authority: TimeAuthority):
    assert authorities(authority.file) == [authority.root]


def test_file_without_a_certificate_is_told(tmp_path: Path):
    with pytest.raises(StampError, match="No such file"):
        authorities(tmp_path / "nothing")
    (tmp_path / "nothing").write_text("nothing")
    with pytest.raises(StampError, match="holds no certificate"):
        authorities(tmp_path / "nothing")


def test_stamp_of_another_hash_is_refused(authority: TimeAuthority, stamp: bytes):
    with pytest.raises(StampError, match="stamp of something else"):
        read_stamp(stamp, hashlib.sha256(b"another").digest(), [authority.root])


def test_authority_for_whom_nobody_vouches_is_refused(stamp: bytes, tmp_path: Path):
    other = TimeAuthority(tmp_path / "other")
    with pytest.raises(StampError, match="for whom nobody trusted vouches"):
        read_stamp(stamp, DIGEST, [other.root])


def test_without_anybody_trusted_the_signature_alone_is_looked_at(stamp: bytes):
    assert read_stamp(stamp, DIGEST, []).authority == NAME


def tlv(tag: int, *parts: bytes) -> bytes:
    """An element of DER."""
    content = b"".join(parts)
    length = len(content).to_bytes((len(content).bit_length() + 7) // 8, "big")
    return bytes([tag]) + (length if len(content) < 128 else bytes([0x80 + len(length)]) + length) + content


def signed_with(folder: Path, purposes: tuple[x509.ObjectIdentifier, ...]) -> tuple[bytes, x509.Certificate]:
    """A stamp that OpenSSL refuses to make: with a certificate for these purposes. And who vouches for it."""
    key = ec.generate_private_key(ec.SECP256R1())
    authority = TimeAuthority(folder, key=key, purposes=purposes)
    own = x509.load_pem_x509_certificate((folder / "tsa.pem").read_bytes())
    sha256 = tlv(0x30, bytes.fromhex("0609608648016503040201"))
    serial = tlv(0x02, b"\x01")
    info = tlv(
        0x30,
        tlv(0x02, b"\x01"),
        bytes.fromhex("06032a0304"),
        tlv(0x30, sha256, tlv(0x04, DIGEST)),
        serial,
        tlv(0x18, b"20261122101500Z"),
    )
    is_time = bytes.fromhex("060b2a864886f70d0109100104")
    named = tlv(0x30, tlv(0x30, tlv(0x30, tlv(0x04, own.fingerprint(hashes.SHA256())))))
    attributes = b"".join(
        tlv(0x30, bytes.fromhex(name), tlv(0x31, value))
        for name, value in (
            ("06092a864886f70d010903", is_time),
            ("06092a864886f70d010904", tlv(0x04, hashlib.sha256(info).digest())),
            ("060b2a864886f70d010910022f", named),
        )
    )
    signature = key.sign(tlv(0x31, attributes), ec.ECDSA(hashes.SHA256()))
    signer = tlv(
        0x30,
        tlv(0x02, b"\x01"),
        tlv(0x30, own.issuer.public_bytes(), tlv(0x02, b"\0" + own.serial_number.to_bytes(20, "big"))),
        sha256,
        tlv(0xA0, attributes),
        tlv(0x30, bytes.fromhex("06082a8648ce3d040302")),
        tlv(0x04, signature),
    )
    content = tlv(0x30, is_time, tlv(0xA0, tlv(0x04, info)))
    certificates = tlv(0xA0, own.public_bytes(Encoding.DER))
    data = tlv(0x30, tlv(0x02, b"\x03"), tlv(0x31, sha256), content, certificates, tlv(0x31, signer))
    token = tlv(0x30, bytes.fromhex("06092a864886f70d010702"), tlv(0xA0, data))
    return tlv(0x30, tlv(0x30, tlv(0x02, b"\0")), token), authority.root


def test_certificate_for_something_else_stamps_nothing(tmp_path: Path):
    # RFC 3161 section 2.3: this one purpose.
    stamping, serving = ExtendedKeyUsageOID.TIME_STAMPING, ExtendedKeyUsageOID.SERVER_AUTH
    good, root = signed_with(tmp_path / "good", (stamping,))
    assert read_stamp(good, DIGEST, [root]).authority == NAME
    for name, purposes in (("both", (stamping, serving)), ("server", (serving,))):
        response, root = signed_with(tmp_path / name, purposes)
        with pytest.raises(StampError, match="isn't one for time stamps"):
            read_stamp(response, DIGEST, [root])


def test_certificate_that_was_over_stamps_nothing(tmp_path: Path):
    over = TimeAuthority(tmp_path / "over", until=datetime(2020, 1, 1, tzinfo=UTC))
    with pytest.raises(StampError, match="wasn't valid"):
        read_stamp(over.stamp(DIGEST), DIGEST, [over.root])


def test_refusal_of_the_authority_is_told(authority: TimeAuthority):
    refused = authority.reply(b"0\x03\x02\x01\x01")  # a question that is none
    with pytest.raises(StampError, match="the authority refused: status 2"):
        read_stamp(refused, DIGEST, [authority.root])


def test_bit_that_turned_anywhere_is_found(authority: TimeAuthority, stamp: bytes):
    """But in what nobody signed: how the answer and its lists are headed, and who came along unasked."""
    kept = 0
    for offset in range(len(stamp)):
        changed = bytearray(stamp)
        changed[offset] ^= 1 << offset % 8
        try:
            read = read_stamp(bytes(changed), DIGEST, [authority.root])
        except StampError:
            continue
        kept += 1
        assert read == read_stamp(stamp, DIGEST, [authority.root])
    assert kept < 40


def test_stamp_that_was_cut_anywhere_is_none(stamp: bytes):
    for length in range(len(stamp)):
        with pytest.raises(StampError):
            read_stamp(stamp[:length], DIGEST, [])


@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")  # it warns
@settings(max_examples=300, deadline=None)
@given(data=st.binary(max_size=60), kept=st.integers(0, 1000))
def test_anything_else_is_a_stamp_error_and_no_other(data: bytes, kept: int, stamp: bytes):
    for response in (data, stamp[:kept] + data, stamp[:kept] + data + stamp[kept + len(data) :]):
        if response != stamp:
            try:
                read_stamp(response, DIGEST, [])
            except StampError as error:
                assert str(error)
