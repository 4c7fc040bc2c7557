"""A body of several parts (RFC 2046 section 5.1), such as a description and a location."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Part:
    """One part. content_id: without its angle brackets, "" for none (RFC 2392)."""

    content_type: str
    body: bytes
    content_id: str = ""


def multipart(parts: Sequence[Part], boundary: str) -> tuple[str, bytes]:
    """The Content-Type and the body that carry these parts.

    boundary: a token that stands in none of the parts (RFC 2046 section 5.1.1).
    """
    pieces = []
    for part in parts:
        identifier = f"Content-ID: <{part.content_id}>\r\n" if part.content_id else ""
        head = f"--{boundary}\r\nContent-Type: {part.content_type}\r\n{identifier}\r\n"
        pieces.append(head.encode() + part.body + b"\r\n")
    return f"multipart/mixed;boundary={boundary}", b"".join(pieces) + f"--{boundary}--\r\n".encode()
