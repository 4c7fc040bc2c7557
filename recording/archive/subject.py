"""What is given to somebody who asked for what is known of a number: a receipt, which the journal bears out.

The journal never forgets, so it can't hold a number that somebody wants forgotten. It holds a hash of the
number with a salt, and the salt is in the receipt alone: whoever has the receipt can show that the entry is
about their number, and nobody else can find out whose it is.

```
receipt = JSON line, with "signature": Ed25519 (hex) of the line's other fields, by the node
number_hash = SHA-256 of the salt (32 bytes) and the number
```
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

SALT_BYTES: Final = 32


class NotSigned(ValueError):
    """A receipt that this node never gave; the text says what is wrong with it."""


def make_salt() -> bytes:
    """Return chance that serves one receipt."""
    return secrets.token_bytes(SALT_BYTES)


def hashed(salt: bytes, number: str) -> str:
    """Return what the journal holds instead of a number."""
    return hashlib.sha256(salt + number.encode()).hexdigest()


def public_text(key: Ed25519PublicKey) -> str:
    """Return a public key as receipts and packages show it: hexadecimal."""
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw).hex()


def sign(fields: Mapping[str, Any], key: Ed25519PrivateKey) -> str:
    """Return a receipt of these fields."""
    said = {**fields, "node": public_text(key.public_key())}
    return _text({**said, "signature": key.sign(_text(said).encode()).hex()})


def read(receipt: str, key: Ed25519PublicKey) -> dict[str, Any]:
    """Return what a receipt says. Raises NotSigned."""
    try:
        said = json.loads(receipt)
        signature = bytes.fromhex(said.pop("signature"))
        key.verify(signature, _text(said).encode())
    except (InvalidSignature, ValueError, KeyError, TypeError, AttributeError):
        raise NotSigned("this is not a receipt that this node has signed") from None
    told: dict[str, Any] = said
    return told


def _text(fields: Mapping[str, Any]) -> str:
    return json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
