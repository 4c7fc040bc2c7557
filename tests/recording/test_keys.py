"""Keys of recordings: only the private half opens them, and a destroyed one is gone."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from recording import keys


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    public, private = tmp_path / "recording.pub", tmp_path / "recording.key"
    keys.make_pair(public, private)
    return public, private


def test_wrapped_key_is_opened_by_the_private_half(pair: tuple[Path, Path]):
    public, private = keys.read_public(pair[0]), keys.read_private(pair[1])
    key = keys.make_key()
    wrapped = keys.wrap(key, "r1", public)
    assert key not in wrapped
    assert keys.unwrap(wrapped, "r1", private) == key


def test_key_of_one_recording_opens_no_other(pair: tuple[Path, Path]):
    public, private = keys.read_public(pair[0]), keys.read_private(pair[1])
    wrapped = keys.wrap(keys.make_key(), "r1", public)
    with pytest.raises(keys.KeyUnusable, match="doesn't open the key of r2"):
        keys.unwrap(wrapped, "r2", private)


def test_wrapped_key_that_was_changed_opens_nothing(pair: tuple[Path, Path]):
    public, private = keys.read_public(pair[0]), keys.read_private(pair[1])
    wrapped = keys.wrap(keys.make_key(), "r1", public)
    for changed in (wrapped[:-1], b"", wrapped[:40] + bytes([wrapped[40] ^ 1]) + wrapped[41:]):
        with pytest.raises(keys.KeyUnusable):
            keys.unwrap(changed, "r1", private)


def test_private_half_is_readable_by_its_owner_alone(pair: tuple[Path, Path]):
    assert pair[1].stat().st_mode & 0o777 == 0o600


def test_pair_that_is_there_is_never_written_over(pair: tuple[Path, Path]):
    with pytest.raises(FileExistsError):
        keys.make_pair(*pair)


def test_file_that_is_no_key_says_so(tmp_path: Path, pair: tuple[Path, Path]):
    garbage = tmp_path / "garbage"
    garbage.write_bytes(b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n")
    rsa = tmp_path / "rsa.pub"
    public = generate_private_key(65537, 2048).public_key()
    rsa.write_bytes(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    with pytest.raises(keys.KeyUnusable, match="no public key in PEM"):
        keys.read_public(garbage)
    with pytest.raises(keys.KeyUnusable, match="an X25519 key"):
        keys.read_public(rsa)
    with pytest.raises(keys.KeyUnusable, match="no private key in PEM"):
        keys.read_private(pair[0])
    with pytest.raises(keys.KeyUnusable, match="No such file"):
        keys.read_private(tmp_path / "absent")


def test_fingerprint_names_one_key(tmp_path: Path, pair: tuple[Path, Path]):
    keys.make_pair(tmp_path / "other.pub", tmp_path / "other.key")
    one = keys.fingerprint(keys.read_public(pair[0]))
    assert one == keys.fingerprint(keys.read_private(pair[1]).public_key())
    assert one != keys.fingerprint(keys.read_public(tmp_path / "other.pub"))


def test_store_keeps_gives_and_destroys(tmp_path: Path):
    store = keys.KeyStore(tmp_path / "keys")
    store.put("20261122-r1", b"wrapped")
    store.put("20261122-r2", b"other")
    assert store.get("20261122-r1") == b"wrapped"
    store.destroy("20261122-r1")
    store.destroy("20261122-r1")
    with pytest.raises(keys.NoKey):
        store.get("20261122-r1")
    assert store.recordings() == {"20261122-r2"}


def test_key_is_written_over_before_its_file_goes(tmp_path: Path):
    store = keys.KeyStore(tmp_path)
    store.put("r1", b"wrapped key")
    (tmp_path / "copy").hardlink_to(tmp_path / "r1.key")
    store.destroy("r1")
    assert b"wrapped" not in (tmp_path / "copy").read_bytes()


@pytest.mark.parametrize("name", ["../r1", "", "r1/x", ".hidden", "a" * 65, "r1\0"])
def test_what_names_no_recording_reaches_no_file(tmp_path: Path, name: str):
    store = keys.KeyStore(tmp_path)
    for verb in (store.get, store.destroy, lambda recording: store.put(recording, b"")):
        with pytest.raises(ValueError, match="names no recording"):
            verb(name)
    assert list(tmp_path.iterdir()) == []
