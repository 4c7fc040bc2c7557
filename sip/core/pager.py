"""MESSAGE outside a dialog: one short text, sent like a page (RFC 3428)."""

from __future__ import annotations

from dataclasses import dataclass

from sip.core.errors import RemoteProtocolError
from sip.core.message import Request

MAX_BYTES = 1300  # RFC 3428 section 8: of a whole request that no congestion control covers
# What telephones and applications send: text, "is typing", receipts, and CPIM around any of them.
CONTENT_TYPES = (
    "text/plain",
    "text/html",
    "message/cpim",
    "message/imdn+xml",
    "application/im-iscomposing+xml",
)
_MAX_TYPE_CHARS = 128


@dataclass(frozen=True, slots=True)
class Page:
    """One message. content_type: with its parameters, as received."""

    content_type: str
    body: bytes


def page_of(request: Request) -> Page:
    """What a MESSAGE carries.

    Raises RemoteProtocolError: 413 for more than MAX_BYTES, 415 for another type, with those that we take.
    RFC 3428 section 7.
    """
    if len(request.body) > MAX_BYTES:
        raise RemoteProtocolError(413, "Request Entity Too Large")
    written = request.get("content-type") or "text/plain"
    if written.partition(";")[0].strip().lower() not in CONTENT_TYPES or len(written) > _MAX_TYPE_CHARS:
        raise RemoteProtocolError(415, "Unsupported Media Type", (("Accept", ", ".join(CONTENT_TYPES)),))
    return Page(written, request.body)
