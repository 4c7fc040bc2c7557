"""Branches, tags and Call-IDs that nobody can guess, from a seed (19.3, 8.1.1.7)."""

from __future__ import annotations

from hashlib import shake_128

_BLOCK = 256  # identifiers made at a time: hashing them one by one costs ten times as much


class Identifiers:
    """An endless source of identifiers; the same seed gives the same ones."""

    __slots__ = ("_block", "_pool", "_seed")

    def __init__(self, seed: bytes) -> None:
        self._seed = seed
        self._block = 0
        self._pool: list[str] = []

    def token(self) -> str:
        """16 hexadecimal digits: 64 bits that an outsider can't predict."""
        if not self._pool:
            self._block += 1
            digits = shake_128(self._seed + self._block.to_bytes(8, "big")).hexdigest(8 * _BLOCK)
            self._pool = [digits[start : start + 16] for start in range(0, 16 * _BLOCK, 16)]
        return self._pool.pop()

    def branch(self) -> str:
        """A branch with the magic cookie of RFC 3261 section 8.1.1.7."""
        return "z9hG4bK" + self.token()
