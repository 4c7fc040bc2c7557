"""What a request asks for, as the numbering plan reads it."""

from __future__ import annotations

from sip.core.gruu import instance_called
from sip.core.uri import SipUri


def dialled_number(uri: str) -> str:
    """What the Request-URI asks for: the user part of a SIP URI, or the whole URI where it has none.

    The GRUU of a telephone that signs in with a suffix (`sip:1001-web@…;gr=…`) asks for its extension, and
    means that telephone (RFC 5627 section 6.1).
    """
    if uri[:4].lower() in {"tel:", "urn:"}:
        return uri
    user = SipUri.parse(uri).user or uri
    return user.partition("-")[0] if "-" in user and instance_called(uri) else user
