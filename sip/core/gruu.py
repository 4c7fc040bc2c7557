"""Public GRUUs: an address that reaches one phone of a person, whatever happens to its IP (RFC 5627).

`sip:1001@valmont.example;gr=urn:uuid:…` is the person's address with the phone's instance ID in it. Nothing
is kept for it: it holds as long as the person has that phone. Temporary GRUUs, which hide the person, aren't
given out: a caller who wants to be anonymous is so by Privacy.
"""

from __future__ import annotations

from sip.core.errors import ParseError, RemoteProtocolError
from sip.core.uri import SipUri, escape_parameter, unescape


def public_gruu(address_of_record: str, instance: str) -> str:
    """The GRUU of the phone with this instance ID (RFC 5627 section 5.2)."""
    return f"{address_of_record};gr={escape_parameter(instance)}"


def instance_called(uri: str) -> str:
    """The instance ID that a Request-URI names, in lower case; empty where it is no GRUU (section 6.1).

    A lone `gr` marks a temporary GRUU, none of which is ours.
    """
    if "gr=" not in uri and "GR=" not in uri:
        return ""
    try:
        return unescape(SipUri.parse(uri).parameters.get("gr", "")).lower()
    except ParseError:
        return ""


def refuse_gruu(contact: SipUri, address_of_record: SipUri) -> None:
    """Raises RemoteProtocolError 403 for a Contact that is a GRUU of its own person: a call to it would lead
    in a circle (RFC 5627 section 5.1)."""
    if "gr" in contact.parameters and contact.host == address_of_record.host:
        raise RemoteProtocolError(403, "A GRUU Is No Contact")
