"""What opens a recording: its own key, which the private key of recordings opens, where that is on this node.

The private key is read each time and kept nowhere: whoever takes the file away has taken it away.
"""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from pbx.configuration import Configuration
from pbx.node.keys import private_of
from pbx.web.problems import Problem
from recording.keys import KeyUnusable, fingerprint, read_private, unwrap
from recording.proof.sealed_file import Damage, read_header


def has_private_key(settings: Configuration) -> bool:
    """Whether the private key of recordings is on this node."""
    return private_of(settings.recordings.key_file).is_file()


def opened_key(settings: Configuration, path: Path, wrapped: bytes, passphrase: str = "") -> bytes:
    """Return the key of the recording in a file. It waits for a disk. Raises Problem as `private_key`."""
    private, recording = private_key(settings, path, passphrase)
    try:
        return unwrap(wrapped, recording, private)
    except KeyUnusable:
        raise Problem(409, "another_key", "this private key doesn't open the recording's key") from None


def private_key(settings: Configuration, path: Path, passphrase: str) -> tuple[X25519PrivateKey, str]:
    """Return the private key that the recording in a file is sealed for, and the recording's name.

    Raises Problem (409) where it isn't here, is another one, or wants its passphrase.
    """
    file = private_of(settings.recordings.key_file)
    if not file.is_file():
        raise Problem(
            409,
            "private_key_away",
            "the private key of recordings isn't on this node, so nothing can be opened",
            mend="bring it back beside the `key_file:` of recordings, or listen where it is",
        )
    try:
        private = read_private(file, (lambda: passphrase) if passphrase else None)
    except KeyUnusable as error:
        if not str(error).endswith(("has a passphrase", "by this passphrase")):
            detail = "the private key of recordings can't be read"
            raise Problem(409, "private_key_unusable", detail) from None
        code = "passphrase_wrong" if passphrase else "passphrase_needed"
        raise Problem(409, code, "the private key has a passphrase", where="passphrase") from None
    try:
        header = read_header(path)
    except (Damage, OSError):
        detail, mend = "the recording's file is damaged at its begin", "tell who runs the machine"
        raise Problem(409, "recording_damaged", detail, mend=mend) from None
    if header.wrapped_for != fingerprint(private.public_key()):
        raise Problem(409, "another_key", f"this recording is sealed for the key {header.wrapped_for}")
    return private, header.recording


def node_public_key(settings: Configuration) -> bytes:
    """Return what the node's journals are signed with: raw bytes. It waits for a disk. Raises Problem."""
    try:
        key = load_pem_public_key(settings.node_key_file.with_suffix(".pub").read_bytes())
    except (OSError, ValueError):
        raise Problem(503, "node_key_unusable", "the node's public key can't be read") from None
    assert isinstance(key, Ed25519PublicKey)
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)
