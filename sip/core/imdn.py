"""Receipts of texts: what a sender asks for in CPIM, and what they are told (IMDN, RFC 5438)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from sip.core.cpim import Cpim, cpim
from sip.core.xml_text import xml_text

NAMESPACE = "urn:ietf:params:imdn"
CONTENT_TYPE = "message/imdn+xml"
DELIVERED, FAILED, STORED = "delivered", "failed", "stored"

# RFC 5438 section 6.2: what Disposition-Notification says, by the status that it asks for.
_ASKED_BY = {DELIVERED: "positive-delivery", FAILED: "negative-delivery", STORED: "processing"}
_MESSAGE_ID = re.compile(r"[\x21-\x7e]{1,128}\Z")


@dataclass(frozen=True, slots=True)
class ReceiptsAsked:
    """Which receipts the sender of a text asks for. message_id: the sender's name for it, "" for none."""

    message_id: str
    wanted: frozenset[str]

    def asks(self, status: str) -> bool:
        """Whether they ask for DELIVERED, FAILED or STORED."""
        return bool(self.message_id) and _ASKED_BY[status] in self.wanted


def receipts_asked(message: Cpim) -> ReceiptsAsked:
    """What the headers of a text ask for; a malformed one asks for nothing (RFC 5438 section 7.1.1)."""
    identifier = message.headers.get((NAMESPACE, "message-id"), "")
    if not _MESSAGE_ID.match(identifier):
        return ReceiptsAsked("", frozenset())
    words = message.headers.get((NAMESPACE, "disposition-notification"), "").lower()
    return ReceiptsAsked(identifier, frozenset(word.strip() for word in words.split(",")))


def receipt(
    status: str, *, asked: ReceiptsAsked, own_id: str, sender: str, recipient: str, written_at: float
) -> bytes:
    """The message/cpim body that tells `sender` what became of a text to `recipient` (both SIP URIs).

    status: DELIVERED, FAILED or STORED. own_id: this receipt's own Message-ID. written_at: Unix seconds of
    the text. RFC 5438 sections 8.2 and 11; a receipt never asks for one itself (section 7.2.1).
    """
    kind = "processing" if status == STORED else "delivery"
    at = datetime.fromtimestamp(written_at, UTC).isoformat(timespec="seconds")
    document = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<imdn xmlns="urn:ietf:params:xml:ns:imdn">\n'
        f"<message-id>{xml_text(asked.message_id)}</message-id>\n<datetime>{at}</datetime>\n"
        f"<recipient-uri>{xml_text(recipient)}</recipient-uri>\n"
        f"<{kind}-notification><status><{status}/></status></{kind}-notification>\n</imdn>\n"
    ).encode()
    headers = [
        ("From", f"<{recipient}>"),
        ("To", f"<{sender}>"),
        ("NS", f"imdn <{NAMESPACE}>"),
        ("imdn.Message-ID", own_id),
    ]
    inner = [
        ("Content-Type", CONTENT_TYPE),
        ("Content-Disposition", "notification"),
        ("Content-Length", str(len(document))),
    ]
    return cpim(headers, inner, document)
