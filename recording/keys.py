"""The keys of recordings: one for each, wrapped for whoever may open it, in a store of its own.

A recording's key is made when it begins and wrapped by a public key (HPKE of RFC 9180: X25519, HKDF with
SHA-256, AES-256-GCM) whose private half need not be on this machine. The key itself is in memory while the
recording goes on; what lies in the store is the wrapped one. Where that is destroyed the recording is gone,
and so is every copy of it: the store's files are in no copy and in no backup of the node.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from recording.proof.sealed_file import KEY_BYTES

_SUITE: Final = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
_NAME: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z-]{0,63}")
_SUFFIX: Final = ".key"
_MOST_BYTES: Final = 4096


class KeyUnusable(Exception):
    """A key file that isn't one, or a wrapped key that this private key doesn't open; the text says which."""


class NoKey(KeyError):
    """The store holds no key of this recording: it was purged, or never begun here."""


def make_pair(public: Path, private: Path) -> None:
    """Write a new pair of keys (PEM), the private one readable by its owner alone. Raises OSError."""
    made = X25519PrivateKey.generate()
    _write_new(private, made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    _write_new(
        public, made.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), mode=0o644
    )


def read_public(path: Path) -> X25519PublicKey:
    """Return the public key in a PEM file. Raises KeyUnusable."""
    try:
        key = load_pem_public_key(_read(path))
    except ValueError as error:
        raise KeyUnusable(f"{path}: is no public key in PEM ({error})") from None
    if not isinstance(key, X25519PublicKey):
        raise KeyUnusable(f"{path}: recordings are sealed for an X25519 key")
    return key


def read_private(path: Path, passphrase: Callable[[], str] | None = None) -> X25519PrivateKey:
    """Return the private key in a PEM file. passphrase: asked for it where it has one. Raises KeyUnusable."""
    pem = _read(path)
    try:
        key = load_pem_private_key(pem, None)
    except ValueError as error:
        raise KeyUnusable(f"{path}: is no private key in PEM ({error})") from None
    except TypeError:  # it has a passphrase
        if passphrase is None:
            raise KeyUnusable(f"{path}: has a passphrase") from None
        try:
            key = load_pem_private_key(pem, passphrase().encode())
        except ValueError:
            raise KeyUnusable(f"{path}: isn't opened by this passphrase") from None
    if not isinstance(key, X25519PrivateKey):
        raise KeyUnusable(f"{path}: recordings are sealed for an X25519 key")
    return key


def fingerprint(key: X25519PublicKey) -> str:
    """Return what names a public key: 16 hexadecimal digits."""
    return hashlib.sha256(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).hexdigest()[:16]


def make_key() -> bytes:
    """Return a new key for one recording."""
    return secrets.token_bytes(KEY_BYTES)


def wrap(key: bytes, recording: str, public: X25519PublicKey) -> bytes:
    """Return a recording's key as only the private half opens it, and only as this recording's."""
    return _SUITE.encrypt(key, public, _purpose(recording))


def unwrap(wrapped: bytes, recording: str, private: X25519PrivateKey) -> bytes:
    """Return a recording's key. Raises KeyUnusable."""
    try:
        return _SUITE.decrypt(wrapped, private, _purpose(recording))
    except (InvalidTag, ValueError):
        raise KeyUnusable(f"this private key doesn't open the key of {recording}") from None


class KeyStore:
    """The wrapped keys of recordings, one file each. Raises ValueError for what can't name a recording."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def put(self, recording: str, wrapped: bytes) -> None:
        """Keep a key: it outlives a power cut when this returns. Raises OSError, FileExistsError too."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write_new(self._path(recording), wrapped)
        self._sync()

    def get(self, recording: str) -> bytes:
        """Return a wrapped key. Raises NoKey, or OSError."""
        try:
            return self._path(recording).read_bytes()
        except FileNotFoundError:
            raise NoKey(recording) from None

    def destroy(self, recording: str) -> None:
        """Let a key be gone for good; one that is gone already is no error. Raises OSError.

        It is written over before it is unlinked. What a disk keeps of blocks that it has moved is useless
        without the private half.
        """
        path = self._path(recording)
        with suppress(FileNotFoundError):
            descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                os.pwrite(descriptor, secrets.token_bytes(os.fstat(descriptor).st_size), 0)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            path.unlink()
            self._sync()

    def recordings(self) -> set[str]:
        """Return whose keys are here."""
        with suppress(FileNotFoundError):
            return {path.name.removesuffix(_SUFFIX) for path in self._directory.glob(f"*{_SUFFIX}")}
        return set()

    def _path(self, recording: str) -> Path:
        if not _NAME.fullmatch(recording):
            raise ValueError(f"{recording!r} names no recording")
        return self._directory / f"{recording}{_SUFFIX}"

    def _sync(self) -> None:
        descriptor = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _purpose(recording: str) -> bytes:
    return b"beffroi recording " + recording.encode()


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_MOST_BYTES)
    except OSError as error:
        raise KeyUnusable(f"{path}: {error.strerror}") from None


def _write_new(path: Path, data: bytes, mode: int = 0o600) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(descriptor)
