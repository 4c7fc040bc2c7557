"""Settings files encrypted as a maker's telephones read them, for those without TLS of today.

`openssl-aes-256-cbc` is Grandstream's ("XML Config File Password", P1359): what
`openssl enc -aes-256-cbc -md md5` writes. That is a mark, a salt of eight octets and the text, key and start
derived from a password by one round of MD5 (OpenSSL's EVP_BytesToKey). Such a derivation is weak for words
that people choose, so the password is drawn; and nothing in such a file proves who wrote it: it is for a
network of its own.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7

_MARK: Final = b"Salted__"
_SALT_OCTETS: Final = 8
_KEY_OCTETS: Final = 32
_BLOCK_OCTETS: Final = 16


def openssl_aes_256_cbc(content: bytes, password: str) -> bytes:
    """Return `content` encrypted under `password`: the same bytes for the same two, so that nothing changes
    until a setting does.
    """
    secret = password.encode("utf-8")
    salt = hmac.new(secret, content, hashlib.sha256).digest()[:_SALT_OCTETS]
    key, start = _derived(secret, salt)
    padding = PKCS7(8 * _BLOCK_OCTETS).padder()
    cipher = Cipher(AES256(key), CBC(start)).encryptor()
    padded = padding.update(content) + padding.finalize()
    return _MARK + salt + cipher.update(padded) + cipher.finalize()


def _derived(secret: bytes, salt: bytes) -> tuple[bytes, bytes]:
    made = b""
    last = b""
    while len(made) < _KEY_OCTETS + _BLOCK_OCTETS:
        last = hashlib.md5(last + secret + salt, usedforsecurity=False).digest()
        made += last
    return made[:_KEY_OCTETS], made[_KEY_OCTETS : _KEY_OCTETS + _BLOCK_OCTETS]
