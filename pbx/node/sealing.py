"""What must be read again but never seen in a copy of the database: sealed under the node's own key.

Each purpose has a key of its own, so that what was sealed as one thing is never read as another, and each
seal says whose it is: a row's secret that was copied into another row doesn't open.
Losing `node.key` is losing what was sealed; a backup of the node holds it, a copy of the database doesn't.
"""

import os
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from pbx.node.keys import node_key

_NONCE_BYTES = 12
_FORMAT = b"\x01"


class SealBroken(Exception):
    """What was sealed doesn't open: another node's, another purpose's or row's, or damaged."""


class Sealing:
    """Seals and opens by keys derived from the node's (HKDF-SHA256, RFC 5869; AES-256-GCM)."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def key(self, purpose: str) -> bytes:
        """Return the 32 bytes that are this purpose's alone, for a signature or a cipher."""
        # RFC 5869 section 3.2: `info` binds what is derived to what it is for.
        return HKDF(SHA256(), 32, salt=None, info=b"beffroi " + purpose.encode()).derive(self._secret)

    def seal(self, data: bytes, purpose: str, whose: str) -> bytes:
        """Return `data` sealed: 29 bytes longer. whose: the row that it belongs to."""
        nonce = os.urandom(_NONCE_BYTES)
        return _FORMAT + nonce + AESGCM(self.key(purpose)).encrypt(nonce, data, whose.encode())

    def unseal(self, sealed: bytes, purpose: str, whose: str) -> bytes:
        """Return what was sealed for this purpose and row. Raises SealBroken."""
        nonce, text = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        if sealed[:1] != _FORMAT or len(nonce) < _NONCE_BYTES:
            raise SealBroken(f"{purpose} of {whose}: isn't sealed by this program")
        try:
            return AESGCM(self.key(purpose)).decrypt(nonce, text, whose.encode())
        except InvalidTag:
            raise SealBroken(f"{purpose} of {whose}: was sealed by another node, or is damaged") from None


def sealing(node_key_file: Path) -> Sealing:
    """Return what seals under the key in this file, which is made where there is none yet.

    Raises KeyUnusable (`recording.keys`) or OSError.
    """
    return Sealing(node_key(node_key_file).private_bytes_raw())
