"""The node's own keys, made on its first start: what it signs with, and what its recordings are sealed for.

`node.key` signs the journal of recordings; its public half, `node.pub`, is what an auditor wants. The private
half of the pair for recordings is needed to listen and to export alone, and may be moved away at once.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from recording import keys
from recording.keys import KeyUnusable


def node_key(path: Path) -> Ed25519PrivateKey:
    """Return what the node signs with, made where there is none yet. Raises KeyUnusable or OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        made = Ed25519PrivateKey.generate()
        pem = made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        _write(path, pem, mode=0o600)
    try:
        key = load_pem_private_key(path.read_bytes(), None)
    except (ValueError, TypeError) as error:
        raise KeyUnusable(f"{path}: is no private key in PEM without a password ({error})") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyUnusable(f"{path}: the node signs with an Ed25519 key")
    public = path.with_suffix(".pub")
    if not public.exists():
        pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        _write(public, pem, mode=0o644)
    return key


def recording_key(public: Path) -> X25519PublicKey:
    """Return what recordings are sealed for; a pair is made where there is no such file yet.

    The private half is written beside it then, as `private_of` says. Raises KeyUnusable or OSError.
    """
    private = private_of(public)
    if not public.exists():
        public.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if private.exists():  # a start was cut off between the two
            pem = (
                keys.read_private(private)
                .public_key()
                .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
            )
            _write(public, pem, mode=0o644)
        else:
            keys.make_pair(public, private)
    return keys.read_public(public)


def private_of(public: Path) -> Path:
    """Return where the private half is made: `recording.key` for `recording.pub`."""
    return public.with_suffix(".key") if public.suffix != ".key" else public.with_suffix(".private")


def _write(path: Path, data: bytes, *, mode: int) -> None:
    """Write a file whole or not at all, unless another process has written it meanwhile: the first one stays.

    Recorder, web process and commands make the node's key where there is none; all must read the same one.
    """
    descriptor, unfinished = tempfile.mkstemp(dir=path.parent, prefix=f"{path.name}.", suffix=".new")
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, mode)
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        with suppress(FileExistsError):
            os.link(unfinished, path)
    finally:
        os.unlink(unfinished)
