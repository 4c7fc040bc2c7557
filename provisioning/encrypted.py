"""Settings files encrypted as a maker's telephones read them, for those without TLS of today.

Nothing in such a file proves who wrote it, and a telephone takes one in clear as well: it is for a network of
its own. What derives or repeats is weak for words that people choose, so the password is drawn.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final, Literal

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES128, AES256
from cryptography.hazmat.primitives.ciphers.modes import CBC, ECB
from cryptography.hazmat.primitives.padding import PKCS7

Encryption = Literal["openssl-aes-256-cbc", "aes-128-ecb"]

_MARK: Final = b"Salted__"
_SALT_OCTETS: Final = 8
_KEY_OCTETS: Final = 32
_BLOCK_OCTETS: Final = 16


def encrypted(content: bytes, password: str, how: Encryption) -> bytes:
    """Return `content` encrypted under `password`: the same bytes for the same two, so that nothing changes
    until a setting does.

    Raises ValueError for a password that isn't a key: `aes-128-ecb` wants 16 octets.
    """
    match how:
        case "openssl-aes-256-cbc":
            return _openssl_aes_256_cbc(content, password.encode("utf-8"))
        case "aes-128-ecb":
            return _aes_128_ecb(content, password.encode("utf-8"))


def _openssl_aes_256_cbc(content: bytes, secret: bytes) -> bytes:
    """Grandstream's ("XML Config File Password", P1359): what `openssl enc -aes-256-cbc -md md5` writes.

    That is a mark, a salt of eight octets and the text, key and start derived from a password by one round of
    MD5 (OpenSSL's EVP_BytesToKey).
    """
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


def _aes_128_ecb(content: bytes, key: bytes) -> bytes:
    """Yealink's ("MAC-Oriented AES Key", `auto_provision.aes_key_16.mac`): what `openssl enc -aes-128-ecb
    -nopad` writes, its key the 16 characters themselves.

    The maker's tool ends a text with blanks where it isn't whole blocks. Whoever reads along sees which
    blocks of a file are alike.
    """
    blanks = b" " * (-len(content) % _BLOCK_OCTETS)
    cipher = Cipher(AES128(key), ECB()).encryptor()  # noqa: S305 (what these telephones read)
    return cipher.update(content + blanks) + cipher.finalize()
