"""SRTP written a second time, from RFC 3711 and 7714, on another library: the other side of the tests."""

import hashlib
import hmac
from dataclasses import dataclass

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from media.sdes import KEY_BYTES, Suite


def key_stream(key: bytes, start: int, length: int) -> bytes:
    """AES in counter mode from a 128-bit block number (RFC 3711 section 4.1.1)."""
    encryptor = Cipher(algorithms.AES(key), modes.CTR(start.to_bytes(16))).encryptor()
    return encryptor.update(bytes(length))


def session_key(master_key: bytes, master_salt: bytes, label: int, length: int) -> bytes:
    """RFC 3711 section 4.3.1 with a derivation rate of 0; RFC 7714 section 11 pads a salt of 96 bits."""
    salt = int.from_bytes(master_salt.ljust(14, b"\0"))
    return key_stream(master_key, (salt ^ label << 48) << 16, length)


@dataclass
class Reference:
    """One direction with one key."""

    suite: Suite
    key: bytes

    def __post_init__(self) -> None:
        assert len(self.key) == KEY_BYTES[self.suite]
        salt_bytes = 12 if "GCM" in self.suite else 14
        self.master, self.salt = self.key[:-salt_bytes], self.key[-salt_bytes:]

    def _keys(self, first_label: int) -> tuple[bytes, bytes, bytes]:
        encryption = session_key(self.master, self.salt, first_label, len(self.master))
        authentication = session_key(self.master, self.salt, first_label + 1, 20)
        return (
            encryption,
            authentication,
            session_key(self.master, self.salt, first_label + 2, len(self.salt)),
        )

    def protect(self, packet: bytes, rollovers: int) -> bytes:
        """The SRTP packet of an RTP packet with a header of 12 bytes."""
        header, payload = packet[:12], packet[12:]
        sequence, ssrc = int.from_bytes(packet[2:4]), int.from_bytes(packet[8:12])
        encryption, authentication, salt = self._keys(0)
        if "GCM" in self.suite:
            # RFC 7714 section 8.1
            place = bytes(2) + packet[8:12] + rollovers.to_bytes(4) + packet[2:4]
            nonce = bytes(a ^ b for a, b in zip(place, salt, strict=True))
            return header + AESGCM(encryption).encrypt(nonce, payload, header)
        index = rollovers << 16 | sequence
        start = int.from_bytes(salt) << 16 ^ ssrc << 64 ^ index << 16
        stream = key_stream(encryption, start, len(payload))
        body = header + bytes(a ^ b for a, b in zip(payload, stream, strict=True))
        tag = hmac.digest(authentication, body + rollovers.to_bytes(4), hashlib.sha1)
        return body + tag[: 4 if self.suite.endswith("32") else 10]

    def protect_rtcp(self, packet: bytes, index: int) -> bytes:
        """The SRTCP packet, encrypted (RFC 3711 section 3.4, RFC 7714 section 9)."""
        header, payload = packet[:8], packet[8:]
        ssrc = int.from_bytes(packet[4:8])
        encryption, authentication, salt = self._keys(3)
        trailer = (1 << 31 | index).to_bytes(4)
        if "GCM" in self.suite:
            place = bytes(2) + packet[4:8] + bytes(2) + index.to_bytes(4)
            nonce = bytes(a ^ b for a, b in zip(place, salt, strict=True))
            return header + AESGCM(encryption).encrypt(nonce, payload, header + trailer) + trailer
        start = int.from_bytes(salt) << 16 ^ ssrc << 64 ^ index << 16
        stream = key_stream(encryption, start, len(payload))
        body = header + bytes(a ^ b for a, b in zip(payload, stream, strict=True)) + trailer
        return body + hmac.digest(authentication, body, hashlib.sha1)[:10]
