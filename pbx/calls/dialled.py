"""What a request asks for, as the numbering plan reads it."""

from __future__ import annotations

from sip.core.uri import SipUri


def dialled_number(uri: str) -> str:
    """What the Request-URI asks for: the user part of a SIP URI, or the whole URI where it has none."""
    if uri[:4].lower() in {"tel:", "urn:"}:
        return uri
    return SipUri.parse(uri).user or uri
